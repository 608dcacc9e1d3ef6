"""No limit of a service is broken, and a critical finds room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.pace import Limit, Pace, limits_of
from drainwatch.events import NS_PER_S as S

URL = "https://chat.example/x"


@pytest.mark.parametrize(
    ("channel", "limits"),
    [
        (Channel(name="a", kind="slack", url=URL), {(1, S)}),
        (Channel(name="a", kind="discord", url=URL), {(5, 2 * S), (30, 60 * S)}),
        (Channel(name="a", kind="telegram", url=URL, chat_id="-100"), {(1, S), (20, 60 * S)}),
        (Channel(name="a", kind="telegram", url=URL, chat_id="@club"), {(1, S), (20, 60 * S)}),
        (Channel(name="a", kind="telegram", url=URL, chat_id="5"), {(1, S)}),
        (Channel(name="a", kind="webhook", url=URL), set()),
    ],
)
def test_each_service_has_its_documented_limits(channel: Channel, limits: set[tuple[int, int]]) -> None:
    assert {tuple(limit) for limit in limits_of(channel)} == limits


LIMITS = (Limit(1, S), Limit(20, 60 * S)), (Limit(5, 2 * S), Limit(30, 60 * S)), (Limit(1, S),)


@given(st.sampled_from(LIMITS), st.lists(st.tuples(st.booleans(), st.integers(0, 5 * S)), max_size=120))
def test_no_window_ever_holds_too_many(limits: tuple[Limit, ...], wishes: list[tuple[bool, int]]) -> None:
    """Of those that can wait never more than half, so that there is room for what can't."""
    pace, now_ns, sent = Pace(limits), 0, list[tuple[int, bool]]()
    for urgent, pause_ns in wishes:
        now_ns = max(now_ns + pause_ns, pace.ready_ns(now_ns + pause_ns, urgent=urgent))
        pace.note(now_ns, urgent=urgent)
        sent.append((now_ns, urgent))
    for at_ns, _ in sent:
        for count, span_ns in limits:
            window = [urgent for other, urgent in sent if at_ns - span_ns < other <= at_ns]
            assert len(window) <= count
            assert window.count(False) <= max(count // 2, 1)


def test_after_any_number_of_warnings_a_critical_waits_a_second_at_most() -> None:
    pace, now_ns = Pace(LIMITS[0]), 0
    for _ in range(500):
        now_ns = max(now_ns, pace.ready_ns(now_ns, urgent=False))
        pace.note(now_ns, urgent=False)
    assert pace.ready_ns(now_ns, urgent=True) - now_ns <= 1.1 * S


def test_without_limits_nothing_waits() -> None:
    pace = Pace(())
    pace.note(5, urgent=False)
    assert pace.ready_ns(5, urgent=False) <= 5


def test_a_clock_that_is_set_back_does_not_stop_it() -> None:
    pace = Pace((Limit(1, S),))
    pace.note(10**18, urgent=False)
    assert pace.ready_ns(5, urgent=True) == 0
    assert pace.ready_ns(5, urgent=False) == 0
