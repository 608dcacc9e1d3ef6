"""Bitfinex's trades."""

from __future__ import annotations

from pathlib import Path

import pytest

import foreign
from drainwatch.errors import InputError
from drainwatch.imports.bitfinex import symbol_of

HEADER = "#,PAIR,AMOUNT,PRICE,FEE,FEE PERC,FEE CURRENCY,DATE,ORDER ID\n"


def test_export_is_known() -> None:
    got = foreign.read(foreign.FILES / "bitfinex.csv")
    assert got.importer == "bitfinex"
    assert got.rows
    assert not got.bad


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("BTC/USD", "BTC/USD"),
        ("BTC/UST", "BTC/USDT"),
        ("DUSK:USD", "DUSK/USD"),
        ("tBTCUSD", "BTC/USD"),
        ("BTCF0/USTF0", "BTC/USDT:USDT"),
        ("tBTCF0:USTF0", "BTC/USDT:USDT"),
        ("IOT/UDC", "IOTA/USDC"),
        ("what is this", "what is this"),
    ],
)
def test_pairs_are_called_what_ccxt_calls_them(pair: str, symbol: str) -> None:
    assert symbol_of(pair) == symbol


def test_files_from_before_the_share_of_fees_was_told_are_known(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "#,PAIR,AMOUNT,PRICE,FEE,FEE CURRENCY,DATE,ORDER ID\n"
        "27988722,BTC/USD,0.028,974.39,-0.000028,BTC,2017-03-26 17:35:52,2166553981\n"
    )
    (row,) = foreign.read(path).rows
    assert (row["timestamp"], row["side"], row["fee_cost"]) == (1_490_549_752_000, "buy", 0.000028)


def test_month_comes_first_where_the_file_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        HEADER + "1,BTC/USD,1,1,0,0,USD,03-18-24 00:00:00,7\n2,BTC/USD,1,1,0,0,USD,03-04-24 00:00:00,8\n"
    )
    first, second = foreign.read(path).rows
    assert (first["timestamp"], second["timestamp"]) == (1_710_720_000_000, 1_709_510_400_000)


def test_ledgers_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "ledgers.csv"
    path.write_text(
        "#,DESCRIPTION,CURRENCY,AMOUNT,BALANCE,DATE,WALLET\n1,Deposit,BTC,1,1,18-03-24 00:00:00,exchange\n"
    )
    with pytest.raises(
        InputError, match="Bitfinex ledgers, which has no fills; export Wallet, Reports, Trades"
    ):
        foreign.read(path)
