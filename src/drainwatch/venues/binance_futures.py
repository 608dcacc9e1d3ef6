"""Binance USD-M futures: fills and balances by a listen key. COIN-M speaks alike, at another address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.venues import binance_messages as messages
from drainwatch.venues import binance_rows as rows
from drainwatch.venues.binance_stream import SECOND_NS, UNREADABLE, BinancePrivate, as_bytes
from drainwatch.venues.protocol import Reading, StreamProtocol, Symbols
from drainwatch.venues.skew import Skew

PRIVATE_URL: Final = "wss://fstream.binance.com/private/ws?listenKey={key}"
"""The address without `/private` says nothing of an account any more, and not that it doesn't."""

RENEW_EVERY_NS: Final = 10 * 60 * SECOND_NS
"""A listen key lives for 60 minutes; asking sooner shows sooner that another client deleted it."""
LOOK_EVERY_NS: Final = 60 * SECOND_NS

ListenKey = Callable[[str], Awaitable[str]]
"""`POST`: give the account's listen key, a new one if it has none; `PUT`: prolong it, give it or nothing.

Raises `KeyRefusedError` or `VenueError`.
"""


class BinanceFuturesPrivate(BinancePrivate):
    """The account's fills and balances at one listen key."""

    def __init__(
        self,
        symbols: Symbols,
        skew: Skew,
        key: str,
        *,
        exchange: str = "binanceusdm",
        account: str = "default",
        url: str = PRIVATE_URL,
    ) -> None:
        escaped = quote(key, safe="")
        super().__init__(
            url.replace("{key}", escaped),
            (key, escaped),
            symbols,
            skew,
            exchange=exchange,
            account=account,
            settled=True,
        )
        self.lost = False
        """Whether the account has another listen key by now: nothing will come on this connection."""
        self._renew_ns = 0

    def opened(self, now_ns: int) -> Reading:
        """Nothing is to be sent: the address holds the key, and the stream stands at once."""
        self._begin(now_ns)
        self._renew_ns = now_ns + RENEW_EVERY_NS
        self.next_tick_ns = now_ns + LOOK_EVERY_NS
        return Reading(ready=True)

    def tick(self, now_ns: int) -> Reading:
        """Have the listen key renewed; end a connection on a key that isn't the account's any more."""
        ended = self._ended(now_ns)
        if ended is not None:
            return ended
        reading = Reading()
        if self.lost:
            self._gone(
                reading, "was deleted or replaced, perhaps by another program with this account", now_ns
            )
        elif now_ns >= self._renew_ns:
            self._renew_ns = now_ns + RENEW_EVERY_NS
            reading.renew = True
        self.next_tick_ns = now_ns + LOOK_EVERY_NS
        return reading

    def take(self, frame: bytes | str, now_ns: int) -> Reading:
        """Read an event."""
        data = as_bytes(frame)
        reading = Reading()
        try:
            if data.startswith(b'{"stream"'):
                event = messages.wrapped_futures_event.decode(data).data
            else:
                event = messages.futures_event.decode(data)
            self._event(reading, event, data, now_ns)
        except UNREADABLE as error:
            self._unread(reading, error, data, messages.FUTURES_IGNORED)
        return reading

    def _event(self, reading: Reading, event: messages.FuturesEvent, data: bytes, now_ns: int) -> None:
        if isinstance(event, messages.OrderTradeUpdate):
            self._execution(reading, event.order, data)
            self._stamped(reading, event.event_ms, now_ns)
        elif isinstance(event, messages.AccountUpdate):
            for held in event.account.holdings:
                reading.rows.append(
                    rows.balance(self.exchange, self.account, held.currency, event.time_ms, held.wallet)
                )
            self._stamped(reading, event.event_ms, now_ns)
        elif isinstance(event, messages.ListenKeyExpired):
            self._gone(reading, "expired", now_ns)
        else:
            self._shutdown(reading)

    def _execution(self, reading: Reading, order: messages.FuturesOrder, data: bytes) -> None:
        closes = order.execution == "CALCULATED"
        if order.execution != "TRADE" and not closes:
            if order.execution not in messages.FUTURES_NO_FILLS:
                self._bad(reading, f"expected a known execution type (x), found {order.execution}", data)
            return
        if closes and not order.trade:
            # A liquidation that is announced; its executions follow.
            self.ignored += 1
            return
        forced = closes or order.type == "LIQUIDATION" or order.client.startswith(rows.FORCED_PREFIXES)
        symbol = self._symbol(reading, order.venue_symbol, data)
        reading.rows.append(
            rows.fill(order, rows.FUTURES_TYPES, self.exchange, self.account, symbol, forced=forced)
        )

    def _gone(self, reading: Reading, how: str, now_ns: int) -> None:
        reading.close = f"the listen key {how}"
        text = (
            f"The listen key of this account's stream {how}. A new one is made at once and what was missed "
            "is filled in; if this comes often, look which other program uses the account."
        )
        self._session_lost(reading, text, now_ns)


class BinanceFuturesPrivateSource:
    """Makes the connections of an account's private futures stream.

    Parameters
    ----------
    listen_key
        Asks REST for the key, or to prolong it.
    symbols
        Markets of USD-M (or of COIN-M).
    url
        With `{key}` where the listen key goes; without, it is appended as `?listenKey=...`.
    """

    def __init__(
        self,
        listen_key: ListenKey,
        symbols: Symbols,
        *,
        exchange: str = "binanceusdm",
        account: str = "default",
        url: str = PRIVATE_URL,
    ) -> None:
        self.stream = f"{exchange} private"
        self._listen_key = listen_key
        self._symbols = symbols
        self._exchange = exchange
        self._account = account
        self._url = url if "{key}" in url else url + ("&" if "?" in url else "?") + "listenKey={key}"
        self._skew = Skew(exchange, self.stream, account)
        self._key = ""
        self._protocol: BinanceFuturesPrivate | None = None

    async def start(self) -> StreamProtocol:
        """Get a listen key and give a fresh protocol for it.

        Raises
        ------
        KeyRefusedError
            The venue doesn't take the API key.
        VenueError
            It can't be reached, or gives no listen key.
        """
        self._key = await self._listen_key("POST")
        if not self._key:
            raise VenueError("Binance gave no listen key: expected a text, found an empty one")
        self._protocol = BinanceFuturesPrivate(
            self._symbols,
            self._skew,
            self._key,
            exchange=self._exchange,
            account=self._account,
            url=self._url,
        )
        return self._protocol

    async def renew(self) -> None:
        """Prolong the listen key; if the account has another one by now, have the connection made anew.

        Raises
        ------
        KeyRefusedError
            The venue doesn't take the API key.
        VenueError
            It can't be reached.
        """
        try:
            key = await self._listen_key("PUT")
        except KeyRefusedError:
            raise
        except VenueError:
            # Perhaps there is no such key any more: this gives the one that is, and prolongs it as well.
            key = await self._listen_key("POST")
        if key and key != self._key and self._protocol is not None:
            self._protocol.lost = True
