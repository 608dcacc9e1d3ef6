"""Any address that takes JSON by POST: versioned, signed, with a key against repetition. Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import quote

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.request import JSON, Request, to_bytes
from drainwatch.alerts.message import Message
from drainwatch.events import NS_PER_S

SIGNATURE: Final = "Drainwatch-Signature"
KEY: Final = "Idempotency-Key"


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, _earlier: str | None, _reply_to: str | None
) -> Request:
    """Write a message as JSON; each news is sent whole."""
    body = to_bytes(message)
    headers = dict(JSON)
    if key:
        headers[KEY] = quote(key)
    if channel.signing:
        headers[SIGNATURE] = signature_of(channel.signing, now_ns // NS_PER_S, body)
    return Request(channel.url, headers, body)


def signature_of(secret: str, at_s: int, body: bytes) -> str:
    """Sign a body and the time, so that nobody else can write it and nobody can repeat it later."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at_s, body), hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
