"""Fills through ccxt.pro arrive all, once, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccxt_fakes import KEYS, FakeBinance, Listener, RealClock, until
from drainwatch.errors import VenueError
from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill, Market
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
            venue.execute(time=RealClock().now_ns() // 1_000_000 - 40_000)
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


def test_public_data_of_what_the_account_trades_and_of_what_is_wanted_come() -> None:
    async def body() -> None:
        async with (
            FakeBinance() as venue,
            watching(venue, public=True, symbols=["ETH/BTC"]) as (stream, listener),
        ):
            await stands(venue, listener)
            await stream.want({"QTUM/BTC"})
            await until(lambda: {"ethbtc@trade", "qtumbtc@trade"} <= set(venue.subscribed))

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


class StubClient:
    def closed(self) -> bool:
        return False


class StubVenue:
    """What the stream needs of a ccxt object, for kinds of venue that the fake isn't."""

    def __init__(self, has: dict[str, Any], listed: list[dict[str, Any]], *, one_symbol: bool) -> None:
        self.id, self.has, self.listed, self.one_symbol = "stub", has, listed, one_symbol
        self.clients: dict[str, Any] = {"ws": StubClient()}
        self.myTrades: Any = None
        self.orders: Any = None
        self.options: dict[str, Any] = {}
        self.features: dict[str, Any] = {"spot": {"fetchMyTrades": {"symbolRequired": one_symbol}}}
        self.number, self.precisionMode, self.timeout_on_exit = float, 4, 0
        pairs = (("ETH", "BTC"), ("SOL", "BTC"))
        self.markets = {
            f"{base}/{quote}": {
                "symbol": f"{base}/{quote}",
                "id": base + quote,
                "base": base,
                "quote": quote,
                "type": "spot",
            }
            for base, quote in pairs
        }
        self.watched: list[str | None] = []
        self.asked = 0

    def client(self, url: str) -> Any:
        raise AssertionError(url)

    delay = spawn = client

    def set_markets_from_exchange(self, other: Any) -> None:
        self.markets = other.markets

    async def load_markets(self, _reload: bool = False) -> dict[str, Any]:
        return self.markets

    async def watch_my_trades(self, symbol: str | None) -> None:
        if symbol is None and self.one_symbol:
            raise type("ArgumentsRequired", (Exception,), {})("a symbol")
        self.watched.append(symbol)
        await asyncio.Event().wait()

    async def watch_orders(self, symbol: str | None) -> None:
        await self.watch_my_trades(symbol)

    async def fetch_my_trades(self, symbol: str | None, since: int, _limit: Any, _params: Any) -> Any:
        assert since > 0
        self.asked += 1
        return [row for row in self.listed if symbol in {None, row["symbol"]}]

    async def close(self) -> None:
        self.clients = {}


class StubRest(Rest):
    """REST and streams of the stub."""

    def __init__(self, has: dict[str, Any], *, one_symbol: bool = False) -> None:
        super().__init__("stub", None, RealClock(), account="main")
        self.listed: list[dict[str, Any]] = []
        self.has, self.one_symbol = has, one_symbol
        self.made: list[StubVenue] = []
        self._made = StubVenue(has, self.listed, one_symbol=one_symbol)

    def new(self, *, streams: bool) -> Any:
        assert streams
        self.made.append(StubVenue(self.has, self.listed, one_symbol=self.one_symbol))
        return self.made[-1]


@contextlib.asynccontextmanager
async def watching_stub(rest: StubRest, **given: Any) -> AsyncIterator[tuple[CcxtStream, Listener]]:
    listener = Listener()
    stream = CcxtStream(rest, listener, RealClock(), pace=PACE, **{"public": False, **given})
    task = asyncio.create_task(stream.run())
    try:
        yield stream, listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def unified(ident: str, symbol: str = "ETH/BTC", **changes: Any) -> dict[str, Any]:
    now_ms = RealClock().now_ns() // 1_000_000
    row = {"id": ident, "symbol": symbol, "side": "buy", "price": "0.06", "amount": "1", "timestamp": now_ms}
    return {**row, "order": "o1", "info": {}, **changes}


def test_order_updates_make_the_fills_be_asked_for_where_they_can_be() -> None:
    async def body() -> None:
        rest = StubRest({"watchOrders": True, "fetchMyTrades": True})
        async with watching_stub(rest) as (_, listener):
            await until(lambda: listener.readies)
            venue = rest.made[-1]
            venue.orders.append({"id": "o1", "symbol": "ETH/BTC", "filled": "0.000"})
            await asyncio.sleep(0.1)
            asked = rest._made.asked
            rest.listed.append(unified("t1"))
            venue.orders.append({"id": "o1", "symbol": "ETH/BTC", "filled": "1"})
            await until(lambda: listener.ids() == ["t1"], 5)
            assert rest._made.asked > asked

    asyncio.run(body())


