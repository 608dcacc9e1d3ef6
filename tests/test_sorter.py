"""Sorting in runs gives what sorting at once would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch.sorter import MemoryStore, Sorter, joined, key_at, picked, words

ITEM = np.dtype([("a", "i8"), ("b", "u8"), ("x", "f8")])
KEYS = ("a", "b")


class CountingStore(MemoryStore):
    """Remembers how much was asked of it at once, and how often."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        super().__init__(dtype)
        self.n_runs = 0
        self.largest = 0
        self.n_reads = 0

    def append(self, rows: NDArray[np.void]) -> None:
        self.n_runs += 1
        self.largest = max(self.largest, rows.size)
        super().append(rows)

    def read(self, start: int, stop: int) -> NDArray[np.void]:
        self.n_reads += 1
        return super().read(start, stop)


def items(pairs: list[tuple[int, int]]) -> NDArray[np.void]:
    rows = np.zeros(len(pairs), ITEM)
    rows["a"], rows["b"] = [a for a, _ in pairs], [b for _, b in pairs]
    rows["x"] = np.arange(len(pairs))
    return rows


def run(
    rows: NDArray[np.void], cuts: list[int], run_bytes: int = 0
) -> tuple[NDArray[np.void], CountingStore, Sorter]:
    store = CountingStore(ITEM)
    sorter = Sorter(ITEM, KEYS, store, run_bytes)
    for part in np.split(rows, sorted(cuts)):
        sorter.add(part)
    blocks = list(sorter.blocks())
    assert all(block.size for block in blocks)
    return joined(blocks) if blocks else rows[:0], store, sorter


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2**64 - 1) | st.integers(0, 2)), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(1, 6),
)
def test_any_pieces_are_sorted(pairs: list[tuple[int, int]], cuts: list[int], copies: int) -> None:
    rows = items(pairs * copies * 8)
    got, _, sorter = run(rows, cuts)
    expected = np.sort(rows, order=KEYS)
    for key in KEYS:
        assert got[key].tolist() == expected[key].tolist()
    assert sorted(got["x"].tolist()) == rows["x"].tolist()
    again = list(sorter.blocks())
    assert (joined(again).tolist() if again else []) == got.tolist()


def test_runs_are_bounded_and_merged_in_blocks() -> None:
    rng = np.random.default_rng(0)
    rows = items([(int(a), int(b)) for a, b in rng.integers(0, 1000, (50_000, 2))])
    got, store, sorter = run(rows, [], run_bytes=2000 * ITEM.itemsize)
    assert store.n_runs == 25
    assert store.largest == 2000
    assert max(block.size for block in sorter.blocks()) <= 25 * 256
    assert got["a"].tolist() == np.sort(rows["a"]).tolist()


def test_one_sorted_tape_streams() -> None:
    """What comes in order is one run, each row is read once, and blocks need no merging."""
    rows = items([(i // 3, i % 3) for i in range(10_000)])
    got, store, sorter = run(rows, [100, 5000], run_bytes=1000 * ITEM.itemsize)
    assert len(sorter._runs) == 1
    assert store.n_runs == 10
    assert got.tolist() == rows.tolist()


def test_interleaved_tapes_are_one_run_each() -> None:
    tapes = [items([(i, tape) for i in range(3000)]) for tape in range(3)]
    sorter = Sorter(ITEM, KEYS, MemoryStore(ITEM), 1000 * ITEM.itemsize)
    for tape in tapes:
        sorter.add(tape)
    got = joined(list(sorter.blocks()))
    assert len(sorter._runs) == 3
    assert got["b"].tolist() == [0, 1, 2] * 3000


def test_nothing_in_nothing_out() -> None:
    sorter = Sorter(ITEM, KEYS, MemoryStore(ITEM), 0)
    sorter.add(items([]))
    assert list(sorter.blocks()) == []


@pytest.mark.parametrize("at", [np.array([2, 0]), np.array([True, False, True])])
def test_whole_rows_are_picked(at: NDArray[Any]) -> None:
    rows = items([(1, 5), (2, 6), (3, 7)])
    assert picked(rows, at).tolist() == rows[at].tolist()
    assert words(rows).shape == (3, 3)
    assert key_at(rows, -1, KEYS) == (3, 7)
