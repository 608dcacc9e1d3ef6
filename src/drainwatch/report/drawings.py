"""What is drawn of an incident: prices against what they were worth, and the money left over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drainwatch.report import charts, words
from drainwatch.report.table import FillTable
from drainwatch.report.text import Incident

MAX_CHARTS = 3
"""Symbols drawn for an incident."""
LEAST_SHARE = 0.05
"""Symbols with fewer fills than this part of the first one's aren't drawn: a straggler says nothing."""

LONGEST_WAIT_MS = 86_400_000
"""How long after an incident a look at the money still belongs to it."""

Series = Mapping[Any, Any]
"""By name: pairs of time in ms and value, as a sequence or an array of shape (points, 2), by time."""


def drawings(
    incident: Incident,
    table: FillTable,
    rows: NDArray[np.int64],
    summary: Mapping[str, Any],
    equity: Series,
    market: Series,
    most: int = charts.MAX_MARKS,
) -> list[dict[str, Any]]:
    """Draw an incident from its rows of the table, each drawing as the template wants it.

    At most `most` fills are drawn for a pair.
    """
    if not len(rows):
        return []
    return _prices(incident, table, rows, market, most) + _money(incident, table, rows, summary, equity)


def losses(incident: Incident, table: FillTable, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """What each fill of an incident lost, in the incident's currency, shape (rows,).

    Of the column `loss` where there is one, else of price against fair value; scaled so that they
    sum up to the incident's loss, by which fees and contract sizes come in. None where neither is
    known, or where the fills are in several quote currencies.
    """
    total = words.as_float(incident.get("loss"))
    quotes = {str(symbol).partition("/")[2] for symbol in table.symbols(rows)}
    if len(quotes) != 1 or not total > 0:
        return None
    lost = table.floats("loss")[rows]
    if not np.isfinite(lost).any():
        side = np.array([-1.0 if table.value("side", int(row)) == "sell" else 1.0 for row in rows])
        with np.errstate(all="ignore"):  # of numbers that no market has
            lost = (table.floats("price") - table.floats("fair_price"))[rows] * side
            lost = lost * table.floats("amount")[rows]
    lost = np.where(np.isfinite(lost), lost, 0.0)
    together = float(lost.sum())
    return lost * (total / together) if 0 < together < np.inf else None


def _axis(table: FillTable, rows: NDArray[np.int64]) -> charts.TimeAxis:
    """Stretch of time around an incident: more before it than after, for comparison."""
    times = table.floats("timestamp")[rows]
    first, last = float(np.nanmin(times)), float(np.nanmax(times))
    air = max(0.2 * (last - first), 60_000.0) if last > first else 600_000.0
    return charts.TimeAxis.over(first - 1.5 * air, last + 0.5 * air)


def _points(series: Any) -> NDArray[np.float64]:
    """Read a series as an array of shape (points, 2)."""
    return np.array(series if series is not None else [], dtype=np.float64).reshape(-1, 2)


def _prices(
    incident: Incident, table: FillTable, rows: NDArray[np.int64], market: Series, most: int
) -> list[dict[str, Any]]:
    """Price against fair value, one drawing for each of the symbols with most fills."""
    drawn: list[dict[str, Any]] = []
    mine = set(rows.tolist())
    by_symbol: dict[str, list[int]] = {}
    for row in rows.tolist():
        by_symbol.setdefault(str(table.value("symbol", row)), []).append(row)
    symbols = table.symbols(rows)
    fewest = LEAST_SHARE * len(by_symbol[symbols[0]])
    shown = [name for name in symbols if len(by_symbol[name]) >= fewest][:MAX_CHARTS]
    for name in shown:
        own = np.array(by_symbol[name], dtype=np.int64)
        like, axis = int(own[0]), _axis(table, own)
        near = table.near(like, axis.first_ms, axis.last_ms)
        drawable = charts.thin(table.floats("price")[near], table.floats("fair_price")[near], most)
        marks = [_as_mark(table, row, mine=row in mine) for row in near[drawable].tolist()]
        points = _points(market.get((table.value("exchange", like), name), market.get(name)))
        points = points[(points[:, 0] >= axis.first_ms) & (points[:, 0] <= axis.last_ms)]
        symbol = words.clean(name)
        count = len(mine.intersection(near.tolist()))
        label = f"Price of {symbol} over time with {words.plural(count, 'fill')} of this incident"
        svg = charts.price_chart(marks, points.tolist(), axis, words.as_ms(incident.get("alerted_at")), label)
        note = f"{words.upper_first(words.between(axis.first_ms, axis.last_ms))}."
        if len(marks) < len(near):
            note += f" {len(marks):,} of {len(near):,} fills drawn."
        if not any(mark.fair > 0 for mark in marks):
            note += " What they were worth is unknown."
        drawn.append(
            {"title": f"{symbol}: paid or got, against what it was worth", "svg": svg, "note": note}
            | {"prices": True, "market": len(points) > 1, "others": len(near) > count}
            | {"worth": any(mark.fair > 0 for mark in marks)}
        )
    if len(symbols) > len(shown):
        drawn[-1]["note"] += f" {words.plural(len(symbols) - len(shown), 'more pair')} not drawn."
    return drawn


def _as_mark(table: FillTable, row: int, *, mine: bool) -> charts.Mark:
    """Read a fill as it is drawn."""
    paid, fair = float(table.floats("price")[row]), float(table.floats("fair_price")[row])
    side = table.text("side", row)
    off = words.off_price(side, paid, fair)
    at_ms = float(table.floats("timestamp")[row])
    tip = f"{words.clock(at_ms)} {side} {words.number(table.floats('amount')[row], 6)} at {words.price(paid)}"
    tip += f": {off} ({words.price(fair)})" if off else ": fair value unknown"
    return charts.Mark(at_ms, paid, fair, side, mine, tip)


def _money(
    incident: Incident, table: FillTable, rows: NDArray[np.int64], summary: Mapping[str, Any], equity: Series
) -> list[dict[str, Any]]:
    """Money left over time where known, else what was lost so far."""
    axis = _axis(table, rows)
    alerted = words.as_ms(incident.get("alerted_at"))
    points = _points(equity.get(incident.get("account")))
    points = points[np.isfinite(points[:, 1])]
    times = table.floats("timestamp")[rows]
    last_ms = float(np.nanmax(times))
    # known only before each fill: what the last one took is seen at the account's next, drawn where it went
    after = points[points[:, 0] > last_ms][:1]
    points = points[points[:, 0] <= axis.last_ms]
    soon = len(after) > 0 and axis.last_ms < after[0, 0] <= last_ms + LONGEST_WAIT_MS
    late = soon and len(points) > 0
    if late:
        points = np.concatenate([points, [[last_ms, after[0, 1]]]])
    seen = late or bool((points[:, 0] > np.nanmin(times)).any())
    lost = losses(incident, table, rows)
    if len(points) and (seen or lost is None):
        before = points[points[:, 0] <= axis.first_ms]
        start = float((before[-1] if len(before) else points[0])[1])
        currency = summary.get("equity_currency") or incident.get("loss_currency")
        note = f"From {words.money(start)} to {words.money(points[-1, 1], currency)}."
        if late:
            note += f" The last is of the next fill, {words.moment(after[0, 0])}."
        label = f"Money left in the account over time. {note}"
        svg = charts.money_chart(points.tolist(), axis, alerted, label)
        name = words.clean(currency, 20)
        title = f"Money left, {name}" if name else "Money left"
        return [{"title": title, "svg": svg, "note": note, "prices": False}]
    if lost is None:
        return []
    steps = [(axis.first_ms, 0.0)]
    steps += zip(times.tolist(), np.cumsum(lost).tolist(), strict=True)
    currency = words.clean(incident.get("loss_currency"), 20)
    note = f"{words.money(steps[-1][1], currency)} in the end."
    svg = charts.money_chart(steps, axis, alerted, f"Money lost so far. {note}", loss=True)
    title = f"Money gone so far, {currency}" if currency else "Money gone so far"
    return [{"title": title, "svg": svg, "note": note, "prices": False}]
