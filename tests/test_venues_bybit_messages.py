from __future__ import annotations

import json

import msgspec
import pytest

from drainwatch.venues.bybit_messages import BOOK_CHANGE, COIN, ENVELOPE, EXECUTION, PUBLIC_TRADE


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ({"op": "auth", "success": True, "ret_msg": ""}, False),
        ({"op": "auth", "retCode": 0, "retMsg": "OK"}, False),
        ({"op": "auth", "success": False, "ret_msg": "no"}, True),
        ({"op": "auth", "retCode": 10003, "retMsg": "no"}, True),
        ({"op": "pong", "args": ["1"]}, False),
    ],
)
def test_answers_of_both_generations_are_understood(answer: dict[str, object], failed: bool) -> None:
    message = ENVELOPE.decode(json.dumps(answer))
    assert message.failed is failed
    assert (message.message == "no") is failed


def test_times_come_as_text_or_number() -> None:
    item = {"category": "spot", "symbol": "X", "execId": "1", "execPrice": "1", "execQty": "2", "side": "Buy"}
    item["orderId"] = "3"
    for time in (1746270400353, "1746270400353"):
        assert EXECUTION.decode(json.dumps(item | {"execTime": time})).exec_time == 1746270400353


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("category", "bond"),
        ("execPrice", "0"),
        ("execQty", 1),
        ("side", "buy"),
        ("execTime", "x"),
        ("execId", ""),
        ("orderId", None),
    ],
)
def test_execution_that_is_none_is_refused_with_the_fields_name(field: str, value: object) -> None:
    item = {"category": "spot", "symbol": "X", "execId": "1", "execPrice": "1", "execQty": "2", "side": "Buy"}
    item["orderId"] = "3"
    with pytest.raises(msgspec.ValidationError, match=field):
        EXECUTION.decode(json.dumps(item | {"execTime": 1} | {field: value}))


def test_level_of_size_0_is_a_level_to_take_away() -> None:
    change = BOOK_CHANGE.decode('{"s":"X","b":[["1.5","0"]],"a":[]}')
    assert (change.bids, change.asks) == ([(1.5, 0.0)], [])


def test_debt_is_a_negative_balance() -> None:
    assert COIN.decode('{"coin":"USDT","walletBalance":"-3.5"}').wallet_balance == -3.5


def test_trade_that_does_not_say_so_is_no_block_trade() -> None:
    assert not PUBLIC_TRADE.decode('{"T":1,"s":"X","S":"Buy","v":"1","p":"2","i":"3"}').block


def test_a_fill_without_its_order_is_none_because_the_venues_list_would_tell_it_again() -> None:
    item = {
        "category": "spot",
        "symbol": "X",
        "execId": "1",
        "execPrice": "1",
        "execQty": "2",
        "side": "Buy",
        "execTime": 1,
    }
    with pytest.raises(msgspec.ValidationError, match="orderId"):
        EXECUTION.decode(json.dumps(item))
