"""ccxt's sockets are read on whatever comes, and each end of one is told at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccxt_fakes import KEYS, FakeBinance, until
from drainwatch.rows import Fill
from drainwatch.venues.ccxt_rows import fill_of
from drainwatch.venues.ccxt_table import make
from drainwatch.venues.ccxt_tap import Tap
from drainwatch.venues.protocol import BadMessage


class Tapped:
    """A ccxt object on the fake with a tap that keeps what it is told."""

    def __init__(self, venue: FakeBinance) -> None:
        self.exchange = make("binance", KEYS, streams=True, urls=venue.urls)
        self.trades: list[Any] = []
        self.troubles: list[str] = []
        self.is_behind = False
        self.tap = Tap(
            self.exchange,
            on_trouble=lambda reason, _frame: self.troubles.append(reason),
            on_trade=self.trades.append,
            behind=lambda: self.is_behind,
        )
        self.task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Tapped:  # noqa: PYI034 - not to be inherited from
        self.task = asyncio.create_task(self.exchange.watch_my_trades())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        await self.tap.close()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_trades_are_told_though_nobody_waits_for_them() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            for _ in range(5):
                await venue.trade()
            await until(lambda: len(tapped.trades) == 5)
            assert tapped.tap.heard >= 5
            assert tapped.tap.connected

    asyncio.run(body())


def test_messages_that_break_ccxt_are_told_and_reading_goes_on() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            for text in ('{"cut": ', "[]", '{"id": 5, "error": {"code": "x"}}'):
                await venue.say(text)
            await venue.trade()
            await until(lambda: tapped.trades)
            assert tapped.troubles
            assert not tapped.tap.ended.is_set()

    asyncio.run(body())


def test_nothing_but_rubbish_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drainwatch.venues.ccxt_tap._MOST_TROUBLE", 5)

    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            for _ in range(5):
                await venue.say('{"cut": ')
            await until(tapped.tap.ended.is_set)
            assert tapped.tap.why == "5 messages in a row can't be read"

    asyncio.run(body())


@pytest.mark.parametrize("abort", [False, True])
def test_the_end_of_a_connection_is_told(abort: bool) -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            await venue.cut(abort=abort)
            await until(tapped.tap.ended.is_set, 5)
            assert tapped.tap.why
            assert not tapped.tap.session_lost

    asyncio.run(body())


def test_the_end_of_a_session_is_told() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            await venue.say({"e": "eventStreamTerminated", "E": 5})
            await until(tapped.tap.ended.is_set, 5)
            assert tapped.tap.session_lost

    asyncio.run(body())


def test_an_order_id_that_reads_like_an_end_is_none() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            await venue.say(venue.execute() | {"c": "eventStreamTerminated"})
            await until(lambda: tapped.trades)
            assert not tapped.tap.ended.is_set()

    asyncio.run(body())


def test_nothing_is_read_while_the_consumer_is_behind() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            tapped.is_behind = True
            for _ in range(50):
                await venue.trade()
                await asyncio.sleep(0.002)
            # What was being read when it fell behind is taken still.
            assert len(tapped.trades) < 10
            tapped.is_behind = False
            tapped.tap.resume()
            await until(lambda: len(tapped.trades) == 50)

    asyncio.run(body())


def test_closing_leaves_nobody_waiting() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, Tapped(venue) as tapped:
            await venue.listening()
            assert tapped.task is not None
            await tapped.tap.close()
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(tapped.task, 2)

    asyncio.run(body())


def test_timers_of_ccxt_end_with_the_connection() -> None:
    async def body() -> None:
        async with FakeBinance() as venue:
            tapped = Tapped(venue)
            called: list[int] = []

            async def call() -> None:
                called.append(1)

            async with tapped:
                await venue.listening()
                tapped.exchange.delay(50, call)
            await asyncio.sleep(0.1)
            assert not called

    asyncio.run(body())


class DeadClient:
    """Takes what ccxt's handlers resolve."""

    def resolve(self, *_: Any) -> None:
        pass


def handled(name: str, market: dict[str, Any], *messages: dict[str, Any]) -> list[Fill | BadMessage]:
    """Give the rows that a venue's own code in ccxt makes of messages."""
    rows: list[Fill | BadMessage] = []

    async def body() -> None:
        exchange = make(name, KEYS, streams=True)
        exchange.number = str
        exchange.set_markets([{**exchange.safe_market_structure(), **market}])
        Tap(
            exchange,
            on_trouble=lambda *_: None,
            on_trade=lambda trade: rows.append(fill_of(trade, name, "main")),
        )
        for message in messages:
            exchange.handle_message(DeadClient(), message)
        await exchange.close()

    asyncio.run(body())
    return rows


