"""What Binance's streams have in common: how long they live, what can't be read, whose fills they tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from zlib import crc32

from msgspec import MsgspecError

from drainwatch.notices import Notice, NoticeKind
from drainwatch.venues.binance_messages import any_kind
from drainwatch.venues.binance_rows import MS
from drainwatch.venues.protocol import BadMessage, Reading, Symbols
from drainwatch.venues.skew import Skew

SECOND_NS: Final = 1_000_000_000
LIFE_S: Final = 23 * 3600
"""Binance ends every connection after 24 h; ours end sooner, each at another time."""
STAGGER_S: Final = 45 * 60
SHOWN: Final = 500
"""Bytes of a bad message that are kept."""

UNREADABLE: Final = (MsgspecError, ValueError, RecursionError)
"""What a decoder raises for bytes that aren't what it expects."""


def plain(text: str, limit: int = 300) -> str:
    """Text from outside as printable ASCII, cut to `limit` characters."""
    return ascii(text[:limit])[1:-1]


class BinanceStream:
    """One connection: when it must be renewed, and what can't be read."""

    stream: str
    url: str
    headers: Mapping[str, str]
    next_tick_ns: int | None

    def __init__(self, stream: str, url: str, secrets: Collection[str] = ()) -> None:
        self.stream = stream
        self.url = url
        self.headers = {}
        self.next_tick_ns = None
        self.ignored = 0
        """Messages that were left out on purpose."""
        self._secrets = [secret for secret in secrets if secret]
        self._end_ns = 0

    def __repr__(self) -> str:
        """Name the stream; the URL may hold a key."""
        return f"<{type(self).__name__} {self.stream}>"

    def _begin(self, now_ns: int) -> None:
        """Note when this connection has to be renewed."""
        stagger_s = crc32(self.stream.encode()) % STAGGER_S
        self._end_ns = now_ns + (LIFE_S + stagger_s) * SECOND_NS

    def _ended(self, now_ns: int) -> Reading | None:
        """Give the planned end of the connection, if it is due."""
        if not self._end_ns or now_ns < self._end_ns:
            return None
        return Reading(close="planned: Binance ends every connection after 24 h")

    def _bad(self, reading: Reading, reason: str, frame: bytes) -> None:
        """Add a message that isn't understood."""
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
            frame = frame.replace(secret.encode(), b"***")
        reading.bad.append(BadMessage(self.stream, plain(reason), frame[:SHOWN]))

    def _shutdown(self, reading: Reading) -> None:
        """Leave a server that is about to be stopped."""
        reading.close = "planned: Binance is about to stop this server"

    def _unread(self, reading: Reading, error: Exception, frame: bytes, known: Collection[str]) -> None:
        """Tell events that are left out from those that can't be read."""
        try:
            kind = any_kind.decode(frame).kind
        except UNREADABLE:
            kind = None
        if kind in known:
            self.ignored += 1
        else:
            self._bad(reading, f"expected a message of {self.stream}: {error}", frame)


def as_bytes(frame: bytes | str) -> bytes:
    """Frame as bytes; a text that is no valid Unicode stays one that can't be decoded."""
    return frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else bytes(frame)


def guess(venue_symbol: str, symbols: Symbols, *, settled: bool) -> str | None:
    """Unified name of a market that isn't in the list yet, by the quote currencies that are; None: no idea.

    A fill there is better told under the name it will most likely get than not at all.
    """
    name, _, expiry = venue_symbol.partition("_")
    quotes = sorted({market.quote for market in symbols.by_symbol.values()}, key=len, reverse=True)
    for quote in quotes:
        if quote and name.endswith(quote) and len(name) > len(quote):
            pair = f"{name.removesuffix(quote)}/{quote}"
            return pair + (f":{quote}" if settled else "") + (f"-{expiry}" if expiry else "")
    return None


class BinancePrivate(BinanceStream):
    """An account's stream: names its markets, compares clocks."""

    def __init__(
        self,
        url: str,
        secrets: Collection[str],
        symbols: Symbols,
        skew: Skew,
        *,
        exchange: str,
        account: str,
        settled: bool,
    ) -> None:
        super().__init__(skew.stream, url, secrets)
        self.exchange = exchange
        self.account = account
        self.symbols = symbols
        self._skew = skew
        self._settled = settled
        self._turned_up: set[str] = set()

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        """Do nothing: all of the account's fills come anyway."""
        del symbols, now_ns
        return Reading()

    def _symbol(self, reading: Reading, venue_symbol: str, data: bytes) -> str:
        """Unified name of a fill's market, guessed where the list doesn't have it."""
        market = self.symbols.by_venue.get(venue_symbol)
        if market is not None:
            symbol = market.symbol
        else:
            symbol = guess(venue_symbol, self.symbols, settled=self._settled) or plain(venue_symbol)
            reading.unlisted.add(venue_symbol)
            self._bad(reading, f"the market {venue_symbol} isn't in the list, taken for {symbol}", data)
        if symbol not in self._turned_up:
            self._turned_up.add(symbol)
            reading.symbols.add(symbol)
        return symbol

    def _stamped(self, reading: Reading, venue_ms: int, now_ns: int) -> None:
        notice = self._skew.saw(venue_ms * MS, now_ns)
        if notice is not None:
            reading.notices.append(notice)

    def _session_lost(self, reading: Reading, text: str, now_ns: int) -> None:
        reading.notices.append(
            Notice(
                kind=NoticeKind.SESSION_LOST,
                ts_ns=now_ns,
                text=text,
                exchange=self.exchange,
                account=self.account,
                stream=self.stream,
            )
        )
