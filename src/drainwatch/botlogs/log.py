"""What every bot's log has in common: a place in it, what is new since, and who keeps looking."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from drainwatch.botlogs.database import stamp
from drainwatch.errors import InputError
from drainwatch.events import NS_PER_S
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import BotOrder
from drainwatch.values import LAST_NS, text_of
from drainwatch.venues.ports import Clock, Sink
from drainwatch.venues.protocol import BadMessage

OVERLAP: Final = 1000
"""So many rows before the last are looked at again: a bot may delete some, and use their numbers again."""
CHUNK: Final = 1000
"""Orders handed over at once."""
REREAD_S: Final = 30.0
"""A log that seems unchanged is read all the same: two writes can fall into one tick of a file's time."""
SLACK_NS: Final = 60 * NS_PER_S
"""So much earlier than its date an order counts as the bot's. Bots date their orders by clocks of their own,
or when the answer came, which may be after the first fill; and an id can't be known before its order is."""
PATIENCE_S: Final = 60.0
"""How long a log may be unreadable before that is said."""

Key = tuple[str | None, str | None]
"""An order's ids: the venue's and the owner's."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a log has been read."""

    file: tuple[int, int]
    """Device and inode: another file is read from its start."""
    last: dict[str, int]
    """Number of the last row, by table."""
    recent: frozenset[Key] = frozenset()
    """Orders among the last rows."""


@dataclass(slots=True)
class Found:
    """What is new in a log."""

    orders: list[BotOrder]
    cursor: Cursor
    """Where to go on, once the orders are stored."""
    notes: list[str] = field(default_factory=list)
    """What isn't as expected, in plain words."""


class OrderLog(Protocol):
    """A bot's log of the orders that it placed."""

    name: str
    """In notices: `freqtrade log`."""
    path: Path
    account: str

    def read(self, since: Cursor | None) -> Found:
        """Read what is new since a place; None: everything.

        Raises
        ------
        InputError
            If the log can't be read now.
        """


class Line(NamedTuple):
    """A row of a log."""

    order: str | None
    client_order_id: str | None
    ts_ns: int
    """0 where it isn't known."""


class Table(NamedTuple):
    """Where a log's rows are. `columns` are SQL, for `read_tables` to hand to the log."""

    name: str
    columns: Sequence[str]


def columns_in(connection: sqlite3.Connection, table: str) -> set[str]:
    """Name a table's columns; none where there is no such table."""
    return {
        text(row[0]) or "" for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    }


