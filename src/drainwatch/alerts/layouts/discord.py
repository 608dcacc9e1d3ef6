"""Discord: embeds, by a webhook. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.fit import defused, fitted
from drainwatch.alerts.layouts.request import JSON, Request, fields_of, to_bytes
from drainwatch.alerts.message import Message


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, earlier: str | None, reply_to: str | None
) -> Request:
    """Write a message for Discord."""
    del key, now_ns, reply_to  # webhooks can't answer a message
    escape = {character: f"\\{character}" for character in "\\*_~`|<>[]#"}
    body: dict[str, Any] = {
        "content": fitted(defused(message.text), 2_000, escape),
        "allowed_mentions": {"parse": []},
        "flags": 4,  # no previews of links
    }
    url = urlsplit(channel.url)
    query = dict(parse_qsl(url.query)) | {"wait": "true"}
    if earlier is None:
        return Request(urlunsplit(url._replace(query=urlencode(query))), dict(JSON), to_bytes(body))
    del query["wait"], body["flags"]
    path = f"{url.path.rstrip('/')}/messages/{quote(earlier, safe='')}"
    return Request(
        urlunsplit(url._replace(path=path, query=urlencode(query))), dict(JSON), to_bytes(body), "PATCH"
    )


def id_in(body: bytes) -> str | None:
    """Read a message's id."""
    found = fields_of(body).get("id")
    return found if isinstance(found, str) else None
