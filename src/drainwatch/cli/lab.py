"""The verbs of the lab: simulated accounts as tables or as a stream."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli.screen import Debug, NoColor, Quiet, Screen
from drainwatch.errors import ConfigError

if TYPE_CHECKING:
    from drainwatch.lab.scenario import Scenario

lab = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Simulate accounts, and measure on them.")

REPLAYED = ("trades", "quotes", "balances", "orders", "markets")
"""Tables that the replay is told to read beside the fills; candles say less than the trades."""


class Format(StrEnum):
    """How tables are written."""

    PARQUET = "parquet"
    CSV = "csv"
    CSV_GZ = "csv.gz"
    JSONL = "jsonl"


Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Of all chance: the same seed, the same bytes.")]
Days = Annotated[float, typer.Option(metavar="D", help="Length in days, 0.5 at least.")]
Owner = Annotated[
    str | None, typer.Option(metavar="KIND", help="Who owns it; see `lab kinds`.  [default: by chance]")
]
Thief = Annotated[
    str | None, typer.Option(metavar="KIND", help="Who drains it; see `lab kinds`.  [default: nobody]")
]
Difficulty = Annotated[
    float | None,
    typer.Option(metavar="X", help="The thief: 0 blatant, 1 careful.  [default: by chance]"),
]
Regime = Annotated[
    str | None,
    typer.Option(metavar="KIND", help="What the market does; see `lab kinds`.  [default: by chance]"),
]
Accounts = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="How many accounts the owner trades alike.  [default: 1, of a farm by chance]"
    ),
]
NoOwnLog = Annotated[
    bool, typer.Option("--no-own-log", help="Leave out the log of orders that the owner's bot keeps.")
]


@lab.command("make")
def make_tables(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make: a new or an empty one.")],
    seed: Seed = 0,
    days: Days = 30.0,
    owner: Owner = None,
    thief: Thief = None,
    difficulty: Difficulty = None,
    regime: Regime = None,
    accounts: Accounts = None,
    no_own_log: NoOwnLog = False,
    form: Annotated[Format, typer.Option("--format", help="Of the tables.")] = Format.PARQUET,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Write an account's tables, with the truth about each fill.

    OUT gets the tables that `replay` reads, labels (what is true of each fill)
    and metadata.json (how it was made); all of them, or nothing.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.lab import folder

        folder.check_free(out)
        asked = _asked(seed, days, owner, thief, difficulty, regime, accounts, no_own_log)
        made = _make(asked)
        note = folder.make_folder(made, out, form, command=_command(asked, form))
        for line in _told(made, note):
            screen.prose(line)
        screen.out()
        screen.out("Judge it:")
        screen.out(f"  {_replay(made, out, form)}")


@lab.command()
def kinds(no_color: NoColor = False, debug: Debug = False) -> None:
    """List the kinds of owners, thieves and regimes."""
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.lab import scenario

        told = (
            ("owner", scenario.OWNERS),
            ("thief", scenario.THIEVES),
            ("regime", scenario.REGIMES),
        )
        for i, (what, texts) in enumerate(told):
            if i:
                screen.out()
            screen.table((what, "what it does"), list(texts.items()))


@lab.command()
def stream(
    seed: Seed = 0,
    days: Days = 30.0,
    owner: Owner = None,
    thief: Thief = None,
    difficulty: Difficulty = None,
    regime: Regime = None,
    accounts: Accounts = None,
    no_own_log: NoOwnLog = False,
    speed: Annotated[
        float,
        typer.Option(metavar="X", min=0, help="1 as it happened, 60 a minute in a second, 0 at once."),
    ] = 0.0,
    debug: Debug = False,
) -> None:
    """Print an account's rows in order of time, a JSON object a line.

    Each has the name of its table: {"table": "fills", "timestamp": ...}. Rows of
    the market come before fills of the same time, candles when they have closed.
    """
    with Screen(debug=debug):
        from drainwatch.lab.stream import timed_rows

        made = _make(_asked(seed, days, owner, thief, difficulty, regime, accounts, no_own_log))
        began, first = time.monotonic(), None
        try:
            for ms, row in timed_rows(made):
                first = ms if first is None else first
                wait = began + (ms - first) / 1000.0 / speed - time.monotonic() if speed else 0.0
                if wait > 0.0:
                    sys.stdout.flush()
                    time.sleep(wait)
                sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough (`| head`)
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the process ends


@lab.command()
def bench(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for bench.json and bench.html.")],
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model to judge by.  [default: the one that comes along]"),
    ] = None,
    months: Annotated[
        int, typer.Option(metavar="N", min=1, help="Honest account-months, each kind of owner in turn.")
    ] = 130,
    drains: Annotated[int, typer.Option(metavar="N", min=0, help="Drained ones of each kind of thief.")] = 9,
    stress: Annotated[
        int, typer.Option(metavar="N", min=0, help="Honest ones in each kind of crash, frenzy or outage.")
    ] = 4,
    level: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Level of information, repeatable.  [default: all]"),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Leave out the other detectors and the oracles.")
    ] = False,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Also judge with each part of drainwatch left out.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes.  [default: one a processor]")
    ] = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Measure what drainwatch finds, beside other detectors.

    Accounts are of seeds that nothing was trained or tuned on. The whole of it
    takes hours; --months 13 --drains 1 --stress 0 some minutes.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.bench.outcome import LEVELS
        from drainwatch.bench.page import to_html
        from drainwatch.bench.run import run_benchmark
        from drainwatch.bench.text import to_text
        from drainwatch.model import default_model_path, load_model

        if find_spec("matplotlib") is None or find_spec("pyod") is None or find_spec("river") is None:
            raise ConfigError(
                "expected PyOD, River and Matplotlib, found not all of them: pip install 'drainwatch[bench]'"
            )
        unknown = [name for name in level or () if name not in LEVELS]
        if unknown:
            raise typer.BadParameter(
                f"must be one of {', '.join(LEVELS)}, was {unknown[0]!r}", param_hint="--level"
            )
        out.mkdir(parents=True, exist_ok=True)
        with screen.progress() as progress:
            result = run_benchmark(
                load_model(model or default_model_path()),
                months=months,
                drains=drains,
                stress=stress,
                levels=tuple(level or LEVELS),
                others=not alone,
                parts=ablate,
                workers=workers or os.cpu_count() or 1,
                progress=progress,
            )
        (out / "bench.json").write_text(json.dumps(_plain(result), indent=1) + "\n", encoding="utf-8")
        (out / "bench.html").write_text(to_html(result), encoding="utf-8")
        screen.out(to_text(result))
        screen.out()
        screen.out(f"Look at it: {out / 'bench.html'}")


def _plain(value: Any) -> Any:
    """Write what isn't known as null: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _asked(
    seed: int,
    days: float,
    owner: str | None,
    thief: str | None,
    difficulty: float | None,
    regime: str | None,
    accounts: int | None,
    no_own_log: bool,
) -> dict[str, Any]:
    """Arguments of `scenario.make`."""
    return {
        "seed": seed,
        "days": days,
        "owner": owner,
        "thief": thief,
        "difficulty": difficulty,
        "regime": regime,
        "accounts": accounts,
        "own_log": not no_own_log,
    }


