"""Bytes to text, whatever they are encoded in; and where in a notebook a line is."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
HEAD = 8_192
"""So many bytes decide whether something is text, as git does it."""


def is_binary(head: bytes) -> bool:
    """Tell by its first bytes whether a file is no text."""
    return b"\0" in head[:HEAD] and decoded(head[:HEAD]) is None


def decoded(data: bytes) -> str | None:
    """Decode a file's bytes; None where they are no text.

    UTF-8, UTF-16 and UTF-32 by their marks, UTF-16 without one by its zeros, and every other
    encoding letter by letter: keys are of ASCII, which nearly all of them share.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    head = data[:HEAD]
    if b"\0" in head:
        for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            halves = head[offset::2], head[1 - offset :: 2]
            # every other byte of western text is zero, and none of the rest
            if len(head) >= 8 and halves[0].count(0) > 0.7 * len(halves[0]) and b"\0" not in halves[1]:
                return data.decode(encoding, errors="replace")
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


_CELL = re.compile(r'"cell_type"\s*:')
_SIDE = re.compile(r'"(outputs|source)"\s*:')


class Notebook:
    """Where in a notebook a line of its file is, in a person's words.

    The file is searched as it stands, so that nothing in it goes unseen; only its places are named.
    """

    def __init__(self, text: str) -> None:
        self._line_ends = [m.start() for m in re.finditer("\n", text)]
        self._cells = [m.start() for m in _CELL.finditer(text)]
        self._sides = [(m.start(), m.group(1)) for m in _SIDE.finditer(text)]

    def place_of(self, line: int) -> str:
        """Name the cell in which a line is: `cell 3`, `cell 3, output`; empty outside of any."""
        end = self._line_ends[line - 1] if line <= len(self._line_ends) else (1 << 62)
        cell = bisect_right(self._cells, end)
        if not cell:
            return ""
        before = bisect_right(self._sides, (end, "~"))
        output = before and self._sides[before - 1][1] == "outputs"
        return f"cell {cell}, output" if output else f"cell {cell}"
