"""The contract line by line: what a row of a table becomes, and which rows are bad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from drainwatch.events import FORCED, Kind, Liquidity, OrderType
from drainwatch.ids import client_prefixes, hash_id
from drainwatch.normalise import CLIP, Bad, Coder, market_spec, read_table
from drainwatch.schema import SCHEMA

T0 = 1_570_752_000_000
NS = 1_000_000
TIME = "a time from 1970 to 2199: milliseconds since the epoch, or ISO 8601"
FULL: dict[str, dict[str, Any]] = {
    "fills": {
        "id": 7,
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "side": "buy",
        "price": "0.02",
        "amount": 1.5,
        "cost": 0.03,
        "account": "main",
        "exchange": "binance",
        "order": 99,
        "client_order_id": "grid-1",
        "type": "limit",
        "taker_or_maker": "maker",
        "fee_cost": -0.1,
        "fee_currency": "BNB",
        "counterparty": "0xabc",
        "maker_order": 99,
        "taker_order": 98,
        "drainwatch_mark": 0.0201,
        "drainwatch_forced": "false",
    },
    "trades": {
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "price": 0.02,
        "amount": 1.5,
        "id": 7,
        "side": "sell",
        "exchange": "binance",
        "buyer": "b",
        "seller": "s",
        "maker_order": 1,
        "taker_order": 2,
    },
    "quotes": {
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "bid": 0.02,
        "ask": 0.021,
        "bid_size": 3,
        "ask_size": 4,
        "exchange": "binance",
    },
    "candles": {
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "open": 1,
        "high": 4,
        "low": 0.5,
        "close": 2,
        "volume": 9,
        "timeframe": "5m",
        "exchange": "binance",
        "drainwatch_known_at": T0,
    },
    "balances": {"timestamp": T0, "account": "main", "currency": "BTC", "total": -1.5},
    "orders": {"order": 99, "client_order_id": "grid-1", "account": "main", "timestamp": T0},
    "markets": {
        "symbol": "BTC/USDT:USDT",
        "contract_size": 0.001,
        "linear": "true",
        "inverse": "false",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "tick_size": 0.1,
        "exchange": "okx",
    },
}
"""One good row of each table, with every column."""


def read(table: str, *rows: dict[str, Any], coder: Coder | None = None) -> tuple[Any, list[Bad]]:
    """Read rows written as dicts."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    return read_table(table, columns, len(rows), coder or Coder())


def test_full_rows_cover_the_schema() -> None:
    assert {table: set(row) for table, row in FULL.items()} == {table: set(SCHEMA[table]) for table in SCHEMA}


def test_a_fill() -> None:
    coder = Coder()
    good, bad = read("fills", FULL["fills"], coder=coder)
    assert not bad
    fill = good.fills[0]
    assert fill["ts_ns"] == T0 * NS
    assert (fill["price"], fill["amount"], fill["cost"], fill["fee_cost"]) == (0.02, 1.5, 0.03, -0.1)
    assert (fill["side"], fill["type"], fill["liquidity"]) == (1, OrderType.LIMIT, Liquidity.MAKER)
    assert fill["mark"] == 0.0201
    hashes = {
        "id": "7",
        "order": "99",
        "client": "grid-1",
        "counterparty": "0xabc",
        "maker_order": "99",
        "taker_order": "98",
    }
    assert {name: int(fill[name]) for name in hashes} == {
        name: hash_id(text) for name, text in hashes.items()
    }
    assert fill["client_prefix"] == hash_id("grid-")
    assert fill["flags"] == 0
    market = coder.names.markets[fill["market"]]
    assert (market.exchange, market.symbol) == ("binance", "ETH/BTC")
    assert coder.names.accounts[fill["account"]] == "main"
    assert coder.names.currencies[fill["fee_currency"]] == "BNB"
    assert (good.ids.to_pylist(), good.orders.to_pylist()) == (["7"], ["99"])


