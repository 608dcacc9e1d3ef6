"""What `drainwatch doctor` looks through in earnest: this machine, the exchanges, the channels."""

from __future__ import annotations

import os
import shutil
import socket
import time
from typing import TYPE_CHECKING, Any

from drainwatch.errors import DrainwatchError

if TYPE_CHECKING:
    from drainwatch.config import Account, Channel, Settings
    from drainwatch.doctor import Tools, Venue
    from drainwatch.response.hook import Hook
    from drainwatch.venues.protocol import Credentials

TEST_MESSAGE = (
    "drainwatch: this is a test message. Alerts of this account's incidents will come here. Nothing is wrong."
)
ANSWER_S = 10.0
"""So long a channel has to take a message."""


def tools() -> Tools:
    """Give tools that look at the world as it is."""
    from drainwatch.cli.hearing import hear
    from drainwatch.doctor import Tools

    return Tools(
        env=os.environ,
        clock_s=time.perf_counter,
        now_ns=time.time_ns,
        load_judge=load_judge,
        open_store=open_and_close,
        free_bytes=lambda folder: shutil.disk_usage(folder).free,
        bind=bind,
        rest=rest,
        hear=hear,
        respond=respond,
        send=send,
    )


def load_judge(settings: Settings) -> None:
    """Load the model and compile the kernel, as the start of a watch does."""
    from drainwatch.events import Batch, Names
    from drainwatch.model import default_model_path, load_model
    from drainwatch.replay import new_engine

    new_engine(load_model(default_model_path()), Names(), settings).feed(Batch.empty())


def open_and_close(url: str) -> None:
    """Open the store, made where there is none, and close it again."""
    from drainwatch.store import open_store

    open_store(url).close()


def bind(host: str, port: int) -> None:
    """Listen on an address for a moment; raises OSError where that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # one that has just ended isn't in the way
        probe.bind((host, port))
        probe.listen(1)


def rest(account: Account, credentials: Credentials | None) -> Venue:
    """Give an account's REST interface; at another address, where the settings name one."""
    from drainwatch.venues.clock import SystemClock
    from drainwatch.venues.rest import Rest

    return Rest(account.exchange, credentials, SystemClock(), account=account.name, base_url=account.url_rest)


async def respond(hook: Hook) -> str:
    """Look whether a response could be run."""
    from drainwatch.response.switch import ACTORS

    return await ACTORS[hook.kind].check(hook)


async def send(channel: Channel, url: str) -> None:
    """Send the test message; raises without the URL, which is as good as a password."""
    import aiohttp

    wait = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=wait) as session,
            session.post(url, json=body_of(channel), allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        raise DrainwatchError(f"{channel.kind} didn't answer in {ANSWER_S:g} s") from None
    except (aiohttp.ClientError, OSError) as error:  # their texts hold the URL
        raise DrainwatchError(f"{channel.kind} wasn't reached ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise DrainwatchError(f"{channel.kind} answered {status}, which isn't yes")


def body_of(channel: Channel) -> dict[str, Any]:
    """Write the test message as a kind of channel wants it."""
    if channel.kind == "discord":
        return {"content": TEST_MESSAGE, "allowed_mentions": {"parse": []}}
    if channel.kind == "telegram":
        return {"chat_id": channel.chat_id, "text": TEST_MESSAGE}
    return {"text": TEST_MESSAGE}
