"""How fast the live watch is: a burst at full speed and a steady pace, beside bare ccxt.pro.

    python benchmarks/live.py [--fills 100000] [--pace 1000] [--seconds 10]

A loopback exchange runs in this process, each consumer in one of its own: first `drainwatch watch` as a
user runs it (REST, private and public stream, SQLite, judgement), then ccxt.pro's `watch_my_trades` with
a loop around it and nothing else. The burst is made ready while the connection is paused, then sent as
fast as it is taken. Prints fills a second (wall and CPU time), lost fills and peak memory, then at a
steady pace CPU time a fill and, for drainwatch, the time from a frame's receipt (the moment at which its
bytes were read from the socket) to its verdict. Machines are noisy, the ratio is what holds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of

KEY, SECRET = "key-of-the-benchmark", "secret-of-the-benchmark"
SYMBOL = "ETH/BTC"
PATIENCE_S = 60.0
STAND_S = 300.0
"""So long a consumer may take to stand: a version's kernels are compiled once."""
WARM_UP = 500
"""Fills before anything is measured: kernels are compiled, code and connections are warm."""

Figures = dict[str, Any]


class Meter:
    """What a consumer notes of fills that reached their end."""

    def __init__(self) -> None:
        self.count = 0
        self.delays_us: list[float] = []
        self.inside_us: list[float] = []
        self._sent_ms: list[tuple[int, int]] = []

    def take(self, n: int, inside_s: float | None = None) -> None:
        """Note that so many more are through; `inside_s`: since the frame was received."""
        self.count += n
        if inside_s is not None:
            self.inside_us += [inside_s * 1e6] * n

    async def expect(self, n: int) -> None:
        """Wait until so many more than now have come, or nothing comes any more."""
        until, last, since = self.count + n, self.count, time.monotonic()
        while self.count < until:
            await asyncio.sleep(0.002)
            if self.count != last:
                last, since = self.count, time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                return


async def drainwatch(urls: dict[str, str], meter: Meter, stand: Callable[[], None]) -> None:
    """Watch as a user does."""
    from drainwatch.config import load_settings
    from drainwatch.watch.health import Latency
    from drainwatch.watch.runner import Watch

    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "settings.toml")
        settings.write_text(  # noqa: ASYNC240 - nothing runs yet
            f'[watch]\nstore = "sqlite:///{folder}/store.db"\n'
            '[[accounts]]\nname = "main"\nexchange = "binance"\nkey_env = "K"\nsecret_env = "S"\n'
            "allow_trading_key = true\nallow_withdrawal_key = true\n"
            + "".join(f'url_{name} = "{url}"\n' for name, url in urls.items())
        )
        watch = Watch(load_settings(settings, env={}), environ={"K": KEY, "S": SECRET})

        class Noted(Latency):
            def add(self, seconds: float, count: int = 1) -> None:
                super().add(seconds, count)
                meter.take(count, seconds)

        watch.hub.judging = Noted()
        running = asyncio.create_task(watch.run())
        while watch.hub.failing is None and watch.store.value("known until/main") is None:  # noqa: ASYNC110 - told nowhere
            await asyncio.sleep(0.05)
        stand()
        try:
            await running
        finally:
            running.cancel()


async def ccxt(urls: dict[str, str], meter: Meter, stand: Callable[[], None]) -> None:
    """Wait for own trades, as ccxt's users do."""
    from ccxt import pro  # type: ignore[import-untyped]

    exchange = pro.binance(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "urls": urls,
            "newUpdates": True,
            "options": {
                "tradesLimit": 200_000, "ordersLimit": 200_000, "fetchMargins": False,
                "fetchCurrencies": False, "fetchMarkets": {"types": ["spot"]},
            },
        }
    )  # fmt: skip
    try:
        await exchange.load_markets()
        waiting = asyncio.ensure_future(exchange.watch_my_trades())
        await asyncio.sleep(2.0)
        stand()
        while True:
            meter.take(len(await waiting))
            waiting = asyncio.ensure_future(exchange.watch_my_trades())
    finally:
        await exchange.close()


