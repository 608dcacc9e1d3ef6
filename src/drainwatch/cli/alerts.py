"""`drainwatch alerts`: whether an alert would arrive, tried on each channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.screen import Debug, NoColor, Screen

if TYPE_CHECKING:
    from drainwatch.config import Channel, Settings

alerts = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Try the channels.", name="alerts")


class Tried(NamedTuple):
    """What came of a try on one channel."""

    name: str
    kind: str
    arrived: bool
    said: str


@alerts.callback()
def about_alerts() -> None:
    """Try the channels."""


@alerts.command("test")
def send_sample(
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this channel; may be given several times.  [default: all]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="DRAINWATCH_CONFIG",
            show_envvar=False,
            help="Settings with the channels.  [env: DRAINWATCH_CONFIG]",
        ),
    ] = None,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Send a sample alert to each channel.

    It is an incident as it would be told, marked as a test. Says what came back; ends with 1
    where a channel didn't take it.
    """
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.config import load_settings

        settings = load_settings(config)
        chosen = _chosen(settings, channel or [])
        exchange = settings.accounts[0].exchange if settings.accounts else ""
        tried = asyncio.run(_try_all(chosen, exchange))
        for one in tried:
            mark, style = ("ok", "green") if one.arrived else ("fail", "bold red")
            screen.out(f"{mark:<8}{one.name} ({one.kind}): {one.said}", style)
        failed = sum(not one.arrived for one in tried)
        screen.out()
        if failed:
            screen.prose(f"{failed} of {len(tried)} didn't take the sample: no alert would come there.")
            raise typer.Exit(ExitCode.FAILED)
        screen.prose("Look whether you see it, on the phone too: only you can tell that it was noticed.")


def _chosen(settings: Settings, names: Sequence[str]) -> list[Channel]:
    """Give the channels of these names; all for none."""
    from drainwatch.errors import ConfigError

    known = [channel.name for channel in settings.channels]
    if not known:
        raise ConfigError(
            "expected [[channels]] in the settings, found none: add one (`drainwatch init` asks for it)"
        )
    strange = [name for name in names if name not in known]
    if strange:
        raise ConfigError(f"expected --channel to be one of {', '.join(known)}, found {strange[0]!a}")
    return [channel for channel in settings.channels if not names or channel.name in names]


async def _try_all(channels: Sequence[Channel], exchange: str) -> list[Tried]:
    """Send the sample to all at once."""
    return list(await asyncio.gather(*(_try(channel, exchange) for channel in channels)))


async def _try(channel: Channel, exchange: str) -> Tried:
    """Send the sample to one channel."""
    from drainwatch.alerts.answer import Outcome
    from drainwatch.cli.probes import send
    from drainwatch.config import channel_of
    from drainwatch.errors import ConfigError

    start_s = time.perf_counter()
    try:
        target = channel_of(channel)
        answer = await send(target, exchange)
    except ConfigError as error:
        return Tried(channel.name, channel.kind.value, arrived=False, said=str(error))
    took_s = time.perf_counter() - start_s
    if answer.outcome is not Outcome.ARRIVED:
        return Tried(channel.name, channel.kind.value, arrived=False, said=answer.reason)
    later = "updates will change the message" if target.can_edit else "updates will come as new messages"
    return Tried(channel.name, channel.kind.value, arrived=True, said=f"taken in {took_s:.1f} s; {later}")
