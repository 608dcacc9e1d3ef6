"""Databases as bots of several versions make them: the columns that matter, and some that came and went."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

FREQTRADE = """
CREATE TABLE trades (id INTEGER NOT NULL, exchange VARCHAR(25), pair VARCHAR(25), PRIMARY KEY (id));
CREATE TABLE orders (
    id INTEGER NOT NULL,
    ft_trade_id INTEGER NOT NULL,
    ft_order_side VARCHAR(25) NOT NULL,
    ft_pair VARCHAR(25) NOT NULL,
    ft_is_open BOOLEAN NOT NULL,
    ft_amount FLOAT NOT NULL,
    ft_price FLOAT NOT NULL,
    ft_cancel_reason VARCHAR(255),
    order_id VARCHAR(255) NOT NULL,
    status VARCHAR(255),
    symbol VARCHAR(25),
    order_type VARCHAR(50),
    side VARCHAR(25),
    price FLOAT,
    average FLOAT,
    amount FLOAT,
    filled FLOAT,
    remaining FLOAT,
    cost FLOAT,
    stop_price FLOAT,
    order_date DATETIME,
    order_filled_date DATETIME,
    order_update_date DATETIME,
    funding_fee FLOAT,
    ft_fee_base FLOAT,
    ft_order_tag VARCHAR(255),
    PRIMARY KEY (id),
    CONSTRAINT _order_pair_order_id UNIQUE (ft_pair, order_id),
    FOREIGN KEY(ft_trade_id) REFERENCES trades (id)
);
"""
"""freqtrade since 2024."""

HUMMINGBOT = """
CREATE TABLE "Order" (
    id TEXT NOT NULL,
    config_file_path TEXT NOT NULL,
    strategy TEXT NOT NULL,
    market TEXT NOT NULL,
    symbol TEXT NOT NULL,
    base_asset TEXT NOT NULL,
    quote_asset TEXT NOT NULL,
    creation_timestamp BIGINT NOT NULL,
    order_type TEXT NOT NULL,
    amount BIGINT NOT NULL,
    leverage INTEGER NOT NULL,
    price BIGINT NOT NULL,
    last_status TEXT NOT NULL,
    last_update_timestamp BIGINT NOT NULL,
    exchange_order_id TEXT,
    position TEXT,
    PRIMARY KEY (id)
);
CREATE TABLE "TradeFill" (
    config_file_path TEXT NOT NULL,
    strategy TEXT NOT NULL,
    market TEXT NOT NULL,
    symbol TEXT NOT NULL,
    base_asset TEXT NOT NULL,
    quote_asset TEXT NOT NULL,
    timestamp BIGINT NOT NULL,
    order_id TEXT NOT NULL,
    trade_type TEXT NOT NULL,
    order_type TEXT NOT NULL,
    price BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    leverage INTEGER NOT NULL,
    trade_fee JSON NOT NULL,
    exchange_trade_id TEXT NOT NULL,
    position TEXT,
    PRIMARY KEY (market, order_id, exchange_trade_id),
    FOREIGN KEY(order_id) REFERENCES "Order" (id)
);
"""
"""hummingbot since 2022."""


def make(path: Path, schema: str, *, wal: bool = False) -> Path:
    """Make an empty database."""
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(schema)
    return path


def run(path: Path, sql: str, *rows: tuple[Any, ...]) -> None:
    """Run a statement for each of some rows, and commit."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(sql, rows or [()])


def order_of_freqtrade(path: Path, *orders: tuple[int | None, Any, Any]) -> None:
    """Add orders: row, order_id, order_date."""
    sql = (
        "INSERT INTO orders (id, order_id, order_date, ft_trade_id, ft_order_side, ft_pair, ft_is_open, "
        "ft_amount, ft_price) VALUES (?, ?, ?, 1, 'buy', 'ETH/BTC', 0, 1.0, 0.02)"
    )
    run(path, sql, *orders)


def order_of_hummingbot(path: Path, *orders: tuple[str, str, str | None, Any]) -> None:
    """Add orders: market, own id, the venue's id, ms."""
    sql = (
        'INSERT INTO "Order" (market, id, exchange_order_id, creation_timestamp, config_file_path, strategy, '
        "symbol, base_asset, quote_asset, order_type, amount, leverage, price, last_status, "
        "last_update_timestamp) "
        "VALUES (?, ?, ?, ?, 'c', 's', 'ETH-BTC', 'ETH', 'BTC', 'LIMIT', 1, 1, 1, 'BuyOrderCreated', 1)"
    )
    run(path, sql, *orders)


def fill_of_hummingbot(path: Path, *fills: tuple[str, str, Any]) -> None:
    """Add fills: market, own id of the order, ms."""
    sql = (
        'INSERT INTO "TradeFill" (market, order_id, timestamp, config_file_path, strategy, symbol, '
        "base_asset, quote_asset, trade_type, order_type, price, amount, leverage, trade_fee, "
        "exchange_trade_id) "
        "VALUES (?, ?, ?, 'c', 's', 'ETH-BTC', 'ETH', 'BTC', 'BUY', 'MARKET', 1, 1, 1, '{}', 'f1')"
    )
    run(path, sql, *fills)