def tables_in(connection: sqlite3.Connection) -> str:
    """Name the tables, for a message."""
    names = [
        text(row[0]) or ""
        for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    return ", ".join(sorted(ascii(name)[1:-1] for name in names)[:20]) or "none"


def new_rows(
    connection: sqlite3.Connection, table: Table, since: Cursor | None, file: tuple[int, int]
) -> tuple[list[tuple[Any, ...]], int]:
    """Read rows behind a place, and some before it.

    Returns
    -------
    rows
        Each a row's number and `table.columns`.
    last
        Number of the table's last row.
    """
    (top,) = connection.execute(f'SELECT max(rowid) FROM "{table.name}"').fetchone()  # noqa: S608 - our own words
    last = int(top or 0)
    before = since.last.get(table.name, 0) if since is not None and since.file == file else 0
    if last < before:  # rows were deleted, or numbered anew
        before = 0
    columns = ", ".join(("rowid", *table.columns))
    rows = connection.execute(
        f'SELECT {columns} FROM "{table.name}" WHERE rowid > ? ORDER BY rowid',  # noqa: S608 - our own words
        (before - OVERLAP,),
    )
    return rows.fetchall(), last


def identity(path: Path) -> tuple[int, int]:
    """Say which file this is, whatever its name."""
    found = path.stat()
    return found.st_dev, found.st_ino


def text(value: object) -> str | None:
    """Read a cell as a text; None where absent."""
    return text_of(value).strip() or None


def time_ns(value: object, ns_per_unit: int) -> int | None:
    """Read a cell as a time: a number of units since the epoch, or ISO 8601, UTC where it names no zone.

    None for what is neither, or not from 1970 to 2199.
    """
    if isinstance(value, (int, float)):
        if not math.isfinite(value) or not 0 <= value * ns_per_unit < LAST_NS:
            return None
        return int(value * ns_per_unit)
    try:
        when = datetime.fromisoformat(text(value) or "")
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    ns = since // timedelta(microseconds=1) * 1000
    return ns if 0 <= ns < LAST_NS else None


def gathered(
    account: str,
    lines: Sequence[tuple[int, Line, str]],
    since: Cursor | None,
    last: dict[str, int],
    file: tuple[int, int],
) -> tuple[list[BotOrder], Cursor]:
    """Make orders of lines, each once, leaving out those seen before; `lines` have their row and table."""
    seen = since.recent if since is not None and since.file == file else frozenset[Key]()
    recent: set[Key] = set()
    orders: dict[Key, BotOrder] = {}
    clients = {client for _, client in seen}
    for row, line, table in lines:
        key = (line.order, line.client_order_id)
        if row > last[table] - OVERLAP:
            recent.add(key)
        known = line.order is None and line.client_order_id in clients  # a fill of an order that was told
        if key not in seen and key not in orders and not known:
            clients.add(line.client_order_id)
            orders[key] = BotOrder(
                account=account,
                order=line.order,
                client_order_id=line.client_order_id,
                ts_ns=max(0, line.ts_ns - SLACK_NS),
            )
    return list(orders.values()), Cursor(file, last, frozenset(recent))


async def follow(
    log: OrderLog, sink: Sink, clock: Clock, every_s: float = 1.0, since: Cursor | None = None
) -> None:
    """Keep handing over a log's new orders; ends only by being cancelled.

    Parameters
    ----------
    log, sink, clock
        What to read, where orders go, and the time.
    every_s
        How often to look whether the log has changed, s.
    since
        Where to begin; None: all that is in it.
    """
    await _Follower(log, sink, clock, since).run(every_s)


class _Follower:
    """Follows one log."""

    def __init__(self, log: OrderLog, sink: Sink, clock: Clock, since: Cursor | None) -> None:
        self._log, self._sink, self._clock, self._since = log, sink, clock, since
        self._stamp: tuple[int, ...] | None = None
        self._read_ns = 0
        self._failing_ns: int | None = None
        self._told = False
        self._notes: set[str] = set()

    async def run(self, every_s: float) -> None:
        while True:
            now_ns = self._clock.now_ns()
            seen = stamp(self._log.path)
            due = now_ns - self._read_ns >= REREAD_S * 1e9
            if seen is None or seen != self._stamp or due or self._failing_ns is not None:
                await self._look(seen, now_ns)
            await self._clock.sleep(every_s)

    async def _look(self, seen: tuple[int, ...] | None, now_ns: int) -> None:
        try:
            found = await asyncio.to_thread(self._log.read, self._since)
        except InputError as error:
            self._fail(str(error), now_ns)
            return
        for start in range(0, len(found.orders), CHUNK):
            await self._sink.rows(found.orders[start : start + CHUNK], now_ns)
        self._since, self._stamp, self._read_ns = found.cursor, seen, now_ns
        for note in found.notes:
            self._note(note)
        if self._told:
            text = f"The {self._log.name} can be read again; {len(found.orders)} orders were new in it."
            self._sink.notice(self._notice(NoticeKind.STREAM_BACK, text, now_ns))
        self._failing_ns, self._told = None, False

    def _fail(self, reason: str, now_ns: int) -> None:
        if self._failing_ns is None:
            self._failing_ns = now_ns
            self._note(reason, again=True)
        if not self._told and now_ns - self._failing_ns >= PATIENCE_S * 1e9:
            self._told = True
            text = (
                f"The {self._log.name} hasn't been readable for {PATIENCE_S:.0f} s ({reason}). Orders that "
                "your bot places now aren't known to be its own, and their fills may look strange."
            )
            self._sink.notice(self._notice(NoticeKind.STREAM_CLOSED, text, now_ns))

    def _note(self, reason: str, *, again: bool = False) -> None:
        """Count something odd; the same only once, unless it came `again`."""
        if again or reason not in self._notes:
            if len(self._notes) < CHUNK:
                self._notes.add(reason)
            self._sink.bad(BadMessage(self._log.name, reason, b""))

    def _notice(self, kind: NoticeKind, text: str, now_ns: int) -> Notice:
        return Notice(
            kind=kind,
            ts_ns=now_ns,
            text=text,
            account=self._log.account,
            stream=self._log.name,
            since_ns=self._failing_ns,
        )
