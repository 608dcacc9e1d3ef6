"""A scenario's folder is whole, says what it is, and comes out the same each time."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from drainwatch.errors import ConfigError
from drainwatch.lab.folder import FORMATS, make_folder, note_of, write_table
from drainwatch.lab.scenario import Scenario, make


@cache
def robbed() -> Scenario:
    return make(4, days=1.5, owner="dca", thief="ping_pong", difficulty=0.2)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_bytes_each_time(tmp_path: Path, form: str) -> None:
    for name in ("a", "b"):
        make_folder(robbed(), tmp_path / name / "account", form, command="x")
    first, second = (sorted((tmp_path / name / "account").iterdir()) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_digests_are_of_the_files(tmp_path: Path) -> None:
    note = make_folder(robbed(), tmp_path / "account", "jsonl", command="x")
    assert note == json.loads((tmp_path / "account" / "metadata.json").read_text())
    digests = note["sha256"]
    assert isinstance(digests, dict)
    assert {*digests, "metadata.json"} == {path.name for path in (tmp_path / "account").iterdir()}
    for name, digest in digests.items():
        assert hashlib.sha256((tmp_path / "account" / name).read_bytes()).hexdigest() == digest


def test_an_honest_account_has_no_theft_in_its_note() -> None:
    note = note_of(make(5, days=1.0, owner="dca"), "quiet", "x")
    assert note["stolen_share"] is note["thief"] is note["kind"] is note["drain_started_ms"] is None
    assert note["fills_of_the_thief"] == 0


def test_an_unknown_format_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"format must be parquet, csv, csv\.gz, jsonl, was 'xlsx'"):
        make_folder(robbed(), tmp_path / "account", "xlsx", command="x")
    assert list(tmp_path.iterdir()) == []


def test_tables_read_back(tmp_path: Path) -> None:
    fills = robbed().fills
    for form in FORMATS:
        write_table(fills, tmp_path / f"fills.{form}", form)
    read = {
        "parquet": pd.read_parquet(tmp_path / "fills.parquet"),
        "csv": pd.read_csv(tmp_path / "fills.csv"),
        "csv.gz": pd.read_csv(tmp_path / "fills.csv.gz"),
        "jsonl": pd.DataFrame(map(json.loads, (tmp_path / "fills.jsonl").read_text().splitlines())),
    }
    for form, back in read.items():
        assert back["price"].tolist() == fills["price"].tolist(), form
        assert back["timestamp"].tolist() == fills["timestamp"].tolist(), form
