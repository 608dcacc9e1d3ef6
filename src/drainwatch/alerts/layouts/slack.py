"""Slack: Block Kit, by an incoming webhook or by a bot. Pure.

Rich text, not Slack's markup: its texts are shown as they are, whatever they hold. What its clients and
notifications read of them is defused all the same.
"""

from __future__ import annotations

from typing import Any, Final

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.fit import is_short, marked, shown, units
from drainwatch.alerts.layouts.request import JSON, Request, fields_of, to_bytes
from drainwatch.alerts.message import Message

MAX_HEADER: Final = 150
MAX_TEXT: Final = 3_000
_LINE: Final = 300
_FALLBACK: Final = 1_000
"""Slack takes 40,000, but what isn't blocks is read in notifications alone."""

Part = dict[str, Any]


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, earlier: str | None, reply_to: str | None
) -> Request:
    """Write a message for Slack."""
    del key, now_ns
    short = is_short(message, can_edit=channel.can_edit, replies=earlier is None and reply_to is not None)
    body: dict[str, Any] = {
        "text": shown(marked(message), _FALLBACK, {"&": "&amp;", "<": "&lt;", ">": "&gt;"}),
        "blocks": blocks_of(message, short=short),
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


def blocks_of(message: Message, *, short: bool) -> list[Part]:
    """Write the blocks.

    Five at most; each line has a limit, so that all together stay below the 13,000 characters from which
    on Slack refuses blocks, whatever its documents say.
    """
    first = marked(message)
    blocks: list[Part] = []
    if units(first) <= MAX_HEADER:
        header = shown(first, MAX_HEADER)
    else:
        header = shown(first.partition(": ")[0], MAX_HEADER)
    blocks.append({"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}})
    lines = [] if units(first) <= MAX_HEADER else [[_bold(first, MAX_TEXT // 2)]]
    if message.action:
        lines.append([_bold("Now: "), _text(message.action), *_linked(message)])
    lines += [[_text(said, MAX_TEXT)] for said in message.remarks]
    if lines:
        blocks.append(_rich(_section(lines)))
    if not short:
        blocks += _details(message)
    foot = _foot(message, short=short)
    if foot:
        blocks.append(_rich(_section(foot)))
    return blocks


def _details(message: Message) -> list[Part]:
    """Write why, which fills, and what else is known."""
    blocks = []
    if message.reasons:
        title = "What" if message.what == "digest" else "Why"
        items = [[_text(reason)] for reason in message.reasons]
        blocks.append(_rich(_section([[_bold(title)]]), _list("ordered", items)))
    if message.fills:
        items = [[_text(fill.text)] for fill in message.fills]
        if message.fills_more:
            items.append([_text(f"and {message.fills_more:,} more")])
        title = "The worst fills" if message.fills_more else "Fills"
        blocks.append(_rich(_section([[_bold(title)]]), _list("bullet", items)))
    if message.facts:
        lines = [[_bold(f"{name}: "), _text(value)] for name, value in message.facts]
        blocks.append(_rich(_section(lines)))
    return blocks


def _foot(message: Message, *, short: bool) -> list[list[Part]]:
    """Write what to type, and what was told before."""
    lines = []
    if message.command:
        lines.append([_text("Seen to it? "), _text(message.command, code=True)])
    if message.history and not short:
        lines.append([_bold("Told before: "), _text(" · ".join(message.history))])
    return lines


def _linked(message: Message) -> list[Part]:
    if message.link is None:
        return []
    link = {"type": "link", "url": message.link.url, "text": shown(message.link.text, _LINE)}
    return [_text(" "), link]


def _rich(*elements: Part) -> Part:
    return {"type": "rich_text", "elements": list(elements)}


def _section(lines: list[list[Part]]) -> Part:
    """Put lines under each other."""
    parts: list[Part] = []
    for line in lines:
        if parts:
            parts.append({"type": "text", "text": "\n"})
        parts += line
    return {"type": "rich_text_section", "elements": parts}


def _list(style: str, items: list[list[Part]]) -> Part:
    sections = [{"type": "rich_text_section", "elements": item} for item in items]
    return {"type": "rich_text_list", "style": style, "elements": sections}


def _text(text: str, limit: int = _LINE, *, code: bool = False) -> Part:
    part: Part = {"type": "text", "text": text if code else shown(text, limit)}
    return part | {"style": {"code": True}} if code else part


def _bold(text: str, limit: int = _LINE) -> Part:
    return _text(text, limit) | {"style": {"bold": True}}
