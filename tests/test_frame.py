"""Replay of DataFrames: what files give, as tables to go on with."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import drainwatch
from drainwatch.errors import InputError, ModelError
from drainwatch.frame import Replay, replay
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import replay_tables
from drainwatch.tables import TablePaths
from robbed import ACCOUNTS, Tables, stolen_ids, tables, write

TIMES = ["opened_at", "alerted_at", "closed_at", "escalated_at"]


@cache
def robbed() -> Tables:
    """Return the two accounts' tables."""
    return tables()


@cache
def found() -> Replay:
    """Replay them."""
    return replay(**robbed())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the same tables were replayed into from files."""
    work = tmp_path_factory.mktemp("files")
    replay_tables(TablePaths(**write(robbed(), work)), work / "out")
    return work / "out"


def in_ms(times: pd.Series[Any]) -> list[int | None]:
    """Return UTC times as the contract has them."""
    return [None if pd.isna(t) else t.value // 1_000_000 for t in times]


def test_public_replay_is_this_one() -> None:
    assert drainwatch.replay is replay


def test_scores_are_those_of_files(files: Path) -> None:
    of_files = pq.read_table(files / "scores.parquet").to_pandas()
    ours = found().scores.reset_index(drop=True)
    ours["timestamp"] = in_ms(ours["timestamp"])
    assert list(ours.columns) == list(of_files.columns)
    pd.testing.assert_frame_equal(ours, of_files, check_exact=True, check_dtype=False)


def test_incidents_are_those_of_files(files: Path) -> None:
    of_files = [json.loads(line) for line in (files / "incidents.jsonl").read_text().splitlines()]
    ours = found().incidents.copy()
    for name in TIMES:
        ours[name] = pd.Series(in_ms(ours[name]), dtype=object)
    rows = [{str(name): value for name, value in row.items()} for row in ours.to_dict("records")]
    assert rows == of_files
    assert len(rows) == len(ACCOUNTS)


def test_report_is_that_of_files(files: Path, tmp_path: Path) -> None:
    page = found().to_html()
    assert page == (files / "report.html").read_text(encoding="utf-8")
    assert found().to_html(tmp_path / "page.html") == page
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert found().to_html(str(tmp_path / "again.html")) == page


def test_times_are_utc() -> None:
    for times in (found().scores["timestamp"], *(found().incidents[name] for name in TIMES)):
        assert isinstance(times.dtype, pd.DatetimeTZDtype)
        assert str(times.dt.tz) == "UTC"
    fills = robbed()["fills"].set_index("id")["timestamp"]
    bob = found().incidents.iloc[0]
    assert bob["alerted_at"] == pd.Timestamp(fills[stolen_ids("bob")[0]], unit="ms", tz="UTC")


def test_inputs_are_not_changed() -> None:
    given = {name: table.copy() for name, table in robbed().items()}
    before = {name: table.copy(deep=True) for name, table in given.items()}
    replay(**given)
    for name, table in given.items():
        pd.testing.assert_frame_equal(table, before[name], check_exact=True)


def test_index_and_types_of_frames_make_no_difference() -> None:
    """Times as pandas has them, ids as an index, categories, rows in any order."""
    given = {name: table.copy() for name, table in robbed().items()}
    fills = given["fills"].sample(frac=1.0, random_state=1)
    fills["timestamp"] = pd.to_datetime(fills["timestamp"], unit="ms", utc=True).dt.tz_convert("Asia/Tokyo")
    fills["side"] = fills["side"].astype("category")
    given["fills"] = fills.set_index("id")
    given["trades"]["timestamp"] = pd.to_datetime(given["trades"]["timestamp"], unit="ms")  # UTC, unsaid
    given["trades"]["price"] = given["trades"]["price"].astype(object)
    seen = replay(**given)
    assert seen.scores.index.tolist() == found().scores["id"].tolist()
    scores = seen.scores.reset_index(drop=True)
    pd.testing.assert_frame_equal(scores, found().scores.reset_index(drop=True), check_exact=True)
    pd.testing.assert_frame_equal(seen.incidents, found().incidents, check_exact=True)


def test_empty_tables_beside_fills_are_refused_as_empty_files_are() -> None:
    with pytest.raises(InputError, match="trades: DataFrame: no rows"):
        replay(robbed()["fills"], robbed()["trades"].iloc[:0])


def test_replay_without_incidents_has_an_empty_table_with_all_columns() -> None:
    honest = replay(robbed()["fills"].dropna(subset=["client_order_id"]), robbed()["trades"])
    assert honest.incidents.empty
    assert list(honest.incidents.columns) == list(found().incidents.columns)
    for name in TIMES:
        assert isinstance(honest.incidents[name].dtype, pd.DatetimeTZDtype)
    assert honest.rejected.empty
    assert honest.scores["incident"].isna().all()
    assert honest.to_html().startswith("<!DOCTYPE html>")
    assert "0 incidents" in honest._repr_html_()


def test_notebook_shows_incidents_escaped() -> None:
    fills = robbed()["fills"].assign(account="<b>mine</b>")
    shown = replay(fills)._repr_html_()
    assert "<b>mine" not in shown
    assert "&lt;b&gt;mine" in shown
    assert "ping-pong" in found()._repr_html_()


@pytest.mark.parametrize("column", ["id", "timestamp", "symbol", "side", "price", "amount"])
def test_missing_column_is_told(column: str) -> None:
    with pytest.raises(InputError, match=rf"fills: DataFrame: column {column} is missing; found columns .*"):
        replay(robbed()["fills"].drop(columns=column))


def test_bad_rows_are_told_by_position() -> None:
    fills = robbed()["fills"].copy()
    fills.loc[3, "price"] = -1.0
    fills.loc[8, "amount"] = np.nan
    seen = replay(fills)
    assert list(seen.rejected.columns) == ["table", "file", "row", "column", "found", "expected"]
    assert seen.rejected[["row", "column"]].to_numpy().tolist() == [[4, "price"], [9, "amount"]]
    assert len(seen.scores) == len(fills) - 2
    with pytest.raises(InputError, match="with --strict no row may be bad"):
        replay(fills, strict=True)
    fills.loc[20:40, "price"] = 0.0
    with pytest.raises(InputError, match="more than 1% may not be"):
        replay(fills)


def test_model_may_be_given_as_itself_or_as_its_folder(tmp_path: Path) -> None:
    path = default_model_path()
    for model in (load_model(path), path, str(path)):
        assert replay(robbed()["fills"], model=model).scores.equals(replay(robbed()["fills"]).scores)
    with pytest.raises(ModelError):
        replay(robbed()["fills"], model=tmp_path / "nothing")


def test_budget_and_quiet_hours_reach_the_engine() -> None:
    loose = replay(**robbed(), false_alarms_per_month=10.0)
    assert (loose.scores["flagged"] == (loose.scores["score"] >= -1.0)).all()
    first = loose.scores["flagged"].to_numpy().argmax()  # flagged fills aren't learned from: from there on
    assert loose.scores["score"][: first + 1].equals(found().scores["score"][: first + 1])
    short = replay(**robbed(), quiet_hours=1.0)
    bob, same = short.incidents.iloc[0], found().incidents.iloc[0]
    assert (bob["id"], bob["alerted_at"]) == (same["id"], same["alerted_at"])
    assert same["closed_at"] - bob["closed_at"] == pd.Timedelta(hours=5)


def test_fractions_of_a_millisecond_are_kept() -> None:
    fills = robbed()["fills"].copy()
    ns = 1_000_000 * fills["timestamp"].to_numpy() + np.arange(len(fills)) * 1_234_567 % 1_000_000
    fills["timestamp"] = pd.to_datetime(ns, utc=True)
    times = replay(fills).scores["timestamp"].astype("datetime64[ns, UTC]").astype("int64").to_numpy()
    assert np.abs(times - np.sort(ns)).max() < 1_000  # a float64 of ms carries a quarter of a us


def test_no_polars_is_needed() -> None:
    code = (
        "import sys; sys.modules['polars'] = None\nimport pandas as pd, drainwatch\n"
        "fills = pd.DataFrame({'id': ['1'], 'timestamp': [1], 'symbol': ['A/B'], 'side': ['buy'],"
        " 'price': [1.0], 'amount': [1.0]})\nprint(len(drainwatch.replay(fills).scores))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "1\n"
