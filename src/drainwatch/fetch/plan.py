"""What to ask for: the markets that fills were made in, their twins and rates, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from drainwatch.events import NS_PER_MS, Names
from drainwatch.fetch.spans import Span, around, joined
from drainwatch.rows import Market
from drainwatch.tables import Tables
from drainwatch.venues.wanted import wanted


class What(StrEnum):
    """What is asked for."""

    TRADES = "trades"
    CANDLES = "candles"
    AUTO = "auto"
    """Trades of what was traded, where the exchange has its past; candles of all else."""


TABLES: Final = ("trades", "candles")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """A market's data that are needed.

    Attributes
    ----------
    label
        The exchange as the fills name it, which may be empty: the rows must name it alike.
    """

    table: str
    symbol: str
    label: str
    spans: tuple[Span, ...]


@dataclass(slots=True)
class Times:
    """When an account traded, by (exchange, symbol)."""

    spans: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    n_fills: dict[tuple[str, str], int] = field(default_factory=dict)


def times_of(tables: Tables, names: Names, reach_ms: int) -> Times:
    """Go through the fills once; memory grows with the stretches of trading, not with the fills."""
    found = Times()
    for batch in tables.batches():
        ms = batch.fills["ts_ns"] // NS_PER_MS
        for code in np.unique(batch.fills["market"]).tolist():
            spec = names.markets[code]
            key = spec.exchange, spec.symbol
            own = ms[batch.fills["market"] == code]
            found.spans[key] = joined([*found.spans.get(key, ()), *around(own, reach_ms)])
            found.n_fills[key] = found.n_fills.get(key, 0) + len(own)
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask an exchange for, and what of the fills it can't know."""

    needs: list[Need]
    unlisted: dict[str, int]
    """Traded symbols that the exchange's list doesn't have, with the count of their fills."""
    elsewhere: dict[str, int]
    """Other exchanges that the fills name, with the count of theirs."""


def plan_of(
    times: Times, exchange: str, markets: Sequence[Market], what: What, *, has_past_trades: bool, now_ms: int
) -> Plan:
    """Choose markets and stretches of time; nothing that lies ahead."""
    listed = {market.symbol for market in markets}
    found: dict[tuple[str, str, str], list[Span]] = {}
    unlisted: dict[str, int] = {}
    elsewhere: dict[str, int] = {}
    with_trades = what is What.TRADES or (what is What.AUTO and has_past_trades)
    for (label, symbol), spans in times.spans.items():
        n_fills = times.n_fills[label, symbol]
        if label not in {"", exchange}:
            elsewhere[label] = elsewhere.get(label, 0) + n_fills
            continue
        if symbol not in listed:
            unlisted[symbol] = unlisted.get(symbol, 0) + n_fills
        past = [Span(span.start_ms, min(span.end_ms, now_ms)) for span in spans]
        for other in wanted([symbol], markets) & listed:
            tape = with_trades and (other == symbol or what is What.TRADES)
            found.setdefault(("trades" if tape else "candles", other, label), []).extend(past)
    return Plan(_needs(found), unlisted, elsewhere)


def _needs(found: Mapping[tuple[str, str, str], list[Span]]) -> list[Need]:
    """Put it in order, what was traded first: killed half-way, the most useful is there."""
    needs = [
        Need(table, symbol, label, tuple(spans))
        for (table, symbol, label), parts in found.items()
        if (spans := joined(parts))
    ]
    return sorted(needs, key=lambda need: (TABLES.index(need.table), need.symbol, need.label))
