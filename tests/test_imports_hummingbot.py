"""hummingbot's database and its CSVs."""

from __future__ import annotations

from pathlib import Path

import pytest

import foreign
from bot_databases import HUMMINGBOT, make, order_of_hummingbot, run
from drainwatch.imports.hummingbot import exchange_of, flat_fee, share_fee, symbol_of

FILLS = (
    'INSERT INTO "TradeFill" (market, symbol, base_asset, quote_asset, timestamp, order_id, trade_type, '
    "order_type, price, amount, trade_fee, exchange_trade_id, config_file_path, strategy, leverage{more}) "
    "VALUES (?, ?, 'b', 'q', ?, ?, ?, ?, ?, ?, ?, ?, 'c', 's', 1{marks})"
)
FLAT = '{"fee_type": "AddedToCost", "percent": "0", "flat_fees": [{"token": "BNB", "amount": "0.0001"}]}'
SHARE = '{"fee_type": "DeductedFromReturns", "percent": "0.001", "flat_fees": []}'


@pytest.mark.parametrize("name", ["hummingbot-csv", "hummingbot-export"])
def test_csvs_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.csv")
    assert got.importer == name
    assert got.rows
    assert not got.bad


def test_database_gives_the_golden_fills(tmp_path: Path) -> None:
    path = make(tmp_path / "conf_pmm.sqlite", HUMMINGBOT)
    order_of_hummingbot(path, ("binance", "HBOT-1", "8800001", 1710768043000))
    run(
        path,
        FILLS.format(more="", marks=""),
        ("binance", "BTC-USDT", 1710768043123, "HBOT-1", "BUY", "LIMIT", 61250500000, 20000, FLAT, "t1"),
        (
            "okx_perpetual",
            "ETH-USDT",
            1710768130000,
            "HBOT-2",
            "SELL",
            "MARKET",
            3401200000,
            1500000,
            SHARE,
            "t2",
        ),
        ("binance_paper_trade", "ETH-USDT", 1710768131000, "HBOT-3", "SELL", "LIMIT", 1, 1, SHARE, "t3"),
        ("uniswap", "ETH-USDT", 1710768132000, "HBOT-4", "RANGE", "LIMIT", 1, 1, SHARE, "t4"),
    )
    got = foreign.read(path)
    assert got.importer == "hummingbot"
    assert got.rows == foreign.golden("hummingbot")
    assert got.others == {"paper trading": 1, "range order": 1}
    assert not got.bad


def test_fees_in_the_quote_coin_are_taken_from_newer_databases(tmp_path: Path) -> None:
    path = make(tmp_path / "new.sqlite", HUMMINGBOT)
    run(path, 'ALTER TABLE "TradeFill" ADD COLUMN trade_fee_in_quote BIGINT')
    run(
        path,
        FILLS.format(more=", trade_fee_in_quote", marks=", ?"),
        ("binance", "BTC-USDT", 1710768043123, "o", "BUY", "LIMIT", 2 * 10**6, 3 * 10**6, SHARE, "t", 250000),
    )
    (row,) = foreign.read(path).rows
    assert (row["price"], row["amount"], row["fee_cost"], row["fee_currency"]) == (2.0, 3.0, 0.25, "USDT")


def test_older_databases_have_plain_numbers(tmp_path: Path) -> None:
    path = make(
        tmp_path / "old.sqlite",
        HUMMINGBOT.replace("price BIGINT", "price FLOAT").replace("amount BIGINT", "amount FLOAT"),
    )
    run(
        path,
        FILLS.format(more="", marks=""),
        ("binance", "BTC-USDT", 1710768043123, "o", "BUY", "LIMIT_MAKER", 61250.5, 0.02, SHARE, "t"),
    )
    (row,) = foreign.read(path).rows
    assert (row["price"], row["amount"], row["taker_or_maker"]) == (61250.5, 0.02, "maker")


@pytest.mark.parametrize(
    ("market", "pair", "symbol", "exchange"),
    [
        ("binance", "ETH-BTC", "ETH/BTC", "binance"),
        ("gate_io_perpetual", "ETH-USDT", "ETH/USDT:USDT", "gate"),
        ("hyperliquid_perpetual", "BTC-USD", "BTC/USDC:USDC", "hyperliquid"),
        ("binance", "odd", "odd", "binance"),
        (None, None, None, None),
    ],
)
def test_connectors_are_called_what_ccxt_calls_them(
    market: str | None, pair: str | None, symbol: str | None, exchange: str | None
) -> None:
    assert symbol_of(market, pair) == symbol
    assert exchange_of(market) == exchange


@pytest.mark.parametrize(
    "told", ["[1]", "{'flat_fees': 3}", "{", "7", "__import__('os')", '{"flat_fees": [{}]}']
)
def test_fees_that_make_no_sense_are_none(told: str) -> None:
    assert flat_fee(told) is None
    assert share_fee(told, "1", "1") is None
