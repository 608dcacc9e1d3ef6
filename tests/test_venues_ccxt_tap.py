"""ccxt's sockets are read on whatever comes, and each end of one is told at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccxt_fakes import KEYS, FakeBinance, until
from drainwatch.venues.ccxt_table import make
from drainwatch.venues.ccxt_tap import Tap


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
