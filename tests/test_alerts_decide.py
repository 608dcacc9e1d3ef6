"""What is told of an incident, when, and for which reason."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts import decide
from drainwatch.alerts.decide import Decision, Reason, Told, after_telling
from drainwatch.events import NS_PER_S as S
from drainwatch.store import Mark, Silence
from report_fakes import START_MS, incident

MINUTE = 60 * S
WARNING: dict[str, Any] = {"severity": "warning"}
CLOSED: dict[str, Any] = {"closed_at": START_MS}
ESCALATED: dict[str, Any] = {"severity": "warning", "escalated_at": START_MS}
ACKNOWLEDGED = [Mark(incident="a1", what="acknowledged", at_ns=0)]
CALM = Silence(id="s", account="main", reason="moving house", from_ns=0, until_ns=10**18)
FORCED = Silence(id="s", account="main", reason="moving house", from_ns=0, until_ns=10**18, forced=True)


def told(at_ns: int = 0, what: str = "opened", before: Told | None = None, **changes: Any) -> Told:
    """What the owner knows after a message."""
    return after_telling(incident(**changes), before, what, f"a1/{what}/1", at_ns)


KEPT = Told(kept_by=Reason.SILENCED)
KEPT_LIKE = Told(kept_by=Reason.LIKE_A_FALSE_ALARM)
SEEN = told(what="acknowledged", before=told())


@pytest.mark.parametrize(
    ("changes", "known", "marks", "silences", "now_ns", "expected"),
    [
        # the first time
        ({}, None, [], [], 0, Decision("opened", Reason.OPENED)),
        ({"loss": None}, None, [], [], 0, Decision("opened", Reason.OPENED)),
        (CLOSED, None, [], [], 0, Decision("opened", Reason.OPENED)),
        (WARNING, None, [], [], 0, Decision("opened", Reason.OPENED)),
        (WARNING, None, [], [CALM], 0, Decision(None, Reason.SILENCED)),
        ({}, None, [], [CALM], 0, Decision("opened", Reason.OPENED)),
        (ESCALATED, None, [], [CALM], 0, Decision("opened", Reason.OPENED)),
        ({}, None, [], [FORCED], 0, Decision(None, Reason.SILENCED)),
        (WARNING | {"account": "other"}, None, [], [CALM], 0, Decision("opened", Reason.OPENED)),
        (WARNING, None, [], [CALM], 10**18, Decision("opened", Reason.OPENED)),
        # kept back before
        (WARNING, KEPT, [], [], 0, Decision("opened", Reason.OPENED)),
        (WARNING | CLOSED, KEPT, [], [], 0, Decision(None, Reason.NOTHING_NEW)),
        (WARNING | CLOSED, KEPT_LIKE, [], [], 0, Decision("opened", Reason.OPENED)),
        (WARNING, KEPT_LIKE, ACKNOWLEDGED, [], 0, Decision("opened", Reason.OPENED)),
        (ESCALATED, KEPT, [], [CALM], 0, Decision("opened", Reason.OPENED)),
        # later
        ({}, told(), [], [], 1, Decision(None, Reason.NOTHING_NEW)),
        ({"loss": 6.71}, told(), [], [], MINUTE, Decision(None, Reason.NOTHING_NEW)),
        ({"loss": 6.72}, told(), [], [], MINUTE, Decision("grew", Reason.GREW)),
        ({"loss": 6.72}, told(), [], [], 29 * S, Decision(None, Reason.TOO_SOON)),
        ({"loss": 0.1}, told(loss=None), [], [], MINUTE, Decision("grew", Reason.GREW)),
        ({"loss": None}, told(), [], [], MINUTE, Decision(None, Reason.NOTHING_NEW)),
        (WARNING | {"loss": 9.0}, told(**WARNING), [], [CALM], MINUTE, Decision(None, Reason.SILENCED)),
        (ESCALATED, told(**WARNING), [], [CALM], 0, Decision("escalated", Reason.ESCALATED)),
        (ESCALATED, told(**WARNING), [], [FORCED], 0, Decision(None, Reason.SILENCED)),
        (ESCALATED, SEEN, ACKNOWLEDGED, [], 0, Decision("escalated", Reason.ESCALATED)),
        (CLOSED, told(), [], [], 0, Decision("closed", Reason.CLOSED)),
        (CLOSED, told(what="closed", before=told()), [], [], 1, Decision(None, Reason.NOTHING_NEW)),
        # what the owner says
        ({}, told(), ACKNOWLEDGED, [], 1, Decision("acknowledged", Reason.ACKNOWLEDGED)),
        ({}, SEEN, ACKNOWLEDGED, [], 10**16, Decision(None, Reason.ACKNOWLEDGED)),
        ({"loss": 6.72}, SEEN, ACKNOWLEDGED, [], MINUTE, Decision("grew", Reason.GREW)),
        (CLOSED, SEEN, ACKNOWLEDGED, [], 1, Decision("closed", Reason.CLOSED)),
        # nobody has acknowledged it
        ({}, told(), [], [], 15 * MINUTE - 1, Decision(None, Reason.NOTHING_NEW)),
        ({}, told(), [], [], 15 * MINUTE, Decision("reminder", Reason.REMINDER)),
        ({}, told(), [], [FORCED], 15 * MINUTE, Decision(None, Reason.SILENCED)),
        (WARNING, told(**WARNING), [], [], 239 * MINUTE, Decision(None, Reason.NOTHING_NEW)),
        (WARNING, told(**WARNING), [], [], 240 * MINUTE, Decision("reminder", Reason.REMINDER)),
    ],
)
def test_what_is_told_has_a_reason(
    changes: dict[str, Any],
    known: Told | None,
    marks: list[Mark],
    silences: list[Silence],
    now_ns: int,
    expected: Decision,
) -> None:
    assert decide.decide(incident(**changes), known, marks, silences, now_ns) == expected


def test_like_a_false_alarm_is_kept_only_while_it_is_a_warning() -> None:
    kept = decide.decide(incident(**WARNING), None, [], [], 0, like_a_false_alarm=True)
    assert kept == (None, Reason.LIKE_A_FALSE_ALARM)
    for changes in ({}, ESCALATED):
        found = decide.decide(incident(**changes), None, [], [], 0, like_a_false_alarm=True)
        assert found == ("opened", Reason.OPENED)


def test_reminders_come_at_growing_pauses_until_somebody_acknowledges() -> None:
    """Whoever sleeps through a drain hears of it in the morning, and isn't woken by it a hundred times."""
    known, now_ns, at = told(), 0, list[float]()
    for _ in range(11):
        due_ns = decide.reminder_ns(incident(), known)
        assert due_ns is not None
        assert decide.decide(incident(), known, [], [], due_ns - 1).what is None
        assert decide.decide(incident(), known, [], [], due_ns).what == "reminder"
        at.append((due_ns - now_ns) / MINUTE)
        now_ns = due_ns
        known = after_telling(incident(), known, "reminder", "a1/reminder/2", due_ns)
    assert at == [15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440, 1440]
    assert decide.reminder_ns(incident(), after_telling(incident(), known, "acknowledged", "k", 0)) is None


