"""Quiet time as evidence: how much was looked at, against what, and how near to an alert it came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from drainwatch.report import words
from drainwatch.report.diary import CALENDAR_MS, DAY_MS, Diary, Month, Worst, month_of
from drainwatch.report.text import Incident

MAX_MONTHS: Final = 120
"""Months listed one by one; those before are summed up."""
DAYS_A_MONTH: Final = 365.25 / 12


def quiet(diary: Diary, incidents: Sequence[Incident], summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say what the quiet time is worth, as the template wants it; None where no fill has a date."""
    if not diary.days:
        return None
    opened = _by_month(incidents)
    numbers = sorted(diary.months, reverse=True)
    months = [_row(number, diary.months[number], opened[number]) for number in numbers[:MAX_MONTHS]]
    return {
        "said": _said(diary, incidents, summary),
        "months": months,
        "rest": _rest([diary.months[number] for number in numbers[MAX_MONTHS:]]),
    }


def quiet_days(diary: Diary, incidents: Iterable[Incident]) -> list[int]:
    """Days with fills on which no incident was open."""
    spans = []
    for incident in incidents:
        opened, closed = (words.as_float(incident.get(name)) for name in ("opened_at", "closed_at"))
        if math.isfinite(opened):
            # an open incident has no last day
            spans.append((opened // DAY_MS, closed // DAY_MS if math.isfinite(closed) else math.inf))
    days = np.array(sorted(diary.days))
    calm = np.ones(len(days), dtype=bool)
    for first, last in spans:
        calm &= (days < first) | (days > last)
    return [int(day) for day in days[calm]]


def _said(diary: Diary, incidents: Sequence[Incident], summary: Mapping[str, Any]) -> list[str]:
    """Write the sentences: how much, against what, how near, and what the budget allows."""
    days = quiet_days(diary, incidents)
    fills = sum(diary.days[day][0] for day in days)
    blind = sum(diary.days[day][1] for day in days)
    traded = words.plural(len(diary.days), "day")
    if not days:
        return [f"An incident was open on each of the {traded} with fills: there is no quiet time to show."]
    if blind >= fills:
        return [
            f"No fill of the quiet days could be judged ({fills:,}, {len(days):,} of {traded}): no evidence."
        ]
    of = f"{len(days):,} of {traded} with fills" if len(days) < len(diary.days) else f"{traded} with fills"
    said = [f"Nothing was found on {of}: {words.plural(fills - blind, 'fill')} judged."]
    if blind:
        said.append(
            f"{words.plural(blind, 'more fill')} could not be judged: of those nothing is known, good or bad."
        )
    sources = sum((month.sources for month in diary.months.values()), Counter())
    against = _against(sources, most=3)
    if against:
        said.append(f"All fills of the whole time were judged against {against}.")
    worst = max((month.worst for month in diary.months.values() if month.worst), default=None)
    if worst is not None:
        rare = words.rarity(worst.p_value)
        said.append(f"The worst outside of incidents: {_worst(worst)}" + (f"; {rare}." if rare else "."))
    return said + _expected(diary, summary)


def _expected(diary: Diary, summary: Mapping[str, Any]) -> list[str]:
    """Say how many false incidents the budget allows in as much time."""
    budget = words.as_float(summary.get("false_alarms_per_month"))
    if not math.isfinite(budget):
        return []
    said = f"The budget was {words.number(budget)} false incidents an account and month"
    months = (max(diary.days) - min(diary.days) + 1) / DAYS_A_MONTH * max(1, len(diary.accounts))
    if months < 1:
        return [f"{said}."]
    expected = words.number(budget * months, 2)
    said += f": in these {words.number(months, 2)} account-months about {expected} were to be expected"
    return [f"{said} of harmless trading alone."]


def _by_month(incidents: Iterable[Incident]) -> Counter[int]:
    """Count incidents by the month in which they opened."""
    at = [words.as_float(incident.get("opened_at")) for incident in incidents]
    dated = np.array([ms // DAY_MS for ms in at if CALENDAR_MS[0] <= ms <= CALENDAR_MS[1]], dtype=np.int64)
    return Counter(month_of(dated).tolist())


def _row(number: int, month: Month, n_incidents: int) -> dict[str, Any]:
    """One month in the table."""
    return {
        "name": f"{words.MONTHS[number % 12]} {1970 + number // 12}",
        "fills": f"{month.fills:,}",
        "against": words.upper_first(_against(month.sources, most=3)) or "Nothing",
        "worst": _worst(month.worst) if month.worst else "unknown",
        "blind": words.percent(month.blind / month.fills).replace(" %", "\u00a0%"),
        "dark": 2 * month.blind >= month.fills,
        "incidents": f"{n_incidents:,}" if n_incidents else "none",
        "quiet": not n_incidents,
    }


def _rest(months: Sequence[Month]) -> str:
    """Sum months up that aren't listed; empty where there is none."""
    if not months:
        return ""
    fills, blind = sum(month.fills for month in months), sum(month.blind for month in months)
    return f"and {words.plural(len(months), 'earlier month')}: {words.plural(fills, 'fill')}, {blind:,} blind"


def _against(sources: Counter[str], most: int) -> str:
    """List what fills were judged against, with shares; empty where against nothing."""
    known = {name: n for name, n in sources.items() if name != "none"}
    total = sum(known.values())
    ranked = sorted(known.items(), key=lambda pair: (-pair[1], pair[0]))
    named = [
        f"{words.FAIR_SOURCES.get(name, words.clean(name))} ({words.percent(n / total)})".replace(
            " %", "\u00a0%"
        )
        for name, n in ranked
    ]
    return words.listing(named, most) if named else ""


def _worst(worst: Worst) -> str:
    """Write the highest score, and when."""
    return f"score {words.number(worst.score, 2)} on {words.day(worst.at_ms)}"
