"""A simulated account's tables as the rows that streams would give, late and out of order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from drainwatch.lab.scenario import Scenario
from drainwatch.lab.stream import timed_rows
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade

MS = 1_000_000


def row_of(told: dict[str, Any]) -> Row:
    """Give a row of a table as a stream would."""
    table = told["table"]
    columns: dict[str, Any] = {name: told[name] for name in told.keys() - {"table", "timestamp"}}
    if table == "fills":
        numbers = [name for name in ("price", "amount", "cost", "fee_cost") if name in columns]
        columns |= {name: repr(columns[name]) for name in numbers}
        return Fill(ts_ns=told["timestamp"] * MS, **columns)
    if table == "orders":
        return BotOrder(ts_ns=told.get("timestamp", 0) * MS, **columns)
    if table == "balances":
        return Balance(ts_ns=told["timestamp"] * MS, **({"exchange": ""} | columns))
    if table == "candles":
        columns.pop("timeframe", None)
        return Candle(ts_ns=told["timestamp"] * MS, **({"exchange": ""} | columns))
    if table == "trades":
        return Trade(ts_ns=told["timestamp"] * MS, **columns)
    return Quote(ts_ns=told["timestamp"] * MS, **columns)


def markets_of(scenario: Scenario, exchange: str) -> list[Market]:
    """Give the markets as the venue lists them."""
    return [
        Market(
            exchange=exchange,
            symbol=row["symbol"],
            venue_symbol=row["symbol"],
            base=row["base"],
            quote=row["quote"],
            settle=row.get("settle") or "",
            contract_size=row.get("contract_size") or None,
        )
        for row in scenario.markets.astype(object).where(scenario.markets.notna(), None).to_dict("records")
    ]


def arrivals(
    scenario: Scenario,
    rng: random.Random,
    tables: tuple[str, ...] = ("fills", "trades", "quotes", "balances"),
) -> Iterator[tuple[int, Row]]:
    """Give when each row comes, ns: mostly at once, some late, a few very late, some twice; in that order."""
    out = []
    for number, (ms, told) in enumerate(timed_rows(scenario, tables)):
        row = row_of(told)
        late_ms = rng.choice([0, 0, 0, 5, 40, 300]) if rng.random() < 0.98 else rng.choice([2_500, 9_000])
        out.append(((ms + late_ms) * MS, number, row))
        if rng.random() < 0.02:
            out.append(((ms + late_ms + rng.choice([1, 700, 20_000])) * MS, number, row))
    out.sort(key=lambda item: item[:2])
    return ((at_ns, row) for at_ns, _, row in out)
