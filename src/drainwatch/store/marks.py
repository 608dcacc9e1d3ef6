"""What the owner says of incidents: marks on one of them, and silences for a while.

They are written by another process than the watch, beside it; the watch reads them at each decision.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Literal

from msgspec import Struct

from drainwatch.store import encoding

TABLES: Final = """
CREATE TABLE marks (
    number {serial}, incident TEXT NOT NULL, what TEXT NOT NULL, at_ns {integer} NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX marks_by_incident ON marks (incident, number);
CREATE TABLE silences (
    number {serial}, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, exchange TEXT NOT NULL,
    symbol TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, from_ns {integer} NOT NULL,
    until_ns {integer} NOT NULL, forced {integer} NOT NULL
)
"""
"""What schema 2 has beyond schema 1."""

What = Literal["acknowledged", "closed", "false_alarm"]


class Mark(Struct, frozen=True, kw_only=True):
    """What the owner said of an incident, once."""

    incident: str
    """Its id."""
    what: What
    at_ns: int
    reason: str = ""
    """In his words; may be empty."""


class Silence(Struct, frozen=True, kw_only=True):
    """A stretch of time in which incidents of a certain form are kept, but not told.

    An empty text stands for any.
    """

    id: str
    account: str = ""
    exchange: str = ""
    symbol: str = ""
    kind: str = ""
    reason: str
    from_ns: int
    until_ns: int
    """The first moment at which it doesn't hold any more."""
    forced: bool = False
    """Whether it holds back criticals, too."""

    def in_force(self, now_ns: int) -> bool:
        """Whether it holds at that time."""
        return self.from_ns <= now_ns < self.until_ns

    def covers(self, incident: Mapping[str, Any]) -> bool:
        """Whether an incident is of its form; of which severity, and when, is another question.

        An incident of several symbols is covered by a silence of one of them only where that is the only
        one: what happens elsewhere was never meant.
        """
        return (
            self.account in ("", incident["account"])
            and self.exchange in ("", incident["exchange"])
            and (not self.symbol or set(incident["symbols"]) == {self.symbol})
            and self.kind in ("", incident["kind_now"])
        )


State = Literal["open", "acknowledged", "closed", "false alarm"]


def state_of(incident: Mapping[str, Any], marks: Iterable[Mark]) -> State:
    """How an incident stands, given its marks: what the owner said, else what the watch knows.

    The last word of the owner's counts, but an acknowledgement doesn't take back that it is closed.
    """
    state: State = "open" if incident["closed_at"] is None else "closed"
    for mark in marks:
        if mark.what == "false_alarm":
            state = "false alarm"
        elif mark.what == "closed":
            state = "closed"
        elif state == "open":
            state = "acknowledged"
    return state


class Marks(ABC):
    """The part of a store that keeps them."""

    @abstractmethod
    def _read(self, kinds: str, sql: str, *values: object) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def _change(self, sql: str, *values: object) -> int: ...

    @abstractmethod
    def _writing(self) -> AbstractContextManager[None]: ...

    def add_mark(self, mark: Mark) -> None:
        """Keep a mark beside those that the incident has."""
        with self._writing():
            self._change(
                "INSERT INTO marks (incident, what, at_ns, reason) VALUES (?, ?, ?, ?)",
                encoding.to_text(mark.incident),
                mark.what,
                encoding.to_integer(mark.at_ns),
                encoding.to_text(mark.reason),
            )

    def marks(self, incident: str | None = None) -> list[Mark]:
        """Give the marks of an incident, or of all, in the order in which they were made."""
        wanted = "" if incident is None else " WHERE incident = ?"
        values = [] if incident is None else [encoding.to_text(incident)]
        query = f"SELECT incident, what, at_ns, reason FROM marks{wanted} ORDER BY number"  # noqa: S608
        return [
            encoding.checked(
                Mark,
                incident=encoding.from_text(name),
                what=what,
                at_ns=at_ns,
                reason=encoding.from_text(reason),
            )
            for name, what, at_ns, reason in self._read("ttit", query, *values)
        ]

    def add_silence(self, silence: Silence) -> None:
        """Keep a silence. Its id must be a new one."""
        texts = (
            silence.id,
            silence.account,
            silence.exchange,
            silence.symbol,
            silence.kind,
            silence.reason,
        )
        with self._writing():
            self._change(
                "INSERT INTO silences "
                "(id, account, exchange, symbol, kind, reason, from_ns, until_ns, forced) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *map(encoding.to_text, texts),
                encoding.to_integer(silence.from_ns),
                encoding.to_integer(silence.until_ns),
                int(silence.forced),
            )

    def silences(self, now_ns: int | None = None) -> list[Silence]:
        """Give the silences in force at a time, or all that there ever were, the oldest first."""
        wanted = "" if now_ns is None else " WHERE from_ns <= ? AND until_ns > ?"
        values = [] if now_ns is None else [encoding.to_integer(now_ns)] * 2
        query = (
            "SELECT id, account, exchange, symbol, kind, reason, from_ns, until_ns, forced "  # noqa: S608
            f"FROM silences{wanted} ORDER BY number"
        )
        return [
            Silence(
                **dict(
                    zip(
                        ("id", "account", "exchange", "symbol", "kind", "reason"),
                        map(encoding.from_text, row[:6]),
                        strict=True,
                    )
                ),
                from_ns=row[6],
                until_ns=row[7],
                forced=bool(row[8]),
            )
            for row in self._read("ttttttiii", query, *values)
        ]

    def expire_silence(self, silence_id: str, now_ns: int) -> bool:
        """End a silence now; False where there is none of this id that would still hold."""
        with self._writing():
            return bool(
                self._change(
                    "UPDATE silences SET until_ns = ? WHERE id = ? AND until_ns > ?",
                    encoding.to_integer(now_ns),
                    encoding.to_text(silence_id),
                    encoding.to_integer(now_ns),
                )
            )
