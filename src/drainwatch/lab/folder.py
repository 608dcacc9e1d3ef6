"""A scenario's folder: its tables, their truth, and a note of how they were made."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from drainwatch.errors import ConfigError
from drainwatch.lab.stream import records

if TYPE_CHECKING:
    import pandas as pd

    from drainwatch.lab.scenario import Scenario

FORMATS = ("parquet", "csv", "csv.gz", "jsonl")
"""How a table can be written; the ending of its file."""


def write_table(frame: pd.DataFrame, path: Path, form: str) -> None:
    """Write one table, the same bytes each time.

    Raises
    ------
    ConfigError
        For a format that is none of `FORMATS`.
    """
    if form == "csv":
        frame.to_csv(path, index=False, lineterminator="\n")
    elif form == "csv.gz":
        packing = {"method": "gzip", "mtime": 0}
        frame.to_csv(path, index=False, lineterminator="\n", compression=packing)
    elif form == "jsonl":
        lines = (json.dumps(record, allow_nan=False) + "\n" for record in records(frame))
        with path.open("w", encoding="utf-8", newline="\n") as file:  # pandas cuts numbers at 15 decimals
            file.writelines(lines)
    elif form == "parquet":
        frame.to_parquet(path, index=False)
    else:
        raise ConfigError(f"format must be {', '.join(FORMATS)}, was {form!r} for {path.name}")


def note_of(scenario: Scenario, name: str, command: str) -> dict[str, object]:
    """Say what a scenario is and how it was made; what would follow from a theft is None without one.

    Parameters
    ----------
    scenario
        What to speak of.
    name
        What it is called.
    command
        The command that makes the same again.
    """
    from drainwatch.lab.scenario import KIND_OF, OWNERS, THIEVES

    lost = scenario.stolen_quote / scenario.equity_before if scenario.equity_before else math.nan
    thief = scenario.family
    return {
        "name": name,
        "synthetic": True,
        "about": "made by drainwatch's own simulator: no real account, market or person is in it",
        "licence": "Apache-2.0",
        "command": command,
        "seed": scenario.seed,
        "days": scenario.days,
        "accounts": list(scenario.accounts),
        "owner": scenario.owner,
        "owner_does": OWNERS[scenario.owner],
        "thief": thief,
        "thief_does": None if thief is None else THIEVES[thief],
        "kind": None if thief is None else KIND_OF[thief],
        "difficulty": scenario.difficulty,
        "accounts_robbed": list(scenario.robbed),
        "order_log": scenario.log,
        "fills": len(scenario.fills),
        "fills_of_the_thief": int(scenario.labels["is_drain"].sum()),
        "drain_started_ms": scenario.started_ms,
        "stolen_usdt": round(scenario.stolen_quote, 2),
        "stolen_share": None if math.isnan(lost) else round(lost, 4),
    }


def fill_folder(
    scenario: Scenario, folder: Path, formats: str | Mapping[str, str], *, name: str, command: str
) -> dict[str, object]:
    """Write tables, `labels` and `metadata.json` to a folder; returns the metadata.

    Parameters
    ----------
    scenario
        What to write.
    folder
        Where to; made if absent.
    formats
        As for `Scenario.write`.
    name, command
        As for `note_of`.
    """
    paths = scenario.write(folder, formats)
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths.values()}
    note = note_of(scenario, name, command) | {"sha256": digests}
    text = json.dumps(note, indent=2) + "\n"
    (folder / "metadata.json").write_text(text, encoding="utf-8", newline="\n")
    return note


def make_folder(scenario: Scenario, out: Path, form: str, *, command: str) -> dict[str, object]:
    """Make the folder `out` of a scenario, whole or not at all; returns the metadata.

    It is written beside `out` and takes its name at the end.

    Parameters
    ----------
    scenario
        What to write.
    out
        A folder that doesn't exist yet, or is empty.
    form
        One of `FORMATS`, for all tables.
    command
        As for `note_of`.

    Raises
    ------
    ConfigError
        For an unknown format, and where `out` is a file or a folder with something in it.
    """
    check_free(out)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".drainwatch-", dir=out.parent))
    try:
        made = staging / "made"  # with the rights of any new folder; the one around it is its maker's alone
        note = fill_folder(scenario, made, form, name=out.name, command=command)
        if out.is_dir():
            out.rmdir()
        made.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return note


def check_free(out: Path) -> None:
    """See that a folder can be made at `out`.

    Raises
    ------
    ConfigError
        Where it is a file or a folder with something in it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        found = "a folder with files in it" if out.is_dir() else "a file"
        raise ConfigError(f"expected a new or an empty folder at {out}, found {found}: name another one")
