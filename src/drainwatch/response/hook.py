"""A response hook: what is done about an incident, whatever the settings say it in."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct, field

from drainwatch.venues.protocol import Credentials

KINDS: Final = ("freqtrade", "hummingbot", "command", "webhook", "cancel_orders")


class Hook(Struct, frozen=True, kw_only=True):
    """One hook. It holds secrets: no `repr` and no message shows them.

    Each kind uses the fields that it needs; the others are empty.
    """

    name: str
    """As the settings call it."""
    kind: str
    """Of `KINDS`."""
    severity: str = "critical"
    """From how bad an incident on it runs: `warning` or `critical`."""
    account: str = ""
    """Whose incidents; empty: all."""
    dry_run: bool = True
    """Say what it would do, and look whether it could."""
    timeout_s: float = 20.0
    """So long it may take; then it is cut off."""
    once_s: float = 0.0
    """Not again within so long after a run for another incident; 0: once an incident."""

    address: str = ""
    """Of freqtrade's or hummingbot-api's REST interface."""
    user: str = ""
    password: str = ""
    action: str = "stop"
    """Freqtrade's: `stop`, `stop_entries` or `exit_and_stop`."""
    bot: str = ""
    """Hummingbot's name for the bot."""

    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """All that the command gets."""

    url: str = ""
    """The webhook's: whoever knows it can write there."""
    signing: str = ""
    """What the webhook's body is signed with; empty: not at all."""

    exchange: str = ""
    """ccxt's id of the exchange whose orders are cancelled."""
    credentials: Credentials | None = None
    """The key for that, never the one that watches."""
    url_rest: str = ""
    """The exchange's host, where it isn't the usual one."""
    symbols: tuple[str, ...] = ()
    """Markets to look for orders in, where the exchange lists them only one market at a time."""

    def __repr__(self) -> str:
        """Name and kind alone."""
        return f"Hook({self.name}, {self.kind})"


class Done(NamedTuple):
    """What a hook did."""

    text: str
    """In a sentence; no secret."""
    output: str = ""
    """The beginning of what a command printed."""


class HookError(Exception):
    """A hook couldn't do its part. Says what was found and what to do, without a secret.

    `output` is the beginning of what a command printed.
    """

    def __init__(self, text: str, output: str = "") -> None:
        super().__init__(text)
        self.output = output


class PassingError(HookError):
    """The same, of what passes: no answer, a server with trouble. Worth another try."""
