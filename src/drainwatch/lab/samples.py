"""The samples in `data/`: small accounts with their tables, truth and a note of how they were made.

`python -m drainwatch.lab.samples [FOLDER]` writes them again, the same bytes each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from drainwatch.lab.folder import fill_folder
from drainwatch.lab.scenario import Scenario, make

COMMAND = "python -m drainwatch.lab.samples"
FORMATS = {
    "fills": "csv",
    "trades": "csv.gz",
    "quotes": "csv.gz",
    "balances": "csv",
    "orders": "csv",
    "markets": "csv",
    "labels": "csv",
}
"""How each table is written. Candles are left out: they say less than the trades."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sample is made with."""

    seed: int
    owner: str
    thief: str | None
    days: float
    difficulty: float


SAMPLES: dict[str, Sample] = {
    "quiet-week": Sample(12, "grid", None, 7.0, 0.0),
    "planted-wall": Sample(21, "dca", "planted_wall", 5.0, 0.35),
    "ping-pong": Sample(31, "rebalancer", "ping_pong", 5.0, 0.4),
    "slow-bleed": Sample(41, "market_maker", "slow_bleed", 5.0, 0.5),
    "liquidate-then-pump": Sample(51, "twap", "liquidate_then_pump", 5.0, 0.3),
}


def _narrowed(scenario: Scenario) -> Scenario:
    """Keep the markets that the account traded and those that price them: a sample has to stay small."""
    listed = set(scenario.markets["symbol"])
    traded = set(scenario.fills["symbol"])
    kept = set(traded)
    for symbol in traded:
        base, _, quote = symbol.partition(":")[0].partition("/")
        kept |= {f"{base}/USDT", f"{base}/BTC", f"{quote}/USDT"} & listed
    tables: dict[str, pd.DataFrame] = {}
    for table in ("trades", "quotes", "candles", "markets"):
        frame: pd.DataFrame = getattr(scenario, table)
        tables[table] = frame[frame["symbol"].isin(sorted(kept))].reset_index(drop=True)
    return replace(scenario, **tables)  # type: ignore[arg-type]


def write(name: str, folder: Path) -> dict[str, object]:
    """Write one sample to `folder/name` and return its metadata.

    Parameters
    ----------
    name
        One of `SAMPLES`.
    folder
        Where its own folder goes.
    """
    sample = SAMPLES[name]
    scenario = _narrowed(
        make(
            sample.seed,
            days=sample.days,
            owner=sample.owner,
            thief=sample.thief,
            difficulty=sample.difficulty,
        )
    )
    return fill_folder(scenario, folder / name, FORMATS, name=name, command=COMMAND)


def main(argv: Sequence[str] | None = None) -> int:
    """Write all samples, or those named; returns 0."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write the sample accounts.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("data"), help="where to (default: data)")
    parser.add_argument(
        "--only", choices=list(SAMPLES), action="append", help="write this one only; repeatable"
    )
    arguments = parser.parse_args(argv)
    for name in arguments.only or SAMPLES:
        write(name, arguments.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
