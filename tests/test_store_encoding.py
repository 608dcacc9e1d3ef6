"""What goes into a database comes out of it as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.errors import StateError
from drainwatch.rows import Fill
from drainwatch.store import encoding

ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\\\0\ud800\udfffu0d"))
FILL: dict[str, Any] = {"symbol": "A/B", "ts_ns": 1, "side": "buy", "price": "1", "amount": "1"}


@given(ANY_TEXT)
def test_any_text_comes_back(text: str) -> None:
    written = encoding.to_text(text)
    assert encoding.from_text(written) == text
    assert "\0" not in written
    written.encode()


@given(ANY_TEXT, ANY_TEXT)
def test_two_texts_stay_two(one: str, other: str) -> None:
    assert (encoding.to_text(one) == encoding.to_text(other)) == (one == other)


@given(
    st.lists(st.none() | ANY_TEXT, min_size=2, max_size=2),
    st.lists(st.none() | ANY_TEXT, min_size=2, max_size=2),
)
def test_two_keys_stay_two(one: list[str | None], other: list[str | None]) -> None:
    assert (encoding.digest(tuple(one)) == encoding.digest(tuple(other))) == (one == other)
    assert len(encoding.digest(tuple(one))) == 16


def test_none_is_not_the_empty_text() -> None:
    assert len({encoding.digest((None,)), encoding.digest(("",)), encoding.digest(("null",))}) == 3


@given(ANY_TEXT, ANY_TEXT, st.integers())
def test_any_fill_comes_back(name: str, order: str, ts_ns: int) -> None:
    fill = Fill(**(FILL | {"ts_ns": ts_ns, "exchange": name, "account": name, "id": name, "order": order}))
    written = encoding.to_json(fill)
    assert encoding.from_json(written, Fill) == fill
    assert "\0" not in written
    written.encode()


@given(ANY_TEXT)
def test_no_altered_json_is_anything_but_a_state_error(text: str) -> None:
    try:
        read = encoding.from_json(text, Fill)
    except StateError as error:
        assert "expected a Fill as JSON in the store" in str(error)  # noqa: PT017 either is right
    else:
        assert isinstance(read, Fill)


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, -(2**63)])
def test_what_fits_in_64_bits_stays(number: int) -> None:
    assert encoding.to_integer(number) == number


def test_what_does_not_fit_is_cut() -> None:
    assert encoding.to_integer(2**63) == 2**63 - 1
    assert encoding.to_integer(-(2**80)) == -(2**63)
