"""Checkpoints of the SQLite file in a thread of their own: the watch never waits for the disk.

SQLite moves its log into the file now and then, flushing both; by itself inside some commit, which then
takes tens of milliseconds instead of tens of microseconds. Here a second connection does it, beside the
writer, who isn't held up by it. While writes never cease, that can't reach the log's end, so the log
would grow for ever: then the writer is asked for the short rest.

A log that was moved whole is begun anew by the next commit, which must flush its new head: some
milliseconds for a fill that came alone. So a short log is only flushed here, which keeps what a loss
of power can cost as small, and moved when it has grown.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

PERIOD_S: Final = 0.5
SHORT_LOG_BYTES: Final = 4 << 20
"""A log up to this is flushed, not moved; and to this its file is cut when it begins anew."""
LONGEST_LOG: Final = 16_000
"""Pages (of 4 KiB) in the log from which on the writer must help."""


class Checkpoints:
    """Moves the log of one SQLite file into the file, as long as it isn't closed.

    `written` is set by the writer after commits; `wants_help` tells it that the log is long, or that
    moving it failed: it should run one itself, and see why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drainwatch-checkpoints", daemon=True)
        self.written = False
        self.wants_help = False
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            if not self.written:
                continue
            self.written = False
            try:
                if self._log.stat().st_size > SHORT_LOG_BYTES:
                    self._move()
                else:
                    self._flush()
            except (sqlite3.Error, OSError):
                self.wants_help = True

    def _flush(self) -> None:
        log = os.open(self._log, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        try:
            os.fsync(log)
        finally:
            os.close(log)

    def _move(self) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=0.0)) as database:
            # of the pages that were in the log at the start; what came meanwhile isn't told
            _, pages, _ = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages > LONGEST_LOG:
            self.wants_help = True

    def close(self) -> None:
        """Stop, after what is under way."""
        self._stop.set()
        self._thread.join()
