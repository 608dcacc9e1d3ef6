"""The store, whatever database is underneath: what is kept, and in which words.

One SQL text serves both databases. `{integer}`, `{bytes}`, `{real}` and `{serial}` in the schema stand
for their types, `?` for a value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from drainwatch.errors import StateError
from drainwatch.notices import Notice
from drainwatch.rows import Fill
from drainwatch.store import encoding, marks, outbox, proof

SCHEMA: Final = 4
"""Version of the tables. A change of what they mean makes a new one, and `STEPS` leads to it."""

PAGE: Final = 500
"""Rows read at once by what gives many of them: a write in between disturbs nothing."""

TABLES: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE fills (
    number {serial}, key {bytes} NOT NULL UNIQUE, exchange TEXT NOT NULL, account TEXT NOT NULL,
    ts_ns {integer} NOT NULL, received_ns {integer} NOT NULL, content TEXT NOT NULL
);
CREATE INDEX fills_by_time ON fills (ts_ns, number);
CREATE TABLE journal (number {integer} PRIMARY KEY, content {bytes} NOT NULL);
CREATE TABLE snapshots (number {integer} PRIMARY KEY, content {bytes} NOT NULL);
CREATE TABLE incidents (
    number {serial}, id TEXT NOT NULL UNIQUE, alerted_at {real} NOT NULL, content TEXT NOT NULL
);
CREATE TABLE notices (number {serial}, key TEXT NOT NULL UNIQUE, content TEXT NOT NULL);
CREATE TABLE outbox (
    number {serial}, key TEXT NOT NULL, channel TEXT NOT NULL, rank {integer} NOT NULL,
    content {bytes} NOT NULL, posted_ns {integer} NOT NULL, due_ns {integer} NOT NULL,
    attempts {integer} NOT NULL, state {integer} NOT NULL, settled_ns {integer}, reason TEXT NOT NULL,
    UNIQUE (key, channel)
);
CREATE INDEX outbox_waiting ON outbox (channel, rank, posted_ns, number) WHERE state = 0;
CREATE TABLE facts (name TEXT PRIMARY KEY, content {bytes} NOT NULL)
"""
"""The tables of schema 1. `facts` holds the named values."""

STEPS: Final = {2: marks.TABLES, 3: outbox.TABLES, 4: proof.TABLES}
"""What each later schema added to the one before it."""

ADD_FILLS: Final = "INSERT INTO fills (key, exchange, account, ts_ns, received_ns, content)"

NEWEST_ENTRY: Final = (
    "SELECT COALESCE(MAX(number), 0) FROM journal UNION ALL SELECT COALESCE(MAX(number), 0) FROM snapshots"
)

_PART: Final = nullcontext()

_KINDS: Final = {"i": int, "t": str, "b": bytes}


