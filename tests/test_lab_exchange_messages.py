from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from drainwatch.lab.exchange import messages
from drainwatch.lab.exchange.accounts import Account, Execution, Order
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.operations import PUBLIC, SIGNED
from drainwatch.lab.exchange.units import money_of
from loopback import KEY, an_exchange


class Heard:
    """A listener that writes down every message."""

    def __init__(self, exchange: Exchange) -> None:
        self.reports: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        self.prints: list[dict[str, Any]] = []
        exchange.listeners.append(self)

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:
        if order.account.name == "main":
            self.reports.append(json.loads(messages.execution_report(order, what, 5, execution)))

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:
        if account.name == "main":
            self.positions.append(json.loads(messages.account_position(account, currencies, 5)))

    def deposited(self, account: Account, currency: str, money: int) -> None:
        self.positions.append(json.loads(messages.balance_update(currency, money, 5)))

    def traded(self, book: Any, trade: Any) -> None:
        self.prints.append(json.loads(messages.trade(book, trade, 5, orders=True)))

    def quoted(self, book: Any) -> None:
        assert json.loads(messages.book_ticker(book))["s"] == book.venue_symbol

    def revoked(self, key: Any) -> None:
        raise AssertionError

    async def drained(self) -> None:
        """Nothing waits."""


def test_an_order_is_told_from_its_beginning_to_its_end() -> None:
    exchange = an_exchange()
    heard = Heard(exchange)
    order = exchange.place("main", "ETH/BTC", "buy", "limit", 6, "0.0301", client_id="bot-1")
    exchange.cancel("main", "ETH/BTC", order.id)
    new, trade, cancelled = heard.reports
    assert [one["x"] for one in heard.reports] == ["NEW", "TRADE", "CANCELED"]
    assert [one["X"] for one in heard.reports] == ["NEW", "PARTIALLY_FILLED", "CANCELED"]
    assert (new["t"], new["N"], new["l"]) == (-1, None, "0.00000000")
    assert {name: trade[name] for name in "sSocqpltLnNmzZYi"} == {
        "s": "ETHBTC", "S": "BUY", "o": "LIMIT", "c": "bot-1", "q": "6.00000000", "p": "0.03010000",
        "l": "5.00000000", "t": 1, "L": "0.03010000", "n": "0.00500000", "N": "ETH", "m": False,
        "z": "5.00000000", "Z": "0.15050000", "Y": "0.15050000", "i": order.id,
    }  # fmt: skip
    assert cancelled["C"] == "bot-1"
    assert cancelled["c"] != "bot-1"
    assert heard.positions[-1]["B"] == [
        {"a": "ETH", "f": "14.99500000", "l": "0.00000000"},
        {"a": "BTC", "f": "0.84950000", "l": "0.00000000"},
    ]
    (made,) = heard.prints
    assert (made["t"], made["p"], made["q"], made["m"], made["b"]) == (
        1,
        "0.03010000",
        "5.00000000",
        False,
        order.id,
    )


def test_money_from_outside_is_told() -> None:
    exchange = an_exchange()
    heard = Heard(exchange)
    exchange.deposit("main", "ETH", money_of("-0.5"))
    update, position = heard.positions
    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "ETH", "-0.50000000")
    assert position["B"] == [{"a": "ETH", "f": "9.50000000", "l": "0.00000000"}]


def test_events_have_the_fields_of_recorded_ones(shared_data: Path) -> None:
    recorded = shared_data / "venue-messages/binance/test_data/spot/user_data_json"
    exchange = an_exchange()
    heard = Heard(exchange)
    exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.0301")
    exchange.deposit("main", "ETH", 1)
    for name, ours in (
        ("execution_report_wrapped", heard.reports[0]),
        ("execution_report_trade", heard.reports[1]),
        ("account_position_wrapped", heard.positions[0]),
        ("balance_update_wrapped", heard.positions[-2]),
    ):
        theirs = json.loads((recorded / f"{name}.json").read_text())
        theirs = theirs.get("event", theirs)
        assert theirs.keys() <= ours.keys(), name
        for field, value in theirs.items():
            if value is not None and ours[field] is not None:
                assert type(ours[field]) is type(value), (name, field)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("depth", "depth_response"),
        ("trades", "trades_response"),
        ("ticker/bookTicker", "book_ticker_response"),
        ("time", "server_time_response"),
        ("klines", "klines_response"),
        ("GET account", "account_response"),
        ("GET myTrades", "account_trades_response"),
        ("GET order", "order_response"),
        ("GET openOrders", "open_orders_response"),
        ("DELETE order", "cancel_order_response"),
        ("POST order", "new_order_full_response"),
    ],
)
def test_answers_have_the_fields_of_recorded_ones(shared_data: Path, name: str, file: str) -> None:
    theirs = json.loads(
        (shared_data / f"venue-messages/binance/test_data/spot/http_json/{file}.json").read_text()
    )
    exchange = an_exchange()
    exchange.place("main", "ETH/BTC", "sell", "limit", 1, "0.0299")
    exchange.place("main", "ETH/BTC", "sell", "limit", 1, "0.04", client_id="rests")
    parameters = {
        "symbol": "ETHBTC", "interval": "1m", "origClientOrderId": "rests", "side": "BUY",
        "type": "MARKET", "quantity": "1",
    }  # fmt: skip
    method, _, path = name.rpartition(" ")
    ours = json.loads(
        json.dumps(
            SIGNED[method, path](exchange, exchange.keys[KEY], parameters)
            if method
            else PUBLIC[path](exchange, parameters)
        )
    )
    assert_alike(ours, theirs)


def assert_alike(ours: Any, theirs: Any) -> None:
    """See that ours has all that theirs has, each of the same type."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, dict):
        assert theirs.keys() <= ours.keys()
        for name, value in theirs.items():
            assert_alike(ours[name], value)
    elif isinstance(theirs, list) and theirs:
        assert ours
        assert_alike(ours[0], theirs[0])
