"""An owner's own bad fills: what counts as one, and how long alarms after it are right."""

from __future__ import annotations

from bench_fakes import fill, scenario_like
from drainwatch.lab.truth import own_bad_fills, spared


def test_an_owners_bad_fill_is_labelled_or_far_off_and_dear() -> None:
    made = scenario_like(
        fill(0, bad=True),
        fill(1, 101.51, 0.5),  # 1.5 % off and 0.05 % of equity: just so
        fill(2, 101.4, 50.0),  # dear, but near
        fill(3, 150.0, 0.4),  # far off, but cheap
        fill(4, 98.0, 5.0, side="sell"),
        fill(5, 98.0, 5.0),  # bought below fair
        fill(6, 150.0, 50.0, drain=True),  # the thief's
    )
    assert own_bad_fills(made).tolist() == [True, True, False, False, True, False, False]


def test_a_bad_order_that_is_filled_in_pieces_is_one_bad_order() -> None:
    pieces = [fill(hour, 110.0, 0.2, order="dust") for hour in (0, 0, 0)]
    made = scenario_like(*pieces, fill(1, 110.0, 0.2), fill(2, 100.1, 0.2, order="dust"))
    assert own_bad_fills(made).tolist() == [True, True, True, False, False]


def test_a_day_after_an_own_bad_fill_is_spared_in_that_account_only() -> None:
    made = scenario_like(
        fill(0), fill(1, bad=True), fill(2), fill(2, account="b"), fill(25), fill(25.1), fill(26, account="b")
    )  # fmt: skip
    assert spared(made).tolist() == [False, True, True, False, True, False, False]


def test_in_a_farm_a_fill_is_dear_by_its_own_account() -> None:
    made = scenario_like(fill(0, 103.0, 0.3), fill(1, 103.0, 0.3, account="b"))
    assert own_bad_fills(made).tolist() == [False, False]
    made.accounts = ("a", "b")  # of half the equity each
    assert own_bad_fills(made).tolist() == [True, True]
