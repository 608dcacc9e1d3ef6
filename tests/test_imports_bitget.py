"""Bitget's trade history."""

from __future__ import annotations

from pathlib import Path

import pytest

import foreign
from drainwatch.errors import InputError
from drainwatch.imports.bitget import symbol_of


@pytest.mark.parametrize("name", ["bitget", "bitget-api", "bitget-zh"])
def test_exports_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.csv")
    assert got.importer == "bitget"
    assert got.rows
    assert not got.bad


@pytest.mark.parametrize(
    ("name", "trade_side", "symbol"),
    [
        ("BTCUSDT", None, "BTC/USDT"),
        ("BTCUSDT", "open", "BTC/USDT:USDT"),
        ("BTCUSD", "close", "BTC/USD:BTC"),
        ("BTCUSDT_SPBL", None, "BTC/USDT"),
        ("ETHUSDT_UMCBL", None, "ETH/USDT:USDT"),
        ("ETHUSD_DMCBL", None, "ETH/USD:ETH"),
        ("ETH/USDT", None, "ETH/USDT"),
        ("ETH_USDT", None, "ETH/USDT"),
        ("???", None, "???"),
    ],
)
def test_markets_are_called_what_ccxt_calls_them(name: str, trade_side: str | None, symbol: str) -> None:
    assert symbol_of(name, trade_side) == symbol


def test_bookings_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "bitget.csv"
    path.write_text("order,Date,Coin,Type,Amount,Fee,Available\n1,2024-03-18 00:00:00,BTC,Buy,1,0,1\n")
    with pytest.raises(InputError, match="Bitget transactions, which has no fills; it has bookings"):
        foreign.read(path)
