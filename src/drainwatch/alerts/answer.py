"""What a service's answer to a message means: arrived, later, or never. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

MAX_WAIT_S: Final = 3_600.0
"""Longest that a service may make us wait before the next try."""

_LATER: Final = frozenset({408, 425})  # time-out, too early: the request may be repeated as it is


class Outcome(StrEnum):
    """What became of one try."""

    ARRIVED = "arrived"
    LATER = "later"
    """Worth another try."""
    NEVER = "never"
    """The channel or the message isn't taken, and won't be."""


class Answer(NamedTuple):
    """What a try says."""

    outcome: Outcome
    reason: str
    """Plain words, without URL or token; empty where it arrived."""
    wait_s: float | None = None
    """How long the service wants to be left alone; None where it says nothing."""


def read_answer(status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
    """Read status, headers and the beginning of the body."""
    if 200 <= status < 300:
        empty = headers.get("X-RateLimit-Remaining") == "0"
        wait_s = _fit(headers.get("X-RateLimit-Reset-After")) if empty else None
        return Answer(Outcome.ARRIVED, "", wait_s)
    if status == 429:
        return Answer(
            Outcome.LATER, "HTTP 429: the service wants fewer messages", _wanted(headers, body, now_ns)
        )
    if status >= 500 or status in _LATER:
        return Answer(
            Outcome.LATER, f"HTTP {status}: the service has trouble", _wanted(headers, body, now_ns)
        )
    return Answer(Outcome.NEVER, f"HTTP {status}: {_meaning(status)}")


def _meaning(status: int) -> str:
    if status in (401, 403):
        return "the service doesn't take the channel's URL or token: make a new one"
    if status in (404, 410):
        return "there is no such channel any more: make a new webhook"
    if 300 <= status < 400:
        return "the URL has moved, and alerts follow no redirects: set the new URL"
    return "the service doesn't take the message: look at the channel's kind, URL and chat id"


def _wanted(headers: Mapping[str, str], body: bytes, now_ns: int) -> float | None:
    """Read how many seconds to wait: from Discord's or Telegram's JSON, else from the header."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if isinstance(told, dict):
        inner = told.get("parameters")
        for place in (told, inner if isinstance(inner, dict) else {}):
            seconds = _fit(place.get("retry_after"))
            if seconds is not None:
                return seconds
    header = headers.get("Retry-After")
    seconds = _fit(header)
    return seconds if seconds is not None or header is None else _until(header, now_ns)


def _fit(value: object) -> float | None:
    """Read seconds; None for what is none. Never longer than `MAX_WAIT_S`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_WAIT_S) if math.isfinite(seconds) and seconds >= 0 else None


def _until(date: str, now_ns: int) -> float | None:
    """Read an HTTP date as seconds from now."""
    try:
        when = parsedate_to_datetime(date)
        zoned = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        seconds = (zoned - datetime.fromtimestamp(now_ns / 1e9, UTC)).total_seconds()
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_WAIT_S)
