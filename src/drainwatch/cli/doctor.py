"""`drainwatch doctor`: whether a watch with these settings would hear, judge and tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.screen import Debug, NoColor, Screen

if TYPE_CHECKING:
    from drainwatch.doctor import Check, Tools

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skipped": "dim"}


def doctor(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="DRAINWATCH_CONFIG",
            show_envvar=False,
            help="Settings to look at.  [env: DRAINWATCH_CONFIG]",
        ),
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send a test message to each channel.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Check settings, keys, exchanges, clock, channels.

    Ends with 1 where a check failed.
    """
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.cli.probes import tools

        checks = asyncio.run(_collected(config, tools(), None if as_json else screen, send=send))
        failed = sum(check.status == "fail" for check in checks)
        if as_json:
            rows = [
                {"name": c.name, "status": str(c.status), "found": c.found, "advice": c.advice}
                for c in checks
            ]
            screen.out(json.dumps({"ok": not failed, "checks": rows}, indent=2))
        else:
            _conclude(checks, screen)
        if failed:
            raise typer.Exit(ExitCode.FAILED)


async def _collected(config: Path | None, tools: Tools, screen: Screen | None, *, send: bool) -> list[Check]:
    """Go through the checks; each is shown when it is done, as some take their time."""
    checks = []
    async for check in _checks(config, tools, send=send):
        checks.append(check)
        if screen is not None:
            screen.out(f"{check.status:<8}{check.name}: {check.found}", STYLES[check.status])
            if check.advice:
                screen.prose(f"        {check.advice}")
    return checks


async def _checks(config: Path | None, tools: Tools, *, send: bool) -> AsyncIterator[Check]:
    """Give the checks; those after the settings need settings."""
    from drainwatch.config import load_settings
    from drainwatch.doctor import Check, Status, check_settings_file, examine
    from drainwatch.errors import ConfigError

    try:
        settings = load_settings(config, tools.env)
    except ConfigError as error:
        advice = "Correct that, or write a new file: `drainwatch init`."
        yield Check("settings", Status.FAIL, str(error), advice)
        return
    if config is not None:
        yield check_settings_file(config, settings)
    async for check in examine(settings, tools, send=send):
        yield check


def _conclude(checks: list[Check], screen: Screen) -> None:
    """Say in one line what came of it."""
    counts = {status: sum(check.status == status for check in checks) for status in STYLES}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    screen.out()
    if counts["fail"]:
        screen.out(f"Not ready: {told}. What failed comes first.", "bold red")
    elif counts["warn"]:
        screen.out(f"It would run: {told}. Look at the warnings.", "bold yellow")
    else:
        screen.out(f"Ready: {told}.", "bold green")
