"""A loopback exchange with a past, and an account's fills in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from drainwatch.events import Names
from drainwatch.fetch.plan import Times, times_of
from drainwatch.fetch.run import Fetched, fetch
from drainwatch.fetch.spans import MINUTE_MS
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of
from drainwatch.tables import TablePaths, Tables

DAY_MS = 86_400_000
START_MS = 1_750_032_000_000
"""Midnight of 2025-06-16, UTC."""
HOUR_MS = 60 * MINUTE_MS
MARKETS = {"QTUM/BTC": "0.00002", "QTUM/USDT": "2", "BTC/USDT": "100000", "DOGE/USDT": "0.2"}


class QuickClock:
    """A day after all of it; nobody waits, but it is kept for how long one would."""

    def __init__(self, now_ms: int = START_MS + 30 * DAY_MS) -> None:
        self.slept: list[float] = []
        self.now_ms = now_ms

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def a_past(offsets_ms: Iterable[int], symbols: Sequence[str] = tuple(MARKETS)) -> Exchange:
    """Give an exchange on which each symbol was traded at each of these times after `START_MS`."""
    now = START_MS
    exchange = Exchange(
        [
            Listing(base, quote, price_of("0.0000001"), amount_of("0.0001"))
            for base, quote in (symbol.split("/") for symbol in MARKETS)
        ],
        clock=lambda: now,
    )
    exchange.open_account("other", unlimited=True)
    for at, offset_ms in enumerate(sorted(offsets_ms)):
        now = START_MS + offset_ms
        for symbol in symbols:
            price = f"{float(MARKETS[symbol]) * (1 + 0.001 * (at % 7)):.7f}"
            exchange.place("house", symbol, "sell", "limit", 1, price)
            exchange.place("other", symbol, "buy", "limit", 1, price)
    return exchange


def a_fill(offset_ms: int, symbol: str = "QTUM/BTC", **more: Any) -> dict[str, Any]:
    """Give a row of `fills`."""
    row = {"id": f"f{offset_ms}", "timestamp": START_MS + offset_ms, "symbol": symbol}
    return {**row, "side": "buy", "price": 0.00002, "amount": 1, **more}


def written(path: Path, fills: Iterable[dict[str, Any]]) -> Path:
    """Write fills to a file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in fills))
    return path


def read_times(path: Path, reach_ms: int = HOUR_MS) -> Times:
    names = Names()
    with Tables.open(TablePaths(fills=str(path)), names) as tables:
        return times_of(tables, names, reach_ms)


def fetched(
    exchange: Exchange,
    times: Times,
    out: Path,
    *,
    faults: Faults | None = None,
    clock: QuickClock | None = None,
    **settings: Any,
) -> Fetched:
    """Fetch over the loopback; ccxt doesn't hold itself back."""

    async def scene() -> Fetched:
        async with Server(exchange, faults) as server:
            return await fetch(times, "binance", out, clock or QuickClock(), url=server.url, **settings)

    return asyncio.run(scene())


def files_of(folder: Path) -> dict[str, bytes]:
    """Give all files by their path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