class Store(marks.Marks, outbox.Outbox, proof.Proof, ABC):
    """Everything that must outlive the process: fills, journal, snapshots, incidents, outbox, marks.

    Synchronous: a call takes tens of microseconds and belongs to the thread that opened the store. Each
    method is a transaction of its own, or takes part in the one that `transaction` holds open. All raise
    `StateError` when the database can't be reached, is full, damaged or read-only; what the open
    transaction did is then undone whole. After a StateError go on from what the store holds (open it
    again): whether a commit that failed took place may be unknown.
    """

    where: str
    """The database, for messages; without a password."""

    def __init__(self) -> None:
        self._inside = False
        self._failed = False
        self._last_entry = 0

    # --- what a database gives -------------------------------------------------------------------

    @abstractmethod
    def _select(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query; outside of a transaction it may be tried again after the connection was lost."""

    @abstractmethod
    def _change(self, sql: str, *values: object) -> int:
        """Run a statement inside a transaction; gives how many rows it changed."""

    @abstractmethod
    def _insert_fills(self, rows: Sequence[tuple[bytes, str, str, int, int, str]]) -> list[bool]:
        """Insert rows of `fills` but those whose key is there (or came before in `rows`); says which."""

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _rollback(self) -> None:
        """Undo, as far as there is something to undo; never raises."""

    @abstractmethod
    def close(self) -> None:
        """Release the database; an open transaction is undone. A second time does nothing."""

    def _read(self, kinds: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query whose columns are of certain kinds: `i` integer, `t` text, `b` bytes.

        A damaged file may hold anything: nothing of another kind is handed on.
        """
        rows = self._select(sql, *values)
        wanted = tuple(_KINDS[kind] for kind in kinds)
        for row in rows:
            if tuple(map(type, row)) != wanted:
                raise StateError(
                    f"expected columns {kinds!a}, found others in {self.where}: the database is damaged "
                    "or was altered; go back to a copy of it, or begin with a new one"
                )
        return rows

    # --- transactions ----------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[None]:
        """Make what is done inside all or nothing.

        Raises
        ------
        RuntimeError
            One is open already: a mistake of the caller, who would think the inner one kept.
        StateError
            It couldn't be kept; also when a failure inside was swallowed.

        """
        return _Transaction(self)

    def _enter(self) -> None:
        if self._inside:
            raise RuntimeError("a transaction is open already: they can't be nested")
        self._begin()
        self._inside, self._failed = True, False

    def _leave(self, *, keep: bool) -> None:
        kept = False
        try:
            if keep and self._failed:
                raise StateError(f"nothing of this was kept in {self.where}: a part of it had failed before")
            if keep:
                self._commit()
                kept = True
        finally:
            self._inside = False
            if not kept:
                self._rollback()
                self._forget()

    def _writing(self) -> AbstractContextManager[None]:
        return _PART if self._inside else _Transaction(self)

    def _forget(self) -> None:
        """Make sure that the next entry's number is read from the database."""
        self._last_entry = -1

    def newest_entry(self) -> int:
        """Give the number of the last entry ever written; 0 where none was."""
        return self._newest_entry()

    def _newest_entry(self) -> int:
        """Give the number of the last entry ever written, also when it was pruned since."""
        found: list[tuple[int]] = self._read("i", NEWEST_ENTRY)
        return max(number for (number,) in found)

    # --- schema ----------------------------------------------------------------------------------

    def _create(self, types: Mapping[str, str]) -> None:
        """Make the tables, inside the caller's transaction."""
        self._make(TABLES, types)
        for step in STEPS.values():
            self._make(step, types)
        self._change("INSERT INTO about (name, content) VALUES ('schema', ?)", str(SCHEMA))

    def _make(self, tables: str, types: Mapping[str, str]) -> None:
        for table in tables.format(**types).split(";"):
            self._change(table.strip())

    def _check_schema(self, types: Mapping[str, str]) -> None:
        """Bring tables of an older version up to this one, keeping all; refuse those of a newer one."""
        version = self._version()
        if version.isdecimal() and 1 <= int(version) < SCHEMA:
            with self.transaction():
                version = self._version()  # another process may have been faster
                for step in range(int(version) + 1, SCHEMA + 1):
                    self._make(STEPS[step], types)
                self._change("UPDATE about SET content = ? WHERE name = 'schema'", str(SCHEMA))
            version = self._version()
        if version == str(SCHEMA):
            self._last_entry = self._newest_entry()
            return
        newer = version.isdecimal() and int(version) > SCHEMA
        remedy = (
            "it was written by a newer drainwatch: install that one again"
            if newer
            else "this drainwatch can't read it: keep it, and begin with a new one"
        )
        raise StateError(f"expected a store of schema {SCHEMA}, found {version!a} in {self.where}: {remedy}")

    def _version(self) -> str:
        found = self._read("t", "SELECT content FROM about WHERE name = 'schema'")
        return found[0][0] if found else "none"

    # --- fills -----------------------------------------------------------------------------------

    def add_fills(self, fills: Sequence[Fill], received_ns: int) -> list[bool]:
        """Keep fills that aren't there yet.

        Returns
        -------
        For each whether it is new: its key was neither in the store nor before it among these.

        """
        if not fills:
            return []
        came_ns = encoding.to_integer(received_ns)
        rows = [
            (
                encoding.to_key(fill.key),
                encoding.to_name(fill.exchange),
                encoding.to_name(fill.account),
                encoding.to_integer(fill.ts_ns),
                came_ns,
                encoding.to_json(fill),
            )
            for fill in fills
        ]
        with self._writing():
            return self._insert_fills(rows)

    def fills(
        self, exchange: str | None = None, account: str | None = None, since_ns: int | None = None
    ) -> Iterator[Fill]:
        """Give the fills kept, by time, then as they came; of one exchange or account, from a time on."""
        wanted, values = "", list[object]()
        for column, value in (("exchange", exchange), ("account", account)):
            if value is not None:
                wanted += f" AND {column} = ?"
                values.append(encoding.to_text(value))
        query = (
            f"SELECT ts_ns, number, content FROM fills WHERE (ts_ns, number) > (?, ?){wanted} "  # noqa: S608
            "ORDER BY ts_ns, number LIMIT ?"
        )
        last = encoding.to_integer(encoding.LEAST if since_ns is None else since_ns), -1
        while page := self._read("iit", query, *last, *values, PAGE):
            for _, _, content in page:
                yield encoding.from_json(content, Fill)
            last = page[-1][0], page[-1][1]

    def fill(self, key: proof.Key) -> Fill | None:
        """Give a fill by its key, as `rows.Fill.key` has it; None where it isn't kept."""
        rows = self._read("t", "SELECT content FROM fills WHERE key = ?", encoding.to_key(key))
        return encoding.from_json(rows[0][0], Fill) if rows else None

    # --- journal and snapshots -------------------------------------------------------------------

    def append(self, entry: bytes) -> int:
        """Add an entry to the journal; gives its number: 1, 2, 3 and so on, without a hole."""
        with self._writing():
            if self._last_entry < 0:
                self._last_entry = self._newest_entry()
            number = self._last_entry + 1
            self._change("INSERT INTO journal (number, content) VALUES (?, ?)", number, entry)
            self._last_entry = number
        return number

    def entries(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Give the entries whose number is above `after`, in order."""
        query = "SELECT number, content FROM journal WHERE number > ? ORDER BY number LIMIT ?"
        last = encoding.to_integer(after)
        while page := self._read("ib", query, last, PAGE):
            yield from page
            last = page[-1][0]

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        """Give the first entry whose number is above `number`; None where there is none."""
        rows = self._read(
            "ib", "SELECT number, content FROM journal WHERE number > ? ORDER BY number LIMIT 1", number
        )
        return rows[0] if rows else None

    def save_snapshot(self, number: int, snapshot: bytes, *, whole_journal: bool = False) -> None:
        """Keep the state after entry `number` (0: before the first); of the same number, the last one.

        The newest two are kept, in case one can't be read, and of the journal what the older of them
        doesn't cover, and what is held (`hold_entries`); all of it with `whole_journal`.

        Raises
        ------
        ValueError
            There is no such entry yet.

        """
        with self._writing():
            if not 0 <= number <= self._newest_entry():
                raise ValueError(f"expected the number of an entry of the journal, found {number}")
            self._put("snapshots", "number", number, snapshot)
            kept = self._read("i", "SELECT number FROM snapshots ORDER BY number DESC LIMIT 2")
            if len(kept) == 2:
                self._change("DELETE FROM snapshots WHERE number < ?", kept[1][0])
                if not whole_journal:
                    self._drop_entries(kept[1][0])

    def snapshots(self) -> list[tuple[int, bytes]]:
        """Give the newest two snapshots, the newest first, each with the entry that it stands after."""
        return [
            (number, content)
            for number, content in self._read(
                "ib", "SELECT number, content FROM snapshots ORDER BY number DESC"
            )
        ]

    # --- incidents and notices -------------------------------------------------------------------

    def save_incident(self, incident: Mapping[str, Any]) -> None:
        """Keep an incident (one object of `incidents.jsonl`) in place of what was known of it."""
        with self._writing():
            self._change(
                "INSERT INTO incidents (id, alerted_at, content) VALUES (?, ?, ?) ON CONFLICT (id) "
                "DO UPDATE SET alerted_at = excluded.alerted_at, content = excluded.content",
                encoding.to_text(incident["id"]),
                float(incident["alerted_at"]),
                encoding.to_json(dict(incident)),
            )

    def incidents(self) -> list[dict[str, Any]]:
        """Give all incidents in order of `alerted_at`."""
        rows = self._read("t", "SELECT content FROM incidents ORDER BY alerted_at, number")
        return [encoding.from_json(content, dict) for (content,) in rows]

    def add_notice(self, key: str, notice: Notice) -> bool:
        """Keep a notice; False, and nothing is done, where there is one of this key."""
        with self._writing():
            return bool(
                self._change(
                    "INSERT INTO notices (key, content) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
                    encoding.to_text(key),
                    encoding.to_json(notice),
                )
            )

    def notices(self) -> list[Notice]:
        """Give all notices in the order in which they were added."""
        rows = self._read("t", "SELECT content FROM notices ORDER BY number")
        return [encoding.from_json(content, Notice) for (content,) in rows]

    # --- named values ----------------------------------------------------------------------------

    def value(self, name: str) -> bytes | None:
        """Give a named value; None where it was never set."""
        rows = self._read("b", "SELECT content FROM facts WHERE name = ?", encoding.to_text(name))
        return rows[0][0] if rows else None

    def set_value(self, name: str, value: bytes) -> None:
        """Keep a named value in place of the one before."""
        with self._writing():
            self._put("facts", "name", encoding.to_text(name), value)

    def _put(self, table: str, column: str, key: object, content: bytes) -> None:
        self._change(
            f"INSERT INTO {table} ({column}, content) VALUES (?, ?) "  # noqa: S608 names of our own
            f"ON CONFLICT ({column}) DO UPDATE SET content = excluded.content",
            key,
            content,
        )


class _Transaction(AbstractContextManager[None]):
    """Holds a store's transaction open. A class, because a generator takes three times as long."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store._enter()  # noqa: SLF001 its other half

    def __exit__(self, kind: object, *_: object) -> None:
        self._store._leave(keep=kind is None)  # noqa: SLF001 its other half
