"""Public data through ccxt.pro come for what is wanted, and come back after a cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from ccxt_fakes import FakeBinance, Listener, RealClock, until
from drainwatch.rows import Quote, Trade
from drainwatch.venues.ccxt_public import CcxtPublic
from drainwatch.venues.rest import Rest


@contextlib.asynccontextmanager
async def listening(venue: FakeBinance, **given: Any) -> AsyncIterator[tuple[CcxtPublic, Listener]]:
    listener, clock = Listener(), RealClock()
    rest = Rest("binance", None, clock, account="main", urls=venue.urls)
    await rest.markets()
    public = CcxtPublic(rest, listener, clock, **given)
    task = asyncio.create_task(public.run())
    try:
        yield public, listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rest.close()


async def say(venue: FakeBinance, ident: int = 5, **changes: Any) -> None:
    print_ = {"e": "trade", "E": 1, "s": "ETHBTC", "t": ident, "p": "0.061", "q": "2"}
    print_ |= {"T": 1_700_000_000_000, "m": True, "M": True, **changes}
    quote = {"u": 1, "s": "ETHBTC", "b": "0.060", "B": "3", "a": "0.062", "A": "4"}
    for socket in venue.publics:
        if not socket.closed:
            await socket.send_json(print_)
            await socket.send_json(quote)


def test_trades_and_quotes_come_for_what_is_wanted() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, listening(venue) as (public, listener):
            await public.want({"ETH/BTC", "NO/SUCH"})
            await until(lambda: len(venue.subscribed) >= 2)
            await say(venue)
            await until(lambda: any(isinstance(row, Trade) for row in listener.all), 5)
            await until(lambda: any(isinstance(row, Quote) for row in listener.all), 5)
            trade = next(row for row in listener.all if isinstance(row, Trade))
            assert (trade.price, trade.amount, trade.side, trade.id) == (0.061, 2.0, "sell", "5")
            assert (trade.exchange, trade.symbol) == ("binance", "ETH/BTC")
            best = next(row for row in listener.all if isinstance(row, Quote))
            assert (best.bid, best.ask, best.bid_size, best.ask_size) == (0.060, 0.062, 3.0, 4.0)
            assert set(venue.subscribed) == {"ethbtc@trade", "ethbtc@bookTicker"}

    asyncio.run(body())


def test_what_cannot_be_read_is_counted_and_the_next_is_taken() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, listening(venue) as (public, listener):
            await public.want({"ETH/BTC"})
            await until(lambda: len(venue.subscribed) >= 2)
            for socket in venue.publics:
                await socket.send_str('{"cut": ')
            await say(venue, p="abc")
            await say(venue, 6)
            await until(lambda: any(isinstance(row, Trade) and row.id == "6" for row in listener.all), 5)
            assert listener.bad_messages
            assert all(message.stream == "binance public" for message in listener.bad_messages)

    asyncio.run(body())


def test_data_come_back_after_a_cut_and_after_a_silence() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, listening(venue, quiet_s=3.0) as (public, listener):
            await public.want({"ETH/BTC"})
            await until(lambda: len(venue.subscribed) >= 2)
            for socket in list(venue.publics):
                await socket.close()
            await until(lambda: len(venue.subscribed) >= 4)
            await say(venue, 7)
            await until(lambda: any(isinstance(row, Trade) and row.id == "7" for row in listener.all), 5)
            # Nothing more is said: after the quiet time it is subscribed to anew.
            await until(lambda: len(venue.subscribed) >= 6, 15)

    asyncio.run(body())
