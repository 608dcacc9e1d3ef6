"""Where alerts go: one channel of a chat service, or an address of the owner's own."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from drainwatch.errors import ConfigError

KINDS: Final = ("slack", "discord", "telegram", "webhook")
"""Services known; `webhook` is any address that takes JSON by POST."""

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
    """The webhook's; for Telegram `https://api.telegram.org/bot<token>`."""
    chat_id: str = ""
    """Telegram alone: a number, or `@name` of a public channel."""

    def __post_init__(self) -> None:
        """Refuse what could never work, or would send the secret in the clear."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"channel name: expected up to 40 letters, digits, '_', '.', '-', found {self.name[:40]!a}"
            )
        where = f"channel {self.name}"
        if self.kind not in KINDS:
            raise ConfigError(f"{where}: expected a kind of {', '.join(KINDS)}, found {self.kind[:20]!a}")
        if not _is_fit(self.url):
            raise ConfigError(
                f"{where}: expected an https:// URL (http:// for this machine alone), found something else"
            )
        if (self.kind == "telegram") != bool(self.chat_id):
            found = "one" if self.chat_id else "none"
            expected = "a chat_id" if self.kind == "telegram" else "no chat_id"
            raise ConfigError(f"{where}: expected {expected} for {self.kind}, found {found}")

    @property
    def target(self) -> str:
        """The address that messages are sent to."""
        if self.kind != "telegram" or self.url.endswith("/sendMessage"):
            return self.url
        return f"{self.url.rstrip('/')}/sendMessage"

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
