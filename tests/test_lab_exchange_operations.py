from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.operations import DAY_MS, PUBLIC, SIGNED
from drainwatch.lab.exchange.timeline import Timeline
from drainwatch.lab.exchange.units import amount_of, price_of
from loopback import KEY, an_exchange


def signed(exchange: Exchange, method: str, path: str, **parameters: Any) -> Any:
    """Ask as the holder of the key."""
    return SIGNED[method, path](exchange, exchange.keys[KEY], {"symbol": "ETHBTC", **parameters})


@pytest.fixture(scope="module")
def busy() -> Exchange:
    """Give an exchange with 30 fills a second apart."""
    clock = Timeline(1_000_000)
    exchange = an_exchange(clock=clock.now_ms)
    for number in range(30):
        clock.stand(1_000_000 + number * 1_000)
        asyncio.run(exchange.burst("main", 1, "ETH/BTC"))
    return exchange


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({}, range(1, 31)),
        ({"limit": 5}, range(26, 31)),
        ({"fromId": 7, "limit": 4}, range(7, 11)),
        ({"fromId": 31}, range(0)),
        ({"startTime": 1_003_000, "limit": 3}, range(4, 7)),
        ({"startTime": "1003000", "endTime": "1005000"}, range(4, 7)),
        ({"endTime": 1_005_000, "limit": 2}, range(5, 7)),
        ({"startTime": 0, "endTime": 999_999}, range(0)),
    ],
)
def test_own_trades_come_page_by_page(busy: Exchange, parameters: dict[str, Any], ids: range) -> None:
    assert [one["id"] for one in signed(busy, "GET", "myTrades", **parameters)] == list(ids)


def test_paging_by_id_finds_every_fill_once(busy: Exchange) -> None:
    found: list[int] = []
    while rows := signed(busy, "GET", "myTrades", fromId=found[-1] + 1 if found else 0, limit=7):
        found += [one["id"] for one in rows]
    assert found == [one.id for one in busy.executed("main")]


def test_own_trades_of_one_order_are_those_alone(busy: Exchange) -> None:
    order = busy.executed("main")[3].order
    (row,) = signed(busy, "GET", "myTrades", orderId=order.id)
    assert row["id"] == 4


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"symbol": ""}, -1102),
        ({"symbol": "NONE"}, -1121),
        ({"limit": "many"}, -1100),
        ({"limit": 0}, -1130),
        ({"startTime": 0, "endTime": DAY_MS + 1}, -1127),
    ],
)
def test_nonsense_is_refused(busy: Exchange, parameters: dict[str, Any], code: int) -> None:
    with pytest.raises(RefusedError) as refused:
        signed(busy, "GET", "myTrades", **parameters)
    assert refused.value.code == code


def test_an_order_is_placed_told_and_cancelled() -> None:
    exchange = an_exchange()
    placed = signed(
        exchange, "POST", "order", side="BUY", type="LIMIT", timeInForce="GTC", quantity="6", price="0.0301",
        newClientOrderId="one",
    )  # fmt: skip
    assert placed["fills"] == [
        {
            "price": "0.03010000",
            "qty": "5.00000000",
            "commission": "0.00500000",
            "commissionAsset": "ETH",
            "tradeId": 1,
        }
    ]
    assert signed(exchange, "GET", "order", orderId=placed["orderId"])["status"] == "PARTIALLY_FILLED"
    assert [one["clientOrderId"] for one in signed(exchange, "GET", "openOrders")] == ["one"]
    assert signed(exchange, "DELETE", "order", origClientOrderId="one")["origClientOrderId"] == "one"
    assert signed(exchange, "GET", "openOrders") == []
    assert [one["status"] for one in signed(exchange, "GET", "allOrders")] == ["CANCELED"]
    with pytest.raises(RefusedError, match="Unknown order"):
        signed(exchange, "DELETE", "openOrders")
    with pytest.raises(RefusedError, match="does not exist"):
        signed(exchange, "GET", "order", origClientOrderId="two")
    with pytest.raises(RefusedError, match="orderId"):
        signed(exchange, "DELETE", "order")


def test_all_open_orders_of_a_market_are_cancelled() -> None:
    exchange = an_exchange()
    for price in ("0.02", "0.021"):
        exchange.place("main", "ETH/BTC", "buy", "limit", 1, price)
    assert len(signed(exchange, "DELETE", "openOrders")) == 2


@pytest.mark.parametrize("absent", ["side", "type", "timeInForce", "quantity", "price"])
def test_an_order_without_something_is_refused(absent: str) -> None:
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "0.02"}
    del order[absent]
    with pytest.raises(RefusedError, match=absent):
        signed(an_exchange(), "POST", "order", **order)


def test_a_key_that_may_only_read_places_nothing() -> None:
    exchange = an_exchange()
    exchange.keys[KEY].can_trade = False
    with pytest.raises(RefusedError, match="permissions"):
        signed(exchange, "POST", "order", side="BUY", type="MARKET", quantity="1")
    assert not exchange.executed("main")


def test_public_data_are_what_the_exchange_knows(busy: Exchange) -> None:
    def ask(name: str, **parameters: Any) -> Any:
        return PUBLIC[name](busy, {"symbol": "ETHBTC", **parameters})

    assert ask("depth", limit=1) == {
        "lastUpdateId": busy.book("ETHBTC").update_id,
        "bids": [["0.02990000", "5.00000000"]],
        "asks": [["0.03010000", "5.00000000"]],
    }
    assert [one["id"] for one in ask("trades", limit=2)] == [29, 30]
    assert [one["a"] for one in ask("aggTrades", fromId=28)] == [28, 29, 30]
    assert [one["a"] for one in ask("aggTrades", limit=2)] == [29, 30]
    assert [one["a"] for one in ask("aggTrades", startTime=1_001_000, endTime=1_002_000)] == [2, 3]
    assert [row[8] for row in ask("klines", interval="1m")] == [20, 10]
    assert [row[0] for row in ask("klines", interval="1m", startTime=1_000_000)] == [1_020_000]
    assert [row[8] for row in ask("klines", interval="5m")] == [30]
    assert [row[6] - row[0] for row in ask("klines", interval="5m")] == [299_999]
    assert ask("ticker/bookTicker")["bidPrice"] == "0.02990000"
    assert len(PUBLIC["ticker/bookTicker"](busy, {})) == 2
    assert [one["symbol"] for one in PUBLIC["exchangeInfo"](busy, {})["symbols"]] == ["ETHBTC", "BTCUSDT"]
    with pytest.raises(RefusedError, match="interval"):
        ask("klines", interval="7m")


def test_empty_balances_are_left_out_on_request() -> None:
    exchange = an_exchange()
    exchange.place("main", "ETH/BTC", "sell", "market", 5)
    exchange.deposit("main", "USDT", -exchange.account("main").free["USDT"])
    assert len(signed(exchange, "GET", "account")["balances"]) == 3
    assert len(signed(exchange, "GET", "account", omitZeroBalances="true")["balances"]) == 2


def test_prices_of_thirteen_figures_are_told_exactly() -> None:
    exchange = an_exchange()
    exchange.strangers("ETH/BTC", "buy", price_of("0.123456789012"), amount_of(1))
    assert PUBLIC["trades"](exchange, {"symbol": "ETHBTC"})[0]["price"] == "0.123456789012"
