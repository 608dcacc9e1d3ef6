"""Responses of the settings as hooks, with their secrets read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from drainwatch.config.agree import places_of
from drainwatch.config.secret import SecretError, credentials_of, read_secret
from drainwatch.config.settings import (
    Account,
    OncePer,
    Response,
    ResponseKind,
    Settings,
    Url,
)
from drainwatch.errors import ConfigError
from drainwatch.response.hook import Hook
from drainwatch.venues.protocol import Credentials

HARMLESS: Final = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")
"""Environment variables that a command gets, where they are set."""

_URL = re.compile(Url.__metadata__[0].pattern)  # type: ignore[attr-defined]
_ONCE_S: Final = {OncePer.INCIDENT: 0.0, OncePer.HOUR: 3_600.0, OncePer.DAY: 86_400.0}


def hooks_of(settings: Settings, env: Mapping[str, str] | None = None) -> list[Hook]:
    """Make the hooks of all responses.

    Raises
    ------
    ConfigError
        A secret can't be read, or a key is the one that watches.
    """
    return [hook_of(response, settings, env) for response in settings.responses]


def hook_of(response: Response, settings: Settings, env: Mapping[str, str] | None = None) -> Hook:
    """Make the hook of one response.

    Raises
    ------
    ConfigError
        As `hooks_of`.
    """
    env = os.environ if env is None else env
    account = _account_of(response, settings)
    cancels = response.kind is ResponseKind.CANCEL_ORDERS
    if cancels and account is None:
        raise ConfigError(
            f"expected response `{response.name}` to name the account whose orders are to be cancelled"
        )
    watched = account if cancels else None
    return Hook(
        name=response.name,
        kind=response.kind.value,
        severity=response.severity.value,
        account=watched.name if watched is not None else response.account,
        dry_run=response.dry_run,
        timeout_s=response.timeout_s,
        once_s=_ONCE_S[response.once_per],
        address=response.address,
        user=response.user,
        password=read_secret(response, "password", env),
        action=response.action.value,
        bot=response.bot,
        command=response.command,
        environment={
            name: env[name] for name in (*HARMLESS, *response.pass_env) if response.command and name in env
        },
        url=_url(response, env),
        signing=read_secret(response, "signing", env),
        exchange=watched.exchange if watched is not None else "",
        credentials=_own_key(response, watched, settings, env) if watched is not None else None,
        url_rest=watched.url_rest if watched is not None else "",
        symbols=watched.markets if watched is not None else (),
    )


def _account_of(response: Response, settings: Settings) -> Account | None:
    if not response.account and len(settings.accounts) == 1:
        return settings.accounts[0]
    return next((account for account in settings.accounts if account.name == response.account), None)


def _url(response: Response, env: Mapping[str, str]) -> str:
    """Read the webhook's URL; empty where the response is none."""
    if response.kind is not ResponseKind.WEBHOOK:
        return ""
    url = read_secret(response, "url", env)
    if not url.startswith("http") or not _URL.match(url):
        raise SecretError(
            f"expected an https URL of response `{response.name}`, found otherwise (not shown): copy it "
            "again from where the webhook was made"
        )
    return url


def _own_key(response: Response, account: Account, settings: Settings, env: Mapping[str, str]) -> Credentials:
    """Read the key that may trade, and refuse one that watches: of any account."""
    names = [name for base in ("key", "secret", "passphrase") for name in places_of(base)]
    own = Account(
        name=response.name,
        exchange=account.exchange,
        **{name: getattr(response, name) for name in names},
    )
    key = credentials_of(own, env)
    if key is None:
        raise SecretError(f"expected an API key for response `{response.name}`, found none")
    for other in settings.accounts:
        watching = credentials_of(other, env)
        if watching is not None and (watching.key == key.key or watching.secret == key.secret):
            raise SecretError(
                f"expected response `{response.name}` to have a key of its own, found the one that watches "
                f"account `{other.name}`: that one must only read; make a second one that may trade, for "
                "this alone"
            )
    return key
