"""A tap on ccxt's sockets: sees what ccxt hears, and keeps it from going deaf without a word.

ccxt reads a socket in a chain of callbacks. An exception in one (a truncated message, a price that is
none, a coin it doesn't know) breaks the chain: the socket stays open, nobody reads, who waits waits
for ever. And it tells of a fill only to who waits at that moment. So every client of a ccxt object is
wrapped: exceptions are counted and reading goes on; each end of a connection is told at once; and own
trades are taken where ccxt files them, not where it hands them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from drainwatch.venues.ccxt_errors import error_of
from drainwatch.venues.ccxt_rows import excerpt

_ENDINGS = {
    # Words of a session's end that ccxt takes for just another message.
    "binance": ("eventStreamTerminated", "listenKeyExpired"),
    "aster": ("listenKeyExpired",),
}
_MOST_TROUBLE = 200
"""So many messages in a row that can't be read, and the connection is made anew."""


class Tap:
    """Watches over all sockets of one ccxt object, from its making to its end.

    Parameters
    ----------
    exchange
        A fresh object of ccxt.pro.
    on_trouble
        Called with a reason and the message's beginning, for each that ccxt can't read.
    on_trade, on_order
        Called with each own trade or order as ccxt files it; None where they aren't wanted.
    behind
        Tells whether the consumer is behind: then nothing is read until it isn't.
    """

    def __init__(
        self,
        exchange: Any,
        *,
        on_trouble: Callable[[str, bytes], None],
        on_trade: Callable[[Any], None] | None = None,
        on_order: Callable[[Any], None] | None = None,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self.exchange = exchange
        self.ended = asyncio.Event()
        """Set as soon as any of the connections is no use any more."""
        self.why = ""
        self.session_lost = False
        """The venue itself ended the session."""
        self.heard = 0
        """Messages so far; answers to pings aren't."""
        self._on_trouble, self._on_trade, self._on_order = on_trouble, on_trade, on_order
        self._behind = behind
        self._held: list[Callable[[], None]] = []
        self._trouble = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._endings = next((words for name, words in _ENDINGS.items() if exchange.id.startswith(name)), ())
        self._trades = self._orders = None
        self._make_client = exchange.client
        self._delay = exchange.delay
        self._spawn = exchange.spawn
        exchange.client, exchange.delay, exchange.spawn = self._client, self._delayed, self._spawned
        if exchange.id == "kraken":
            exchange.handle_message = _one_by_one(exchange.handle_message)
        self._place()

    def end(self, why: str) -> None:
        """Have the connections made anew."""
        if not self.ended.is_set():
            self.why = why
            self.ended.set()

    def resume(self) -> None:
        """Read on, as the consumer has caught up."""
        held, self._held = self._held, []
        for read in held:
            read()

    @property
    def connected(self) -> bool:
        """Whether a socket stands."""
        return any(not client.closed() for client in (self.exchange.clients or {}).values())

    async def close(self) -> None:
        """End all connections and timers; whoever waits for something gets an exception, never a cancel."""
        self.end("closed")
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        exchange = self.exchange
        clients = list((exchange.clients or {}).values())
        for client in clients:
            for future in list(client.futures.values()):
                future.add_done_callback(_swallow)
            # A broadcast of ccxt's own would call back here.
            client.futures, waiting = {}, list(client.futures.values())
            for future in waiting:
                future.reject(ConnectionError("closed"))
        exchange.timeout_on_exit = 0
        try:
            await exchange.close()
        except Exception as error:  # noqa: BLE001 - it is thrown away; nothing can be done about it
            self._on_trouble(str(error_of(error, exchange.id, "closing")), b"")

    def _place(self) -> None:
        """Put caches in place that tell of each trade as it is filed, where ccxt has none or its own."""
        from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById  # type: ignore[import-untyped]

        if self._on_trade is not None and (
            self.exchange.myTrades is not self._trades or self._trades is None
        ):
            self._take_over(self.exchange.myTrades, self._trades, self._on_trade)
            self._trades = _telling(ArrayCacheBySymbolById, self._on_trade)
            self.exchange.myTrades = self._trades
        if self._on_order is not None and (self.exchange.orders is not self._orders or self._orders is None):
            self._take_over(self.exchange.orders, self._orders, self._on_order)
            self._orders = _telling(ArrayCacheBySymbolById, self._on_order)
            self.exchange.orders = self._orders
        elif self._on_order is None and self._endings:
            # Binance's code adds up the fees of a filed order, and fails for a coin that it doesn't know.
            self.exchange.orders = None

    @staticmethod
    def _take_over(found: Any, ours: Any, tell: Callable[[Any], None]) -> None:
        if found is not None and found is not ours and isinstance(found, list):
            for item in found:
                tell(item)

    def _client(self, url: str) -> Any:
        client = self._make_client(url)
        if getattr(client, "drainwatch_tap", None) is not self:
            client.drainwatch_tap = self
            self._wrap(client)
        return client

    def _wrap(self, client: Any) -> None:
        handle, read, reject = client.handle_message, client.receive_loop, client.reject
        on_close, on_error = client.on_close, client.on_error

        def handle_message(message: Any) -> None:
            try:
                handle(message)
                self._trouble = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, the socket must be read on
                self._trouble += 1
                self._on_trouble(f"ccxt can't read it: {type(error).__name__}", excerpt(message.data))
                if self._trouble >= _MOST_TROUBLE:
                    self.end(f"{self._trouble} messages in a row can't be read")
            if isinstance(message.data, str | bytes) and message.type.name in {"TEXT", "BINARY"}:
                self.heard += 1
                self._place()
                self._check_ending(message.data)

        def receive_loop() -> None:
            if self.ended.is_set():
                return
            if self._behind():
                self._held.append(receive_loop)
            else:
                try:
                    read()
                except Exception as error:  # noqa: BLE001 - see above
                    self.end(f"reading stopped: {type(error).__name__}")

        def rejected(result: Any, message_hash: Any = None) -> Any:
            for future in list(client.futures.values()):
                future.add_done_callback(_swallow)
            if message_hash is None:
                # To everybody: the connection is gone. ccxt may keep the dead client for later callers.
                self.end("the connection broke")
            return reject(result, message_hash)

        def closed(code: Any) -> None:
            self.end(f"the exchange closed the connection (code {code if isinstance(code, int) else '?'})")
            on_close(code)

        def failed(error: Any) -> None:
            self.end(f"the connection broke ({type(error).__name__})")
            on_error(error)

        client.handle_message, client.receive_loop, client.reject = handle_message, receive_loop, rejected
        client.on_close, client.on_error = closed, failed

    def _check_ending(self, data: str | bytes) -> None:
        if self._endings and len(data) < 1_000:
            text = data if isinstance(data, str) else data.decode("utf-8", "replace")
            for word in self._endings:
                if f'"e":"{word}"' in text.replace(" ", ""):
                    self.session_lost = True
                    self.end(f"the exchange ended the session ({word})")

    def _delayed(self, milliseconds: float, method: Any, *args: Any) -> asyncio.TimerHandle:
        """Keep count of ccxt's timers, which otherwise fire after the end."""
        handle: asyncio.TimerHandle = self._delay(milliseconds, method, *args)
        loop_time = asyncio.get_running_loop().time()
        self._timers = {timer for timer in self._timers if not timer.cancelled() and timer.when() > loop_time}
        self._timers.add(handle)
        return handle

    def _spawned(self, method: Any, *args: Any) -> Any:
        future = self._spawn(method, *args)
        # Nobody waits for some of these; asyncio would print their text, with whatever ccxt put in it.
        future.add_done_callback(_swallow)
        return future


def _one_by_one(handle: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Hand Kraken's executions on row by row: ccxt files all of a message as what its first row is."""

    def handle_rows(client: Any, message: Any) -> None:
        rows = message.get("data") if isinstance(message, dict) else None
        if isinstance(rows, list) and message.get("channel") == "executions":
            for row in rows:
                handle(client, {**message, "data": [row]})
        else:
            handle(client, message)

    return handle_rows


def _swallow(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _telling(kind: Any, tell: Callable[[Any], None]) -> Any:
    """Make a cache of ccxt's that tells of each item as it comes, before it is filed."""

    class TellingCache(kind):  # type: ignore[misc]
        def append(self, item: Any) -> None:
            # A copy: ccxt changes filed orders in place.
            tell(dict(item) if isinstance(item, dict) else item)
            super().append(item)

    return TellingCache(1_000)
