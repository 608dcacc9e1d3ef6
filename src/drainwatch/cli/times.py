"""Lengths of time and moments as a person types them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from drainwatch.errors import ConfigError

UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LENGTH: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|m|h|d|w)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def length_ns(text: str, option: str) -> int:
    """Read a length of time: `90s`, `30m`, `2h`, `1.5d`, `1w`.

    Raises
    ------
    ConfigError
        It is none, or no time at all.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    size = 0 if found is None else round(float(found[1]) * UNITS_S[found[2]] * 1e9)
    if size <= 0:
        raise ConfigError(f"expected a length of time like 30m, 2h or 1d for {option}, found {text[:40]!a}")
    return size


def moment_ns(text: str, option: str) -> int:
    """Read a moment, UTC where it names no zone: `2026-12-01`, `2026-12-01T18:30`, `2026-12-01T18:30+01:00`.

    Raises
    ------
    ConfigError
        It is none.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        since = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH
    except (ValueError, OverflowError):
        raise ConfigError(
            f"expected a time like 2026-12-01T18:30 for {option}, found {text[:40]!a}"
        ) from None
    return since // timedelta(microseconds=1) * 1_000


def ago_or_moment_ns(text: str, option: str, now_ns: int) -> int:
    """Read a moment, or how long ago it was.

    Raises
    ------
    ConfigError
        It is neither.
    """
    if _LENGTH.fullmatch(text.strip().lower()):
        return now_ns - length_ns(text, option)
    try:
        return moment_ns(text, option)
    except ConfigError:
        raise ConfigError(
            f"expected a time like 2026-12-01T18:30, or how long ago, like 2d, for {option}, "
            f"found {text[:40]!a}"
        ) from None
