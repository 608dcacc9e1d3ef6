"""Stretches of time, against sets of single minutes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.fetch.spans import DAY_MS, MINUTE_MS, Span, around, by_day, joined, minutes, without

POINTS = st.integers(0, 60)
SPANS = st.lists(st.tuples(POINTS, POINTS).map(lambda pair: Span(*pair)), max_size=8)


def points(spans: list[Span]) -> set[int]:
    return {at for span in spans for at in range(span.start_ms, span.end_ms)}


@given(SPANS)
def test_joined_holds_the_same_in_order_and_apart(spans: list[Span]) -> None:
    found = joined(spans)
    assert points(found) == points(spans)
    assert all(one.end_ms < two.start_ms for one, two in pairwise(found))
    assert all(span.start_ms < span.end_ms for span in found)


@given(SPANS, SPANS)
def test_without_leaves_what_is_not_taken(spans: list[Span], taken: list[Span]) -> None:
    assert points(without(spans, taken)) == points(spans) - points(taken)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20), st.integers(0, 5))
def test_around_reaches_so_far_about_each_time(at_minutes: list[int], reach: int) -> None:
    times = np.sort(np.array(at_minutes, np.int64)) * MINUTE_MS + 7
    found = around(times, reach * MINUTE_MS)
    wanted = {minute + off for minute in at_minutes for off in range(-reach, reach + 1)}
    held = {ms // MINUTE_MS for span in found for ms in range(span.start_ms, span.end_ms, MINUTE_MS)}
    assert held == wanted
    assert minutes(found) == len(wanted)


def test_days_are_cut_at_midnight() -> None:
    spans = [Span(DAY_MS - 5, DAY_MS + 5), Span(DAY_MS + 10, DAY_MS + 20)]
    assert list(by_day(spans)) == [
        ("1970-01-01", [Span(DAY_MS - 5, DAY_MS)]),
        ("1970-01-02", [Span(DAY_MS, DAY_MS + 5), Span(DAY_MS + 10, DAY_MS + 20)]),
    ]
    assert list(by_day([Span(0, DAY_MS)])) == [("1970-01-01", [Span(0, DAY_MS)])]
