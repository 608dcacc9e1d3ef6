from __future__ import annotations

import json

import msgspec
import pytest

from drainwatch.venues.okx_messages import BEST_QUOTE, DETAIL, ENVELOPE, FILLED_ORDER, ORDER_HEAD


@pytest.mark.parametrize("code", ["0", 0])
def test_codes_come_as_text_or_number(code: str | int) -> None:
    assert str(ENVELOPE.decode(json.dumps({"event": "login", "code": code})).code) == "0"


def test_what_an_update_leaves_out_is_told_from_what_is_empty() -> None:
    assert ORDER_HEAD.decode('{"fillSz":""}').fill_sz == ""
    assert ORDER_HEAD.decode('{"fillSz":""}').trade_id is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("fillPx", "0"), ("fillSz", "-1"), ("side", "Buy"), ("fillTime", ""), ("instId", ""), ("ordId", None)],
)
def test_fill_that_is_none_is_refused_with_the_fields_name(field: str, value: object) -> None:
    item = {"instId": "X", "tradeId": "1", "fillSz": "1", "fillPx": "2", "fillTime": "3", "side": "buy"}
    item["ordId"] = "4"
    assert FILLED_ORDER.decode(json.dumps(item)).fill_time == 3
    with pytest.raises(msgspec.ValidationError, match=field):
        FILLED_ORDER.decode(json.dumps(item | {field: value}))


def test_levels_are_read_by_their_first_two_figures() -> None:
    quote = BEST_QUOTE.decode('{"asks":[["2","3","0","13"]],"bids":[["1","4"]],"ts":"5"}')
    assert [(level.price, level.size) for level in (*quote.bids, *quote.asks)] == [(1.0, 4.0), (2.0, 3.0)]
    with pytest.raises(msgspec.ValidationError):
        BEST_QUOTE.decode('{"asks":[["2"]],"bids":[],"ts":"5"}')


def test_debt_is_a_negative_balance() -> None:
    assert DETAIL.decode('{"ccy":"USDT","cashBal":"-3.5"}').cash_bal == -3.5


def test_a_fill_without_its_order_is_none_because_the_venues_list_would_tell_it_again() -> None:
    item = {"instId": "X", "tradeId": "1", "fillSz": "1", "fillPx": "2", "fillTime": "3", "side": "buy"}
    with pytest.raises(msgspec.ValidationError, match="ordId"):
        FILLED_ORDER.decode(json.dumps(item))
