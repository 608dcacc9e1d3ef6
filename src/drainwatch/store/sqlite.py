"""The store as one SQLite file beside the watch: nothing to install, nothing to run.

Write-ahead log, `synchronous=NORMAL`: a kill of the process loses nothing that was committed, a loss of
power at most the last second, never the file. A second file, `NAME-lock`, is held locked by the one
watch that may write; readers, and the owner's marks beside it, need no lock.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from drainwatch.errors import StateError
from drainwatch.store.base import ADD_FILLS, Store
from drainwatch.store.checkpoints import SHORT_LOG_BYTES, Checkpoints

APPLICATION_ID: Final = 0x64726E77
"""Says in the file's header whose it is: `drnw`."""

TYPES: Final = {"integer": "INTEGER", "bytes": "BLOB", "real": "REAL", "serial": "INTEGER PRIMARY KEY"}

WAIT_S: Final = 1.0
"""So long the watch waits for another's write: there is none but a mark of the owner's, now and then."""
BESIDE_WAIT_S: Final = 10.0
"""So long those beside it wait for the watch."""

_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)  # of damaged files some words can't be decoded
_MANY: Final = 16


class SqliteStore(Store):
    """A store in a file, which is made where there is none, for its owner's eyes only (0600).

    `beside`: opened beside a watch that may be running; made nowhere.
    """

    def __init__(self, path: Path, *, beside: bool = False) -> None:
        super().__init__()
        self.where = str(path)
        self._lock: sqlite3.Connection | None = None
        self._database: sqlite3.Connection | None = None
        self._checkpoints: Checkpoints | None = None
        try:
            if beside:
                _check_present(path)
            else:
                _make_private(path)
                lock_path = path.with_name(f"{path.name}-lock")
                _make_private(lock_path)
                self._lock = _connect(lock_path)
                self._take_lock()
            self._database = _connect(path, BESIDE_WAIT_S if beside else WAIT_S)
            self._open()
            if beside:
                self._database.execute("PRAGMA synchronous = FULL")  # few writes, and nobody flushes them
            else:
                self._checkpoints = Checkpoints(path)
        except (*_ERRORS, OSError) as error:
            self.close()
            raise self._error(error) from error
        except BaseException:
            self.close()
            raise

    def _take_lock(self) -> None:
        try:
            lock = self._connected(self._lock)
            lock.execute("PRAGMA journal_mode = MEMORY")  # nothing is written: no file for it
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise StateError(
                f"expected to be the only one that writes to {self.where}, found another drainwatch "
                "using it: stop that one, or give this one a store of its own"
            ) from None

    def _open(self) -> None:
        database = self._connected(self._database)
        ((mine,),) = self._select("PRAGMA application_id")
        ((tables,),) = self._select("SELECT COUNT(*) FROM sqlite_master")
        if mine != APPLICATION_ID and (mine or tables):
            raise StateError(
                f"expected a drainwatch store, found another program's database at {self.where}: "
                "give the path of a new file"
            )
        ((mode,),) = self._select("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise StateError(
                f"expected a file system that allows a write-ahead log, found one that doesn't "
                f"at {self.where}: put the store on a local disk"
            )
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")  # `Checkpoints` does it
        database.execute(f"PRAGMA journal_size_limit = {SHORT_LOG_BYTES}")
        if not tables:
            with self.transaction():
                self._create(TYPES)
                self._change(f"PRAGMA application_id = {APPLICATION_ID}")
        self._check_schema(TYPES)

    def _connected(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise StateError(f"the store {self.where} is closed")
        return connection

    def _error(self, error: Exception) -> StateError:
        """Turn the database's error into one that says what to do."""
        self._failed = True
        return StateError(f"the store {self.where} can't be used: {_explain(error)}")

    def _select(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connected(self._database).execute(sql, values).fetchall()
        except _ERRORS as error:
            raise self._error(error) from error

    def _change(self, sql: str, *values: object) -> int:
        try:
            return self._connected(self._database).execute(sql, values).rowcount
        except _ERRORS as error:
            raise self._error(error) from error

    def _insert_fills(self, rows: Sequence[tuple[bytes, str, str, int, int, str]]) -> list[bool]:
        database = self._connected(self._database)
        sql = f"{ADD_FILLS} VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
        try:
            if len(rows) >= _MANY:
                # As a rule all are new, which is faster to find out at once.
                database.execute("SAVEPOINT many")
                if database.executemany(sql, rows).rowcount == len(rows):
                    database.execute("RELEASE many")
                    return [True] * len(rows)
                database.execute("ROLLBACK TO many")
                database.execute("RELEASE many")
            return [database.execute(sql, row).rowcount == 1 for row in rows]
        except _ERRORS as error:
            raise self._error(error) from error

    def _begin(self) -> None:
        self._change("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._change("COMMIT")
        checkpoints = self._checkpoints
        if checkpoints is None:
            return
        checkpoints.written = True
        if checkpoints.wants_help:
            checkpoints.wants_help = False
            self._select("PRAGMA wal_checkpoint(PASSIVE)")

    def _rollback(self) -> None:
        if self._database is not None and self._database.in_transaction:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")

    def close(self) -> None:
        """Release file and lock; an open transaction is undone. A second time does nothing."""
        self._rollback()
        if self._checkpoints is not None:
            self._checkpoints.close()
            self._checkpoints = None
        database, self._database = self._database, None
        lock, self._lock = self._lock, None
        for connection in (database, lock):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()


def _make_private(path: Path) -> None:
    """Make an empty file that only its owner may read, where there is none; and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))


def _check_present(path: Path) -> None:
    if not path.is_file() or not path.stat().st_size:
        raise StateError(
            f"expected the store of a watch, found none at {path}: give the settings that the watch is "
            "started with (--config), or its store (--store)"
        )


def _connect(path: Path, wait_s: float = WAIT_S) -> sqlite3.Connection:
    # no implicit transactions
    return sqlite3.connect(path, isolation_level=None, timeout=wait_s)


def _explain(error: Exception) -> str:
    """Say what an error means and what to do, in one line."""
    code = getattr(error, "sqlite_errorcode", None)
    base = None if code is None else code & 0xFF
    found = str(error)
    if base == sqlite3.SQLITE_FULL:
        return f"{found}; make room, then start again (nothing that was committed is lost)"
    if base in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH):
        return f"{found}; expected a file and a folder that this user may write to"
    if base in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeDecodeError):
        return (
            f"{found}; the file is damaged: go back to a copy of it, or move it away and begin with a new one"
        )
    if base == sqlite3.SQLITE_IOERR:
        return f"{found}; look whether the disk is full or failing"
    if isinstance(error, OSError):
        return f"{error.strerror or found}; expected a file and a folder that this user may write to"
    return f"{found}; if the file was altered by another program, go back to a copy of it"
