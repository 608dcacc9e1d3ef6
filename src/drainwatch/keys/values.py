"""Parts of exchanges' replies about keys, whatever they hold: flags, words, addresses, times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from drainwatch.events import NS_PER_MS, NS_PER_S

MOST = 200
"""Words, addresses or keys of one reply that are kept."""
LONGEST = 100
"""Characters of one of them that are kept."""
EVERYWHERE = frozenset({"", "*", "0.0.0.0", "0.0.0.0/0", "::/0"})  # noqa: S104 - compared only
"""Lists of addresses with one of these restrict nothing."""
_LAST_NS = 7_258_118_400 * NS_PER_S


def flag(value: object) -> bool | None:
    """Read true or false, also as 0 and 1; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"0": False, "1": True, "true": True, "false": False}.get(str(value).lower())


def flags(data: Mapping[str, Any], leading: str, *also: str) -> bool | None:
    """Tell whether any flag is set; where none is, what the leading one says."""
    if any(flag(data.get(name)) for name in also):
        return True
    return flag(data.get(leading))


def words(value: object) -> set[str]:
    """Collect the words of a list, of comma-separated text, or of a mapping of lists."""
    if isinstance(value, str):
        return {word.strip()[:LONGEST] for word in value.split(",")[:MOST] if word.strip()}
    if isinstance(value, Mapping):
        return set().union(*(words(part) for part in list(value.values())[:MOST]))
    if isinstance(value, list):
        plain = (word for word in value[:MOST] if isinstance(word, str | int) and not isinstance(word, bool))
        return {str(word).strip()[:LONGEST] for word in plain if str(word).strip()}
    return set()


def classed(granted: Iterable[str], classes: Mapping[str, str], told: Iterable[str]) -> dict[str, Any]:
    """Sort granted words by what they allow.

    Parameters
    ----------
    classes
        What each known word allows: names of fields with blanks between, empty for what harms nobody.
    told
        Fields that this exchange has words for.

    Returns
    -------
    dict
        For each of `told`: True where a word allows it; else False, or None where a word isn't known, as
        nobody knows what it allows.
    """
    known = [classes.get(word) for word in granted]
    allowed = {field for fields in known if fields for field in fields.split()}
    otherwise = None if None in known else False
    return {field: True if field in allowed else otherwise for field in told}


def bound(value: object) -> dict[str, Any]:
    """Read a list of addresses: `bound` and `addresses` of the facts; nothing if the value is absent."""
    if not isinstance(value, str | list):
        return {}
    listed = words(value)
    # "1.2.3.4;5.6.7.8" and "1.2.3.4 5.6.7.8" are lists, too
    parts = {part for word in listed for part in word.replace(";", " ").split()}
    if not parts or parts & EVERYWHERE:
        return {"bound": False}
    return {"bound": True, "addresses": tuple(sorted(parts))}


def time_ns(value: object) -> int | None:
    """Read a time: seconds, milliseconds or nanoseconds since the epoch, or ISO 8601; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()[:40]
    try:
        number = float(text)
    except ValueError:
        return _iso_ns(text)
    if not math.isfinite(number) or number <= 0:
        return None
    scale = NS_PER_S if number < 1e11 else NS_PER_MS if number < 1e14 else 1
    ns = int(number * scale)
    return ns if 0 < ns < _LAST_NS else None


def _iso_ns(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ns = int(moment.timestamp()) * NS_PER_S
    except (ValueError, OverflowError):
        return None
    return ns if 0 < ns < _LAST_NS else None


def end(value: object, *, never: Iterable[object] = ()) -> dict[str, Any]:
    """Read when a key ends: `ends` and `ends_ns` of the facts; nothing if the exchange doesn't say.

    Parameters
    ----------
    never
        What the exchange writes for a key without an end.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool) and value in tuple(never):
        return {"ends": False}
    ns = time_ns(value)
    return {} if ns is None else {"ends": True, "ends_ns": ns}


def unwrapped(reply: object) -> Any:
    """Take what a reply is about out of what exchanges wrap it in."""
    for wrap in ("result", "data"):
        if isinstance(reply, Mapping) and isinstance(reply.get(wrap), Mapping | list):
            reply = reply[wrap]
    return reply


def rows(value: object) -> list[Mapping[str, Any]]:
    """Give the mappings of a list."""
    return [row for row in value[:MOST] if isinstance(row, Mapping)] if isinstance(value, list) else []
