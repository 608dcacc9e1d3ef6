"""How each service wants a message sent, one module a service. Pure."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts import discord, slack, telegram, webhook
from drainwatch.alerts.layouts.request import Request
from drainwatch.alerts.message import Message

__all__ = ["Request", "id_in", "request_of"]

_LAYOUTS: Final[dict[str, ModuleType]] = {
    "discord": discord,
    "slack": slack,
    "telegram": telegram,
    "webhook": webhook,
}


def request_of(
    channel: Channel,
    message: Message,
    key: str = "",
    now_ns: int = 0,
    earlier: str | None = None,
    reply_to: str | None = None,
) -> Request:
    """Write a message as a channel's service wants it sent.

    Parameters
    ----------
    channel
        Any but `apprise`, which sends by itself (`extra`).
    message
        What to tell.
    key
        Of this news: the same however often it is sent, so that a webhook knows a second one.
    now_ns
        The time, for a webhook's signature.
    earlier
        The service's id (`id_in`) of the message that this one takes the place of. Where a channel can't
        edit, what is new comes as a short message.
    reply_to
        The id of a message that this one follows: in its thread, or as an answer to it, where the service
        has that.
    """
    request: Request = _LAYOUTS[channel.kind].request_of(channel, message, key, now_ns, earlier, reply_to)
    return request


def id_in(channel: Channel, body: bytes) -> str | None:
    """Read from a service's answer the id by which the message can be edited; None where there is none."""
    if not channel.can_edit:
        return None
    found: str | None = _LAYOUTS[channel.kind].id_in(body)
    return found
