"""What the owner is told, the same for every channel: an incident, several of them, or a notice. Pure.

A message holds each part by itself, as data: the layouts decide how a service shows it. All texts are
plain: no control characters, no markup, and nothing in them is escaped yet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from drainwatch.notices import Notice, NoticeKind
from drainwatch.report import text, words
from drainwatch.report.table import Fills, FillTable
from drainwatch.venues.keypages import key_page

VERSION: Final = 1
"""Of what generic webhooks are sent. A change of what a field means makes a new one."""

WHATS: Final = ("opened", "grew", "escalated", "closed", "acknowledged", "reminder")
"""What there is to tell of an incident."""

ALARM, GRAVE, NEWS, UPDATE, HARMLESS = range(5)
"""Ranks: what goes first when several wait, the lowest first. `ALARM` and `GRAVE` are of criticals alone;
what is an `UPDATE` changes an earlier message where that can be."""

WORST: Final = 5
"""So many fills are shown."""
STEPS: Final = 6
"""So many lines of history are shown, the newest."""
LISTED: Final = 8
"""So many incidents of a digest are shown."""

_HARMLESS: Final = frozenset({NoticeKind.ALIVE, NoticeKind.STREAM_BACK})

_LABELS: Final = {
    "opened": "",
    "grew": ", still going on",
    "escalated": " now",
    "closed": ", quiet now",
    "acknowledged": ", acknowledged",
    "reminder": ", not acknowledged yet",
}
"""What follows the severity in the first line."""

_NEWS: Final = {
    "opened": "",
    "grew": "The loss has grown since the last message.",
    "escalated": "It was a warning before; this is critical now.",
    "closed": "No more such fills. If this wasn't you, the thief may still have the key.",
    "acknowledged": "No more reminders come of this incident.",
    "reminder": "Nobody has acknowledged this alert.",
}

_STEPS: Final = {
    "opened": "alert",
    "grew": "grown",
    "escalated": "critical",
    "closed": "quiet",
    "acknowledged": "acknowledged",
    "reminder": "reminded",
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
    NoticeKind.RESPONSE: "Response",
    NoticeKind.ALIVE: "Watching",
}

REPEATED: Final = "You may have this twice: whether the first try arrived isn't known."

_MAX_LINE: Final = 600
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9]{1,40}")
_TEST: Final = "This is a test: nothing happened, and there is nothing to do."


class Link(Struct, frozen=True):
    """A page that the owner may need. Never of text from outside."""

    text: str
    url: str


class ShownFill(Struct, frozen=True, kw_only=True):
    """One of the worst fills, with what it was worth."""

    symbol: str
    id: str
    side: str
    at_ms: float | None
    price: float | None
    amount: float | None
    fair_price: float | None
    fair_source: str
    loss: float | None
    """In the quote currency; positive is a loss."""
    text: str
    """The same in one line."""


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was told of an incident before, and when."""

    what: str
    """One of `WHATS`."""
    at_ms: float
    loss: float | None = None
    currency: str | None = None


class Message(Struct, frozen=True, kw_only=True):
    """Something to tell."""

    what: str
    """Of `WHATS`, or `notice`, or `digest`."""
    text: str
    """The whole as plain text of several lines."""
    version: int = VERSION
    severity: str = "notice"
    """`critical` or `warning` of incidents, `notice` or `info` of the watch itself."""
    test: bool = False
    """Nothing happened: somebody tries the channels."""
    title: str = ""
    """What it is in a few words: `CRITICAL, still going on`."""
    headline: str = ""
    """How much is gone and how much is left; of a notice, what happened."""
    action: str = ""
    """What to do now; empty where there is nothing."""
    link: Link | None = None
    """Where to do it."""
    news: str = ""
    """What is new, in a sentence; empty where all of it is."""
    reasons: tuple[str, ...] = ()
    """Why it is thought so, the strongest first."""
    fills: tuple[ShownFill, ...] = ()
    """The worst."""
    fills_more: int = 0
    """How many there are beside those."""
    facts: tuple[tuple[str, str], ...] = ()
    """Name and value of what else is known."""
    history: tuple[str, ...] = ()
    """What was told before, the oldest first."""
    command: str = ""
    """What to type once it is seen to; empty where there is nothing."""
    incident_id: str = ""
    """Empty where it is of none, or of several."""
    incident: dict[str, Any] | None = None
    """The contract's object, whole; chats have none."""
    notice: Notice | None = None

    @property
    def first_line(self) -> str:
        """What it is, and how much is gone and left; the text itself where there are no parts."""
        parts = [part for part in (self.title, self.headline) if part]
        return ": ".join(parts) or self.text.partition("\n")[0]

    @property
    def remarks(self) -> list[str]:
        """What is to be said after what to do: that it is a test, what is new; the rest of a bare text."""
        rest = "" if self.title else self.text.partition("\n")[2]
        return [said for said in (_TEST if self.test else "", self.news, rest) if said]


