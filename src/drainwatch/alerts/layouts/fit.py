"""Texts made harmless and made to fit: no link, no mention, no markup, no more than a service takes. Pure.

Symbols, ids and accounts come from outside, and a thief can choose some of them. Nothing of them may
call a whole channel, become a link, or change how the rest reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_JOINER: Final = "\u2060"
"""Word joiner: no width, no line break; what it stands in is no link and no mention any more."""
_LINK: Final = re.compile(r"(?<=\w)([.\u3002\uff0e\uff61])(?=[^\W\d_])|(:)(?=//)")
_MENTION: Final = re.compile(r"@(?=\w)")


def defused(text: str) -> str:
    """Make a text hold no link and no mention, whatever it looks like: `evil.example` stays text."""
    unlinked = _LINK.sub(lambda found: f"{found[0]}{_JOINER}", text)
    return _MENTION.sub(f"@{_JOINER}", unlinked)


def units(text: str) -> int:
    """Length as the services count it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(text: str, limit: int, escape: Mapping[str, str]) -> str:
    """Escape a text and cut it where it would become too long; what is cut ends in an ellipsis.

    Counted in UTF-16 units, as the services do; no escape is cut in two.
    """
    pieces = [escape.get(character, character) for character in text[: limit + 1]]
    if sum(map(units, pieces)) <= limit:
        return "".join(pieces)
    used = 1  # the ellipsis
    for place, piece in enumerate(pieces):
        used += units(piece)
        if used > limit:
            return "".join(pieces[:place]) + "…"
    return "".join(pieces)
