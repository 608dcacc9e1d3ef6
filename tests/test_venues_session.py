"""What comes over one connection is taken, all of it, in order, with little work and bounded memory."""

from __future__ import annotations

import asyncio
import random

import pytest
from websockets.asyncio.server import ServerConnection

from drainwatch.venues.clock import SystemClock, VirtualClock
from drainwatch.venues.connection import Connection
from drainwatch.venues.session import Times
from stream_fakes import QUICK, FakeProtocol, FakeSink, FakeSource, flood, message, running, until, venue

CLOCK = SystemClock()
READY = message(ready=True)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def connection(
    source: FakeSource, sink: FakeSink, times: Times = QUICK, clock: SystemClock | VirtualClock = CLOCK
) -> Connection:
    return Connection(source, sink, clock, times=times, chance=random.Random(1))


async def stay(socket: ServerConnection) -> None:
    await socket.wait_closed()


def test_a_message_that_breaks_the_protocol_costs_that_message_only() -> None:
    async def handler(socket: ServerConnection) -> None:
        for frame in (READY, message(fill=1), '{"cra', message(crash=1), "", b"\xff\x00", message(fill=2)):
            await socket.send(frame)
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            stream = connection(FakeSource(url), sink)
            async with running(stream.run()):
                await until(lambda: len(sink.heard) == 2)
        assert sink.ids == [1, 2]
        assert [bad.reason for bad in sink.bads] == [
            "not JSON", "a message could not be read: KeyError", "not JSON", "not JSON",
        ]  # fmt: skip
        assert stream.counts.bad == 4
        assert stream.counts.reconnects == 0
        assert sink.bads[1].frame == message(crash=1).encode()

    asyncio.run(scene())


def test_frames_that_wait_are_taken_as_one_bunch() -> None:
    n = 20_000

    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        async for _ in flood(socket, (message(fill=i) for i in range(n))):
            pass
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink).run()):
            await until(lambda: len(sink.heard) == n, 60)
        assert sink.ids == list(range(n))
        assert len(sink.calls) < n / 5
        assert max(count for _, count in sink.calls) <= 1024

    asyncio.run(scene())


def test_a_flood_with_a_slow_consumer_loses_nothing_and_fills_no_memory() -> None:
    n, sent = 40_000, 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal sent
        await socket.send(READY)
        async for sent in flood(socket, (message(fill=i, padding="x" * 1000) for i in range(n))):  # noqa: B007
            pass
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        sink.slow_s = 0.5
        # Pings are due many times while nothing is read, and must not be taken for a dead peer.
        times = Times(ping_s=0.05, pong_s=0.2, close_s=0.2)
        async with venue(handler, ping_interval=None) as (_, url):
            stream = connection(FakeSource(url), sink, times)
            async with running(stream.run()):
                await until(lambda: len(sink.calls) == 3, 60)
                # The server feels the back-pressure: what isn't taken waits with it.
                assert sent < n
                assert stream._session is not None
                assert stream._session._waiting <= 8192
                assert stream._session._waiting_bytes <= 9 << 20
                assert sent < 8 * 1024 + 20_000  # ours, the kernel's and the server's buffers
                sink.slow_s = 0.0
                await until(lambda: len(sink.heard) == n, 120)
        assert sink.ids == list(range(n))
        assert stream.counts.reconnects == 0

    asyncio.run(scene())


def test_a_half_open_connection_is_given_up() -> None:
    made, over = 0, asyncio.Event()

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await socket.send(READY)
        await socket.send(message(fill=made))
        if made == 1:
            await asyncio.sleep(0.05)
            socket.transport.pause_reading()  # alive, but deaf and mute
            await over.wait()
            socket.transport.abort()
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        times = Times(ping_s=0.1, pong_s=0.2, close_s=0.1, first_retry_s=0.01)
        async with venue(handler, ping_interval=None) as (_, url):
            stream = connection(FakeSource(url), sink, times)
            async with running(stream.run()):
                began = asyncio.get_running_loop().time()
                await until(lambda: len(sink.heard) == 2)
                assert 0.25 < asyncio.get_running_loop().time() - began < 2.0
            assert stream.counts.reconnects == 1
            over.set()

    asyncio.run(scene())


def test_a_peer_that_answers_no_pings_but_talks_is_kept() -> None:
    async def scene() -> None:
        async def handler(socket: ServerConnection) -> None:
            await socket.send(READY)
            for i in range(20):
                socket.transport.pause_reading()
                await socket.send(message(fill=i))
                await asyncio.sleep(0.05)
            socket.transport.resume_reading()
            await stay(socket)

        sink = FakeSink()
        times = Times(ping_s=0.1, pong_s=0.2, close_s=0.1)
        async with venue(handler, ping_interval=None) as (_, url):
            stream = connection(FakeSource(url), sink, times)
            async with running(stream.run()):
                await until(lambda: len(sink.heard) == 20)
            assert stream.counts.reconnects == 0

    asyncio.run(scene())


