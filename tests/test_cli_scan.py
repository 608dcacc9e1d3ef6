"""`drainwatch scan`: what is said of files from anywhere, what is handed on, what comes out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli_fakes import Summary
from drainwatch.cli import ExitCode, app, shells
from report_fakes import incident

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})
FILES = Path(__file__).parent / "files" / "imports"
SPOT = str(FILES / "binance-spot-units.csv")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stand in for the shell that replays; gives what it is called with."""
    made: list[tuple[Any, ...]] = []

    def scan(*arguments: Any, **options: Any) -> Summary:
        made.append((*arguments, options))
        return Summary(incidents=[incident()])

    monkeypatch.setattr(shells, "scan", scan)
    return made


def test_each_file_is_told_and_options_are_handed_on(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    market = tmp_path / "market"
    (market / "trades" / "BTC").mkdir(parents=True)
    (market / "candles").mkdir()
    (market / "candles" / "a.csv").write_text("x")
    words = [
        "--market-data",
        str(market),
        "--candles",
        "c.csv",
        "--balances",
        "b.csv",
        "--out",
        "o",
        "--strict",
    ]
    result = RUNNER.invoke(app, ["scan", SPOT, str(FILES / "okx.csv"), *words])
    assert result.exit_code == ExitCode.OK, result.output
    ((found, tables, out, options),) = calls
    assert [one.match.importer.name for one in found.imports] == ["binance-spot", "okx"]
    assert tables["trades"] == f"{market}/trades/**/*"
    assert tables["candles"] == "c.csv"
    assert tables["balances"] == "b.csv"
    assert out == Path("o")
    assert options["strict"] is True
    assert (
        "binance-spot-units.csv: Binance spot trade history, told by columns Date(UTC), Pair" in result.stdout
    )
    assert "by themselves alone" not in result.stderr


def test_a_quiet_scan_and_the_exit_code(calls: list[tuple[Any, ...]]) -> None:
    result = RUNNER.invoke(app, ["scan", SPOT, "-q", "--exit-code", "9"])
    assert (result.exit_code, result.output) == (9, "")
    assert len(calls) == 1


def test_what_such_a_file_cannot_show_is_said(calls: list[tuple[Any, ...]]) -> None:
    result = RUNNER.invoke(app, ["scan", str(FILES / "kucoin-orders.csv")])
    assert calls
    assert "a row an order, at its average price" in result.stdout
    assert "judged by themselves alone" in result.stderr


def test_many_files_are_not_all_named(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    text = Path(SPOT).read_text()
    for number in range(12):
        (tmp_path / f"{number:02}.csv").write_text(text)
    result = RUNNER.invoke(app, ["scan", str(tmp_path)])
    assert calls
    assert "and 2 files more" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file; check the path"),
        ([SPOT, "--format", "foo"], "--format foo: expected one of "),
        ([SPOT, "--map", "prize=Px"], "before the =, found 'prize'"),
        ([SPOT, "--timezone", "Mars"], "--timezone Mars: expected a zone such as Europe/Berlin"),
        ([SPOT, "--market-data", "nowhere"], "--market-data nowhere: expected a folder with trades"),
        ([str(FILES / "kraken-ledgers.csv")], "Kraken ledger, which has no fills; export the trades"),
    ],
)
def test_what_cant_be_used_ends_in_a_word_and_a_code(arguments: list[str], said: str) -> None:
    result = RUNNER.invoke(app, ["scan", *arguments])
    assert result.exit_code == ExitCode.INPUT
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_names_from_outside_dont_steer_the_terminal(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.csv"
    path.write_text(Path(SPOT).read_text())
    result = RUNNER.invoke(app, ["scan", str(path)])
    assert calls
    assert "\x1b" not in result.output


@pytest.mark.slow
def test_a_real_scan_writes_what_replay_writes(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in ("binance-spot-units.csv", "bybit-log.csv", "kraken-ledgers.csv"):
        shutil.copy(FILES / name, folder)
    result = RUNNER.invoke(app, ["scan", str(folder), "--out", str(tmp_path / "out")])
    assert result.exit_code == ExitCode.OK, result.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"incidents.jsonl", "rejected.jsonl", "report.html", "scores.parquet"}
    assert "Judged: 4 fills" in result.stdout
    assert "rows that are no fills: transfer in 1" in result.stderr
    assert "left aside" in result.stderr
