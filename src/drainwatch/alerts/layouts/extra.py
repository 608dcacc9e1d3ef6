"""Any service that apprise knows: a title and a plain text. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from drainwatch.alerts.layouts.fit import defused, is_short, marked
from drainwatch.alerts.message import Message

_MAX_TITLE: Final = 250
_MAX_BODY: Final = 20_000
_TYPES: Final = {"critical": "failure", "warning": "warning", "notice": "warning"}


class Note(NamedTuple):
    """What apprise is given."""

    title: str
    body: str
    kind: str
    """apprise's `NotifyType`."""


def note_of(message: Message) -> Note:
    """Write a message as title and plain text; what follows on an incident in a few lines."""
    if is_short(message, can_edit=False, replies=False):
        page = f" {message.link.text}: {message.link.url}" if message.link else ""
        lines = [f"Now: {message.action}{page}" if message.action else "", *message.remarks]
        lines.append(f"Seen to it? {message.command}" if message.command else "")
        body = "\n".join(line for line in lines if line)
    else:
        body = message.text.removeprefix(message.first_line).lstrip("\n")
    safe = defused(body)[:_MAX_BODY]
    if message.link is not None:  # ours, not from outside: it stays a link
        safe = safe.replace(defused(message.link.url), message.link.url)
    return Note(defused(marked(message))[:_MAX_TITLE], safe, _TYPES.get(message.severity, "info"))
