"""Habit features: what is rare for this account, once its habits are known, and only then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.events import FORCED, Liquidity
from streams import DAY_S, HOUR_S, Outcome, Tape, judge


def habitual(
    n: int = 60, *, last: dict[str, Any] | None = None, at: float | None = None, **usual: Any
) -> Outcome:
    """An account that trades once a day at ten, and then a last fill as told."""
    tape = Tape()
    for day in range(n):
        tape.fill(day * DAY_S + 10 * HOUR_S, "ETH/USDT", 1 if day % 2 else -1, 3000.0, **usual)
    tape.fill(at or n * DAY_S + 10 * HOUR_S, "ETH/USDT", 1, 3000.0, **(usual | (last or {})))
    return judge(tape)


def test_nothing_is_rare_for_an_account_that_is_not_known_yet() -> None:
    outcome = habitual(11, liquidity=Liquidity.TAKER)
    for name in ("hour_rarity", "prefix_rarity", "liquidity_rarity", "dormancy"):
        assert np.isnan(outcome.feature(name)[:-1]).all(), name
    known = habitual(40, liquidity=Liquidity.TAKER)
    for name in ("hour_rarity", "prefix_rarity", "liquidity_rarity", "dormancy"):
        assert np.isfinite(known.feature(name)[-1]), name


@pytest.mark.parametrize("hour", range(24))
def test_an_hour_is_rare_if_orders_are(hour: int) -> None:
    """At ten it always trades, at nine or eleven it could; in any other hour, midnight too, it never did."""
    rarity = habitual(at=(61 * 24 + hour) * HOUR_S).feature("hour_rarity")[-1]
    if hour == 10:
        assert rarity < 1.0
    elif abs(hour - 10) == 1:
        assert rarity < 2.0
    else:
        assert rarity > 3.5


def test_rarity_is_minus_the_logarithm_of_the_share() -> None:
    """Of 300 orders two thirds taken, one third made, a tenth under another prefix."""
    tape = Tape()
    for i in range(300):
        liquidity = Liquidity.MAKER if i % 3 == 0 else Liquidity.TAKER
        tape.fill(
            600 * i,
            "ETH/USDT",
            1 if i % 2 else -1,
            3000.0,
            liquidity=liquidity,
            client_prefix=2 if i % 10 == 0 else 1,
        )
    for i, (liquidity, prefix) in enumerate(
        [(Liquidity.MAKER, 2), (Liquidity.TAKER, 1), (Liquidity.TAKER, 3)]
    ):
        tape.fill(180_000 + 600 * i, "ETH/USDT", 1, 3000.0, liquidity=liquidity, client_prefix=prefix)
    outcome = judge(tape)
    np.testing.assert_allclose(
        outcome.feature("liquidity_rarity")[300:302], -np.log([1 / 3, 2 / 3]), atol=0.05
    )
    np.testing.assert_allclose(outcome.feature("prefix_rarity")[300:302], -np.log([0.1, 0.9]), atol=0.05)
    assert outcome.feature("prefix_rarity")[302] > 5.0


def test_an_absent_prefix_is_a_habit_as_well() -> None:
    assert habitual(client_prefix=0, last={"client_prefix": 7}).feature("prefix_rarity")[-1] > 3.5
    assert habitual(client_prefix=7, last={"client_prefix": 0}).feature("prefix_rarity")[-1] > 3.5
    assert habitual(client_prefix=0).feature("prefix_rarity")[-1] < 0.1


def test_an_unknown_class_of_liquidity_is_not_rare() -> None:
    assert np.isnan(
        habitual(liquidity=Liquidity.TAKER, last={"liquidity": Liquidity.UNKNOWN}).feature(
            "liquidity_rarity"
        )[-1]
    )


def test_waking_up_after_a_long_sleep() -> None:
    usual = habitual().feature("dormancy")
    assert usual[-1] < 0.5
    assert (usual[~np.isnan(usual)] >= 0.0).all()
    assert habitual(at=150 * DAY_S).feature("dormancy")[-1] == pytest.approx(np.log(90.0), abs=0.4)


def test_a_flagged_fill_teaches_no_habit() -> None:
    """A thief that comes at three in the morning, again and again, doesn't make that hour usual."""
    tape = Tape()
    for day in range(60):
        at = day * DAY_S + 10 * HOUR_S
        tape.mid(at - 60, "ETH/USDT", 3000.0)
        tape.fill(at, "ETH/USDT", 1 if day % 2 else -1, 3000.0)
    for night in range(60, 90):
        at = night * DAY_S + 3 * HOUR_S
        tape.mid(at - 60, "ETH/USDT", 3000.0)
        tape.fill(at, "ETH/USDT", 1, 4500.0)
    outcome = judge(tape)
    assert outcome.judged["flagged"][60:].all()
    assert not outcome.judged["flagged"][:60].any()
    rarity = outcome.feature("hour_rarity")[60:]
    np.testing.assert_array_equal(rarity, np.full(30, rarity[0]))


