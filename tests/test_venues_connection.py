"""A stream stays up whatever the network and the venue do, and is told of when it doesn't."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
from collections.abc import Iterator
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.notices import NoticeKind
from drainwatch.tape import CLOSED, FRAME, OPENED, WANTED, FrameRecorder, read_frames
from drainwatch.venues.clock import SystemClock, VirtualClock
from drainwatch.venues.connection import Connection
from drainwatch.venues.session import Times
from stream_fakes import (
    MUTE,
    QUICK,
    STREAM,
    TOKEN,
    FakeProtocol,
    FakeSink,
    FakeSource,
    message,
    running,
    until,
    venue,
)

CLOCK = SystemClock()
READY = message(ready=True)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert TOKEN not in caplog.text


def connection(source: FakeSource, sink: FakeSink, times: Times = QUICK) -> Connection:
    return Connection(source, sink, CLOCK, times=times, account="main", chance=random.Random(1))


async def stay(socket: ServerConnection) -> None:
    await socket.wait_closed()


def test_fills_come_through_in_order() -> None:
    async def handler(socket: ServerConnection) -> None:
        assert await socket.recv() == "login"
        await socket.send(READY)
        for i in range(100):
            await socket.send(message(fill=i))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            stream = connection(FakeSource(url), sink)
            before = CLOCK.now_ns()
            async with running(stream.run()):
                await until(lambda: len(sink.heard) == 100)
                connected = [stream.counts.connected]
            connected.append(stream.counts.connected)
        assert connected == [True, False]
        assert sink.ids == list(range(100))
        assert sink.filled == [(STREAM, True)]
        assert all(before < received_ns <= CLOCK.now_ns() for received_ns, _ in sink.calls)
        assert stream.counts.frames == 101
        assert stream.counts.rows == 100
        assert stream.counts.bytes == len(READY) + sum(len(message(fill=i)) for i in range(100))
        assert stream.counts.last_frame_ns == sink.calls[-1][0]
        assert sink.notices == []
        assert sink.bads == []

    asyncio.run(scene())


def test_after_any_end_the_stream_is_back_and_what_was_missed_is_asked_for() -> None:
    ends = ["clean", "abort", "in the middle of a frame", "error", "by the protocol", "bad frame"]
    made = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        how, made = ends[made] if made < len(ends) else "", made + 1
        await socket.send(READY)
        await socket.send(message(fill=made))
        if how == "clean":
            await socket.close()
        elif how == "error":
            await socket.close(1011, "internal error")
        elif how == "abort":
            await asyncio.sleep(0.05)
            socket.transport.abort()
        elif how == "in the middle of a frame":
            socket.transport.write(b"\x81\x7e\x01\x00{")
            await asyncio.sleep(0.05)
            socket.transport.abort()
        elif how == "by the protocol":
            await socket.send(message(close="its 24 hours are over"))
        elif how == "bad frame":
            socket.transport.write(b"\xff\xff\xff\xff")
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            stream = connection(FakeSource(url), sink)
            async with running(stream.run()):
                await until(lambda: len(sink.filled) == len(ends) + 1)
        assert sink.ids == list(range(1, len(ends) + 2))
        assert sink.filled == [(STREAM, True)] + [(STREAM, False)] * len(ends)
        assert stream.counts.reconnects == len(ends)
        assert sink.notices == []  # each time it was back at once

    asyncio.run(scene())


def test_whatever_bytes_come_over_the_wire_the_stream_comes_back() -> None:
    rng, made, n = random.Random(5), 0, 60

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await socket.send(READY)
        await socket.send(message(fill=made))
        if made < n:
            whole = b'\x81\x0b{"fill": 7} \x81\x0c{"fills": []}'
            wire = bytearray(whole if made % 2 else rng.randbytes(60))
            for _ in range(rng.randrange(4)):
                wire[rng.randrange(len(wire))] = rng.randrange(256)
            socket.transport.write(bytes(wire[: rng.randrange(1, len(wire))]))
            await asyncio.sleep(0.01)
            socket.transport.abort()
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            stream = connection(FakeSource(url), sink)
            async with running(stream.run()):
                await until(lambda: n in sink.ids, 30)
        assert set(range(1, n + 1)) <= set(sink.ids)
        assert stream.counts.reconnects == n - 1

    asyncio.run(scene())


def test_a_frame_that_is_too_large_ends_the_connection_and_is_told_with_the_reason() -> None:
    async def handler(socket: ServerConnection) -> None:
        socket.transport.write(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink).run()):
            await until(lambda: sink.notices)
        assert "broke the rules of websockets (code 1009)" in sink.notices[0].text

    asyncio.run(scene())


def test_wanted_symbols_are_asked_for_again_by_each_connection() -> None:
    got: list[list[str]] = []

    async def handler(socket: ServerConnection) -> None:
        got.append(mine := [])
        await socket.send(READY)
        async for frame in socket:
            mine.append(str(frame))
            if len(mine) == 3:
                await socket.close()

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            stream = connection(FakeSource(url), sink)
            await stream.want({"B/C"})
            async with running(stream.run()):
                await until(lambda: sink.filled)
                await stream.want({"A/B", "B/C"})
                await until(lambda: len(got) == 2 and len(got[1]) == 3)
        assert got[0] == ["login", "subscribe B/C", "subscribe A/B"]
        assert got[1] == ["login", "subscribe A/B", "subscribe B/C"]

    asyncio.run(scene())


def test_a_stream_that_stays_away_is_told_of_once_and_again_when_it_is_back() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (server, url):
            port = server.sockets[0].getsockname()[1]
            stream = connection(FakeSource(url), sink)
            async with running(stream.run()):
                await until(lambda: sink.filled)
                server.close()
                await server.wait_closed()
                await until(lambda: sink.notices)
                away = sink.notices[0]
                assert away.kind is NoticeKind.STREAM_CLOSED
                assert (away.exchange, away.account, away.stream) == ("fake", "main", STREAM)
                assert away.since_ns is not None
                assert away.ts_ns - away.since_ns >= 140_000_000
                assert STREAM in away.text
                assert "UTC" in away.text
                assert "can't be reached" in away.text
                await asyncio.sleep(0.4)
                assert len(sink.notices) == 1
                async with serve(handler, "127.0.0.1", port, logger=MUTE):
                    await until(lambda: len(sink.filled) == 2)
                    assert sink.kinds == [NoticeKind.STREAM_CLOSED, NoticeKind.STREAM_BACK]
                    back = sink.notices[1]
                    assert back.since_ns == away.since_ns
                    assert back.until_ns == back.ts_ns
                    assert back.until_ns is not None
                    assert back.until_ns > away.ts_ns

    asyncio.run(scene())


def test_a_stream_that_never_came_up_is_told_of_with_the_reason() -> None:
    def refuse(_: ServerConnection, __: Request) -> Response:
        return Response(HTTPStatus.TOO_MANY_REQUESTS, "", Headers({"Retry-After": "1"}), TOKEN.encode())

    async def scene() -> None:
        sink = FakeSink()
        async with venue(stay, process_request=refuse) as (_, url):
            stream = connection(FakeSource(url), sink)
            async with running(stream.run()):
                await until(lambda: sink.notices)
                assert stream.counts.reconnects == 1  # the venue asked for a second of peace
                assert "HTTP 429" in sink.notices[0].text
        assert TOKEN not in repr(sink.notices)

    asyncio.run(scene())


def test_a_refused_key_is_told_at_once_and_tried_again_slowly() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            source = FakeSource(url)
            source.fails = [KeyRefusedError("the key is not known there")] * 2
            stream = connection(source, sink)
            async with running(stream.run()):
                await until(lambda: sink.notices, 0.15)
                assert sink.kinds == [NoticeKind.KEY_REFUSED]
                assert "the key is not known there" in sink.notices[0].text
                await until(lambda: sink.filled)
        # Neither is it said twice, nor told as a closed stream besides.
        assert sink.kinds == [NoticeKind.KEY_REFUSED, NoticeKind.STREAM_BACK]
        since_ns, until_ns = sink.notices[1].since_ns, sink.notices[1].until_ns
        assert since_ns is not None
        assert until_ns is not None
        assert until_ns - since_ns >= 400_000_000

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["by the protocol", "while renewing"])
def test_a_key_refused_by_the_open_stream_is_told_once(how: str) -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        if how == "by the protocol":
            await socket.send(message(notices=["key_refused"], close="the login failed", refused=True))
        else:
            await socket.send(message(renew=True))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            source = FakeSource(url)
            source.renew_fails = [VenueError("500"), KeyRefusedError("revoked")]
            async with running(connection(source, sink).run()):
                await until(lambda: sink.notices)
                await asyncio.sleep(0.05)
        assert sink.kinds == [NoticeKind.KEY_REFUSED]
        assert len(source.protocols) == 1

    asyncio.run(scene())


def test_a_lost_session_passes_through_and_the_session_is_made_anew() -> None:
    made = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await socket.send(READY)
        if made == 1:
            await socket.send(message(notices=["session_lost"], close="the listen key expired"))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink).run()):
            await until(lambda: len(sink.filled) == 2)
        assert sink.kinds == [NoticeKind.SESSION_LOST]

    asyncio.run(scene())


def test_whatever_the_rest_side_raises_the_stream_goes_on() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            source = FakeSource(url)
            source.fails = [
                VenueError("it answers HTTP 502"), KeyError(TOKEN), OSError(TOKEN), TimeoutError(),
                ValueError(url),
            ]  # fmt: skip
            slow = Times(
                patience_s=0.3, first_retry_s=0.2, last_retry_s=0.2, steady_s=0.0, refused_retry_s=0.2
            )
            async with running(connection(source, sink, slow).run()):
                await until(lambda: sink.filled)
        assert sink.kinds == [NoticeKind.STREAM_CLOSED, NoticeKind.STREAM_BACK]
        assert TOKEN not in repr(sink.notices)

    asyncio.run(scene())


def test_waits_double_up_to_a_minute_and_begin_anew_after_a_steady_connection() -> None:
    class Noted(VirtualClock):
        def __init__(self) -> None:
            super().__init__()
            self.waits: list[float] = []

        async def sleep(self, seconds: float) -> None:
            self.waits.append(seconds)
            await super().sleep(seconds)

    async def scene() -> list[float]:
        clock, sink = Noted(), FakeSink()
        source = FakeSource("ws://127.0.0.1:9/")
        source.fails = [VenueError("down")] * 12
        async with running(Connection(source, sink, clock, chance=random.Random(3)).run()):
            await clock.advance(500)
            assert not source.fails or len(source.fails) < 4
        assert sink.kinds == [NoticeKind.STREAM_CLOSED]
        return [wait for wait in clock.waits if wait != 10.0]

    waits = asyncio.run(scene())
    assert len(waits) > 8
    for i, wait in enumerate(waits):
        longest = min(60.0, 2.0**i)
        assert longest / 2 <= wait <= longest
    assert len(set(waits[-3:])) == 3  # spread by chance


def test_a_venue_that_closes_at_once_is_not_hammered() -> None:
    made: list[float] = []

    async def handler(socket: ServerConnection) -> None:
        made.append(asyncio.get_running_loop().time())
        await socket.send(READY)
        await socket.close()

    async def scene() -> None:
        sink = FakeSink()
        times = Times(steady_s=10.0, first_retry_s=0.05, last_retry_s=0.4)
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink, times).run()):
            await until(lambda: len(made) >= 6, 60)
        # half of 0.05, 0.1, 0.2, 0.4 and 0.4 s at least: chance spreads it
        for (before, after), least_s in zip(pairwise(made), (0.025, 0.05, 0.1, 0.2, 0.2), strict=False):
            assert after - before >= least_s

    asyncio.run(scene())


def test_backfills_come_one_after_the_other_however_often_the_stream_comes_back() -> None:
    made = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await socket.send(READY)
        await socket.send(message(fill=made))
        if made < 10:
            await socket.close()
        await stay(socket)

    async def scene() -> None:
        may_fill = asyncio.Event()

        class Slow(FakeSink):
            async def ready(self, stream: str, *, first: bool) -> None:
                await may_fill.wait()
                await super().ready(stream, first=first)

        sink = Slow()
        async with venue(handler) as (_, url), running(connection(FakeSource(url), sink).run()):
            await until(lambda: len(sink.heard) == 10)  # reading didn't wait for the back-fill
            assert sink.filled == []
            may_fill.set()
            await until(lambda: len(sink.filled) == 2)
            await asyncio.sleep(0.2)
        assert [first for _, first in sink.filled] == [True, False]

    asyncio.run(scene())


def test_an_error_of_the_sink_is_ours_and_ends_the_run() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(message(fill=1))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        sink.raises = RuntimeError("the store is full")
        async with venue(handler) as (_, url), asyncio.timeout(5):
            await connection(FakeSource(url), sink).run()

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(scene())
    assert raised.value.subgroup(RuntimeError) is not None
    assert raised.value.subgroup(lambda error: not isinstance(error, (RuntimeError, ExceptionGroup))) is None


def objects_without(sink: FakeSink, source: FakeSource) -> int:
    """Count what is alive, once the fakes have forgotten what they collected."""
    for collected in (sink.heard, sink.calls, sink.filled, source.protocols):
        collected.clear()
    gc.collect()
    return len(gc.get_objects())


def test_a_thousand_reconnects_leave_nothing_behind() -> None:
    made = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await socket.send(READY)
        await socket.send(message(fill=made))
        if made % 3 == 0:
            socket.transport.abort()

    async def scene() -> None:
        sink = FakeSink()
        times = Times(first_retry_s=0.0, last_retry_s=0.0, steady_s=0.0, close_s=0.2)
        async with venue(handler) as (_, url):
            source = FakeSource(url)
            stream = connection(source, sink, times)
            async with running(stream.run()):
                await until(lambda: stream.counts.reconnects >= 20)
                objects = objects_without(sink, source)
                await until(lambda: stream.counts.reconnects >= 1000, 120)
                assert len(asyncio.all_tasks()) < 50  # a connection has a dozen while it is open
                assert objects_without(sink, source) - objects < 2000
        assert len(asyncio.all_tasks()) <= 2
        assert sink.bads == []

    asyncio.run(scene())


def test_a_recording_has_what_came_in_and_nothing_that_is_secret(tmp_path: Path) -> None:
    made = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal made
        made += 1
        await socket.send(READY)
        await socket.send(message(fill=made))
        await socket.send(message(listenKey=TOKEN))
        if made == 1:
            await until(lambda: socket.protocol.state is not None)
            await asyncio.sleep(0.05)
            await socket.close(1008, f"bye {TOKEN}")
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        recorder = FrameRecorder(tmp_path)
        async with venue(handler) as (_, url):
            stream = Connection(FakeSource(url), sink, CLOCK, recorder=recorder, times=QUICK)
            await stream.want({"A/B"})
            async with running(stream.run()):
                await until(lambda: stream.counts.frames == 6)
        recorder.close()
        read = list(read_frames(tmp_path))
        assert {r.stream for r in read} == {STREAM}
        assert [r.event for r in read] == [OPENED, WANTED, FRAME, FRAME, FRAME, CLOSED] * 2
        assert [r.frame for r in read if r.event == FRAME][:2] == [READY.encode(), b'{"fill": 1}']
        everything = repr(read)
        assert TOKEN not in everything
        assert "login" not in everything
        assert "1008" in everything
        # A fresh protocol that is fed the recording says the same.
        again = [
            row
            for r in read
            if r.event == FRAME
            for row in FakeProtocol("").take(r.frame, r.received_ns).rows
        ]
        assert again == sink.heard

    asyncio.run(scene())


def test_a_stream_can_be_had_made_anew() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send(READY)
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        async with venue(handler) as (_, url):
            stream = connection(FakeSource(url), sink)
            stream.renew("there is none yet")
            async with running(stream.run()):
                await until(lambda: len(sink.filled) == 1)
                stream.renew("it is deaf")
                await until(lambda: len(sink.filled) == 2)
        assert stream.counts.reconnects == 1
        assert sink.notices == []

    asyncio.run(scene())


def test_a_recording_has_no_signature_of_ours_that_the_venue_repeats(tmp_path: Path) -> None:
    signature = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    login = json.dumps({"op": "auth", "signature": signature})

    async def handler(socket: ServerConnection) -> None:
        await socket.send(message(send=[login]))
        heard = ""
        while signature not in heard:
            heard = str(await socket.recv())
        await socket.send(json.dumps({"error": heard, "ready": True}))
        await stay(socket)

    async def scene() -> None:
        sink = FakeSink()
        recorder = FrameRecorder(tmp_path)
        async with venue(handler) as (_, url):
            stream = Connection(FakeSource(url), sink, CLOCK, times=QUICK, recorder=recorder)
            async with running(stream.run()):
                await until(lambda: sink.filled)
        recorder.close()

    asyncio.run(scene())
    frames = [recorded.frame for recorded in read_frames(tmp_path)]
    said = b"".join(str(frame).encode() for frame in frames)
    assert b"*" * 64 in said
    assert said.count(signature.encode()) == 1, "but for what the venue said first, of itself"