def test_a_fill_with_needed_columns_only() -> None:
    coder = Coder()
    needed = {name: value for name, value in FULL["fills"].items() if SCHEMA["fills"][name][1]}
    good, bad = read("fills", needed, coder=coder)
    assert not bad
    fill = good.fills[0]
    assert np.isnan([fill["cost"], fill["fee_cost"], fill["mark"]]).all()
    absent = (
        "type",
        "liquidity",
        "flags",
        "order",
        "client",
        "client_prefix",
        "counterparty",
        "maker_order",
        "taker_order",
    )
    assert not any(fill[name] for name in absent)
    assert fill["fee_currency"] == -1
    assert coder.names.accounts == ["default"]
    assert coder.names.markets[0].exchange == ""
    assert good.orders.to_pylist() == [None]


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ({"takerOrMaker": "taker"}, "liquidity", Liquidity.TAKER),
        ({"type": "MARKET"}, "type", OrderType.MARKET),
        ({"type": "stop_limit"}, "type", OrderType.UNKNOWN),
        ({"taker_or_maker": "both"}, "liquidity", Liquidity.UNKNOWN),
        ({"fee.cost": 0.5}, "fee_cost", 0.5),
        ({"side": "SELL"}, "side", -1),
        ({"price": 5.84e-10}, "price", 5.84e-10),
        ({"amount": "1e15"}, "amount", 1e15),
        ({"cost": 0}, "cost", 0.0),
        ({"timestamp": "", "datetime": "2019-10-11T00:00:00Z"}, "ts_ns", T0 * NS),
        ({"timestamp": T0, "datetime": "1999-10-11T00:00:00Z"}, "ts_ns", T0 * NS),
        ({"clientOrderId": "autoclose-123", "symbol": "BTC/USDT:USDT"}, "flags", FORCED),
        ({"clientOrderId": "adl_autoclose", "symbol": "BTC/USDT:USDT"}, "flags", FORCED),
        ({"clientOrderId": "settlement_autoclose-5", "symbol": "BTC/USDT:USDT"}, "flags", FORCED),
        (
            {"clientOrderId": "autoclose-123", "symbol": "ETH/BTC"},
            "flags",
            0,
        ),  # a thief may name his orders so
        ({"clientOrderId": "my-autoclose-5"}, "flags", 0),
    ],
)
def test_spellings_and_values_of_a_fill(row: dict[str, Any], column: str, value: float) -> None:
    needed = {name: x for name, x in FULL["fills"].items() if SCHEMA["fills"][name][1]}
    good, bad = read("fills", needed | row)
    assert not bad
    assert good.fills[column][0] == value


def test_the_contracts_spelling_goes_before_others_row_by_row() -> None:
    needed = {name: str(x) for name, x in FULL["fills"].items() if SCHEMA["fills"][name][1]}
    good, _ = read(
        "fills",
        needed | {"fee_cost": "1", "fee.cost": "2"},
        needed | {"fee_cost": "", "fee.cost": "2"},
        needed | {"fee_cost": "1"},
    )
    assert good.fills["fee_cost"].tolist() == [1.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("table", "column", "value", "expected"),
    [
        *[
            ("fills", column, value, "a finite number > 0")
            for column in ("price", "amount")
            for value in ("0", "-1", "nan", "inf", "-inf", "abc", "")
        ],
        ("fills", "side", "hold", "buy or sell"),
        ("fills", "side", "", "buy or sell"),
        ("fills", "timestamp", "yesterday", TIME),
        ("fills", "timestamp", "", TIME),
        ("fills", "id", "", "an id"),
        ("fills", "symbol", " ", "a text"),
        ("fills", "cost", "-1", "a finite number >= 0"),
        ("fills", "cost", "inf", "a finite number >= 0"),
        ("fills", "fee_cost", "abc", "a finite number"),
        ("trades", "price", "0", "a finite number > 0"),
        ("trades", "side", "up", "buy or sell"),
        ("quotes", "bid", "", "a finite number > 0"),
        ("quotes", "ask", "0", "a finite number > 0"),
        ("quotes", "bid_size", "-1", "a finite number >= 0"),
        ("candles", "low", "0", "a finite number > 0"),
        ("candles", "volume", "-1", "a finite number >= 0"),
        ("candles", "volume", "", "a finite number >= 0"),
        ("candles", "timeframe", "1 minute", "a timeframe such as 1m, 4h or 1d"),
        ("balances", "total", "inf", "a finite number"),
        ("balances", "account", "", "a text"),
        ("orders", "timestamp", "later", TIME),
        ("markets", "contract_size", "0", "a finite number > 0"),
        ("markets", "linear", "maybe", "true or false"),
    ],
)
def test_bad_rows_say_why(table: str, column: str, value: str, expected: str) -> None:
    row = {name: str(x) for name, x in FULL[table].items()}
    good, bad = read(table, row, row | {column: value}, row)
    assert bad == [Bad(1, column, value, expected)]
    kept = good if table == "markets" else good.fills if table == "fills" else good.rows
    assert len(kept) == 2


