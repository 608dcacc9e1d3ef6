"""Who hears what: turns what happens on the exchange into messages for those who subscribed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from drainwatch.lab.exchange import messages
from drainwatch.lab.exchange.accounts import Account, Execution, Key, Order
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.prints import MINUTE_MS, Minute, Print

STREAM = re.compile(r"([a-z0-9]+)@(trade|aggTrade|bookTicker|depth(?:@\d+ms)?|kline_1m)")
"""Public streams that there are."""

_POLL_S = 0.001


class Hub:
    """The exchange's listener.

    Parameters
    ----------
    exchange
        What is listened to.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.connections: dict[Connection, None] = {}
        self._users: dict[str, dict[tuple[Connection, int], bytes]] = {}
        self._streams: dict[str, dict[Connection, None]] = {}
        self._depth_ids: dict[str, int] = {}
        self._told_minutes: dict[str, tuple[int, int, bool]] = {}
        exchange.listeners.append(self)

    # --- who listens --------------------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        """Take a connection in."""
        self.connections[connection] = None

    def remove(self, connection: Connection) -> None:
        """Let a connection go, with all its subscriptions."""
        self.connections.pop(connection, None)
        for number in list(connection.subscriptions):
            self.unsubscribe(connection, number)
        self.drop(connection, list(connection.streams))

    def subscribe(self, connection: Connection, key: Key) -> int:
        """Send an account's events to a connection from now on; returns the subscription's number."""
        number = connection.next_subscription
        connection.next_subscription += 1
        connection.subscriptions[number] = key
        head = f'{{"subscriptionId":{number},"event":'.encode()
        self._users.setdefault(key.account.name, {})[connection, number] = head
        return number

    def unsubscribe(self, connection: Connection, number: int) -> None:
        """End a subscription of an account's events."""
        key = connection.subscriptions.pop(number)
        self._users[key.account.name].pop((connection, number), None)

    def terminate(self, connection: Connection) -> None:
        """End all user streams of a connection and say so."""
        for number in list(connection.subscriptions):
            self.end(connection, number)

    def end(self, connection: Connection, number: int) -> None:
        """End one user stream and say so."""
        payload = messages.terminated(self.exchange.clock())
        connection.push(b'{"subscriptionId":%d,"event":%b}' % (number, payload), event=False)
        self.unsubscribe(connection, number)

    def follow(self, connection: Connection, names: Iterable[str]) -> None:
        """Send public streams to a connection from now on."""
        for name in names:
            connection.streams[name] = None
            self._streams.setdefault(name, {})[connection] = None
            symbol, _, kind = name.partition("@")
            book = self.exchange.books.get(symbol.upper())
            if book is not None and kind.startswith("depth") and book.touched is None:
                book.touched = {}
                self._depth_ids[symbol] = book.update_id

    def drop(self, connection: Connection, names: Iterable[str]) -> None:
        """Send public streams no longer."""
        for name in names:
            connection.streams.pop(name, None)
            self._streams.get(name, {}).pop(connection, None)

    # --- what happens -------------------------------------------------------------------------------

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:
        """Tell an account of its order."""
        if self._users.get(order.account.name):
            self._tell(
                order.account, messages.execution_report(order, what, self.exchange.clock(), execution)
            )

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:
        """Tell an account what it holds."""
        if self._users.get(account.name):
            self._tell(account, messages.account_position(account, currencies, self.exchange.clock()))

    def deposited(self, account: Account, currency: str, money: int) -> None:
        """Tell an account of money from outside."""
        if self._users.get(account.name):
            self._tell(account, messages.balance_update(currency, money, self.exchange.clock()))

    def traded(self, book: Book, trade: Print) -> None:
        """Tell everybody of a print."""
        if not self._streams:
            return
        name, now = book.venue_symbol.lower(), self.exchange.clock()
        if self._streams.get(f"{name}@trade"):
            shown = self.exchange.shows_orders
            self._publish(f"{name}@trade", messages.trade(book, trade, now, orders=shown))
        if self._streams.get(f"{name}@aggTrade"):
            self._publish(f"{name}@aggTrade", messages.agg_trade(book, trade, now))

    def quoted(self, book: Book) -> None:
        """Tell everybody of the best bid and ask."""
        name = f"{book.venue_symbol.lower()}@bookTicker"
        if self._streams.get(name):
            self._publish(name, messages.book_ticker(book))

    def revoked(self, key: Key) -> None:
        """End the key's streams and sessions."""
        for connection in list(self.connections):
            if connection.session is key:
                connection.session = None
            for number, used in list(connection.subscriptions.items()):
                if used is key:
                    self.end(connection, number)

    async def drained(self) -> None:
        """Wait for connections that are behind; at least let them send."""
        while any(connection.behind for connection in self.connections):  # noqa: ASYNC110 - as there
            await asyncio.sleep(_POLL_S)

    def tick(self) -> None:
        """Send what is sent from time to time: changes of the books, and candles."""
        now = self.exchange.clock()
        for name, listening in list(self._streams.items()):
            symbol, _, kind = name.partition("@")
            book = self.exchange.books.get(symbol.upper())
            if not listening or book is None:
                continue
            if kind == "kline_1m":
                self._tick_candle(book, name, now)
        for symbol, last in list(self._depth_ids.items()):
            book = self.exchange.books[symbol.upper()]
            if book.touched:
                update = messages.depth_update(book, last + 1, book.touched, now)
                book.touched, self._depth_ids[symbol] = {}, book.update_id
                for name in self._streams:
                    if name.startswith(f"{symbol}@depth"):
                        self._publish(name, update)

    def _tick_candle(self, book: Book, name: str, now: int) -> None:
        """Send the candles that changed: those that closed since, and the current one."""
        told = self._told_minutes.get(name, (0, 0, False))
        recent: list[Minute] = []
        for minute in reversed(book.prints.minutes):
            if minute.ms < told[0] or (recent and not told[0]):
                break
            recent.append(minute)
        for minute in reversed(recent):
            state = minute.ms, minute.count, now >= minute.ms + MINUTE_MS
            if state != told:
                self._publish(name, messages.kline(book, minute, now))
                self._told_minutes[name] = told = state

    def _tell(self, account: Account, payload: bytes) -> None:
        for (connection, _), head in self._users[account.name].items():
            connection.push(head + payload + b"}")

    def _publish(self, name: str, payload: bytes) -> None:
        wrapped = b'{"stream":"%b","data":%b}' % (name.encode(), payload)
        for connection in self._streams.get(name, ()):
            connection.push(wrapped if connection.combined else payload)
