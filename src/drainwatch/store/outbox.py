"""The outbox: what is to be sent, what became of it, and which tries nobody knows the end of.

A message is here before it is sent, and each try is noted before it is begun: after a kill it is known
which messages may have arrived though nobody noted it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from drainwatch.store import encoding

TABLES: Final = "ALTER TABLE outbox ADD COLUMN unanswered {integer} NOT NULL DEFAULT 0"
"""What schema 3 has beyond schema 2: tries of which nobody knows whether they arrived."""

WAITING: Final = 0
DELIVERED: Final = 1
GIVEN_UP: Final = 2
PUT_TOGETHER: Final = 3
"""Told within a message for several; `reason` holds that one's key."""

LEAST_URGENT: Final = 2**31
"""A rank that is none's."""

_COLUMNS: Final = "number, key, channel, rank, content, posted_ns, attempts, unanswered, due_ns"
_KINDS: Final = "ittibiiii"


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in the outbox."""

    number: int
    key: str
    channel: str
    rank: int
    body: bytes = field(repr=False)
    posted_ns: int
    attempts: int = 0
    """How often sending it has failed."""
    unanswered: int = 0
    """Tries of which nobody knows whether they arrived."""
    due_ns: int = 0
    """Not to be tried before."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message of the outbox."""

    key: str
    channel: str
    posted_ns: int
    state: int
    """`WAITING`, `DELIVERED`, `GIVEN_UP` or `PUT_TOGETHER`."""
    settled_ns: int | None
    """When it arrived, was given up, or put together with others."""
    attempts: int
    reason: str
    """Why the last try failed; of what was put together the other one's key; else empty."""


