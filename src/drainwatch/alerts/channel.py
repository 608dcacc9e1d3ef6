"""Where alerts go: one channel of a chat service, or an address of the owner's own."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from drainwatch.errors import ConfigError

KINDS: Final = ("slack", "discord", "telegram", "webhook", "apprise")
"""Services known; `webhook` is any address that takes JSON by POST, `apprise` what that library reaches."""

SLACK_API: Final = "https://slack.com/api"
TELEGRAM_API: Final = "https://api.telegram.org"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Channel(Struct, frozen=True, kw_only=True):
    """A channel. Whoever knows its URL can write to it: no `repr` and no message shows it.

    Raises
    ------
    ConfigError
        The name or kind isn't one, the URL isn't https (http on this machine alone), or a chat id is
        missing or too much.

    """

    name: str
    """How notices and metrics call it: letters, digits, `_`, `.` and `-`."""
    kind: str
    url: str
    """The webhook's; for Telegram `https://api.telegram.org/bot<token>`; for a bot of Slack's `SLACK_API`."""
    chat_id: str = ""
    """Telegram: a number, or `@name` of a public channel. A bot of Slack's: the channel's id."""
    token: str = ""
    """Of a bot of Slack's, which can edit what it wrote; empty for Slack's webhooks, which can't."""
    signing: str = ""
    """Secret that a webhook's requests are signed with; empty: they aren't."""

    def __post_init__(self) -> None:
        """Refuse what could never work, or would send the secret in the clear."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"channel name: expected up to 40 letters, digits, '_', '.', '-', found {self.name[:40]!a}"
            )
        where = f"channel {self.name}"
        if self.kind not in KINDS:
            raise ConfigError(f"{where}: expected a kind of {', '.join(KINDS)}, found {self.kind[:20]!a}")
        if self.kind == "apprise":
            if "://" not in self.url:
                raise ConfigError(f"{where}: expected a URL as apprise has them, found something else")
        elif not _is_fit(self.url):
            raise ConfigError(
                f"{where}: expected an https:// URL (http:// for this machine alone), found something else"
            )
        if self.needs_chat_id != bool(self.chat_id):
            found = "one" if self.chat_id else "none"
            expected = "a chat_id" if self.needs_chat_id else "no chat_id"
            raise ConfigError(f"{where}: expected {expected} for {self.kind}, found {found}")

    @property
    def needs_chat_id(self) -> bool:
        """Whether the URL alone doesn't say where messages go."""
        return self.kind == "telegram" or bool(self.token)

    @property
    def can_edit(self) -> bool:
        """Whether a message can be changed after it was sent."""
        return self.kind in ("discord", "telegram") or bool(self.token)

    def __repr__(self) -> str:
        """Name and kind alone."""
        return f"Channel({self.name}, {self.kind})"


def _is_fit(url: str) -> bool:
    """Whether a URL is whole, and keeps its secret on the way."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
