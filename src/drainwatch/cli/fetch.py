"""`drainwatch fetch`: market data around an account's fills, from its exchange's public interface."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.screen import Debug, NoColor, Progress, Quiet, Screen

if TYPE_CHECKING:
    from drainwatch.fetch.plan import Times
    from drainwatch.fetch.run import Fetched
    from drainwatch.fetch.spans import Span
    from drainwatch.imports.reading import Opened

MAX_NAMED = 8
"""Markets that are named in one sentence; the others are counted."""


class Kind(StrEnum):
    """What is asked for; as `fetch.plan.What`, which is not loaded for `--help`."""

    TRADES = "trades"
    CANDLES = "candles"
    AUTO = "auto"


def fetch(
    fills: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="The account's own fills: any file, folder or glob that scan reads."
        ),
    ],
    exchange: Annotated[str, typer.Option(metavar="ID", help="The exchange, by ccxt's id: binance, kraken.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the market data; goes on in an old one.")
    ],
    what: Annotated[
        Kind,
        typer.Option(
            help="Auto: trades of what was traded, where the exchange has old ones, candles of all else."
        ),
    ] = Kind.AUTO,
    around: Annotated[
        str, typer.Option(metavar="TIME", help="How much before and after each fill: 30m, 2h, 1d.")
    ] = "2h",
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OURS=THEIRS", help="What a column is called, as for scan."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="What the fills are.  [default: their columns tell]"),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE", help="Zone of times that name none, as for scan."),
    ] = None,
    url: Annotated[
        str, typer.Option(metavar="URL", help="Ask there instead of the exchange's own address: a mirror.")
    ] = "",
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Get public trades or candles around fills.

    Of the markets that were traded, the same coins' liquid markets and the rates between.
    No key is needed or sent. Stopped at any moment, the same command goes on where it was.
    Ends with 1 when nothing could be had.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        import asyncio

        from drainwatch.cli.times import length_ns
        from drainwatch.errors import ConfigError
        from drainwatch.fetch.plan import What
        from drainwatch.fetch.run import fetch as run
        from drainwatch.venues.clock import SystemClock

        reach_ms = length_ns(around, "--around") // 1_000_000
        if url and not url.startswith(("https://", "http://")):
            raise ConfigError(f"--url must begin with https:// or http://, was {url[:60]!a}")
        with screen.progress() as progress:
            times = _times(_read(fills, form, maps, zone), reach_ms, progress)
            found = asyncio.run(
                run(times, exchange, out, SystemClock(), what=What(what), url=url, progress=progress)
            )
        _show(found, fills, screen)
        if not found.folders:
            raise typer.Exit(ExitCode.FAILED)


def _read(fills: str, form: str | None, maps: list[str] | None, zone: str | None) -> Opened:
    """Open the fills, as `scan` does; a pattern stands for the files that it fits."""
    from glob import glob, has_magic

    from drainwatch.cli import shells

    pattern = has_magic(fills) and not Path(fills).exists()
    files = sorted(glob(fills, recursive=True)) if pattern else []  # noqa: PTH207 - any pattern
    return shells.opened(files or [fills], form=form, maps=maps, zone=zone)


def _times(fills: Opened, reach_ms: int, progress: Progress | None) -> Times:
    """Read when the account traded."""
    from drainwatch.events import Names
    from drainwatch.fetch.plan import times_of
    from drainwatch.tables import TablePaths, Tables

    names = Names()
    say = None if progress is None else lambda table, rows: progress(f"reading {table}", rows, None)
    given = {"fills": fills.given({})["fills"]}
    with Tables.open(TablePaths(fills=fills.names), names, progress=say, given=given) as tables:
        return times_of(tables, names, reach_ms)


def _show(found: Fetched, fills: str, screen: Screen) -> None:
    """Say what was had, what not and why, and what to do with it."""
    from drainwatch.report.words import clean, plural

    fetched = " and ".join(f"{n:,} {table}" for table, n in sorted(found.n_rows.items(), reverse=True) if n)
    markets = {need.symbol for need in found.plan.needs}
    if found.plan.needs:
        there = f"; {found.minutes_before:,} minutes were there already" if found.minutes_before else ""
        screen.prose(
            f"Fetched: {fetched or 'nothing new'}, {plural(len(markets), 'market')}, "
            f"{plural(found.minutes_fetched, 'minute')}, {plural(found.n_requests, 'request')}{there}"
        )
    for symbol, n in sorted(found.plan.unlisted.items(), key=lambda item: -item[1])[:MAX_NAMED]:
        screen.prose(
            f"Not to be had: {clean(symbol, 60)} ({plural(n, 'fill')}): the exchange doesn't list it "
            "(any more), or calls it otherwise"
        )
    _rest(len(found.plan.unlisted), "traded markets that aren't listed", screen)
    for (table, symbol), why in sorted(found.refused.items())[:MAX_NAMED]:
        screen.prose(f"Not to be had: {table} of {clean(symbol, 60)}: {clean(why, 300)}")
    _rest(len(found.refused), "markets that were refused", screen)
    for (table, symbol), spans in sorted(found.nothing.items())[:MAX_NAMED]:
        screen.prose(
            f"Nothing there: {table} of {clean(symbol, 60)}, {_when(spans)}: nothing was traded, it "
            "wasn't listed yet, or the exchange keeps only what is newer"
        )
    _rest(len(found.nothing), "markets without a row", screen)
    if found.plan.elsewhere:
        named = ", ".join(
            f"{clean(name, 40)} ({n:,})" for name, n in sorted(found.plan.elsewhere.items())[:MAX_NAMED]
        )
        screen.prose(f"Left out: fills of other exchanges: {named}; fetch those with their own --exchange")
    if found.n_bad:
        screen.prose(f"Left out: {plural(found.n_bad, 'row')} of the exchange's that can't be read")
    if found.n_crowded:
        screen.prose(
            f"Incomplete: {plural(found.n_crowded, 'moment')} with more trades than one answer holds"
        )
    if found.folders:
        screen.out()
        screen.out(f"Use it: drainwatch scan {clean(fills, 200)} --market-data {found.out} --out result")


def _rest(count: int, what: str, screen: Screen) -> None:
    if count > MAX_NAMED:
        screen.out(f"and {count - MAX_NAMED:,} more {what}")


def _when(spans: list[Span]) -> str:
    """Say a few stretches, in minutes UTC."""
    shown = [f"{_minute(span.start_ms)} to {_minute(span.end_ms)}" for span in spans[:2]]
    more = f" and {len(spans) - 2:,} more stretches" if len(spans) > 2 else ""
    return ", ".join(shown) + more + " UTC"


def _minute(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")
