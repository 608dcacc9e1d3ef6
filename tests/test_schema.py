"""The contract's columns and their spellings."""

from __future__ import annotations

import pytest

from drainwatch.schema import PARENTS, SCHEMA, column_of, missing_column

NEEDED = {
    "fills": ["id", "timestamp", "symbol", "side", "price", "amount"],
    "trades": ["timestamp", "symbol", "price", "amount"],
    "quotes": ["timestamp", "symbol", "bid", "ask"],
    "candles": ["timestamp", "symbol", "open", "high", "low", "close", "volume"],
    "balances": ["timestamp", "account", "currency", "total"],
    "orders": [],
    "markets": ["symbol"],
}


def test_needed_columns_are_the_contracts() -> None:
    needed = {
        table: [name for name, (_, need) in columns.items() if need] for table, columns in SCHEMA.items()
    }
    assert needed == NEEDED


@pytest.mark.parametrize(
    ("table", "name", "column"),
    [
        ("fills", "taker_or_maker", "taker_or_maker"),
        ("fills", "takerOrMaker", "taker_or_maker"),
        ("fills", "clientOrderId", "client_order_id"),
        ("fills", "fee.cost", "fee_cost"),
        ("fills", "fee.currency", "fee_currency"),
        ("fills", "Price", "price"),
        ("fills", " Taker Or Maker ", "taker_or_maker"),
        ("fills", "datetime", "timestamp"),
        ("fills", "info", None),
        ("fills", "fee", None),
        ("trades", "fee_cost", None),
        ("trades", "takerOrder", "taker_order"),
        ("quotes", "bidSize", "bid_size"),
        ("markets", "contractSize", "contract_size"),
    ],
)
def test_spellings(table: str, name: str, column: str | None) -> None:
    assert column_of(table, name) == column


@pytest.mark.parametrize("table", [table for table in SCHEMA if table != "orders"])
def test_a_missing_needed_column_is_named(table: str) -> None:
    assert missing_column(table, SCHEMA[table]) is None
    for name in NEEDED[table]:
        assert missing_column(table, [column for column in SCHEMA[table] if column != name]) == name


def test_orders_need_one_of_two() -> None:
    assert missing_column("orders", ["account", "timestamp"]) == "order"
    assert missing_column("orders", ["clientOrderId"]) is None
    assert missing_column("orders", ["order"]) is None


def test_parents_are_no_columns_themselves() -> None:
    assert all(column_of(table, parent) is None for table in SCHEMA for parent in PARENTS)