def test_fills_are_made_of_order_updates_where_nothing_else_is_to_be_had() -> None:
    async def body() -> None:
        rest = StubRest({"watchOrders": True})
        async with watching_stub(rest) as (_, listener):
            await until(lambda: listener.readies)
            update = {"id": "o1", "symbol": "ETH/BTC", "side": "sell", "timestamp": 1_700_000_000_000}
            rest.made[-1].orders.append({**update, "filled": "1", "cost": "0.06"})
            rest.made[-1].orders.append({**update, "filled": "3", "cost": "0.20"})
            rest.made[-1].orders.append({**update, "filled": "4", "cost": None, "average": None})
            await until(lambda: len(listener.fills) == 2, 5)
            assert [(fill.id, fill.price, fill.amount) for fill in listener.fills] == [
                ("o1:1", "0.06", "1"),
                ("o1:3", "0.07", "2"),
            ]
            assert len(listener.bad_messages) == 1

    asyncio.run(body())


def test_a_venue_that_wants_a_symbol_named_is_watched_by_each_known_one() -> None:
    async def body() -> None:
        rest = StubRest({"watchMyTrades": True, "fetchMyTrades": True}, one_symbol=True)
        async with watching_stub(rest, symbols=["ETH/BTC", "GONE/BTC"]) as (_, listener):
            await until(lambda: listener.readies)
            assert rest.made[-1].watched == ["ETH/BTC"]
            rest.made[-1].myTrades.append(unified("t1", "SOL/BTC"))
            await until(lambda: rest.made[-1].watched == ["ETH/BTC", "SOL/BTC"], 5)
            assert listener.ids() == ["t1"]

    asyncio.run(body())


def test_a_venue_without_streams_is_asked_on_the_timer() -> None:
    async def body() -> None:
        rest = StubRest({"fetchMyTrades": True})
        pace = Pace(backfill_s=0.05)
        async with watching_stub(rest) as (stream, listener):
            stream._pace = pace
            stream._asked.set()
            await asyncio.sleep(0.1)
            rest.listed.append(unified("t1"))
            await until(lambda: listener.ids() == ["t1"], 5)

    asyncio.run(body())


def test_a_fill_without_its_order_is_the_one_told_with_it() -> None:
    async def body() -> None:
        rest = StubRest({"watchMyTrades": True, "fetchMyTrades": True})
        async with watching_stub(rest) as (_, listener):
            await until(lambda: listener.readies)
            venue = rest.made[-1]
            for order in ("o1", None, "o1", "o2"):
                venue.myTrades.append(unified("t1", order=order))
            for order in (None, "o1"):
                venue.myTrades.append(unified("t2", order=order))
            venue.myTrades.append(unified("t3"))
            await until(lambda: "t3" in listener.ids(), 5)
            assert listener.ids() == ["t1", "t1", "t2", "t3"]

    asyncio.run(body())


def test_what_is_remembered_of_told_fills_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drainwatch.venues.ccxt_stream._MOST_SEEN", 100)

    async def body() -> None:
        rest = StubRest({"watchMyTrades": True, "fetchMyTrades": True})
        async with watching_stub(rest) as (stream, listener):
            await until(lambda: listener.readies)
            for i in range(500):
                rest.made[-1].myTrades.append(unified(f"t{i}"))
            await until(lambda: len(listener.fills) == 500, 5)
            assert len(stream._seen) == 100

    asyncio.run(body())


def test_a_venue_with_nothing_to_watch_is_refused_in_plain_words() -> None:
    rest = StubRest({})
    with pytest.raises(VenueError, match="push the fills in"):
        asyncio.run(CcxtStream(rest, Listener(), RealClock()).run())


def test_a_list_of_fills_that_cannot_be_had_is_told_as_a_gap() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, watching(venue, symbols=["ETH/BTC"]) as (stream, listener):
            await stands(venue, listener)
            venue.execute()
            venue.failures = [(400, {"code": -1000, "msg": "planted"})]
            stream._asked.set()
            await until(lambda: NoticeKind.GAP in listener.kinds(), 10)
            notice = listener.notices[-1]
            assert notice.since_ns is not None
            assert "planted" not in notice.text
            await until(lambda: listener.ids() == ["1"], 30)  # it asks again by itself
            assert listener.kinds() == [NoticeKind.GAP]

    asyncio.run(body())


def test_fills_from_before_the_watch_are_left_alone() -> None:
    async def body() -> None:
        rest = StubRest({"watchMyTrades": True})
        async with watching_stub(rest) as (_, listener):
            await until(lambda: listener.readies)
            rest.made[-1].myTrades.append(unified("old", timestamp=1_700_000_000_000))
            rest.made[-1].myTrades.append(unified("new"))
            await until(lambda: listener.fills)
            assert listener.ids() == ["new"]

    asyncio.run(body())
