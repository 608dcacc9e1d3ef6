"""One fill explained in plain text: price against worth, every feature against what is usual."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from drainwatch.report import words


class Measured(NamedTuple):
    """A feature of one fill, beside what it is elsewhere in the same account."""

    name: str
    unit: str
    sign: str
    """What a positive value means."""
    value: float
    """NaN where it can't be known."""
    usual: float
    """Median over the account's unflagged fills; NaN where there are too few."""
    high: float
    """What only one of twenty of them exceeds."""


def explain(fill: Mapping[str, Any], features: Sequence[Measured]) -> str:
    """Explain how one fill was judged, in plain text without control characters.

    Parameters
    ----------
    fill
        A row of `scores.parquet`; a `price` where there is one, else it follows from fair price
        and deviation.
    features
        What was measured; shown with the most unusual first, the unknown last.
    """
    lines = [_title(fill), _price(fill), _verdict(fill), *_score(fill)]
    known = [m for m in features if math.isfinite(m.value)]
    if known:
        lines += ["", *_columns([_HEAD, *(_row(m) for m in sorted(known, key=_excess, reverse=True))])]
    unknown = [words.clean(m.name) for m in features if not math.isfinite(m.value)]
    if unknown:
        lines += ["", f"Not known for this fill, and without a vote: {', '.join(unknown)}."]
    return "\n".join(lines)


_HEAD = ("", "feature", "value", "unit", "usual", "1 in 20 above", "positive means")


def _row(m: Measured) -> tuple[str, ...]:
    """Write a feature as the cells of a table; `!` marks what is above its usual range."""
    usual = [words.number(x, 3) if math.isfinite(x) else "" for x in (m.usual, m.high)]
    mark = "!" if _excess(m) > 1 else ""
    return (
        mark,
        words.clean(m.name),
        words.number(m.value, 3),
        words.clean(m.unit),
        *usual,
        words.clean(m.sign),
    )


def _excess(m: Measured) -> float:
    """Rank a feature: how many times its usual range it lies above what is usual."""
    if not (math.isfinite(m.usual) and math.isfinite(m.high)):
        return 0.0
    span = max(m.high - m.usual, 1e-9 + 1e-3 * abs(m.usual))
    return (m.value - m.usual) / span


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align cells: numbers to the right, the rest to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    numeric = (2, 4, 5)
    return [
        " ".join(
            cell.rjust(width) if i in numeric else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def price_of(fill: Mapping[str, Any]) -> float:
    """Price of a fill: as given, else from fair price and deviation; NaN where unknown."""
    given = words.as_float(fill.get("price"))
    if math.isfinite(given):
        return given
    side = -1 if fill.get("side") == "sell" else 1
    fair, off_bps = words.as_float(fill.get("fair_price")), words.as_float(fill.get("deviation_bps"))
    return fair * (1 + side * off_bps / 1e4)


def _title(fill: Mapping[str, Any]) -> str:
    """Name the fill."""
    account = words.clean(fill.get("account")) or "default"
    venue = words.clean(fill.get("exchange"))
    side, symbol = words.clean(fill.get("side")), words.clean(fill.get("symbol"))
    order = words.clean(fill.get("order"))
    name = words.clean(fill.get("id")) + (f" of order {order}" if order else "")
    where = account + (f" at {venue}" if venue else "")
    return f"Fill {name}: {side} {symbol}, account {where}, {words.moment(fill.get('timestamp'))}"


def _price(fill: Mapping[str, Any]) -> str:
    """Say what was paid and what it was worth."""
    paid, fair = price_of(fill), words.as_float(fill.get("fair_price"))
    source = str(fill.get("fair_source"))
    if not math.isfinite(fair):
        return f"Price {words.price(paid)}; what it was worth is unknown."
    off = words.off_price(fill.get("side"), paid, fair)
    by = words.FAIR_SOURCES.get(source, words.spoken(source))
    return f"Price {words.price(paid)}, worth {words.price(fair)} by {by}: {off}."


def _verdict(fill: Mapping[str, Any]) -> str:
    """Say what was made of it."""
    incident = words.clean(fill.get("incident"))
    part = f" Part of incident {incident}." if incident else ""
    if fill.get("blind"):
        return f"Verdict: could not be judged fully: {words.spoken(fill['blind'])}.{part}"
    if fill.get("flagged"):
        return f"Verdict: looks like a drain.{part}"
    return f"Verdict: not flagged by itself.{part}" if part else "Verdict: nothing unusual enough."


def _score(fill: Mapping[str, Any]) -> list[str]:
    """Say how sure that is; empty where there is no score."""
    score = words.as_float(fill.get("score"))
    rare = words.rarity(fill.get("p_value"))
    return [f"Score {words.number(score)}{f': {rare}' if rare else ''}."] if math.isfinite(score) else []
