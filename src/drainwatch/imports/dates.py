"""Dates of single exchanges, rewritten to what `convert.TIME` reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc

from drainwatch.imports.convert import TIME, Converted, Converter, Manner, day_first_of

_UNPADDED = re.compile(r"\d/|\d\d/\d/", re.ASCII)
_SHORT = re.compile(r"(\d\d)-(\d\d)-\d\d\b", re.ASCII)
_DAY, _MONTH = r"20\3-\2-\1", r"20\3-\1-\2"


def is_padded(texts: Iterable[str]) -> bool:
    """Say whether dates such as 06/01/2025 have two digits for each of day and month, all of them.

    A browser that writes the day first pads it (06/01/2025), one that writes the month first doesn't
    (1/6/2025).
    """
    return not any(_UNPADDED.match(text) for text in texts)


def _browser(array: Any, manner: Manner) -> Converted:
    array = pc.replace_substring_regex(array, r"^(\S+) - ", r"\1 ")
    if manner.day_first is None:
        texts = pc.unique(array.drop_null()).to_pylist()
        told = day_first_of(texts)
        manner = replace(manner, day_first=is_padded(texts) if told is None else told)
    return TIME.read(array, manner)


def _short(array: Any, manner: Manner) -> Converted:
    texts = pc.unique(array.drop_null()).to_pylist()
    pairs = [(int(found[1]), int(found[2])) for found in map(_SHORT.match, texts) if found]
    month_first = any(b > 12 for _, b in pairs) and not any(a > 12 for a, _ in pairs)
    order = _MONTH if month_first else _DAY
    return TIME.read(pc.replace_substring_regex(array, r"^(\d\d)-(\d\d)-(\d\d)\b", order), manner)


BROWSER_TIME = Converter(_browser, "a time such as 18/09/2025 - 14:59:56 or 9/18/2025 - 14:59:56")
"""As a page's script writes it in the reader's browser: which part is the day, others or the padding tell."""

SHORT_TIME = Converter(_short, "a time such as 26-03-17 17:35:52, the day first, or 2017-03-26 17:35:52")
"""With a year of two digits at the end: the day comes first, unless others show that the month does."""
