"""Telegram: one text with a few HTML tags, by a bot. Pure."""

from __future__ import annotations

import html
import re
from typing import Any, Final

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.fit import is_short, marked, shown
from drainwatch.alerts.layouts.request import JSON, Request, fields_of, to_bytes
from drainwatch.alerts.message import Message

# 4,096 without the tags: these are within it together
_FIRST, _ACTION, _REMARK = 300, 250, 150
_REASON, _FILL, _FACT, _STEP = 240, 120, 170, 50
_BARE_FIRST, _BARE = 700, 2_400
"""So much where there is hardly anything else: in a notice."""

_TAPPED: Final = re.compile(r"(?<!\w)([/#$])(?=\w)")
"""What Telegram makes of words by itself: commands, hashtags, cashtags."""


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, earlier: str | None, reply_to: str | None
) -> Request:
    """Write a message for Telegram."""
    del key, now_ns
    short = is_short(message, can_edit=True, replies=earlier is None and reply_to is not None)
    body: dict[str, Any] = {
        "chat_id": channel.chat_id,
        "text": html_of(message, short=short),
        "parse_mode": "HTML",
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


def html_of(message: Message, *, short: bool) -> str:
    """Write the text. Tags are ours alone: every other text is escaped."""
    bare = not (message.facts and message.reasons)
    first = f"<b>{_safe(marked(message), _BARE_FIRST if bare else _FIRST)}</b>"
    remarks = [_safe(said, _BARE if bare else _REMARK) for said in message.remarks]
    parts = ["\n".join([first, *_action(message), *remarks])]
    if not short:
        parts += _details(message)
    if message.command:
        parts.append(f"Seen to it? <code>{message.command}</code>")
    if message.history and not short:
        lines = "\n".join(_safe(line, _STEP) for line in message.history)
        parts.append(f"<blockquote expandable>Told before:\n{lines}</blockquote>")
    return "\n\n".join(parts)


def _action(message: Message) -> list[str]:
    if not message.action:
        return []
    page = ""
    if message.link is not None:
        page = f' <a href="{html.escape(message.link.url)}">{_safe(message.link.text, 100)}</a>'
    return [f"<b>Now:</b> {_safe(message.action, _ACTION)}{page}"]


def _details(message: Message) -> list[str]:
    """Write why, which fills, and what else is known."""
    parts = []
    if message.reasons:
        title = "What" if message.what == "digest" else "Why"
        lines = [f"{place}. {_safe(why, _REASON)}" for place, why in enumerate(message.reasons, 1)]
        parts.append("\n".join([f"<b>{title}</b>", *lines]))
    if message.fills:
        title = "The worst fills" if message.fills_more else "Fills"
        lines = [f"• {_safe(fill.text, _FILL)}" for fill in message.fills]
        if message.fills_more:
            lines.append(f"• and {message.fills_more:,} more")
        parts.append("\n".join([f"<b>{title}</b>", *lines]))
    if message.facts:
        parts.append("\n".join(f"<b>{_safe(n, 40)}:</b> {_safe(v, _FACT)}" for n, v in message.facts))
    return parts


def _safe(text: str, limit: int) -> str:
    """Cut a text, and write it so that Telegram makes nothing of it: counted without its escapes."""
    untapped = _TAPPED.sub(lambda found: f"{found[0]}\u2060", text[:limit])
    return html.escape(shown(untapped, limit), quote=False)
