"""The results of freqtrade's backtests."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import foreign
from drainwatch.imports.backtest import config_of, exchange_of, member_of


@pytest.mark.parametrize("name", ["backtest", "backtest-old"])
def test_results_are_known(name: str) -> None:
    got = foreign.read(foreign.FILES / f"{name}.json")
    assert got.importer == "freqtrade-backtest"
    assert got.rows
    assert not got.bad


def test_what_was_not_filled_is_counted() -> None:
    assert foreign.read(foreign.FILES / "backtest.json").others == {"order that wasn't filled": 1}
    assert foreign.read(foreign.FILES / "backtest-old.json").others == {"trade that was still open": 1}


def test_a_backtest_says_that_it_is_no_account() -> None:
    assert "A backtest is no account" in foreign.read(foreign.FILES / "backtest.json").note


def test_archive_tells_the_exchange_and_nothing_else_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "backtest-result-2024-03-18_13-20-43.zip"
    inner = "backtest-result-2024-03-18_13-20-43"
    config = {"exchange": {"name": "kraken", "key": "made-up", "secret": "made-up"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{inner}_config.json", json.dumps(config))
        archive.writestr(f"{inner}_Trend.json", "{}")
        archive.writestr(f"{inner}.json", (foreign.FILES / "backtest.json").read_bytes())
        archive.writestr(f"{inner}_Trend.py", "raise SystemExit")
        archive.writestr(f"{inner}_market_change.feather", b"ARROW1")
    got = foreign.read(path)
    assert got.rows == [
        row | {"exchange": "kraken"} for row in foreign.read(foreign.FILES / "backtest.json").rows
    ]
    assert "made-up" not in repr(got)


def test_members_are_found_by_name() -> None:
    names = [
        "b/backtest-result-1_config.json",
        "b/backtest-result-1_S.json",
        "b/backtest-result-1.json",
        "x.csv",
    ]
    assert member_of(names) == "b/backtest-result-1.json"
    assert config_of(names, "b/backtest-result-1.json") == "b/backtest-result-1_config.json"
    assert member_of(["x.csv"]) is None
    assert config_of(["x.csv"], "b.json") is None


@pytest.mark.parametrize("config", [b"", b"[]", b'{"exchange": 3}', b'{"exchange": {"name": 3}}'])
def test_odd_configurations_name_no_exchange(config: bytes) -> None:
    assert exchange_of(config) is None
