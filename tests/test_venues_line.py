"""Messages cut out of what a socket gives are those that the library reads, however the bytes are parted."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.headers import build_host
from websockets.http11 import Response
from websockets.uri import parse_uri
from websockets.utils import accept_key

from drainwatch.venues.line import LONGEST, Line, begin

URI = parse_uri("ws://localhost:1/")
TEXT, BINARY, CONT, PING, PONG, CLOSE = (
    Opcode.TEXT,
    Opcode.BINARY,
    Opcode.CONT,
    Opcode.PING,
    Opcode.PONG,
    Opcode.CLOSE,
)


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def write_eof(self) -> None:
        self.closing = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def opened(kind: type[ClientConnection]) -> tuple[ClientConnection, Wire, bytes]:
    """Give a connection that has asked to be opened, and the venue's answer to that."""
    protocol = ClientProtocol(URI, max_size=LONGEST)
    connection, wire = kind(protocol, ping_interval=None, max_queue=None), Wire()
    connection.connection_made(wire)
    request = protocol.connect()
    protocol.send_request(request)
    connection.send_data()
    assert request.headers["Host"] == build_host("localhost", 1, secure=False)
    accept = accept_key(request.headers["Sec-WebSocket-Key"])
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    return connection, wire, answer.encode()


def heard_of(data: bytes, chance: random.Random | None = None) -> tuple[list[bytes], bytes]:
    """What a line hands over of these bytes, in pieces of any size, and what it answered."""

    async def scene() -> tuple[list[bytes], bytes]:
        line, wire, answer = opened(Line)
        assert isinstance(line, Line)
        heard: list[bytes] = []
        line.listen(lambda messages, _: heard.extend(messages), lambda: 0)
        asked, whole, at = len(wire.written), answer + data, 0
        while at < len(whole):
            n = len(whole) if chance is None else chance.choice((1, 2, 3, 10, 100, 1000, 70_000))
            line.data_received(whole[at : at + n])
            at += n
        return heard, wire.written[asked:]

    return asyncio.run(scene())


def read_of(data: bytes) -> tuple[list[bytes], bytes]:
    """What the library itself reads of these bytes, and what it answered."""

    async def scene() -> tuple[list[bytes], bytes]:
        connection, wire, answer = opened(ClientConnection)
        asked = len(wire.written)
        connection.data_received(answer + data)
        answered = wire.written[asked:]
        connection.recv_messages.close()
        heard: list[bytes] = []
        try:
            while True:
                heard.append(await connection.recv_messages.get(decode=False))
        except EOFError:
            return heard, answered

    return asyncio.run(scene())


def drawn(chance: random.Random) -> bytes:
    """Any frames that a server may send, the usual ones most of the time."""
    frames: list[Frame] = []
    for _ in range(chance.randrange(1, 40)):
        body = chance.randbytes(chance.choice((0, 1, 50, 125, 126, 127, 400, 65_535, 65_536, 70_000)))
        match chance.randrange(30):
            case 0:
                frames.append(Frame(PONG, body[:125]))
            case 1 | 2:
                frames.append(Frame(PING, body[:125]))
            case 3:
                frames.append(Frame(BINARY, body))
            case 4:
                frames += [Frame(TEXT, body, fin=False), Frame(PING, b"within"), Frame(CONT, b"", fin=False)]
                frames.append(Frame(CONT, b"end"))
            case _:
                frames.append(Frame(TEXT, body))
    if chance.random() < 0.3:
        frames += [Frame(CLOSE, CloseCode.GOING_AWAY.to_bytes(2, "big")), Frame(TEXT, b"too late")]
    return b"".join(frame.serialize(mask=False) for frame in frames)


@pytest.mark.parametrize("seed", range(40))
def test_cut_or_read_it_is_the_same(seed: int) -> None:
    chance = random.Random(seed)
    data = drawn(chance)
    expected, _ = read_of(data)
    assert heard_of(data, chance)[0] == expected
    assert heard_of(data)[0] == expected


