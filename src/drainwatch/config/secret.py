"""Secrets, from where the settings say they are kept. No message shows one, nor what could be one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from drainwatch.alerts.channel import SLACK_API, TELEGRAM_API
from drainwatch.alerts.channel import Channel as Target
from drainwatch.alerts.extra import check as check_apprise
from drainwatch.config.agree import given_sources
from drainwatch.config.settings import Account, Channel, ChannelKind, Url, Watch
from drainwatch.errors import ConfigError
from drainwatch.venues.protocol import Credentials

LARGEST = 65_536
"""Bytes of a secret's file: more isn't a key."""

KEYRING_SERVICE = "drainwatch"
"""Under which name secrets stand in the keyring: `keyring set drainwatch NAME`."""

_TELEGRAM_TOKEN = re.compile(r"\A[0-9]{5,20}:[A-Za-z0-9_-]{20,100}\Z")
_SLACK_TOKEN = re.compile(r"\Axox[bp]-[A-Za-z0-9-]{10,200}\Z")
_TOKENS = {ChannelKind.TELEGRAM: "the bot's token", ChannelKind.SLACK: "a bot's token (xoxb-...)"}
_URL = re.compile(Url.__metadata__[0].pattern)  # type: ignore[attr-defined]


class SecretError(ConfigError):
    """A secret isn't where the settings say, or others can read it. Never holds it."""


def read_secret(table: object, base: str, env: Mapping[str, str] | None = None) -> str:
    """Read a secret that a section of the settings names the place of.

    Parameters
    ----------
    table
        The section: its `base_env` names an environment variable, `base_file` a file, `base_credential`
        a file in systemd's `$CREDENTIALS_DIRECTORY`, `base_keyring` an entry of the keyring.
    base
        `key`, `secret`, `passphrase`, `url`, `store_password`.
    env
        Environment variables, those of the process by default.

    Returns
    -------
    str
        Without blanks around it; empty where the section names no place.

    Raises
    ------
    SecretError
        There is nothing at that place, or others than the owner can read it.
    """
    env = os.environ if env is None else env
    for setting, where in given_sources(table, base).items():
        if setting.endswith("_env"):
            return _cleaned(env.get(where, ""), f"the environment variable that {setting} names")
        if setting.endswith("_file"):
            path = Path(where).expanduser()
            return _cleaned(_read(path, setting, private=True), f"the file that {setting} names")
        if setting.endswith("_keyring"):
            return _cleaned(_unlocked(where, setting), f"the keyring's entry that {setting} names")
        folder = env.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise SecretError(
                f"expected systemd to hand over the credential that {setting} names, found no "
                "$CREDENTIALS_DIRECTORY: start it as a unit with LoadCredential=, or use another place"
            )
        # systemd guards its folder, and shows the rights of the service's user as those of a group
        return _cleaned(_read(Path(folder) / where, setting, private=False), f"what {setting} names")
    return ""


def credentials_of(account: Account, env: Mapping[str, str] | None = None) -> Credentials | None:
    """Read an account's key; None where it needs none.

    Raises
    ------
    SecretError
        A part of it can't be read, or isn't what it could be.
    """
    key = read_secret(account, "key", env)
    if not key:
        return None
    secret = read_secret(account, "secret", env)
    passphrase = read_secret(account, "passphrase", env)
    if not _one_line(key) or not key.isascii():
        raise SecretError(
            f"expected the API key of account `{account.name}` to be one line of letters and digits, found "
            "otherwise (not shown): look for a line too many, or for key and secret in one file"
        )
    if secret.startswith("-----BEGIN"):
        secret = secret.replace("\\n", "\n")  # how a PEM key gets into an environment variable
    elif not _one_line(secret):
        raise SecretError(
            f"expected the secret of account `{account.name}` to be one line or a PEM private key, found "
            "otherwise (not shown): look for a line too many, or for key and secret in one file"
        )
    return Credentials(key, secret, passphrase)


