"""What proves an incident later: how each of its fills was judged, and the journal around them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

import msgspec
from msgspec import Struct

from drainwatch.store import encoding

TABLES: Final = """
CREATE TABLE judgements (
    number {serial}, incident TEXT NOT NULL, key {bytes} NOT NULL, content TEXT NOT NULL,
    UNIQUE (incident, key)
);
CREATE TABLE stretches (number {serial}, first {integer} NOT NULL, last {integer} NOT NULL)
"""
"""What schema 4 has beyond schema 3."""

Key = tuple[str, str, str, str, str | None, str]
"""Of a fill: exchange, account, symbol, id, order, side."""


class Judgement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a fill of an incident was judged when it came; None where it couldn't be known.

    The key is as the engine has it: an absent account is `default`, an absent order None.
    """

    incident: str
    key: Key
    at_ns: int
    """Time at which it counted."""
    fair: float | None = None
    """What it was worth, quote per base."""
    source: str = "none"
    """By what (`fair.SOURCES`)."""
    deviation_bps: float | None = None
    """Positive is worse for the account."""
    score: float | None = None
    flagged: bool = False
    loss: float | None = None
    """Deviation from fair value in the quote currency, without fees; positive is a loss."""
    fee: float | None = None
    """In the quote currency."""
    currency: str = ""
    """The quote currency."""


class JudgedBy(Struct, frozen=True, kw_only=True):
    """By what a watch judged from a time on."""

    from_ns: int
    drainwatch: str
    """Version."""
    model: str
    """SHA-256 of the model's arrays."""
    false_alarms_per_month: float
    quiet_hours: float


_JUDGES: Final = "judged_by"


class Proof(ABC):
    """The part of a store that keeps it."""

    @abstractmethod
    def _read(self, kinds: str, sql: str, *values: object) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def _change(self, sql: str, *values: object) -> int: ...

    @abstractmethod
    def _writing(self) -> AbstractContextManager[None]: ...

    def add_judgements(self, judgements: Iterable[Judgement]) -> None:
        """Keep how fills of incidents were judged; of one kept before, what was said first."""
        with self._writing():
            for one in judgements:
                self._change(
                    "INSERT INTO judgements (incident, key, content) VALUES (?, ?, ?) "
                    "ON CONFLICT (incident, key) DO NOTHING",
                    encoding.to_text(one.incident),
                    encoding.to_key(one.key),
                    encoding.to_json(one),
                )

    def judgements(self, incident: str) -> list[Judgement]:
        """Give how the fills of an incident were judged, in the order in which they joined it."""
        rows = self._read(
            "t",
            "SELECT content FROM judgements WHERE incident = ? ORDER BY number",
            encoding.to_text(incident),
        )
        return [encoding.from_json(content, Judgement) for (content,) in rows]

    @abstractmethod
    def value(self, name: str) -> bytes | None:
        """Give a named value; None where it was never set."""

    @abstractmethod
    def set_value(self, name: str, value: bytes) -> None:
        """Keep a named value in place of the one before."""

    def note_judge(self, judge: JudgedBy) -> None:
        """Keep by what is judged from now on, unless it is what was judged by before."""
        with self._writing():
            before = self.judges()
            if before and msgspec.structs.replace(before[-1], from_ns=judge.from_ns) == judge:
                return
            self.set_value(_JUDGES, msgspec.json.encode([*before, judge]))

    def judges(self) -> list[JudgedBy]:
        """Give by what was judged, and from when on, in order."""
        kept = self.value(_JUDGES)
        return [] if kept is None else encoding.from_json(kept.decode(), list[JudgedBy])

    def hold_entries(self, first: int, last: int) -> None:
        """Never drop the journal's entries from `first` to `last`, whatever saved states cover."""
        with self._writing():
            self._change("INSERT INTO stretches (first, last) VALUES (?, ?)", first, last)

    def held_entries(self) -> list[tuple[int, int]]:
        """Give the numbers of the entries that are never dropped, as first and last, in order, disjoint."""
        disjoint = list[tuple[int, int]]()
        for first, last in self._read("ii", "SELECT first, last FROM stretches ORDER BY first, last"):
            if disjoint and first <= disjoint[-1][1] + 1:
                disjoint[-1] = disjoint[-1][0], max(last, disjoint[-1][1])
            else:
                disjoint.append((first, last))
        return disjoint

    def _drop_entries(self, upto: int) -> None:
        """Drop the journal up to an entry, but for what is held."""
        after = 0
        for first, last in [*self.held_entries(), (upto + 1, upto + 1)]:
            if after >= upto:
                break
            self._change("DELETE FROM journal WHERE number > ? AND number < ?", after, min(first, upto + 1))
            after = last
