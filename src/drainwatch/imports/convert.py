"""Texts of exports to the contract's: numbers, times, sides, order types, liquidity.

A converter takes a column of texts, null where absent, and says which of them it can't read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drainwatch.events import NS_PER_MS, NS_PER_S

ABSENT = frozenset({"-", "--", "—", "n/a", "N/A", "null", "None", "nan", "NaN"})
"""How exports write that there is nothing."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a file, or a column of it, writes things.

    Attributes
    ----------
    decimal
        `.` or `,`; empty where the file's beginning shows both.
    zone
        Of times that name none.
    day_first
        Whether 03/04/2024 is in April; None where nothing tells.
    """

    decimal: str = "."
    zone: tzinfo = UTC
    day_first: bool | None = None


class Converted(NamedTuple):
    """A column that has been read, and True where a text could not be."""

    column: Any
    bad: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Converter:
    """How a column is read, and what was expected of texts that can't be."""

    read: Callable[[Any, Manner], Converted]
    expected: str


def by_text(make: Callable[[str, Manner], str | None], expected: str) -> Converter:
    """Make a converter from one of single texts; None is unreadable, the empty text absent."""

    def read(array: Any, manner: Manner) -> Converted:
        encoded = array.dictionary_encode()
        made = [make(text, manner) for text in encoded.dictionary.to_pylist()]
        at = encoded.indices.cast(pa.int64()).fill_null(len(made)).to_numpy(zero_copy_only=False)
        bad = np.array([text is None for text in made] + [False], np.bool_)[at]
        table = pa.array([text or None for text in made] + [None], pa.string())
        return Converted(table.take(pa.array(at)), bad)

    return Converter(read, expected)


# --- numbers ---------------------------------------------------------------------------------------

_DIGITS = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([,.])\d{3})(?:\1\d{3})*", re.ASCII)
_FILLERS = re.compile(r"[\s'_\u2019\u00a0\u202f]")
_SHOWN = re.compile(r"[+-]?[\d.,]+", re.ASCII)


def number_text(text: str, decimal: str = ".") -> str | None:
    """Write a number as Python would read it: without thousands separators, with a decimal point.

    Parameters
    ----------
    decimal
        What a single separator means that could be either (`1,234`); empty if nobody knows.

    Returns
    -------
    None where it is no number, or where it could be one of two.
    """
    text = _FILLERS.sub("", text)
    if text in ABSENT:
        return ""
    text = text.replace("\u2212", "-").lstrip("$€£¥")
    sign, digits = (text[0], text[1:]) if text[:1] in {"+", "-"} else ("", text)
    commas, points = digits.count(","), digits.count(".")
    if commas and points:  # the last one is the decimal separator
        mark = "," if digits.rfind(",") > digits.rfind(".") else "."
        whole, _, part = digits.rpartition(mark)
        other = "." if mark == "," else ","
        if not _GROUPED.fullmatch(whole) or other in part or mark in whole:
            return None
        digits = whole.replace(other, "") + "." + part
    elif commas or points > 1:
        mark = "," if commas else "."
        if not _GROUPED.fullmatch(digits):
            if digits.count(mark) > 1:
                return None
            digits = digits.replace(mark, ".")
        elif digits.count(mark) > 1 or (decimal and decimal != mark):
            digits = digits.replace(mark, "")
        elif decimal == mark:
            digits = digits.replace(mark, ".")
        else:
            return None
    elif points and _GROUPED.fullmatch(digits) and decimal != ".":
        if not decimal:
            return None
        digits = digits.replace(".", "")
    number = sign.replace("+", "") + digits
    return number if _DIGITS.fullmatch(number) else None


def decimal_of(texts: Iterable[str]) -> str:
    """Say which decimal separator some numbers show: `.` where none of them decides, `` where they differ."""
    shown = set()
    for text in texts:
        text = _FILLERS.sub("", text)  # noqa: PLW2901
        if not _SHOWN.fullmatch(text):
            continue
        text = text.lstrip("+-")  # noqa: PLW2901
        marks = {mark for mark in ".," if mark in text}
        if len(marks) == 2:
            shown.add("," if text.rfind(",") > text.rfind(".") else ".")
        elif marks and sum(text.count(mark) for mark in marks) == 1 and not _GROUPED.fullmatch(text):
            shown |= marks
    return "" if len(shown) == 2 else next(iter(shown), ".")


