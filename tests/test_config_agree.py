"""Settings that contradict each other are refused, with both of their paths."""

# ruff: noqa: S106 - where secrets are kept isn't secret

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from drainwatch.config import (
    Account,
    Bot,
    BotKind,
    Channel,
    ChannelKind,
    Health,
    Inlet,
    Outlet,
    Response,
    ResponseKind,
    Settings,
    Watch,
)
from drainwatch.config.agree import check_agreement, is_loopback
from drainwatch.errors import ConfigError

MAIN = Account(name="main", exchange="binance", key_env="K", secret_file="./s")
PHONE = Channel(name="phone", kind=ChannelKind.TELEGRAM, url_env="U", chat_id="1")
HOOK = Channel(name="hook", kind=ChannelKind.WEBHOOK, url_credential="hook")
BOT = Bot(kind=BotKind.FREQTRADE, database="t.sqlite")
STOP = Response(
    name="stop", kind=ResponseKind.FREQTRADE, address="http://127.0.0.1:8080", user="me", password_env="PW"
)
RUN = Response(name="run", kind=ResponseKind.COMMAND, command=("/bin/true",))
POST = Response(name="post", kind=ResponseKind.WEBHOOK, url_env="PU")
CANCEL = Response(name="cancel", kind=ResponseKind.CANCEL_ORDERS, key_env="TK", secret_env="TS")
HUMMINGBOT = replace(STOP, kind=ResponseKind.HUMMINGBOT, bot="maker")
WALLET = Account(name="wallet", exchange="hyperliquid", address="0x" + "0" * 40)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(accounts=(MAIN, WALLET), channels=(PHONE, HOOK), bots=(replace(BOT, account="wallet"),)),
        Settings(accounts=(MAIN,), bots=(BOT,)),
        Settings(inlet=Inlet(enabled=True, port=0), outlet=Outlet(enabled=True, port=0)),
        Settings(inlet=Inlet(port=1), outlet=Outlet(port=1)),  # neither listens
        Settings(health=Health(enabled=True, host="0.0.0.0", expose=True)),  # noqa: S104
        Settings(accounts=(replace(MAIN, exchange="okx", passphrase_env="P"),)),
        Settings(responses=(STOP, RUN, POST, replace(HUMMINGBOT, name="other"))),
        Settings(accounts=(MAIN,), responses=(CANCEL, replace(STOP, account="main"))),
        Settings(accounts=(MAIN, WALLET), responses=(replace(CANCEL, account="main"),)),
        Settings(inlet=Inlet(enabled=True), responses=(replace(STOP, account="pushed"),)),
    ],
)
def test_what_agrees_is_taken(settings: Settings) -> None:
    check_agreement(settings, "here")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(accounts=(MAIN, MAIN)), "each name once in [[accounts]] in here, found `main` 2 times"),
        (Settings(channels=(HOOK, HOOK)), "each name once in [[channels]] in here, found `hook` 2 times"),
        (Settings(responses=(RUN, RUN)), "each name once in [[responses]] in here, found `run` 2 times"),
        (
            Settings(responses=(replace(STOP, address=""),)),
            "expected $.responses[0].address in here, found nothing: a response of kind freqtrade",
        ),
        (Settings(responses=(replace(STOP, password_env=""),)), "expected `password_env`, `password_file`"),
        (Settings(responses=(replace(HUMMINGBOT, bot=""),)), "expected $.responses[0].bot in here"),
        (Settings(responses=(replace(RUN, command=()),)), "expected $.responses[0].command in here"),
        (
            Settings(responses=(replace(RUN, key_env="K"),)),
            "expected no `key` at $.responses[0] in here, found one: a response of kind command has no use",
        ),
        (Settings(responses=(replace(POST, url_file="./u"),)), "expected one of `url_env`, `url_file`"),
        (
            Settings(accounts=(MAIN,), responses=(replace(RUN, pass_env=("A", "K")),)),
            "with a secret of drainwatch's in $.responses[0].pass_env in here, found `K`",
        ),
        (Settings(responses=(POST, replace(RUN, pass_env=("PU",)))), "pass_env in here, found `PU`"),
        (
            Settings(accounts=(MAIN,), responses=(replace(STOP, account="x"),)),
            "an account at $.responses[0].account in here, found `x`; there is `main`",
        ),
        (Settings(accounts=(MAIN, WALLET), responses=(CANCEL,)), "one of [[accounts]], found nothing"),
        (Settings(inlet=Inlet(enabled=True), responses=(replace(CANCEL, account="x"),)), "`x`"),
        (
            Settings(accounts=(MAIN,), responses=(replace(CANCEL, key_env="K"),)),
            "a key of its own at $.responses[0].key_... in here, found the place of account `main`'s",
        ),
        (Settings(accounts=(WALLET,), responses=(CANCEL,)), "`hyperliquid`: orders there are cancelled by"),
        (
            Settings(accounts=(replace(MAIN, exchange="okx", passphrase_env="P"),), responses=(CANCEL,)),
            "`passphrase_credential` or `passphrase_keyring` at $.responses[0]",
        ),
        (
            Settings(accounts=(replace(MAIN, key_file="./k"),)),
            "expected one of `key_env`, `key_file` at $.accounts[0] in here, found 2 of them",
        ),
        (Settings(accounts=(replace(MAIN, key_env=""),)), "`key_keyring` at $.accounts[0] in here, found"),
        (Settings(accounts=(replace(MAIN, secret_file=""),)), "`secret_keyring` at $.accounts[0] in here"),
        (Settings(accounts=(replace(MAIN, exchange="okx"),)), "keys of okx have one"),
        (Settings(accounts=(replace(WALLET, address=""),)), "expected $.accounts[0].address in here"),
        (Settings(accounts=(replace(WALLET, exchange="okx"),)), "expected no $.accounts[0].address in here"),
        (Settings(channels=(replace(HOOK, url_credential=""),)), "`url_keyring` at $.channels[0] in here"),
        (Settings(channels=(replace(PHONE, chat_id=""),)), "expected the chat's number at $.channels[0]"),
        (
            Settings(channels=(replace(HOOK, kind=ChannelKind.DISCORD, chat_id="1"),)),
            "expected nothing at $.channels[0].chat_id",
        ),
        (
            Settings(channels=(replace(HOOK, kind=ChannelKind.SLACK, signing_env="S"),)),
            "expected no signing secret at $.channels[0] in here, as only `webhook` signs",
        ),
        (
            Settings(channels=(replace(HOOK, signing_env="S", signing_file="./s"),)),
            "expected one of `signing_env`, `signing_file` at $.channels[0]",
        ),
        (Settings(bots=(BOT,)), "expected $.bots[0].account in here to say whose orders these are"),
        (Settings(accounts=(MAIN, WALLET), bots=(BOT,)), "there are `main`, `wallet`"),
        (Settings(accounts=(MAIN,), bots=(replace(BOT, account="x"),)), "found `x`; there is `main`"),
        (
            Settings(watch=Watch(store_password_env="P", store_password_credential="p")),
            "expected one of `store_password_env`, `store_password_credential` at $.watch",
        ),
        (Settings(inlet=Inlet(enabled=True, host="192.0.2.1")), "at $.inlet.host in here, found `192.0.2.1`"),
        (
            Settings(inlet=Inlet(enabled=True), health=Health(enabled=True, port=8765)),
            "expected a port of its own at $.health.port in here, found 8765, which $.inlet.port has",
        ),
    ],
)  # fmt: skip
def test_contradictions_are_refused_with_their_paths(settings: Settings, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        check_agreement(settings, "here")


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("localhost.example", False), ("", False),  # noqa: S104
    ],
)  # fmt: skip
def test_loopback_addresses_are_told_from_others(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
