"""When a clock is said to be wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drainwatch.notices import Notice, NoticeKind
from drainwatch.venues.skew import Skew, refused_for_time

S = 1_000_000_000
DAY = 86_400 * S


def heard(skew: Skew, offset_ns: int, start_ns: int = DAY, count: int = 10) -> list[Notice]:
    """Ten stamps, 5 s apart, all off by as much (positive: from the past)."""
    times = [start_ns + 5 * S * n for n in range(count)]
    return [notice for now in times if (notice := skew.saw(now - offset_ns, now)) is not None]


def test_a_slow_clock_is_told_once() -> None:
    skew = Skew("binance", "binance private", "main")
    (notice,) = heard(skew, -3 * S)
    assert notice.kind is NoticeKind.CLOCK_SKEW
    assert "3.0 s behind" in notice.text
    assert (notice.exchange, notice.stream, notice.account) == ("binance", "binance private", "main")
    assert heard(skew, -3 * S, DAY + 100 * S) == []


def test_a_fast_clock_is_told() -> None:
    (notice,) = heard(Skew("x", "x public"), 2 * S)
    assert "2.0 s ahead" in notice.text


def test_it_is_told_again_after_the_clocks_agreed() -> None:
    skew = Skew("x", "x public")
    assert len(heard(skew, -2 * S)) == 1
    assert heard(skew, 0, DAY + 100 * S, 20) == []
    assert len(heard(skew, -2 * S, DAY + 300 * S, 20)) == 1


def test_one_stamp_that_agrees_is_enough_for_its_stretch() -> None:
    skew = Skew("x", "x public")
    stamps = [(DAY + n * S, 0 if n == 7 else -5 * S) for n in range(31)]
    assert all(skew.saw(now - offset, now) is None for now, offset in stamps)
    assert skew.behind_ns == 0


@given(st.lists(st.integers(-S, S), max_size=60))
def test_clocks_within_a_second_are_never_told_of(offsets: list[int]) -> None:
    skew = Skew("x", "x public")
    assert all(skew.saw(DAY + n * S - offset, DAY + n * S) is None for n, offset in enumerate(offsets))


def test_a_refusal_without_a_known_offset_is_told_too() -> None:
    skew = Skew("x", "x private")
    notice = skew.tell(None, DAY)
    assert notice is not None
    assert "refuses" in notice.text
    assert skew.tell(None, DAY) is None
    assert refused_for_time("x", "main", "x private", DAY).kind is NoticeKind.CLOCK_SKEW
