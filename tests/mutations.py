"""Frames of venues, spoilt in ways in which frames get spoilt."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

JUNK: list[Any] = [
    None, True, "", "abc", "-1", "0", "nan", "inf", "1e400", " 1", "1_0", "\u0661", "9" * 400, "\ud800",
    -1, 0, 1.5, 2**70, [], {}, [[]],
]  # fmt: skip
"""What may stand where something else should."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values within a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def plain(raw: bytes) -> Any:
    """What a frame says, read without the project's code; bytes that aren't text are replaced."""
    return json.loads(raw.decode(errors="replace"), strict=False)


@st.composite
def spoilt(draw: st.DrawFn, frames: Sequence[Any]) -> bytes:
    """One of the frames (JSON values) with up to three values replaced or removed, or its bytes damaged."""
    value = copy.deepcopy(draw(st.sampled_from(list(frames))))
    for _ in range(draw(st.integers(0, 3))):
        paths = list(places(value))
        if not paths:
            break
        *way, last = draw(st.sampled_from(paths))
        owner = value
        for key in way:
            owner = owner[key]
        if draw(st.booleans()):
            owner[last] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        else:
            del owner[last]
    raw = json.dumps(value).encode()
    kind = draw(st.sampled_from(["whole", "whole", "cut", "flipped", "doubled"]))
    at = draw(st.integers(0, max(len(raw) - 1, 0)))
    if kind == "cut":
        return raw[:at]
    if kind == "flipped":
        return raw[:at] + bytes([draw(st.integers(0, 255))]) + raw[at + 1 :]
    return raw + raw if kind == "doubled" else raw
