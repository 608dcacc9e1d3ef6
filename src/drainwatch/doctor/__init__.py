"""Whether a watch with these settings would hear, judge and tell: looked at one thing after another.

What touches the world comes in as `Tools`, so that a test decides what the world says. Nothing found or
advised holds a key, a password or a webhook's URL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from drainwatch.config import Settings
from drainwatch.doctor.account import check_account
from drainwatch.doctor.channel import check_channel
from drainwatch.doctor.machine import (
    check_bots,
    check_judge,
    check_listeners,
    check_settings_file,
    check_store,
)
from drainwatch.doctor.response import check_response
from drainwatch.doctor.tools import Check, Heard, Status, Tools, Venue

__all__ = ["Check", "Heard", "Status", "Tools", "Venue", "check_settings_file", "examine"]


async def examine(settings: Settings, tools: Tools, *, send: bool = False) -> AsyncIterator[Check]:
    """Look at everything, in the order in which a start of the watch would meet it.

    `send`: let each channel have a test message.
    """
    yield check_judge(settings, tools)
    for check in check_store(settings, tools):
        yield check
    if not settings.accounts and not settings.inlet.enabled:
        yield Check(
            "accounts",
            Status.FAIL,
            "none in the settings, and nobody can push fills",
            "Add [[accounts]] (`drainwatch init` asks what is needed), or enable [inlet].",
        )
    for account in settings.accounts:
        async for check in check_account(account, tools):
            yield check
    for check in check_bots(settings):
        yield check
    if not settings.channels:
        yield Check(
            "channels",
            Status.WARN,
            "none: an alert would be seen on this screen alone",
            "Add [[channels]], so that you are told while you sleep.",
        )
    for channel in settings.channels:
        yield await check_channel(channel, tools, send=send)
    for response in settings.responses:
        yield await check_response(response, settings, tools)
    for check in check_listeners(settings, tools):
        yield check
