"""Accounts for the tests of the benchmark's detectors: simulated months, cut short, and hand-made tables."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from drainwatch.bench.detectors import Seen
from drainwatch.bench.outcome import seen_of
from drainwatch.lab import scenario

START_MS = 1_700_000_000_000


@cache
def account(seed: int, owner: str, thief: str | None = None, level: str = "orders") -> Seen:
    """Six simulated days as seen at a level, truth included."""
    made = scenario.make(seed, days=6.0, owner=owner, thief=thief, difficulty=0.4)
    return seen_of(made, level, truth=True)


def honest(level: str = "orders") -> list[Seen]:
    """Honest accounts to fit on."""
    return [account(seed, owner, level=level) for seed, owner in ((1, "grid"), (2, "twap"), (3, "human"))]


def cut(seen: Seen, n: int) -> Seen:
    """What was known at the n-th fill: n fills, and of the other tables the rows up to its time."""
    end = int(seen.fills["timestamp"].iloc[n - 1])
    tables = {
        name: table[table["timestamp"] <= end] if "timestamp" in table else table
        for name, table in seen.tables.items()
    }
    if "candles" in tables:  # one that is still open at the fill isn't known yet
        candles = tables["candles"]
        tables["candles"] = candles[candles["timestamp"] + 60_000 <= end]
    truth = None if seen.truth is None else seen.truth.iloc[:n]
    return replace(seen, fills=seen.fills.iloc[:n], tables=tables, truth=truth)


def fills(*rows: tuple[float, str, str, float, float], **columns: Any) -> pd.DataFrame:
    """Fills of (seconds after the start, symbol, side, price, amount), and further columns."""
    table = pd.DataFrame(
        [(str(i), START_MS + int(1e3 * s), *rest) for i, (s, *rest) in enumerate(rows)],
        columns=["id", "timestamp", "symbol", "side", "price", "amount"],
    )
    return table.assign(order=table["id"], **columns)


def prices(*rows: tuple[float, str, float]) -> pd.DataFrame:
    """Trades of (seconds after the start, symbol, price)."""
    table = pd.DataFrame(rows, columns=["timestamp", "symbol", "price"])
    return table.assign(timestamp=[START_MS + int(1e3 * s) for s, _, _ in rows], amount=1.0)
