"""How much memory and time a long history takes: millions of fills in one call of the command.

    python benchmarks/scan.py [--fills 2000000] [--trades 2000000] [--verb replay] [--forms csv,parquet]

Writes fills of half a year in eight markets (seeded, piece by piece), and a tape beside them, then runs
`drainwatch replay` (or `scan`) on them in a process of its own, with and without the tape. Prints seconds
and the peak of resident memory of that process, as the kernel counted it, beside the bound of 1.5 GB;
ends with 1 if it isn't held.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

BOUND_MB = 1_500
START_MS = 1_750_032_000_000
DAYS = 180
PIECE = 100_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT", "XRP/USDT", "XRP/BTC", "ADA/USDT", "ADA/BTC")
PRICES = np.array([60_000.0, 3_000.0, 0.05, 150.0, 0.5, 0.5 / 60_000, 0.4, 0.4 / 60_000])


def pieces(n_rows: int, seed: int, *, own: bool) -> Iterator[pa.Table]:
    """Rows in order of time, around prices that wander; `own`: fills, else prints of others."""
    rng = np.random.default_rng(seed)
    prices = np.random.default_rng(7)  # the same for both
    span_ms = DAYS * 86_400_000
    level = np.zeros(len(SYMBOLS))
    for start in range(0, n_rows, PIECE):
        count = min(PIECE, n_rows - start)
        first, last = start * span_ms // n_rows, (start + count) * span_ms // n_rows
        ms = START_MS + first + np.sort(rng.integers(0, last - first, count))
        market = rng.integers(0, len(SYMBOLS), count)
        side = rng.choice([-1, 1], count)
        noise = rng.normal(0.0, 2e-4, count)
        price = PRICES[market] * np.exp(level[market] + noise + 2e-4 * side)
        level = level + prices.normal(0.0, 2e-3, len(SYMBOLS))
        ids = np.arange(start, start + count) + (10_000_000_000 if own else 20_000_000_000)
        columns = {
            "id": pa.array(ids).cast(pa.string()),
            "timestamp": ms,
            "symbol": pa.array(np.array(SYMBOLS)[market]),
            "side": pa.array(np.where(side > 0, "buy", "sell")),
            "price": np.round(price, 10),
            "amount": np.round(rng.exponential(50.0, count) / PRICES[market] + 1e-6, 8),
        }
        if own:
            columns["order"] = pa.array(ids // 2).cast(pa.string())
            columns["fee_cost"] = np.full(count, 0.05)
            columns["fee_currency"] = pa.array(["BNB"] * count)
        yield pa.table(columns)


def write(path: Path, n_rows: int, seed: int, *, own: bool) -> None:
    """Write a table piece by piece."""
    writer = None
    for table in pieces(n_rows, seed, own=own):
        if writer is None:
            make = pa_csv.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
            writer = make(path, table.schema)
        writer.write_table(table) if path.suffix == ".parquet" else writer.write(table)
    if writer is not None:
        writer.close()


def run(command: list[str]) -> tuple[float, float, int]:
    """Run a command; gives seconds, peak MB of resident memory, and its exit code."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - this project's own
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, usage.ru_maxrss / 1024, child.returncode


def main() -> int:
    """Measure each form with and without a tape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fills", type=int, default=2_000_000)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--verb", choices=("replay", "scan"), default="replay")
    parser.add_argument("--forms", default="csv,parquet")
    given = parser.parse_args()
    held = True
    print(f"{given.fills:,} fills, {given.trades:,} trades, bound {BOUND_MB:,} MB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tape = folder / "trades.parquet"
        write(tape, given.trades, 2, own=False)
        for form in given.forms.split(","):
            fills = folder / f"fills.{form}"
            write(fills, given.fills, 1, own=True)
            for beside in ([], ["--trades", str(tape)]):
                own = [str(fills)] if given.verb == "scan" else ["--fills", str(fills)]
                command = [sys.executable, "-m", "drainwatch", given.verb, *own, *beside]
                seconds, peak_mb, code = run([*command, "--out", str(folder / "out"), "--quiet"])
                held &= code == 0 and peak_mb <= BOUND_MB
                tape_too = "with a tape" if beside else "fills alone"
                print(
                    f"{form:8s} {tape_too:12s} {seconds:7.1f} s  peak {peak_mb:7,.0f} MB  exit code {code}",
                    flush=True,
                )
    print("held" if held else "NOT held")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
