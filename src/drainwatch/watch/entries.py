"""Entries of the journal: how they are read, and where in it a time is."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from drainwatch.rows import Market, Row

Entry = list[tuple[int, Row]] | int
"""Rows with the times at which they count, ns; or a time until which nothing happened."""

_decoder: Final = msgspec.msgpack.Decoder(list[tuple[int, Row]] | int)


class Keeper(Protocol):
    """What of a store is needed to look a time up."""

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        """Give the first entry whose number is above `number`; None where there is none."""


def read_entry(content: bytes) -> Entry:
    """Read an entry of the journal."""
    entry: Entry = _decoder.decode(content)
    return entry


def number_at(store: Keeper, at_ns: int, newest: int) -> int:
    """Give the number of the first entry that reaches a time; `newest + 1` where none does.

    Entries go by time, also where some of them were dropped. One that names markets alone has no time:
    it goes with the next.
    """
    low, high = 0, newest  # entries up to `low` end before, those above `high` don't
    while low < high:
        middle = (low + high) // 2
        found = store.entry_after(middle)
        while found is not None and found[0] <= high and _last_ns(found[1]) is None:
            found = store.entry_after(found[0])
        if found is None or found[0] > high:
            high = middle
            continue
        last_ns = _last_ns(found[1])
        if last_ns is not None and last_ns < at_ns:
            low = found[0]
        else:
            high = middle
    first = store.entry_after(low)
    return newest + 1 if first is None or first[0] > newest else first[0]


def _last_ns(content: bytes) -> int | None:
    entry = read_entry(content)
    if isinstance(entry, int):
        return entry
    return next((at for at, row in reversed(entry) if not isinstance(row, Market)), None)
