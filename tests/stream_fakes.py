"""A made-up venue for tests of what carries streams: its protocol, its source, a server, and a sink."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill, Row
from drainwatch.venues.protocol import BadMessage, Reading
from drainwatch.venues.session import Times

STREAM = "fake private"
TOKEN = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"  # noqa: S105 - of nobody

MUTE = logging.Logger("server", logging.CRITICAL + 1)  # noqa: LOG001 - it would log addresses

QUICK = Times(
    patience_s=0.15, first_retry_s=0.01, last_retry_s=0.05, steady_s=0.0, close_s=0.2, open_s=2.0,
    refused_retry_s=0.2, sends_per_s=1000,
)  # fmt: skip
"""Times that let tests be quick."""

Handler = Callable[[ServerConnection], Awaitable[None]]


def fill(i: int) -> Fill:
    """Make the i-th fill."""
    return Fill(
        exchange="fake",
        account="main",
        symbol="ETH/BTC",
        id=str(i),
        ts_ns=i,
        side="buy",
        price="0.07",
        amount="1",
    )


def message(**what: object) -> str:
    """Make a frame of the venue."""
    return json.dumps(what)


class FakeProtocol:
    """Reads `{"fill": 1}` and whatever a `Reading` knows: `{"ready": true, "close": "reason"}`."""

    stream = STREAM

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.headers = headers or {}
        self.next_tick_ns: int | None = None
        self.ticks: list[int] = []
        self.tick_every_ns: int | None = None
        self.silent = False

    def opened(self, now_ns: int) -> Reading:
        if self.tick_every_ns is not None:
            self.next_tick_ns = now_ns + self.tick_every_ns
        return Reading() if self.silent else Reading(send=["login"])

    def take(self, frame: bytes | str, now_ns: int) -> Reading:
        try:
            read = json.loads(frame)
        except ValueError:
            return Reading(bad=[BadMessage(self.stream, "not JSON", bytes(frame[:500]))])  # type: ignore[arg-type]
        if "crash" in read:
            raise KeyError(TOKEN)
        if "tick_in_ns" in read:
            self.next_tick_ns = now_ns + read["tick_in_ns"]
        return Reading(
            rows=[fill(i) for i in ([read["fill"]] if "fill" in read else read.get("fills", []))],
            send=read.get("send", []),
            notices=[
                Notice(kind=NoticeKind(kind), ts_ns=now_ns, text="told by the venue")
                for kind in read.get("notices", [])
            ],
            symbols=set(read.get("symbols", [])),
            ready=read.get("ready", False),
            renew=read.get("renew", False),
            close=read.get("close"),
            refused=read.get("refused", False),
        )

    def tick(self, now_ns: int) -> Reading:
        self.ticks.append(now_ns)
        self.next_tick_ns = None if self.tick_every_ns is None else now_ns + self.tick_every_ns
        return Reading(send=["ping"], rows=[fill(1_000_000 + len(self.ticks))])

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        return Reading(send=[f"subscribe {symbol}" for symbol in sorted(symbols)])


class FakeSource:
    """Gives fresh protocols; `fails` are raised first, one a time."""

    stream = STREAM

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.headers = headers
        self.fails: list[Exception] = []
        self.renew_fails: list[Exception] = []
        self.renewed = 0
        self.protocols: list[FakeProtocol] = []
        self.make: Callable[[FakeProtocol], None] = lambda _: None

    async def start(self) -> FakeProtocol:
        if self.fails:
            raise self.fails.pop(0)
        protocol = FakeProtocol(self.url, self.headers)
        self.make(protocol)
        self.protocols.append(protocol)
        return protocol

    async def renew(self) -> None:
        if self.renew_fails:
            raise self.renew_fails.pop(0)
        self.renewed += 1


class FakeSink:
    """Remembers; `slow_s` seconds for each call of `rows`."""

    def __init__(self) -> None:
        self.heard: list[Row] = []
        self.calls: list[tuple[int, int]] = []
        self.filled: list[tuple[str, bool]] = []
        self.notices: list[Notice] = []
        self.bads: list[BadMessage] = []
        self.symbols: set[tuple[str, str]] = set()
        self.slow_s = 0.0
        self.raises: Exception | None = None

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        if self.raises is not None:
            raise self.raises
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        self.calls.append((received_ns, len(rows)))
        self.heard += rows

    async def ready(self, stream: str, *, first: bool) -> None:
        self.filled.append((stream, first))

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def bad(self, message: BadMessage) -> None:
        self.bads.append(message)

    def seen(self, exchange: str, symbols: set[str]) -> None:
        self.symbols |= {(exchange, symbol) for symbol in symbols}

    def unlisted(self, exchange: str, names: set[str]) -> None:
        self.symbols |= {(exchange, name) for name in names}

    @property
    def ids(self) -> list[int]:
        """Ids of the fills, in order."""
        return [int(row.id) for row in self.heard if isinstance(row, Fill)]

    @property
    def kinds(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.notices]


async def flood(socket: ServerConnection, frames: Iterable[str]) -> AsyncIterator[int]:
    """Send frames flat out, some hundreds a write; gives how many were taken so far."""
    sent = 0
    for some in batched(frames, 200):
        wire = b"".join(Frame(Opcode.TEXT, frame.encode()).serialize(mask=False) for frame in some)
        socket.transport.write(wire)
        await socket.drain()
        sent += len(some)
        yield sent


def batched(frames: Iterable[str], n: int) -> Iterator[list[str]]:
    """Cut into lists of n."""
    rest = iter(frames)
    while some := list(itertools.islice(rest, n)):
        yield some


@contextlib.asynccontextmanager
async def venue(handler: Handler, **options: object) -> AsyncIterator[tuple[Server, str]]:
    """Serve a handler on loopback; gives the server and its address."""

    async def handle(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await handler(socket)

    options.setdefault("logger", MUTE)
    async with serve(handle, "127.0.0.1", 0, compression=None, **options) as server:  # type: ignore[arg-type]
        host, port = server.sockets[0].getsockname()[:2]
        yield server, f"ws://{host}:{port}/ws/{TOKEN}"


@contextlib.asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[asyncio.Task[None]]:
    """Let something run meanwhile, and cancel it at the end; what it raised before is raised."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.002)