def _make(asked: Mapping[str, Any]) -> Scenario:
    from drainwatch.lab import scenario

    return scenario.make(**asked)


def _command(asked: Mapping[str, Any], form: str) -> str:
    """Say the command that makes the same: every choice, but not where to, which changes no byte."""
    words = ["drainwatch", "lab", "make", "OUT"]
    for name, value in asked.items():
        if name == "own_log":
            words += [] if value else ["--no-own-log"]
        elif value is not None:
            words += [f"--{name}", str(value).removesuffix(".0")]
    return shlex.join([*words, "--format", form])


def _told(made: Scenario, note: Mapping[str, Any]) -> list[str]:
    """What was made, in words."""
    from drainwatch.lab.stream import ORDER
    from drainwatch.report import words

    rows = ", ".join(
        f"{name} {len(getattr(made, name)):,}" for name in ORDER[::-1] if len(getattr(made, name))
    )
    accounts = f" {len(made.accounts)} accounts: {', '.join(made.accounts)}." if made.accounts[1:] else ""
    said = [f"Owner: {made.owner}. {note['owner_does']}{accounts}"]
    if made.family is None:
        said.append("Thief: none.")
    elif made.started_ms is None:
        said.append(f"Thief: {made.family}. He came to nothing in so short a time.")
    else:
        whose = ", ".join(made.robbed) if made.accounts[1:] else "the account"
        share = f", {words.percent(note['stolen_share'])} of {whose}" if note["stolen_share"] else ""
        fills = words.plural(note["fills_of_the_thief"], "fill")
        said.append(
            f"Thief: {made.family}. {note['thief_does']} {fills} from {words.moment(made.started_ms)} on; "
            f"{words.money(made.stolen_quote, 'USDT')} gone{share}."
        )
    happened = sorted({f"{episode.kind.replace('_', ' ')} ({episode.subject})" for episode in made.episodes})
    said.append(f"Market: {', '.join(happened) or 'nothing out of the ordinary'}.")
    said.append(f"Rows: {rows}.")
    return said


def _replay(made: Scenario, out: Path, form: str) -> str:
    """Say the command that judges what was made."""
    words = ["drainwatch", "replay", "--fills", str(out / f"fills.{form}")]
    for name in REPLAYED:
        if len(getattr(made, name)):
            words += [f"--{name}", str(out / f"{name}.{form}")]
    return shlex.join([*words, "--out", f"{out}-judged"])