class Outbox(ABC):
    """The part of a store that keeps it."""

    @abstractmethod
    def _read(self, kinds: str, sql: str, *values: object) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def _change(self, sql: str, *values: object) -> int: ...

    @abstractmethod
    def _writing(self) -> AbstractContextManager[None]: ...

    # --- in --------------------------------------------------------------------------------------

    def post(self, key: str, channel: str, rank: int, body: bytes, now_ns: int) -> bool:
        """Put a message in the outbox; False where this channel has had one of this key.

        Rank 0 goes before rank 1, and so on; at the same rank the earlier goes first.
        """
        names = encoding.to_text(key), encoding.to_text(channel)
        with self._writing():
            return bool(
                self._change(
                    "INSERT INTO outbox "
                    "(key, channel, rank, content, posted_ns, due_ns, attempts, state, reason) "
                    "VALUES (?, ?, ?, ?, ?, ?, 0, 0, '') ON CONFLICT (key, channel) DO NOTHING",
                    *names,
                    rank,
                    body,
                    now_ns,
                    now_ns,
                )
            )

    def replace(self, keys: Sequence[str], channel: str, rank: int, body: bytes) -> bool:
        """Say something newer in place of what waits under one of these keys; False where none waits.

        One whose try has begun isn't touched: it may have arrived as it was.
        """
        if not keys:
            return False
        places = ", ".join("?" * len(keys))
        with self._writing():
            return bool(
                self._change(
                    "UPDATE outbox SET content = ?, rank = CASE WHEN rank < ? THEN rank ELSE ? END "  # noqa: S608
                    f"WHERE key IN ({places}) AND channel = ? AND state = 0 AND unanswered = 0",
                    body,
                    rank,
                    rank,
                    *map(encoding.to_text, keys),
                    encoding.to_text(channel),
                )
            )

    def waits(self, keys: Sequence[str], channel: str) -> bool:
        """Tell whether one of these messages is still to be sent on a channel."""
        if not keys:
            return False
        places = ", ".join("?" * len(keys))
        query = f"SELECT number FROM outbox WHERE key IN ({places}) AND channel = ? AND state = 0 LIMIT 1"  # noqa: S608
        return bool(self._read("i", query, *map(encoding.to_text, (*keys, channel))))

    def put_together(self, several: Sequence[Posted], key: str, rank: int, body: bytes, now_ns: int) -> None:
        """Have one message in place of several of a channel, or the same with more in it.

        It stands where the first of them stood. The several are settled by it.
        """
        channel = several[0].channel
        places = ", ".join("?" * len(several))
        with self._writing():
            if not self.replace([key], channel, rank, body):
                self.post(key, channel, rank, body, several[0].posted_ns)
            self._change(
                "UPDATE outbox SET state = ?, settled_ns = ?, content = ?, reason = ? "  # noqa: S608
                f"WHERE number IN ({places}) AND state = 0",
                PUT_TOGETHER,
                now_ns,
                b"",
                encoding.to_text(key),
                *(posted.number for posted in several),
            )

    # --- out -------------------------------------------------------------------------------------

    def due(
        self,
        now_ns: int,
        limit: int = 100,
        channel: str | None = None,
        *,
        ranks: tuple[int, int] = (0, LEAST_URGENT),
    ) -> list[Posted]:
        """Give what is to be sent now, by rank, then time: of one channel, or of all.

        `ranks`: those from the first on, below the second.
        """
        where, values = _of(channel, ranks)
        rows = self._read(
            _KINDS,
            f"SELECT {_COLUMNS} FROM outbox WHERE {where} AND due_ns <= ? "  # noqa: S608
            "ORDER BY rank, posted_ns, number LIMIT ?",
            *values,
            encoding.to_integer(now_ns),
            limit,
        )
        return [_posted(*row) for row in rows]

    def next_due_ns(
        self, channel: str | None = None, *, ranks: tuple[int, int] = (0, LEAST_URGENT)
    ) -> int | None:
        """Say when the next message is to be sent (it may be past); None where none waits."""
        where, values = _of(channel, ranks)
        query = f"SELECT due_ns FROM outbox WHERE {where} ORDER BY due_ns LIMIT 1"  # noqa: S608
        rows = self._read("i", query, *values)
        return rows[0][0] if rows else None

    def waiting(self) -> dict[str, int]:
        """Count what still waits, by channel; a channel without any is absent."""
        rows = self._read("ti", "SELECT channel, COUNT(*) FROM outbox WHERE state = 0 GROUP BY channel")
        return {encoding.from_text(channel): count for channel, count in rows}

    def only_here(self, posted: Posted) -> bool:
        """Tell whether no other channel had a message, or will have it; of one for several: any of them."""
        parts = self._alone(
            "here.state = ? AND here.channel = ? AND here.reason = ?",
            PUT_TOGETHER,
            encoding.to_text(posted.channel),
            encoding.to_text(posted.key),
        )
        return any(parts or self._alone("here.number = ?", posted.number))

    def _alone(self, where: str, *values: object) -> list[bool]:
        rows = self._read(
            "i",
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM outbox AS there WHERE there.key = here.key "  # noqa: S608
            "AND there.channel <> here.channel AND there.state <> ?) THEN 0 ELSE 1 END "
            f"FROM outbox AS here WHERE {where}",
            GIVEN_UP,
            *values,
        )
        return [bool(alone) for (alone,) in rows]

    def sent_ns(self, channel: str, since_ns: int) -> list[tuple[int, int]]:
        """Give when messages arrived on a channel since a time, with their ranks, the oldest first."""
        return self._read(
            "ii",
            "SELECT settled_ns, rank FROM outbox WHERE state = ? AND channel = ? AND settled_ns >= ? "
            "ORDER BY settled_ns",
            DELIVERED,
            encoding.to_text(channel),
            encoding.to_integer(since_ns),
        )

    def begin(self, posted: Posted) -> None:
        """Note that a try begins: until it is answered, nobody knows whether it arrived."""
        with self._writing():
            self._change(
                "UPDATE outbox SET unanswered = unanswered + 1 WHERE number = ? AND state = 0", posted.number
            )

    def delivered(self, posted: Posted, now_ns: int) -> None:
        """Note that a message has arrived. Its key is remembered, its body isn't."""
        self._settle(posted, DELIVERED, now_ns, "")

    def failed(
        self, posted: Posted, retry_at_ns: int | None, reason: str, now_ns: int = 0, *, refused: bool = False
    ) -> None:
        """Note that sending failed: try again from a time on, or (None) never.

        `reason` is kept: it must hold no secret. `refused`: the try that was begun surely didn't arrive.
        """
        if retry_at_ns is None:
            self._settle(posted, GIVEN_UP, now_ns, reason)
            return
        with self._writing():
            self._change(
                "UPDATE outbox SET due_ns = ?, attempts = attempts + 1, unanswered = unanswered - ?, "
                "reason = ? WHERE number = ? AND state = 0",
                encoding.to_integer(retry_at_ns),
                int(refused),
                encoding.to_text(reason),
                posted.number,
            )

    def hurry(self, channel: str, now_ns: int) -> None:
        """Make everything that waits for a retry on a channel due: it works again."""
        with self._writing():
            self._change(
                "UPDATE outbox SET due_ns = ? WHERE state = 0 AND channel = ? AND due_ns > ?",
                now_ns,
                encoding.to_text(channel),
                now_ns,
            )

    def given_up(self) -> list[tuple[Posted, str]]:
        """Give what was never delivered and won't be, without the body, each with the reason."""
        rows = self._read(
            f"{_KINDS}t",
            f"SELECT {_COLUMNS}, reason FROM outbox WHERE state = ? ORDER BY number",  # noqa: S608
            GIVEN_UP,
        )
        return [(_posted(*row[:-1]), encoding.from_text(row[-1])) for row in rows]

    def told(self, begin: str) -> list[Told]:
        """Give what became of the messages whose key begins so, in the order in which they were posted."""
        start = encoding.to_text(begin)
        rows = self._read(
            "ttiiiit",
            "SELECT key, channel, posted_ns, state, COALESCE(settled_ns, 0), attempts, reason FROM outbox "
            "WHERE SUBSTR(key, 1, ?) = ? ORDER BY posted_ns, number",
            len(start),
            start,
        )
        return [
            Told(
                key=encoding.from_text(key),
                channel=encoding.from_text(channel),
                posted_ns=posted_ns,
                state=state,
                settled_ns=settled_ns or None,
                attempts=attempts,
                reason=encoding.from_text(reason),
            )
            for key, channel, posted_ns, state, settled_ns, attempts, reason in rows
        ]

    def _settle(self, posted: Posted, state: int, now_ns: int, reason: str) -> None:
        with self._writing():
            self._change(
                "UPDATE outbox SET state = ?, settled_ns = ?, content = ?, attempts = attempts + ?, "
                "reason = ? WHERE number = ? AND state = 0",
                state,
                now_ns,
                b"",
                int(state == GIVEN_UP),
                encoding.to_text(reason),
                posted.number,
            )


def _of(channel: str | None, ranks: tuple[int, int]) -> tuple[str, list[object]]:
    """Give the condition for what waits for one channel, or for all, and its values."""
    where, values = "state = 0", list[object]()
    if channel is not None:
        where += " AND channel = ?"
        values.append(encoding.to_text(channel))
    if ranks != (0, LEAST_URGENT):
        where += " AND rank >= ? AND rank < ?"
        values += ranks
    return where, values


def _posted(number: int, key: str, channel: str, *rest: Any) -> Posted:
    return Posted(number, encoding.from_text(key), encoding.from_text(channel), *rest)
