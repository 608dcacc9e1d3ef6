"""What a replay saw, day by day: it grows with days and names, never with fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch.report.table import FillTable

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
CALENDAR_MS: Final = (-62_135_596_800_000, 253_402_300_799_999)
"""First and last ms that a calendar has a date for; what lies outside has no day to stand on."""
WIDE: Final = 3.0
"""A stretch without market rows is a gap from so many times the usual distance on."""
SHORTEST_GAP_H: Final = 2
"""Hours; whatever the usual distance is."""


class Worst(NamedTuple):
    """The fill that scored highest."""

    score: float
    p_value: float
    at_ms: float


@dataclass(slots=True)
class Month:
    """What a month held."""

    fills: int = 0
    blind: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    """By `fair_source`: how many fills were judged against it."""
    worst: Worst | None = None
    """Of the fills that belong to no incident."""


class Stretch(NamedTuple):
    """A stretch of time in which something was missing, and how many fills fell into it."""

    first_ms: float
    last_ms: float
    fills: int
    blind: int


class Worth(NamedTuple):
    """What an account was worth when it was first and last known."""

    first_ms: float
    first: float
    last_ms: float
    last: float


class Diary:
    """Counts by day, month, pair and account, taken block by block."""

    def __init__(self) -> None:
        self.fills = 0
        self.days: dict[int, tuple[int, int]] = {}
        """By day since 1970: fills, and how many of them were blind."""
        self.months: dict[int, Month] = {}
        """By month since January 1970."""
        self.accounts: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        """By (exchange, symbol)."""
        self.blind_pairs: Counter[tuple[str, str]] = Counter()
        self.worth: dict[str, Worth] = {}
        """By account, in the unit of `equity`."""
        self._fill_hours: Counter[int] = Counter()
        self._market_hours: set[int] = set()

    @classmethod
    def of(cls, table: FillTable) -> Diary:
        """Write the diary of one table of fills."""
        made = cls()
        made.take(table)
        return made

    def take(self, table: FillTable, equity: NDArray[np.float64] | None = None) -> None:
        """Take more fills in.

        Parameters
        ----------
        table
            The fills.
        equity
            What each fill's account was worth just before it, shape (fills,); NaN where unknown.
        """
        self.fills += len(table)
        blind = _told(table, "blind")
        accounts, pairs = _names(table, "account"), [*zip(*_pair_names(table), strict=True)]
        self.accounts.update(accounts)
        self.pairs.update(pairs)
        self.blind_pairs.update(pairs[row] for row in np.flatnonzero(blind))
        times = table.floats("timestamp")
        with np.errstate(invalid="ignore"):
            dated = np.flatnonzero((times >= CALENDAR_MS[0]) & (times <= CALENDAR_MS[1]))
        if not len(dated):
            return
        self._take_days(times[dated], blind[dated])
        self._take_months(table, dated, blind)
        if equity is not None:
            self._take_worth(np.array(accounts, dtype=object)[dated], times[dated], equity[dated])

    def take_market(self, ts_ms: NDArray[Any]) -> None:
        """Take the times of market rows in."""
        self._market_hours.update(np.unique(ts_ms // HOUR_MS).astype(np.int64).tolist())

    def _take_days(self, times: NDArray[np.float64], blind: NDArray[np.bool_]) -> None:
        days, places = np.unique((times // DAY_MS).astype(np.int64), return_inverse=True)
        fills = np.bincount(places)
        unjudged = np.bincount(places, weights=blind).astype(np.int64)
        for day, n_fills, n_blind in zip(days.tolist(), fills.tolist(), unjudged.tolist(), strict=True):
            before = self.days.get(day, (0, 0))
            self.days[day] = (before[0] + n_fills, before[1] + n_blind)
        hours, counts = np.unique((times // HOUR_MS).astype(np.int64), return_counts=True)
        self._fill_hours.update(dict(zip(hours.tolist(), counts.tolist(), strict=True)))

    def _take_months(self, table: FillTable, dated: NDArray[np.int64], blind: NDArray[np.bool_]) -> None:
        times, scores, chances = (table.floats(name) for name in ("timestamp", "score", "p_value"))
        sources = _names(table, "fair_source")
        free = np.where(_told(table, "incident"), np.nan, scores)
        months = month_of(times[dated] // DAY_MS)
        for number in np.unique(months).tolist():
            rows = dated[months == number]
            month = self.months.setdefault(number, Month())
            month.fills += len(rows)
            month.blind += int(blind[rows].sum())
            month.sources.update(sources[row] for row in rows.tolist() if sources[row])
            if np.isfinite(free[rows]).any():
                row = int(rows[np.argmax(np.where(np.isfinite(free[rows]), free[rows], -np.inf))])
                if month.worst is None or free[row] > month.worst.score:
                    month.worst = Worst(float(free[row]), float(chances[row]), float(times[row]))

    def _take_worth(
        self, accounts: NDArray[Any], times: NDArray[np.float64], equity: NDArray[np.float64]
    ) -> None:
        for name in sorted(set(accounts.tolist())):
            known = np.flatnonzero((accounts == name) & np.isfinite(equity))
            if len(known):
                first, last = known[0], known[-1]
                start = self.worth.get(name) or Worth(float(times[first]), float(equity[first]), 0.0, 0.0)
                self.worth[name] = Worth(start.first_ms, start.first, float(times[last]), float(equity[last]))

    def gaps(self) -> list[Stretch]:
        """Stretches without a row of any market in which the account traded, those with most fills first.

        Before the market's first row and after its last count, too. Empty where no market row is known.
        """
        if not self._market_hours or not self._fill_hours:
            return []
        market = np.array(sorted(self._market_hours))
        traded = np.array(sorted(self._fill_hours))
        usual = float(np.median(np.diff(market))) if len(market) > 1 else 1.0
        edges = np.unique([*market, min(traded[0], market[0]) - 1, max(traded[-1], market[-1]) + 1])
        counts = np.array([self._fill_hours[hour] for hour in traded.tolist()])
        found = []
        wide = np.flatnonzero(np.diff(edges) > max(WIDE * usual, SHORTEST_GAP_H))
        for first, last in zip(edges[wide].tolist(), edges[wide + 1].tolist(), strict=True):
            inside = int(counts[(traded > first) & (traded < last)].sum())
            if inside:
                found.append(Stretch((first + 1) * HOUR_MS, last * HOUR_MS, inside, 0))
        return sorted(found, key=lambda gap: (-gap.fills, gap.first_ms))

    def dark(self) -> list[Stretch]:
        """Days one after another of which half the fills or more were blind, the most blind first.

        Days without a fill don't end a stretch.
        """
        return sorted(self._dark(), key=lambda stretch: (-stretch.blind, stretch.first_ms))

    def _dark(self) -> Iterator[Stretch]:
        current: Stretch | None = None
        for day, (fills, blind) in sorted(self.days.items()):
            if 2 * blind < fills:
                if current:
                    yield current
                current = None
                continue
            start = current or Stretch(day * DAY_MS, 0, 0, 0)
            current = Stretch(start.first_ms, day * DAY_MS, start.fills + fills, start.blind + blind)
        if current:
            yield current


def month_of(days: NDArray[Any]) -> NDArray[np.int64]:
    """Month since January 1970 of days since then."""
    return days.astype(np.int64).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _names(table: FillTable, name: str) -> list[str]:
    """Column of texts; what is absent reads as an empty one."""
    column = table.raw(name)
    if column is None:
        return [""] * len(table)
    return [value if isinstance(value, str) else "" for value in column]


def _pair_names(table: FillTable) -> tuple[list[str], list[str]]:
    return _names(table, "exchange"), _names(table, "symbol")


def _told(table: FillTable, name: str) -> NDArray[np.bool_]:
    """Whether each row says something in a column of texts, shape (rows,)."""
    return np.fromiter(map(bool, _names(table, name)), np.bool_, len(table))
