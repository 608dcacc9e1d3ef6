"""The journal is held around an incident's fills, to the end of their surroundings, and no further."""

from __future__ import annotations

import msgspec

from drainwatch.events import NS_PER_S, FillKey
from drainwatch.incidents import Member
from drainwatch.rows import Quote
from drainwatch.watch.around import MOST_FILLS, Around, spans

STEP_S = 20
"""Between entries."""


class Journal:
    """Entries of one quote each, numbered from 1."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.held: list[tuple[int, int]] = []

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        if number >= self.count:
            return None
        at = (number + 1) * STEP_S * NS_PER_S
        row = Quote(exchange="x", symbol="A/B", ts_ns=at, bid=1.0, ask=2.0)
        return number + 1, msgspec.msgpack.encode([(at, row)])

    def hold_entries(self, first: int, last: int) -> None:
        self.held.append((first, last))


def member(at_s: int, incident: str = "i") -> Member:
    return Member(incident, "x", "a", FillKey("A/B", str(at_s), None, "buy"), at_s * NS_PER_S, None, None)


def test_a_minute_before_and_after_is_held() -> None:
    journal = Journal(100)
    around = Around(journal)
    around.add([member(1_000), member(1_010), member(200)])
    around.hold(100)
    assert journal.held == [(7, 14), (47, 54)]  # 140 to 260+ s, 940 to 1070+ s
    around.forget(100 * STEP_S * NS_PER_S)
    around.hold(100)
    assert len(journal.held) == 2


def test_what_comes_after_the_fill_is_held_when_it_has_come() -> None:
    """The state may be saved seconds after a bad fill; what the market did next would be dropped."""
    journal = Journal(50)
    around = Around(journal)
    around.add([member(1_000)])
    around.hold(50)
    around.forget(50 * STEP_S * NS_PER_S)
    assert journal.held == [(47, 50)]
    journal.count = 60
    around.hold(60)
    around.forget(60 * STEP_S * NS_PER_S)
    assert journal.held[1:] == [(47, 54)]
    around.hold(60)
    assert len(journal.held) == 2


def test_a_bleed_of_months_does_not_keep_months() -> None:
    journal = Journal(100)
    around = Around(journal)
    around.add([member(200)] * MOST_FILLS)
    around.add([member(1_000)])
    around.add([member(1_600, "other")])
    around.hold(100)
    assert journal.held == [(7, 14), (77, 84)]


def test_nothing_is_held_of_an_empty_journal() -> None:
    journal = Journal(0)
    around = Around(journal)
    around.add([member(5)])
    around.hold(0)
    assert journal.held == []


def test_stretches_that_touch_are_one() -> None:
    assert spans([(5, 6), (1, 2), (2, 4), (8, 9), (1, 1)]) == [(1, 4), (5, 6), (8, 9)]
