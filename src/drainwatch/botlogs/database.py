"""A bot's SQLite database, read without the bot noticing.

Opening a database "read-only" isn't enough: in WAL mode SQLite then still makes files beside it,
which would belong to us, and the bot could no longer open its own database. So what is there decides
how it is opened, and nothing is ever created, locked for long, or rolled back.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.parse import quote

from drainwatch.errors import InputError

BUSY_S: Final = 0.2
"""How long to wait for a bot that is writing; then the read is tried again later."""

_MAGIC: Final = b"SQLite format 3\x00"
_WAL: Final = 2
_VERSION_AT: Final = 18
"""Where the header says whether the database is in WAL mode."""

_ONE_AT_A_TIME = Lock()
"""Closing a file drops all of a process's POSIX locks on it, those of another reader as well."""


def stamp(path: Path) -> tuple[int, ...] | None:
    """Say what changes whenever the database does: its files' sizes, times and numbers; None: no database."""
    parts: list[int] = []
    for ending in ("", "-wal", "-journal"):
        try:
            found = _beside(path, ending).stat()
        except OSError:
            if not ending:
                return None
            parts.append(-1)
        else:
            parts += (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return tuple(parts)


@contextmanager
def opened(path: Path, then: str = "it is tried again") -> Iterator[sqlite3.Connection]:
    """Open a database to read it; texts come as bytes. `then` tells what follows a failure.

    Raises
    ------
    InputError
        If there is none, it is locked, it isn't SQLite, or what is asked of it fails; worth another try.
    """
    with _ONE_AT_A_TIME:
        try:
            if not _is_wal(path):
                with _connected(path, "mode=ro") as connection:
                    yield connection
            elif not _has_wal(path):
                # nobody has it open; `immutable` makes no files
                with _connected(path, "mode=ro&immutable=1") as connection:
                    yield connection
                if _has_wal(path):
                    raise InputError(f"{path}: the bot started to write while it was read; it is read again")
            elif _beside(path, "-shm").exists():
                with _connected(path, "mode=ro&readonly_shm=1") as connection:
                    yield connection
            else:
                with _copied(path) as copy, _connected(copy, "mode=rw") as connection:
                    yield connection
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; expected the bot's database") from error
        except (OSError, sqlite3.Error, UnicodeError) as error:  # names in a damaged schema need not be UTF-8
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{path}: can't be read: {said}; {then}") from error


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _is_wal(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_VERSION_AT + 1)
    if not head.startswith(_MAGIC) or len(head) <= _VERSION_AT:
        found = f"{len(head)} bytes" if len(head) <= _VERSION_AT else repr(head[:16])
        raise InputError(f"{path}: expected an SQLite database, found {found}")
    return head[_VERSION_AT] == _WAL


def _has_wal(path: Path) -> bool:
    try:
        return _beside(path, "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Copy a database that a bot left behind when it died: to read it, its log has to be gone through."""
    with tempfile.TemporaryDirectory(prefix="drainwatch-") as folder:
        before = stamp(path)
        copy = Path(folder) / "copy"
        for ending in ("", "-wal"):
            shutil.copyfile(_beside(path, ending), _beside(copy, ending))
        if stamp(path) != before:
            raise InputError(f"{path}: the bot wrote while it was read; it is read again")
        yield copy


@contextmanager
def _connected(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as connection:
        connection.text_factory = bytes  # whatever a bot wrote: it need not be UTF-8
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
