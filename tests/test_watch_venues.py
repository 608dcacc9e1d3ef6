"""A real watch over loopback Bybit, OKX and Hyperliquid has every fill, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
    BYBIT,
    HYPERLIQUID,
    KEY,
    OKX,
    SECRET,
    VENUES,
    Venue,
    all_judged,
    eventually,
    journal,
    stands,
    told,
    truths,
    watching,
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
        for turn in range(100):  # a busy machine tells many fills in few messages
            if turn >= 5 and all(faults.happened[fault] for fault in SILENT):
                break
            await trade(exchange, venue, 200 if turn < 5 else 20)
        faults.off()
        await all_judged(watch, exchange)
        assert told(watch) == truths(exchange, venue)
        assert all(faults.happened[fault] for fault in SILENT), faults.happened
        assert watch.hub.bad_by_stream.total() > 0

    run(venue, tmp_path, scene, faults)


@pytest.mark.slow
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
        true = [
            (symbol, one.side, one.price, one.amount, one.ts_ns) for symbol, one in truths(exchange, venue)
        ]
        said = [(symbol, one.side, one.price, one.amount, one.ts_ns) for symbol, one in told(watch)]
        assert sorted(said) == sorted(true)

    run(venue, tmp_path, scene, faults)


def test_fills_of_markets_that_are_listed_later_come_under_their_names(venue: Venue, tmp_path: Path) -> None:
    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        spot = Listing("NEW", venue.quote, price_of("0.01"), amount_of("0.01"))
        swap = Listing(
            "ETH", venue.quote, price_of("0.1"), amount_of("0.001"), settle=venue.quote,
            contract_size=amount_of(venue.contract_size),
        )  # fmt: skip
        for listing in (spot, swap):
            exchange.list_market(listing)
            exchange.place("house", listing.symbol, "sell", "limit", 5, "20")
            exchange.place("main", listing.symbol, "buy", "market", 1)
        await all_judged(watch, exchange)
        assert told(watch) == truths(exchange, venue)
        assert {symbol for symbol, _ in told(watch)} == {spot.symbol, swap.symbol}

    run(venue, tmp_path, scene)


def test_a_bot_that_makes_and_takes_in_the_same_instant_has_both_its_sides(
    venue: Venue, tmp_path: Path
) -> None:
    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        exchange.self_trades = True
        exchange.place("main", venue.swap, "sell", "limit", 1, "50000")
        exchange.place("main", venue.swap, "buy", "market", 1)
        await all_judged(watch, exchange)
        assert told(watch) == truths(exchange, venue)
        first, second = journal(watch).values()
        assert (first.id, first.taker_or_maker) != (second.id, second.taker_or_maker)
        assert first.id == second.id

    run(venue, tmp_path, scene)


def test_amounts_are_contracts_and_marks_come_along(tmp_path: Path) -> None:
    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        exchange.book(OKX.swap).mark = price_of("50123.4")
        exchange.place("main", OKX.swap, "buy", "market", "2.5")
        await all_judged(watch, exchange)
        (fill,) = journal(watch).values()
        assert (fill.amount, fill.price, fill.mark) == ("2.5", "50000.1", "50123.4")
        assert fill.fee_cost == "1.2500025"  # a thousandth of 2.5 contracts of 0.01 BTC
        (market,) = [one for one in await watch.followed[0]._rest.markets() if one.symbol == OKX.swap]
        assert (market.contract_size, market.venue_symbol, market.inverse) == (0.01, "BTC-USDT-SWAP", False)

    run(OKX, tmp_path, scene)


def test_the_other_side_of_a_fill_is_its_address(tmp_path: Path) -> None:
    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        exchange.place("main", HYPERLIQUID.swap, "buy", "market", 1)
        await all_judged(watch, exchange)
        private = watch.followed[0].connections[0]
        await eventually(lambda: private._session and private._session._protocol._join.covered)  # type: ignore[attr-defined]
        exchange.place("main", HYPERLIQUID.swap, "sell", "limit", 1, "50000")
        exchange.place("visitor", HYPERLIQUID.swap, "buy", "market", 1)
        await exchange.burst("main", 50, HYPERLIQUID.swap)
        await all_judged(watch, exchange)
        _, second, *others = sorted(journal(watch).values(), key=lambda fill: int(fill.id))
        assert second.counterparty == address_of(exchange, "visitor")
        assert {fill.counterparty for fill in others} == {address_of(exchange, "house")}

    run(HYPERLIQUID, tmp_path, scene)


@pytest.mark.parametrize("venue", [BYBIT, OKX], ids=lambda venue: venue.name, indirect=False)
def test_a_key_that_is_revoked_is_told_within_seconds(venue: Venue, tmp_path: Path) -> None:
    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        assert watch.hub.told[NoticeKind.KEY_REFUSED] == 0
        exchange.revoke(KEY)
        await eventually(lambda: watch.hub.told[NoticeKind.KEY_REFUSED] > 0, 15.0)
        for notice in watch.store.notices():
            assert KEY not in notice.text
            assert SECRET not in notice.text

    run(venue, tmp_path, scene)


@pytest.mark.parametrize("venue", [BYBIT, OKX], ids=lambda venue: venue.name, indirect=False)
def test_a_secret_that_is_wrong_is_told_at_the_start(venue: Venue, tmp_path: Path) -> None:
    async def whole() -> None:
        wrong = {**venue.secrets, "SECRET": "another-secret-than-its-own"}
        async with (
            venue.make(venue.exchange(), Faults()) as host,
            watching(tmp_path, venue, host, wrong) as watch,
        ):
            await eventually(lambda: watch.hub.told[NoticeKind.KEY_REFUSED] > 0, 30.0)
            for notice in watch.store.notices():
                assert "another-secret-than-its-own" not in notice.text
                assert KEY not in notice.text

    asyncio.run(whole())


@pytest.mark.slow
def test_ten_thousand_fills_with_everything_that_can_go_wrong(venue: Venue, tmp_path: Path) -> None:
    faults = Faults(3, delay_s=0.02)

    async def scene(watch: Watch, host: Host[Any], exchange: Exchange) -> None:
        del host
        faults.set(dict.fromkeys(SILENT, 0.01) | {Fault.CUT: 0.002, Fault.TERMINATED: 0.001})
        for turn in range(20):
            if turn == 10:
                faults.once(Fault.HALF_OPEN)
            await trade(exchange, venue, 500)
        faults.off()
        await all_judged(watch, exchange, seconds=90.0)
        assert len(exchange.executed("main")) == 10_000
        assert told(watch) == truths(exchange, venue)

    run(venue, tmp_path, scene, faults)
