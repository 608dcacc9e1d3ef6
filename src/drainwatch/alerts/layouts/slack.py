"""Slack: Block Kit, by an incoming webhook or by a bot. Pure."""

from __future__ import annotations

from typing import Any

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.fit import defused, fitted
from drainwatch.alerts.layouts.request import JSON, Request, fields_of, to_bytes
from drainwatch.alerts.message import Message


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, earlier: str | None, reply_to: str | None
) -> Request:
    """Write a message for Slack."""
    del key, now_ns
    body: dict[str, Any] = {
        "text": fitted(defused(message.text), 35_000, {"&": "&amp;", "<": "&lt;", ">": "&gt;"}),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if not channel.token:
        return Request(channel.url, dict(JSON), to_bytes(body))
    body["channel"] = channel.chat_id
    if earlier is not None:
        body["ts"] = earlier
    elif reply_to is not None:
        body |= {"thread_ts": reply_to, "reply_broadcast": True}
    method = "chat.postMessage" if earlier is None else "chat.update"
    headers = JSON | {"Authorization": f"Bearer {channel.token}"}
    return Request(f"{channel.url.rstrip('/')}/{method}", headers, to_bytes(body))


def id_in(body: bytes) -> str | None:
    """Read a message's `ts`."""
    found = fields_of(body).get("ts")
    return found if isinstance(found, str) else None
