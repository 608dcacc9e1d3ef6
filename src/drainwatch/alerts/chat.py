"""What a channel is told: an incident or a notice as plain text, and as each service wants it sent. Pure.

Symbols, ids and accounts come from outside, and a thief can choose some of them. Nothing of them may
call a whole channel, become a link, or change how the rest reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Struct

from drainwatch.alerts.channel import Channel
from drainwatch.notices import Notice, NoticeKind
from drainwatch.report import words
from drainwatch.report.text import kind_of, severity_of, to_text

VERSION: Final = 1
"""Of what generic webhooks are sent. A change of what a field means makes a new one."""

GROWTH: Final = 2.0
"""An incident is told again when its loss has become so many times what was last told."""
GROWTH_PAUSE_NS: Final = 30_000_000_000
"""... but growth not within this time of the last message: in a flood nobody reads the first."""

WHATS: Final = ("opened", "grew", "escalated", "closed")
"""What there is to tell of an incident."""

RANKS: Final = {"opened": 0, "escalated": 0, "grew": 2, "closed": 3}
"""What goes first when several wait: lower before higher. Notices are 1, harmless ones 4."""

_HARMLESS: Final = frozenset({NoticeKind.ALIVE, NoticeKind.STREAM_BACK})

_TITLES: Final = {
    "opened": "",
    "grew": "Still going on: the loss has grown.",
    "escalated": "This is critical now.",
    "closed": "Quiet again: no more such fills. If this wasn't you, the thief may still have the key.",
}

_NOTICE_TITLES: Final = {
    NoticeKind.SILENCE: "Nothing heard",
    NoticeKind.STREAM_CLOSED: "Connection lost",
    NoticeKind.STREAM_BACK: "Connection back",
    NoticeKind.GAP: "Fills may be missing",
    NoticeKind.SESSION_LOST: "Session ended by the venue",
    NoticeKind.KEY_REFUSED: "API key refused",
    NoticeKind.KEY_CHANGED: "API key changed",
    NoticeKind.KEY_RIGHTS: "Rights of the API key",
    NoticeKind.CLOCK_SKEW: "Clock is off",
    NoticeKind.STALLED: "Judging is behind",
    NoticeKind.BAD_MESSAGE: "Messages not understood",
    NoticeKind.BLIND: "Fills can't be judged",
    NoticeKind.DELIVERY_FAILED: "Alerts don't arrive",
    NoticeKind.ALIVE: "Watching",
}

_MAX_LINE: Final = 600
_JOINER: Final = "\u2060"
"""Word joiner: no width, no line break; what it stands in is no link and no mention any more."""
_LINK: Final = re.compile(r"(?<=\w)([.\u3002\uff0e\uff61])(?=[^\W\d_])|(:)(?=//)")
_MENTION: Final = re.compile(r"@(?=\w)")


class Message(Struct, frozen=True, kw_only=True):
    """Something to tell: the same for every channel."""

    what: str
    """Of `WHATS`, or `notice`."""
    text: str
    """Plain text of several lines; no control characters but line breaks."""
    version: int = VERSION
    incident: dict[str, Any] | None = None
    """The contract's object, whole; None for a notice."""
    notice: Notice | None = None


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an incident's owner has been told of it so far."""

    count: int = 0
    """Messages."""
    loss: float | None = None
    """Loss in the last one; None where it was unknown."""
    escalated: bool = False
    closed: bool = False
    at_ns: int = 0


