"""The check of a channel: whether an alert would get through."""

from __future__ import annotations

import asyncio

from drainwatch.alerts.answer import Outcome
from drainwatch.config import Channel, channel_of
from drainwatch.doctor.tools import ANSWER_S, Check, Status, Tools
from drainwatch.errors import ConfigError


async def check_channel(channel: Channel, tools: Tools, *, send: bool) -> Check:
    """Look whether an alert would get through."""
    name = f"channel {channel.name}"
    try:
        target = channel_of(channel, tools.env)
    except ConfigError as error:
        return Check(name, Status.FAIL, str(error))
    if not send:
        advice = "`--send`, or `drainwatch alerts test`, sends a test message."
        return Check(name, Status.SKIPPED, "its URL is there; nothing was sent", advice)
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await tools.send(target)
    except TimeoutError:
        return Check(name, Status.FAIL, f"no answer in {ANSWER_S:g} s", _advice(channel))
    if answer.outcome is not Outcome.ARRIVED:
        return Check(name, Status.FAIL, answer.reason, _advice(channel))
    return Check(name, Status.OK, "took a test message: look whether you see it")


def _advice(channel: Channel) -> str:
    return f"Correct that, and look again: drainwatch alerts test --channel '{channel.name}'."
