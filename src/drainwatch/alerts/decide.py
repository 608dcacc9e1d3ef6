"""What of an incident its owner must hear now, and why, or why not. Pure.

Decided of what is known of the incident, what its owner was told of it, what he has said to that, and
the time. Each outcome has a name, so that a silence can be explained as well as an alert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from drainwatch.alerts.harmless import Pattern
from drainwatch.alerts.message import STEPS, Step
from drainwatch.events import NS_PER_S
from drainwatch.report import words
from drainwatch.store import Mark, Silence

GROWTH: Final = 2.0
"""An incident is told again when its loss has become so many times what was last told."""
GROWTH_PAUSE_NS: Final = 30 * NS_PER_S
"""... but growth not within this time of the last message: in a flood nobody reads the first."""
MINUTE_NS: Final = 60 * NS_PER_S
FIRST_REMINDER_NS: Final = {"critical": 15 * MINUTE_NS, "warning": 4 * 60 * MINUTE_NS}
"""So long after an alert that nobody has acknowledged the first reminder comes; then twice as long, ..."""
LONGEST_REMINDER_NS: Final = 24 * 60 * MINUTE_NS
"""... up to once a day."""

KEYS: Final = 30
"""So many keys are remembered: of older messages none waits."""


class Reason(StrEnum):
    """Why something is told, or isn't."""

    OPENED = "opened"
    """Told: the owner doesn't know of it."""
    ESCALATED = "escalated"
    """Told: it has become critical."""
    GREW = "grew"
    """Told: the loss has doubled since the last message."""
    CLOSED = "closed"
    """Told: no more such fills."""
    ACKNOWLEDGED = "acknowledged"
    """The owner has said that he knows: told once, then no reminder comes."""
    REMINDER = "reminder"
    """Told: nobody has acknowledged it."""
    SILENCED = "silenced"
    """Kept: the owner has asked for silence."""
    LIKE_A_FALSE_ALARM = "like_a_false_alarm"
    """Kept: a warning like what the owner has called harmless, and no more lost than then."""
    TOO_SOON = "too_soon"
    """The loss has doubled, but so soon after the last message that it waits."""
    NOTHING_NEW = "nothing_new"
    """All is told."""


class Decision(NamedTuple):
    """What to tell, and the reason."""

    what: str | None
    """Of `message.WHATS`; None: nothing."""
    reason: Reason


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an incident's owner has been told of it so far."""

    count: int = 0
    """Messages; 0: it was kept from him on purpose ..."""
    kept_by: str = ""
    """... for this reason."""
    loss: float | None = None
    """Loss in the last one; None where it was unknown."""
    currency: str | None = None
    symbols: tuple[str, ...] = ()
    kind: str = ""
    """What it resembled in the last one."""
    escalated: bool = False
    closed: bool = False
    at_ns: int = 0
    """When the last one was posted."""
    rang_ns: int = 0
    """When the last one was posted that didn't only change an earlier one."""
    reminders: int = 0
    """Since the alert, or since it became critical."""
    acknowledged: bool = False
    keys: tuple[str, ...] = ()
    """Of the last messages: one that still waits is replaced, not followed."""
    history: tuple[Step, ...] = ()
    fills: tuple[dict[str, Any], ...] = ()
    """The worst, as rows of `scores.parquet`: so that a changed message still shows them."""
    harmless: Pattern | None = None
    """What its owner has called a false alarm."""


def is_grave(incident: Mapping[str, Any]) -> bool:
    """Tell whether an incident is critical by now."""
    return incident["severity"] == "critical" or incident.get("escalated_at") is not None


def decide(
    incident: Mapping[str, Any],
    told: Told | None,
    marks: Sequence[Mark],
    silences: Sequence[Silence],
    now_ns: int,
    *,
    like_a_false_alarm: bool = False,
) -> Decision:
    """Say what to tell now.

    Parameters
    ----------
    incident
        One object of `incidents.jsonl`, as it is.
    told
        What its owner knows; None: it is new.
    marks
        What he has said of it.
    silences
        Those that there are; whether they hold, and hold for this, is found out here.
    now_ns
        The time.
    like_a_false_alarm
        Whether it is like what he has called harmless (`harmless.is_like`).
    """
    if told is None or told.count == 0:
        news = _first(incident, told, like_a_false_alarm=like_a_false_alarm)
    else:
        news = _later(incident, told, marks, now_ns)
    if news.what is not None and is_silenced(incident, silences, now_ns):
        return Decision(None, Reason.SILENCED)
    return news


def is_silenced(incident: Mapping[str, Any], silences: Sequence[Silence], now_ns: int) -> bool:
    """Tell whether the owner has asked for silence about this. Of a critical one only where he said so."""
    grave = is_grave(incident)
    return any(
        silence.in_force(now_ns) and silence.covers(incident) and (silence.forced or not grave)
        for silence in silences
    )


