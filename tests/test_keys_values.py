"""Parts of replies, whatever they hold: read, or not told; never an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.keys import values

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
NS = 10**9


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True), (1, True), ("1", True), ("true", True), ("True", True), (False, False), (0, False),
        ("false", False), (None, None), ("", None), (2, None), ("yes", None), ([], None), (1.0, None),
    ],
)  # fmt: skip
def test_flags(value: object, flag: bool | None) -> None:
    assert values.flag(value) is flag


def test_a_leading_flag_that_is_absent_leaves_it_open_unless_another_is_set() -> None:
    assert values.flags({"a": False, "b": True}, "a", "b") is True
    assert values.flags({"a": False}, "a", "b") is False
    assert values.flags({"b": False}, "a", "b") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a, b,,a ", {"a", "b"}), (["a", 2, True, None, " "], {"a", "2"}),
        ({"x": ["a"], "y": "b"}, {"a", "b"}),
        (None, set()), (7, set()),
    ],
)  # fmt: skip
def test_words(value: object, words: set[str]) -> None:
    assert values.words(value) == words


def test_a_word_that_isnt_known_leaves_every_no_open() -> None:
    classes = {"read": "read", "buy": "trade margin", "notes": ""}
    told = ("read", "trade", "withdraw")
    assert values.classed({"read", "notes"}, classes, told) == {
        "read": True,
        "trade": False,
        "withdraw": False,
    }
    assert values.classed({"buy", "new"}, classes, told) == {"read": None, "trade": True, "withdraw": None}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (["*"], {"bound": False}), ("", {"bound": False}), ([], {"bound": False}),
        (["1.2.3.4", "0.0.0.0/0"], {"bound": False}), (None, {}), (7, {}),
        ("2.2.2.2,1.1.1.1", {"bound": True, "addresses": ("1.1.1.1", "2.2.2.2")}),
        ("1.1.1.1;2.2.2.2", {"bound": True, "addresses": ("1.1.1.1", "2.2.2.2")}),
    ],
)  # fmt: skip
def test_lists_of_addresses(value: object, found: dict[str, Any]) -> None:
    assert values.bound(value) == found


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (1_700_000_000, 1_700_000_000 * NS), ("1700000000000", 1_700_000_000 * NS),
        (1_700_000_000_000_000_000, 1_700_000_000 * NS), ("2023-11-14T22:13:20Z", 1_700_000_000 * NS),
        ("2023-11-14T22:13:20", 1_700_000_000 * NS), (0, None), ("", None), ("soon", None), (True, None),
        (float("nan"), None), (float("inf"), None), (-5, None), ("9" * 60, None),
        ("9999-12-31T00:00:00Z", None),
    ],
)  # fmt: skip
def test_times(value: object, ns: int | None) -> None:
    assert values.time_ns(value) == ns


def test_ends() -> None:
    assert values.end("0", never=("0",)) == {"ends": False}
    assert values.end(1_700_000_000) == {"ends": True, "ends_ns": 1_700_000_000 * NS}
    assert values.end("") == values.end(None) == values.end([], never=("0",)) == {}


@given(ANYTHING)
def test_nothing_is_too_odd(value: Any) -> None:
    values.flag(value)
    values.words(value)
    values.bound(value)
    values.time_ns(value)
    values.end(value, never=("0", 0))
    values.rows(values.unwrapped(value))
