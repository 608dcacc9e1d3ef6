"""Starts watches as processes of their own, as quickly as a fork: `start FILE` and `reap PID` come by stdin.

All that is slow (ccxt, the model, the compiled kernel) is loaded once, before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from drainwatch.config import load_settings
from drainwatch.rows import Fill
from drainwatch.store.sqlite import SqliteStore
from drainwatch.venues import connection
from drainwatch.venues.ccxt_table import library
from drainwatch.venues.session import Times
from drainwatch.watch.runner import Watch
from watch_lab import ENVIRON, QUICK, HastyClock

HASTE = 200.0
LEAST_S = 0.02


def watch(path: str, clock: Any = None) -> Watch:
    """Make a watch that hurries and keeps its whole journal."""
    connection.__dict__["Times"] = partial(Times, **asdict(QUICK))
    change = SqliteStore._change

    def keep_journal(self: SqliteStore, sql: str, *values: object) -> int:
        return 0 if sql.startswith("DELETE FROM journal") else change(self, sql, *values)

    SqliteStore._change = keep_journal  # type: ignore[method-assign]
    environ = {**os.environ, **ENVIRON}
    settings = load_settings(Path(path), env=environ)
    return Watch(settings, environ=environ, clock=clock or HastyClock(HASTE, LEAST_S))


def warm_up(path: str) -> None:
    """Load all that is slow; leaves a store behind that the test doesn't look at."""
    library()
    one = watch(path)
    fill = Fill(
        exchange="e", account="a", symbol="A/B", id="1", ts_ns=1, side="buy", price="1", amount="1", cost="1"
    )
    one.hub.core.add(fill, 1)
    one.hub.core.judge(10**18)
    one.close()


def main() -> None:
    """Do as told until stdin ends."""
    warm_up(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order, what = line.split()
        if order == "start":
            child = os.fork()
            if child == 0:
                logging.basicConfig(level=logging.ERROR)
                asyncio.run(watch(what).run())
                os._exit(0)
            sys.stdout.write(f"{child}\n")
        else:
            _, status = os.waitpid(int(what), 0)
            sys.stdout.write(f"{os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
