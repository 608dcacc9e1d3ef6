"""The whole watch as a process: killed with signal 9 at chance moments, and started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import loopback
import watch_child
from drainwatch.lab.exchange.server import Server
from drainwatch.store.sqlite import SqliteStore
from watch_lab import ENVIRON, HastyClock, differences, executed, settings_text

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

    async def _ask(self, line: str) -> str:
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self._maker.stdin.write(line.encode())
        return (await self._maker.stdout.readline()).decode().strip()

    async def start(self, config: Path) -> int:
        return int(await self._ask(f"start {config}\n"))

    async def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
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
    try:
        yield Processes(maker)
    finally:
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
            await loopback.until(lambda: counted(store, "facts") >= 3, 20)  # it knows since when it watches
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
            await loopback.until(lambda: counted(store, "fills") >= len(executed(server)), 20)
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
    monkeypatch.setattr(watch_child.connection, "Times", watch_child.connection.Times)
    monkeypatch.setitem(ENVIRON, "LAB_HOOK", "")


def test_a_watch_killed_with_signal_9_loses_and_repeats_nothing(tmp_path: Path) -> None:
    check(*asyncio.run(killed(tmp_path, 10, 1)), 10)


@pytest.mark.slow
def test_a_watch_killed_fifty_times_with_signal_9_loses_and_repeats_nothing(tmp_path: Path) -> None:
    check(*asyncio.run(killed(tmp_path, 50, 2)), 50)
