"""A real watch over loopback Bybit, OKX and Hyperliquid: whatever goes wrong, it has every fill in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.faults import ON_MESSAGES, Fault, Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.hyperliquid_rest import address_of
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.units import amount_of, price_of
from drainwatch.notices import NoticeKind
from drainwatch.watch.runner import Watch
from watching import (
    BYBIT, HYPERLIQUID, KEY, OKX, SECRET, VENUES, Venue, all_judged, eventually, journal, stands, told,
    truths, watching,
)  # fmt: skip

pytest.importorskip("ccxt")

Scene = Callable[[Watch, Host[Any], Exchange], Awaitable[None]]

SILENT = (Fault.DUPLICATE, Fault.REORDER, Fault.DELAY, Fault.TRUNCATED, Fault.EMPTY_LIST, Fault.BINARY,
          Fault.HUGE, Fault.BAD_PRICE)  # fmt: skip
"""After these a fill is whole or isn't one."""


@pytest.fixture(params=VENUES, ids=lambda venue: venue.name)
def venue(request: pytest.FixtureRequest) -> Venue:
    found: Venue = request.param
    return found


def run(venue: Venue, folder: Path, scene: Scene, faults: Faults | None = None) -> None:
    """Play a scene while the account is watched; faults begin when all streams stand."""

    async def whole() -> None:
        exchange = venue.exchange()
        async with (
            venue.make(exchange, faults or Faults()) as host,
            watching(folder, venue, host) as watch,
        ):
            await stands(watch)
            await scene(watch, host, exchange)

    asyncio.run(whole())


async def trade(exchange: Exchange, venue: Venue, n: int) -> None:
    """Let the account take and make in both markets, `n` fills in all."""
    for symbol, side in ((venue.swap, "buy"), (venue.spot, "sell")):
        exchange.place("main", symbol, side, "market", 1)
    exchange.place("main", venue.swap, "sell", "limit", 2, "50000", client_id="0x" + "ab" * 16)
    for _ in range(2):  # others take what it offers, in two parts
        exchange.place("visitor", venue.swap, "buy", "market", 1)
    rest = n - 4
    await exchange.burst("main", rest // 2, venue.swap)
    await exchange.burst("main", rest - rest // 2, venue.spot)


def all_cut(host: Host[Any]) -> None:
    for connection in host.connections:
        connection.cut()


def test_every_fill_is_in_the_journal_with_its_exact_figures_after_a_cut(
    venue: Venue, tmp_path: Path
) -> None:
    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        await trade(exchange, venue, 400)
        all_cut(host)
        await trade(exchange, venue, 200)  # nobody listens
        await eventually(lambda: len(host.connections) == len(watch.followed[0].connections), 20.0)
        await trade(exchange, venue, 400)
        await all_judged(watch, exchange)
        assert len(exchange.executed("main")) == 1_000
        assert told(watch) == truths(exchange, venue)
        assert watch.hub.told[NoticeKind.GAP] == 0
        markets = {fill.symbol for fill in journal(watch).values()}
        assert markets == {venue.spot, venue.swap}

    run(venue, tmp_path, scene)


def test_no_damage_to_messages_costs_a_fill(venue: Venue, tmp_path: Path) -> None:
    faults = Faults(11, delay_s=0.02)

    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        faults.set(dict.fromkeys(SILENT, 0.04) | {Fault.CUT: 0.004})
        for _ in range(5):
            await trade(exchange, venue, 200)
        faults.off()
        await all_judged(watch, exchange)
        assert told(watch) == truths(exchange, venue)
        assert all(faults.happened[fault] for fault in SILENT), faults.happened
        assert watch.followed[0].connections[0].counts.bad > 0

    run(venue, tmp_path, scene, faults)


def test_fields_that_are_gone_or_odd_neither_cost_nor_falsify_a_fill(venue: Venue, tmp_path: Path) -> None:
    faults = Faults(5, delay_s=0.02)

    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        faults.set(dict.fromkeys(ON_MESSAGES, 0.01) | {Fault.MISSING_FIELDS: 0.1, Fault.WRONG_TYPES: 0.1})
        for _ in range(5):
            await trade(exchange, venue, 200)
        faults.off()
        await all_judged(watch, exchange)
        await asyncio.sleep(8.0)  # until the venue's list was looked at once more
        assert faults.happened[Fault.MISSING_FIELDS] > 2
        assert faults.happened[Fault.WRONG_TYPES] > 2
        true = [(symbol, one.side, one.price, one.amount, one.ts_ns) for symbol, one in truths(exchange, venue)]
        said = [(symbol, one.side, one.price, one.amount, one.ts_ns) for symbol, one in told(watch)]
        print(set(said) - set(true), len(said), len(true))
        print([f for f in journal(watch).values() if "?" in repr(f)])
        assert sorted(said) == sorted(true)

    run(venue, tmp_path, scene, faults)
