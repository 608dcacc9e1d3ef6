"""What a check is, and what the doctor looks through: the world as interfaces, so that a test can be one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from drainwatch.alerts.answer import Answer
from drainwatch.alerts.channel import Channel
from drainwatch.config import Account, Settings
from drainwatch.response.hook import Hook
from drainwatch.rows import Balance, Fill, Market
from drainwatch.venues.protocol import Credentials

ANSWER_S = 60.0
"""So long somebody has to answer; loading all markets of an exchange takes some seconds."""


class Status(StrEnum):
    """What came of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    status: Status
    found: str
    advice: str = ""
    """What to do; empty where there is nothing to do."""


class Venue(Protocol):
    """What is asked of an exchange; `venues.rest.Rest` is one. Raises `VenueError`."""

    async def markets(self) -> Sequence[Market]:
        """All its markets."""

    async def my_trades(self, symbols: Collection[str], since_ns: int) -> Sequence[Fill]:
        """The account's fills since then."""

    async def balances(self) -> Sequence[Balance]:
        """What the account holds."""

    async def clock_skew_ns(self) -> int | None:
        """The venue's clock minus ours; None if it doesn't tell."""

    async def raw(self, method: str, params: Mapping[str, Any], what: str) -> Any:
        """Its own reply to one of ccxt's methods: what the key may do."""

    async def close(self) -> None:
        """Let go of its connections."""


class Heard(NamedTuple):
    """What a short listening to an account's streams gave."""

    stands: bool
    """The private subscription was confirmed."""
    symbols: frozenset[str]
    """Of the symbols asked for: those whose prices came."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the doctor looks through."""

    env: Mapping[str, str]
    clock_s: Callable[[], float]
    """Any steady clock, s."""
    now_ns: Callable[[], int]
    load_judge: Callable[[Settings], None]
    """Loads the model and compiles the kernel."""
    open_store: Callable[[str], None]
    """Opens the store of a URL and closes it again."""
    free_bytes: Callable[[Path], int]
    bind: Callable[[str, int], None]
    """Listens on an address and lets it go again; raises OSError."""
    rest: Callable[[Account, Credentials | None], Venue]
    hear: Callable[[Account, Credentials | None, Collection[str]], Awaitable[Heard]] | None
    """Opens an account's streams until they stand, or time is up; raises VenueError. None: can't."""
    respond: Callable[[Hook], Awaitable[str]]
    """Looks whether a response could be run; says what it would do. Raises HookError."""
    send: Callable[[Channel], Awaitable[Answer]]
    """Sends a test message to a channel."""
