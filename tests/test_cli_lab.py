"""The lab's verbs: tables made whole or not at all, the same each time, and rows as a stream."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from drainwatch.cli import ExitCode, app
from drainwatch.cli import lab as verbs
from drainwatch.lab import folder
from drainwatch.lab.scenario import OWNERS, REGIMES, THIEVES

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})
SHORT = ["--seed", "4", "--days", "1.5", "--owner", "dca", "--thief", "ping_pong", "--difficulty", "0.2"]


def run(*arguments: str) -> Any:
    return RUNNER.invoke(app, ["lab", *arguments])


def test_make_writes_the_tables_their_truth_and_how_they_were_made(tmp_path: Path) -> None:
    out = tmp_path / "robbed account"
    result = run("make", str(out), *SHORT, "--format", "csv")
    assert result.exit_code == ExitCode.OK, result.output
    assert {path.name for path in out.iterdir()} >= {"fills.csv", "trades.csv", "labels.csv", "metadata.json"}
    note = json.loads((out / "metadata.json").read_text())
    labels = pd.read_csv(out / "labels.csv")
    assert note["fills_of_the_thief"] == labels["is_drain"].sum() > 0
    assert (note["owner"], note["thief"], note["days"]) == ("dca", "ping_pong", 1.5)
    assert note["stolen_usdt"] == pytest.approx(labels["loss"][labels["is_drain"]].sum(), abs=0.01)
    assert f"Rows: fills {len(labels)}, " in result.stdout
    assert "Thief: ping_pong. " in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["robbed account"]


def test_make_tells_a_replay_that_works_as_it_stands(tmp_path: Path) -> None:
    out = tmp_path / "an account"
    told = run("make", str(out), *SHORT).stdout.splitlines()[-1]
    words = shlex.split(told)
    assert words[:3] == ["drainwatch", "replay", "--fills"]
    files = [Path(word) for word in words if word.endswith(".parquet")]
    assert len(files) == 6
    assert all(file.is_file() for file in files)


def test_the_command_in_the_metadata_makes_the_same_bytes(tmp_path: Path) -> None:
    run("make", str(tmp_path / "first"), *SHORT, "--regime", "crash", "--no-own-log", "--format", "csv.gz")
    note = json.loads((tmp_path / "first" / "metadata.json").read_text())
    words = shlex.split(note["command"])
    assert words[:4] == ["drainwatch", "lab", "make", "OUT"]
    again = run("make", str(tmp_path / "again"), *words[4:])
    assert again.exit_code == ExitCode.OK, again.output
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert not any(name.startswith("orders") for name in files)
    for name in files:
        first, second = ((tmp_path / made / name).read_bytes() for made in ("first", "again"))
        assert first.replace(b'"first"', b'"again"') == second, name


def test_make_tells_how_many_accounts_a_farm_has_and_how_many_are_robbed(tmp_path: Path) -> None:
    result = run("make", str(tmp_path / "farm"), *SHORT, "--accounts", "3", "--format", "csv")
    note = json.loads((tmp_path / "farm" / "metadata.json").read_text())
    assert note["accounts"] == ["sub1", "sub2", "sub3"]
    assert "3 accounts: sub1, sub2, sub3." in result.stdout
    assert f" % of {', '.join(note['accounts_robbed'])}.\n" in result.stdout
    fills = pd.read_csv(tmp_path / "farm" / "fills.csv")
    assert set(fills["account"]) == set(note["accounts"])


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    for out in (tmp_path, tmp_path / "mine.txt"):
        result = run("make", str(out), *SHORT)
        assert result.exit_code == ExitCode.USAGE
        assert "expected a new or an empty folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("make", str(tmp_path / "empty"), *SHORT).exit_code == ExitCode.OK
    assert (tmp_path / "empty" / "fills.parquet").is_file()


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = folder.write_table
    done: list[Path] = []

    def full(frame: pd.DataFrame, path: Path, form: str) -> None:
        if done:
            raise OSError(28, "No space left on device", str(path))
        done.append(path)
        write(frame, path, form)

    monkeypatch.setattr("drainwatch.lab.scenario.write_table", full)
    result = run("make", str(tmp_path / "out"), *SHORT)
    assert result.exit_code == ExitCode.INPUT
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--owner", "nobody"], "owner must be one of grid, "),
        (["--thief", "nobody"], "thief must be one of planted_wall, "),
        (["--regime", "flood"], "regime must be one of crash, "),
        (["--difficulty", "2"], "difficulty must be from 0 to 1, was 2.0"),
        (["--accounts", "21"], "accounts must be from 1 to 20, was 21"),
        (["--days", "0"], "days must be at least 0.5, was 0.0"),
        (["--format", "xlsx"], "'xlsx'"),
    ],
)
def test_what_cannot_be_made_is_said(tmp_path: Path, wrong: list[str], said: str) -> None:
    result = run("make", str(tmp_path / "out"), *wrong)
    assert result.exit_code == ExitCode.USAGE
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_kinds_lists_them_all_with_what_they_do() -> None:
    shown = run("kinds").stdout
    for texts in (OWNERS, THIEVES, REGIMES):
        for name, text in texts.items():
            assert any(line.startswith(name) and line.endswith(text) for line in shown.splitlines()), name


def test_stream_prints_a_row_a_line_in_order_of_time() -> None:
    result = run("stream", *SHORT)
    assert result.exit_code == ExitCode.OK
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {row["table"] for row in rows} >= {"fills", "trades", "quotes", "markets"}
    times = [row["timestamp"] for row in rows if row["table"] in {"fills", "trades", "quotes"}]
    assert times == sorted(times)


def test_stream_keeps_to_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 100.0, "slept": 0.0}

    def sleep(seconds: float) -> None:
        clock["now"] += seconds
        clock["slept"] += seconds

    monkeypatch.setattr("drainwatch.cli.lab.time.monotonic", lambda: clock["now"])
    monkeypatch.setattr("drainwatch.cli.lab.time.sleep", sleep)
    rows = [json.loads(line) for line in run("stream", *SHORT, "--speed", "60").stdout.splitlines()]
    times = [row["timestamp"] for row in rows if "timestamp" in row and row["table"] != "candles"]
    assert clock["slept"] == pytest.approx((max(times) - min(times)) / 60_000.0, rel=0.01)


def test_stream_ends_quietly_when_nobody_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(len(text))

    monkeypatch.setattr(sys, "stdout", Closed())
    verbs.stream(seed=1, days=0.5, owner="dca")
    assert not isinstance(sys.stdout, Closed)
    sys.stdout.close()
