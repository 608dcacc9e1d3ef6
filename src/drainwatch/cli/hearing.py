"""A short listening to an account's streams, for `drainwatch doctor`: do they stand, and do prices come."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from drainwatch.config import Account
    from drainwatch.doctor.tools import Heard
    from drainwatch.notices import Notice
    from drainwatch.rows import Row
    from drainwatch.venues.protocol import BadMessage, Credentials

PATIENCE_S: Final = 20.0


class Listener:
    """The sink of such a listening."""

    def __init__(self, symbols: Collection[str]) -> None:
        self.wanted = frozenset(symbols)
        self.symbols: set[str] = set()
        self.stands = False
        self.refused = ""
        """Why the key isn't taken."""
        self.enough = asyncio.Event()

    def _look(self) -> None:
        if self.refused or (self.stands and self.symbols >= self.wanted):
            self.enough.set()

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        """Note whose prices come."""
        from drainwatch.rows import Quote, Trade

        del received_ns
        self.symbols |= {row.symbol for row in rows if isinstance(row, (Quote, Trade))} & self.wanted
        self._look()

    async def ready(self, stream: str, *, first: bool) -> None:
        """Note that the private subscription stands."""
        del first
        self.stands = self.stands or "public" not in stream
        self._look()

    def notice(self, notice: Notice) -> None:
        """Note that the key isn't taken."""
        if notice.kind == "key_refused":
            self.refused = notice.text
            self._look()

    def bad(self, message: BadMessage) -> None:
        """Leave it: the watch itself counts them."""

    def seen(self, exchange: str, symbols: set[str]) -> None:
        """Leave it."""

    def unlisted(self, exchange: str, names: set[str]) -> None:
        """Leave it."""


async def hear(
    account: Account,
    credentials: Credentials | None,
    symbols: Collection[str],
    *,
    patience_s: float = PATIENCE_S,
) -> Heard:
    """Listen until the private stream stands and each symbol's price has come, or patience ends.

    Raises
    ------
    KeyRefusedError
        The stream says that the key isn't taken.
    VenueError
        The exchange can't be reached.
    """
    from drainwatch.doctor.tools import Heard
    from drainwatch.errors import KeyRefusedError
    from drainwatch.venues.catalogue import NATIVE, native_streams
    from drainwatch.venues.ccxt_stream import CcxtStream
    from drainwatch.venues.clock import SystemClock
    from drainwatch.venues.connection import Connection
    from drainwatch.venues.rest import Rest

    clock, listener = SystemClock(), Listener(symbols)
    rest = Rest(account.exchange, credentials, clock, account=account.name, base_url=account.url_rest)
    tasks: list[asyncio.Task[Any]] = []
    try:
        if account.exchange in NATIVE:
            markets = await rest.markets()
            streams = native_streams(
                account.exchange,
                markets,
                rest,
                account=account.name,
                credentials=credentials,
                address=account.address,
                url_private=account.url_private,
                url_public=account.url_public,
            )
            by_symbol = {market.symbol: market for market in markets}
            for source, belongs in [(one, None) for one in streams.private] + list(streams.public):
                connection = Connection(
                    source, listener, clock, exchange=account.exchange, account=account.name
                )
                if belongs is not None or not streams.public:
                    await connection.want(
                        [s for s in symbols if s in by_symbol and (belongs is None or belongs(by_symbol[s]))]
                    )
                tasks.append(asyncio.create_task(connection.run()))
        else:
            stream = CcxtStream(rest, listener, clock, symbols=symbols)
            tasks.append(asyncio.create_task(stream.run()))
        enough = asyncio.create_task(listener.enough.wait())
        await asyncio.wait({enough, *tasks}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        enough.cancel()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rest.close()
    if listener.refused:
        raise KeyRefusedError(listener.refused)
    return Heard(listener.stands, frozenset(listener.symbols))
