"""Fills made of order updates add up to what the orders say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drainwatch.rows import Fill
from drainwatch.venues.order_fills import OrderFills
from drainwatch.venues.protocol import BadMessage


def order(filled: Any, cost: Any, ident: str = "o1", **changes: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "clientOrderId": "bot-1",
        "symbol": "ETH/BTC",
        "side": "buy",
        "type": "limit",
        "filled": filled,
        "cost": cost,
        "average": None,
        "timestamp": 1_700_000_000_000,
        "lastTradeTimestamp": 1_700_000_000_500,
        "fee": None,
        **changes,
    }


def test_each_update_gives_what_was_filled_since_the_one_before() -> None:
    fills = OrderFills("bithumb", "main")
    assert fills.take(order("0", "0")) is None
    first = fills.take(order("2", "0.2", fee={"cost": "0.01", "currency": "BTC"}))
    second = fills.take(order("3.50", "0.5", fee={"cost": "0.03", "currency": "BTC"}))
    assert isinstance(first, Fill)
    assert isinstance(second, Fill)
    assert (first.id, first.amount, first.price, first.fee_cost) == ("o1:2", "2", "0.1", "0.01")
    assert (second.id, second.amount, second.price, second.fee_cost) == ("o1:3.5", "1.50", "0.2", "0.02")
    assert (first.order, first.client_order_id, first.ts_ns) == ("o1", "bot-1", 1_700_000_000_500_000_000)
    assert fills.take(order("3.5", "0.5")) is None


def test_an_update_told_again_or_late_gives_nothing() -> None:
    fills = OrderFills("bithumb", "main")
    assert isinstance(fills.take(order("5", "0.5")), Fill)
    assert fills.take(order("3", "0.3")) is None
    assert fills.take(order("5.00", "0.5")) is None


def test_the_mean_price_serves_where_there_is_no_cost() -> None:
    fills = OrderFills("bithumb", "main")
    row = fills.take(order("5", None, average="0.1"))
    assert isinstance(row, Fill)
    assert row.price == "0.1"
    contract = fills.take(order("5", "99999", "o2", symbol="BTC/USD:BTC", average="100"))
    assert isinstance(contract, Fill)
    assert (contract.price, contract.cost) == ("100", None)


def test_what_is_missing_is_said() -> None:
    fills = OrderFills("bithumb", "main")
    for broken in (
        order(None, "1"),
        order("1", None),
        order("1", "1", ident=""),
        5,
        order("1", "1", side="x"),
    ):
        assert isinstance(fills.take(broken), BadMessage)
    assert isinstance(fills.take(order("1", "1")), Fill)


def test_only_so_many_orders_are_remembered() -> None:
    fills = OrderFills("bithumb", "main", most=10)
    for i in range(50):
        assert isinstance(fills.take(order("1", "1", f"o{i}")), Fill)
    assert len(fills._told) == 10
    assert fills.take(order("1", "1", "o49")) is None


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20), st.randoms())
def test_fills_add_up_to_the_order_whatever_is_repeated(parts: list[int], chance: Any) -> None:
    fills = OrderFills("bithumb", "main")
    rows: list[Fill] = []
    filled = cost = Decimal(0)
    updates = []
    for part in parts:
        amount = Decimal(part).scaleb(-8)
        filled += amount
        cost += amount * Decimal("0.06")
        updates.append(order(str(filled), str(cost)))
    for update in updates:
        for _ in range(chance.choice([1, 1, 2])):
            row = fills.take(update)
            if isinstance(row, Fill):
                rows.append(row)
    assert sum(Decimal(row.amount) for row in rows) == filled
    assert len({row.id for row in rows}) == len(parts)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["filled", "cost", "average", "id", "fee", "symbol", "timestamp", "lastTradeTimestamp"]),
)
def test_no_order_is_too_odd(value: Any, key: str) -> None:
    fills = OrderFills("bithumb", "main")
    fills.take(value)
    row = fills.take({**order("1", "1"), key: value})
    assert row is None or isinstance(row, Fill | BadMessage)
