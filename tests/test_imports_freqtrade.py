"""freqtrade's database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import foreign
from bot_databases import FREQTRADE, make, run

TRADES_2024 = """
CREATE TABLE trades (
    id INTEGER NOT NULL,
    exchange VARCHAR(25),
    pair VARCHAR(25),
    base_currency VARCHAR(25),
    stake_currency VARCHAR(25),
    is_open BOOLEAN,
    fee_open FLOAT,
    fee_open_cost FLOAT,
    fee_open_currency VARCHAR(25),
    fee_close FLOAT,
    fee_close_cost FLOAT,
    fee_close_currency VARCHAR(25),
    amount FLOAT,
    strategy VARCHAR(100),
    trading_mode VARCHAR(7),
    leverage FLOAT,
    is_short BOOLEAN,
    PRIMARY KEY (id)
);
"""

ORDERS = (
    "INSERT INTO orders (id, ft_trade_id, ft_order_side, ft_pair, ft_is_open, ft_amount, ft_price, order_id, "
    "order_type, side, price, average, filled, order_date, order_filled_date) "
    "VALUES (?, ?, ?, ?, 0, 1.0, 99.0, ?, ?, ?, ?, ?, ?, ?, ?)"
)
TRADES = "INSERT INTO trades (id, exchange, pair, fee_open, fee_close, is_short) VALUES (?, ?, ?, ?, ?, ?)"
SCHEMA = TRADES_2024 + FREQTRADE[FREQTRADE.index("CREATE TABLE orders") :]
AT = "2024-03-18 13:20:43.000000"


def bot(folder: Path, *orders: tuple[Any, ...]) -> Path:
    path = make(folder / "tradesv3.sqlite", SCHEMA)
    run(
        path,
        TRADES,
        (1, "binance", "BTC/USDT", 0.001, 0.002, 0),
        (2, "bybit", "ETH/USDT:USDT", 0.0005, 0.0006, 1),
    )
    run(path, ORDERS, *orders)
    return path


def test_filled_orders_are_fills(tmp_path: Path) -> None:
    got = foreign.read(
        bot(
            tmp_path,
            (1, 1, "buy", "BTC/USDT", "o1", "limit", "buy", 61250.0, 61240.5, 0.02, AT, AT),
            (2, 1, "stoploss", "BTC/USDT", "o2", "stop_loss", "sell", 61000.0, None, 0.02, AT, None),
            (3, 2, "sell", "ETH/USDT:USDT", "o3", "market", "sell", None, 3400.0, 0.5, AT, AT),
            (4, 2, "buy", "ETH/USDT:USDT", "o4", "limit", "buy", 3300.0, None, 0.0, AT, None),
            (5, 9, "buy", "BTC/USDT", "o5", "limit", "buy", None, None, 1.0, AT, AT),
        )
    )
    assert got.importer == "freqtrade"
    assert got.rows == foreign.golden("freqtrade")
    assert got.others == {"order that wasn't filled": 1}
    assert not got.bad
    assert "an order at its average price" in got.note


def test_dry_runs_are_counted_and_left_out(tmp_path: Path) -> None:
    row = (1, "buy", "BTC/USDT", "dry_run_buy_BTC/USDT_1", "limit", "buy", 1.0, 1.0, 1.0, AT, AT)
    real = (1, "buy", "BTC/USDT", "o2", "limit", "buy", 1.0, 1.0, 1.0, AT, AT)
    got = foreign.read(bot(tmp_path, (1, *row), (2, *real)))
    assert got.others == {"order of a dry run": 1}
    assert [fill["id"] for fill in got.rows] == ["o2"]


def test_versions_without_later_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    make(
        path,
        "CREATE TABLE trades (id INTEGER PRIMARY KEY, exchange VARCHAR);"
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, ft_trade_id INTEGER, ft_pair VARCHAR, "
        "order_id VARCHAR, side VARCHAR, price FLOAT, filled FLOAT, order_filled_date DATETIME);",
    )
    run(path, "INSERT INTO trades VALUES (1, 'kraken')")
    run(path, "INSERT INTO orders VALUES (1, 1, 'ETH/BTC', 'o1', 'buy', 0.05, 2.0, '2021-03-18 13:20:43')")
    (row,) = foreign.read(path).rows
    assert (row["exchange"], row["symbol"], row["price"], row["amount"]) == ("kraken", "ETH/BTC", 0.05, 2.0)
    assert "fee_cost" not in row


def test_a_value_that_is_no_number_is_told(tmp_path: Path) -> None:
    got = foreign.read(
        bot(tmp_path, (1, 1, "buy", "BTC/USDT", "o1", "limit", "buy", "much", None, 0.02, AT, AT))
    )
    assert [(bad.row, bad.column, bad.found) for bad in got.bad] == [(1, "average", "much")]
