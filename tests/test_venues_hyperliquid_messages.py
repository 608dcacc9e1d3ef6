from __future__ import annotations

import json

import msgspec
import pytest

from drainwatch.venues.hyperliquid_messages import BBO, FILL, PUBLIC_TRADE, USER_FILLS

ITEM = {"coin": "BTC", "px": "1", "sz": "2", "side": "B", "time": 3, "tid": 4, "oid": 5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("px", "0"),
        ("sz", 2),
        ("side", "buy"),
        ("time", "3"),
        ("tid", -4),
        ("tid", "4"),
        ("tid", 2**70),
        ("coin", ""),
        ("oid", None),
    ],
)
def test_fill_that_is_none_is_refused_with_the_fields_name(field: str, value: object) -> None:
    assert FILL.decode(json.dumps(ITEM)).tid == 4
    with pytest.raises(msgspec.ValidationError, match=field):
        FILL.decode(json.dumps(ITEM | {field: value}))


def test_print_needs_two_sides_or_none() -> None:
    assert PUBLIC_TRADE.decode(json.dumps(ITEM)).users is None
    assert PUBLIC_TRADE.decode(json.dumps(ITEM | {"users": ["0xa", "0xb"]})).users == ("0xa", "0xb")
    with pytest.raises(msgspec.ValidationError, match="users"):
        PUBLIC_TRADE.decode(json.dumps(ITEM | {"users": ["0xa"]}))


def test_side_of_a_book_may_be_empty() -> None:
    quote = BBO.decode('{"coin":"BTC","time":1,"bbo":[null,{"px":"1","sz":"2","n":1}]}')
    assert quote.bbo[0] is None
    assert quote.bbo[1] is not None


def test_news_without_fills_is_told_from_no_fills() -> None:
    assert memoryview(USER_FILLS.decode('{"funding":{}}').fills).nbytes == 0
    assert memoryview(USER_FILLS.decode('{"fills":[]}').fills).nbytes == 2


def test_a_fill_without_its_order_is_none_because_the_venues_list_would_tell_it_again() -> None:
    item = {"coin": "BTC", "px": "1", "sz": "2", "side": "B", "time": 3, "tid": 4}
    with pytest.raises(msgspec.ValidationError, match="oid"):
        FILL.decode(json.dumps(item))