def test_a_row_is_bad_once_for_its_first_column() -> None:
    row = FULL["fills"] | {"price": 0.0, "timestamp": -1, "fee_cost": float("inf")}
    _, bad = read("fills", row)
    assert [(b.column, b.found) for b in bad] == [("timestamp", "-1")]


def test_nan_of_a_file_with_numbers_is_told_as_such() -> None:
    """JSON and Parquet hold NaN beside null: that it stood there is what helps to find it."""
    needed = {name: x for name, x in FULL["trades"].items() if SCHEMA["trades"][name][1]}
    _, bad = read("trades", needed | {"price": float("nan")}, needed | {"price": None}, needed)
    assert [(b.at, b.column, b.found) for b in bad] == [(0, "price", "nan"), (1, "price", "")]


def test_what_was_found_is_clipped() -> None:
    row = {name: str(x) for name, x in FULL["trades"].items()} | {"price": "x" * 1000}
    assert read("trades", row)[1][0].found == "x" * CLIP


def test_a_trade() -> None:
    good, bad = read("trades", FULL["trades"], FULL["trades"] | {"side": None, "id": None})
    assert not bad
    row, plain = good.rows
    assert (row["kind"], row["side"], row["ts_ns"], row["a"], row["b"]) == (
        Kind.TRADE,
        -1,
        T0 * NS,
        0.02,
        1.5,
    )
    hashes = {"id": "7", "buyer": "b", "seller": "s", "maker_order": "1", "taker_order": "2"}
    assert {name: int(row[name]) for name in hashes} == {name: hash_id(text) for name, text in hashes.items()}
    assert np.isnan([row["c"], row["d"], row["e"]]).all()
    assert (row["account"], row["currency"], row["client"], row["duration_ns"]) == (-1, -1, 0, 0)
    assert (plain["side"], plain["id"]) == (0, 0)


def test_a_quote_may_be_crossed_and_without_sizes() -> None:
    crossed = FULL["quotes"] | {"bid": 0.03, "bid_size": None}
    good, bad = read("quotes", FULL["quotes"], crossed)
    assert not bad
    assert [good.rows[name][0] for name in "abcd"] == [0.02, 0.021, 3.0, 4.0]
    assert good.rows["a"][1] == 0.03
    assert np.isnan(good.rows["c"][1])
    assert set(good.rows["kind"]) == {Kind.QUOTE}


def test_a_candle_is_known_at_its_close() -> None:
    hour = {name: x for name, x in FULL["candles"].items() if name != "timeframe"}
    good, _ = read("candles", FULL["candles"], hour)
    row, minute = good.rows
    assert [row[name] for name in "abcde"] == [1, 4, 0.5, 2, 9]
    assert (row["ts_ns"], row["duration_ns"]) == ((T0 + 300_000) * NS, 300_000 * NS)
    assert (minute["ts_ns"], minute["duration_ns"]) == ((T0 + 60_000) * NS, 60_000 * NS)


def test_a_balance_may_be_negative() -> None:
    coder = Coder()
    good, bad = read("balances", FULL["balances"], coder=coder)
    assert not bad
    row = good.rows[0]
    assert (row["kind"], row["a"], row["market"]) == (Kind.BALANCE, -1.5, -1)
    assert (coder.names.accounts[row["account"]], coder.names.currencies[row["currency"]]) == ("main", "BTC")


