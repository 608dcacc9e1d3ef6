"""`drainwatch fetch`: words, exit codes, and a command that is killed half-way."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drainwatch.cli import ExitCode, app
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from fetch_lab import DAY_MS, HOUR_MS, a_fill, a_past, fetched, files_of, read_times, written

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})


@contextmanager
def served(exchange: Exchange, faults: Faults | None = None) -> Iterator[Server]:
    """Serve an exchange from a thread: the command has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = Server(exchange, faults)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def run(*words: object) -> Any:
    return RUNNER.invoke(app, ["fetch", *map(str, words)])


def test_it_says_what_was_had_and_what_to_do_with_it(tmp_path: Path) -> None:
    fills = written(
        tmp_path / "fills.jsonl",
        [
            a_fill(HOUR_MS),
            a_fill(HOUR_MS, "GONE\u202e/BTC"),
            a_fill(0, exchange="kraken"),
            a_fill(9 * DAY_MS),
        ],
    )
    out = tmp_path / "out"
    words = ("--fills", fills, "--exchange", "binance", "--out", out, "--around", "1h")
    with served(a_past([HOUR_MS, HOUR_MS + 5])) as server:
        result = run(*words, "--url", server.url)
        again = run(*words, "--url", server.url)
    assert result.exit_code == ExitCode.OK, result.output
    said = result.stdout.splitlines()
    assert said[0].startswith("Fetched: 2 trades and 2 candles, 3 markets, 720 minutes, ")
    assert any(line.startswith("Not to be had: GONE") and "(1 fill)" in line for line in said)
    assert "\u202e" not in result.stdout
    nothing = (
        "Nothing there: trades of QTUM/BTC, 2025-06-24 23:00 to 2025-06-25 01:00 UTC: nothing was traded"
    )
    assert any(line.startswith(nothing) for line in said)
    assert "Left out: fills of other exchanges: kraken (1); fetch those with their own --exchange" in said
    assert said[-1] == f"Use it: drainwatch scan {fills} --market-data {out} --out result"
    assert again.stdout.startswith(
        "Fetched: nothing new, 3 markets, 0 minutes, 0 requests; 720 minutes were there"
    )


def test_exports_are_taken_as_they_are_and_found_by_a_pattern(tmp_path: Path) -> None:
    """Times of an export without a zone, and pairs without a slash: what it is for."""
    for name, at in (("a", "2025-06-16 01:00:00"), ("b", "2025-06-16 05:00:00")):
        rows = f"{at},QTUMBTC,BUY,0.0000200000,1.0000000000QTUM,0.0000200000BTC,0.0010000000QTUM\n"
        head = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n"
        (tmp_path / f"{name}.csv").write_text(head + rows)
    out = tmp_path / "out"
    with served(a_past([HOUR_MS, 5 * HOUR_MS])) as server:
        result = run(
            "--fills",
            tmp_path / "*.csv",
            "--exchange",
            "binance",
            "--out",
            out,
            "--around",
            "1h",
            "--url",
            server.url,
        )
    assert result.exit_code == ExitCode.OK, result.output
    assert result.stdout.startswith("Fetched: 2 trades and 4 candles, 3 markets, 720 minutes, ")
    assert (out / "trades" / "binance.QTUM%2FBTC.2025-06-16.parquet").exists()


def test_nothing_to_be_had_ends_with_1(tmp_path: Path) -> None:
    fills = written(tmp_path / "fills.jsonl", [a_fill(HOUR_MS, "GONE/BTC")])
    with served(a_past([])) as server:
        result = run(
            "--fills", fills, "--exchange", "binance", "--out", tmp_path / "out", "--url", server.url
        )
    assert result.exit_code == ExitCode.FAILED
    assert result.stdout.startswith("Not to be had: GONE/BTC (1 fill)")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--exchange", "nowhere"), ExitCode.USAGE, "exchange must be one of ccxt's, was 'nowhere'"),
        (("--exchange", "binance", "--around", "soon"), ExitCode.USAGE, "expected a length of time like 30m"),
        (("--exchange", "binance", "--url", "ftp://x"), ExitCode.USAGE, "--url must begin with https://"),
    ],
)
def test_wrong_options_are_told(words: tuple[str, ...], code: ExitCode, message: str, tmp_path: Path) -> None:
    fills = written(tmp_path / "fills.jsonl", [a_fill(HOUR_MS)])
    result = run("--fills", fills, "--out", tmp_path / "out", *words)
    assert result.exit_code == code
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_fills_that_are_none_are_told(tmp_path: Path) -> None:
    result = run("--fills", tmp_path / "none.csv", "--exchange", "binance", "--out", tmp_path / "out")
    assert result.exit_code == ExitCode.INPUT
    assert "none.csv" in result.stderr


@pytest.mark.slow
def test_killed_half_way_it_goes_on_and_leaves_the_same_bytes(tmp_path: Path) -> None:
    """A night's fetching would be lost, or worse: half a file taken for a whole one."""
    offsets = [day * DAY_MS + at * 20 * 60_000 for day in range(12) for at in range(6)]
    fills = written(tmp_path / "fills.jsonl", [a_fill(day * DAY_MS + HOUR_MS) for day in range(12)])
    out = tmp_path / "out"
    words = ["fetch", "--fills", str(fills), "--exchange", "binance", "--out", str(out), "--around", "1h"]
    kills = 0
    with served(a_past(offsets)) as server:
        command = [sys.executable, "-m", "drainwatch", *words, "--url", server.url]
        for wanted in (1, 4, 9):
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            while child.poll() is None and len(list(out.glob("*/*.parquet"))) < wanted:
                threading.Event().wait(0.01)
            kills += child.poll() is None
            child.send_signal(signal.SIGKILL)
            child.communicate()
            assert len(list(out.glob("*/*.parquet"))) >= wanted
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert kills == 3
    assert "minutes were there already" in done.stdout
    fetched(a_past(offsets), read_times(fills), tmp_path / "whole")
    assert files_of(out) == files_of(tmp_path / "whole")
    assert not (out / ".made").exists()