def rank_of(message: Message, *, rings: bool | None = None) -> int:
    """Say what goes before what in the outbox: 0 before 1.

    `rings`: whether it must be a message of its own; None: as its kind usually is.
    """
    if message.notice is not None:
        return HARMLESS if message.notice.kind in _HARMLESS else NEWS
    grave = message.severity == "critical"
    if message.what in ("opened", "escalated"):
        return ALARM if grave else NEWS
    if message.what == "reminder" if rings is None else rings:
        return GRAVE if grave else NEWS
    return NEWS if message.what == "digest" else UPDATE


def short_of(message: Message) -> Message:
    """Leave out what only programs read: thousands of fills needn't be kept for a chat."""
    return msgspec.structs.replace(message, incident=None)


def summary_of(message: Message) -> str:
    """Say in a few words what a message is about, for a log: no names from outside."""
    if message.notice is not None:
        return f"notice {message.notice.kind}"
    return f"{message.severity} {'digest' if message.what == 'digest' else 'incident ' + message.what}"


# --- incidents -----------------------------------------------------------------------------------


def message_of(
    incident: Mapping[str, Any],
    what: str,
    *,
    fills: Fills | FillTable | None = None,
    history: Sequence[Step] = (),
    test: bool = False,
) -> Message:
    """Write what happened, what to do now and why it is thought so.

    Parameters
    ----------
    incident
        One object of `incidents.jsonl`.
    what
        Which news of it: one of `WHATS`.
    fills
        Its fills with their prices, as far as known: those of `FillTable`. The worst are shown.
    history
        What was told of it before, the oldest first.
    test
        Whether nothing happened.

    """
    table = fills if isinstance(fills, FillTable) else FillTable(fills)
    severity = text.severity_of(incident)
    shown = _worst(incident, table)
    told = incident.get("fills") or ()
    name = words.clean(incident.get("id"))
    # what holds for a few of the fills isn't said of all
    facts = text.facts(incident, table if len(table) >= len(told) else FillTable(None))
    source = _sources(incident, table)
    if source:
        facts.insert(1, ("Fair value", source))
    return _with_text(
        Message(
            what=what,
            text="",
            severity=severity,
            test=test,
            title=f"{'TEST: ' if test else ''}{severity.upper()}{_LABELS[what]}",
            headline=text.money_gone(incident),
            action=text.what_now(incident),
            link=_link(incident),
            news=_NEWS[what],
            reasons=tuple(text.reasons(incident)),
            fills=shown,
            fills_more=max(0, len(told) - len(shown)),
            facts=tuple(fact for fact in facts if fact[1]),
            command="" if test or what == "acknowledged" else _command(name),
            history=tuple(_said(step) for step in history[-STEPS:]),
            incident_id=name,
            incident=dict(incident),
        )
    )


def digest_of(messages: Sequence[Message], why: str = "put together as many came at once") -> Message:
    """Put several messages, as of chats, into one."""
    lines = [f"{message.title}: {message.headline}" for message in messages[:LISTED]]
    more = len(messages) - len(lines)
    about = {message.incident_id for message in messages if message.incident_id}
    notices = sum(message.notice is not None for message in messages)
    parts = [
        words.plural(number, noun)
        for number, noun in ((len(about), "incident"), (notices, "notice"))
        if number
    ]
    severity = "notice"
    if about:
        severity = "critical" if any(message.severity == "critical" for message in messages) else "warning"
    return _with_text(
        Message(
            what="digest",
            text="",
            severity=severity,
            test=any(message.test for message in messages),
            title=f"{words.plural(len(messages), 'message')} in one",
            headline=f"{' and '.join(parts)}, {why}",
            action="Look whether you or your bot placed these orders: drainwatch incidents list"
            if about
            else "",
            reasons=(*lines, f"and {more:,} more") if more else tuple(lines),
        )
    )


def repeated(message: Message) -> Message:
    """Say of a message that it may be there already: a try to send it was never answered."""
    news = f"{REPEATED} {message.news}".strip()
    return _with_text(msgspec.structs.replace(message, news=news))


def _command(incident_id: str) -> str:
    """Name the command that ends the reminders; an id that a shell would read otherwise isn't told."""
    return f"drainwatch incidents ack {incident_id}" if _PLAIN_ID.fullmatch(incident_id) else ""


