"""Discord: an embed, by a webhook. Pure."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.fit import is_short, marked, shown, units
from drainwatch.alerts.layouts.request import JSON, Request, fields_of, to_bytes
from drainwatch.alerts.message import Message

_ESCAPE: Final = {character: f"\\{character}" for character in "\\*_~`|<>[]#"}
_COLOURS: Final = {"critical": 0xD92D20, "warning": 0xF79009, "notice": 0x2E90FA, "info": 0x98A2B3}
_NO_PREVIEWS: Final = 4

# Discord takes 2,000 of content, 4,096 of description, 25 fields with 256 and 1,024, 6,000 in the embed;
# these are within it together
_FIRST: Final = 1_000
_FIELD: Final = 1_024
_ACTION, _REMARK = 500, 150
_REASON, _FILL, _FACT, _STEP = 330, 160, 230, 60
_BARE: Final = 2_500
"""A remark may be so long where there is hardly anything else: in a notice."""


def request_of(
    channel: Channel, message: Message, key: str, now_ns: int, earlier: str | None, reply_to: str | None
) -> Request:
    """Write a message for Discord."""
    del key, now_ns
    short = is_short(message, can_edit=True, replies=earlier is None and reply_to is not None)
    body: dict[str, Any] = {
        # the first line outside of the embed: notifications show nothing else
        "content": f"**{shown(marked(message), _FIRST, _ESCAPE)}**",
        "embeds": [embed_of(message, short=short)],
        "allowed_mentions": {"parse": []},
    }
    url = urlsplit(channel.url)
    query = dict(parse_qsl(url.query))
    if earlier is None:
        # a webhook can't answer a message; an answer comes as a message of its own
        asked = url._replace(query=urlencode(query | {"wait": "true"}))
        return Request(urlunsplit(asked), dict(JSON), to_bytes(body | {"flags": _NO_PREVIEWS}))
    path = f"{url.path.rstrip('/')}/messages/{quote(earlier, safe='')}"
    edited = url._replace(path=path, query=urlencode(query))
    return Request(urlunsplit(edited), dict(JSON), to_bytes(body), "PATCH")


def id_in(body: bytes) -> str | None:
    """Read a message's id."""
    found = fields_of(body).get("id")
    return found if isinstance(found, str) else None


def embed_of(message: Message, *, short: bool) -> dict[str, Any]:
    """Write all but the first line."""
    embed: dict[str, Any] = {
        "description": "\n".join(_said(message)),
        "color": _COLOURS.get(message.severity, _COLOURS["notice"]),
    }
    if short:
        return embed
    fields: list[dict[str, Any]] = []
    if message.reasons:
        lines = [f"{place}. {_safe(why, _REASON)}" for place, why in enumerate(message.reasons, 1)]
        fields += _fields("What" if message.what == "digest" else "Why", lines)
    if message.fills:
        lines = [f"- {_safe(fill.text, _FILL)}" for fill in message.fills]
        if message.fills_more:
            lines.append(f"- and {message.fills_more:,} more")
        fields += _fields("The worst fills" if message.fills_more else "Fills", lines)
    if message.facts and message.notice is None:
        fields += _fields("What is known", _facts(message))
    if fields:
        embed["fields"] = fields
    if message.history:
        told = " · ".join(shown(step, _STEP) for step in message.history)
        embed["footer"] = {"text": f"Told before: {told}"}  # no markup here, nor an escape
    return embed


def _said(message: Message) -> list[str]:
    """Write what to do and what is new."""
    lines = []
    if message.action:
        page = f" [{_safe(message.link.text, 100)}]({message.link.url})" if message.link else ""
        lines.append(f"**Now:** {_safe(message.action, _ACTION)}{page}")
    limit = _REMARK if message.reasons else _BARE
    lines += [_safe(said, limit) for said in message.remarks]
    if message.notice is not None:  # too little for a heading of its own
        lines += _facts(message)
    if message.command:
        lines.append(f"Seen to it? `{message.command}`")
    return lines


def _facts(message: Message) -> list[str]:
    return [f"**{_safe(name, 40)}:** {_safe(value, _FACT)}" for name, value in message.facts]


def _fields(name: str, lines: list[str]) -> list[dict[str, Any]]:
    """Put lines under each other, in as many fields as they need: no line is cut in two."""
    values = [""]
    for line in lines:
        longer = f"{values[-1]}\n{line}" if values[-1] else line
        if units(longer) <= _FIELD:
            values[-1] = longer
        else:
            values.append(line)
    names = [name] + ["\u200b"] * (len(values) - 1)  # a name that isn't seen: Discord wants one
    return [{"name": n, "value": value, "inline": False} for n, value in zip(names, values, strict=True)]


def _safe(text: str, limit: int) -> str:
    return shown(text, limit, _ESCAPE)
