"""The whole watch: killed with signal 9 at chance moments and started again, and for a day and a night."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import signal
import sqlite3
import sys
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import loopback
import watch_child
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of
from drainwatch.store.sqlite import SqliteStore
from drainwatch.venues import connection
from drainwatch.venues.clock import VirtualClock
from drainwatch.venues.session import Times
from drainwatch.watch import backfill, hub, intake
from drainwatch.watch.runner import Watch
from watch_lab import (
    ENVIRON,
    HastyClock,
    differences,
    executed,
    new_watch,
    running,
    settings_text,
    settled,
)

TESTS = Path(__file__).parent


class Receiver:
    """A webhook: what it was sent, by key."""

    def __init__(self) -> None:
        self.bodies: defaultdict[str, list[bytes]] = defaultdict(list)
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.bodies[request.headers["Idempotency-Key"]].append(await request.read())
        return web.Response()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Have a webhook on this machine."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Processes:
    """Starts and kills watches."""

    def __init__(self, maker: asyncio.subprocess.Process) -> None:
        self._maker = maker
        self._alive: set[int] = set()

    async def _ask(self, line: str) -> str:
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self._maker.stdin.write(line.encode())
        return (await self._maker.stdout.readline()).decode().strip()

    async def start(self, config: Path) -> int:
        pid = int(await self._ask(f"start {config}\n"))
        self._alive.add(pid)
        return pid

    def end(self) -> None:
        """Let none outlive the test: it would hold the pipes open, and waiting would never end."""
        for pid in self._alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self._alive.discard(pid)
        assert await self._ask(f"reap {pid}\n") == str(int(signal.SIGKILL)), "it had ended by itself"


@contextlib.asynccontextmanager
async def processes(folder: Path, url: str) -> AsyncIterator[Processes]:
    """Give what starts watches."""
    path = config(folder, "warm", url)
    maker = await asyncio.create_subprocess_exec(
        sys.executable, str(TESTS / "watch_child.py"), str(path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **ENVIRON, "LAB_HOOK": url},
    )  # fmt: skip
    assert maker.stdout is not None
    assert await maker.stdout.readline() == b"ready\n"
    made = Processes(maker)
    try:
        yield made
    finally:
        made.end()
        assert maker.stdin is not None
        maker.stdin.close()
        await maker.wait()


def config(folder: Path, name: str, hook: str, server: Server | None = None) -> Path:
    """Write settings of a watch with a store and a webhook of its own; the exchange may be none."""
    made = folder / f"{name}.toml"
    text = settings_text(server or Server(loopback.an_exchange()), f"sqlite:///{folder}/{name}.db")
    ENVIRON["LAB_HOOK"] = hook
    text = text.replace("backfill_minutes = 60", "backfill_minutes = 60\nsnapshot_minutes = 1")
    made.write_text(text + '\n[[channels]]\nname = "owner"\nkind = "webhook"\nurl_env = "LAB_HOOK"\n')
    return made


async def trade_on(server: Server, thief: asyncio.Event) -> None:
    """Let the owner trade, and once the thief has come, let him sell to himself at half the price."""
    exchange = server.exchange
    sold = 0
    while True:
        for side in ("buy", "sell"):
            exchange.place("house", "BTC/USDT", "sell" if side == "buy" else "buy", "limit", "0.001", "30000")
            exchange.place("main", "BTC/USDT", side, "market", "0.001")
        if thief.is_set() and sold < 18:
            exchange.place("other", "ETH/BTC", "buy", "limit", "0.5", "0.015")
            exchange.place("main", "ETH/BTC", "sell", "limit", "0.5", "0.015")
            sold += 1
        await asyncio.sleep(0.02)


def counted(path: Path, table: str) -> int:
    """Count rows of a store that somebody else writes to."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608
    except sqlite3.Error:
        return 0


async def killed(folder: Path, kills: int, seed: int) -> tuple[list[Any], Receiver, Path]:
    """Kill a watch again and again while the account trades; give what was executed."""
    chance = random.Random(seed)
    async with receiving() as hook, Server(loopback.an_exchange()) as server:
        server.exchange.deposit("main", "USDT", 10**20)
        path, store = config(folder, "watch", hook.url, server), folder / "watch.db"
        async with processes(folder, hook.url) as made:
            pid = await made.start(path)
            await loopback.until(lambda: counted(store, "facts") >= 3, 60)  # it knows since when it watches
            thief = asyncio.Event()
            trading = asyncio.create_task(trade_on(server, thief))
            for number in range(kills):
                if number >= kills // 3:
                    thief.set()
                await asyncio.sleep(chance.uniform(0.0, 0.8))
                await made.kill(pid)
                await asyncio.sleep(chance.uniform(0.0, 0.05))
                pid = await made.start(path)
            await asyncio.sleep(1.0)
            trading.cancel()
            await asyncio.wait([trading])
            await loopback.until(lambda: counted(store, "fills") >= len(executed(server)), 60)
            await asyncio.sleep(1.0)  # for what is to be told of it
            await made.kill(pid)
        return executed(server), hook, path


