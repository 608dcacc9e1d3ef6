"""Silence is news when it is much longer than usual, once; rests of an owner are not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.watch.silence import ACTIVITY, PUBLIC, Habit, Silence, Voice

S = 1_000_000_000
MINUTE = 60 * S
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_750_000_000 * S
MAIN = Voice("binance", "main")
BOOKS = Voice("binance", stream="binance public")


def play(silence: Silence, voice: Voice, times: list[int]) -> list[Notice]:
    """Let a voice be heard at these times, asking at each deadline before."""
    said = []
    for ts_ns in times:
        deadline_ns = silence.next_deadline_ns
        if deadline_ns is not None and deadline_ns <= ts_ns:
            said += silence.due(deadline_ns)
        silence.heard(voice, ts_ns)
        said += silence.due(ts_ns)
    return said


def every(step_ns: int, for_ns: int, start_ns: int = START) -> list[int]:
    return list(range(start_ns, start_ns + for_ns, step_ns))


def test_a_bot_that_trades_each_minute_is_missed_after_a_quarter_of_an_hour() -> None:
    silence = Silence()
    times = every(MINUTE, 4 * DAY)
    assert play(silence, MAIN, times) == []
    assert silence.next_deadline_ns == times[-1] + 15 * MINUTE
    assert silence.due(times[-1] + 15 * MINUTE - 1) == []
    (notice,) = silence.due(times[-1] + 15 * MINUTE)
    assert notice.kind is NoticeKind.SILENCE
    assert (notice.exchange, notice.account, notice.since_ns) == ("binance", "main", times[-1])
    assert notice.until_ns is None
    assert "No trade of the account 'main' at binance for 15 min" in notice.text
    assert "the longest usual pause is 60 s" in notice.text


def test_it_is_said_once_and_its_end_once() -> None:
    silence = Silence()
    times = every(MINUTE, 4 * DAY)
    play(silence, MAIN, times)
    assert len(silence.due(times[-1] + HOUR)) == 1
    deadlines = [silence.next_deadline_ns]
    assert silence.due(times[-1] + 2 * HOUR) == []
    back_ns = times[-1] + 3 * HOUR
    silence.heard(MAIN, back_ns)
    deadlines.append(silence.next_deadline_ns)
    assert deadlines == [None, back_ns]
    (again,) = silence.due(back_ns)
    assert (again.kind, again.since_ns, again.until_ns) == (NoticeKind.SILENCE, times[-1], back_ns)
    assert "heard again" in again.text
    assert "3 h of silence" in again.text
    assert silence.due(back_ns) == []


def test_nothing_is_said_before_what_is_usual_is_known() -> None:
    few = Silence()
    play(few, MAIN, every(3 * HOUR, 80 * HOUR))
    assert few.usual_s(MAIN, START + 90 * DAY) is None  # 27 fills in more than 3 days
    assert few.next_deadline_ns is None
    short = Silence()
    play(short, MAIN, every(MINUTE, 2 * DAY))
    assert short.next_deadline_ns is None
    assert short.patience_s(MAIN, START + 2 * DAY) is None
    assert Silence().usual_s(MAIN, START) is None


def test_nights_and_rests_are_usual() -> None:
    silence = Silence()
    days = [start + t for start in every(DAY, 20 * DAY) for t in range(0, 16 * HOUR, 10 * MINUTE)]
    assert play(silence, MAIN, days) == []
    assert silence.usual_s(MAIN, days[-1]) == pytest.approx(8 * 3600 + 600)
    assert silence.next_deadline_ns == days[-1] + 3 * (8 * HOUR + 10 * MINUTE)


def test_who_may_rest_for_days_is_never_missed() -> None:
    silence = Silence()
    times = [start + t for start in every(2 * DAY, 60 * DAY) for t in range(0, HOUR, 10 * MINUTE)]
    assert play(silence, MAIN, times) == []
    assert silence.usual_s(MAIN, times[-1]) is not None
    assert silence.patience_s(MAIN, times[-1]) is None
    assert silence.due(times[-1] + 300 * DAY) == []


def test_a_long_pause_is_forgotten_after_a_fortnight() -> None:
    silence = Silence()
    times = [*every(MINUTE, 4 * DAY), *every(MINUTE, 13 * DAY, START + 4 * DAY + 2 * HOUR)]
    play(silence, MAIN, times[: 4 * 24 * 60 + 1])
    assert len(play(silence, MAIN, times[4 * 24 * 60 + 1 :])) == 0
    assert silence.usual_s(MAIN, times[-1]) == 15 * 60  # learned only as far as it wasn't news
    play(silence, MAIN, every(MINUTE, 3 * DAY, times[-1] + MINUTE))
    assert silence.usual_s(MAIN, times[-1] + 3 * DAY) == 60


def test_an_outage_does_not_make_the_next_one_unheard() -> None:
    silence, at_ns = Silence(), START
    for expected_min in (15, 45, 135):
        times = every(MINUTE, 4 * DAY, at_ns)
        play(silence, MAIN, times)
        patience_s = silence.patience_s(MAIN, times[-1])
        assert patience_s is not None
        assert patience_s <= expected_min * 60
        at_ns = times[-1] + 10 * HOUR
        assert len(silence.due(at_ns - 1)) == 1


def test_each_voice_is_known_for_itself() -> None:
    silence = Silence()
    other = Voice("binance", "other")
    for ts_ns in every(MINUTE, 4 * DAY):
        silence.heard(MAIN, ts_ns)
        silence.heard(other, ts_ns)
    last_ns = START + 4 * DAY - MINUTE
    silence.heard(other, last_ns + 10 * MINUTE)
    assert [notice.account for notice in silence.due(last_ns + 20 * MINUTE)] == ["main"]
    assert [notice.account for notice in silence.due(last_ns + DAY)] == ["other"]


def test_a_public_stream_is_missed_after_a_minute_when_it_is_lively() -> None:
    silence = Silence()
    times = every(S, 2 * HOUR)
    play(silence, BOOKS, times)
    (notice,) = silence.due(times[-1] + MINUTE)
    assert notice.stream == "binance public"
    assert "Nothing from the stream binance public" in notice.text
    assert silence.due(times[-1] + 2 * MINUTE) == []
    silence.heard(BOOKS, times[-1] + 3 * MINUTE)
    assert "The stream binance public is heard again" in silence.due(times[-1] + 3 * MINUTE)[0].text


def test_what_is_known_to_be_away_is_no_news_and_teaches_nothing() -> None:
    silence = Silence()
    times = every(S, 2 * HOUR)
    play(silence, BOOKS, times)
    silence.stopped(BOOKS)
    silence.stopped(Voice("nobody"))
    assert silence.next_deadline_ns is None
    assert silence.due(times[-1] + HOUR) == []
    play(silence, BOOKS, every(S, HOUR, times[-1] + HOUR))
    assert silence.usual_s(BOOKS, times[-1] + 2 * HOUR) == 1
    assert len(silence.due(times[-1] + 2 * HOUR + MINUTE)) == 1


def test_after_a_stop_of_the_watch_nothing_is_told_before_one_has_listened() -> None:
    before = Silence()
    times = every(MINUTE, 4 * DAY)
    play(before, MAIN, times)
    silence = Silence()
    silence.restore(before.snapshot())
    assert silence.snapshot() == before.snapshot()
    now_ns = times[-1] + 2 * DAY
    silence.listen(now_ns)
    assert silence.due(now_ns + MINUTE) == []
    assert silence.next_deadline_ns == now_ns + 15 * MINUTE
    assert len(silence.due(now_ns + 15 * MINUTE)) == 1


@pytest.mark.parametrize("snapshot", [b"", b"{}", b'[["a",1]]', b"\xff"])
def test_a_snapshot_of_something_else_is_refused(snapshot: bytes) -> None:
    with pytest.raises(StateError, match="silence"):
        Silence().restore(snapshot)


def test_fills_that_come_late_or_twice_change_nothing() -> None:
    silence = Silence()
    times = every(MINUTE, 4 * DAY)
    play(silence, MAIN, times)
    before = silence.snapshot()
    for ts_ns in (times[-1], times[-5], START - DAY):
        silence.heard(MAIN, ts_ns)
    assert silence.snapshot() == before


def test_memory_is_bounded() -> None:
    silence = Silence()
    rng = random.Random(1)
    ts_ns = START
    for _ in range(20_000):
        ts_ns += round(rng.expovariate(1 / (30 * MINUTE)))
        silence.heard(MAIN, ts_ns)
    assert len(silence._voices[MAIN].longest) <= 15
    assert len(silence.snapshot()) < 1000


@given(
    pauses=st.lists(st.integers(1, 3 * 24 * 3600), min_size=40, max_size=120),
    asked=st.lists(st.integers(0, 4 * 24 * 3600), min_size=1, max_size=5),
)
def test_what_is_said_is_true_and_once_a_pause(pauses: list[int], asked: list[int]) -> None:
    silence, ts_ns, said = Silence(), START, 0
    for pause_s in pauses:
        silence.heard(MAIN, ts_ns)
        for after_s in sorted(asked):
            if after_s < pause_s:
                now_ns = ts_ns + after_s * S
                deadline_ns = silence.next_deadline_ns
                notices = silence.due(now_ns)
                assert bool(notices) == (deadline_ns is not None and deadline_ns <= now_ns)
                for notice in notices:
                    if notice.until_ns is None:
                        said += 1
                        assert notice.since_ns == ts_ns
                        assert after_s >= ACTIVITY.floor_s
                        assert after_s >= ACTIVITY.factor * min(pauses)
        ts_ns += pause_s * S
    assert said <= len(pauses)


def test_habits_can_be_chosen() -> None:
    hasty = Silence(
        activity=Habit(factor=2.0, floor_s=1.0, ceiling_s=100.0, learn_s=10.0, fewest=5, remember_s=140.0),
        public=PUBLIC,
    )
    times = every(5 * S, 60 * S)
    play(hasty, MAIN, times)
    assert hasty.next_deadline_ns == times[-1] + 10 * S


@pytest.mark.slow
def test_honest_owners_are_missed_less_than_once_in_ten_months() -> None:
    import numpy as np

    from drainwatch.lab import scenario

    false, months = 0, 0
    for seed in range(1600, 1620):
        made = scenario.make(seed)
        for account in made.accounts[:1]:
            mine = made.fills[made.fills["account"] == account]["timestamp"].to_numpy().astype(np.int64)
            silence = Silence()
            times = [int(ms) * 1_000_000 for ms in np.unique(mine)]
            said = play(silence, MAIN, times)
            said += silence.due(int(made.trades["timestamp"].max()) * 1_000_000)
            false += sum(notice.until_ns is None for notice in said)
            months += 1
    assert months == 20
    assert false <= 2
