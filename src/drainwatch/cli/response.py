"""`drainwatch response`: the hooks that answer an incident, tried before they are needed."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.screen import Debug, NoColor, Screen

if TYPE_CHECKING:
    from drainwatch.config import Settings
    from drainwatch.response.hook import Hook

response = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Try what answers an incident.")

_STYLES = {"would": "green", "done": "green", "failed": "bold red", "unknown": "bold red"}


@response.command("test")
def try_response(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in [[responses]].")],
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
    for_real: Annotated[
        bool,
        typer.Option(
            "--for-real",
            help="Do it: stop the bot, run the command, cancel the orders; also where the settings say "
            "dry_run.",
        ),
    ] = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Look whether a response could do its part; with --for-real let it.

    It gets a made-up incident of the account `test`, or of the one that it is for, marked with
    `"drainwatch_test": true`. Ends with code 1 if it failed.
    """
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.config import load_settings
        from drainwatch.report.responses import words_of
        from drainwatch.response.record import MAX_OUTPUT

        hook = _named(load_settings(config), name)
        result, output = asyncio.run(_try(hook, for_real=for_real))
        screen.prose(words_of([result])[0], _STYLES.get(result["state"], ""))
        if output:
            screen.out()
            screen.out(f"It printed (at most {MAX_OUTPUT:,} bytes are kept):")
            screen.out(output.rstrip())
        if result["state"] not in ("would", "done"):
            raise typer.Exit(ExitCode.FAILED)
        if not for_real:
            screen.out()
            screen.prose(f"To see it happen: drainwatch response test {shlex.quote(name)} --for-real")


def _named(settings: Settings, name: str) -> Hook:
    """Find a response by its name."""
    from drainwatch.config import hook_of
    from drainwatch.errors import ConfigError

    for one in settings.responses:
        if one.name == name:
            return hook_of(one, settings)
    known = ", ".join(f"`{one.name}`" for one in settings.responses)
    raise ConfigError(
        f"expected the name of one of [[responses]], found {name!a}; there "
        f"{'is ' + known if known else 'is none in the settings: add [[responses]]'}"
    )


async def _try(hook: Hook, *, for_real: bool) -> tuple[dict[str, Any], str]:
    """Run a hook, or look whether it could be run."""
    import msgspec

    from drainwatch.response.switch import ACTORS, attempt

    tried = msgspec.structs.replace(hook, dry_run=not for_real)
    state, text, output = await attempt(tried, sample(hook), ACTORS[hook.kind])
    return {"name": hook.name, "state": state.value, "text": text, "dry_run": tried.dry_run}, output


def sample(hook: Hook) -> dict[str, Any]:
    """Make up an incident."""
    import time

    now_ms = time.time_ns() // 1_000_000
    return {
        "id": f"test-{now_ms}",
        "account": hook.account or "test",
        "exchange": hook.exchange or "test",
        "symbols": list(hook.symbols),
        "severity": "critical",
        "escalated_at": None,
        "kind": "unknown",
        "kind_now": "unknown",
        "opened_at": now_ms,
        "alerted_at": now_ms,
        "closed_at": None,
        "fills": [],
        "alert_fill": None,
        "loss": None,
        "loss_currency": None,
        "equity_share": None,
        "score": 0.0,
        "p_value": 1.0,
        "reasons": [],
        "drainwatch_test": True,
    }
