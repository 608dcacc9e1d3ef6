"""`drainwatch keys scan`: words, exit codes, files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import leaky
from drainwatch.cli import ExitCode, app

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})


@pytest.fixture
def made(tmp_path: Path) -> leaky.Repo:
    made = leaky.Repo("bot", random.Random(3))
    leaky.dotenv(made)
    made.save(tmp_path)
    return made


@pytest.fixture
def top(made: leaky.Repo, tmp_path: Path) -> Path:
    return tmp_path / made.name


def run(*words: object) -> Any:
    return RUNNER.invoke(app, ["keys", "scan", *map(str, words)])


def test_keys_are_shown_and_end_with_1(made: leaky.Repo, top: Path) -> None:
    result = run(top)
    assert result.exit_code == ExitCode.FAILED, result.output
    assert ".env:3" in result.stdout
    assert "Revoke it at the exchange now" in result.stdout
    assert result.stderr.startswith("2 keys found in 1 file (0.0 MB in ")
    assert not any(secret[:5] in result.output for _, secret in [*made.planted, *made.neutral])


def test_nothing_found_ends_with_0(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("BINANCE_API_KEY=your_key_here\n")
    (tmp_path / "b.png").write_bytes(b"\0")
    result = run(tmp_path)
    assert result.exit_code == ExitCode.OK
    assert result.stdout == ""
    assert result.stderr.startswith("No key found in 1 file (")
    assert "Not looked at, not text: 1 (b.png)\n" in result.stderr


def test_another_exit_code_can_be_chosen(top: Path) -> None:
    assert run(top, "--exit-code", 0).exit_code == 0
    assert run(top, "--exit-code", 42).exit_code == 42


def test_a_baseline_leaves_what_is_new(made: leaky.Repo, top: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    written = run(top, "--write-baseline", known)
    assert written.exit_code == ExitCode.OK, written.output
    assert written.stderr == f"2 findings are known now: {known}\n"
    quiet = run(top, "--baseline", known)
    assert quiet.exit_code == ExitCode.OK
    assert "No new key found in 1 file" in quiet.stderr
    assert "2 findings known by the baseline." in quiet.stderr
    leaky.ccxt_script(made)
    made.save(tmp_path)
    loud = run(top, "--baseline", known)
    assert loud.exit_code == ExitCode.FAILED
    assert "2 new keys found" in loud.stderr
    assert ".env" not in loud.stdout


def test_json_and_sarif_are_whole(top: Path, tmp_path: Path) -> None:
    told = run(top, "--format", "json")
    assert told.exit_code == ExitCode.FAILED
    assert len(json.loads(told.stdout)["findings"]) == 2
    log = run(top, "--format", "sarif", "--out", tmp_path / "a.sarif")
    assert log.exit_code == ExitCode.FAILED
    assert log.stdout == ""
    assert len(json.loads((tmp_path / "a.sarif").read_text())["runs"][0]["results"]) == 2
    assert "2 keys found" in log.stderr
    run(top, "--out", tmp_path / "a.txt")
    assert len((tmp_path / "a.txt").read_text().splitlines()) == 2


def test_what_could_not_be_looked_at_is_no_all_clear(tmp_path: Path) -> None:
    """A build that trusts code 0 must not be told so by a scan that saw half of it."""
    (tmp_path / "a.txt").write_text("x")
    late = run(tmp_path, "--max-time-s", 0)
    assert late.exit_code == ExitCode.FAILED
    assert "The time was up before the end: there may be more." in late.stderr
    (tmp_path / ".git").mkdir()
    refused = run(tmp_path)
    assert refused.exit_code == ExitCode.FAILED
    assert "Not looked at, git history not readable: 1" in refused.stderr
    assert run(tmp_path, "--no-history").exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "drainwatch: expected a file or folder to look through, found none at nowhere\n"),
        (
            [".", "--baseline", "nowhere.json"],
            "drainwatch: expected a baseline in nowhere.json: No such file",
        ),
        (
            [".", "--write-baseline", "no/where"],
            "drainwatch: can't write no/where: No such file or directory\n",
        ),
        ([".", "--format", "json", "--out", "no/where"], "drainwatch: can't write no/where: No such file"),
    ],
)
def test_what_is_not_there_is_said(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == ExitCode.INPUT
    assert result.stderr.startswith(told)


def test_limits_and_patterns_are_obeyed(top: Path) -> None:
    (top / "large.txt").write_text("x" * 3_000)
    result = run(top, "--max-size-mb", "0.002", "--exclude", ".env")
    assert result.exit_code == ExitCode.OK
    assert "Not looked at, larger than the limit: 1 (large.txt)" in result.stderr
    assert "Not looked at, excluded by --exclude: 1 (.env)" in result.stderr


def test_names_of_files_cant_steer_the_terminal(made: leaky.Repo, top: Path) -> None:
    (top / "a\x1b[2J\u202egnp.env").write_text(made.files[".env"])
    result = run(top)
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
