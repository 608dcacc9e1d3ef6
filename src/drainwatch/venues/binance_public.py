"""Binance's public prints and quotes, of spot and futures alike."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Quote, Trade
from drainwatch.venues import binance_messages as messages
from drainwatch.venues import binance_rows as rows
from drainwatch.venues.binance_stream import SECOND_NS, UNREADABLE, BinanceStream, as_bytes, plain
from drainwatch.venues.protocol import Reading, StreamProtocol, Symbols
from drainwatch.venues.skew import Skew

SPOT_URL: Final = "wss://stream.binance.com:9443/stream"
USDM_URL: Final = "wss://fstream.binance.com/public/stream"
"""Has `@trade` and `@bookTicker`; aggregated trades and mark prices would be at `/market/stream`."""

NAMES_A_MESSAGE: Final = 200
"""So many streams one subscription names."""
STREAMS: Final = 1024
"""So many streams one connection may carry."""
ANSWER_NS: Final = 20 * SECOND_NS
"""A subscription that isn't answered within this time won't be."""

Convert = Callable[["BinancePublic", bytes, int], Trade | Quote | None]
"""Decode a frame of one kind and give its row; None for one that says nothing."""


class _Asked(NamedTuple):
    since_ns: int
    names: list[str]


class BinancePublic(BinanceStream):
    """Public prints and best quotes of wanted symbols; spot, USD-M and COIN-M speak alike.

    Parameters
    ----------
    symbols
        Markets of this venue and kind only.
    skew
        Of the stream, over all its connections.
    told
        Symbols without data that were already told of, over all connections.
    """

    def __init__(
        self, stream: str, url: str, exchange: str, symbols: Symbols, skew: Skew, told: set[str]
    ) -> None:
        super().__init__(stream, url)
        self.exchange = exchange
        self.symbols = symbols
        self.wanted: set[str] = set()
        self._skew = skew
        self._told = told
        self._queue: list[str] = []
        self._asked: dict[int, _Asked] = {}
        self._last_id = 0
        self._open = False
        self._confirmed = False
        self._stands = False

    def opened(self, now_ns: int) -> Reading:
        """Subscribe to what was wanted so far; nothing is sent or confirmed where nothing was."""
        self._begin(now_ns)
        self._open = True
        reading = Reading()
        self._subscribe(reading, now_ns)
        return reading

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        """Subscribe to prints and quotes of further symbols; says which of them can't be had."""
        reading = Reading()
        unknown, too_many = [], []
        for symbol in sorted(set(symbols) - self.wanted):
            market = self.symbols.by_symbol.get(symbol)
            if market is None:
                unknown.append(symbol)
            elif 2 * len(self.wanted) + 2 > STREAMS:
                too_many.append(symbol)
            else:
                self.wanted.add(symbol)
                name = market.venue_symbol.lower()
                self._queue += [f"{name}@trade", f"{name}@bookTicker"]
        self._blind(reading, unknown, "aren't in the venue's list of markets", now_ns)
        self._blind(reading, too_many, f"are too many: one connection carries {STREAMS // 2} markets", now_ns)
        if self._open:
            self._subscribe(reading, now_ns)
        return reading

    def tick(self, now_ns: int) -> Reading:
        """End a connection that doesn't answer, or has lived long enough."""
        ended = self._ended(now_ns)
        if ended is not None:
            return ended
        reading = Reading()
        if any(now_ns >= asked.since_ns + ANSWER_NS for asked in self._asked.values()):
            reading.close = f"Binance didn't answer a subscription within {ANSWER_NS // SECOND_NS} s"
        self._plan()
        return reading

    def _plan(self) -> None:
        waits = [asked.since_ns + ANSWER_NS for asked in self._asked.values()]
        self.next_tick_ns = min([self._end_ns, *waits])

    def _subscribe(self, reading: Reading, now_ns: int) -> None:
        for start in range(0, len(self._queue), NAMES_A_MESSAGE):
            names = self._queue[start : start + NAMES_A_MESSAGE]
            self._last_id += 1
            self._asked[self._last_id] = _Asked(now_ns, names)
            request = {"method": "SUBSCRIBE", "params": names, "id": self._last_id}
            reading.send.append(msgspec.json.encode(request).decode())
        self._queue.clear()
        self._plan()

    def _blind(self, reading: Reading, symbols: Collection[str], why: str, now_ns: int) -> None:
        symbols = sorted(set(symbols) - self._told)
        if not symbols:
            return
        self._told.update(symbols)
        names = ", ".join(plain(symbol, 40) for symbol in symbols[:5])
        more = f" and {len(symbols) - 5} more" if len(symbols) > 5 else ""
        reading.notices.append(
            Notice(
                kind=NoticeKind.BLIND,
                ts_ns=now_ns,
                text=f"No market data for {names}{more}: they {why}. "
                "Fills there are seen but judged without prices.",
                exchange=self.exchange,
                stream=self.stream,
            )
        )

    def take(self, frame: bytes | str, now_ns: int) -> Reading:
        """Read a print, a quote, or a reply to a subscription."""
        data = as_bytes(frame)
        reading = Reading()
        convert = None
        if data.startswith(b'{"stream":"'):
            name, _, kind = data[11 : data.find(b'"', 11)].partition(b"@")
            convert = _WRAPPED.get(kind) if name else None
        try:
            if convert is None:
                self._slowly(reading, data, now_ns)
            else:
                row = convert(self, data, now_ns)
                self._row(reading, row)
                if isinstance(row, Trade):
                    notice = self._skew.saw(row.ts_ns, now_ns)
                    if notice is not None:
                        reading.notices.append(notice)
        except UNREADABLE as error:
            self._bad(reading, f"expected a message of {self.stream}: {error}", data)
        return reading

    def _slowly(self, reading: Reading, data: bytes, now_ns: int) -> None:
        """Read a frame of which the first bytes don't say what it is."""
        message = messages.public_frame.decode(data)
        kinds = [] if message.e is UNSET else [message.e]
        content = data
        if message.stream is not UNSET and message.data is not UNSET:
            content = bytes(message.data)
            kinds = [_inner_kind(content), _kind_of_stream(message.stream)]
        for kind in kinds:
            convert = _BARE.get(kind)
            if convert is not None:
                self._row(reading, convert(self, content, now_ns))
                return
        if "serverShutdown" in kinds:
            self._shutdown(reading)
        elif message.snapshot is not UNSET or any(kind in messages.PUBLIC_IGNORED for kind in kinds):
            self.ignored += 1
        elif kinds:
            self._bad(reading, f"expected a print or a quote, found {kinds}", data)
        else:
            self._reply(reading, message, data, now_ns)

    def _row(self, reading: Reading, row: Trade | Quote | None) -> None:
        if row is None:
            self.ignored += 1
        else:
            reading.rows.append(row)

    def _reply(self, reading: Reading, message: messages.PublicFrame, data: bytes, now_ns: int) -> None:
        asked = self._asked.pop(message.id, None) if isinstance(message.id, int) else None
        problem = message.error
        if problem is None and message.code is not None:
            problem = messages.Problem(message.code, message.msg)
        if problem is not None:
            self._bad(reading, f"the venue refused a request: {problem.code} {problem.msg}", data)
            markets = {name.partition("@")[0].upper() for name in (asked.names if asked else ())}
            known = self.symbols.by_venue
            refused = [known[market].symbol for market in markets if market in known]
            self.wanted.difference_update(refused)
            self._blind(reading, refused, f"were refused ({plain(problem.msg, 80)})", now_ns)
        elif asked is None or message.result is UNSET:
            self._bad(reading, "expected a reply to a subscription of ours", data)
        else:
            self._confirmed = True
        if self._confirmed and not self._stands and not self._asked:
            self._stands = reading.ready = True
        self._plan()

    def symbol_of(self, venue_symbol: str) -> str:
        """Unified name of a market.

        Raises
        ------
        ValueError
            It isn't in the list.
        """
        market = self.symbols.by_venue.get(venue_symbol)
        if market is None:
            raise ValueError(f"the market {venue_symbol[:40]!a} isn't in the list of markets")
        return market.symbol


