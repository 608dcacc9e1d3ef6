"""Gate's trade history."""

from __future__ import annotations

from pathlib import Path

import pytest

import foreign
from drainwatch.errors import InputError
from drainwatch.imports.gate import without_coin


@pytest.mark.parametrize("name", ["gate", "gate-api", "gate-zh"])
def test_exports_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.csv")
    assert got.importer == "gate"
    assert got.rows
    assert not got.bad


def test_coins_behind_numbers_are_taken_off() -> None:
    assert without_coin("0.8 GT") == "0.8"
    assert without_coin("1,225.01") == "1225.01"
    assert without_coin("much") == "much"
    assert without_coin(None) is None


def test_bookings_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "bills.csv"
    path.write_text(
        "no,time,action_desc,action_data,type,change_amount,amount,total\n"
        "1,2024-01-15 12:00:00,Order Filled,trade-001,BTC,0.05,0.05,1500\n"
    )
    with pytest.raises(InputError, match="Gate billing details, which has no fills; it has bookings"):
        foreign.read(path)
