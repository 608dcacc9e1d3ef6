"""The timeline: all fills are in its bars, and it stays small however long the time."""

from __future__ import annotations

import re
from typing import Any

from drainwatch.report.diary import DAY_MS, Diary
from drainwatch.report.table import FillTable
from drainwatch.report.timeline import MAX_BARS, timeline
from report_fakes import START_MS, fill, fills, incident


def drawn(rows: list[dict[str, Any]], incidents: list[dict[str, Any]]) -> dict[str, Any]:
    made = timeline(Diary.of(FillTable(rows)), incidents)
    assert made is not None
    return made


def bars(made: dict[str, Any]) -> int:
    (path,) = re.findall(r'class="bar" d="([^"]*)"', made["svg"])
    return int(path.count("M"))


def test_a_bar_a_day() -> None:
    made = drawn([fill(n, timestamp=START_MS + n * DAY_MS) for n in (0, 1, 1, 4)], [])
    assert bars(made) == 3
    assert made["title"] == "Fills a day"
    assert made["note"] == "From 7 Mar 2018 to 11 Mar 2018, UTC."
    assert "at most 2; 0 fills blind; 0 incidents" in made["svg"]
    assert not made["blind"]
    assert not made["incidents"]


def test_years_are_put_into_as_many_bars_as_can_be_seen() -> None:
    made = drawn([fill(n, timestamp=START_MS + n * DAY_MS) for n in range(0, 4_000, 3)], [])
    assert MAX_BARS / 2 < bars(made) <= MAX_BARS
    assert made["title"] == "Fills in each 11 days"


def test_blind_fills_are_told_apart() -> None:
    made = drawn([fill(0), fill(1, blind="no price")], [])
    assert made["blind"]
    assert 'class="bar blind"' in made["svg"]
    assert "1 fill blind" in made["svg"]


def test_incidents_of_one_bar_are_one_mark_of_the_worst() -> None:
    incidents = [incident(), incident(severity="warning"), incident(opened_at=START_MS - 9 * DAY_MS)]
    made = drawn(fills(), incidents)
    assert made["svg"].count('<g class="flag critical">') == 2
    assert "7 Mar 2018: 2 incidents, critical" in made["svg"]


def test_absurd_times_of_incidents_change_nothing() -> None:
    odd = [incident(opened_at=at) for at in (None, float("nan"), 1e300, "soon")]
    made = drawn(fills(), odd)
    assert bars(made) == 1
    assert "flag" not in made["svg"]


def test_nothing_dated_is_no_timeline() -> None:
    assert timeline(Diary(), [incident()]) is None
