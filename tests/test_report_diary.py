"""The diary: the same however the fills are cut into blocks, and as large as its days, not its fills."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.report.diary import DAY_MS, HOUR_MS, Diary, Worth, month_of
from drainwatch.report.table import FillTable
from report_fakes import START_MS, fill

DAY = START_MS // DAY_MS


def free(number: int, day: float = 0, **changes: Any) -> dict[str, Any]:
    """One fill of no incident, so many days after the first."""
    return fill(number, timestamp=DAY * DAY_MS + day * DAY_MS, incident=None) | changes


def shown(diary: Diary) -> dict[str, Any]:
    return {"gaps": diary.gaps(), "dark": diary.dark()} | vars(diary)


@given(
    days=st.lists(st.floats(0, 90), min_size=1, max_size=30),
    blind=st.lists(st.booleans(), min_size=30, max_size=30),
    cut=st.integers(0, 30),
)
@settings(max_examples=30)
def test_blocks_dont_matter(days: list[float], blind: list[bool], cut: int) -> None:
    rows = [
        free(n, day, blind="no price" if blind[n] else None, score=float(n))
        for n, day in enumerate(sorted(days))
    ]
    whole, pieces = Diary.of(FillTable(rows)), Diary()
    pieces.take(FillTable(rows[:cut]))
    pieces.take(FillTable(rows[cut:]))
    assert shown(whole) == shown(pieces)
    assert sum(fills for fills, _ in whole.days.values()) == len(rows)
    assert sum(month.blind for month in whole.months.values()) == sum(blind[: len(rows)])


def test_months_tell_what_was_judged_against_and_the_worst_outside_of_incidents() -> None:
    rows = [
        fill(0, score=12.0),
        free(1) | {"score": 1.5, "p_value": 0.03},
        free(2) | {"score": math.nan, "fair_source": "none", "blind": "no price"},
    ]
    (month,) = Diary.of(FillTable(rows)).months.values()
    assert (month.fills, month.blind) == (3, 1)
    assert month.sources == {"cross": 2, "none": 1}
    assert month.worst is not None
    assert (month.worst.score, month.worst.p_value) == (1.5, 0.03)


def test_worth_is_of_the_first_and_the_last_time_it_was_known() -> None:
    diary = Diary()
    diary.take(FillTable([free(0), free(1, 1)]), np.array([np.nan, 50.0]))
    diary.take(FillTable([free(2, 2), free(3, 3)]), np.array([40.0, np.nan]))
    first, last = (DAY + 1) * DAY_MS, (DAY + 2) * DAY_MS
    assert diary.worth == {"main": Worth(first, 50.0, last, 40.0)}


def test_gap_is_a_stretch_without_market_rows_in_which_the_account_traded() -> None:
    diary = Diary.of(FillTable([free(n, n / 24) for n in range(48)]))
    hours = np.array([hour for hour in range(40) if not 10 <= hour < 16 and not 20 <= hour < 22])
    diary.take_market(DAY * DAY_MS + hours * HOUR_MS)
    at = DAY * DAY_MS
    # two hours aren't long enough; the end, after the market's last row, is
    assert [(gap.first_ms - at, gap.last_ms - at, gap.fills) for gap in diary.gaps()] == [
        (40 * HOUR_MS, 48 * HOUR_MS, 8),
        (10 * HOUR_MS, 16 * HOUR_MS, 6),
    ]


def test_rows_that_are_usually_far_apart_leave_no_gap() -> None:
    diary = Diary.of(FillTable([free(n, n / 24) for n in range(10 * 24)]))
    diary.take_market((DAY + np.arange(10)) * DAY_MS)
    assert diary.gaps() == []


def test_without_market_rows_there_is_nothing_to_have_gaps() -> None:
    assert Diary.of(FillTable([free(0), free(1, 30)])).gaps() == []


def test_dark_days_are_put_together_over_days_without_fills() -> None:
    rows = [free(n, day, blind="no price") for n, day in enumerate((0, 0, 5, 9))]
    rows += [free(10, 7), free(11, 9, blind=None)]
    dark = Diary.of(FillTable(rows)).dark()
    assert [(s.first_ms // DAY_MS - DAY, s.last_ms // DAY_MS - DAY, s.fills, s.blind) for s in dark] == [
        (0, 5, 3, 3),
        (9, 9, 2, 1),
    ]


def test_times_that_no_calendar_has_stand_on_no_day() -> None:
    rows = [free(n) | {"timestamp": at} for n, at in enumerate((math.nan, math.inf, 1e300, -1e300, None))]
    diary = Diary.of(FillTable(rows))
    assert diary.days == {}
    assert diary.fills == 5


def test_it_grows_with_days_not_with_fills() -> None:
    n_fills = 20_000
    columns: dict[str, Any] = {
        "timestamp": START_MS + np.arange(n_fills) * 1_000.0,
        "symbol": np.array(["A/B"] * n_fills, dtype=object),
        "account": np.array(["main"] * n_fills, dtype=object),
        "score": np.zeros(n_fills),
    }
    diary = Diary.of(FillTable(columns))
    assert diary.fills == n_fills
    assert max(len(diary.days), len(diary.months), len(diary.pairs), len(diary._fill_hours)) < 10


def test_month_of_a_day() -> None:
    assert month_of(np.array([0, 30, 31, -1, 17_597])).tolist() == [0, 0, 1, -1, 578]
