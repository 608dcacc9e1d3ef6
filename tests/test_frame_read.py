"""Fills read from files: the contract's columns, and the same replay as of the files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import drainwatch
from drainwatch.errors import InputError
from plots_fakes import found, given
from robbed import write

ROW = "7,{time},ETH/BTC,{side},{price},2,taker\n"
HEAD = "id,datetime,symbol,side,price,amount,takerOrMaker\n"


def test_fills_of_a_file_are_those_that_were_written(tmp_path: Path) -> None:
    path = write({"fills": given()["fills"]}, tmp_path)["fills"]
    fills = drainwatch.read_fills(path)
    written = given()["fills"]
    assert str(fills["timestamp"].dt.tz) == "UTC"
    assert (fills["timestamp"].astype("datetime64[ms, UTC]").astype("int64") == written["timestamp"]).all()
    for name in ("id", "symbol", "side", "price", "amount", "cost", "account", "type", "taker_or_maker"):
        assert fills[name].tolist() == written[name].tolist()
    assert fills["client_order_id"].isna().tolist() == written["client_order_id"].isna().tolist()
    assert set(fills) == set(written)
    again = drainwatch.replay(**(given() | {"fills": fills}))
    pd.testing.assert_frame_equal(again.scores, found().scores, check_exact=True)


def test_a_folder_of_files_is_one_table_and_others_are_told(tmp_path: Path) -> None:
    for number, side in enumerate(("buy", "SELL")):
        row = ROW.format(time="2026-01-01T00:00:00Z", side=side, price=1)
        (tmp_path / f"{number}.csv").write_text(HEAD + row)
    (tmp_path / "notes.txt").write_text("none of ours")
    with pytest.warns(UserWarning, match=r"left aside notes\.txt"):
        fills = drainwatch.read_fills(tmp_path)
    assert fills["side"].tolist() == ["buy", "sell"]
    assert fills.index.tolist() == [0, 1]
    assert list(fills) == ["id", "timestamp", "symbol", "side", "price", "amount", "taker_or_maker"]


def test_bad_rows_are_never_left_out_in_silence(tmp_path: Path) -> None:
    file = tmp_path / "fills.csv"
    good = "".join(ROW.format(time=f"2026-01-01T00:00:{s % 60:02}Z", side="buy", price=1) for s in range(200))
    file.write_text(HEAD + good + ROW.format(time="2026-01-01T00:00:00Z", side="buy", price=-1))
    with pytest.warns(UserWarning, match=r"1 of 201 rows left out; .*row 201, column price: found '-1'"):
        assert len(drainwatch.read_fills(file)) == 200
    with pytest.raises(InputError, match="column price: found '-1'"):
        drainwatch.read_fills(file, strict=True)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        drainwatch.read_fills(tmp_path / "fills.csv")
    (tmp_path / "fills.csv").write_text("id,price\n1,2\n")
    with pytest.raises(InputError, match="column timestamp is missing"):
        drainwatch.read_fills(tmp_path / "fills.csv")


EXPORTS = Path(__file__).parent / "files" / "imports"


def test_an_export_is_read_as_scan_reads_it() -> None:
    fills = drainwatch.read_fills(EXPORTS / "binance-spot-units.csv")
    assert fills["exchange"].tolist() == ["binance", "binance"]
    assert fills["symbol"].tolist() == ["BTC/USDT", "1INCH/USDT"]
    assert fills["price"].tolist() == [64250.10, 0.6012]
    assert fills["timestamp"].tolist() == [
        pd.Timestamp("2024-03-05T09:14:22Z"),
        pd.Timestamp("2024-03-05T09:15:03Z"),
    ]
    assert len(drainwatch.replay(fills).scores) == 2


def test_a_zone_moves_the_times_that_name_none() -> None:
    named, known = (drainwatch.read_fills(EXPORTS / "kraken.csv", zone=zone) for zone in ("UTC+8", None))
    assert set(known["timestamp"] - named["timestamp"]) == {pd.Timedelta(hours=8)}
    with pytest.raises(InputError, match="expected a zone such as Europe/Berlin"):
        drainwatch.read_fills(EXPORTS / "kraken.csv", zone="nowhere")


def test_an_export_without_fills_says_what_to_give_instead() -> None:
    with pytest.raises(InputError, match=r"column id is missing.*; as an export: .*kraken-ledgers\.csv"):
        drainwatch.read_fills(EXPORTS / "kraken-ledgers.csv")
