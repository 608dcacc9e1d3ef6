"""The whole replay on one line of time: fills a day, what of them was blind, and where incidents lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from drainwatch.report import charts, text, words
from drainwatch.report.diary import CALENDAR_MS, DAY_MS, Diary
from drainwatch.report.text import Incident

MAX_BARS: Final = 366
"""Bars drawn: beyond a year of days, a bar is several days."""
HEIGHT: Final = 110


class _Bars(NamedTuple):
    """Bars from the first day on, each of `width` days."""

    first_day: int
    width: int
    fills: NDArray[np.int64]
    blind: NDArray[np.int64]

    def start_ms(self, place: int) -> float:
        return float((self.first_day + place * self.width) * DAY_MS)


def timeline(diary: Diary, incidents: Sequence[Incident]) -> dict[str, Any] | None:
    """Draw the timeline as the template wants it; None where no fill has a date."""
    if not diary.days:
        return None
    opened = [
        int(at // DAY_MS)
        for incident in incidents
        if (at := words.as_ms(incident.get("opened_at"))) is not None
        and CALENDAR_MS[0] <= at <= CALENDAR_MS[1]
    ]
    bars = _bars(diary, opened)
    axis = charts.TimeAxis.over(bars.start_ms(0), bars.start_ms(len(bars.fills)))
    scale = charts.Scale.around(bars.fills.tolist(), HEIGHT, from_zero=True)
    what = "a day" if bars.width == 1 else f"in each {bars.width} days"
    span = f"From {words.day(bars.start_ms(0))} to {words.day(max(diary.days) * DAY_MS)}"
    label = f"Fills {what}. {span}: "
    label += f"at most {int(bars.fills.max()):,}; {words.plural(int(bars.blind.sum()), 'fill')} blind; "
    label += f"{words.plural(len(incidents), 'incident')}. The table below has the figures by month."
    paths = [
        ("bar", _path(bars, bars.fills, axis, scale)),
        ("bar blind", _path(bars, bars.blind, axis, scale)),
    ]
    parts = [charts.frame(scale, axis, about=3), charts.inner(scale, paths)]
    parts += _flags(incidents, bars, axis)
    return {
        "svg": charts.drawing(parts, scale, label),
        "title": f"Fills {what}",
        "note": f"{span}, UTC.",
        "blind": bool(bars.blind.any()),
        "incidents": bool(opened),
    }


def _bars(diary: Diary, opened: Sequence[int]) -> _Bars:
    """Sum days up to bars."""
    days = np.array(sorted(diary.days), dtype=np.int64)
    first, last = min([int(days[0]), *opened]), max([int(days[-1]), *opened])
    width = -(-(last - first + 1) // MAX_BARS)
    places = (days - first) // width
    size = (last - first) // width + 1
    counts = np.array([diary.days[day] for day in days.tolist()], dtype=np.int64)
    fills, blind = np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.add.at(fills, places, counts[:, 0])
    np.add.at(blind, places, counts[:, 1])
    return _Bars(first, width, fills, blind)


def _path(bars: _Bars, counts: NDArray[np.int64], axis: charts.TimeAxis, scale: charts.Scale) -> str:
    """Write bars that stand on the floor, as one path."""
    floor = scale.at(0.0) - charts.TOP
    parts = []
    for place in np.flatnonzero(counts).tolist():
        left, right = (axis.at(bars.start_ms(at)) * 10 for at in (place, place + 1))
        air = 0.12 * (right - left)
        # a day of one fill beside one of thousands is still seen
        top = min(scale.at(float(counts[place])) - charts.TOP, floor - 1.5)
        parts.append(f"M{left + air:.1f} {floor:.1f}V{top:.1f}H{right - air:.1f}V{floor:.1f}Z")
    return "".join(parts)


def _flags(incidents: Sequence[Incident], bars: _Bars, axis: charts.TimeAxis) -> list[Markup]:
    """Mark where incidents opened: one mark a bar, of the worst of them."""
    by_bar: dict[int, list[Incident]] = {}
    for incident in incidents:
        at = words.as_ms(incident.get("opened_at"))
        if at is not None and CALENDAR_MS[0] <= at <= CALENDAR_MS[1]:
            by_bar.setdefault((at // DAY_MS - bars.first_day) // bars.width, []).append(incident)
    made = []
    for place, here in sorted(by_bar.items()):
        worst = "critical" if any(text.severity_of(i) == "critical" for i in here) else "warning"
        across = (axis.at(bars.start_ms(place)) + axis.at(bars.start_ms(place + 1))) / 2
        tip = f"{words.day(bars.start_ms(place))}: {words.plural(len(here), 'incident')}, {worst}"
        made.append(
            Markup('<g class="flag {}"><title>{}</title><use href="#dw-sell" x="{:.2f}%" y="9"/></g>').format(
                worst, tip, across
            )
        )
    return made
