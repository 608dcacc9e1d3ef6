"""The whole watch for a day and a night of a virtual clock: nothing is lost, and memory stays flat."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import loopback
from drainwatch.lab.exchange.binance_futures import BinanceFutures
from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of
from drainwatch.notices import NoticeKind
from drainwatch.venues.clock import VirtualClock
from drainwatch.watch import backfill, hub, intake
from drainwatch.watch.runner import Watch
from watch_lab import executed, new_watch, running
from watching import FUTURES

HOUR_NS = 3_600 * 10**9
BOUND = 400_000
"""Bytes that may be added in twenty hours."""
ENVIRON = {
    "LAB_KEY": loopback.KEY, "LAB_SECRET": loopback.SECRET,
    "FUTURES_KEY": FUTURES.secrets["KEY"], "FUTURES_SECRET": FUTURES.secrets["SECRET"],
}  # fmt: skip


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


class Day:
    """A spot account and a futures account, and what happens to them.

    Parameters
    ----------
    clock
        Everybody's time.
    spot, futures
        The exchanges.
    """

    def __init__(self, clock: VirtualClock, spot: Server, futures: BinanceFutures) -> None:
        self.clock, self.spot, self.futures = clock, spot, futures
        self._chance = random.Random(4)
        self.renewed = 0
        """Listen keys that were prolonged."""
        make_key = futures.hub.make_key

        def counted(key: Any) -> str:
            self.renewed += futures.hub.listen_key(key) is not None
            return make_key(key)

        futures.hub.make_key = counted  # type: ignore[method-assign]

    async def live_on(self, hours: float, events: Mapping[int, Callable[[], None]] | None = None) -> None:
        """Let hours pass: trading, quiet at night, with connections that break; events by their minute."""
        for minute in range(int(hours * 60)):
            if 6 <= self.clock.now_ns() // HOUR_NS % 24 < 22:
                self._trade()
            self.spot.exchange.strangers("ETH/BTC", "buy", price_of("0.03"), amount_of("0.1"))
            if minute % 45 == 44:
                # a key whose stream was cut would end unheard: that is another story
                spared = bool(self.futures.faults.rates)
                futures = [] if spared else self.futures.connections
                self._chance.choice([*self.spot.connections, *futures]).cut()
            if events is not None and minute in events:
                events[minute]()
            await self.clock.advance(60.0)

    def _trade(self) -> None:
        for side, other in (("buy", "sell"), ("sell", "buy")):
            self.spot.exchange.place("house", "BTC/USDT", other, "limit", "0.001", "30000")
            self.spot.exchange.place("main", "BTC/USDT", side, "market", "0.001")
            self.futures.exchange.place("main", FUTURES.swap, side, "market", "0.001")

    def take_over(self) -> None:
        """Let another program that has the account's key delete its listen key and get a new one."""
        ((text, (key, _)),) = self.futures.hub.listen_keys.items()
        self.futures.hub.end_key(text, told=False)
        self.futures.hub.make_key(key)

    def fail(self) -> None:
        """Answer no request of the futures account any more: its listen key will expire."""
        self.futures.faults.set({Fault.SERVER_ERROR: 1.0})

    def answer(self) -> None:
        """Answer again."""
        self.futures.faults.off()


def missing(watch: Watch, day: Day) -> str:
    """Say how many fills of the accounts the journal lacks, or has too many; empty if none."""
    told = []
    hosts: tuple[tuple[str, Host[Any]], ...] = (("main", day.spot), ("futures", day.futures))
    for account, host in hosts:
        kept = [(fill.symbol, fill.id, fill.side) for fill in watch.store.fills(account=account)]
        made = {(fill.symbol, fill.id, fill.side) for fill in executed(host)}
        if len(kept) != len(made) or set(kept) != made:
            told.append(f"{account}: {len(kept)} kept of {len(made)}")
    return "; ".join(told)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_memory_stays_flat_over_a_day_and_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is remembered on purpose is full within hours, so that what grows then does it by mistake.
    monkeypatch.setattr(intake, "REMEMBERED", 100)
    monkeypatch.setattr(backfill, "MOST_TOLD", 100)
    monkeypatch.setattr(hub, "TURN_S", 30.0)
    clock = VirtualClock(time.time_ns(), pause_s=0.0005)

    async def run() -> tuple[int, int, Watch, Day, str, list[str]]:
        spot_exchange = loopback.an_exchange(clock=lambda: clock.now_ns() // 1_000_000)
        futures_exchange = FUTURES.exchange(clock=lambda: clock.now_ns() // 1_000_000)
        for exchange in (spot_exchange, futures_exchange):
            exchange.deposit("main", "USDT", 10**20)
        for side in ("buy", "sell"):
            price = "49999.9" if side == "buy" else "50000.1"
            futures_exchange.place("house", FUTURES.swap, side, "limit", 9_000, price)
        async with Server(spot_exchange) as spot, BinanceFutures(futures_exchange) as futures:
            lines = {"name": "futures", "exchange": "binanceusdm", **FUTURES.urls(futures)}
            lines |= {"key_env": "FUTURES_KEY", "secret_env": "FUTURES_SECRET"}
            account = "[[accounts]]\n" + "\n".join(f'{name} = "{value}"' for name, value in lines.items())
            watch = new_watch(
                tmp_path, spot, looks="backfill_minutes = 5", account=account, environ=ENVIRON, clock=clock
            )
            day = Day(clock, spot, futures)
            async with running(watch):
                await day.live_on(8.0, {150: day.take_over, 300: day.fail, 372: day.answer})
                before = traced()
                await day.live_on(20.0, {410: day.take_over, 700: day.fail, 772: day.answer})
                after = traced()
                await day.live_on(0.5)
                until = time.monotonic() + 120.0
                while missing(watch, day) and time.monotonic() < until:  # noqa: ASYNC110 - there is no event
                    await asyncio.sleep(0.05)
                notices = watch.store.notices()
                kinds = {NoticeKind.SESSION_LOST, NoticeKind.SILENCE}
                lost = [n.text for n in notices if n.account == "futures" and n.kind in kinds]
                return before, after, watch, day, missing(watch, day), lost

    tracemalloc.start()
    try:
        before, after, watch, day, difference, lost = asyncio.run(run())
    finally:
        tracemalloc.stop()
    assert not difference
    assert watch.hub.counts["fills"] > 3_000
    reconnects = sum(one.counts.reconnects for followed in watch.followed for one in followed.connections)
    assert reconnects >= 20
    assert day.renewed >= 100, "every ten minutes, but for those in which nothing was answered"
    # by the next renewal, or before it by a fill that the exchange lists and the stream didn't tell
    assert sum("was deleted or replaced" in text or "didn't tell of" in text for text in lost) >= 2, lost
    assert sum("expired" in text for text in lost) == 2, lost
    assert after - before < BOUND, f"{before} bytes at first, {after} after twenty hours"
