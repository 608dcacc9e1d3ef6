"""What the view is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.watch.view import IncidentView, StreamState, StreamView, ViewState, age

S = 1_000_000_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"), (3.24, "3.2 s"), (59.94, "59.9 s"), (59.96, "1 min"), (3_000, "50 min"), (3_599, "1 h"),
        (86_400, "24 h"), (200_000, "2 d"), (10**12, "9999 d"), (-5, "0.0 s"),
    ],
)  # fmt: skip
def test_age(seconds: float, said: str) -> None:
    assert age(0, int(seconds * S)) == said


def test_age_of_what_never_was() -> None:
    assert age(None, S) == "-"


@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62))
def test_age_is_short(then_ns: int, now_ns: int) -> None:
    assert len(age(then_ns, now_ns)) <= 6


def test_a_watch_is_well_while_it_hears_all_and_has_found_nothing() -> None:
    live = StreamView(name="a", state=StreamState.LIVE)
    state = ViewState(now_ns=0, since_ns=0, streams=(live,))
    assert state.is_well
    incident = IncidentView(
        id="1", severity="warning", account="a", exchange="b", symbols=(), opened_ns=0, fills=1
    )
    assert not ViewState(now_ns=0, since_ns=0, streams=(live,), incidents=(incident,)).is_well
    for deaf in (StreamState.SILENT, StreamState.CLOSED, StreamState.REFUSED, StreamState.CONNECTING):
        streams = (live, StreamView(name="b", state=deaf))
        assert not ViewState(now_ns=0, since_ns=0, streams=streams).is_well