def _first(incident: Mapping[str, Any], told: Told | None, *, like_a_false_alarm: bool) -> Decision:
    if told is not None and told.kept_by == Reason.SILENCED and incident.get("closed_at") is not None:
        return Decision(None, Reason.NOTHING_NEW)  # he asked for silence until it was over
    if like_a_false_alarm and not is_grave(incident):
        return Decision(None, Reason.LIKE_A_FALSE_ALARM)
    return Decision("opened", Reason.OPENED)


def _later(incident: Mapping[str, Any], told: Told, marks: Sequence[Mark], now_ns: int) -> Decision:
    if incident.get("escalated_at") is not None and not told.escalated:
        return Decision("escalated", Reason.ESCALATED)
    if marks and not told.acknowledged:
        return Decision("acknowledged", Reason.ACKNOWLEDGED)
    if incident.get("closed_at") is not None and not told.closed:
        return Decision("closed", Reason.CLOSED)
    loss, before = words.as_float(incident.get("loss")), told.loss or 0.0
    if loss > 0 and loss >= GROWTH * before:
        if now_ns >= told.at_ns + GROWTH_PAUSE_NS:
            return Decision("grew", Reason.GREW)
        return Decision(None, Reason.TOO_SOON)
    if told.acknowledged:
        return Decision(None, Reason.ACKNOWLEDGED)
    due_ns = reminder_ns(incident, told)
    if due_ns is not None and now_ns >= due_ns:
        return Decision("reminder", Reason.REMINDER)
    return Decision(None, Reason.NOTHING_NEW)


# --- time ----------------------------------------------------------------------------------------


def reminder_ns(incident: Mapping[str, Any], told: Told) -> int | None:
    """Say when the next reminder is due; None: none comes.

    Of a warning none comes once it is over. Of a critical one they come until somebody acknowledges it:
    whoever slept through a drain must hear of it in the morning. What was told by a version that reminded
    of nothing has no keys.
    """
    grave = is_grave(incident)
    if not told.keys or told.acknowledged or (told.closed and not grave):
        return None
    first_ns = FIRST_REMINDER_NS["critical" if grave else "warning"]
    return told.rang_ns + min(first_ns << min(told.reminders, 20), LONGEST_REMINDER_NS)


def next_ns(
    incident: Mapping[str, Any],
    told: Told | None,
    decision: Decision,
    silences: Sequence[Silence],
    now_ns: int,
) -> int | None:
    """Say when to decide again though nothing happens; None: only when something does."""
    if decision.reason is Reason.SILENCED:
        return min(s.until_ns for s in silences if s.in_force(now_ns) and s.covers(incident))
    if told is None:
        return None
    if decision.reason is Reason.TOO_SOON:
        return told.at_ns + GROWTH_PAUSE_NS
    if told.count and incident.get("closed_at") is not None and not told.closed:
        return now_ns
    return reminder_ns(incident, told)


# --- what he knows after a message ---------------------------------------------------------------


def rings(what: str, told: Told | None) -> bool:
    """Tell whether a message must be a new one: what only changes an earlier one makes no sound.

    What grows though the owner took note of it isn't what he took note of.
    """
    return what in ("opened", "escalated", "reminder") or (
        what == "grew" and told is not None and told.acknowledged
    )


def after_telling(
    incident: Mapping[str, Any],
    told: Told | None,
    what: str,
    key: str,
    now_ns: int,
    fills: tuple[dict[str, Any], ...] = (),
) -> Told:
    """Give what the owner knows after a message of an incident as it is."""
    told = told or Told()
    rang_ns = now_ns if rings(what, told) else told.rang_ns
    keys = (*told.keys, key)[-KEYS:] if key else told.keys
    if what == "reminder":  # it says nothing new
        return msgspec.structs.replace(
            told, count=told.count + 1, reminders=told.reminders + 1, rang_ns=rang_ns, keys=keys
        )
    loss = _known(incident.get("loss"))
    currency = incident.get("loss_currency")
    return Told(
        count=told.count + 1,
        loss=loss,
        currency=currency,
        symbols=tuple(incident["symbols"]),
        kind=incident["kind_now"],
        escalated=incident.get("escalated_at") is not None,
        closed=told.closed or what == "closed",
        at_ns=now_ns,
        rang_ns=rang_ns,
        reminders=0 if what in ("opened", "escalated") else told.reminders,
        acknowledged=told.acknowledged or what == "acknowledged",
        keys=keys,
        history=(*told.history, Step(what=what, at_ms=now_ns / 1e6, loss=loss, currency=currency))[-STEPS:],
        fills=fills,
        harmless=told.harmless,
    )


def _known(value: object) -> float | None:
    number = words.as_float(value)
    return number if number == number else None  # noqa: PLR0124 NaN isn't itself