def test_orders_are_known_from_the_start_where_they_name_no_time() -> None:
    coder = Coder()
    good, bad = read("orders", FULL["orders"], {"client_order_id": "c"}, {"timestamp": T0}, coder=coder)
    assert [(b.at, b.column, b.expected) for b in bad] == [(2, "order", "an order id or a client order id")]
    first, second = good.rows
    assert (first["ts_ns"], int(first["id"]), int(first["client"])) == (
        T0 * NS,
        hash_id("99"),
        hash_id("grid-1"),
    )
    assert (second["ts_ns"], int(second["id"]), int(second["client"])) == (0, 0, hash_id("c"))
    assert [coder.names.accounts[row["account"]] for row in good.rows] == ["main", "default"]


def test_ids_of_fills_trades_and_orders_meet() -> None:
    """A number in one table is the same id as its text in another."""
    fill, _ = read("fills", FULL["fills"])
    trade, _ = read("trades", FULL["trades"] | {"id": "7"})
    order, _ = read("orders", {"order": "99.0"})
    assert fill.fills["id"][0] == trade.rows["id"][0]
    assert fill.fills["order"][0] == order.rows["id"][0]


def test_market_rows_tell_specs() -> None:
    rows, bad = read("markets", FULL["markets"])
    assert not bad
    spec = market_spec("okx", "BTC/USDT:USDT", rows)
    assert (spec.contract_size, spec.inverse, spec.tick_size, spec.settle) == (0.001, False, 0.1, "USDT")
    assert spec.exchange == "okx"


@pytest.mark.parametrize(
    ("row", "symbol", "inverse"),
    [
        ({}, "BTC/USD:BTC", True),
        ({"inverse": "0"}, "BTC/USD:BTC", False),
        ({"linear": "1"}, "BTC/USD:BTC", False),
        ({"linear": "0"}, "BTC/USDT:USDT", True),
        ({"linear": "0"}, "BTC/USDT", False),
        ({"linear": "0", "inverse": "0"}, "BTC/USDT:USDT", False),
        ({"linear": "1", "inverse": ""}, "BTC/USDT:USDT", False),
    ],
)
def test_inverse_markets(row: dict[str, str], symbol: str, inverse: bool) -> None:
    rows, bad = read("markets", {"symbol": symbol} | row)
    assert not bad
    assert market_spec("", symbol, rows).inverse is inverse


def test_a_market_is_not_both() -> None:
    _, bad = read("markets", {"symbol": "X", "linear": "1", "inverse": "1"})
    assert [(b.column, b.found, b.expected) for b in bad] == [("inverse", "1", "not both linear and inverse")]


def test_hashes_of_rows_depend_on_content_not_on_codes() -> None:
    rows = [
        FULL["trades"],
        FULL["trades"] | {"price": 0.5},
        FULL["trades"] | {"symbol": "A/B", "exchange": "x"},
    ]
    one, _ = read("trades", *rows)
    other, _ = read("trades", *reversed(rows))
    for name in ("name", "rank", "content"):
        assert getattr(one, name).tolist() == getattr(other, name)[::-1].tolist()
    assert one.rows["market"].tolist() != other.rows["market"][::-1].tolist()
    assert len(set(one.content.tolist())) == 2


@pytest.mark.parametrize(
    "column", [name for name in FULL["fills"] if name not in {"timestamp", "fee_currency"}]
)
def test_every_column_of_a_fill_tells_fills_apart(column: str) -> None:
    changed = {
        "price": "0.5",
        "amount": "7",
        "cost": "9",
        "fee_cost": "9",
        "side": "sell",
        "type": "market",
        "taker_or_maker": "taker",
        "drainwatch_mark": "9",
        "drainwatch_forced": "true",
    }
    row = {name: str(x) for name, x in FULL["fills"].items()}
    good, _ = read("fills", row, row | {column: changed.get(column, "other")})
    in_key = column in {"id", "symbol", "side", "account", "exchange", "order"}
    assert len(set(good.key.tolist())) == 1 + in_key
    assert len(set(good.content.tolist())) == 2 - in_key


def test_an_empty_piece() -> None:
    good, bad = read_table("fills", {name: pa.array([], pa.string()) for name in FULL["fills"]}, 0, Coder())
    assert good.fills.size == 0
    assert not bad


def test_prefixes_come_from_the_client_id() -> None:
    good, _ = read("fills", FULL["fills"] | {"client_order_id": "x-abc_123"})
    assert good.fills["client_prefix"].tolist() == client_prefixes(["x-abc_9"]).tolist()
