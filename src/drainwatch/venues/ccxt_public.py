"""Public trades and best quotes of any venue, through ccxt.pro."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from drainwatch.rows import Row
from drainwatch.venues.ccxt_errors import error_of, named
from drainwatch.venues.ccxt_rows import quote_of, trade_of
from drainwatch.venues.ccxt_tap import Tap
from drainwatch.venues.ports import Clock, Sink
from drainwatch.venues.protocol import BadMessage
from drainwatch.venues.rest import Rest

_QUOTES = ("watchBidsAsks", "watchTicker", "watchOrderBook")
"""The first of these that a venue has gives the quotes."""
_HOPELESS = ("NotSupported", "BadSymbol", "ArgumentsRequired")


class CcxtPublic:
    """Trades and quotes of the symbols that are wanted, one task a symbol and kind.

    Parameters
    ----------
    rest
        The venue; its markets must be loaded.
    quiet_s
        With nothing heard of any symbol for so long, the connections are made anew.
    """

    def __init__(self, rest: Rest, sink: Sink, clock: Clock, *, quiet_s: float = 300.0) -> None:
        self._rest, self._sink, self._clock, self._quiet_s = rest, sink, clock, quiet_s
        self.stream = f"{rest.exchange_id} public"
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()

    async def want(self, symbols: Collection[str]) -> None:
        """Have the data of further symbols; known ones, and those that the venue hasn't, are ignored."""
        new = {symbol for symbol in symbols if symbol in self._rest.by_symbol} - self._wanted
        if new:
            self._wanted |= new
            self._changed.set()

    async def run(self) -> None:
        """Stream until cancelled."""
        delay_s = 1.0
        while True:
            while not self._wanted:
                self._changed.clear()
                await self._changed.wait()
            heard = await self._connection()
            delay_s = 1.0 if heard else min(60.0, 2 * delay_s)
            await self._clock.sleep(delay_s)

    async def _connection(self) -> bool:
        exchange = self._rest.new(streams=True)
        exchange.set_markets_from_exchange(self._rest.exchange)
        tap = Tap(exchange, on_trouble=self._trouble)
        tasks: dict[str, list[asyncio.Task[None]]] = {}
        quiet = asyncio.create_task(self._end_if_quiet(tap))
        ended = asyncio.create_task(tap.ended.wait())
        try:
            while not tap.ended.is_set():
                self._changed.clear()
                for symbol in self._wanted - tasks.keys():
                    tasks[symbol] = [
                        asyncio.create_task(self._repeat(tap, call, symbol))
                        for call in (self._trades_of(exchange, symbol), self._quotes_of(exchange, symbol))
                        if call is not None
                    ]
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({changed, ended}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            every = [quiet, ended, *(task for group in tasks.values() for task in group)]
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)
            await tap.close()
        return tap.heard > 0

    async def _end_if_quiet(self, tap: Tap) -> None:
        while True:
            heard = tap.heard
            await self._clock.sleep(self._quiet_s)
            if tap.heard == heard:
                tap.end(f"nothing was heard for {self._quiet_s:g} s")

    async def _repeat(self, tap: Tap, call: Callable[[], Awaitable[Sequence[Row]]], symbol: str) -> None:
        failures = 0
        while not tap.ended.is_set():
            try:
                rows = await call()
                failures = 0
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # ccxt cancels who waits for a client that it closes.
                tap.end("ccxt gave the connection up")
                return
            except Exception as error:  # noqa: BLE001 - ccxt raises KeyError and others for odd messages
                if named(error, *_HOPELESS) or failures >= 5:
                    self._trouble(str(error_of(error, self._rest.exchange_id, f"streaming {symbol}")), b"")
                    return
                failures += 1
                await self._clock.sleep(2.0**failures)
                continue
            if rows:
                await self._sink.rows(rows, self._clock.now_ns())
            else:
                await asyncio.sleep(0)

    def _trades_of(self, exchange: Any, symbol: str) -> Callable[[], Awaitable[Sequence[Row]]] | None:
        if not exchange.has.get("watchTrades"):
            return None

        async def call() -> Sequence[Row]:
            found = await exchange.watch_trades(symbol)
            return self._good([trade_of(trade, self._rest.exchange_id, symbol) for trade in found])

        return call

    def _quotes_of(self, exchange: Any, symbol: str) -> Callable[[], Awaitable[Sequence[Row]]] | None:
        way = next((name for name in _QUOTES if exchange.has.get(name)), None)
        if way is None:
            return None

        async def call() -> Sequence[Row]:
            if way == "watchBidsAsks":
                found = await exchange.watch_bids_asks([symbol])
                ticker = found.get(symbol)
            elif way == "watchTicker":
                ticker = await exchange.watch_ticker(symbol)
            else:
                ticker = await exchange.watch_order_book(symbol)
            if ticker is None:
                return []
            return self._good([quote_of(ticker, self._rest.exchange_id, symbol, self._clock.now_ns())])

        return call

    def _good(self, rows: Sequence[Row | BadMessage]) -> list[Row]:
        good: list[Row] = []
        for row in rows:
            if isinstance(row, BadMessage):
                self._sink.bad(row)
            else:
                good.append(row)
        return good

    def _trouble(self, reason: str, frame: bytes) -> None:
        with contextlib.suppress(RuntimeError):
            self._sink.bad(BadMessage(self.stream, reason, frame))
