"""Counts of what was and wasn't looked at."""

from __future__ import annotations

from drainwatch.keys.leaks.tally import EXAMPLES, Skipped, Tally


def test_all_is_counted_and_few_are_named() -> None:
    tally = Tally()
    for n in range(10):
        tally.skip(Skipped.BINARY, f"{n}.png")
    assert tally.skipped == {Skipped.BINARY: 10}
    assert tally.examples == {Skipped.BINARY: ["0.png", "1.png", "2.png"][:EXAMPLES]}


def test_what_the_owner_chose_leaves_no_doubt_what_failed_does() -> None:
    tally = Tally()
    for why in (
        Skipped.BINARY,
        Skipped.LARGE,
        Skipped.LINK,
        Skipped.SPECIAL,
        Skipped.FOREIGN,
        Skipped.EXCLUDED,
    ):
        tally.skip(why, "x")
    assert tally.complete
    for why in (Skipped.UNREADABLE, Skipped.REPOSITORY):
        failed = Tally()
        failed.skip(why, "x")
        assert not failed.complete


def test_the_time_is_up_once_and_for_all() -> None:
    now = [0.0]
    tally = Tally(5.0, lambda: now[0])
    assert not tally.out_of_time()
    now[0] = 5.0
    assert tally.out_of_time()
    now[0] = 0.0
    assert tally.out_of_time()
    assert not tally.complete
    assert not Tally(None).out_of_time()
