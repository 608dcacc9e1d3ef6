"""The check of a channel: whether an alert would get through."""

from __future__ import annotations

import asyncio

from drainwatch.config import Channel, channel_url
from drainwatch.doctor.tools import ANSWER_S, Check, Status, Tools
from drainwatch.errors import ConfigError, DrainwatchError


async def check_channel(channel: Channel, tools: Tools, *, send: bool) -> Check:
    """Look whether an alert would get through."""
    name = f"channel {channel.name}"
    try:
        url = channel_url(channel, tools.env)
    except ConfigError as error:
        return Check(name, Status.FAIL, str(error))
    if not send:
        advice = "`--send` sends a test message."
        return Check(name, Status.SKIPPED, "its URL is there; nothing was sent", advice)
    try:
        async with asyncio.timeout(ANSWER_S):
            await tools.send(channel, url)
    except (DrainwatchError, TimeoutError) as error:
        advice = f"Make the webhook anew at {channel.kind}, and test it again."
        return Check(name, Status.FAIL, str(error) or f"no answer in {ANSWER_S:g} s", advice)
    return Check(name, Status.OK, "took a test message: look whether you see it")
