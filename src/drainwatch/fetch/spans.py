"""Stretches of time: half-open, in milliseconds, sorted, apart from each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class Span(NamedTuple):
    """`[start_ms, end_ms)`."""

    start_ms: int
    end_ms: int


def joined(spans: Iterable[Span]) -> list[Span]:
    """Put spans in order; those that touch become one, empty ones go."""
    out: list[Span] = []
    for span in sorted(spans):
        if span.end_ms <= span.start_ms:
            continue
        if out and span.start_ms <= out[-1].end_ms:
            out[-1] = Span(out[-1].start_ms, max(out[-1].end_ms, span.end_ms))
        else:
            out.append(span)
    return out


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Give what of some spans isn't in others."""
    left = joined(spans)
    for hole in joined(taken):
        left = [
            part
            for span in left
            for part in (
                Span(span.start_ms, min(span.end_ms, hole.start_ms)),
                Span(max(span.start_ms, hole.end_ms), span.end_ms),
            )
            if part.start_ms < part.end_ms
        ]
    return left


def around(times_ms: NDArray[np.int64], reach_ms: int) -> list[Span]:
    """Give the spans, in whole minutes, that reach so far before and after each time; times in order."""
    if not times_ms.size:
        return []
    starts = (times_ms - reach_ms) // MINUTE_MS * MINUTE_MS
    ends = -((-(times_ms + reach_ms)) // MINUTE_MS) * MINUTE_MS
    breaks = np.flatnonzero(starts[1:] > ends[:-1])
    first, last = np.append(0, breaks + 1), np.append(breaks, times_ms.size - 1)
    return joined(map(Span, starts[first].tolist(), ends[last].tolist()))


def by_day(spans: Iterable[Span]) -> Iterator[tuple[str, list[Span]]]:
    """Cut spans at midnight UTC; gives each day that they touch, as `2026-01-31`, in order."""
    days: dict[int, list[Span]] = {}
    for span in joined(spans):
        for day in range(span.start_ms // DAY_MS, (span.end_ms - 1) // DAY_MS + 1):
            cut = Span(max(span.start_ms, day * DAY_MS), min(span.end_ms, (day + 1) * DAY_MS))
            days.setdefault(day, []).append(cut)
    for day, parts in days.items():
        yield datetime.fromtimestamp(day * 86_400, UTC).date().isoformat(), parts


def minutes(spans: Iterable[Span]) -> int:
    """Count the minutes in spans, begun ones whole."""
    return sum(-(-(span.end_ms - span.start_ms) // MINUTE_MS) for span in spans)
