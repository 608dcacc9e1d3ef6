"""BitMEX's trade history."""

from __future__ import annotations

from pathlib import Path

import pytest

import foreign
from drainwatch.errors import InputError
from drainwatch.imports.bitmex import QUANTO, cost_of, last_friday, symbol_of


@pytest.mark.parametrize("name", ["bitmex", "bitmex-api"])
def test_exports_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.csv")
    assert got.importer == "bitmex"
    assert got.rows
    assert not got.bad


def test_what_is_no_fill_is_counted_and_inverse_contracts_are_told() -> None:
    got = foreign.read(foreign.FILES / "bitmex.csv")
    assert got.others == {"Funding": 1, QUANTO: 1}
    assert sorted(market["symbol"] for market in got.markets) == ["BTC/USD:BTC", "BTC/USD:BTC-201225"]
    assert all(market["contract_size"] == 1.0 and market["inverse"] for market in got.markets)


def test_two_equal_rows_are_two_fills() -> None:
    first, second, *_ = foreign.read(foreign.FILES / "bitmex.csv").rows
    assert first["id"] != second["id"]
    assert first | {"id": ""} == second | {"id": ""}


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [
        ("XBTUSD", "BTC/USD:BTC"),
        ("XBTUSDT", "BTC/USDT:USDT"),
        ("ETHUSDT", "ETH/USDT:USDT"),
        ("XBTEUR", "BTC/EUR:BTC"),
        ("XBTZ25", "BTC/USD:BTC-251226"),
        ("ADAZ20", "ADA/BTC:BTC-201225"),
        ("XBTUSDTH24", "BTC/USDT:USDT-240329"),
        ("XBT_USDT", "BTC/USDT"),
        ("ETH_USDT", "ETH/USDT"),
        ("a b", None),
        ("", None),
        (None, None),
    ],
)
def test_markets_are_called_what_ccxt_calls_them(venue: str | None, symbol: str | None) -> None:
    assert symbol_of(venue) == symbol


def test_delivery_is_on_the_last_friday() -> None:
    assert last_friday(2020, 12) == "201225"
    assert last_friday(2024, 3) == "240329"
    assert last_friday(2023, 6) == "230630"


def test_money_of_an_unknown_coin_is_not_guessed() -> None:
    assert cost_of("BTC/USD:BTC", "DOGEt", "100", "1") is None


def test_wallet_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "wallet.csv"
    path.write_text(
        "transactTime,transactType,amount,fee,address,transactStatus,walletBalance\n"
        "2020/11/03 12:00:00,RealisedPNL,-1480,0,XBTUSD,Completed,1000\n"
    )
    with pytest.raises(InputError, match="BitMEX wallet history, which has no fills; it has each day's sums"):
        foreign.read(path)