def test_pings_are_answered_between_messages() -> None:
    data = Frame(TEXT, b"a").serialize(mask=False) + Frame(PING, b"still there?").serialize(mask=False)
    heard, answered = heard_of(data + Frame(TEXT, b"b").serialize(mask=False))
    assert heard == [b"a", b"b"]
    assert answered[0] == 0x8A
    assert answered[1] & 0x7F == len(b"still there?")


@pytest.mark.parametrize(
    "broken",
    [
        b"\x81\x86\x01\x02\x03\x04masked",
        b"\x81\xfe\x00\x80\x01\x02\x03\x04" + bytes(128),  # masked, too
        b"\x81\x7f" + (LONGEST + 1).to_bytes(8, "big") + b"too long",
        b"\x91\x01r",  # a reserved bit
        b"\x83\x01o",  # an opcode that there isn't
        b"\x89\x7e\x00\x80" + bytes(128),  # a ping may not be so long
        b"\x80\x01c",  # goes on with nothing
    ],
)
def test_what_breaks_the_rules_ends_the_connection_as_in_the_library(broken: bytes) -> None:
    data = Frame(TEXT, b"before").serialize(mask=False) + broken + Frame(TEXT, b"after").serialize(mask=False)
    for chance in (None, random.Random(1)):
        heard, answered = heard_of(data, chance)
        assert heard == [b"before"]
        assert answered[0] == 0x88, "a closing frame"


def test_a_handshake_that_is_refused_is_left_to_the_library() -> None:
    async def scene() -> None:
        line, _, _ = opened(Line)
        line.data_received(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
        line.eof_received()
        assert isinstance(line.response, Response)
        assert line.response.status_code == 503
        assert line.protocol.handshake_exc is not None

    asyncio.run(scene())


def test_messages_that_come_before_anybody_listens_are_kept() -> None:
    async def scene() -> None:
        line, _, answer = opened(Line)
        assert isinstance(line, Line)
        line.data_received(answer + Frame(TEXT, b"early").serialize(mask=False))
        heard: list[tuple[list[bytes], int]] = []
        line.listen(lambda messages, ns: heard.append((messages, ns)), lambda: 7)
        assert heard == [([b"early"], 7)]

    asyncio.run(scene())


def test_all_that_is_read_at_once_is_handed_over_at_once_with_the_time_of_reading() -> None:
    async def scene() -> None:
        line, _, answer = opened(Line)
        assert isinstance(line, Line)
        line.data_received(answer)
        heard: list[tuple[list[bytes], int]] = []
        times = iter(range(100))
        line.listen(lambda messages, ns: heard.append((messages, ns)), lambda: next(times))
        frames = [Frame(TEXT, word).serialize(mask=False) for word in (b"a", b"b", b"c")]
        line.data_received(frames[0] + frames[1] + frames[2][:1])
        line.data_received(frames[2][1:])
        assert heard == [([b"a", b"b"], 1), ([b"c"], 2)]

    asyncio.run(scene())


def test_a_coroutine_that_waits_for_nothing_is_done_at_once() -> None:
    done = []

    async def work() -> None:
        done.append(1)

    assert begin(work()) is None
    assert done == [1]


def test_the_rest_of_a_coroutine_goes_on_and_is_cancelled_where_it_waits() -> None:
    async def scene() -> None:
        said: list[str] = []
        opened = asyncio.Event()

        async def work() -> None:
            said.append("begun")
            await asyncio.sleep(0)
            try:
                await opened.wait()
                said.append("opened")
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                said.append("cancelled")
                raise

        rest = begin(work())
        assert rest is not None
        assert said == ["begun"]

        async def go_on() -> None:
            await rest

        task = asyncio.create_task(go_on())
        opened.set()
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert said == ["begun", "opened", "cancelled"]

    asyncio.run(scene())


def test_what_the_rest_of_a_coroutine_raises_is_raised() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def scene() -> None:
        rest = begin(work())
        assert rest is not None
        await rest

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scene())

    async def at_once() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin(at_once())
