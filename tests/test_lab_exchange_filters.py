from __future__ import annotations

from typing import Any

import pytest

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.filters import client_id
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.units import money_of
from loopback import an_exchange


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "STOP_LOSS"}, -1116),
        ({"side": "hold"}, -1117),
        ({"time_in_force": "GTX"}, -1115),
        ({"price": None}, -1102),
        ({"amount": None}, -1102),
        ({"price": "abc"}, -1100),
        ({"amount": "0.000000001"}, -1100),
        ({"price": "0.030005"}, -1013),
        ({"price": "-1"}, -1013),
        ({"amount": "0.00005"}, -1013),
        ({"amount": "0"}, -1013),
        ({"symbol": "XRPBTC"}, -1121),
        ({"client_id": 'a"b'}, -1100),
    ],
)
def test_what_does_not_fit_is_refused_with_the_exchanges_own_code(change: dict[str, Any], code: int) -> None:
    order: dict[str, Any] = {
        "symbol": "ETHBTC", "side": "buy", "type": "limit", "amount": "1", "price": "0.03",
    }  # fmt: skip
    exchange = an_exchange()
    with pytest.raises(RefusedError) as refused:
        exchange.place("main", **{**order, **change})
    assert refused.value.code == code
    assert exchange.place("main", **order).is_open


def test_an_order_of_too_little_worth_is_refused() -> None:
    exchange = Exchange([Listing("ETH", "BTC", min_notional=money_of("0.0001"))])
    exchange.open_account("main", {"BTC": 1})
    with pytest.raises(RefusedError, match="NOTIONAL"):
        exchange.place("main", "ETH/BTC", "buy", "limit", "0.01", "0.009")


@pytest.mark.parametrize("text", ["", "x-HNA2TXFJ", "algo:1", "a/b.c_d-e"])
def test_usual_client_ids_are_fine(text: str) -> None:
    assert client_id(text) == text
