"""The journal around the fills of incidents, which isn't dropped: what the market showed is evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from drainwatch.events import NS_PER_S
from drainwatch.incidents import Member
from drainwatch.store import Judgement
from drainwatch.watch import entries

AROUND_NS: Final = 60 * NS_PER_S
"""So much before and after a fill of an incident is kept."""
MOST_FILLS: Final = 500
"""Of one incident, fills around which it is kept: a bleed of months mustn't keep months."""


class Keeper(entries.Keeper, Protocol):
    """What of a store it needs."""

    def hold_entries(self, first: int, last: int) -> None:
        """Never drop the journal's entries from `first` to `last`."""


class Around:
    """Knows around which times the journal is to be kept, and has the store hold it there."""

    def __init__(self, store: Keeper) -> None:
        self._store = store
        self._times: list[int] = []
        """Of fills of incidents whose surroundings aren't held yet, or not to their end."""
        self._fills: Counter[str] = Counter()

    def add(self, members: Iterable[Member]) -> None:
        """Take up fills that have become part of an incident."""
        for member in members:
            self._fills[member.incident] += 1
            if self._fills[member.incident] <= MOST_FILLS:
                self._times.append(member.at_ns)

    def recall(self, judgements: Iterable[Judgement], now_ns: int) -> None:
        """Take up again, after a restart, fills whose surroundings weren't over at that time."""
        for one in judgements:
            self._fills[one.incident] += 1
            if self._fills[one.incident] <= MOST_FILLS and one.at_ns + AROUND_NS >= now_ns:
                self._times.append(one.at_ns)

    def hold(self, newest: int) -> None:
        """Hold what the journal has by now, which ends with entry `newest`.

        To be called within the transaction before it is dropped.
        """
        for first_ns, last_ns in spans((at - AROUND_NS, at + AROUND_NS) for at in self._times):
            first = entries.number_at(self._store, first_ns, newest)
            last = min(entries.number_at(self._store, last_ns + 1, newest), newest)
            if first <= last:
                self._store.hold_entries(first, last)

    def forget(self, now_ns: int) -> None:
        """Let go of what was held to its end by that time; call it when the transaction is kept."""
        self._times = [at for at in self._times if at + AROUND_NS >= now_ns]


def spans(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches of time that touch; gives disjoint ones in order."""
    joined = list[tuple[int, int]]()
    for first, last in sorted(parts):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return joined
