"""How long a critical alert takes from verdict to chat, while thousands of warnings wait.

    python benchmarks/alerts.py [--criticals 60] [--warnings 5000] [--every 4.0] [--kills 8]

Slack, Discord and Telegram are servers on this machine that keep to their documented limits (one message
a second; five in two seconds and thirty a minute; one a second and twenty a minute). Three runs in real
time: services that work; services that answer 15 % of all requests by 429, 500, a reset or not at all
(half of the last two after taking the message); and the same with the delivering process killed with
signal 9. Prints p50, p99 and the worst, in seconds, for whichever chat was first and for each; what came
as a message of its own; and what is there twice, which must be marked as such.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import chat_services
from alerts_child import SharedClock
from alerts_trial import Process, account_of, latencies_s, numbered, percentile
from chat_services import Discord, Service, Slack, Telegram


async def run(options: argparse.Namespace, *, faults: float, kills: int) -> None:
    """Run once, and print what it gave."""
    clock = SharedClock(time.time_ns(), 1.0)
    services: Sequence[Service] = [Slack(clock), Discord(clock), Telegram(clock)]
    with tempfile.TemporaryDirectory() as folder:
        async with chat_services.serving(*services):
            process = Process(Path(folder, "watch.db"), clock, services, timeout_s=10.0)
            await process.start()
            try:
                for number in range(options.warnings):
                    await process.tell(numbered(number, "warning"))
                for service in services:
                    service.faults = faults
                criticals = range(options.warnings, options.warnings + options.criticals)
                cuts = set(criticals[:: max(len(criticals) // kills, 1)]) if kills else set()
                for number in criticals:
                    await clock.sleep(options.every)
                    await process.tell(numbered(number, "critical"))
                    if number in cuts:
                        await process.kill()
                        await process.start()
                for service in services:
                    service.faults = 0.0
                await process.drained(600.0)
            finally:
                await process.end()
    posted = {account_of(number): process.posted_ns[account_of(number)] for number in criticals}
    for kind, times in latencies_s(services, posted).items():
        figures = [percentile(share, times) for share in (0.5, 0.99, 1.0)]
        print(f"  {kind:9}{len(times):5} of {len(posted)}" + "".join(f"{figure:9.2f}" for figure in figures))
    for service in services:
        twice = sum(count - 1 for count in Counter(one.news for one in service.shown).values())
        unmarked = Counter(one.news for one in service.shown if not one.repeated)
        print(
            f"  {service.kind}: {len(service.shown)} messages; {twice} there twice, "
            f"{sum(count - 1 for count in unmarked.values())} of them unmarked; "
            f"{service.counts['over the limit']} over the limit"
        )


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--criticals", type=int, default=60)
    parser.add_argument("--warnings", type=int, default=5_000)
    parser.add_argument("--every", type=float, default=4.0, help="s between criticals")
    parser.add_argument("--kills", type=int, default=8)
    options = parser.parse_args()
    for title, faults, kills in (
        ("all services work", 0.0, 0),
        ("15 % of requests fail", 0.15, 0),
        ("15 % of requests fail, and the process is killed", 0.15, options.kills),
    ):
        print(f"{title}\n  chat     criticals      p50      p99      max")
        asyncio.run(run(options, faults=faults, kills=kills))


if __name__ == "__main__":
    main()
