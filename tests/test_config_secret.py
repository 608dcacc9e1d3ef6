"""Secrets: read from their places, refused where others could read them, never shown."""

# ruff: noqa: S106 - where secrets are kept isn't secret

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from msgspec.structs import replace

from drainwatch.config import (
    Account,
    Channel,
    ChannelKind,
    SecretError,
    Watch,
    channel_of,
    credentials_of,
    read_secret,
    store_url,
)
from drainwatch.errors import ConfigError

PLANTED = "PlAnTeD0123456789"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\nBQYDK2Vw\n-----END PRIVATE KEY-----"


def account(**where: str) -> Account:
    return replace(Account(name="main", exchange="binance"), **where)


def private(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_three_places(tmp_path: Path) -> None:
    file = private(tmp_path / "f.key", f"{PLANTED}\n")
    private(tmp_path / "cred", PLANTED, 0o440)  # as systemd shows it
    env = {"K": f" {PLANTED} ", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_secret(account(key_env="K"), "key", env) == PLANTED
    assert read_secret(account(key_file=file), "key", env) == PLANTED
    assert read_secret(account(key_credential="cred"), "key", env) == PLANTED
    assert read_secret(account(), "key", env) == ""


class Chain(KeyringBackend):
    """A keyring in memory: a machine that tests has none that opens by itself."""

    priority = 1.0

    def __init__(self, kept: dict[tuple[str, str], str], *, locked: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kept, self._locked = kept, locked

    def get_password(self, service: str, username: str) -> str | None:
        if self._locked:
            raise KeyringLocked(f"about {PLANTED}")
        return self._kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._kept[service, username] = password


@pytest.fixture
def chain() -> Iterator[Callable[[Chain], None]]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_the_keyring_is_a_place(chain: Callable[[Chain], None]) -> None:
    chain(Chain({("drainwatch", "binance.key"): PLANTED, ("other", "k"): "x"}))
    assert read_secret(account(key_keyring="binance.key"), "key", {}) == PLANTED
    with pytest.raises(SecretError, match="in the keyring's entry that key_keyring names, found nothing"):
        read_secret(account(key_keyring="k"), "key", {})


def test_a_keyring_that_doesnt_open_is_said_and_its_words_are_not(chain: Callable[[Chain], None]) -> None:
    chain(Chain({}, locked=True))
    with pytest.raises(SecretError, match=r"found none that opens \(KeyringLocked\): unlock it") as caught:
        read_secret(account(key_keyring="k"), "key", {})
    assert PLANTED not in "".join(traceback.format_exception(caught.value))


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match=r"pip install 'drainwatch\[keyring\]'"):
        read_secret(account(key_keyring="k"), "key", {})


def test_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / "k", PLANTED)
    assert read_secret(account(key_file="~/k"), "key", {}) == PLANTED


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o660, 0o777])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "k", PLANTED, mode)
    with pytest.raises(SecretError, match=f"open to others .*run `chmod 600 {file}`"):
        read_secret(account(key_file=file), "key", {})


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_the_owner_alone_is_taken(tmp_path: Path, mode: int) -> None:
    assert read_secret(account(key_file=private(tmp_path / "k", PLANTED, mode)), "key", {}) == PLANTED


@pytest.mark.parametrize(
    ("where", "env", "said"),
    [
        ({"key_env": "K"}, {}, "in the environment variable that key_env names, found nothing"),
        ({"key_env": "K"}, {"K": "  "}, "in the environment variable that key_env names, found nothing"),
        ({"key_file": "./absent"}, {}, r"in the file that key_file names, found none to read \(No such"),
        ({"key_file": "./a\0"}, {}, "in the file that key_file names, found none to read"),
        ({"key_file": "."}, {}, "in the file that key_file names, found none to read"),
        ({"key_credential": "k"}, {}, "found no [$]CREDENTIALS_DIRECTORY: start it as a unit"),
        ({"key_credential": "k"}, {"CREDENTIALS_DIRECTORY": "/absent"}, "key_credential names, found none"),
    ],
)
def test_what_is_missing_is_said(where: dict[str, str], env: dict[str, str], said: str) -> None:
    with pytest.raises(SecretError, match=said):
        read_secret(account(**where), "key", env)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretError, match="expected "):
        read_secret(account(key_file=str(path)), "key", {})


def test_credentials_hide_themselves() -> None:
    env = {"K": PLANTED, "S": f"s{PLANTED}", "P": f"p {PLANTED}"}
    found = credentials_of(account(key_env="K", secret_env="S", passphrase_env="P"), env)
    assert found is not None
    assert (found.key, found.secret, found.passphrase) == (PLANTED, f"s{PLANTED}", f"p {PLANTED}")
    assert PLANTED not in f"{found!r} {found}"


def test_no_key_is_no_credentials() -> None:
    assert credentials_of(Account(name="w", exchange="hyperliquid", address="0x" + "0" * 40), {}) is None


@pytest.mark.parametrize("text", [PEM, PEM.replace("\n", "\\n"), f"\n{PEM}\n"])
def test_private_keys_keep_their_lines(text: str) -> None:
    found = credentials_of(account(key_env="K", secret_env="S"), {"K": "k", "S": text})
    assert found is not None
    assert found.secret == PEM