def _numbers(array: Any, manner: Manner) -> Converted:
    if manner.decimal == ".":
        try:
            array.cast(pa.float64())
        except pa.ArrowInvalid:
            pass
        else:
            return Converted(array, np.zeros(len(array), np.bool_))
    return _ONE_NUMBER.read(array, manner)


_ONE_NUMBER = by_text(lambda text, manner: number_text(text, manner.decimal), "a number")
NUMBER = Converter(_numbers, "a number")


def unsigned(text: str, manner: Manner) -> str | None:
    """Write a number without its sign: some exports give a sale's amount as negative."""
    made = number_text(text, manner.decimal)
    return made if made is None else made.lstrip("-")


def turned(text: str, manner: Manner) -> str | None:
    """Write a number with the other sign: some exports give a fee as what it does to the balance."""
    made = number_text(text, manner.decimal)
    if not made or not made.strip("-0.eE+"):
        return made
    return made[1:] if made[0] == "-" else f"-{made}"


SIZE = by_text(unsigned, "a number")
TURNED = by_text(turned, "a number")

# --- times -----------------------------------------------------------------------------------------

_EPOCH = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}(?:\.\d+)?|\d{16}|\d{19}", re.ASCII)
_CLOCK = r"(?:[T ,]+(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?)?"
_LATE = r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
_OFFSET = r"\s*(?P<zone>[Zz]|\(?(?:UTC|GMT)\)?|\(?(?:UTC|GMT)?[+-]\d{1,2}(?::?\d\d)?\)?)?"
_DATES = [
    r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
    r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日",
    r"(?P<y>\d\d)-(?P<m>\d\d)-(?P<d>\d\d)",
    r"(?P<a>\d{1,2})[/.](?P<b>\d{1,2})[/.](?P<y>\d{4})",
    r"(?P<month>[A-Za-z]{3,9})\.? (?P<d>\d{1,2}),? (?P<y>\d{4}),?",
    r"(?P<d>\d{1,2})[- ](?P<month>[A-Za-z]{3,9})\.?[- ](?P<y>\d{4}),?",
]
_CLOCK_FIRST = (
    r"(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:[.](?P<f>\d{1,9}))?)? (?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)"
)
_TIMES = [re.compile(date + _CLOCK + _LATE + _OFFSET, re.ASCII) for date in _DATES]
_TIMES.append(re.compile(_CLOCK_FIRST + _LATE + _OFFSET, re.ASCII))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BETWEEN = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.]\d{4}", re.ASCII)


def day_first_of(texts: Iterable[str]) -> bool | None:
    """Say whether dates such as 03/04/2024 begin with the day; None where nothing tells, or both."""
    shown = set()
    for text in texts:
        found = _BETWEEN.match(text)
        if found:
            if int(found[1]) > 12:
                shown.add(True)
            elif int(found[2]) > 12:
                shown.add(False)
    return shown.pop() if len(shown) == 1 else None


