"""One watched account: its streams, the markets that go with it, and what fills in the holes.

A stream tells what happens while it stands. What happened while it didn't is asked for by REST after
every connect, and on a timer, because a stream may be deaf without knowing. What can't be filled in is
said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from drainwatch.errors import StateError, VenueError
from drainwatch.events import NS_PER_S
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Candle, Fill, Market, Row
from drainwatch.tape import MARKETS, Strand
from drainwatch.venues.catalogue import NATIVE, Streams, native_streams
from drainwatch.venues.ccxt_stream import CcxtStream
from drainwatch.venues.connection import Connection
from drainwatch.venues.ports import Clock
from drainwatch.venues.protocol import BadMessage, Credentials, StreamSource
from drainwatch.venues.rest import Rest
from drainwatch.venues.wanted import wanted
from drainwatch.watch.backfill import Backfill
from drainwatch.watch.health import StreamStatus
from drainwatch.watch.hub import Hub
from drainwatch.watch.silence import Voice

PAST_NS: Final = 24 * 3600 * NS_PER_S
"""How much of a market's past is asked for when it turns up."""
TOGETHER_S: Final = 1.0
"""So long is waited for the past of further markets; fills wait a little longer than that (`WAIT_NS`)."""


class Listed(msgspec.Struct, frozen=True):
    """On a tape: what an account's venue lists."""

    exchange: str
    address: str
    markets: list[Market]


