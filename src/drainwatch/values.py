"""Columns as others write them, read into numpy: texts, numbers, times, sides, booleans, timeframes.

Every reader takes a pyarrow array of any type and returns the values with a mask of what can't be
read; what is absent (null, empty string, NaN) is never bad here: who needs it says so. What is read
from a value never depends on its neighbours: where a fast path for a whole column gives up, each
value is read by itself to the same result.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drainwatch.events import NS_PER_MS, NS_PER_S

LAST_NS = 7_258_118_400 * NS_PER_S
"""2200-01-01: times from here on are taken for a wrong unit; below it sums can't overflow."""

_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
_ISO = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?)?"
    r" ?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_SPAN = re.compile(r"(\d{1,6})([smhdwMy])", re.ASCII)
_SPAN_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 31 * 86_400, "y": 366 * 86_400}
_LONGEST_SPAN_NS = 10**18  # so that opening and length can be summed
_FLOAT_ID = re.compile(r"-?\d+\.0", re.ASCII)
_MOST_EXACT = 2.0**63


class Values(NamedTuple):
    """A column that has been read, and True where a present value could not be."""

    values: NDArray[Any]
    bad: NDArray[np.bool_]


def text_of(value: object) -> str:
    """Write one value as it stood, so that an id is the same text from every kind of file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124 - NaN is how pandas writes an absent value
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < _MOST_EXACT else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).encode("utf-8", "backslashreplace").decode()


def texts(array: Any) -> Any:
    """Read a column as trimmed strings; null where absent.

    Whole numbers lose a `.0`, which a missing value in a column of integer ids gives them.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind):
        return array.cast(pa.string())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        array = array.cast(pa.string())
    elif not pa.types.is_string(kind):
        array = pa.array([text_of(value) for value in array.to_pylist()], pa.string())
    array = pc.utf8_trim_whitespace(array)
    if pc.any(pc.equal(array, "")).as_py():
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    return array


def ids(array: Any) -> Any:
    """Read a column of ids as strings; null where absent; 123, 123.0 and "123.0" are all "123"."""
    array = texts(array)
    if pc.any(pc.ends_with(array, ".0")).as_py():
        array = pa.array(
            [
                _whole(text) if text is not None and _FLOAT_ID.fullmatch(text) else text
                for text in array.to_pylist()
            ],
            pa.string(),
        )
    return array


def _whole(text: str) -> str:
    """Write `-12.0` as the number would be written: `-12`."""
    whole = text[:-2]
    return whole if whole.strip("-0") else whole.lstrip("-")


def numbers(array: Any) -> Values:
    """Read a column as float64, the nearest to what was written; NaN where absent or unreadable."""
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = array.cast(pa.float64(), safe=False)
        return Values(_floats(values), np.zeros(len(array), np.bool_))
    if pa.types.is_boolean(kind):
        return Values(np.full(len(array), np.nan), array.is_valid().to_numpy(zero_copy_only=False))
    return _numbers_in(texts(array))


def _numbers_in(strings: Any) -> Values:
    try:
        return Values(_floats(strings.cast(pa.float64())), np.zeros(len(strings), np.bool_))
    except pa.ArrowInvalid:
        pass
    values = np.full(len(strings), np.nan)
    bad = np.zeros(len(strings), np.bool_)
    for i, text in enumerate(strings.to_pylist()):
        if text is None:
            continue
        if _NUMBER.fullmatch(text):
            values[i] = float(text)
        else:
            bad[i] = True
    return Values(values + 0.0, bad)


def _floats(array: Any) -> NDArray[np.float64]:
    if array.null_count:
        array = array.fill_null(math.nan)
    values: NDArray[np.float64] = array.to_numpy(zero_copy_only=False) + 0.0  # -0 becomes 0
    values[np.isnan(values)] = np.nan  # one bit pattern, as equal rows must have equal hashes
    return values