def store_url(watch: Watch, env: Mapping[str, str] | None = None) -> str:
    """Give where the store is, with its password in it: not to be shown.

    Raises
    ------
    SecretError
        The password can't be read.
    ConfigError
        There is a password, but nobody whose it could be.
    """
    password = read_secret(watch, "store_password", env)
    if not password:
        return watch.store
    scheme, _, rest = watch.store.partition("://")
    user, at, server = rest.partition("@")
    if not at or not user:
        raise ConfigError(
            "expected `postgresql://USER@HOST/NAME` at $.watch.store, found no user before an @, though a "
            "password is given: name the user, or take the password out"
        )
    return f"{scheme}://{user}:{quote(password, safe='')}@{server}"


def channel_of(channel: Channel, env: Mapping[str, str] | None = None) -> Target:
    """Make the channel that messages are sent to, with its secrets read.

    Raises
    ------
    SecretError
        A secret can't be read, or isn't what such a channel has.
    ConfigError
        What is set doesn't go with what the secret turned out to be.
    """
    given = {"name": channel.name, "kind": channel.kind.value, "chat_id": channel.chat_id}
    url = read_secret(channel, "url", env)
    if channel.kind is ChannelKind.APPRISE:
        target = Target(**given, url=url)
        check_apprise(target)
        return target
    if channel.kind is ChannelKind.TELEGRAM and _TELEGRAM_TOKEN.match(url):
        return Target(**given, url=f"{TELEGRAM_API}/bot{url}")
    if channel.kind is ChannelKind.SLACK:
        token = url if _SLACK_TOKEN.match(url) else ""
        if bool(token) != bool(channel.chat_id):
            raise ConfigError(
                f"expected chat_id, a channel's id, of channel `{channel.name}` with the token of a bot of "
                f"Slack's, and none with a webhook's URL; found {'none' if token else 'one'}: "
                f"{'add it' if token else 'take it out, or give the token'}"
            )
        if token:
            return Target(**given, url=SLACK_API, token=token)
    if not url.startswith("http") or not _URL.match(url):
        also = f", or {_TOKENS[channel.kind]}" if channel.kind in _TOKENS else ""
        raise SecretError(
            f"expected an https URL of channel `{channel.name}`{also}, found otherwise (not shown): "
            "copy it again from where the webhook was made"
        )
    return Target(**given, url=url, signing=read_secret(channel, "signing", env))


def _unlocked(name: str, setting: str) -> str:
    """Read an entry of the system's keyring; its name isn't shown, as it could be the secret itself."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise SecretError(
            f"expected the package keyring, which {setting} needs, found none: pip install "
            "'drainwatch[keyring]', or use another place"
        ) from None
    try:
        return keyring.get_password(KEYRING_SERVICE, name) or ""
    except keyring.errors.KeyringError as error:
        raise SecretError(
            f"expected a keyring that {setting} can be read from, found none that opens "
            f"({type(error).__name__}): unlock it, or use another place; a service has no keyring as a rule"
        ) from None


def _one_line(text: str) -> bool:
    """Tell whether there is neither a blank nor a sign that can't be seen in it."""
    return text.isprintable() and " " not in text


def _cleaned(text: str, place: str) -> str:
    """Take off blanks around it, and refuse what is empty."""
    text = text.strip()
    if not text:
        raise SecretError(f"expected a secret in {place}, found nothing there: is it set, and filled?")
    return text


def _read(path: Path, setting: str, *, private: bool) -> str:
    """Read a secret's file; the path isn't shown where there is none, as it could be the secret itself."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it can't be a path"
        raise SecretError(
            f"expected a secret in the file that {setting} names, found none to read ({reason})"
        ) from None
    if private and os.name != "nt" and mode & 0o077:
        raise SecretError(
            f"expected {path} to be readable by its owner alone, found it open to others "
            f"({stat.filemode(mode)}): run `chmod 600 {path}`"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > LARGEST:
        raise SecretError(
            f"expected text of up to {LARGEST} bytes in {path}, which {setting} names, found otherwise"
        )
    return text