def test_the_first_reminder_of_what_became_critical_comes_soon() -> None:
    known = told(**WARNING)
    for _ in range(3):
        known = after_telling(incident(**WARNING), known, "reminder", "k", 0)
    known = after_telling(incident(**ESCALATED), known, "escalated", "k", MINUTE)
    assert decide.reminder_ns(incident(**ESCALATED), known) == 16 * MINUTE


def test_a_warning_that_is_over_is_not_reminded_of_but_a_critical_one_is() -> None:
    for changes, expected in ((WARNING, None), ({}, 15 * MINUTE), (ESCALATED, 15 * MINUTE)):
        known = told(what="closed", before=told(**changes), **changes)
        assert decide.reminder_ns(incident(**changes | CLOSED), known) == expected


def test_what_an_earlier_version_told_is_not_reminded_of() -> None:
    assert decide.reminder_ns(incident(), Told(count=2, loss=1.0, at_ns=5)) is None


def test_only_what_must_be_heard_rings() -> None:
    assert [what for what in ("opened", "grew", "escalated", "closed", "acknowledged", "reminder")
            if decide.rings(what, told())] == ["opened", "escalated", "reminder"]  # fmt: skip
    assert decide.rings("grew", SEEN), "what grows isn't what the owner took note of"


@pytest.mark.parametrize(
    ("changes", "known", "silences", "expected"),
    [
        ({}, told(), [], 15 * MINUTE),
        ({"loss": 99.0}, told(), [], 30 * S),
        (WARNING, KEPT, [CALM], 10**18),
        (CLOSED, told(), [], 1),
        ({}, SEEN, [], None),
        (WARNING, KEPT_LIKE, [], None),
    ],
)
def test_it_is_decided_again_in_time(
    changes: dict[str, Any], known: Told, silences: list[Silence], expected: int | None
) -> None:
    made = incident(**changes)
    marks = ACKNOWLEDGED if known.acknowledged else []
    decision = decide.decide(made, known, marks, silences, 1, like_a_false_alarm=known is KEPT_LIKE)
    assert decide.next_ns(made, known, decision, silences, 1) == expected


@given(st.lists(st.floats(0.0, 1.2), max_size=60))
def test_a_growing_loss_is_told_seldom(steps: list[float]) -> None:
    """However it grows: not more often than it doubles, and what is told is never half of what is lost."""
    first = loss = 0.001
    known, now_ns = told(loss=loss), 0
    for step in steps:
        now_ns += 31 * S
        loss *= 1 + step
        made = incident(loss=loss)
        if decide.decide(made, known, ACKNOWLEDGED, [], now_ns).what == "grew":
            known = after_telling(made, known, "grew", "k", now_ns)
        known = after_telling(made, known, "acknowledged", "k", now_ns) if not known.acknowledged else known
    assert known.count <= 3 + math.log2(loss / first)
    assert loss < 2 * (known.loss or 0.0)


def test_what_was_told_is_bounded() -> None:
    known = told()
    for number in range(100):
        known = after_telling(incident(), known, "grew", f"k{number}", number)
    assert len(known.keys) == decide.KEYS
    assert known.keys[-1] == "k99"
    assert len(known.history) <= 10
