"""Bitstamp's transactions."""

from __future__ import annotations

import pytest

import foreign
from drainwatch.imports.bitstamp import split_unit


@pytest.mark.parametrize("name", ["bitstamp", "bitstamp-old"])
def test_exports_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.csv")
    assert got.importer == name
    assert got.rows
    assert not got.bad


def test_what_is_no_fill_is_counted() -> None:
    assert foreign.read(foreign.FILES / "bitstamp.csv").others == {"Deposit": 1, "Staking reward": 1}
    assert foreign.read(foreign.FILES / "bitstamp-old.csv").others == {"Deposit": 1, "Withdrawal": 1}


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("0.25 BTC", ("0.25", "BTC")),
        ("1,010.50 EUR", ("1010.50", "EUR")),
        ("5 1INCH", ("5 1INCH", None)),
        ("7.5", ("7.5", None)),
        ("much BTC", ("much BTC", None)),
        (None, (None, None)),
    ],
)
def test_numbers_and_coins_are_taken_apart(text: str | None, split: tuple[str | None, str | None]) -> None:
    assert split_unit(text) == split
