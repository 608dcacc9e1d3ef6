"""Quiet time as evidence: never more of it than there is."""

from __future__ import annotations

from typing import Any

from drainwatch.report import quiet as module
from drainwatch.report.diary import DAY_MS, Diary
from drainwatch.report.quiet import quiet, quiet_days
from drainwatch.report.table import FillTable
from report_fakes import START_MS, fill, incident

DAY = START_MS // DAY_MS


def days(*wanted: int, **changes: Any) -> Diary:
    """A fill of no incident on each of some days."""
    rows = [
        fill(n, timestamp=START_MS + day * DAY_MS, incident=None, score=0.5, p_value=0.27, **changes)
        for n, day in enumerate(wanted)
    ]
    return Diary.of(FillTable(rows))


def said(diary: Diary, incidents: list[dict[str, Any]], **summary: Any) -> str:
    made = quiet(diary, incidents, summary)
    assert made is not None
    return " ".join(made["said"])


def test_all_of_it_is_told() -> None:
    text = said(days(*range(62)), [], false_alarms_per_month=0.1)
    for part in (
        "Nothing was found on 62 days with fills: 62 fills judged.",
        "All fills of the whole time were judged against other pairs of the same coin (100\u00a0%).",
        "The worst outside of incidents: score 0.5 on 1 May 2018; 1 of 4 harmless account-months",
        "The budget was 0.1 false incidents an account and month: in these 2 account-months about 0.2 were",
    ):
        assert part in text, part


def test_days_of_incidents_arent_quiet() -> None:
    diary = days(0, 1, 2, 3)
    closed = incident(opened_at=START_MS + DAY_MS, closed_at=START_MS + 2 * DAY_MS)
    assert quiet_days(diary, [closed]) == [DAY, DAY + 3]
    assert "Nothing was found on 2 of 4 days with fills: 2 fills judged." in said(diary, [closed])
    # one that is still open lasts to the end
    assert quiet_days(diary, [incident(opened_at=START_MS + DAY_MS)]) == [DAY]
    assert "there is no quiet time" in said(diary, [incident()])


def test_blind_days_are_no_evidence() -> None:
    text = said(days(0, 1, blind="no price", fair_source="none"), [])
    assert "no evidence" in text
    assert "Nothing was found" not in text


def test_short_time_promises_no_number_of_false_incidents() -> None:
    assert said(days(0), [], false_alarms_per_month=0.1).endswith(
        "The budget was 0.1 false incidents an account and month."
    )


def test_months_are_listed_the_last_first() -> None:
    made = quiet(days(0, 40, 41), [incident()], {})
    assert made is not None
    april, march = made["months"]
    assert (april["name"], april["fills"], april["incidents"], april["quiet"]) == (
        "Apr 2018",
        "2",
        "none",
        True,
    )
    assert (march["name"], march["fills"], march["incidents"], march["quiet"]) == (
        "Mar 2018",
        "1",
        "1",
        False,
    )
    assert march["worst"] == "score 0.5 on 7 Mar 2018"
    assert march["blind"] == "0\u00a0%"


def test_centuries_are_summed_up() -> None:
    diary = days(*(31 * n for n in range(module.MAX_MONTHS + 30)))
    made = quiet(diary, [], {})
    assert made is not None
    assert len(made["months"]) == module.MAX_MONTHS
    left = len(diary.months) - module.MAX_MONTHS
    assert made["rest"].startswith(f"and {left} earlier months: {left}")


def test_without_dates_nothing_is_claimed() -> None:
    assert quiet(Diary(), [], {}) is None
