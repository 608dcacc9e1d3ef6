"""`drainwatch silence`: warnings of a certain form aren't told for a while."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from drainwatch.cli.kept import AsJson, ConfigPath, StoreUrl, find, kept, short_ids
from drainwatch.cli.screen import Debug, NoColor, Screen
from drainwatch.errors import ConfigError

if TYPE_CHECKING:
    from drainwatch.config import Settings
    from drainwatch.store import Silence

silence = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Hold back warnings for a while.",
    name="silence",
)

LISTER = "drainwatch silence list"
LONGEST_DAYS: Final = 30
DAY_NS: Final = 86_400 * 10**9


@silence.callback()
def about_silence() -> None:
    """Hold back warnings of a certain form for a while, with a reason.

    They are kept all the same: `drainwatch incidents list`.
    """


@silence.command()
def add(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever asks later why nobody was told.")
    ],
    length: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long from now: 30m, 2h, 1d.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Its end, UTC: 2026-12-01T18:30.")] = None,
    account: Annotated[str, typer.Option(metavar="NAME", help="Of this account.")] = "",
    exchange: Annotated[str, typer.Option(metavar="NAME", help="At this exchange.")] = "",
    symbol: Annotated[str, typer.Option(metavar="PAIR", help="On this market alone: ETH/BTC.")] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help="Of this kind: slow_bleed, ...")] = "",
    even_critical: Annotated[
        bool, typer.Option("--even-critical", help="Hold back criticals, too: a drain would go on untold.")
    ] = False,
    store: StoreUrl = None,
    config: ConfigPath = None,
    debug: Debug = False,
) -> None:
    """Begin a silence: what matches all that is given isn't told.

    It ends by itself, at the latest after 30 days. Criticals are told all the same, unless forced.
    """
    with Screen(debug=debug) as screen:
        from drainwatch.report import words
        from drainwatch.store import Silence

        now_ns = time.time_ns()
        until_ns = _end(length, until, now_ns)
        if not reason.strip():
            raise ConfigError("expected why in --reason, found nothing")
        if not (account or exchange or symbol or kind):
            raise ConfigError(
                "expected at least one of --account, --exchange, --symbol and --kind, found none: a silence "
                "of everything is like no watch at all"
            )
        kind = kind.strip().lower().replace(" ", "_")
        if kind and kind not in words.KINDS:
            raise ConfigError(f"expected a kind of {', '.join(words.KINDS)}, found {kind[:40]!a}")
        with kept(config, store) as (opened, settings):
            _doubt(screen, settings, account, exchange)
            made = Silence(
                id=secrets.token_hex(4),
                account=account,
                exchange=exchange,
                symbol=symbol,
                kind=kind,
                reason=reason.strip(),
                from_ns=now_ns,
                until_ns=until_ns,
                forced=even_critical,
            )
            opened.add_silence(made)
        screen.prose(f"Silence {made.id} holds back {_what(made)} until {words.moment(until_ns / 1e6)}.")
        if even_critical:
            screen.prose(
                "CRITICALS ARE HELD BACK, TOO: of a drain that it matches nobody is told until then.",
                "bold red",
            )
        else:
            screen.prose("Criticals are told all the same.")
        screen.prose(f"End it sooner: drainwatch silence expire {made.id}")


def _end(length: str | None, until: str | None, now_ns: int) -> int:
    """When a silence ends."""
    from drainwatch.cli.times import length_ns, moment_ns

    if (length is None) == (until is None):
        raise ConfigError(
            f"expected either --for (as 2h) or --until (as 2026-12-01T18:30), found "
            f"{'neither' if length is None else 'both'}: a silence has one end"
        )
    end_ns = now_ns + length_ns(length, "--for") if length is not None else moment_ns(until or "", "--until")
    if end_ns <= now_ns:
        raise ConfigError(f"expected an end in the future for --until, found {until!a}, which is past (UTC)")
    if end_ns > now_ns + LONGEST_DAYS * DAY_NS:
        raise ConfigError(
            f"expected an end within {LONGEST_DAYS} days, found a later one: what is silenced for longer "
            "is forgotten; begin another one then"
        )
    return end_ns


def _doubt(screen: Screen, settings: Settings, account: str, exchange: str) -> None:
    """Say where a name matches nothing that is watched: a typo silences nothing."""
    if settings.inlet.enabled or not settings.accounts:
        return  # who pushes names its own
    accounts = {one.name for one in settings.accounts}
    exchanges = {one.exchange for one in settings.accounts}
    for option, given, known in (("account", account, accounts), ("exchange", exchange, exchanges)):
        if given and given not in known:
            screen.note(
                f"drainwatch: no {option} {given!a} is in the settings, which have "
                f"{', '.join(sorted(known))}: this silence may match nothing"
            )


@silence.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    store: StoreUrl = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """List silences that hold now."""
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.report import words

        now_ns = time.time_ns()
        with kept(config, store) as (opened, _):
            found = opened.silences(None if every else now_ns)
            short = short_ids(one.id for one in opened.silences())
        if as_json:
            screen.out(json.dumps({"silences": [_plain(one, now_ns) for one in found]}, indent=2))
            return
        if not found:
            screen.out("No silence." if every else "No silence holds now.")
            return
        rows = [
            (
                short[one.id],
                _what(one),
                "yes" if one.forced else "no",
                words.moment(one.until_ns / 1e6),
                "holds" if one.in_force(now_ns) else "over",
                words.clean(one.reason, 100),
            )
            for one in found
        ]
        screen.table(("id", "holds back", "criticals too", "until", "state", "reason"), rows)


@silence.command()
def expire(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the silence, or its beginning.")],
    store: StoreUrl = None,
    config: ConfigPath = None,
    debug: Debug = False,
) -> None:
    """End a silence now."""
    with Screen(debug=debug) as screen, kept(config, store) as (opened, _):
        one = find(opened.silences(), silence_id, lambda s: s.id, "a silence", LISTER)
        if opened.expire_silence(one.id, time.time_ns()):
            screen.prose(f"Silence {one.id} is over: {_what(one)} are told again.")
        else:
            screen.prose(f"Nothing to do: silence {one.id} is over already.")


def _what(one: Silence) -> str:
    """Say what a silence is of."""
    from drainwatch.report import words

    said = "warnings and criticals" if one.forced else "warnings"
    if one.kind:
        said += f" of kind {words.spoken(one.kind)}"
    if one.account:
        said += f" of account {words.clean(one.account)}"
    if one.exchange:
        said += f" at {words.clean(one.exchange)}"
    if one.symbol:
        said += f" on {words.clean(one.symbol)} alone"
    return said


def _plain(one: Silence, now_ns: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "account": one.account or None,
        "exchange": one.exchange or None,
        "symbol": one.symbol or None,
        "kind": one.kind or None,
        "reason": one.reason,
        "from": one.from_ns / 1e6,
        "until": one.until_ns / 1e6,
        "even_critical": one.forced,
        "in_force": one.in_force(now_ns),
    }
