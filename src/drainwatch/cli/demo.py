"""`drainwatch demo`: a simulated drain, found in files, or with `--live` by a real watch while it happens."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli import outcome
from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.screen import Debug, NoColor, Quiet, Screen

if TYPE_CHECKING:
    from drainwatch.cli.shells import Simulated
    from drainwatch.cli.stage import Alert, Stage
    from drainwatch.watch.runner import Watch

WATCHED_DAYS = 2.0
"""So long before the thief the owner has begun to watch: he has an account with a past, and the watch has
seen the last of it. What was before, it doesn't know, as on anybody's first days."""
SHOWN_FILLS = 12
"""Of the thief's; further ones are counted."""
LOOKS_A_SECOND = 4
LAST_LOOK_S = 3.0


def demo(
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for the simulated tables and the outcome; not with --live."),
    ] = Path("out/demo"),
    thief: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="How he drains: planted_wall, ping_pong, slow_bleed, liquidate_then_pump, dump_into_bids, "
            "off_market_maker, boosted_coin, leverage_max, mimicry, stable_skim, fee_churn, crumbs, "
            "far_quote, coordinated_pump, wall_suppression, twin_skim, triangle, iceberg, thin_perp, "
            "trainer, in_the_crash.",
        ),
    ] = "ping_pong",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed, the same drain.")] = 8,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Start an exchange on this machine and a real watch of an account there, and see the "
            "alert arrive; ends with code 1 if none does.",
        ),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=0.0,
            max=3_600.0,
            help="With --live: how long the theft may take to look at, at most.  [default: 15]",
        ),
    ] = None,
    view: Annotated[
        bool, typer.Option("--view", help="With --live: show what `watch --view` shows, then what happened.")
    ] = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Watch a simulated drain being found: no key, no network."""
    if not live and (view or seconds is not None):
        raise typer.BadParameter(
            "expected --live beside it, found it alone", param_hint="--view" if view else "--seconds"
        )
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        if not live:
            _in_files(screen, out, thief, seed)
        elif not asyncio.run(_live(screen, thief, seed, 15.0 if seconds is None else seconds, view=view)):
            raise typer.Exit(ExitCode.FAILED)


# --- in files ----------------------------------------------------------------------------------------


def _in_files(screen: Screen, out: Path, thief: str, seed: int) -> None:
    from drainwatch.cli import shells

    made = shells.simulate(out / "tables", thief, seed)
    screen.prose(f"An owner's bot, simulated: {_lower_first(made.owner)}")
    screen.prose(f"Then somebody gets its API key: {_lower_first(made.thief)}")
    screen.out(f"The tables of it, as an exchange would give them: {out / 'tables'}")
    screen.out()
    with screen.progress() as progress:
        summary = shells.replay(made.tables, out, progress=progress)
    outcome.show(summary, screen)
    screen.out()
    screen.prose(_truth(made, summary.incidents))
    screen.out()
    screen.out("Now with your own:")
    screen.out("  drainwatch replay --fills YOUR_FILLS.csv --trades TAPE.csv --out out")


def _lower_first(said: str) -> str:
    """Go on in the middle of a sentence."""
    return said[:1].lower() + said[1:]


def _truth(made: Simulated, incidents: Sequence[Mapping[str, Any]]) -> str:
    """Set what was found against what only the simulator knows."""
    from drainwatch.report import words

    total = sum(loss for _, loss in made.losses)
    said = (
        "The truth, which only the simulator knows: the first stolen fill was on "
        f"{words.moment(made.losses[0][0])}; {words.money(total, 'USDT')} would have gone, "
        f"{words.percent(total / made.equity)} of the account."
    )
    alerts = [incident["alerted_at"] for incident in incidents if incident["alerted_at"] >= made.losses[0][0]]
    if not alerts:
        return f"{said} There was no alert."
    before = sum(loss for at_ms, loss in made.losses if at_ms <= min(alerts))
    return (
        f"{said} At the alert it was {words.money(before, 'USDT')}, {words.percent(before / total)} of that."
    )


# --- live --------------------------------------------------------------------------------------------


async def _live(screen: Screen, thief: str, seed: int, seconds: float, *, view: bool) -> bool:
    """Show it; tells whether the alert came."""
    from drainwatch.cli import shells
    from drainwatch.cli.stage import Stage
    from drainwatch.lab import scenario as lab
    from drainwatch.report import words

    # notices come by the channel, too, and are shown from there
    logging.getLogger("drainwatch").addHandler(logging.NullHandler())
    story = _Story(screen)
    scenario = shells.robbed(thief, seed)
    story.tell(f"An owner's bot, simulated: {_lower_first(lab.OWNERS[scenario.owner])}")
    story.tell(
        "An exchange starts on this machine and speaks as Binance does; then a watch, with settings of its "
        "own. That takes some seconds; the first time, kernels are compiled, too, which takes a minute."
    )
    with tempfile.TemporaryDirectory(prefix="drainwatch-demo-") as folder:
        begin_ms = scenario.started_ms or 0
        stage = Stage(
            scenario,
            Path(folder),
            from_ms=begin_ms - round(WATCHED_DAYS * 86_400_000),
            on_message=story.take_message,
            on_verdict=story.take_verdict,
        )
        async with stage, asyncio.TaskGroup() as group:
            looking = None
            if view and sys.stdout.isatty():
                story.later = True
                looking = group.create_task(_look(stage.watch, no_color=screen.plain))
            story.tell("The watch hears its streams. The bot trades for two days; idle time is left out.")
            await stage.play(begin_ms)
            known = stage.watch.hub.counts["fills"]
            story.tell(
                f"{words.moment(begin_ms)}: {words.plural(known, 'fill')} judged"
                + ("." if story.n_messages else ", nothing to tell.")
            )
            story.tell("")
            story.tell(f"Now somebody gets the bot's API key: {_lower_first(lab.THIEVES[thief])}")
            story.robbed = True
            alert = await stage.rob(seconds)
            story.tell("")
            story.tell(_end(stage, alert, scenario.equity_before), "bold green" if alert else "bold yellow")
            if looking is not None:
                await asyncio.sleep(LAST_LOOK_S)
                looking.cancel()
    story.show()
    if alert is not None:
        screen.out()
        screen.out("Now with your own: docs/howto-watch.md, or")
        screen.out("  drainwatch init && drainwatch doctor && drainwatch watch")
    return alert is not None


class _Story:
    """Tells what happens.

    Parameters
    ----------
    screen
        Where to.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.later = False
        """Whether to keep what is said, as a picture is in the way."""
        self.robbed = False
        """Whether the thief is there."""
        self.n_messages = 0
        """That came in at the channel."""
        self._n_stolen = 0
        self._lines: list[tuple[str, str]] = []

    def tell(self, said: str, style: str = "") -> None:
        """Say something."""
        if self.later:
            self._lines.append((said, style))
        else:
            self._screen.prose(said, style)

    def show(self) -> None:
        """Say what was kept."""
        self.later = False
        for said, style in self._lines:
            self.tell(said, style)

    def take_message(self, message: Mapping[str, Any]) -> None:
        """Show a message as it came in at the owner's channel."""
        self.n_messages += 1
        first, *others = str(message.get("text", "")).split("\n")
        grave = first.startswith("CRITICAL")
        self.tell("")
        self.tell("The owner's channel gets:")
        self.tell(f"  {first}", "bold red" if grave else "bold yellow")
        for line in others:
            self.tell(f"  {line}")

    def take_verdict(self, verdict: Mapping[str, Any], stolen: bool) -> None:
        """Show a fill of the thief's, and what the watch thinks of it."""
        if not stolen:
            return
        self._n_stolen += 1
        if self._n_stolen <= SHOWN_FILLS:
            self.tell(_fill(verdict))
        elif self._n_stolen == SHOWN_FILLS + 1:
            self.tell("  ...")