async def consume(consumer: Callable[..., Any], urls: Any, pipe: Connection) -> None:
    """Run a consumer, and answer the exchange's questions of what it has."""
    meter = Meter()
    ready = asyncio.Event()
    running = asyncio.create_task(consumer(urls, meter, ready.set))
    loop = asyncio.get_running_loop()
    standing = asyncio.create_task(ready.wait())
    await asyncio.wait({running, standing}, timeout=STAND_S, return_when=asyncio.FIRST_COMPLETED)
    if not ready.is_set():
        running.cancel()
        await running  # says why
    pipe.send("ready")
    while True:
        asked = await loop.run_in_executor(None, pipe.recv)
        if asked is None:
            break
        before, cpu = meter.count, time.process_time()
        meter.inside_us.clear()
        waiting = asyncio.create_task(meter.expect(asked))
        await asyncio.sleep(0)
        pipe.send("go")
        await waiting
        pipe.send(
            {
                "ended": time.monotonic(),
                "came": meter.count - before,
                "cpu_s": time.process_time() - cpu,
                "inside_us": sorted(meter.inside_us),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def process(name: str, urls: Any, pipe: Connection) -> None:
    """Be a consumer's process."""
    asyncio.run(consume({"drainwatch": drainwatch, "ccxt.pro": ccxt}[name], urls, pipe))


class Consumer:
    """A consumer's process, seen from the exchange."""

    def __init__(self, name: str, urls: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=process, args=(name, urls, theirs), daemon=True)
        self._process.start()

    async def told(self) -> Any:
        """What it says next."""
        async with asyncio.timeout(STAND_S + PATIENCE_S):
            while not self._pipe.poll():
                if not self._process.is_alive():
                    raise SystemExit("a consumer's process ended before its time")
                await asyncio.sleep(0.001)
        return self._pipe.recv()

    async def ask(self, n: int) -> None:
        """Ask it to tell when it has so many fills more."""
        self._pipe.send(n)
        await self.told()

    def end(self) -> None:
        """End it."""
        self._pipe.send(None)
        self._process.join(20)
        self._process.kill()


async def measure(name: str, fills: int, pace: int, seconds: float) -> tuple[Figures, Figures]:
    """Give what came of the burst, and of the steady pace."""
    exchange = Exchange([Listing("ETH", "BTC", price_of("0.00001"), amount_of("0.0001"))])
    exchange.open_account("main", {"ETH": 1000, "BTC": 100})
    exchange.add_key("main", KEY, secret=SECRET)
    exchange.place("house", SYMBOL, "buy", "limit", 5, "0.0299")
    exchange.place("house", SYMBOL, "sell", "limit", 5, "0.0301")
    exchange.strangers(SYMBOL, "buy", price_of("0.03"), amount_of("1"))
    async with Server(exchange) as server:
        own = {"rest": server.url, "private": server.ws_api_url, "public": f"{server.ws_url}/stream"}
        consumer = Consumer(name, own if name == "drainwatch" else server.ccxt_urls())
        try:
            await consumer.told()
            await consumer.ask(WARM_UP)
            await exchange.burst("main", WARM_UP, SYMBOL, rate=200.0)
            await consumer.told()
            private = [one for one in server.connections if one.kind == "api"]
            for connection in private:
                connection.pause()
            await exchange.burst("main", fills, SYMBOL)
            await consumer.ask(fills)
            began = time.monotonic()
            for connection in private:
                connection.resume()
            burst = await consumer.told()
            burst["seconds"] = burst["ended"] - began
            await consumer.ask(int(pace * seconds))
            await exchange.burst("main", int(pace * seconds), SYMBOL, rate=float(pace))
            paced = await consumer.told()
        finally:
            consumer.end()
    return burst, paced


def of(ranked: list[float], share: float) -> str:
    """A quantile of what is ranked; a dash where there is none."""
    return f"{ranked[min(int(share * len(ranked)), len(ranked) - 1)] / 1000:.3f}" if ranked else "-"


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fills", type=int, default=100_000)
    parser.add_argument("--pace", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--of", nargs="+", default=["drainwatch", "ccxt.pro"], help="Whom to measure.")
    given = parser.parse_args()
    print(f"{'':12} {'burst':>8} {'lost':>6} {'fills/s':>9} {'fills/CPU s':>12} {'peak MB':>8}"
          f" {'paced':>7} {'lost':>6} {'us CPU a fill':>14} {'p50 ms':>8} {'p99 ms':>8}")  # fmt: skip
    rates = {}
    for name in given.of:
        burst, paced = await measure(name, given.fills, given.pace, given.seconds)
        n_paced = int(given.pace * given.seconds)
        rates[name] = burst["came"] / burst["cpu_s"]
        print(f"{name:12} {given.fills:8,} {given.fills - burst['came']:6,}"
              f" {burst['came'] / burst['seconds']:9,.0f} {rates[name]:12,.0f} {burst['peak_mb']:8,.0f}"
              f" {n_paced:7,} {n_paced - paced['came']:6,} {1e6 * paced['cpu_s'] / n_paced:14,.0f}"
              f" {of(paced['inside_us'], 0.5):>8} {of(paced['inside_us'], 0.99):>8}")  # fmt: skip
        sys.stdout.flush()
    if len(rates) > 1:
        ratio = rates["drainwatch"] / rates["ccxt.pro"]
        print(
            f"drainwatch takes and judges {ratio:.1f} times the fills a CPU second that ccxt.pro only takes."
        )
    print("p50 and p99: from the read of a frame's bytes to the verdict, by the wall clock.")


if __name__ == "__main__":
    asyncio.run(main())
