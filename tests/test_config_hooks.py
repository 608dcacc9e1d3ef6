"""Responses of the settings become hooks: with their own secrets, and never with the key that watches."""

# ruff: noqa: S106 - where secrets are kept isn't secret

from __future__ import annotations

import pytest
from msgspec.structs import replace

from drainwatch.config import (
    Account,
    FreqtradeAction,
    OncePer,
    Response,
    ResponseKind,
    Settings,
    Severity,
    hook_of,
    hooks_of,
)
from drainwatch.errors import ConfigError
from drainwatch.venues.protocol import Credentials

MAIN = Account(name="main", exchange="binance", key_env="K", secret_env="S", url_rest="https://there.example",
               markets=("ETH/BTC",))  # fmt: skip
OTHER = Account(name="other", exchange="okx", key_env="K2", secret_env="S2", passphrase_env="P2")
ENV = {
    "K": "watching-key", "S": "watching-secret", "K2": "other-key", "S2": "other-secret", "P2": "other-words",
    "TK": "trading-key", "TS": "trading-secret", "PW": "a password", "U": "https://hooks.example/PlAnTeD",
    "SIGN": "signing", "PATH": "/bin", "HOME": "/home/me", "MORE": "more",
}  # fmt: skip
BOT = Response(
    name="stop", kind=ResponseKind.FREQTRADE, address="http://127.0.0.1:8080", user="me", password_env="PW",
    action=FreqtradeAction.STOP_ENTRIES, severity=Severity.WARNING, account="main", once_per=OncePer.HOUR,
)  # fmt: skip
CANCEL = Response(
    name="cancel", kind=ResponseKind.CANCEL_ORDERS, account="main", key_env="TK", secret_env="TS"
)
COMMAND = Response(name="run", kind=ResponseKind.COMMAND, command=("a", "b c"), pass_env=("MORE", "ABSENT"))


def test_a_bots_hook_knows_where_and_how() -> None:
    (hook,) = hooks_of(Settings(accounts=(MAIN,), responses=(BOT,)), ENV)
    assert (hook.name, hook.kind, hook.severity, hook.account) == ("stop", "freqtrade", "warning", "main")
    assert (hook.address, hook.user, hook.password, hook.action) == (
        "http://127.0.0.1:8080", "me", "a password", "stop_entries",
    )  # fmt: skip
    assert hook.once_s == 3_600
    assert hook.dry_run
    assert hook.credentials is None
    assert hook.environment == {}


def test_a_command_gets_harmless_variables_and_those_that_were_named() -> None:
    hook = hook_of(COMMAND, Settings(responses=(COMMAND,)), ENV)
    assert hook.command == ("a", "b c")
    assert hook.environment == {"PATH": "/bin", "HOME": "/home/me", "MORE": "more"}


def test_a_webhooks_url_and_signing_secret_are_read() -> None:
    response = Response(name="post", kind=ResponseKind.WEBHOOK, url_env="U", signing_env="SIGN")
    hook = hook_of(response, Settings(responses=(response,)), ENV)
    assert (hook.url, hook.signing) == (ENV["U"], "signing")
    with pytest.raises(ConfigError, match="post"):
        hook_of(response, Settings(responses=(response,)), ENV | {"U": "not a url"})


@pytest.mark.parametrize("accounts", [(MAIN, OTHER), (MAIN,)])
def test_cancelling_has_a_key_of_its_own_and_its_accounts_exchange(accounts: tuple[Account, ...]) -> None:
    response = CANCEL if len(accounts) > 1 else replace(CANCEL, account="")
    hook = hook_of(response, Settings(accounts=accounts, responses=(response,)), ENV)
    assert hook.credentials == Credentials("trading-key", "trading-secret")
    assert (hook.account, hook.exchange, hook.url_rest) == ("main", "binance", "https://there.example")
    assert hook.symbols == ("ETH/BTC",)


@pytest.mark.parametrize(
    ("changed", "whose"),
    [
        ({"TK": "watching-key"}, "main"),
        ({"TS": "watching-secret"}, "main"),
        ({"TK": " watching-key\n"}, "main"),
        ({"TK": "other-key"}, "other"),
    ],
)
def test_a_key_that_watches_is_refused_wherever_it_is_kept(changed: dict[str, str], whose: str) -> None:
    """It would have to be able to trade; and whoever steals the settings of the watch could."""
    settings = Settings(accounts=(MAIN, OTHER), responses=(CANCEL,))
    with pytest.raises(ConfigError, match=f"found the one that watches account `{whose}`") as caught:
        hook_of(CANCEL, settings, ENV | changed)
    assert not any(value in str(caught.value) for value in changed.values())


def test_a_secret_that_is_not_there_is_told_by_its_place() -> None:
    with pytest.raises(ConfigError, match="password_env"):
        hook_of(BOT, Settings(accounts=(MAIN,), responses=(BOT,)), {})


def test_orders_of_an_account_that_is_not_there_cannot_be_cancelled() -> None:
    with pytest.raises(ConfigError, match="name the account"):
        hook_of(CANCEL, Settings(), ENV)
