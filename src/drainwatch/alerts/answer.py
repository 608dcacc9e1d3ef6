"""What a service's answer to a message means: arrived, later, or never. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from drainwatch.alerts.layouts.request import fields_of

MAX_WAIT_S: Final = 3_600.0
"""Longest that a service may make us wait before the next try."""

_LATER: Final = frozenset({408, 425})  # time-out, too early: the request may be repeated as it is
_DOUBTFUL: Final = frozenset({500, 502, 504})  # it broke down over it, or somebody between us and it gave up

_UNCHANGED: Final = "message is not modified"
"""Telegram, of an edit that changes nothing: an earlier try had arrived."""
_NO_EDIT: Final = ("message to edit not found", "message can't be edited", "message_id_invalid")
_UNKNOWN_MESSAGE: Final = 10_008
"""Discord's code of a message that isn't there."""
_SLACK_LATER: Final = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "rate_limited", "request_timeout", "service_unavailable"}
)
_SLACK_GONE: Final = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})
_SLACK_MEANINGS: Final = {
    "invalid_auth": "make a new token",
    "not_authed": "make a new token",
    "account_inactive": "make a new token",
    "token_revoked": "make a new token",
    "token_expired": "make a new token",
    "channel_not_found": "look at the channel's id",
    "is_archived": "the channel is archived",
    "not_in_channel": "invite the bot to the channel",
    "missing_scope": "give the app the right chat:write",
    "restricted_action": "an administrator forbids it",
}


class Outcome(StrEnum):
    """What became of one try."""

    ARRIVED = "arrived"
    LATER = "later"
    """Worth another try."""
    NEVER = "never"
    """The channel or the message isn't taken, and won't be."""
    GONE = "gone"
    """The message to be edited isn't there any more, or can't be edited: send it as a new one."""


class Answer(NamedTuple):
    """What a try says."""

    outcome: Outcome
    reason: str
    """Plain words, without URL or token; empty where it arrived."""
    wait_s: float | None = None
    """How long the service wants to be left alone; None where it says nothing."""
    id: str | None = None
    """The service's id of the message, by which it can be edited; None where it has none."""
    doubtful: bool = False
    """It may have arrived all the same: nobody said that it wasn't taken."""


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, now_ns: int, kind: str = "", *, edit: bool = False
) -> Answer:
    """Read status, headers and the beginning of the body.

    Parameters
    ----------
    status, headers, body
        What came.
    now_ns
        The time, for waits that end at a date.
    kind
        Of the channel: each service has its own words.
    edit
        Whether a message was to be edited.
    """
    told = fields_of(body)
    if 200 <= status < 300:
        if kind == "slack" and told.get("ok") is False:
            return _of_slack(str(told.get("error")), _wanted(headers, told, now_ns), edit=edit)
        empty = headers.get("X-RateLimit-Remaining") == "0"
        wait_s = _fit(headers.get("X-RateLimit-Reset-After")) if empty else None
        return Answer(Outcome.ARRIVED, "", wait_s)
    if status == 429:
        return Answer(
            Outcome.LATER, "HTTP 429: the service wants fewer messages", _wanted(headers, told, now_ns)
        )
    if status >= 500 or status in _LATER:
        return Answer(
            Outcome.LATER,
            f"HTTP {status}: the service has trouble",
            _wanted(headers, told, now_ns),
            doubtful=status in _DOUBTFUL,
        )
    if edit:
        description = str(told.get("description")).lower()
        if kind == "telegram" and _UNCHANGED in description:
            return Answer(Outcome.ARRIVED, "")
        if _is_gone(kind, status, told):
            return Answer(Outcome.GONE, f"HTTP {status}: the message to be changed isn't there any more")
    return Answer(Outcome.NEVER, f"HTTP {status}: {_meaning(status, kind)}")


def _is_gone(kind: str, status: int, told: Mapping[str, Any]) -> bool:
    """Tell whether it is the message that is missing, not the channel."""
    if kind == "discord":
        return status == 404 and told.get("code") == _UNKNOWN_MESSAGE
    description = str(told.get("description")).lower()
    return kind == "telegram" and status == 400 and any(part in description for part in _NO_EDIT)


def _of_slack(error: str, wait_s: float | None, *, edit: bool) -> Answer:
    """Read an error of Slack's own: its bots' interface answers 200 whatever happens."""
    said = error if re.fullmatch(r"[a-z_]{1,60}", error) else "an error without a name"
    if error in _SLACK_LATER:
        return Answer(Outcome.LATER, f"Slack says {said}", wait_s)
    if edit and error in _SLACK_GONE:
        return Answer(Outcome.GONE, f"Slack says {said}: the message to be changed can't be")
    meaning = _SLACK_MEANINGS.get(error, "look at the channel's id, and at the app's rights")
    return Answer(Outcome.NEVER, f"Slack says {said}: {meaning}")


def _meaning(status: int, kind: str) -> str:
    if kind == "telegram" and status in (401, 404):
        return "Telegram doesn't know the bot's token: copy it again, or make a new one"
    if kind == "telegram" and status == 403:
        return "the bot may not write there: start it in the chat, or add it to the group"
    if status in (401, 403):
        return "the service doesn't take the channel's URL or token: make a new one"
    if status in (404, 410):
        return "there is no such channel any more: make a new webhook"
    if 300 <= status < 400:
        return "the URL has moved, and alerts follow no redirects: set the new URL"
    return "the service doesn't take the message: look at the channel's kind, URL and chat id"


def _wanted(headers: Mapping[str, str], told: Mapping[str, Any], now_ns: int) -> float | None:
    """Read how many seconds to wait: from Discord's or Telegram's JSON, else from the header."""
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