def _trade(at: BinancePublic, data: bytes, now_ns: int) -> Trade | Quote | None:
    del now_ns
    trade = messages.trade_frame.decode(data).data
    return rows.print_(trade, at.exchange, at.symbol_of(trade.venue_symbol))


def _aggregate(at: BinancePublic, data: bytes, now_ns: int) -> Trade | Quote | None:
    del now_ns
    trade = messages.aggregate_frame.decode(data).data
    return rows.aggregate(trade, at.exchange, at.symbol_of(trade.venue_symbol))


def _ticker(at: BinancePublic, data: bytes, now_ns: int) -> Trade | Quote | None:
    ticker = messages.ticker_frame.decode(data).data
    return rows.quote(ticker, at.exchange, at.symbol_of(ticker.venue_symbol), now_ns)


def _bare_trade(at: BinancePublic, data: bytes, now_ns: int) -> Trade | Quote | None:
    del now_ns
    trade = messages.bare_trade.decode(data)
    return rows.print_(trade, at.exchange, at.symbol_of(trade.venue_symbol))


def _bare_aggregate(at: BinancePublic, data: bytes, now_ns: int) -> Trade | Quote | None:
    del now_ns
    trade = messages.bare_aggregate.decode(data)
    return rows.aggregate(trade, at.exchange, at.symbol_of(trade.venue_symbol))


def _bare_ticker(at: BinancePublic, data: bytes, now_ns: int) -> Trade | Quote | None:
    ticker = messages.bare_ticker.decode(data)
    return rows.quote(ticker, at.exchange, at.symbol_of(ticker.venue_symbol), now_ns)


def _kind_of_stream(stream: str) -> str:
    """Kind of a stream by its name: `depth` of `ethbtc@depth20@100ms`."""
    return stream.partition("@")[2].partition("@")[0].rstrip("0123456789").partition("_")[0]


def _inner_kind(data: bytes) -> str:
    """Kind of an event by its own `e`; empty if it has none."""
    try:
        return messages.any_kind.decode(data).kind or ""
    except UNREADABLE:
        return ""


_WRAPPED: Final[dict[bytes, Convert]] = {b"trade": _trade, b"aggTrade": _aggregate, b"bookTicker": _ticker}
_BARE: Final[dict[str, Convert]] = {
    "trade": _bare_trade,
    "aggTrade": _bare_aggregate,
    "bookTicker": _bare_ticker,
}


class BinancePublicSource:
    """Makes the connections of prints and quotes; of futures with another URL, exchange and markets.

    Parameters
    ----------
    symbols
        Markets of one kind: spot, USD-M or COIN-M.
    url
        Of combined streams, without names.
    """

    def __init__(self, symbols: Symbols, *, exchange: str = "binance", url: str = SPOT_URL) -> None:
        self.stream = f"{exchange} public"
        self._symbols = symbols
        self._exchange = exchange
        self._url = url
        self._skew = Skew(exchange, self.stream)
        self._told: set[str] = set()

    async def start(self) -> StreamProtocol:
        """Give a fresh protocol, without subscriptions."""
        return BinancePublic(self.stream, self._url, self._exchange, self._symbols, self._skew, self._told)

    async def renew(self) -> None:
        """Do nothing: there is no session."""