@pytest.mark.parametrize(
    ("key", "secret"),
    [(f"{PLANTED}\nb", "s"), (f"a {PLANTED}", "s"), (f"\u00e4{PLANTED}", "s"), ("k", f"a\n{PLANTED}")],
)
def test_two_secrets_in_one_place_are_refused_and_not_shown(key: str, secret: str) -> None:
    """A line break in a header would let a file write requests of its own."""
    with pytest.raises(SecretError) as caught:
        credentials_of(account(key_env="K", secret_env="S"), {"K": key, "S": secret})
    assert PLANTED not in "".join(traceback.format_exception(caught.value))


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_key_is_taken_or_refused_without_being_shown(key: str, secret: str) -> None:
    key, secret = f"<{PLANTED}{key}>", f"<{PLANTED}{secret}>"
    try:
        found = credentials_of(account(key_env="K", secret_env="S"), {"K": key, "S": secret})
    except SecretError as error:
        assert PLANTED not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert found is not None
        assert found.key.isascii()
        assert "\n" not in found.key + found.secret


TOKEN = "123456789:AAH" + "x" * 32
SLACK_TOKEN = "xoxb-" + "1234567890-" * 2 + "x" * 24


@pytest.mark.parametrize(
    ("kind", "given_url", "url"),
    [
        (
            ChannelKind.SLACK,
            "https://hooks.slack.com/services/T/B/x",
            "https://hooks.slack.com/services/T/B/x",
        ),
        (ChannelKind.WEBHOOK, "http://127.0.0.1:9/x", "http://127.0.0.1:9/x"),
        (ChannelKind.TELEGRAM, TOKEN, f"https://api.telegram.org/bot{TOKEN}"),
        (ChannelKind.TELEGRAM, "http://127.0.0.1:9/botx", "http://127.0.0.1:9/botx"),
    ],
)
def test_urls_of_channels(kind: ChannelKind, given_url: str, url: str) -> None:
    chat_id = "-1" if kind is ChannelKind.TELEGRAM else ""
    made = channel_of(Channel(name="c", kind=kind, url_env="U", chat_id=chat_id), {"U": given_url})
    assert (made.name, made.kind, made.url, made.chat_id) == ("c", kind.value, url, chat_id)
    assert (made.token, made.signing) == ("", "")


def test_a_token_of_slacks_makes_a_bot() -> None:
    channel = Channel(name="c", kind=ChannelKind.SLACK, url_env="U", chat_id="C0123456789")
    made = channel_of(channel, {"U": SLACK_TOKEN})
    assert (made.url, made.token, made.chat_id) == ("https://slack.com/api", SLACK_TOKEN, "C0123456789")
    assert made.can_edit
    with pytest.raises(ConfigError, match=r"expected chat_id.*found one: take it out"):
        channel_of(channel, {"U": "https://hooks.slack.com/services/T/B/x"})
    with pytest.raises(ConfigError, match=r"expected chat_id.*found none: add it") as caught:
        channel_of(Channel(name="c", kind=ChannelKind.SLACK, url_env="U"), {"U": SLACK_TOKEN})
    assert SLACK_TOKEN not in str(caught.value)


def test_a_webhook_has_its_signing_secret_from_its_place() -> None:
    channel = Channel(name="c", kind=ChannelKind.WEBHOOK, url_env="U", signing_env="S")
    made = channel_of(channel, {"U": "https://h.example/x", "S": PLANTED})
    assert made.signing == PLANTED
    assert PLANTED not in repr(made)
    with pytest.raises(SecretError, match="signing_env"):
        channel_of(channel, {"U": "https://h.example/x"})


def test_a_url_of_apprises_is_looked_at_before_the_first_alert() -> None:
    channel = Channel(name="c", kind=ChannelKind.APPRISE, url_env="U")
    assert channel_of(channel, {"U": "ntfys://topic"}).url == "ntfys://topic"
    with pytest.raises(ConfigError, match="as apprise has them") as caught:
        channel_of(channel, {"U": f"nonsense://{PLANTED}"})
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    "url", [f"http://example.com/{PLANTED}", f"https://u:{PLANTED}@h/x", PLANTED, f"wss://h/{PLANTED}", TOKEN]
)
def test_wrong_urls_of_channels_are_refused_and_not_shown(url: str) -> None:
    """Over plain HTTP the alert, and the right to post there, are anybody's."""
    with pytest.raises(SecretError, match="expected an https URL of channel `c`") as caught:
        channel_of(Channel(name="c", kind=ChannelKind.DISCORD, url_env="U"), {"U": url})
    assert url not in str(caught.value)


def test_password_gets_into_the_url_of_the_store() -> None:
    assert store_url(Watch(), {}) == "sqlite:///drainwatch.db"
    watch = Watch(store="postgresql://me@/db?host=/run", store_password_env="P")
    assert store_url(watch, {"P": "a/b@c:d"}) == "postgresql://me:a%2Fb%40c%3Ad@/db?host=/run"


@pytest.mark.parametrize("store", ["sqlite:///a.db", "postgresql://host/db", "postgresql://@host/db"])
def test_a_password_of_nobody_is_refused(store: str) -> None:
    with pytest.raises(ConfigError, match=r"at [$]\.watch\.store, found no user"):
        store_url(Watch(store=store, store_password_env="P"), {"P": PLANTED})