KRAKEN = {"id": "ETH/XBT", "symbol": "ETH/BTC", "base": "ETH", "quote": "BTC", "type": "spot", "spot": True}


def kraken_row(ident: str, kind: str = "trade") -> dict[str, Any]:
    row: dict[str, Any] = {
        "order_id": "O1",
        "exec_type": kind,
        "symbol": "ETH/BTC",
        "side": "sell",
        "order_status": "open",
    }
    row |= {"timestamp": "2026-01-01T00:00:00.123456Z", "order_type": "limit", "cl_ord_id": "bot-1"}
    if kind == "trade":
        row |= {"exec_id": ident, "last_qty": "15.44", "last_price": "0.06", "liquidity_ind": "t"}
        row |= {"fees": [{"asset": "BTC", "qty": "0.001"}]}
    return row


def test_krakens_rows_of_several_kinds_in_one_message_lose_no_fill() -> None:
    mixed = [kraken_row("", "pending_new"), kraken_row("T1"), kraken_row("", "canceled"), kraken_row("T2")]
    rows = handled("kraken", KRAKEN, {"channel": "executions", "type": "update", "data": mixed})
    fills = [row for row in rows if isinstance(row, Fill)]
    assert [row.id for row in fills] == ["T1", "T2"]
    assert len(rows) == 2
    assert (fills[0].price, fills[0].amount, fills[0].client_order_id) == ("0.06", "15.44", "bot-1")


def test_okx_streams_contracts_and_a_fee_that_is_a_cost() -> None:
    market: dict[str, Any] = {
        "id": "BTC-USDT-SWAP",
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
    }
    market |= {"settle": "USDT", "type": "swap", "contract": True, "linear": True, "contractSize": 0.01}
    order: dict[str, Any] = {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "ordId": "5",
        "clOrdId": "bot-1",
        "side": "buy",
    }
    order |= {"tradeId": "9", "fillPx": "60000.10", "fillSz": "5", "fillTime": "1700000000123"}
    order |= {"fillFee": "-0.16", "fillFeeCcy": "USDT", "fee": "-0.32", "feeCcy": "USDT", "execType": "T"}
    order |= {"state": "filled", "ordType": "market", "sz": "10", "accFillSz": "10", "avgPx": "60000"}
    order |= {"fillMarkPx": "60001.5", "category": "normal", "cTime": "1700000000000"}
    message = {"arg": {"channel": "orders", "instType": "ANY"}, "data": [order]}
    (row,) = handled("okx", market, message)
    assert isinstance(row, Fill)
    assert (row.price, row.amount, row.cost) == ("60000.10", "5", None)
    assert (row.fee_cost, row.fee_currency, row.client_order_id) == ("0.16", "USDT", "bot-1")
    assert (row.mark, row.forced, row.taker_or_maker) == ("60001.5", False, "taker")


def test_bybit_streams_fills_negotiated_off_the_book_and_marks_forced_ones() -> None:
    market: dict[str, Any] = {
        "id": "BTCUSDT",
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
    }
    market |= {"type": "swap", "contract": True, "linear": True, "contractSize": 1.0}
    row: dict[str, Any] = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderId": "5",
        "orderLinkId": "bot-1",
    }
    row |= {"execPrice": "60000.10", "execQty": "0.5", "execTime": "1700000000123", "execFee": "0.33"}
    row |= {"isMaker": False, "markPrice": "60001", "execId": "e", "feeRate": "0.0001", "execValue": "30000"}
    kinds = ("Trade", "BlockTrade", "BustTrade", "Funding")
    data = [{**row, "execId": f"e{i}", "execType": kind} for i, kind in enumerate(kinds)]
    rows = handled("bybit", market, {"topic": "execution", "data": data})
    fills = [found for found in rows if isinstance(found, Fill)]
    assert [(found.id, found.forced) for found in fills] == [("e0", False), ("e1", False), ("e2", True)]
    assert (fills[0].client_order_id, fills[0].mark, fills[0].fee_cost) == ("bot-1", "60001", "0.33")
