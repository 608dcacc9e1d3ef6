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
ROOM: Final = 12_500
"""Characters of all blocks as JSON. From some 13,000 on Slack refuses them, whatever its documents say."""
_LINES: Final = (300, 150, 50)
"""Longest line; the next where all don't fit."""
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
    """Write the blocks; lines are cut as far as it takes to fit."""
    blocks: list[Part] = []
    for line in _LINES:
        blocks = _Sheet(message, line).blocks(short=short)
        if len(to_bytes(blocks).decode()) <= ROOM:
            break
    return blocks


class _Sheet:
    """One message with lines of some length."""

    def __init__(self, message: Message, line: int) -> None:
        self.message, self.line = message, line

    def blocks(self, *, short: bool) -> list[Part]:
        """Write all blocks, six at most."""
        first = marked(self.message)
        is_long = units(first) > MAX_HEADER
        header = shown(first.partition(": ")[0] if is_long else first, MAX_HEADER)
        blocks: list[Part] = [
            {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}}
        ]
        lines = [[_bold(first, 4 * self.line)]] if is_long else []
        if self.message.action:
            lines.append([_bold("Now: "), self.text(self.message.action), *self.linked()])
        lines += [[_text(said, 10 * self.line)] for said in self.message.remarks]
        if lines:
            blocks.append(_rich(_section(lines)))
        if not short:
            blocks += self.details()
        foot = self.foot(short=short)
        if foot:
            blocks.append(_rich(_section(foot)))
        return blocks

    def details(self) -> list[Part]:
        """Write why, which fills, and what else is known."""
        message, blocks = self.message, []
        if message.reasons:
            title = "What" if message.what == "digest" else "Why"
            items = [[self.text(reason)] for reason in message.reasons]
            blocks.append(_rich(_section([[_bold(title)]]), _list("ordered", items)))
        if message.fills:
            items = [[self.text(fill.text)] for fill in message.fills]
            if message.fills_more:
                items.append([self.text(f"and {message.fills_more:,} more")])
            title = "The worst fills" if message.fills_more else "Fills"
            blocks.append(_rich(_section([[_bold(title)]]), _list("bullet", items)))
        if message.facts:
            lines = [[_bold(f"{name}: ", self.line), self.text(value)] for name, value in message.facts]
            blocks.append(_rich(_section(lines)))
        return blocks

    def foot(self, *, short: bool) -> list[list[Part]]:
        """Write what to type, and what was told before."""
        lines = []
        if self.message.command:
            command = {"type": "text", "text": self.message.command, "style": {"code": True}}
            lines.append([_text("Seen to it? "), command])
        if self.message.history and not short:
            lines.append([_bold("Told before: "), self.text(" · ".join(self.message.history))])
        return lines

    def linked(self) -> list[Part]:
        """Write the link."""
        link = self.message.link
        if link is None:
            return []
        return [_text(" "), {"type": "link", "url": link.url, "text": shown(link.text, self.line)}]

    def text(self, text: str) -> Part:
        """Write a text in a line."""
        return _text(text, self.line)


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


def _text(text: str, limit: int = 100) -> Part:
    # an empty text would be refused, and the message with it
    return {"type": "text", "text": shown(text, limit) or "-"}


def _bold(text: str, limit: int = 100) -> Part:
    return _text(text, limit) | {"style": {"bold": True}}
