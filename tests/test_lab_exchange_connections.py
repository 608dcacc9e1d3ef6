from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from drainwatch.lab.exchange.connections import BINARY, PING, Connection, framed
from drainwatch.lab.exchange.faults import Fault, Faults


class Wire:
    """A transport that writes down what it is given."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False
        self.full = 0

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return self.full


def unframed(data: bytes) -> list[tuple[int, bytes]]:
    """Take frames apart, the other way round than they are made."""
    frames = []
    while data:
        kind, size, start = data[0] & 0x0F, data[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        frames.append((kind, data[start : start + size]))
        data = data[start + size :]
    return frames


def sent(faults: Faults, messages: list[bytes], wait_s: float = 0.1) -> tuple[list[bytes], Connection, Wire]:
    """Send messages through a connection and give what went over the wire."""

    async def scene() -> tuple[list[bytes], Connection, Wire]:
        wire = Wire()
        connection = Connection("api", cast(Any, None), cast(Any, wire), faults, lambda _: None)
        pump = asyncio.create_task(connection.pump())
        for message in messages:
            connection.push(message)
        await asyncio.sleep(wait_s)
        pump.cancel()
        await asyncio.wait([pump])
        return [payload for _, payload in unframed(wire.sent)], connection, wire

    return asyncio.run(scene())


THREE = [b'{"n":1}', b'{"n":2}', b'{"n":3}']


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_frames_of_any_size_come_apart_again(size: int) -> None:
    assert unframed(framed(b"x" * size, BINARY)) == [(BINARY, b"x" * size)]


def test_messages_go_out_in_order() -> None:
    assert sent(Faults(), THREE)[0] == THREE


def test_a_message_comes_twice() -> None:
    faults = Faults()
    faults.once(Fault.DUPLICATE)
    assert sent(faults, THREE)[0] == [THREE[0], *THREE]


@pytest.mark.parametrize("seed", range(5))
def test_a_message_is_overtaken_but_not_lost(seed: int) -> None:
    faults = Faults(seed)
    faults.once(Fault.REORDER)
    got, _, _ = sent(faults, THREE, 0.2)
    assert sorted(got) == THREE
    assert got != THREE


def test_the_last_message_is_not_held_for_ever() -> None:
    assert sent(Faults(0, {Fault.REORDER: 1.0}), [b"only"], 0.3)[0] == [b"only"]


def test_a_late_message_holds_up_those_behind_it() -> None:
    faults = Faults(1, delay_s=0.2)
    faults.once(Fault.DELAY)
    assert sent(faults, THREE, 0.0)[0] == []
    faults.once(Fault.DELAY)
    assert sent(faults, THREE, 0.4)[0] == THREE


def test_a_damaged_message_comes_in_place_of_the_good_one() -> None:
    faults = Faults()
    faults.once(Fault.EMPTY_LIST)
    assert sent(faults, THREE)[0] == [b"[]", *THREE[1:]]


def test_a_cut_connection_sends_nothing_more() -> None:
    faults = Faults()
    faults.once(Fault.CUT)
    got, connection, wire = sent(faults, THREE)
    assert got == []
    assert wire.closed
    assert connection.gone


def test_a_half_open_connection_looks_alive() -> None:
    faults = Faults()
    faults.once(Fault.HALF_OPEN)
    got, connection, wire = sent(faults, THREE)
    connection.push(b"more")
    connection.control(PING)
    assert got == []
    assert unframed(wire.sent) == []
    assert not connection.gone
    assert connection.half_open


def test_answers_are_spared() -> None:
    async def scene() -> bytes:
        wire = Wire()
        connection = Connection(
            "api", cast(Any, None), cast(Any, wire), Faults(0, {Fault.TRUNCATED: 1.0}), lambda _: None
        )
        pump = asyncio.create_task(connection.pump())
        connection.push(b"answer", event=False)
        await asyncio.sleep(0.02)
        pump.cancel()
        await asyncio.wait([pump])
        return wire.sent

    assert unframed(asyncio.run(scene())) == [(1, b"answer")]


def test_who_pauses_it_keeps_messages_back_until_he_resumes() -> None:
    async def scene() -> None:
        wire = Wire()
        connection = Connection("api", cast(Any, None), cast(Any, wire), Faults(), lambda _: None)
        pump = asyncio.create_task(connection.pump())
        connection.pause()
        for _ in range(6_000):
            connection.push(b"x")
        await asyncio.sleep(0.02)
        before, behind = len(wire.sent), [connection.behind]
        connection.resume()
        behind.append(connection.behind)
        await asyncio.sleep(0.1)
        assert (before, len(unframed(wire.sent))) == (0, 6_000)
        behind.append(connection.behind)
        wire.full = 2 << 20
        behind.append(connection.behind)
        assert behind == [False, True, False, True]
        pump.cancel()
        await asyncio.wait([pump])

    asyncio.run(scene())
