"""A process that tells and delivers, and is killed now and then. Tests and the benchmark share it."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from alerts_child import SharedClock
from chat_services import Service
from report_fakes import incident

CHILD = Path(__file__).with_name("alerts_child.py")
S = 1_000_000_000


def numbered(number: int, severity: str, **changes: Any) -> dict[str, Any]:
    """One of many incidents; its account tells which."""
    made = {"id": f"i{number}", "account": account_of(number), "severity": severity}
    return incident(**made | {"equity_share": None, "loss": 1.0 + number} | changes)


def account_of(number: int) -> str:
    """Give the account by which a chat's reader knows an incident."""
    return f"account{number:06}end"


def percentile(share: float, values: Sequence[float]) -> float:
    """Give the value that such a share of all doesn't exceed."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def latencies_s(services: Sequence[Service], posted_ns: dict[str, int]) -> dict[str, list[float]]:
    """Seconds from posting to showing, by service, and for whichever was first, of those shown."""
    found: dict[str, list[float]] = {"first": []}
    for account, at_ns in posted_ns.items():
        times = {}
        for service in services:
            shown = next((one.at_ns for one in service.shown if account in one.versions[0]), None)
            if shown is not None:
                times[service.kind] = shown
                found.setdefault(service.kind, []).append((shown - at_ns) / S)
        if times:
            found["first"].append((min(times.values()) - at_ns) / S)
    return found


class Process:
    """The child, and what it was told."""

    def __init__(
        self, store: Path, clock: SharedClock, services: Sequence[Service], timeout_s: float
    ) -> None:
        self._settings = {
            "start_ns": clock.start_ns,
            "speed": clock.speed,
            "timeout_s": timeout_s,
            "channels": [msgspec.to_builtins(service.channel) for service in services],
        }
        self._store = store
        self._child: asyncio.subprocess.Process | None = None
        self.posted_ns: dict[str, int] = {}
        """When each account's incident was first kept."""

    async def start(self) -> None:
        """Start it; returns when it delivers."""
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, str(CHILD), str(self._store), json.dumps(self._settings),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._child.stdout is not None
        assert await self._child.stdout.readline() == b"ready\n"

    async def ask(self, line: bytes) -> list[str]:
        """Say a line; gives the answer."""
        assert self._child is not None
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(line + b"\n")
        return (await self._child.stdout.readline()).decode().split()

    async def tell(self, made: dict[str, Any]) -> None:
        """Tell of an incident; returns when it is in the store."""
        answer = await self.ask(json.dumps(made).encode())
        assert answer[0] == made["id"]
        self.posted_ns.setdefault(made["account"], int(answer[1]))

    async def drained(self, limit_s: float) -> None:
        """Wait until nothing waits any more."""
        async with asyncio.timeout(limit_s):
            while (await self.ask(b"waiting"))[0] != "0":  # noqa: ASYNC110 another process
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """End it with signal 9."""
        assert self._child is not None
        self._child.kill()
        await self._child.wait()

    async def end(self) -> None:
        """Let it end by itself, if it still runs."""
        assert self._child is not None
        if self._child.returncode is None:
            assert self._child.stdin is not None
            self._child.stdin.close()
            await self._child.wait()


async def killed(
    process: Process, clock: SharedClock, *, incidents: int, kills: int, every_s: float, seed: int
) -> None:
    """Have incidents come at chance moments, and kill the process at others."""
    chance = random.Random(seed)
    cuts = set(chance.sample(range(incidents), kills))
    await process.start()
    try:
        for number in range(incidents):
            await clock.sleep(chance.expovariate(1 / every_s))
            severity = "critical" if chance.random() < 0.5 else "warning"
            await process.tell(numbered(number, severity))
            if number in cuts:
                await asyncio.sleep(chance.uniform(0.0, 0.06))
                await process.kill()
                await process.start()
    except BaseException:
        await process.kill()
        raise
