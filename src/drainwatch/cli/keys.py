"""`drainwatch keys`: what the API keys of the settings may do, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.keyscan import scan
from drainwatch.cli.screen import Debug, NoColor, Screen

if TYPE_CHECKING:
    from drainwatch.config import Account, Settings
    from drainwatch.keys.advice import Finding
    from drainwatch.keys.facts import Facts

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after API keys.")


@keys.command()
def check(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="DRAINWATCH_CONFIG",
            show_envvar=False,
            help="Settings that name the keys.  [env: DRAINWATCH_CONFIG]",
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="The only account to look at.  [default: all]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Say what each key may do, and what to change.

    Asks the exchanges; changes nothing there. Ends with 1 where something is bad.
    """
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.config import load_settings

        chosen = _chosen(load_settings(config), account)
        looked = asyncio.run(_look_at(chosen))
        bad = any(finding.state == "bad" for _, _, findings in looked for finding in findings)
        if as_json:
            screen.out(json.dumps({"ok": not bad, "accounts": [_plain(*one) for one in looked]}, indent=2))
        else:
            _show(looked, screen)
        if bad:
            raise typer.Exit(ExitCode.FAILED)


keys.command()(scan)


Looked = tuple["Account", "Facts | None", "list[Finding]"]


def _chosen(settings: Settings, name: str | None) -> list[Account]:
    """Choose the accounts to look at."""
    from drainwatch.errors import ConfigError
    from drainwatch.report import words

    if not settings.accounts:
        raise ConfigError(
            "expected [[accounts]] in the settings, found none: name a settings file with --config, or write "
            "one with `drainwatch init`"
        )
    found = [one for one in settings.accounts if name in {None, one.name}]
    if not found:
        names = words.listing((one.name for one in settings.accounts), 9)
        raise ConfigError(
            f"expected the name of an account after --account, found none of it; there is {names}"
        )
    return found


async def _look_at(accounts: list[Account]) -> list[Looked]:
    """Look at all keys at the same time."""
    return await asyncio.gather(*map(_look, accounts))


async def _look(account: Account) -> Looked:
    from drainwatch.config import SecretError, credentials_of
    from drainwatch.keys.advice import Allowed, Finding, State
    from drainwatch.keys.inspection import compare_clocks, inspect
    from drainwatch.venues.clock import SystemClock
    from drainwatch.venues.protocol import Credentials
    from drainwatch.venues.rest import Rest

    try:
        key = Credentials(account.address) if account.address else credentials_of(account)
    except SecretError as error:
        return account, None, [Finding("key", State.BAD, str(error))]
    clock = SystemClock()
    venue = Rest(account.exchange, key, clock, account=account.name, base_url=account.url_rest)
    allowed = Allowed(account.allow_trading_key, account.allow_withdrawal_key)
    try:
        text = key.key if key is not None else ""
        facts, findings = await inspect(account.exchange, venue, text, clock.now_ns(), allowed)
        if facts is not None:
            findings += await compare_clocks(venue)
        return account, facts, findings
    finally:
        await venue.close()


def _plain(account: Account, facts: Facts | None, findings: list[Finding]) -> dict[str, Any]:
    """Give what was found of an account as plain data."""
    import msgspec

    return {
        "account": account.name,
        "exchange": account.exchange,
        "facts": None
        if facts is None
        else {name: getattr(facts, name) for name in facts.__struct_fields__}
        | {"others": msgspec.to_builtins(facts.others)},
        "findings": msgspec.to_builtins(findings),
    }


def _show(looked: list[Looked], screen: Screen) -> None:
    """Print a table of what was found, then what to do."""
    rows, to_do = [], []
    for account, _, findings in looked:
        at = f"{account.name} at {account.exchange}"
        for number, finding in enumerate(findings):
            rows.append(("" if number else at, finding.subject, str(finding.state), finding.found))
            if finding.advice:
                to_do.append((finding.state, at, finding.subject, finding.advice))
    screen.table(("account", "looked at", "state", "found"), rows)
    states = [state for state, *_ in to_do]
    if to_do:
        screen.out()
        screen.out("What to do:")
    for state in ("bad", "warn", "not told"):  # the worst first
        for told, at, subject, advice in to_do:
            if told == state:
                screen.prose(f"  {at}, {subject}: {advice}")
    screen.out()
    if "bad" in states or any(row[2] == "bad" for row in rows):
        screen.out("Something is bad: change that first.", "bold red")
    elif "warn" in states:
        screen.out("Nothing is bad, but look at the warnings.", "bold yellow")
    elif "not told" in states:
        screen.out("Nothing bad is known; look yourself at what isn't told.", "bold yellow")
    else:
        screen.out("All is well.", "bold green")
