"""Clocks: the system's, and one that a test moves by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time

_NS = 1_000_000_000


class SystemClock:
    """The computer's own time."""

    def now_ns(self) -> int:
        """Wall-clock time, ns since the epoch."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait; not at all for 0 or less, but others get their turn."""
        await asyncio.sleep(max(seconds, 0.0))


class VirtualClock:
    """Time that stands still until `advance` moves it, so that a day passes in a minute.

    Whoever sleeps wakes in the order of his time, and those of one moment in the order in which they
    went to sleep. Between two moments everybody gets `turns` turns of the event loop, which is also when
    sockets are read: enough for a message to go to a server on loopback and back.

    Parameters
    ----------
    start_ns
        What time it is at first, ns since the epoch.
    turns
        Turns of the event loop that everybody gets at each moment.
    pause_s
        Real seconds to wait at each moment besides, for work in threads or in other processes.
    """

    def __init__(
        self, start_ns: int = 1_750_000_000_000_000_000, *, turns: int = 20, pause_s: float = 0.0
    ) -> None:
        self._now_ns = start_ns
        self._turns = turns
        self._pause_s = pause_s
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        """Virtual time, ns since the epoch."""
        return self._now_ns

    @property
    def sleeping(self) -> int:
        """How many sleep."""
        return sum(not waker.done() for _, _, waker in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until time has been moved that far; 0 or less only gives others their turn."""
        if seconds <= 0.0:
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_ns + round(seconds * _NS), next(self._order), waker))
        await waker

    async def advance(self, seconds: float) -> None:
        """Move time and wake everybody whose time comes, also those who go back to sleep meanwhile."""
        if seconds < 0.0:
            raise ValueError(f"time goes forward only, was to go {seconds} s")
        until_ns = self._now_ns + round(seconds * _NS)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= until_ns:
            wake_ns, _, waker = heapq.heappop(self._sleepers)
            if waker.done():  # cancelled in its sleep
                continue
            self._now_ns = max(wake_ns, self._now_ns)
            waker.set_result(None)
            if not self._sleepers or self._sleepers[0][0] > wake_ns:
                await self._settle()
        self._now_ns = until_ns

    async def _settle(self) -> None:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        if self._pause_s:
            await asyncio.sleep(self._pause_s)
