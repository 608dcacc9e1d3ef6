"""`drainwatch rerun` and `drainwatch journal`: what a watch kept, judged once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drainwatch.cli.outcome import show
from drainwatch.cli.screen import Debug, NoColor, Quiet, Screen

journal = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Take out what a watch journalled.", name="journal"
)

Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the outcome.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings to judge by.  [default: those of the watch]"),
]


@journal.callback()
def about_journal() -> None:
    """Take out what a watch journalled."""


def rerun(
    tape: Annotated[Path, typer.Argument(metavar="DIR", help="Folder in which the watch recorded.")],
    out: Out,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model to judge by.  [default: the one that comes along]"),
    ] = None,
    config: Config = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Judge a recorded session once more, without a network.

    Writes incidents.jsonl, scores.parquet and report.html to the folder: the same incidents as then.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.config import load_settings
        from drainwatch.watch.rerun import rerun as play

        settings = load_settings(config) if config is not None else None
        with screen.progress() as progress:
            summary = play(tape, out, model=model, settings=settings, progress=progress)
        for note in summary.notes:
            screen.note(f"drainwatch: {note}")
        show(summary, screen)


@journal.command("export")
def export(
    out: Out,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Store of the watch: sqlite:///FILE or postgresql://..."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings that name the store.")
    ] = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Write the journal as tables, for `drainwatch replay`.

    What is replayed is judged as it was live. The watch must not run meanwhile. Without
    `whole_journal = true` only what came after its last saved states is there.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.config import load_settings, store_url
        from drainwatch.store import open_store
        from drainwatch.watch.journal import export_journal

        options = {"watch.store": store} if store is not None else {}
        settings = load_settings(config, options=options)
        kept = open_store(store_url(settings.watch, None))
        try:
            with screen.progress() as progress:

                def tell(entries: int) -> None:
                    if progress is not None:
                        progress("reading the journal", entries, None)

                exported = export_journal(kept, out, progress=tell)
        finally:
            kept.close()
        if not exported.whole:
            screen.note(
                "drainwatch: the journal's beginning was dropped, as saved states cover it: a replay doesn't "
                "know what was before. With `whole_journal = true` in [watch] it is kept."
            )
        screen.table(("table", "rows"), [(table, f"{rows:,}") for table, rows in exported.rows.items()])
        screen.out()
        tables = " ".join(f"--{table} {out / table}.jsonl" for table in exported.rows)
        screen.out(f"Judge it: drainwatch replay {tables} --out out")
