"""Hashes of ids: the same everywhere, and what an id looks like."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.ids import NO_RANK, client_prefixes, fold, hash_id, hash_ids, order_ids

TEXTS = st.one_of(st.none(), st.text(max_size=40).filter(lambda s: s.isprintable()))


def test_hashes_are_the_same_for_ever() -> None:
    """A snapshot or a recorded habit holds hashes: they may not change with a version."""
    assert hash_id("12345") == 3062659880785609715
    assert hash_id("grid-00017") == 9103038433737244617


@given(st.lists(TEXTS, max_size=20))
def test_one_and_many_hash_alike(texts: list[str | None]) -> None:
    hashes = hash_ids(texts).tolist()
    assert hashes == [hash_id(text) for text in texts]
    assert [h == 0 for h in hashes] == [not text for text in texts]


def test_slices_and_nulls_are_read_where_they_lie() -> None:
    """A slice keeps its parent's buffers, and a null may span bytes."""
    array = pa.array(["a", None, "b", "", "c"])
    assert hash_ids(array.slice(1, 3)).tolist() == [0, hash_id("b"), 0]
    assert hash_ids(pa.nulls(2)).tolist() == [0, 0]
    assert hash_ids(pa.array([], pa.string())).size == 0
    over_bytes = pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x02"), *pa.array(["xy", "z"]).buffers()[1:]]
    )
    assert hash_ids(over_bytes).tolist() == [0, hash_id("z")]


def test_similar_ids_hash_apart() -> None:
    hashes = hash_ids([str(i) for i in range(100_000)])
    assert np.unique(hashes).size == 100_000
    assert np.unique(hashes >> np.uint64(44)).size > 90_000  # the top bits alone differ, too


def test_ids_sort_by_number_then_by_hash() -> None:
    ids = ["10", "9", "0", "007", "x", None, "", "9" * 18, "9" * 19]
    ranks = order_ids(ids, hash_ids(ids)).tolist()
    assert ranks[:3] == [10, 9, 0]
    assert ranks[7] == 10**18 - 1
    assert all(rank >= NO_RANK for rank in (ranks[3], ranks[4], ranks[8]))
    assert ranks[5] == ranks[6] == NO_RANK


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ("x-abc_123", "x-abc_"),
        ("grid-00017", "grid-"),
        ("autoclose-1700000000000", "autoclose-"),
        ("manual", "manual"),
        ("bad1", "bad"),
        ("12345", "<number>"),
        ("123e4567-e89b-12d3-a456-426614174000", "<uuid>"),
        ("0xDEADBEEF01", "<hex>"),
        ("e847386590ce4dBC6a8d9c0e1f2a3b4c", "<hex>"),
        ("6gCrw2kRUAF9CvJDGP16IP", "<random>"),
        ("1-abc", "<other>"),
    ],
)
def test_client_ids_tell_who_made_them(client: str, says: str) -> None:
    assert client_prefixes([client]).tolist() == [hash_id(says)]


def test_absent_client_ids_have_no_prefix() -> None:
    assert client_prefixes([None, ""]).tolist() == [0, 0]


@given(st.lists(TEXTS, max_size=10))
def test_prefixes_never_fail_and_are_never_absent_for_an_id(texts: list[str | None]) -> None:
    assert [p == 0 for p in client_prefixes(texts).tolist()] == [not text for text in texts]


def test_folding_depends_on_order_and_values() -> None:
    def folded(*columns: list[float]) -> int:
        h = np.zeros(1, np.uint64)
        for column in columns:
            fold(h, np.array(column))
        return int(h[0])

    assert folded([1.0], [2.0]) != folded([2.0], [1.0])
    assert folded([1.0]) != folded([1.0], [0.0])
    signs = np.zeros(2, np.uint64)
    fold(signs, np.array([1, -1], np.int8))
    assert signs[0] != signs[1]
