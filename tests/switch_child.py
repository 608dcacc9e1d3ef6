"""A switch as a process of its own, to be killed: `switch_child.py STORE RAN`, an incident by stdin."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from drainwatch.notices import Notice
from drainwatch.response.hook import Done, Hook
from drainwatch.response.switch import Actor, Switch
from drainwatch.store import open_store
from drainwatch.venues.clock import SystemClock


class Slow:
    """Leaves a trace at once, and doesn't end."""

    def __init__(self, ran: Path) -> None:
        self._ran = ran

    async def check(self, hook: Hook) -> str:
        raise NotImplementedError

    async def run(self, hook: Hook, incident: dict[str, Any]) -> Done:
        with self._ran.open("a") as file:
            file.write(f"{hook.name} {incident['id']}\n")
        await asyncio.sleep(3_600)
        raise AssertionError


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(path: str, ran: str) -> None:
    """Run until killed; a line of stdout for each thing told."""
    actor: Actor = Slow(Path(ran))
    store = open_store(path)

    def tell(notice: Notice) -> None:
        store.add_notice(f"{notice.ts_ns} {notice.text}", notice)
        say(f"told {notice.text}")

    hook = Hook(name="slow", kind="command", dry_run=False, timeout_s=600.0)
    switch = Switch(store, [hook], SystemClock(), tell, {"command": actor})
    incident = json.loads(sys.stdin.readline())
    if not store.incidents():
        with store.transaction():
            store.save_incident(incident)
            switch.note(incident, None)
    switch.resume(store.incidents())
    say("resumed")
    await switch.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
