"""Who is connected to what: topics, and those who listen to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from drainwatch.lab.exchange.accounts import Account, Execution, Key, Order
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.prints import Print

_POLL_S = 0.001
_MOST_TOGETHER = 20


class Switchboard:
    """The exchange's listener for a venue; the venue's own says what is told of what happens.

    Parameters
    ----------
    exchange
        What is listened to.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.connections: dict[Connection, None] = {}
        self._topics: dict[str, dict[Connection, None]] = {}
        self._executed: dict[str, list[Execution]] = {}
        exchange.listeners.append(self)

    # --- who listens --------------------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        """Take a connection in."""
        self.connections[connection] = None

    def remove(self, connection: Connection) -> None:
        """Let a connection go, with all its subscriptions."""
        self.connections.pop(connection, None)
        self.drop(connection, list(connection.streams))

    def follow(self, connection: Connection, names: Iterable[str]) -> None:
        """Send topics to a connection from now on."""
        for name in names:
            connection.streams[name] = None
            self._topics.setdefault(name, {})[connection] = None

    def drop(self, connection: Connection, names: Iterable[str]) -> None:
        """Send topics no longer."""
        for name in names:
            connection.streams.pop(name, None)
            self._topics.get(name, {}).pop(connection, None)

    def terminate(self, connection: Connection) -> None:
        """Say nothing: such a venue doesn't end an account's events but by ending the connection."""

    def heard(self, name: str) -> bool:
        """Tell whether anybody listens to a topic."""
        return bool(self._topics.get(name))

    def publish(self, name: str, payload: bytes) -> None:
        """Send a message to all who listen to a topic."""
        for connection in self._topics.get(name, ()):
            connection.push(payload)

    # --- what happens -------------------------------------------------------------------------------

    def executed(self, account: Account, executions: list[Execution]) -> None:
        """Tell an account of some executions."""

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:  # noqa: ARG002
        """Gather executions: venues tell of several at once."""
        if execution is not None and order.account.remembers:
            waiting = self._executed.setdefault(order.account.name, [])
            waiting.append(execution)
            if len(waiting) >= _MOST_TOGETHER:
                self._flush(order.account)

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:  # noqa: ARG002
        """Hear that an account's orders are done with for now."""
        self._flush(account)

    def deposited(self, account: Account, currency: str, money: int) -> None:
        """Hear of money from outside."""

    def traded(self, book: Book, trade: Print) -> None:
        """Hear of a print."""

    def quoted(self, book: Book) -> None:
        """Hear of the best bid and ask."""

    def revoked(self, key: Key) -> None:
        """Break the connections that were logged on to with a key."""
        for connection in list(self.connections):
            if connection.session is key:
                connection.cut()

    async def drained(self) -> None:
        """Wait for connections that are behind; at least let them send."""
        while any(connection.behind for connection in self.connections):  # noqa: ASYNC110 - as there
            await asyncio.sleep(_POLL_S)

    def tick(self) -> None:
        """Do nothing: all is told as it happens."""

    def _flush(self, account: Account) -> None:
        waiting = self._executed.pop(account.name, None)
        if waiting:
            self.executed(account, waiting)
