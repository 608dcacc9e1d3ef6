"""What `drainwatch doctor` looks through in earnest: this machine, the exchanges, the channels."""

from __future__ import annotations

import os
import shutil
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drainwatch.alerts.answer import Answer
    from drainwatch.alerts.channel import Channel
    from drainwatch.config import Account, Settings
    from drainwatch.doctor import Tools, Venue
    from drainwatch.response.hook import Hook
    from drainwatch.venues.protocol import Credentials


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


async def send(channel: Channel, exchange: str = "") -> Answer:
    """Send the test message, with the page of an exchange's API keys in it."""
    from drainwatch.alerts.delivery import new_session
    from drainwatch.alerts.sample import sample_message
    from drainwatch.alerts.send import send as send_once

    message = sample_message(time.time_ns(), exchange)
    key = f"test/{message.incident_id}/{time.time_ns()}"
    async with new_session() as session:
        return await send_once(session, channel, message, key, time.time_ns)