def time_ns(text: str, manner: Manner) -> int | None:
    """Read a time as ns since the epoch; None where it is none, or could be one of two."""
    if _EPOCH.fullmatch(text):
        whole, _, part = text.partition(".")
        scale = {9: NS_PER_S, 10: NS_PER_S, 12: NS_PER_MS, 13: NS_PER_MS, 16: 1000, 19: 1}[len(whole)]
        return int(whole) * scale + round(float(f"0.{part or 0}") * scale)
    found = next((m for m in (form.fullmatch(text) for form in _TIMES) if m is not None), None)
    if found is None:
        return None
    part_of = found.groupdict()
    year = int(part_of["y"]) + (2000 if len(part_of["y"]) == 2 else 0)
    if part_of.get("a"):
        day, month = int(part_of["a"]), int(part_of["b"])
        first = manner.day_first if manner.day_first is not None else _only(day, month)
        if first is None:
            return None
        day, month = (day, month) if first else (month, day)
    elif part_of.get("month"):
        name = part_of["month"][:3].casefold()
        if name not in _MONTHS:
            return None
        day, month = int(part_of["d"]), _MONTHS.index(name) + 1
    else:
        day, month = int(part_of["d"]), int(part_of["m"])
    hour = int(part_of["h"] or 0)
    if part_of["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part_of["half"][0] in "Pp" else 0)
    try:
        local = datetime(  # noqa: DTZ001 - the zone follows
            year, month, day, hour, int(part_of["mi"] or 0), int(part_of["s"] or 0)
        )
        since = local.replace(tzinfo=manner.zone) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    if part_of["zone"]:
        minutes = _minutes(part_of["zone"])
        if minutes is None:
            return None
        since = local - datetime(1970, 1, 1)  # noqa: DTZ001 - both are of the zone that is told
        seconds = since.days * 86_400 + since.seconds - minutes * 60
    else:
        seconds = since.days * 86_400 + since.seconds
    ns = seconds * NS_PER_S + int((part_of["f"] or "").ljust(9, "0"))
    return ns if 0 <= ns < 2**63 else None


def _only(a: int, b: int) -> bool | None:
    """Say whether the day comes first in `a/b`; None where both could be."""
    return True if a > 12 or a == b else False if b > 12 else None


def _minutes(zone: str) -> int | None:
    """Minutes east of UTC; None where there is no such zone."""
    bare = re.sub(r"[()A-Za-z\s]", "", zone)
    if not bare:
        return 0
    hours, _, rest = bare[1:].partition(":") if ":" in bare else (bare[1:3], "", bare[3:])
    minutes = int(hours) * 60 + int(rest or 0)
    return None if minutes > 14 * 60 or int(rest or 0) > 59 else -minutes if bare[0] == "-" else minutes


_ZONELESS = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?$"
_NAMED = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?Z$"


def _times(array: Any, manner: Manner) -> Converted:
    none = np.zeros(len(array), np.bool_)
    stamp = pa.timestamp("ns")
    try:
        if pc.all(pc.match_substring_regex(array, _NAMED)).as_py():
            return Converted(array.cast(pa.timestamp("ns", "UTC")), none)
        # only UTC: what Arrow makes of an hour that a clock shows twice, or never, differs from Python
        if manner.zone is UTC and pc.all(pc.match_substring_regex(array, _ZONELESS)).as_py():
            return Converted(pc.assume_timezone(array.cast(stamp), "UTC"), none)
    except pa.ArrowInvalid:
        pass
    encoded = array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    made = [None if text in ABSENT else time_ns(text, manner) for text in texts]
    at = encoded.indices.cast(pa.int64()).fill_null(len(made)).to_numpy(zero_copy_only=False)
    unread = [ns is None and text not in ABSENT for ns, text in zip(made, texts, strict=True)]
    table = pa.array([*made, None], pa.int64()).cast(pa.timestamp("ns", "UTC"))
    return Converted(table.take(pa.array(at)), np.array([*unread, False], np.bool_)[at])


TIME = Converter(
    _times, "a time such as 2024-01-31 12:00:00 (one such as 03/04/2024 only if others tell which is the day)"
)

# --- words -----------------------------------------------------------------------------------------


def words(of: Mapping[str, Iterable[str]], expected: str, *, lenient: bool = False) -> Converter:
    """Make a converter of words in any case; what is unknown is bad, or absent if `lenient`."""
    known = {word.casefold(): to for to, spellings in of.items() for word in (to, *spellings)}

    def one(text: str, _: Manner) -> str | None:
        word = " ".join(text.casefold().replace("_", " ").split())
        return known.get(word, "" if lenient or text in ABSENT else None)

    return by_text(one, expected)


SIDE = words(
    {
        "buy": (
            *("b", "bid", "bought", "买入", "买", "買入", "買", "買い", "매수", "kauf", "kaufen", "compra"),
            *(
                "comprar",
                "achat",
                "acheter",
                "acquisto",
                "покупка",
                "купить",
                "al\u0131\u015f",
                "alis",
                "mua",
            ),
        ),
        "sell": (
            *("s", "ask", "offer", "sold", "卖出", "卖", "賣出", "賣", "売り", "売", "매도", "verkauf"),
            *("verkaufen", "venta", "vender", "venda", "vente", "vendre", "vendita", "продажа", "продать"),
            *("sat\u0131\u015f", "satis", "bán"),
        ),
    },
    "buy or sell",
)
TYPE = words(
    {
        "market": ("market order", "市价", "市价单", "市價", "markt", "mercado", "marché", "m"),
        "limit": (
            *("limit order", "limit maker", "post only", "limit post only", "ioc", "fok", "gtc", "l"),
            *("限价", "限价单", "限價", "limite", "límite"),
        ),
    },
    "market or limit",
    lenient=True,
)
LIQUIDITY = words(
    {
        "taker": ("t", "remove", "removed", "take", "吃单", "吃單"),
        "maker": ("m", "add", "added", "make", "挂单", "掛單"),
    },
    "taker or maker",
    lenient=True,
)
AS_IT_IS = Converter(lambda array, _: Converted(array, np.zeros(len(array), np.bool_)), "a text")
