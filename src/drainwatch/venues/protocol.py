"""What a venue's stream must be able to do: frames in, rows out, frames to send; no network, no clock.

One `StreamProtocol` is one websocket connection from its opening to its end. `connection` carries it:
opens the socket, sends what it is told to send, hands every frame to `take`, calls `tick` at
`next_tick_ns`, and starts a fresh protocol after each end. So each venue is tested with bytes alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from drainwatch.notices import Notice
from drainwatch.rows import Market, Row


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """An API key. Its `repr` shows none of it."""

    key: str
    secret: str = ""
    """HMAC secret, or a PEM private key (Ed25519, RSA)."""
    passphrase: str = ""

    def __repr__(self) -> str:
        """Say only that there is one."""
        return "Credentials(...)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A frame, or a part of one, that isn't what the venue's protocol says; counted, never fatal."""

    stream: str
    reason: str
    """What was expected and what was found."""
    frame: bytes
    """The first 500 bytes. Private frames hold no secrets, but are shown to the owner alone."""


class Reading(Struct):
    """What came of a frame, or of the time."""

    rows: list[Row] = []
    send: list[str] = []
    """Frames to send now, in this order: answers to pings, a subscription after a login."""
    notices: list[Notice] = []
    bad: list[BadMessage] = []
    symbols: set[str] = set()
    """Unified symbols that turned up and aren't subscribed to."""
    unlisted: set[str] = set()
    """The venue's names of markets that aren't in `Symbols`: the list must be read anew. Their fills wait."""
    ready: bool = False
    """The subscription now stands: whatever is missed from here on is a gap. The back-fill starts here."""
    renew: bool = False
    """The session must be kept alive by `StreamSource.renew`."""
    close: str | None = None
    """Why the connection must be ended and made anew; None to go on."""
    refused: bool = False
    """With `close`: the key isn't taken, trying again at once is useless."""


class Symbols:
    """A venue's markets by their own and by their unified names."""

    def __init__(self, markets: Collection[Market] = ()) -> None:
        self.by_venue: dict[str, Market] = {}
        self.by_symbol: dict[str, Market] = {}
        self.add(markets)

    def add(self, markets: Collection[Market]) -> None:
        """Add markets, or replace what was known of them."""
        for market in markets:
            self.by_venue[market.venue_symbol] = market
            self.by_symbol[market.symbol] = market


class StreamProtocol(Protocol):
    """One connection of a venue."""

    stream: str
    """Name in notices and metrics: `binance private`."""
    url: str
    headers: Mapping[str, str]
    next_tick_ns: int | None
    """When `tick` wants to be called; None: never."""

    def opened(self, now_ns: int) -> Reading:
        """Give what to send first: the login, else the subscriptions."""

    def take(self, frame: bytes | str, now_ns: int) -> Reading:
        """Read a frame. Never raises for what is in it."""

    def tick(self, now_ns: int) -> Reading:
        """Do what is due: a ping of the venue's own kind, a renewal."""

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        """Subscribe to the public data of further (unified) symbols; known ones are ignored."""


class StreamSource(Protocol):
    """Makes the connections of one stream, one after the other."""

    stream: str

    async def start(self) -> StreamProtocol:
        """Do what must be done by REST first (a listen key, a token) and give a fresh protocol.

        Raises
        ------
        KeyRefusedError
            The venue doesn't take the key.
        VenueError
            It can't be reached or answers nonsense: worth another try.
        """

    async def renew(self) -> None:
        """Keep the session alive, where that needs REST. Raises as `start` does."""
