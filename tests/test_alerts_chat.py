"""What is told of an incident, and when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts import chat
from report_fakes import START_MS, incident

S = 1_000_000_000


def test_the_first_alert_is_told_at_once_and_once() -> None:
    made = incident(loss=None, equity_share=None)
    assert chat.what_to_tell(made, None, 0) == "opened"
    told = chat.after_telling(made, None, 0)
    assert told == chat.Told(count=1)
    assert chat.what_to_tell(made, told, 10**6 * S) is None


def test_growth_is_told_when_the_loss_has_doubled_and_a_while_has_passed() -> None:
    told = chat.after_telling(incident(loss=10.0), None, 0)
    assert chat.what_to_tell(incident(loss=19.9), told, 31 * S) is None
    assert chat.what_to_tell(incident(loss=20.0), told, 29 * S) is None
    assert chat.what_to_tell(incident(loss=20.0), told, 30 * S) == "grew"
    told = chat.after_telling(incident(loss=25.0), told, 30 * S)
    assert (told.count, told.loss) == (2, 25.0)
    assert chat.what_to_tell(incident(loss=49.0), told, 99 * S) is None
    assert chat.what_to_tell(incident(loss=50.0), told, 99 * S) == "grew"


@pytest.mark.parametrize("before", [None, 0.0, -1.0])
def test_a_loss_that_becomes_known_is_growth(before: float | None) -> None:
    told = chat.after_telling(incident(loss=before), None, 0)
    assert chat.what_to_tell(incident(loss=0.5), told, 60 * S) == "grew"
    assert chat.what_to_tell(incident(loss=before), told, 60 * S) is None
    assert chat.what_to_tell(incident(loss=math.nan), told, 60 * S) is None


def test_escalation_and_the_end_are_told_at_once_and_once() -> None:
    told = chat.after_telling(incident(severity="warning"), None, 0)
    worse = incident(severity="warning", escalated_at=START_MS + 60_000)
    assert chat.what_to_tell(worse, told, 1) == "escalated"
    told = chat.after_telling(worse, told, 1)
    assert chat.what_to_tell(worse, told, 2) is None
    ended = worse | {"closed_at": START_MS + 10**7}
    assert chat.what_to_tell(ended, told, 2) == "closed"
    told = chat.after_telling(ended, told, 2)
    assert chat.what_to_tell(ended | {"loss": 10**9}, told, 10**6 * S) is None


def test_what_one_message_says_needs_no_second() -> None:
    """After a pause of the watch an incident may be over when it is first seen."""
    over = incident(severity="warning", escalated_at=START_MS, closed_at=START_MS + 1)
    assert chat.what_to_tell(over, None, 0) == "opened"
    assert chat.what_to_tell(over, chat.after_telling(over, None, 0), 10**6 * S) is None


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_a_growing_loss_is_told_seldom(steps: list[float]) -> None:
    """However many fills a drain has: no more messages than the loss doubles, and one."""
    told, loss, first = None, 1.0, 1.0
    for number, step in enumerate(steps):
        loss += step
        made = incident(loss=loss)
        if number == 0:
            first = loss
        if chat.what_to_tell(made, told, number * 60 * S) is not None:
            told = chat.after_telling(made, told, number * 60 * S)
    assert told is not None
    assert told.count <= 1 + math.log2(loss / first) + 1e-9
    assert loss < 2 * (told.loss or 0.0)
