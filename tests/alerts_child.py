"""A teller and a delivery as a process of their own, to be killed: `python alerts_child.py STORE SETTINGS`.

Each line of stdin is an incident; each is answered by its id and the time, once it is in the store.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from drainwatch.alerts import send
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.delivery import Delivery
from drainwatch.alerts.teller import Teller
from drainwatch.store import open_store

TURN_S = 0.1


class SharedClock:
    """Time that goes faster, the same in every process that begins with the same `start_ns`."""

    def __init__(self, start_ns: int, speed: float) -> None:
        self.start_ns, self.speed = start_ns, speed

    def now_ns(self) -> int:
        return self.start_ns + int((time.time_ns() - self.start_ns) * self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / self.speed)


async def run(path: str, settings: dict[str, Any]) -> None:
    """Tell what comes by stdin, and deliver it."""
    clock = SharedClock(settings["start_ns"], settings["speed"])
    send.__dict__["TIMEOUT_S"] = settings["timeout_s"] / clock.speed
    channels = [Channel(**channel) for channel in settings["channels"]]
    store = open_store(Path(path))
    teller = Teller(store, channels, channels)
    teller.resume(store.incidents(), clock.now_ns())
    delivery = Delivery(store, channels, clock, aiohttp.ClientSession)

    async def remind() -> None:
        while True:
            await clock.sleep(TURN_S)
            if teller.turn(clock.now_ns()):
                delivery.wake()

    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    tasks = [asyncio.create_task(delivery.run()), asyncio.create_task(remind())]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await reader.readline():
        if line.strip() == b"waiting":
            sys.stdout.write(f"{sum(store.waiting().values())} 0\n")
        else:
            incident = json.loads(line)
            with store.transaction():
                store.save_incident(incident)
                teller.take(incident, clock.now_ns())
            sys.stdout.write(f"{incident['id']} {clock.now_ns()}\n")
            delivery.wake()
        sys.stdout.flush()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    store.close()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(run(sys.argv[1], json.loads(sys.argv[2])))
