"""What streams need of the one who watches: a place for what they hear, and a clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from drainwatch.notices import Notice
from drainwatch.rows import Row
from drainwatch.venues.protocol import BadMessage


class Clock(Protocol):
    """Time, so that a test can let a day pass in a second."""

    def now_ns(self) -> int:
        """Wall-clock time, ns since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Sink(Protocol):
    """Takes what a stream hears."""

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        """Take rows. Waits while the consumer is behind, so that the network's own back-pressure works."""

    async def ready(self, stream: str, *, first: bool) -> None:
        """A (re)connected stream stands: fill in what may have been missed. Returns when that is done."""

    def notice(self, notice: Notice) -> None:
        """Take a notice; never waits."""

    def bad(self, message: BadMessage) -> None:
        """Count a message that isn't understood; never waits."""

    def seen(self, exchange: str, symbols: set[str]) -> None:
        """Symbols turned up that the account trades: their public data are wanted from now on."""

    def unlisted(self, exchange: str, names: set[str]) -> None:
        """Markets turned up, by the venue's names, that its list didn't have: it must be read anew."""
