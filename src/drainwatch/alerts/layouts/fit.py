"""Texts made harmless and made to fit: no link, no mention, no markup, no more than a service takes. Pure.

Symbols, ids and accounts come from outside, and a thief can choose some of them. Nothing of them may
call a whole channel, become a link, or change how the rest reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from drainwatch.alerts.message import Message

_JOINER: Final = "\u2060"
"""Word joiner: no width, no line break; what it stands in is no link and no mention any more."""
_LINK: Final = re.compile(r"(?<=\w)([.\u3002\uff0e\uff61])(?=[^\W\d_])|(:)(?=//)")
_MENTION: Final = re.compile(r"@(?=\w)")
_SCAN: Final = 20_000
"""Characters of a text that are looked at: more than any service shows."""

_MARKS: Final = {
    "critical": "\N{LARGE RED CIRCLE}",
    "warning": "\N{LARGE ORANGE CIRCLE}",
    "notice": "\N{LARGE BLUE CIRCLE}",
    "info": "\N{MEDIUM WHITE CIRCLE}",
}

_FOLLOW_UPS: Final = frozenset({"grew", "closed", "acknowledged", "reminder"})


def defused(text: str) -> str:
    """Make a text hold no link and no mention, whatever it looks like: `evil.example` stays text."""
    unlinked = _LINK.sub(lambda found: f"{found[0]}{_JOINER}", text[:_SCAN])
    return _MENTION.sub(f"@{_JOINER}", unlinked)


def units(text: str) -> int:
    """Length as the services count it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(text: str, limit: int, escape: Mapping[str, str] | None = None) -> str:
    """Escape a text and cut it where it would become too long; what is cut ends in an ellipsis.

    Counted in UTF-16 units, as the services do; no escape is cut in two.
    """
    begun = text[: limit + 1]
    table: dict[str, str | int | None] = dict(escape or {})
    whole = begun.translate(str.maketrans(table))
    if units(whole) <= limit:
        return whole
    used = 1  # the ellipsis
    kept = []
    for character in begun:
        piece = escape.get(character, character) if escape else character
        used += units(piece)
        if used > limit:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def shown(text: str, limit: int, escape: Mapping[str, str] | None = None) -> str:
    """Defuse, escape and cut a text."""
    return fitted(defused(text), limit, escape)


def marked(message: Message) -> str:
    """Begin the first line with a mark of how bad it is, seen before it is read."""
    mark = _MARKS.get(message.severity, _MARKS["notice"])
    return f"{mark} {message.first_line}"


def is_short(message: Message, *, can_edit: bool, replies: bool) -> bool:
    """Tell whether what is new is enough: the owner has the rest in a message above."""
    return replies or (not can_edit and message.what in _FOLLOW_UPS)