def _link(incident: Mapping[str, Any]) -> Link | None:
    url = key_page(str(incident.get("exchange")))
    return None if url is None else Link(f"API keys at {words.clean(incident.get('exchange'))}", url)


def _said(step: Step) -> str:
    """Write a line of history."""
    gone = f": {words.money(step.loss, step.currency)} gone" if step.loss else ""
    return f"{words.clock(step.at_ms)} {_STEPS.get(step.what, words.spoken(step.what))}{gone}"


@np.errstate(all="ignore")  # of numbers that no market has
def _worst(incident: Mapping[str, Any], table: FillTable) -> tuple[ShownFill, ...]:
    """Give the fills that lost most, in order of time."""
    rows = table.of_incident(incident.get("id"))
    paid, fair, amount = (table.floats(name)[rows] for name in ("price", "fair_price", "amount"))
    side = np.array([-1.0 if table.value("side", int(row)) == "sell" else 1.0 for row in rows])
    given = table.floats("loss")[rows]
    loss = np.where(np.isfinite(given), given, side * (paid - fair) * amount)
    order = np.argsort(np.where(np.isfinite(loss), -loss, np.inf), kind="stable")[:WORST]
    return tuple(_shown(table, int(rows[place]), float(loss[place])) for place in sorted(order))


def _shown(table: FillTable, row: int, loss: float) -> ShownFill:
    at, price, amount, fair = (
        _known(table.floats(name)[row]) for name in ("timestamp", "price", "amount", "fair_price")
    )
    side, symbol = table.text("side", row), table.text("symbol", row)
    off = words.off_price(side, price, fair).replace("what it was worth", f"its worth of {words.price(fair)}")
    return ShownFill(
        symbol=symbol,
        id=table.text("id", row),
        side=side,
        at_ms=at,
        price=price,
        amount=amount,
        fair_price=fair,
        fair_source=table.text("fair_source", row),
        loss=_known(loss),
        text=f"{words.clock(at)} {side} {words.number(amount)} {symbol} at {words.price(price)}"
        + (f", {off}" if off else ""),
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _sources(incident: Mapping[str, Any], table: FillTable) -> str:
    """Say what the fills were judged against; empty where unknown."""
    found: dict[str, int] = {}
    for row in table.of_incident(incident.get("id")):
        source = str(table.value("fair_source", int(row)) or "")
        if source:
            found[source] = found.get(source, 0) + 1
    said = [
        words.FAIR_SOURCES.get(name, words.spoken(name)) for name in sorted(found, key=lambda n: -found[n])
    ]
    return f"by {words.listing(said)}" if said else ""


# --- notices -------------------------------------------------------------------------------------


def message_of_notice(notice: Notice) -> Message:
    """Write what the watch says of itself."""
    where = " ".join(words.clean(part) for part in (notice.stream or notice.exchange, notice.account) if part)
    said = [words.clean(line, _MAX_LINE) for line in notice.text.splitlines()]
    return _with_text(
        Message(
            what="notice",
            text="",
            severity="info" if notice.kind in _HARMLESS else "notice",
            title=_NOTICE_TITLES.get(notice.kind, words.upper_first(words.spoken(notice.kind)))
            + (f" ({where})" if where else ""),
            headline=said[0] if said else "",
            news="\n".join(said[1:]),
            facts=(("At", words.moment(notice.ts_ns / 1e6)),),
            notice=notice,
        )
    )


# --- the whole -----------------------------------------------------------------------------------


def _with_text(message: Message) -> Message:
    """Write the parts under each other."""
    lines = [message.first_line]
    if message.action:
        page = f" {message.link.text}: {message.link.url}" if message.link else ""
        lines.append(f"Now: {message.action}{page}")
    lines += message.remarks
    if message.reasons:
        lines.append("What:" if message.what == "digest" else "Why:")
        lines += [f"  {place}. {reason}" for place, reason in enumerate(message.reasons, 1)]
    if message.fills:
        lines.append("Fills, the worst:" if message.fills_more else "Fills:")
        lines += [f"  {fill.text}" for fill in message.fills]
        lines += [f"  and {message.fills_more:,} more"] if message.fills_more else []
    lines += [f"{name}: {value}" for name, value in message.facts]
    if message.command:
        lines.append(f"Seen to it? {message.command}")
    if message.history:
        lines.append("Told before:")
        lines += [f"  {line}" for line in message.history]
    return msgspec.structs.replace(message, text="\n".join(lines))
