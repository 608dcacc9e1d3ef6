from __future__ import annotations

import asyncio

import msgspec
import pytest

from drainwatch.notices import NoticeKind
from drainwatch.venues.conversation import ANSWER_NS, Conversation, DirectSource, encode
from drainwatch.venues.protocol import Credentials, Reading
from drainwatch.venues.skew import Skew

S = 1_000_000_000
NOW = 1_700_000_000 * S
NUMBER = msgspec.json.Decoder(int)


class Echo(Conversation):
    """A venue that asks for an answer at the opening, and says numbers: event times in s from `NOW`."""

    def __init__(self, *, skew: Skew | None = None) -> None:
        super().__init__(
            "venue",
            "venue private",
            "ws://x",
            ping="are you there?",
            every_s=20,
            account="alice",
            credentials=Credentials("the-key", "the-secret", "the-pass"),
            skew=skew,
        )

    def _begin(self, reading: Reading, now_ns: int) -> None:
        reading.send.append("hello")
        self._expect_answer(now_ns)

    def _read(self, raw: bytes, reading: Reading, now_ns: int) -> None:
        if raw == b"late":
            self._refused_for_time(reading, now_ns)
            return
        number = NUMBER.decode(raw)
        if number == 0:
            self._confirm(reading)
        else:
            self._saw(NOW + number * S, reading, now_ns)


def opened() -> Echo:
    stream = Echo()
    assert stream.next_tick_ns is None
    assert stream.opened(NOW).send == ["hello"]
    return stream


def test_subscription_stands_once() -> None:
    stream = opened()
    assert stream.next_tick_ns == NOW + ANSWER_NS
    assert stream.take("0", NOW).ready
    assert not stream.take("0", NOW).ready
    assert stream.next_tick_ns == NOW + 20 * S


def test_login_that_is_not_answered_ends_the_connection() -> None:
    stream = opened()
    assert stream.tick(NOW + ANSWER_NS - 1).close is None
    reading = stream.tick(NOW + ANSWER_NS)
    assert reading.close == "the venue didn't answer a login or subscription within 15 s"
    assert not reading.refused


def test_pings_go_out_in_time_and_a_deaf_connection_ends() -> None:
    stream = opened()
    stream.take("0", NOW)
    for seconds in (20, 40):
        assert stream.next_tick_ns == NOW + seconds * S
        assert stream.tick(NOW + seconds * S).send == ["are you there?"]
    assert stream.tick(NOW + 41 * S).send == []
    reading = stream.tick(NOW + 60 * S)
    assert reading.close == "nothing was heard for 60 s though pings were sent"


def test_any_frame_keeps_a_connection_alive() -> None:
    stream = opened()
    stream.take("0", NOW)
    for seconds in range(20, 400, 20):
        stream.take("junk", NOW + (seconds - 1) * S)
        assert stream.tick(NOW + seconds * S).close is None


def test_private_stream_needs_no_symbols() -> None:
    assert opened().want(["BTC/USDT"], NOW) == Reading()


@pytest.mark.parametrize("frame", ["x", b"\xff", "[" * 100_000, "", "{", "1.5", "9" * 10_000])
def test_nonsense_is_counted_with_the_start_of_the_frame(frame: str | bytes) -> None:
    reading = opened().take(frame, NOW)
    (bad,) = reading.bad
    assert bad.stream == "venue private"
    assert bad.reason
    assert len(bad.frame) <= 500
    assert reading.rows == []


@pytest.mark.parametrize("secret", ["the-key", "the-secret", "the-pass"])
def test_frame_with_a_part_of_the_key_is_counted_but_not_shown(secret: str) -> None:
    stream = opened()
    for frame in (f'{{"x":"{secret}"}}', "x" * 490 + secret):
        assert "the-" not in repr(stream.take(frame, NOW))
    assert "the-" not in stream._quote(f"bad {secret}")
    assert stream._quote("bad \u202e thing") == "'bad \\u202e thing'"


def test_slow_clock_is_told_once() -> None:
    stream = opened()
    said = [stream.take("3600", NOW + seconds * S).notices for seconds in range(0, 300, 10)]
    (notice,) = [notice for notices in said for notice in notices]
    assert notice.kind is NoticeKind.CLOCK_SKEW
    assert (notice.exchange, notice.account, notice.stream) == ("venue", "alice", "venue private")


def test_login_refused_for_its_time_is_told_once_for_all_connections_of_a_stream() -> None:
    skew = Skew("venue", "venue private", "alice")
    readings = [Echo(skew=skew).take("late", NOW) for _ in range(3)]
    assert [len(reading.notices) for reading in readings] == [1, 0, 0]
    assert all(reading.close and not reading.refused for reading in readings)


def test_direct_source_makes_a_fresh_protocol_each_time() -> None:
    source = DirectSource("venue private", Echo)

    async def two() -> tuple[object, object]:
        await source.renew()
        return await source.start(), await source.start()

    first, second = asyncio.run(two())
    assert isinstance(first, Echo)
    assert first is not second


def test_requests_are_compact_json() -> None:
    assert encode({"op": "ping", "args": [1]}) == '{"op":"ping","args":[1]}'
