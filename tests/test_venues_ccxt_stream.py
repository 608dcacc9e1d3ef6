"""Fills through ccxt.pro arrive all, once, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ccxt_fakes import KEYS, FakeBinance, Listener, RealClock, until

from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill, Market, Quote, Trade
from drainwatch.venues.ccxt_stream import CcxtStream, Pace
from drainwatch.venues.rest import Rest

PACE = Pace(
    backfill_s=60, settle_s=0.05, again_s=60, quiet_s=60, retry_s=0.05, retry_most_s=0.1, refused_s=0.2
)


@contextlib.asynccontextmanager
async def watching(
    venue: FakeBinance, pace: Pace = PACE, **given: Any
) -> AsyncIterator[tuple[CcxtStream, Listener]]:
    """Run a stream against the fake until the block ends."""
    listener, clock = Listener(), RealClock()
    rest = Rest("binance", KEYS, clock, account="main", urls=venue.urls)
    stream = CcxtStream(rest, listener, clock, pace=pace, **{"public": False, **given})
    task = asyncio.create_task(stream.run())
    try:
        yield stream, listener
    finally:
        if task.done() and not task.cancelled():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rest.close()


async def stands(venue: FakeBinance, listener: Listener, count: int = 1) -> None:
    await venue.listening(1, 20)
    await until(lambda: len(listener.readies) >= count, 20)


def test_a_fill_arrives_with_the_exact_figures_and_the_bots_own_id() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (_, listener):
            await stands(venue, listener)
            await venue.trade(price="0.06000010", qty="123.45678901")
            await until(lambda: listener.fills)
            fill = listener.fills[0]
            assert (fill.exchange, fill.account, fill.symbol) == ("binance", "main", "ETH/BTC")
            assert (fill.price, fill.amount, fill.side) == ("0.06000010", "123.45678901", "buy")
            assert (fill.client_order_id, fill.order, fill.id) == ("bot-7001", "7001", "1")
            assert (fill.fee_cost, fill.fee_currency, fill.taker_or_maker) == ("0.00010000", "BNB", "taker")
            assert listener.symbols == {"ETH/BTC"}
            assert any(isinstance(row, Market) for row in listener.all)
            assert any(isinstance(row, Balance) for row in listener.all)
            assert listener.readies == [True]

    asyncio.run(body())


@pytest.mark.parametrize("abort", [False, True])
def test_fills_of_a_gap_are_filled_in_and_the_gap_is_told(abort: bool) -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            await venue.trade()
            await until(lambda: listener.ids() == ["1"])
            await venue.cut(abort=abort)
            venue.execute()
            venue.execute()
            await stands(venue, listener, 2)
            await venue.trade()
            await until(lambda: len(listener.fills) == 4)
            assert sorted(listener.ids()) == ["1", "2", "3", "4"]
            assert listener.kinds() == [NoticeKind.STREAM_CLOSED, NoticeKind.STREAM_BACK]
            assert listener.readies == [True, False]

    asyncio.run(body())


def test_a_connection_lost_while_the_consumer_is_busy_is_noticed() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            listener.slow_s = 0.5
            await venue.trade()
            await asyncio.sleep(0.1)
            await venue.cut()
            venue.execute()
            await stands(venue, listener, 2)
            await until(lambda: len(listener.fills) == 2)
            assert NoticeKind.STREAM_CLOSED in listener.kinds()

    asyncio.run(body())


def test_a_fill_that_comes_while_the_consumer_is_busy_is_delivered_without_another() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (_, listener):
            await stands(venue, listener)
            listener.slow_s = 0.3
            await venue.trade()
            await asyncio.sleep(0.1)
            await venue.trade()
            await until(lambda: listener.ids() == ["1", "2"], 3)
            assert venue.requests.count("/api/v3/myTrades") == 0

    asyncio.run(body())


@pytest.mark.parametrize(
    "text",
    [
        '{"subscriptionId": 0, "event": {"e": "executionReport", "s": "ETHB',
        "[]",
        '{"subscriptionId": 0, "event": [1, 2]}',
        "{}",
        "null",
        '{"subscriptionId": 0, "event": {"e": "executionReport", "x": "TRADE"}}',
        "\x00\xff",
    ],
)
def test_what_ccxt_chokes_on_leaves_the_stream_hearing(text: str) -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (_, listener):
            await stands(venue, listener)
            await venue.say(text)
            await venue.trade()
            await until(lambda: listener.ids() == ["1"], 5)
            assert len(listener.readies) == 1

    asyncio.run(body())


def test_a_fill_lost_in_a_message_that_cannot_be_read_is_asked_for_at_once() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            await venue.say(json.dumps({"subscriptionId": 0, "event": venue.execute()})[:150])
            await until(lambda: listener.ids() == ["1"], 5)
            assert len(listener.bad_messages) == 1
            assert "ccxt can't read it" in listener.bad_messages[0].reason

    asyncio.run(body())


@pytest.mark.parametrize("changes", [{"L": "abc"}, {"t": None}, {"l": "0"}, {"T": None}])
def test_a_fill_with_a_broken_field_is_counted_and_asked_for(changes: dict[str, Any]) -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            await venue.say(venue.execute() | changes)
            await until(lambda: listener.ids() == ["1"], 5)
            assert listener.bad_messages
            assert listener.fills[0].price == "0.06000000"

    asyncio.run(body())


def test_a_second_fill_of_an_order_with_an_unknown_fee_coin_arrives_by_the_stream() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (_, listener):
            await stands(venue, listener)
            for _ in range(3):
                await venue.trade(orderId=77, commissionAsset="NOSUCHCOIN")
            await until(lambda: listener.ids() == ["1", "2", "3"], 5)
            assert listener.fills[2].fee_currency == "NOSUCHCOIN"
            assert not listener.bad_messages
            assert venue.requests.count("/api/v3/myTrades") == 0

    asyncio.run(body())


def test_a_fill_told_twice_is_handed_on_once() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            event = venue.execute()
            await venue.say(event)
            await venue.say(event)
            await venue.cut()
            await stands(venue, listener, 2)
            await venue.trade()
            await until(lambda: len(listener.fills) >= 2)
            assert listener.ids() == ["1", "2"]

    asyncio.run(body())


def test_both_legs_of_a_trade_with_oneself_are_handed_on() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (_, listener):
            await stands(venue, listener)
            event = venue.execute()
            await venue.say(event)
            await venue.say(event | {"S": "SELL", "i": 9_999})
            await until(lambda: len(listener.fills) == 2)
            assert {fill.side for fill in listener.fills} == {"buy", "sell"}

    asyncio.run(body())


def test_a_session_ended_by_the_exchange_is_told_and_made_anew() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            await venue.say({"e": "eventStreamTerminated", "E": 1})
            venue.execute()
            await stands(venue, listener, 2)
            await until(lambda: listener.ids() == ["1"], 5)
            assert listener.kinds()[0] is NoticeKind.SESSION_LOST

    asyncio.run(body())


def test_ten_thousand_fills_flat_out_all_arrive() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (_, listener):
            await stands(venue, listener)
            events = [venue.execute() for _ in range(10_000)]
            for event in events:
                await venue.say(event)
            await until(lambda: len(listener.fills) == 10_000, 60)
            assert len(set(listener.ids())) == 10_000
            assert venue.requests.count("/api/v3/myTrades") == 0

    asyncio.run(body())


def test_a_refused_key_is_said_once_and_tried_again() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (_, listener):
            await stands(venue, listener)
            venue.key_works = False
            await venue.cut()
            await until(lambda: NoticeKind.KEY_REFUSED in listener.kinds(), 10)
            venue.execute()
            venue.key_works = True
            await until(lambda: listener.ids() == ["1"], 10)
            assert listener.kinds().count(NoticeKind.KEY_REFUSED) == 1
            await until(lambda: NoticeKind.STREAM_BACK in listener.kinds(), 5)
            for notice in listener.notices:
                assert "planted" not in notice.text
                assert "signature" not in notice.text

    asyncio.run(body())


def test_a_deaf_stream_is_found_out_by_the_timer() -> None:
    async def body() -> None:
        pace = Pace(backfill_s=0.3, settle_s=0.05, again_s=60, quiet_s=60, retry_s=0.05, retry_most_s=0.1)
        async with FakeBinance() as venue, watching(venue, pace, symbols=["ETH/BTC"]) as (stream, listener):
            await stands(venue, listener)
            # As if it had stood for longer: the fill is half a minute old and nobody told of it.
            assert stream._connected_ns is not None
            stream._connected_ns -= 100 * 10**9
            raw = venue.execute()
            raw["time"] -= 40_000
            await until(lambda: listener.ids() == ["1"], 5)
            await until(lambda: NoticeKind.SILENCE in listener.kinds(), 5)
            await stands(venue, listener, 2)

    asyncio.run(body())


def test_a_quiet_connection_is_made_anew() -> None:
    async def body() -> None:
        pace = Pace(backfill_s=60, settle_s=0.05, again_s=60, quiet_s=0.3, retry_s=0.05, retry_most_s=0.1)
        async with FakeBinance() as venue, watching(venue, pace) as (_, listener):
            await stands(venue, listener, 2)
            assert "nothing was heard" in listener.notices[0].text

    asyncio.run(body())


def test_a_pair_that_nobody_knew_of_is_found_by_the_balances() -> None:
    async def body() -> None:
        pace = Pace(backfill_s=0.3, settle_s=0.05, again_s=60, quiet_s=60, retry_s=0.05)
        async with FakeBinance() as venue, watching(venue, pace, symbols=["ETH/BTC"]) as (stream, listener):
            await stands(venue, listener)
            await until(lambda: stream._totals is not None)
            venue.execute("QTUM")
            venue.totals |= {"QTUM": 5.0, "BTC": 9.0}
            await until(lambda: listener.fills, 5)
            assert listener.fills[0].symbol == "QTUM/BTC"
            assert "QTUM/BTC" in stream.known

    asyncio.run(body())


def test_public_trades_and_quotes_come_for_what_is_wanted() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, public=True) as (stream, listener):
            await stands(venue, listener)
            await stream.want({"ETH/BTC", "NO/SUCH"})
            await until(lambda: len(venue.subscribed) >= 2, 10)
            print_ = {"e": "trade", "E": 1, "s": "ETHBTC", "t": 5, "p": "0.061", "q": "2"}
            print_ |= {"T": 1_700_000_000_000, "m": True, "M": True}
            quote = {"u": 1, "s": "ETHBTC", "b": "0.060", "B": "3", "a": "0.062", "A": "4"}
            for socket in venue.publics:
                await socket.send_str("{broken")
                await socket.send_json(print_)
                await socket.send_json(quote)
            await until(lambda: any(isinstance(row, Trade) for row in listener.all), 5)
            await until(lambda: any(isinstance(row, Quote) for row in listener.all), 5)
            trade = next(row for row in listener.all if isinstance(row, Trade))
            assert (trade.price, trade.amount, trade.side, trade.id) == (0.061, 2.0, "sell", "5")
            best = next(row for row in listener.all if isinstance(row, Quote))
            assert (best.bid, best.ask, best.bid_size, best.ask_size) == (0.060, 0.062, 3.0, 4.0)

    asyncio.run(body())


def test_back_pressure_holds_the_socket_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drainwatch.venues.ccxt_stream._MOST_WAITING", 50)
    monkeypatch.setattr("drainwatch.venues.ccxt_stream._TAKEN_AT_ONCE", 20)

    async def body() -> None:
        async with FakeBinance() as venue, watching(venue) as (stream, listener):
            await stands(venue, listener)
            listener.slow_s = 0.005
            most = 0
            for _ in range(2_000):
                await venue.say(venue.execute())
                most = max(most, len(stream._waiting))
            await until(lambda: len(listener.fills) == 2_000, 30)
            assert sorted(map(int, listener.ids())) == list(range(1, 2_001))

    asyncio.run(body())


def test_a_stream_that_cannot_start_says_so_and_goes_on_trying() -> None:
    async def body() -> None:
        async with FakeBinance() as venue:
            venue.failures = [(401, {"code": -2014, "msg": "API-key format invalid."})]
            async with watching(venue) as (_, listener):
                await stands(venue, listener)
                assert listener.kinds()[0] is NoticeKind.KEY_REFUSED
                await venue.trade()
                await until(lambda: any(isinstance(row, Fill) for row in listener.all))

    asyncio.run(body())
