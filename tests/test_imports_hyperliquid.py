"""Hyperliquid's trade history."""

from __future__ import annotations

from pathlib import Path

import pytest

import foreign
from drainwatch.errors import InputError
from drainwatch.imports.hyperliquid import symbol_of


@pytest.mark.parametrize("name", ["hyperliquid", "hyperliquid-us"])
def test_exports_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.csv")
    assert got.importer == "hyperliquid"
    assert got.rows
    assert not got.bad


def test_what_tells_no_side_is_counted() -> None:
    assert foreign.read(foreign.FILES / "hyperliquid.csv").others == {"auto-deleveraging": 1}


@pytest.mark.parametrize(
    ("coin", "symbol"),
    [
        ("BTC", "BTC/USDC:USDC"),
        ("kPEPE", "KPEPE/USDC:USDC"),
        ("xyz:GOLD", "XYZ-GOLD/USDC:USDC"),
        ("PURR/USDC", "PURR/USDC"),
        ("@107", "@107"),
        (None, None),
    ],
)
def test_markets_are_called_what_ccxt_calls_them(coin: str | None, symbol: str | None) -> None:
    assert symbol_of(coin) == symbol


def test_times_are_of_the_zone_that_the_owner_names(tmp_path: Path) -> None:
    path = tmp_path / "trade_history.csv"
    path.write_text("time,coin,dir,px,sz,ntl,fee,closedPnl\n18/09/2025 - 14:00:00,BTC,Buy,1,1,1,0,0\n")
    (row,) = foreign.read(path, zone="Europe/Berlin").rows
    assert row["timestamp"] == 1_758_196_800_000  # 12:00 UTC


def test_funding_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "funding.csv"
    path.write_text(
        "time,coin,sz,side,payment,rate\n20/05/2025 - 02:00:00,PAXG,1.05,Short,1.29,0.0000250038\n"
    )
    with pytest.raises(
        InputError, match="Hyperliquid funding history, which has no fills; export Trade History"
    ):
        foreign.read(path)
