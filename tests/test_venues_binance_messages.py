"""Binance's messages: which are read, which are left out, which are bad."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from binance_frames import frame
from drainwatch.venues.binance_messages import (
    FUTURES_IGNORED,
    SPOT_IGNORED,
    ExecutionReport,
    FuturesEvent,
    ListenKeyExpired,
    SpotEvent,
    any_kind,
    bare_trade,
    futures_event,
    public_frame,
    spot_frame,
)

TRADE: dict[str, Any] = {"s": "ETHBTC", "t": 1, "p": "0.05", "q": "2", "T": 3, "E": 4, "m": True}


def kinds(events: object) -> set[str]:
    return {str(kind.__struct_config__.tag) for kind in get_args(events)}


def test_no_event_is_both_read_and_left_out() -> None:
    assert kinds(SpotEvent) & set(SPOT_IGNORED) == set()
    assert kinds(FuturesEvent) & set(FUTURES_IGNORED) == set()
    assert "executionReport" in kinds(SpotEvent)
    assert "ORDER_TRADE_UPDATE" in kinds(FuturesEvent)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"e": "a"}, "a"),
        ({"event": {"e": "b"}}, "b"),
        ({"stream": "x", "data": {"e": "c"}}, "c"),
        ({"id": 1, "result": None}, None),
    ],
)
def test_an_event_is_known_by_its_kind_in_any_envelope(message: dict[str, Any], kind: str | None) -> None:
    assert any_kind.decode(frame(message)).kind == kind


def test_unknown_fields_are_skipped_and_the_kind_may_come_last() -> None:
    expired = futures_event.decode(b'{"E":1,"listenKey":"x","new":{"a":[1]},"e":"listenKeyExpired"}')
    assert isinstance(expired, ListenKeyExpired)


@pytest.mark.parametrize(
    "change",
    [
        {"p": "nan"},
        {"p": "inf"},
        {"p": "1_0"},
        {"p": " 1"},
        {"p": "-1"},
        {"p": None},
        {"p": True},
        {"q": "1e999"},
        {"q": [1]},
        {"T": -5},
        {"T": 9_000_000_000_000},
        {"s": ""},
        {"s": "X" * 65},
        {"t": -1},
        {"t": 1 << 63},
    ],
)
def test_a_value_out_of_its_range_is_refused(change: dict[str, Any]) -> None:
    assert bare_trade.decode(frame(TRADE)).price == 0.05
    with pytest.raises(msgspec.ValidationError):
        bare_trade.decode(frame(TRADE | change))


def test_the_last_time_that_is_read_fits_a_row() -> None:
    late = bare_trade.decode(frame(TRADE | {"T": 8_999_999_999_999}))
    assert late.time_ms * 10**6 + 1 < 2**63


def test_replies_and_events_share_a_frame() -> None:
    reply = spot_frame.decode(b'{"id":"time","status":200,"result":{"serverTime":5},"rateLimits":[]}')
    assert (reply.id, reply.status) == ("time", 200)
    assert reply.result is not None
    assert (reply.result.server_ms, reply.result.key) == (5, msgspec.UNSET)
    assert reply.event is msgspec.UNSET
    logged_out = spot_frame.decode(b'{"id":"x","status":200,"result":{"apiKey":null}}')
    assert logged_out.result is not None
    assert logged_out.result.key is None


def test_a_confirmation_differs_from_a_frame_without_result() -> None:
    assert public_frame.decode(b'{"result":null,"id":1}').result is not msgspec.UNSET
    assert public_frame.decode(b'{"id":1}').result is msgspec.UNSET


def test_a_report_needs_what_makes_it_a_fill() -> None:
    needed = {field.encode_name for field in msgspec.structs.fields(ExecutionReport) if field.required}
    assert needed == {"E", "s", "c", "S", "o", "x", "i", "l", "L", "T", "t", "m"}
