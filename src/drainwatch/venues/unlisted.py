"""Fills of markets that the venue's list didn't have when it was read: kept until it is read anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from drainwatch.rows import Fill, Market
from drainwatch.venues.protocol import Symbols
from drainwatch.venues.wire import NS_PER_S

WAIT_NS = 30 * NS_PER_S
"""After that long a fill goes out under the venue's own name of the market: better odd than lost."""


class _Entry(NamedTuple):
    since_ns: int
    name: str
    symbols: Symbols
    make: Callable[[Market | None], Fill]


class Unlisted:
    """What waits for its market, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[_Entry] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, name: str, symbols: Symbols, make: Callable[[Market | None], Fill], now_ns: int) -> None:
        """Keep a fill of a market that isn't in `symbols`; `make` gives it once the market is known."""
        self._waiting.append(_Entry(now_ns, name, symbols, make))

    def found(self) -> list[Fill]:
        """Give, in order, the fills whose market has turned up."""
        out: list[Fill] = []
        left: deque[_Entry] = deque()
        for entry in self._waiting:
            market = entry.symbols.by_venue.get(entry.name)
            if market is None:
                left.append(entry)
            else:
                out.append(entry.make(market))
        self._waiting = left
        return out

    def given_up(self, now_ns: int) -> list[Fill]:
        """Give the fills that have waited too long; their symbol is the venue's own name."""
        out: list[Fill] = []
        while self._waiting and now_ns - self._waiting[0].since_ns >= WAIT_NS:
            out.append(self._waiting.popleft().make(None))
        return out
