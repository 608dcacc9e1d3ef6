"""The whole watch, killed with signal 9 at chance moments and started again."""

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
from typing import Any, Self

import pytest
from aiohttp import web

import loopback
import watch_child
from drainwatch.lab.exchange.server import Server
from drainwatch.store.sqlite import SqliteStore
from drainwatch.venues import connection
from drainwatch.venues.session import Times
from watch_lab import (
    ENVIRON,
    HastyClock,
    differences,
    executed,
    settings_text,
)

TESTS = Path(__file__).parent
KILLS = 200


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


def config(
    folder: Path, name: str, hook: str, server: Server | None = None, looks: str = "snapshot_minutes = 1"
) -> Path:
    """Write settings of a watch with a store and a webhook of its own; the exchange may be none."""
    made = folder / f"{name}.toml"
    text = settings_text(
        server or Server(loopback.an_exchange()),
        f"sqlite:///{folder}/{name}.db",
        f"backfill_minutes = 60\n{looks}",
    )
    ENVIRON["LAB_HOOK"] = hook
    made.write_text(text + '\n[[channels]]\nname = "owner"\nkind = "webhook"\nurl_env = "LAB_HOOK"\n')
    return made


class Thief:
    """How often the thief may have sold by now."""

    may_sell = 0


async def trade_on(server: Server, thief: Thief, pause_s: float = 0.02) -> None:
    """Let the owner trade, and the thief sell to himself at half the price as often as he may."""
    exchange = server.exchange
    sold = 0
    while True:
        for side in ("buy", "sell"):
            exchange.place("house", "BTC/USDT", "sell" if side == "buy" else "buy", "limit", "0.001", "30000")
            exchange.place("main", "BTC/USDT", side, "market", "0.001")
        if sold < thief.may_sell:
            exchange.place("other", "ETH/BTC", "buy", "limit", "0.5", "0.015")
            exchange.place("main", "ETH/BTC", "sell", "limit", "0.5", "0.015")
            sold += 1
        await asyncio.sleep(pause_s)


def counted(path: Path, table: str) -> int:
    """Count rows of a store that somebody else writes to; a condition may follow the table."""
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
            thief = Thief()
            trading = asyncio.create_task(trade_on(server, thief))
            for number in range(kills):
                if number >= kills // 3:
                    thief.may_sell = 18
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


# --- the command itself -------------------------------------------------------------------------------

SNAPSHOT_S = 6.0
LOOKS = f"snapshot_minutes = {SNAPSHOT_S / 60.0}\nwhole_journal = true"


class Command:
    """`drainwatch watch`, as somebody starts it; its log goes to a file."""

    def __init__(self, path: Path, server: Server, log: Path) -> None:
        self._path, self._server, self._log = path, server, log
        self.process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let it not outlive the test."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def start(self) -> None:
        """Start it, and don't wait for anything."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "drainwatch", "watch", "--config", str(self._path),
                env={**os.environ, **ENVIRON}, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip

    @property
    def hears(self) -> bool:
        """Whether it has subscribed to the account's events."""
        return any(connection.subscriptions for connection in self._server.connections)

    async def begins(self) -> None:
        """Wait until it says that it watches; it makes its first state so long after that."""
        assert self.process.stdout is not None
        assert await self.process.stdout.readline(), "it ended before it watched"

    async def kill(self) -> None:
        """Kill it, wherever it is."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.communicate()
        await loopback.until(lambda: not self.hears)


async def kill_somewhere(command: Command, chance: random.Random, took_s: float) -> str:
    """Kill a command that has just been started, at a chance moment; say where it was."""
    where = chance.choices(["anywhere", "ending", "snapshot"], [6, 3, 1])[0]
    if where == "anywhere":
        await asyncio.sleep(chance.uniform(0.0, 1.7 * took_s))
        where = "watching" if command.hears else "starting"
    else:
        await command.begins()
        if where == "ending":
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            command.process.terminate()
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            where = "ending" if command.process.returncode is None else "ended"
        else:
            await asyncio.sleep(SNAPSHOT_S + chance.uniform(-0.1, 0.4))
    await command.kill()
    assert command.process.returncode == (0 if where == "ended" else -signal.SIGKILL)
    return where


async def killed_command(
    folder: Path, kills: int, seed: int
) -> tuple[list[Any], Receiver, Path, Counter[str]]:
    """Kill the command again and again while the account trades; give what was executed, and where it was."""
    chance, where, thief = random.Random(seed), Counter[str](), Thief()
    async with (
        receiving() as hook,
        Server(loopback.an_exchange()) as server,
        contextlib.AsyncExitStack() as open_,  # ends the command, whatever happens
    ):
        server.exchange.deposit("main", "USDT", 10**20)
        path, store = config(folder, "watch", hook.url, server, LOOKS), folder / "watch.db"
        command = await open_.enter_async_context(Command(path, server, folder / "watch.log"))
        for _ in range(3):  # of what was before it had first watched, nothing is promised
            await command.start()
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            await command.kill()
        took_s = 0.0
        for _ in range(2):  # the first may have to compile
            await command.start()
            began = time.monotonic()
            await loopback.until(lambda: command.hears and counted(store, "facts") >= 3, 300)
            took_s = time.monotonic() - began
            await command.kill()
        await command.start()
        trading = asyncio.create_task(trade_on(server, thief, 0.1))
        for number in range(kills):
            thief.may_sell = max(0, number - kills // 4) // 6  # some are heard, others are found later
            where[await kill_somewhere(command, chance, took_s)] += 1
            await asyncio.sleep(chance.uniform(0.0, 0.05))
            await command.start()
        trading.cancel()
        await asyncio.wait([trading])
        await loopback.until(lambda: counted(store, "fills") >= len(executed(server)), 120)
        # a snapshot of all says that all is judged and posted
        await loopback.until(
            lambda: not counted(store, "journal WHERE number > (SELECT MAX(number) FROM snapshots)"), 120
        )
        await loopback.until(lambda: not counted(store, "outbox WHERE state = 0"), 120)
        command.process.terminate()
        await command.process.communicate()
        assert command.process.returncode == 0
        assert "Traceback" not in (folder / "watch.log").read_text()
        return executed(server), hook, path, where


@pytest.mark.slow
@pytest.mark.timeout(5_400)
def test_the_command_killed_200_times_with_signal_9_loses_and_repeats_nothing(tmp_path: Path) -> None:
    done, hook, path, where = asyncio.run(killed_command(tmp_path, KILLS, 3))
    check(done, hook, path, KILLS)
    assert where.total() == KILLS
    assert {"starting", "watching", "ending", "snapshot"} <= where.keys(), where
