"""A real watch over a loopback exchange, and what it must have heard in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from drainwatch.config import load_settings
from drainwatch.lab.exchange.host import Host
from drainwatch.rows import Fill
from drainwatch.watch.runner import Watch

WORDS = {"KEY": "key_env", "SECRET": "secret_env", "PASSPHRASE": "passphrase_env"}


@asynccontextmanager
async def watching(
    folder: Path, exchange: str, urls: Mapping[str, str], secrets: Mapping[str, str], **account: str
) -> AsyncIterator[Watch]:
    """Watch an account until the block ends.

    `secrets` are those that the settings name; `account` are further settings of it.
    """
    lines = {"name": "main", "exchange": exchange, **urls, **account}
    lines |= {WORDS[name]: name for name in secrets}
    text = "\n".join(f'{name} = "{value}"' for name, value in lines.items())
    file = folder / "drainwatch.toml"
    file.write_text(
        f'[watch]\nstore = "sqlite:///{folder}/watch.db"\nbackfill_minutes = 0.1\n[[accounts]]\n{text}\n'
    )
    watch = Watch(load_settings(file, env=secrets), environ=secrets)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            task.result()


async def stands(watch: Watch, host: Host[Any]) -> None:
    """Wait until all streams stand and what was before is known."""
    del host
    await eventually(
        lambda: (
            watch.followed[0].connections
            and all(connection.counts.connected for connection in watch.followed[0].connections)
            and watch.store.value("known until/main") is not None
        ),
        60.0,
    )


async def eventually(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


def journal(watch: Watch) -> dict[tuple[Any, ...], Fill]:
    """Give what is in the journal, and see that nothing is there twice."""
    fills = list(watch.store.fills())
    found = {fill.key: fill for fill in fills}
    assert len(found) == len(fills)
    return found