# --- the owner's order log ---------------------------------------------------------------------------


def logged_tape(n: int, missing: set[int], **other: Any) -> Tape:
    """Orders once an hour, logged a second before but for those that are missing."""
    tape = Tape()
    for i in range(n):
        at = HOUR_S * (i + 1)
        if i not in missing:
            tape.logged(at - 1, order=1000 + i)
        tape.fill(at, "ETH/USDT", 1 if i % 2 else -1, 3000.0, order=1000 + i, **other)
    return tape


def test_without_a_log_nothing_is_said_of_it() -> None:
    tape = logged_tape(10, set(range(10)))
    outcome = judge(tape)
    assert np.isnan(outcome.feature("unlogged")).all()
    assert np.isnan(outcome.feature("unlogged_drift")).all()
    assert (outcome.judged["logged"] == -1).all()


def test_an_order_that_the_log_has_is_no_news_and_one_that_it_lacks_is() -> None:
    outcome = judge(logged_tape(50, {48}))
    unlogged = outcome.feature("unlogged")
    assert (unlogged[:48] == 0.0).all()
    assert unlogged[48] > 2.0
    assert unlogged[49] == 0.0
    assert outcome.judged["logged"].tolist() == [1] * 48 + [0, 1]


def test_who_often_trades_by_hand_surprises_less() -> None:
    often = judge(logged_tape(80, {*range(0, 79, 2), 79}))
    seldom = judge(logged_tape(80, {79}))
    assert often.feature("unlogged")[79] == pytest.approx(np.log(2.0), abs=0.3)
    assert seldom.feature("unlogged")[79] > often.feature("unlogged")[79] + 1.0


def test_the_client_id_finds_the_order_too() -> None:
    tape = Tape()
    tape.logged(0, client=55)
    tape.fill(10, "ETH/USDT", 1, 3000.0, order=9, client=55)
    tape.fill(20, "ETH/USDT", 1, 3000.0, order=9, client=56)
    assert judge(tape).judged["logged"].tolist() == [1, 0]


def test_the_log_is_known_from_its_time_on_and_each_accounts_own() -> None:
    tape = Tape()
    tape.logged(0, order=1, account="ann")
    tape.logged(15, order=2, account="ann")
    for account in ("ann", "bob"):
        tape.fill(10, "ETH/USDT", 1, 3000.0, order=2, account=account)
        tape.fill(20, "ETH/USDT", 1, 3000.0, order=2, account=account)
    assert judge(tape).judged["logged"].tolist() == [0, -1, 1, -1]


def test_a_log_that_has_fallen_silent_says_nothing() -> None:
    """The logger died a week ago: every order since is missing, which tells nothing of thieves."""
    tape = logged_tape(48, set())
    for day in range(3, 12):
        tape.fill(day * DAY_S, "ETH/USDT", 1, 3000.0, order=5)
    logged = judge(tape).judged["logged"]
    assert logged[48] == 0
    assert logged[-1] == -1


@given(st.integers(0, 30))
def test_forced_closings_are_in_nobodys_log(at: int) -> None:
    """The venue closed the position: no log of the owner's could have it."""
    tape = logged_tape(40, {at}, flags=0)
    tape.fill(41 * HOUR_S, "ETH/USDT", -1, 3000.0, order=77, flags=FORCED)
    assert judge(tape).feature("unlogged")[-1] == 0.0


def test_orders_that_nobody_logged_add_up() -> None:
    drift = judge(logged_tape(60, set(range(50, 60)))).feature("unlogged_drift")
    assert (drift[:50] == 0.0).all()
    assert (np.diff(drift[49:]) > 0.0).all()
    assert drift[59] > 7.0
