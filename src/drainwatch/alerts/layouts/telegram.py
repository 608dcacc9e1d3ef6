"""Telegram: one text with HTML tags, by a bot. Pure."""

from __future__ import annotations

from typing import Any

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.fit import defused, fitted
from drainwatch.alerts.layouts.request import JSON, Request, fields_of, to_bytes
from drainwatch.alerts.message import Message


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, earlier: str | None, reply_to: str | None
) -> Request:
    """Write a message for Telegram."""
    del key, now_ns
    body: dict[str, Any] = {
        "chat_id": channel.chat_id,
        "text": fitted(defused(message.text), 4_096, {}),
        "link_preview_options": {"is_disabled": True},
    }
    if earlier is not None:
        body["message_id"] = int(earlier)
    elif reply_to is not None:
        body["reply_parameters"] = {"message_id": int(reply_to), "allow_sending_without_reply": True}
    base = channel.url.rstrip("/").removesuffix("/sendMessage")
    method = "sendMessage" if earlier is None else "editMessageText"
    return Request(f"{base}/{method}", dict(JSON), to_bytes(body))


def id_in(body: bytes) -> str | None:
    """Read a message's number."""
    result = fields_of(body).get("result")
    found = result.get("message_id") if isinstance(result, dict) else None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None
