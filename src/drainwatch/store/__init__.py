"""The store: fills, journal, snapshots, incidents and outbox; in a file, or on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from drainwatch.errors import ConfigError
from drainwatch.store.base import Store
from drainwatch.store.marks import Mark, Silence, State, What, state_of
from drainwatch.store.outbox import Posted, Told
from drainwatch.store.proof import JudgedBy, Judgement

__all__ = [
    "JudgedBy",
    "Judgement",
    "Mark",
    "Posted",
    "Silence",
    "State",
    "Store",
    "Told",
    "What",
    "open_store",
    "state_of",
]


def open_store(url: str | Path, *, beside: bool = False) -> Store:
    """Open a store for writing, or make it; one at a time may have it open.

    Parameters
    ----------
    url
        The path of a file, or `postgresql://USER@HOST:PORT/DATABASE`.
    beside
        Open what is there, whoever else has it open: to read, and to write marks and silences, which
        are all that the watch expects others to write.

    Raises
    ------
    ConfigError
        It is neither.
    StateError
        It can't be reached, is in use, damaged, another program's, or of another version.

    """
    scheme, found, rest = str(url).partition("://") if isinstance(url, str) else ("", "", "")
    if found and scheme in ("postgresql", "postgres"):
        from drainwatch.store.postgres import PostgresStore

        return PostgresStore(str(url), beside=beside)
    if found and scheme != "sqlite":
        raise ConfigError(
            f"store: expected the path of a file or postgresql://..., found a URL of {scheme[:20]!a}"
        )
    from drainwatch.store.sqlite import SqliteStore

    # sqlite:///relative and sqlite:////absolute, as others write it
    path = rest.removeprefix("/") if found else str(url)
    if not path or "\0" in path:
        raise ConfigError("store: expected the path of a file, found none")
    return SqliteStore(Path(path).expanduser(), beside=beside)
