"""`drainwatch scan`: files from anywhere in, the same outcome as `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli import outcome
from drainwatch.cli.screen import Debug, NoColor, Quiet, Screen

if TYPE_CHECKING:
    from drainwatch.imports.reading import Opened

MARKET_TABLES = ("trades", "quotes", "candles")
MAX_NAMED = 10
"""Files that are told one by one."""


def scan(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Exports of an exchange or a bot, or folders of them."),
    ],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="OURS=THEIRS",
            help="What a column is called, such as price=Px; symbol==BTC/USDT is one value for all rows.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="What the files are.  [default: their columns tell]"),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="Zone of times that name none, such as Europe/Berlin or UTC+8.  [default: the format's]",
        ),
    ] = None,
    market_data: Annotated[
        Path | None,
        typer.Option("--market-data", metavar="DIR", help="Folder with trades, quotes or candles in it."),
    ] = None,
    trades: Annotated[str | None, typer.Option(metavar="FILE", help="Public trades.")] = None,
    quotes: Annotated[
        str | None, typer.Option(metavar="FILE", help="Best bid and ask at each change.")
    ] = None,
    candles: Annotated[
        str | None, typer.Option(metavar="FILE", help="Candles, for want of trades and quotes.")
    ] = None,
    balances: Annotated[
        str | None, typer.Option(metavar="FILE", help="What the account held, by currency and time.")
    ] = None,
    orders: Annotated[
        str | None, typer.Option(metavar="FILE", help="Orders that the owner's bot says it placed.")
    ] = None,
    markets: Annotated[
        str | None, typer.Option(metavar="FILE", help="Contract sizes and currencies of markets.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the outcome.")] = Path("out"),
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model to judge by.  [default: the one that comes along]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="DRAINWATCH_CONFIG",
            show_envvar=False,
            help="Settings, TOML.  [env: DRAINWATCH_CONFIG]",
        ),
    ] = None,
    exit_code: Annotated[
        int,
        typer.Option(
            "--exit-code", metavar="N", min=0, max=255, help="Exit code when there is an incident, 0 to 255."
        ),
    ] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse files with any bad row, not only beyond 1 %.")
    ] = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Judge the exports of an exchange or a bot, as they are.

    Tells by the columns what each file is, then does as replay does. The formats are listed in
    docs/formats.md; any other table can be read with --map.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.cli import shells
        from drainwatch.config import load_settings

        settings = load_settings(config)
        tables: dict[str, str | None] = {
            "trades": trades,
            "quotes": quotes,
            "candles": candles,
            "balances": balances,
            "orders": orders,
            "markets": markets,
        }
        if market_data is not None:
            tables = _from_folder(market_data, tables)
        found = shells.opened(files, form=form, maps=maps, zone=zone)
        _tell(found, screen)
        with screen.progress() as progress:
            summary = shells.scan(
                found, tables, out, model=model, settings=settings, strict=strict, progress=progress
            )
        for note in [*found.left_out(), *summary.notes]:
            screen.note(f"drainwatch: {note}")
        outcome.show(summary, screen)
        if not any(tables[name] for name in MARKET_TABLES):
            screen.note(
                "drainwatch: the fills were judged by themselves alone; with --trades or --candles "
                "of the same time much more can be seen"
            )
        if summary.n_incidents:
            raise typer.Exit(exit_code)


def _from_folder(folder: Path, tables: dict[str, str | None]) -> dict[str, str | None]:
    """Add the market tables of a folder; those that are named by themselves go before.

    Raises
    ------
    InputError
        If the folder has none.
    """
    from drainwatch.errors import InputError

    found: dict[str, str | None] = {}
    for name in (*MARKET_TABLES, "markets"):
        inner = folder / name
        if inner.is_dir():
            plain = any(path.is_file() for path in inner.iterdir())
            found[name] = str(inner) if plain else f"{inner}/**/*"
    if not found:
        raise InputError(f"--market-data {folder}: expected a folder with trades, quotes or candles in it")
    return tables | {name: tables[name] or place for name, place in found.items()}


def _tell(found: Opened, screen: Screen) -> None:
    """Say what each file was taken for, and by what."""
    from drainwatch.imports.recognise import why
    from drainwatch.report.words import clean

    for one in found.imports[:MAX_NAMED]:
        importer: Any = one.match.importer
        screen.prose(f"{clean(one.sheet.name, 200)}: {importer.title}, told by {why(one.match)}")
    if len(found.imports) > MAX_NAMED:
        screen.out(f"and {len(found.imports) - MAX_NAMED} files more")
    for note in dict.fromkeys(one.match.importer.note for one in found.imports):
        if note:
            screen.prose(note)
    for note in found.notes:
        screen.note(f"drainwatch: {note}")
