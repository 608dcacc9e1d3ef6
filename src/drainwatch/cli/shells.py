"""The calls of the shells, in one place; each is imported when its verb runs, for none is light."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drainwatch.cli.screen import Progress

if TYPE_CHECKING:
    from drainwatch.config import Settings
    from drainwatch.imports.reading import Opened
    from drainwatch.lab.scenario import Scenario
    from drainwatch.replay import ReplaySummary

Tables = dict[str, str | None]
"""By the table's name: a file, folder or pattern; None where it isn't given."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated account, written to files, with the truth about it."""

    tables: Tables
    owner: str
    """What the owner does, in words."""
    thief: str
    """What the thief does, in words."""
    losses: list[tuple[int, float]]
    """Of each of the thief's fills: time in ms, and what it lost in USDT."""
    equity: float
    """What the account was worth just before them, in USDT."""


def robbed(thief: str, seed: int) -> Scenario:
    """Simulate a week of an account that somebody drains.

    Raises
    ------
    ConfigError
        For a thief whom the simulator doesn't know.
    """
    from drainwatch.lab import scenario

    return scenario.make(seed, days=7, owner="grid", thief=thief, difficulty=0.3)


def simulate(folder: Path, thief: str, seed: int) -> Simulated:
    """Simulate a week of an account that somebody drains, and write its tables to a folder.

    Raises
    ------
    ConfigError
        For a thief whom the simulator doesn't know.
    """
    from drainwatch.lab import scenario

    made = robbed(thief, seed)
    forms = dict.fromkeys(("trades", "quotes"), "parquet")
    forms |= dict.fromkeys(("fills", "balances", "orders", "markets"), "csv")
    written = made.write(folder, forms)
    stolen = made.labels["is_drain"].to_numpy(dtype=bool)
    times, lost = made.fills["timestamp"].to_numpy()[stolen], made.labels["loss"].to_numpy()[stolen]
    return Simulated(
        {name: str(path) for name, path in written.items()},
        scenario.OWNERS[made.owner],
        scenario.THIEVES[thief],
        list(zip(times.tolist(), lost.tolist(), strict=True)),
        made.equity_before,
    )


def replay(
    tables: Tables,
    out: Path,
    *,
    model: Path | None = None,
    settings: Settings | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ReplaySummary:
    """Replay tables into the folder `out`."""
    from drainwatch.replay import replay_tables
    from drainwatch.tables import TablePaths

    paths = TablePaths(fills=tables.get("fills") or "", **_beside_fills(tables))
    return replay_tables(paths, out, model=model, settings=settings, strict=strict, progress=progress)


def opened(
    files: list[str], *, form: str | None = None, maps: list[str] | None = None, zone: str | None = None
) -> Opened:
    """Open files from anywhere, and tell what each is."""
    from drainwatch.imports.reading import Wish
    from drainwatch.imports.reading import opened as open_all

    return open_all(files, Wish.of(form, maps or (), zone))


def scan(
    files: Opened,
    tables: Tables,
    out: Path,
    *,
    model: Path | None = None,
    settings: Settings | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ReplaySummary:
    """Replay files from anywhere, beside tables of the contract, into the folder `out`."""
    from drainwatch.replay import replay_tables
    from drainwatch.tables import TablePaths

    given = files.given(tables)
    beside = dict.fromkeys(given, "the files") | _beside_fills(tables)
    paths = TablePaths(**{**beside, "fills": files.names})  # type: ignore[arg-type]
    return replay_tables(
        paths, out, model=model, settings=settings, strict=strict, progress=progress, given=given
    )


def train(
    tables: Tables, out: Path, *, months: int, seed: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Train a model into the folder `out`; returns its card."""
    from drainwatch.tables import TablePaths
    from drainwatch.train import train as train_model

    fills = tables.get("fills")
    own = (TablePaths(fills=fills, **_beside_fills(tables)),) if fills else ()
    # goes into the card, whose bytes must not depend on where somebody keeps his files
    command = f"drainwatch train --out models/{out.name} --from-lab {months} --seed {seed}"
    if own:
        command += "".join(f" --{name} ..." for name, path in tables.items() if path)
    made = train_model(
        out,
        months=months,
        seed=seed,
        tables=own,
        command=command,
        workers=os.cpu_count() or 1,
        progress=progress,
    )
    return made.card


def _beside_fills(tables: Tables) -> Tables:
    """Leave out the fills, and what isn't given."""
    return {name: path for name, path in tables.items() if name != "fills" and path is not None}