def check(done: list[Any], hook: Receiver, path: Path, kills: int) -> None:
    """Hold what the store has against the exchange, and against an uninterrupted run over its journal."""
    watch = watch_child.watch(str(path), HastyClock())
    store = watch.store
    assert not differences(store.fills(), done)
    whole_path = config(path.parent, "whole", hook.url)
    whole = watch_child.watch(str(whole_path), HastyClock())
    for _, entry in store.entries():
        whole.store.append(entry)
    assert store.snapshots(), "or nothing of them was tried"
    now_ns = time.time_ns()
    for one in (watch, whole):
        one.hub.resume()
        one.hub.core.judge(now_ns)
    assert watch.hub.core.state() == whole.hub.core.state()
    incidents = [json.dumps(one, sort_keys=True) for one in store.incidents()]
    assert incidents == [json.dumps(one, sort_keys=True) for one in whole.store.incidents()]
    assert incidents, "the thief was not seen"
    opened = Counter(key.split("/")[0] for key in hook.bodies if "/opened/" in key)
    assert opened == Counter(one["id"] for one in store.incidents())
    for key, bodies in hook.bodies.items():
        assert len(set(bodies)) == 1, f"{key} says different things"
        assert len(bodies) <= 1 + kills
    watch.close()
    whole.close()


@pytest.fixture(autouse=True)
def _own_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteStore, "_change", SqliteStore._change)
    monkeypatch.setattr(connection, "Times", Times)
    monkeypatch.setitem(ENVIRON, "LAB_HOOK", "")


@pytest.mark.slow  # in the usual run stores that fail at any instant stand for it (test_watch_core)
def test_a_watch_killed_fifty_times_with_signal_9_loses_and_repeats_nothing(tmp_path: Path) -> None:
    check(*asyncio.run(killed(tmp_path, 50, 2)), 50)


# --- a day --------------------------------------------------------------------------------------------

HOUR_S = 3_600.0
BOUND = 400_000
"""Bytes that may be added in twenty hours."""


def traced() -> int:
    """Give the memory that the watch's own code holds, in bytes."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot()
    own = [
        tracemalloc.Filter(True, f"*/{part}/*")
        for part in ("drainwatch", "websockets", "ccxt", "aiohttp", "asyncio")
    ]
    lab = tracemalloc.Filter(False, "*/lab/*")
    filtered = snapshot.filter_traces(own).filter_traces([lab])
    return sum(trace.size for trace in filtered.traces)


async def live_on(clock: VirtualClock, server: Server, hours: float, rng: random.Random) -> None:
    """Let hours pass: trading, quiet at night, with connections that break."""
    exchange = server.exchange
    for minute in range(int(hours * 60)):
        hour = clock.now_ns() // (3_600 * 10**9) % 24
        if 6 <= hour < 22:
            for side, other in (("buy", "sell"), ("sell", "buy")):
                exchange.place("house", "BTC/USDT", other, "limit", "0.001", "30000")
                exchange.place("main", "BTC/USDT", side, "market", "0.001")
        exchange.strangers("ETH/BTC", "buy", price_of("0.03"), amount_of("0.1"))
        if minute % 45 == 44:
            rng.choice(server.connections or [None]).cut()  # type: ignore[union-attr]
        await clock.advance(60.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_stays_flat_over_a_day_and_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is remembered on purpose is full within hours, so that what grows then does it by mistake.
    monkeypatch.setattr(intake, "REMEMBERED", 100)
    monkeypatch.setattr(backfill, "MOST_TOLD", 100)
    monkeypatch.setattr(hub, "TURN_S", 30.0)
    clock = VirtualClock(time.time_ns(), pause_s=0.0005)
    rng = random.Random(4)

    async def run() -> tuple[int, int, Watch, str]:
        exchange = loopback.an_exchange(clock=lambda: clock.now_ns() // 1_000_000)
        exchange.deposit("main", "USDT", 10**20)
        async with Server(exchange) as server:
            watch = new_watch(tmp_path, server, looks="backfill_minutes = 5", clock=clock)
            async with running(watch):
                await live_on(clock, server, 8.0, rng)
                before = traced()
                await live_on(clock, server, 20.0, rng)
                after = traced()
                await live_on(clock, server, 0.5, rng)
                return before, after, watch, await settled(watch, server)

    tracemalloc.start()
    try:
        before, after, watch, difference = asyncio.run(run())
    finally:
        tracemalloc.stop()
    assert not difference
    assert watch.hub.counts["fills"] > 1_500
    reconnects = sum(one.counts.reconnects for one in watch.followed[0].connections)
    assert reconnects >= 20
    assert after - before < BOUND, f"{before} bytes at first, {after} after twenty hours"