def _fill(verdict: Mapping[str, Any]) -> str:
    """Write a fill of the thief's as a line."""
    from drainwatch.report import words

    off = verdict["deviation_bps"]
    if off is None:
        judged = "worth unknown"
    else:
        judged = f"{words.percent(abs(off) / 1e4)} {'worse' if off >= 0 else 'better'} than fair"
    done = "buys" if verdict["side"] == "buy" else "sells"
    return (
        f"  {words.clock(verdict['timestamp'])} {done} {words.price(float(verdict['amount']))} "
        f"{words.clean(verdict['symbol'])} at {words.price(float(verdict['price']))}: {judged}"
        + (", flagged" if verdict["flagged"] else "")
    )


def _end(stage: Stage, alert: Alert | None, equity: float) -> str:
    """Set the alert against what only the simulator knows."""
    from drainwatch.report import words

    total = stage.all.quote
    would = f"{words.money(total, 'USDT')}, {words.percent(total / equity)} of the account"
    if alert is None:
        return (
            f"Not found: the thief had what he wanted, {would}, in {words.plural(stage.all.fills, 'fill')}, "
            "and no alert came. That happens; docs/what-it-cannot-see.md says when."
        )
    return (
        f"The alert arrived {words.duration(alert.after_ms)} after the thief's first fill, "
        f"{alert.delay_s:.2f} s after his last one. The truth, which only the simulator knows: by then "
        f"{words.money(alert.lost.quote, 'USDT')} were gone, in {alert.lost.fills} of his "
        f"{words.plural(stage.all.fills, 'fill')}; {would}, would have gone."
    )


async def _look(watch: Watch, *, no_color: bool) -> None:
    """Draw the watch until cancelled."""
    from rich.console import Console

    from drainwatch.cli.view import Viewer
    from drainwatch.watch.picture import picture_of

    with Viewer(Console(no_color=no_color)) as viewer:
        while True:
            viewer.show(picture_of(watch))
            await asyncio.sleep(1.0 / LOOKS_A_SECOND)