class Followed:
    """Follows one account. It is its streams' sink.

    Parameters
    ----------
    name, exchange
        The account's name in the settings, and the exchange's id.
    rest, hub, clock
        REST of the venue with the account's key, where rows go, and the time.
    credentials, address
        Whose fills: a key, or for Hyperliquid an address.
    symbols
        Markets to follow from the start.
    url_private, url_public
        Where the streams are, if elsewhere than usual.
    tape
        Keeps the frames as they came; None: nobody, or its venue has none that we read ourselves.
    backfill_s
        Between looks at the venue's own list of fills.
    """

    def __init__(
        self,
        name: str,
        exchange: str,
        rest: Rest,
        hub: Hub,
        clock: Clock,
        *,
        credentials: Credentials | None = None,
        address: str = "",
        symbols: Collection[str] = (),
        url_private: str = "",
        url_public: str = "",
        tape: Strand | None = None,
        backfill_s: float = 300.0,
    ) -> None:
        self.name, self.exchange = name, exchange
        self.connections: list[Connection] = []
        self.ccxt: CcxtStream | None = None
        self._private: list[Connection] = []
        self._public: list[tuple[Connection, Callable[[Market], bool]]] = []
        self._rest, self._hub, self._clock = rest, hub, clock
        self._credentials, self._address = credentials, address
        self._urls = {"url_private": url_private, "url_public": url_public}
        self._tape = tape
        self._backfill_s = backfill_s
        self._markets: dict[str, Market] = {}
        self._traded: set[str] = set(symbols) | self._remembered("traded")
        self._wanted: set[str] = set()
        self._told_markets: set[str] = set()
        self._fresh: asyncio.Queue[set[str]] = asyncio.Queue()
        hub.voices.append(self._voices)
        self._group: asyncio.TaskGroup | None = None
        self._streams: Streams | None = None
        self._relisting: asyncio.Task[None] | None = None
        self._backfill = Backfill(
            name,
            exchange,
            rest,
            hub,
            clock,
            deliver=self._deliver,
            traded=self._traded,
            markets=self._markets,
            relist=self._relist,
            deaf=self._deaf,
        )

    # --- the streams' sink ---------------------------------------------------------------------------

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        """Pass a stream's rows on; a market that turns up is told of before its first fill, and followed."""
        await self._pass(rows, received_ns, taped=self._tape is not None)

    async def _pass(self, rows: Sequence[Row], received_ns: int, *, taped: bool = False) -> None:
        """Pass rows on; `taped`: the frames that they came in are on the tape."""
        out: list[Row] = []
        told: list[Row] = []
        new: set[str] = set()
        for row in rows:
            if type(row) is Fill:
                if row.account != self.name:
                    continue
                if row.symbol not in self._told_markets:
                    told += self._tell_market(row.symbol)
                if row.symbol not in self._traded:
                    new.add(row.symbol)
                self._backfill.told(row)
            elif type(row) is Market:
                self._markets[row.symbol] = row
                continue
            out.append(row)
        if new:
            self.seen(self.exchange, new)
        if not taped:
            await self._hub.rows([*told, *out], received_ns)
            return
        if told:
            self._hub.take(told, received_ns)
        await self._hub.rows(out, received_ns, taped=True)

    async def ready(self, stream: str, *, first: bool) -> None:
        """A stream stands: fill in what may have been missed."""
        if "public" in stream:
            return
        del first
        await self._backfill.stands()

    def notice(self, notice: Notice) -> None:
        """Pass a notice on."""
        self._hub.notice(notice)

    def bad(self, message: BadMessage) -> None:
        """Pass on what isn't understood; it may have been a fill, so look at the venue's list soon."""
        self._hub.bad(message)
        if self.ccxt is None and "public" not in message.stream:
            self._backfill.doubt()

    def seen(self, exchange: str, symbols: set[str]) -> None:
        """Follow markets that the account trades."""
        del exchange
        new = symbols - self._traded
        if not new:
            return
        self._traded |= new
        with contextlib.suppress(StateError):  # the next look at the venue's list keeps them
            self._hub.store.set_value(f"traded/{self.name}", json.dumps(sorted(self._traded)).encode())
        self._fresh.put_nowait(new)

    def unlisted(self, exchange: str, names: set[str]) -> None:
        """Read the venue's list of markets anew."""
        del exchange, names
        if self._group is not None and (self._relisting is None or self._relisting.done()):
            self._relisting = self._group.create_task(self._relist())

    async def _relist(self) -> None:
        try:
            markets = await self._rest.markets(reload=True)
        except VenueError:
            return  # the stream asks again, and gives its fills under the venue's own name after a while
        self._markets.update({market.symbol: market for market in markets})
        self._tape_markets(markets)
        if self._streams is not None:
            self._streams.relist(markets)

    def _tape_markets(self, markets: Collection[Market]) -> None:
        """Record the list by which frames are read from now on."""
        if self._tape is not None:
            listed = Listed(self.exchange, self._address, list(markets))
            self._tape.record("", self._clock.now_ns(), msgspec.json.encode(listed), MARKETS)

    def streams(self) -> list[StreamStatus]:
        """How its streams are now."""
        if self.ccxt is not None:
            up = self.ccxt.connected
            deaf = None if up else "not connected"
            return [StreamStatus(name=self.ccxt.stream, account=self.name, connected=up, deaf=deaf)]
        return [
            StreamStatus(
                name=connection.stream,
                account=self.name,
                connected=connection.counts.connected,
                last_frame_ns=connection.counts.last_frame_ns,
                deaf=None if connection.counts.connected else "not connected",
                rows=connection.counts.rows,
                bad=connection.counts.bad,
                reconnects=connection.counts.reconnects,
            )
            for connection in self.connections
        ]

    def _voices(self) -> list[tuple[Voice, int | None]]:
        """When its public streams were last heard; None for one that is away."""
        return [
            (
                Voice(self.exchange, "", connection.stream),
                connection.counts.last_frame_ns if connection.counts.connected else None,
            )
            for connection, _ in self._public
            if connection.counts.last_frame_ns is not None
        ]

    # --- life ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the account until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                if self.exchange in NATIVE:
                    await self._run_native(self._group)
                else:
                    await self._run_ccxt(self._group)
        finally:
            await self._rest.close()

    async def _run_native(self, group: asyncio.TaskGroup) -> None:
        markets = await self._backfill.persist("listing its markets", self._rest.markets)
        self._markets.update({market.symbol: market for market in markets})
        streams = self._streams = native_streams(
            self.exchange,
            markets,
            self._rest,
            account=self.name,
            credentials=self._credentials,
            address=self._address,
            **self._urls,
        )
        if self._tape is not None and self._credentials is not None:
            for part in (self._credentials.key, self._credentials.secret, self._credentials.passphrase):
                with contextlib.suppress(ValueError):  # too short to be told from other words, or none
                    self._tape.hide(part)
        self._tape_markets(markets)
        for source in streams.private:
            self._connect(group, source, self.name, _is_told if not streams.public else None)
        for source, belongs in streams.public:
            self._connect(group, source, "", belongs)
        self._fresh.put_nowait(set(self._traded))
        group.create_task(self._follow_markets())
        group.create_task(self._backfill.run(self._backfill_s))

    def _connect(
        self,
        group: asyncio.TaskGroup,
        source: StreamSource,
        account: str,
        belongs: Callable[[Market], bool] | None,
    ) -> None:
        """Begin a stream; `belongs` says of which markets it has public data, None: of none."""
        connection = Connection(
            source,
            self,
            self._clock,
            recorder=self._tape,
            exchange=self.exchange,
            account=account,
        )
        self.connections.append(connection)
        if account:
            self._private.append(connection)
        if belongs is not None:
            self._public.append((connection, belongs))
        group.create_task(connection.run())

    async def _run_ccxt(self, group: asyncio.TaskGroup) -> None:
        since_ns = self._backfill.begin()
        self.ccxt = CcxtStream(self._rest, self, self._clock, symbols=self._traded, since_ns=since_ns)
        group.create_task(self.ccxt.run())
        self._fresh.put_nowait(set(self._traded))
        group.create_task(self._follow_markets())
        group.create_task(self._backfill.run(self._backfill_s))

    # --- markets -------------------------------------------------------------------------------------

    def _tell_market(self, symbol: str) -> list[Row]:
        """A market's own row, the first time."""
        market = self._markets.get(symbol)
        if market is None or symbol in self._told_markets:
            return []
        self._told_markets.add(symbol)
        return [market]

    async def _follow_markets(self) -> None:
        """Subscribe to what is traded, its twins and the rates between them, and learn their past."""
        while True:
            await self._fresh.get()
            new = wanted(self._traded, self._markets.values()) - self._wanted
            if not new:
                continue
            self._wanted |= new
            told = [row for symbol in sorted(new) for row in self._tell_market(symbol)]
            if told:
                await self._hub.rows(told, self._clock.now_ns())
            for connection, belongs in self._public:
                markets = [self._markets[symbol] for symbol in new if symbol in self._markets]
                await connection.want([market.symbol for market in markets if belongs(market)])
            if self.ccxt is not None:
                await self.ccxt.want(new)
            await self._learn_pasts(sorted(new, key=lambda symbol: (symbol not in self._traded, symbol)))

    async def _learn_pasts(self, symbols: Sequence[str]) -> None:
        """Learn the past of markets: of several together, as they say what another was worth then."""
        candles: list[Row] = []
        began_ns = self._clock.now_ns()
        for symbol in symbols:
            candles += await self._past_of(symbol)
            if self._clock.now_ns() - began_ns >= TOGETHER_S * NS_PER_S:
                await self._hub.rows(candles, self._clock.now_ns())
                candles, began_ns = [], self._clock.now_ns()
        await self._hub.rows(candles, self._clock.now_ns())

    async def _past_of(self, symbol: str) -> list[Candle]:
        """Ask for what a market did lately, so that its first fill isn't judged blind."""
        now_ns = self._clock.now_ns()
        since_ns = now_ns - PAST_NS
        if (self.exchange, symbol) in self._hub.core.heard():
            since_ns = max(since_ns, self._hub.core.intake.last_ns)
        try:
            candles = await self._rest.candles(symbol, since_ns)
        except VenueError:
            return []  # its stream will tell: until then its fills are blind, and counted as that
        return [c for c in candles if c.ts_ns + c.length_ns <= now_ns]

    # --- holes ---------------------------------------------------------------------------------------

    async def _deliver(self, rows: Sequence[Row]) -> None:
        await self._pass(rows, self._clock.now_ns())

    def _deaf(self, what: str) -> None:
        """Have the account's streams made anew that stand, but were found deaf."""
        deaf = [one for one in self._private if one.counts.connected]
        if not deaf:
            return
        self._backfill.say(NoticeKind.SILENCE, what, None)
        for connection in deaf:
            connection.renew("it didn't tell of fills that the exchange lists")

    # --- what is remembered --------------------------------------------------------------------------

    def _remembered(self, what: str) -> set[str]:
        value = self._hub.store.value(f"{what}/{self.name}")
        return set(json.loads(value)) if value else set()


def _is_told(market: Market) -> bool:
    del market
    return True
