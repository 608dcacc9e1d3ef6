"""One account at the loopback exchange: streams that go deaf, markets never seen, starts and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import loopback
from drainwatch.config import load_settings
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of
from drainwatch.notices import NoticeKind
from drainwatch.rows import Fill
from drainwatch.watch import backfill
from drainwatch.watch.runner import Watch
from watch_lab import HastyClock, executed, hurry, new_watch, running, settled

QUICK_LOOKS = "backfill_minutes = 1"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def three_markets() -> Exchange:
    """Give an exchange on which three currencies trade each against each."""
    names = (("ETH", "BTC"), ("BTC", "USDT"), ("ETH", "USDT"))
    exchange = Exchange([Listing(*name, price_of("0.00001"), amount_of("0.0001")) for name in names])
    exchange.open_account("main", {"ETH": 1000, "BTC": 1000, "USDT": 1000})
    exchange.open_account("other", {"ETH": 1000, "BTC": 1000, "USDT": 1000})
    exchange.add_key("main", loopback.KEY, secret=loopback.SECRET)
    exchange.add_key("other", loopback.OTHER_KEY, secret=loopback.SECRET)
    return exchange


def watched(
    folder: Path, exchange: Exchange, do: Callable[[Watch, Server], Coroutine[Any, Any, None]]
) -> Watch:
    """Let a watch run while something is done; gives it, ended."""

    async def run() -> Watch:
        async with Server(exchange) as server:
            watch = new_watch(folder, server)
            async with running(watch):
                await do(watch, server)
        return watch

    return asyncio.run(run())


def trade(exchange: Exchange, symbol: str, account: str = "main") -> None:
    """Let an account buy and sell at once, with nobody awaited in between."""
    for side in ("buy", "sell"):
        taker = exchange.new_order(account, symbol, side, "market", amount_of("0.1"), 0)
        other = "sell" if side == "buy" else "buy"
        maker = exchange.new_order("house", symbol, other, "limit", amount_of("0.1"), price_of(1))
        exchange.cross(taker, maker, price_of(1), amount_of("0.1") if side == "buy" else amount_of("0.05"))


def cut(server: Server) -> None:
    for connection in server.connections:
        connection.cut()


def test_a_thief_in_a_market_never_seen_is_found_after_a_cut(tmp_path: Path) -> None:
    async def do(watch: Watch, server: Server) -> None:
        trade(server.exchange, "ETH/BTC")
        assert not await settled(watch, server)
        cut(server)
        trade(server.exchange, "ETH/USDT")
        assert not await settled(watch, server)
        assert len(executed(server)) == 4

    watched(tmp_path, three_markets(), do)


def test_he_is_found_though_the_bot_traded_the_same_coins_elsewhere_meanwhile(tmp_path: Path) -> None:
    async def do(watch: Watch, server: Server) -> None:
        for symbol in ("ETH/BTC", "BTC/USDT"):
            trade(server.exchange, symbol)
        assert not await settled(watch, server)
        cut(server)
        for symbol in ("ETH/BTC", "BTC/USDT", "ETH/USDT"):
            trade(server.exchange, symbol)
        assert not await settled(watch, server)

    watched(tmp_path, three_markets(), do)


def test_he_is_found_though_the_watch_did_not_run_meanwhile(tmp_path: Path) -> None:
    exchange = three_markets()

    async def before(watch: Watch, server: Server) -> None:
        trade(exchange, "ETH/BTC")
        assert not await settled(watch, server)

    async def after(watch: Watch, server: Server) -> None:
        assert not await settled(watch, server)
        assert len(executed(server)) == 6

    watched(tmp_path, exchange, before)
    for symbol in ("ETH/BTC", "ETH/USDT"):
        trade(exchange, symbol)
    watched(tmp_path, exchange, after)


def test_what_was_before_the_first_start_is_not_watched(tmp_path: Path) -> None:
    exchange = three_markets()
    trade(exchange, "ETH/BTC")

    async def do(watch: Watch, server: Server) -> None:
        del server
        await asyncio.sleep(0.5)
        assert list(watch.store.fills()) == []

    watched(tmp_path, exchange, do)


def test_a_stream_that_goes_deaf_is_found_by_the_timer_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "LATE_NS", 300_000_000)
    monkeypatch.setattr(backfill, "SETTLED_NS", 1_000_000)

    async def run() -> None:
        async with Server(three_markets()) as server:
            watch = new_watch(tmp_path, server, looks=QUICK_LOOKS)
            async with running(watch):
                trade(server.exchange, "ETH/BTC")
                assert not await settled(watch, server)
                private = next(one for one in server.connections if one.subscriptions)
                server.hub.unsubscribe(private, 0)  # without a word
                trade(server.exchange, "ETH/BTC")
                assert not await settled(watch, server)
                await loopback.until(
                    lambda: any(one.subscriptions for one in server.connections if one is not private), 10
                )
                assert [n.kind for n in watch.store.notices()] == [NoticeKind.SILENCE]
                assert "didn't tell of 2 fills" in watch.store.notices()[0].text
                trade(server.exchange, "ETH/BTC")
                assert not await settled(watch, server)
                assert watch.hub.counts["found late"] == 2

    asyncio.run(run())


def test_markets_that_turn_up_are_followed_and_still_are_after_a_cut(tmp_path: Path) -> None:
    async def do(watch: Watch, server: Server) -> None:
        def followed() -> set[str]:
            return {name for one in server.connections if one.kind == "stream" for name in one.streams}

        trade(server.exchange, "ETH/BTC")
        await loopback.until(lambda: "ethbtc@bookTicker" in followed(), 10)
        cut(server)
        trade(server.exchange, "ETH/USDT")
        assert not await settled(watch, server)
        await loopback.until(lambda: {"ethbtc@bookTicker", "ethusdt@bookTicker"} <= followed(), 10)

    watched(tmp_path, three_markets(), do)


def test_fills_of_another_account_are_left_out(tmp_path: Path) -> None:
    async def do(watch: Watch, server: Server) -> None:
        trade(server.exchange, "ETH/BTC", "other")
        stranger = Fill(
            exchange="binance",
            account="other",
            symbol="ETH/BTC",
            id="1",
            ts_ns=1,
            side="buy",
            price="1",
            amount="1",
        )
        await watch.followed[0].rows([stranger], 1)
        await asyncio.sleep(0.3)
        assert list(watch.store.fills()) == []

    watched(tmp_path, three_markets(), do)


def test_an_account_that_is_added_begins_then_and_the_other_goes_on(tmp_path: Path) -> None:
    exchange = three_markets()

    async def before(watch: Watch, server: Server) -> None:
        trade(exchange, "ETH/BTC")
        assert not await settled(watch, server)

    watched(tmp_path, exchange, before)
    for account in ("main", "other"):
        trade(exchange, "ETH/BTC", account)

    async def both() -> None:
        async with Server(exchange) as server:
            first = new_watch(tmp_path, server)
            first.close()
            text = (tmp_path / "watch.toml").read_text()
            text += (
                text[text.index("[[accounts]]") :]
                .replace('"main"', '"other"')
                .replace("LAB_KEY", "LAB_OTHER")
            )
            (tmp_path / "watch.toml").write_text(text)
            environ = {
                "LAB_KEY": loopback.KEY, "LAB_OTHER": loopback.OTHER_KEY, "LAB_SECRET": loopback.SECRET,
            }  # fmt: skip
            settings = load_settings(tmp_path / "watch.toml", env=environ)
            async with running(Watch(settings, environ=environ, clock=HastyClock())) as watch:
                assert not await settled(watch, server)
                trade(exchange, "ETH/BTC", "other")
                await loopback.until(lambda: len(list(watch.store.fills(account="other"))) >= 2, 10)
                await asyncio.sleep(0.2)
                assert len(list(watch.store.fills(account="other"))) == 2, "not what was before"

    asyncio.run(both())
