"""`drainwatch watch`: follow accounts as they trade, until stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli.screen import Debug, NoColor, Screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drainwatch.watch.runner import Watch


def watch(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="DRAINWATCH_CONFIG",
            show_envvar=False,
            help="Settings, as `drainwatch init` writes them.  [env: DRAINWATCH_CONFIG]",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where everything is kept: sqlite:///FILE or postgresql://..."),
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar="DIR", help="Keep the exchanges' raw frames there.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model to judge by.  [default: the one that comes along]"),
    ] = None,
    view: Annotated[bool, typer.Option("--view", help="Show it all on the terminal as it goes.")] = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Watch accounts as they trade, for months.

    Stops at Ctrl-C or SIGTERM; goes on where it was when started again.
    """
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.config import load_settings
        from drainwatch.watch import runner

        options: dict[str, Any] = {}
        if store is not None:
            options["watch.store"] = store
        if record is not None:
            options["watch.record"] = record
        settings = load_settings(config, options=options)
        runner.check(settings)
        if not view:
            logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
            logging.getLogger("drainwatch").setLevel(logging.INFO)
        running = runner.Watch(settings, model=model)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked through again and again
        asyncio.run(_run(running, screen, view=view))


async def _run(running: Watch, screen: Screen, *, view: bool) -> None:
    from drainwatch.watch.runner import stopped_by_signals

    async with stopped_by_signals() as until:
        if view:
            shown = asyncio.create_task(_show(running, no_color=screen.plain))
            try:
                await until(running.run())
            finally:
                shown.cancel()
        else:
            running.hub.listeners.append(lambda message: _tell(screen, message))
            running.on_start = lambda: screen.out("Watching; Ctrl-C ends it.")
            await until(running.run())
    screen.out("Stopped. What was seen is in the store; the next start goes on from there.")


async def _show(running: Watch, *, no_color: bool) -> None:
    """Draw the watch once a second, until cancelled."""
    from rich.console import Console

    from drainwatch.cli.view import Viewer
    from drainwatch.watch.picture import picture_of

    with Viewer(Console(no_color=no_color)) as viewer:
        while True:
            viewer.show(picture_of(running))
            await asyncio.sleep(1.0)


def _tell(screen: Screen, message: Mapping[str, Any]) -> None:
    """Print an incident when it opens, escalates or closes."""
    if message["type"] != "incident" or message["what"] == "grew":
        return
    from drainwatch.report import to_text

    screen.out()
    screen.out(f"Incident {message['what']}:")
    screen.incident(to_text(dict(message["incident"])))
