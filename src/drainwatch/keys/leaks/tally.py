"""What a scan looked at and what it didn't, counted: nothing is skipped in silence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 3
"""So many of the things skipped for one reason are named; the rest is counted."""


class Skipped(StrEnum):
    """Why something wasn't looked at."""

    BINARY = "not text"
    LARGE = "larger than the limit"
    UNREADABLE = "not readable"
    LINK = "a link: what it leads to is looked at where it is"
    SPECIAL = "no regular file"
    FOREIGN = "a folder of installed packages"
    EXCLUDED = "excluded by --exclude"
    MISSING = "not in this clone"
    REPOSITORY = "git history not readable"


INCOMPLETE = frozenset({Skipped.UNREADABLE, Skipped.REPOSITORY})
"""Reasons that leave a doubt which the owner didn't choose."""


@dataclass
class Tally:
    """Counts of a scan.

    Parameters
    ----------
    deadline_s
        When to stop, on the clock given; None never.
    clock
        Seconds, rising.
    """

    deadline_s: float | None = None
    clock: Callable[[], float] = time.monotonic
    files: int = 0
    blobs: int = 0
    messages: int = 0
    """Messages of commits and tags."""
    repositories: int = 0
    size: int = 0
    """Bytes looked at."""
    allowed: int = 0
    skipped: dict[Skipped, int] = field(default_factory=dict)
    examples: dict[Skipped, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False
    """Whether the time was up before the end."""

    def skip(self, why: Skipped, what: str) -> None:
        """Count something that wasn't looked at, and keep its name if it is one of the first."""
        self.skipped[why] = self.skipped.get(why, 0) + 1
        named = self.examples.setdefault(why, [])
        if len(named) < EXAMPLES:
            named.append(what)

    def out_of_time(self) -> bool:
        """Tell whether to stop; remembers that it was so."""
        if self.deadline_s is not None and self.clock() >= self.deadline_s:
            self.stopped = True
        return self.stopped

    @property
    def complete(self) -> bool:
        """Whether all was looked at that was asked for."""
        return not self.stopped and INCOMPLETE.isdisjoint(self.skipped)
