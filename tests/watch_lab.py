"""A real watch of a loopback exchange, hurried, and what came of it against what was executed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import loopback
from drainwatch.config import load_settings
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.server import Server
from drainwatch.rows import Fill
from drainwatch.venues import ccxt_stream, ccxt_table, connection, rest
from drainwatch.venues.ccxt_stream import Pace
from drainwatch.venues.session import Times
from drainwatch.watch import backfill
from drainwatch.watch.runner import Watch

HASTE = 20.0
"""How much faster the watch waits than it would."""
QUICK = Times(
    patience_s=10.0, ping_s=0.4, pong_s=0.6, close_s=0.2, first_retry_s=0.1, last_retry_s=1.0, steady_s=0.0,
    refused_retry_s=1.0,
)  # fmt: skip
PACE = Pace(quiet_s=40.0, retry_most_s=10.0)
"""Of a stream through ccxt, whose waits a hasty clock shortens; two seconds of silence end it, then."""
ENVIRON = {"LAB_KEY": loopback.KEY, "LAB_SECRET": loopback.SECRET}

Exact = tuple[str, ...]


class HastyClock:
    """The right time, but no patience."""

    def __init__(self, haste: float = HASTE, least_s: float = 0.0) -> None:
        self._haste, self._least_s = haste, least_s

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds / self._haste, min(seconds, self._least_s), 0.0))


def settings_text(
    server: Server, store: str, looks: str = "backfill_minutes = 60", more: str = "", account: str = ""
) -> str:
    """Settings of a watch of the loopback exchange's account `main`."""
    return f"""
[watch]
store = "{store}"
{looks}
{more}
[[accounts]]
name = "main"
exchange = "binance"
key_env = "LAB_KEY"
secret_env = "LAB_SECRET"
url_rest = "{server.url}"
url_private = "{server.ws_api_url}"
url_public = "{server.ws_url}/stream"
allow_trading_key = true
{account}
"""


def new_watch(
    folder: Path,
    server: Server,
    *,
    store: str = "",
    looks: str = "backfill_minutes = 60",
    more: str = "",
    account: str = "",
    environ: Mapping[str, str] = ENVIRON,
    clock: Any = None,
) -> Watch:
    """Make a watch, hurried unless it is given a clock."""
    path = folder / "watch.toml"
    store = store or f"sqlite:///{folder}/watch.db"
    path.write_text(settings_text(server, store, looks, more, account))
    return Watch(load_settings(path, env=environ), environ=environ, clock=clock or HastyClock())


@contextlib.asynccontextmanager
async def running(watch: Watch) -> AsyncIterator[Watch]:
    """Let a watch run; whatever ends it before the end ends the test."""
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(60):
            while not stands(watch):
                await asyncio.sleep(0.02)
                if task.done():
                    await task
        yield watch
        if task.done():
            await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def stands(watch: Watch) -> bool:
    """Whether the watch hears its account, and has looked at what it holds."""
    return all(
        followed.streams()
        and all(stream.connected for stream in followed.streams())
        and watch.store.value(f"balances/{followed.name}") is not None
        for followed in watch.followed
    )


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections be given up and made anew quickly, requests not be spared, what lasts be told soon."""

    def unthrottled(*args: Any, **settings: Any) -> Any:
        made = ccxt_table.make(*args, **settings)
        made.enableRateLimit = False  # a fifth of a second a page, for limits that the loopback doesn't have
        return made

    monkeypatch.setattr(rest, "make", unthrottled)
    monkeypatch.setattr(connection, "Times", lambda: QUICK)
    monkeypatch.setattr(ccxt_stream, "Pace", lambda: PACE)
    monkeypatch.setattr(backfill, "TOLD_AFTER_S", 10.0 / HASTE)


def exact(fill: Fill) -> Exact:
    """Give all that both the stream and the venue's list tell of a fill, as text."""
    return tuple(
        str(part)
        for part in (
            *fill.key, fill.ts_ns, fill.price, fill.amount, fill.cost, fill.taker_or_maker, fill.fee_cost,
            fill.fee_currency,
        )
    )  # fmt: skip


def differences(fills: Iterable[Fill], executed: Iterable[Fill]) -> str:
    """Say how the journal differs from what was executed; empty if it doesn't."""
    kept, made = [exact(fill) for fill in fills], [exact(fill) for fill in executed]
    missing, invented = set(made) - set(kept), set(kept) - set(made)
    told = [
        f"{name}: {len(found)}, such as {sorted(found)[:3]}"
        for name, found in (("missing", missing), ("not executed", invented))
        if found
    ]
    if len(kept) != len(set(kept)):
        told.append(f"twice: {len(kept) - len(set(kept))}")
    return "; ".join(told)


def executed(server: Host[Any], account: str = "main") -> list[Fill]:
    """Give what an account executed, as rows."""
    return [execution.fill("binance") for execution in server.exchange.executed(account)]


async def settled(watch: Watch, server: Server, account: str = "main", seconds: float = 120.0) -> str:
    """Wait until the journal is what was executed; say how it differs after that long."""
    until = time.monotonic() + seconds
    while True:
        count = watch.store._read("i", "SELECT COUNT(*) FROM fills")[0][0]
        if count >= len(server.exchange.executed(account)) or time.monotonic() > until:
            break
        await asyncio.sleep(0.05)
    return differences(watch.store.fills(account=account), executed(server, account))