def times(array: Any) -> Values:
    """Read a column as ns since the epoch, UTC; -1 where absent or unreadable.

    Numbers, and strings that are numbers, are milliseconds, to the microsecond where decimal (float64
    carries no more); other strings are ISO 8601, UTC where they name no zone. Years 1970 to 2199.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _in_range(*_stamps(array))
    if pa.types.is_integer(kind):
        present = array.is_valid().to_numpy(zero_copy_only=False)
        ms = array.fill_null(0).to_numpy(zero_copy_only=False)
        fits = (ms >= 0) & (ms < LAST_NS // NS_PER_MS)
        return _in_range(np.where(fits, np.where(fits, ms, 0).astype(np.int64) * NS_PER_MS, -1), present)
    if pa.types.is_floating(kind):
        ms = _floats(array.cast(pa.float64()))
        return _in_range(_from_ms(ms), ~np.isnan(ms))
    if pa.types.is_boolean(kind):
        return _in_range(np.full(len(array), -1), array.is_valid().to_numpy(zero_copy_only=False))
    return _times_in(texts(array))


def _stamps(array: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    present = array.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    scale = {"s": NS_PER_S, "ms": NS_PER_MS, "us": 1000, "ns": 1}[array.type.unit]
    ticks = array.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    fits = (ticks >= 0) & (ticks < LAST_NS // scale)
    return np.where(fits, ticks, -1) * np.where(fits, scale, 1), present


def _from_ms(ms: NDArray[np.float64]) -> NDArray[np.int64]:
    fits = (ms >= 0) & (ms < LAST_NS // NS_PER_MS)
    whole = np.floor(np.where(fits, ms, 0.0))
    us = np.rint((np.where(fits, ms, 0.0) - whole) * 1000.0)
    return np.where(fits, whole.astype(np.int64) * NS_PER_MS + us.astype(np.int64) * 1000, -1)


def _times_in(strings: Any) -> Values:
    present = strings.is_valid().to_numpy(zero_copy_only=False)
    try:
        return _in_range(_from_ms(_floats(strings.cast(pa.float64()))), present)
    except pa.ArrowInvalid:
        pass
    for kind in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):
        try:
            return _in_range(*_stamps(strings.cast(kind)))
        except pa.ArrowInvalid:
            continue
    values = np.full(len(strings), -1, np.int64)
    for i, text in enumerate(strings.to_pylist()):
        if text is not None:
            values[i] = _time_of(text)
    return _in_range(values, present)


def _time_of(text: str) -> int:
    """Ns of one time in words or digits; -1 where it is none."""
    if _NUMBER.fullmatch(text):
        return int(_from_ms(np.array([float(text)]))[0])
    match = _ISO.fullmatch(text)
    if match is None:
        return -1
    part = {name: int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    zone = match["zone"]
    offset = UTC
    if zone and zone[0] in "+-":
        minutes = int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)
        if minutes >= 1440:
            return -1
        offset = timezone(timedelta(minutes=minutes if zone[0] == "+" else -minutes))
    try:
        since = datetime(**part, tzinfo=offset) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return -1
    nanos = int((match["fraction"] or "").ljust(9, "0")[:9])
    ns = (since.days * 86_400 + since.seconds) * NS_PER_S + nanos
    return ns if 0 <= ns < LAST_NS else -1  # a year far off doesn't fit 64 bits


def _in_range(values: NDArray[np.int64], present: NDArray[np.bool_]) -> Values:
    fits = (values >= 0) & (values < LAST_NS) & present
    return Values(np.where(fits, values, -1), present & ~fits)


def choices(array: Any, of: dict[str, int], absent: int) -> Values:
    """Read words in any case as the numbers of `of`; `absent` where absent or not among them."""
    encoded = texts(array).dictionary_encode()
    words = encoded.dictionary.to_pylist()
    table = np.array([of.get(word.casefold(), absent) for word in words] + [absent], np.int64)
    known = np.array([word.casefold() in of for word in words] + [True], np.bool_)
    at = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return Values(table[at], ~known[at])


def sides(array: Any) -> Values:
    """Read `buy` and `sell` in any case as +1 and -1; 0 where absent or unknown."""
    return choices(array, {"buy": 1, "sell": -1}, 0)


def truths(array: Any) -> Values:
    """Read true, false, 1 and 0 as 1 and 0; -1 where absent or unknown.

    A missing value in a column of 1 and 0 makes them 1.0 and 0.0, as with ids.
    """
    return choices(ids(array), {"true": 1, "1": 1, "false": 0, "0": 0}, -1)


def spans(array: Any) -> Values:
    """Read timeframes such as `1m`, `4h`, `1M` as ns; 0 where absent or unreadable.

    A month counts 31 days and a year 366: a candle may become known late but never early.
    """
    encoded = texts(array).dictionary_encode()
    table = [0]
    for word in encoded.dictionary.to_pylist():
        match = _SPAN.fullmatch(word)
        table.append(int(match[1]) * _SPAN_S[match[2]] * NS_PER_S if match else 0)
    lengths = np.array([span if span <= _LONGEST_SPAN_NS else 0 for span in table], np.int64)
    at = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False) + 1
    return Values(lengths[at], (at > 0) & (lengths[at] <= 0))