class Request(NamedTuple):
    """What is sent by POST."""

    url: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Leave out the URL: it is the secret."""
        return f"Request({len(self.body)} bytes)"


# --- what to tell --------------------------------------------------------------------------------


def what_to_tell(incident: Mapping[str, Any], told: Told | None, now_ns: int) -> str | None:
    """Say what of an incident its owner must hear now, one of `WHATS`; None: nothing new.

    The first alert at once; that it became critical; that it ended; that the loss has doubled. Each
    message says all that is known, so it also does for what else is new.
    """
    if told is None:
        return "opened"
    if told.closed:
        return None
    if incident.get("escalated_at") is not None and not told.escalated:
        return "escalated"
    if incident.get("closed_at") is not None:
        return "closed"
    loss, before = words.as_float(incident.get("loss")), told.loss or 0.0
    if loss > 0 and loss >= GROWTH * before and now_ns >= told.at_ns + GROWTH_PAUSE_NS:
        return "grew"
    return None


def after_telling(incident: Mapping[str, Any], told: Told | None, now_ns: int) -> Told:
    """Give what the owner knows after a message of an incident as it is."""
    loss = words.as_float(incident.get("loss"))
    return Told(
        count=1 if told is None else told.count + 1,
        loss=loss if loss == loss else None,  # noqa: PLR0124 NaN isn't itself
        escalated=incident.get("escalated_at") is not None,
        closed=incident.get("closed_at") is not None,
        at_ns=now_ns,
    )


def rank_of(message: Message) -> int:
    """Say what goes before what in the outbox: 0 before 1."""
    if message.notice is not None:
        return 4 if message.notice.kind in _HARMLESS else 1
    return RANKS.get(message.what, 2)


# --- words ---------------------------------------------------------------------------------------


def message_of(incident: Mapping[str, Any], what: str) -> Message:
    """Write what happened, what to do now and why it is thought so.

    Parameters
    ----------
    incident
        One object of `incidents.jsonl`.
    what
        Which news of it: one of `WHATS`.

    """
    lines = [_TITLES[what], to_text(incident)]
    return Message(what=what, text="\n".join(line for line in lines if line), incident=dict(incident))


def message_of_notice(notice: Notice) -> Message:
    """Write what the watch says of itself."""
    where = " ".join(words.clean(part) for part in (notice.stream or notice.exchange, notice.account) if part)
    title = _NOTICE_TITLES[notice.kind] + (f" ({where})" if where else "")
    said = [words.clean(line, _MAX_LINE) for line in notice.text.splitlines()]
    text = "\n".join([f"{title}: {said[0] if said else ''}".rstrip(": "), *said[1:]])
    when = words.moment(notice.ts_ns / 1e6)
    return Message(what="notice", text=f"{text}\nAt {when}.", notice=notice)


def summary_of(message: Message) -> str:
    """Say in a few words what a message is about, for a log."""
    if message.incident is not None:
        return f"{severity_of(message.incident)} incident {message.what}: {kind_of(message.incident).title}"
    return "notice" if message.notice is None else f"notice {message.notice.kind}"


# --- bodies --------------------------------------------------------------------------------------


def request_of(channel: Channel, message: Message, key: str = "") -> Request:
    """Write a message as a channel's service wants it sent.

    `key` is the same however often the message is sent: a webhook is told, to know a second one.
    """
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if channel.kind == "webhook":
        body: Any = message
        if key:
            headers["Idempotency-Key"] = quote(key)
    else:
        body = _BODIES[channel.kind](channel, message.text)
    return Request(channel.target, headers, to_bytes(body))


def to_bytes(value: Any) -> bytes:
    """Write JSON; a text that isn't Unicode has its bad characters replaced: services refuse them."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_repaired(msgspec.to_builtins(value)))


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_repaired(key): _repaired(part) for key, part in value.items()}
    return [_repaired(part) for part in value] if isinstance(value, list) else value


def defused(text: str) -> str:
    """Make a text hold no link and no mention, whatever it looks like: `evil.example` stays text."""
    unlinked = _LINK.sub(lambda found: f"{found[0]}{_JOINER}", text)
    return _MENTION.sub(f"@{_JOINER}", unlinked)


def fitted(text: str, limit: int, escape: Mapping[str, str]) -> str:
    """Escape a text and cut it where it would become too long; what is cut ends in an ellipsis.

    Counted in UTF-16 units, as the services do; no escape is cut in two.
    """
    pieces = [escape.get(character, character) for character in text[: limit + 1]]
    if sum(map(_units, pieces)) <= limit:
        return "".join(pieces)
    used = 1  # the ellipsis
    for place, piece in enumerate(pieces):
        used += _units(piece)
        if used > limit:
            return "".join(pieces[:place]) + "…"
    return "".join(pieces)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _slack(_channel: Channel, text: str) -> dict[str, Any]:
    escape = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return {
        "text": fitted(defused(text), 35_000, escape),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _discord(_channel: Channel, text: str) -> dict[str, Any]:
    escape = {character: f"\\{character}" for character in "\\*_~`|<>[]#"}
    return {
        "content": fitted(defused(text), 2_000, escape),
        "allowed_mentions": {"parse": []},
        "flags": 4,  # no previews of links
    }


def _telegram(channel: Channel, text: str) -> dict[str, Any]:
    return {
        "chat_id": channel.chat_id,
        "text": fitted(defused(text), 4_096, {}),
        "link_preview_options": {"is_disabled": True},
    }


_BODIES: Final[dict[str, Callable[[Channel, str], dict[str, Any]]]] = {
    "slack": _slack,
    "discord": _discord,
    "telegram": _telegram,
}