def test_ticks_come_when_the_protocol_wants_them() -> None:
    s = 1_000_000_000
    got: list[str] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        async for frame in socket:
            got.append(str(frame))
            if len(got) == 4:  # it is to be earlier than planned, and then no more
                await socket.send(message(tick_in_ns=5 * s))

    async def scene() -> None:
        sink, clock = FakeSink(), VirtualClock()
        async with venue(handler) as (_, url):
            source = FakeSource(url)

            def every_minute(protocol: FakeProtocol) -> None:
                protocol.tick_every_ns = 60 * s

            source.make = every_minute
            stream = connection(source, sink, Times(), clock)
            async with running(stream.run()):
                await until(lambda: sink.filled)
                start = clock.now_ns()
                await clock.advance(181)
                await until(lambda: len(got) == 4)
                await asyncio.sleep(0.05)
                await clock.advance(60)
                (protocol,) = source.protocols
                assert [t - start for t in protocol.ticks] == [60 * s, 120 * s, 180 * s, 185 * s]
                await until(lambda: len(sink.heard) == 4)
        assert got == ["login", "ping", "ping", "ping", "ping"]

    asyncio.run(scene())


def test_a_tick_that_stays_due_does_not_stop_everything_else() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        for i in range(50):
            await socket.send(message(fill=i))
            await asyncio.sleep(0.002)
        await stay(socket)

    class Stuck(FakeProtocol):
        def tick(self, now_ns: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
            super().tick(now_ns)
            self.next_tick_ns = 1
            raise ZeroDivisionError

    class StuckSource(FakeSource):
        async def start(self) -> Stuck:
            protocol = Stuck(self.url)
            protocol.next_tick_ns = 1
            self.protocols.append(protocol)
            return protocol

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            source = StuckSource(url)
            async with running(connection(source, sink).run()):
                await until(lambda: len(sink.heard) == 50)
        assert 2 < len(source.protocols[0].ticks) < 200
        assert {bad.reason for bad in sink.bads} == {
            "an error of drainwatch's own in tick: ZeroDivisionError"
        }

    asyncio.run(scene())


def test_answers_are_sent_in_order_and_no_faster_than_venues_allow() -> None:
    got: list[tuple[float, str]] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.send(message(ready=True, send=[str(i) for i in range(11)]))
        async for frame in socket:
            got.append((asyncio.get_running_loop().time(), str(frame)))  # noqa: PERF401 - watched meanwhile

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink, Times()).run()):
            await until(lambda: len(got) == 12)

    asyncio.run(scene())
    assert [frame for _, frame in got] == ["login", *map(str, range(11))]
    times = [at for at, _ in got]
    assert all(later - earlier > 0.9 for earlier, later in zip(times, times[4:], strict=False))


def test_the_session_is_renewed_beside_the_stream_until_it_works() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        await socket.send(message(renew=True))
        await socket.send(message(renew=True))
        await socket.send(message(fill=1))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            source = FakeSource(url)
            source.renew_fails = [RuntimeError("x"), OSError("y")]
            stream = connection(source, sink)
            async with running(stream.run()):
                await until(lambda: source.renewed and sink.heard)
                await asyncio.sleep(0.05)
        assert source.renewed == 1
        assert len(sink.bads) == 2
        assert stream.counts.reconnects == 0

    asyncio.run(scene())


def test_a_subscription_that_is_never_confirmed_is_given_up() -> None:
    made = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        times = Times(ready_s=0.1, patience_s=0.3, first_retry_s=0.01, last_retry_s=0.01, close_s=0.1)
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink, times).run()):
            await until(lambda: sink.notices)
        assert made > 1
        assert "didn't confirm the subscription" in sink.notices[0].text

    asyncio.run(scene())


def test_a_stream_with_nothing_to_subscribe_to_is_up_when_it_is_connected() -> None:
    def hush(protocol: FakeProtocol) -> None:
        protocol.silent = True

    async def scene() -> None:
        sink = FakeSink()
        times = Times(ready_s=0.1, patience_s=30.0)
        async with venue(stay) as (_, url):
            source = FakeSource(url)
            source.make = hush
            stream = connection(source, sink, times)
            async with running(stream.run()):
                await until(lambda: stream.counts.connected)
                await asyncio.sleep(0.4)
                assert stream.counts.connected
                assert stream._away_since_ns is None
        assert sink.notices == []
        assert sink.filled == []
        assert len(source.protocols) == 1

    asyncio.run(scene())


def test_new_symbols_are_passed_on_with_their_exchange() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(message(symbols=["A/B", "C/D"]))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink).run()):
            await until(lambda: sink.symbols)
        assert sink.symbols == {("fake", "A/B"), ("fake", "C/D")}

    asyncio.run(scene())


def test_what_was_received_before_the_end_is_still_taken() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        async for _ in flood(socket, (message(fill=i) for i in range(3000))):
            pass
        await socket.close()

    async def scene() -> None:
        sink = FakeSink()
        sink.slow_s = 0.1
        times = Times(first_retry_s=60.0)
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink, times).run()):
            await until(lambda: len(sink.heard) == 3000)

    asyncio.run(scene())
