"""The sequential tests against sums made by hand, fill by fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.account import ACCOUNT, reset_account
from drainwatch.evidence import (
    BURST_NATS,
    CALM_NATS,
    DRIFT_ALLOWANCE,
    DRIFT_CAP,
    DRIFT_HALF_LIFE_NS,
    MONEY_HALF_LIFE_NS,
    SESSION_S,
    UNLIKE_MOST,
    UNLIKE_STAYS_NS,
    bleed_sigmas,
    burst_nats,
    evidence,
    take_excess,
    take_unlike,
    unlike_is_usual,
)
from streams import DAY_S, HOUR_S, NAN, Tape, begins_order, feed, halved, judge, new_engine, ns, usual_names

SEEDS = st.integers(0, 2**32 - 1)


def new_account() -> Any:
    account = np.zeros(1, ACCOUNT)[0]
    reset_account(account)
    return account


FILLS = st.lists(
    st.tuples(
        st.integers(0, 20 * HOUR_S),  # s since the last
        st.booleans(),  # first of its order
        st.one_of(st.just(NAN), st.floats(-10.0, 20.0)),  # sigmas
        st.floats(-50.0, 100.0),  # excess
        st.floats(0.1, 20.0),  # noise
    ),
    max_size=40,
)


@given(FILLS)
def test_the_sums_are_those_made_by_hand(fills: list[tuple[int, bool, float, float, float]]) -> None:
    """CUSUMs of excess, faded by time; an order counts once in the drift, by its worst fill; NaN never."""
    account = new_account()
    now = ns(0)
    drift = base = worst = money = bleed = bleed_var = order_noise = order_value = 0.0
    runs = 0
    for age, first, sigmas, excess, noise in fills:
        now += age * 10**9
        take_excess(account, now, first, sigmas, excess, noise)
        kept = halved(age * 1e9, DRIFT_HALF_LIFE_NS / 1e9)
        drift, base, bleed, bleed_var = drift * kept, base * kept, bleed * kept, bleed_var * kept
        money *= halved(age * 1e9, MONEY_HALF_LIFE_NS / 1e9)
        if not np.isnan(sigmas):
            z = min(max(sigmas, -3.0), DRIFT_CAP)
            if first:
                base, worst, order_noise, order_value = drift, z, 0.0, 0.0
            worst = max(worst, z)
            drift = max(0.0, base + worst - DRIFT_ALLOWANCE)
            order_value += excess
            bleed = max(0.0, bleed + excess)
            bleed_var += (order_noise + noise) ** 2 - order_noise**2  # fills of an order share one error
            order_noise += noise
            was, money = money, max(0.0, money + excess - 0.5 * noise)
            runs += was > 0.0 and money == 0.0
        for name, naive in (
            ("drift", drift),
            ("money", money),
            ("bleed", bleed),
            ("order_value", order_value),
        ):
            assert account[name] == pytest.approx(naive, rel=1e-6, abs=1e-9), name
        assert account["bleed_var"] == pytest.approx(bleed_var, rel=1e-6, abs=1e-9)
        assert account["run"] == runs


@given(FILLS, st.floats(1.0, 1e7))
def test_evidence_is_finite_and_none_without_a_loss(
    fills: list[tuple[int, bool, float, float, float]], equity: float
) -> None:
    account, lucky = new_account(), new_account()
    now = ns(0)
    assert evidence(account, equity) == 0.0
    for age, first, sigmas, excess, noise in fills:
        now += age * 10**9
        take_excess(account, now, first, sigmas, excess, noise)
        take_excess(lucky, now, first, -abs(sigmas), -abs(excess), noise)
        assert 0.0 <= evidence(account, equity) < np.inf
        assert bleed_sigmas(account) >= 0.0
    assert evidence(lucky, equity) == 0.0


def losing(n: int, excess: float, noise: float, every_s: float = HOUR_S) -> Any:
    account = new_account()
    account["loss_noise"] = noise
    for i in range(n):
        take_excess(
            account, ns(every_s * i), new_order=True, sigmas=excess / noise, excess=excess, noise=noise
        )
    return account


def test_evidence_grows_with_the_loss_and_fades_with_time() -> None:
    amounts = [evidence(losing(n, 30.0, 10.0), 1e5) for n in range(1, 20)]
    assert amounts == sorted(amounts)
    assert amounts[-1] > amounts[0] + 2.0
    account = losing(20, 30.0, 10.0)
    before = evidence(account, 1e5)
    take_excess(account, ns(40 * DAY_S), new_order=True, sigmas=0.0, excess=0.0, noise=10.0)
    assert evidence(account, 1e5) < 0.1 * before


def test_what_does_not_matter_to_the_account_is_little_evidence() -> None:
    account = losing(20, 30.0, 10.0)
    assert evidence(account, 1e4) > 2.0 * evidence(account, 1e9)
    assert evidence(account, 1e9) < 0.1


def test_many_small_losses_count_though_each_is_below_its_noise() -> None:
    """A slow bleed: half a sigma each, for two days."""
    slow = losing(200, 5.0, 10.0, 900.0)
    assert bleed_sigmas(slow) > 4.0
    assert evidence(slow, 1e5) > 2.0


def test_an_honest_account_has_no_evidence_against_it_most_of_the_time() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20):
        account = new_account()
        account["loss_noise"] = 10.0
        for i in range(200):
            excess = float(rng.normal(0.0, 10.0))
            take_excess(
                account, ns(HOUR_S * i), new_order=True, sigmas=excess / 10.0, excess=excess, noise=10.0
            )
        found.append(evidence(account, 1e5))
    assert np.median(found) < 1.0
    assert max(found) < evidence(losing(20, 30.0, 10.0), 1e5)


def test_the_partial_fills_of_an_order_share_one_error() -> None:
    """Twenty fills of one order a little worse than usual are one such order; twenty orders are not."""
    one, many = new_account(), new_account()
    for i in range(20):
        take_excess(one, ns(i), new_order=i == 0, sigmas=1.5, excess=15.0, noise=10.0)
        take_excess(many, ns(i), new_order=True, sigmas=1.5, excess=15.0, noise=10.0)
    assert one["drift"] == pytest.approx(1.0, rel=0.01)
    assert many["drift"] == pytest.approx(20.0, rel=0.01)
    assert bleed_sigmas(one) == pytest.approx(1.5, rel=0.01)
    assert bleed_sigmas(many) == pytest.approx(1.5 * np.sqrt(20.0), rel=0.01)


@given(SEEDS)
@settings(max_examples=15)
def test_the_drift_of_a_stream_is_that_of_its_sigmas(seed: int) -> None:
    """From the outside: in one market and without a log, what is written for a fill worse than usual."""
    rng = np.random.default_rng(seed)
    tape = Tape()
    for i in range(80):
        at = float(600 * i)
        tape.mid(at, "ETH/USDT", 3000.0)
        worse = float(rng.choice((0.0, 5.0, 40.0))) * 1e-4
        for part in range(rng.integers(1, 4)):
            tape.fill(at + 1 + part, "ETH/USDT", 1, 3000.0 * (1.0 + worse), 1.0, order=i + 1)
    names = usual_names()
    batch = tape.batch(names)
    outcome = feed(new_engine(names), [batch])
    begins, sigmas = begins_order(batch.fills), outcome.judged["sigmas"]
    drift = base = worst = 0.0
    last = batch.fills["ts_ns"][0]
    found = outcome.feature("drift_sigmas")
    for i, fill in enumerate(batch.fills):
        kept = float(halved(fill["ts_ns"] - last, DRIFT_HALF_LIFE_NS / 1e9))
        last = fill["ts_ns"]
        drift, base = drift * kept, base * kept
        z = min(max(sigmas[i], -3.0), DRIFT_CAP)
        if begins[i]:
            base, worst = drift, z
        worst = max(worst, z)
        drift = max(0.0, base + worst - DRIFT_ALLOWANCE)
        if sigmas[i] >= 1.0:
            assert found[i] == pytest.approx(drift, rel=1e-6)
        elif sigmas[i] <= 0.0:
            assert found[i] == 0.0, "what came before says nothing of a fill at a fair price"


def test_losing_round_trips_add_up_without_any_fair_price() -> None:
    """Fills alone: bought and sold back a minute later, two per cent worse each time."""
    tape = Tape()
    for i in range(12):
        tape.fill(60 * i, "NEW/USDT", 1 if i % 2 == 0 else -1, 1.0 if i % 2 == 0 else 0.98)
    drift = judge(tape).feature("trip_drift")
    assert drift[1] > 1.0
    assert drift[11] > drift[5] > drift[1]


def test_winning_round_trips_do_not() -> None:
    tape = Tape()
    for i in range(12):
        tape.fill(60 * i, "NEW/USDT", 1 if i % 2 == 0 else -1, 1.0 if i % 2 == 0 else 1.002)
    assert judge(tape).feature("trip_drift").max() < 1.0


@pytest.mark.parametrize("side", [1, -1])
def test_a_forced_blind_fill_leaves_no_trace(side: int) -> None:
    """A liquidation without any price known: nothing may become NaN by it."""
    tape = Tape()
    tape.balance(0, "USDT", 1e5)
    tape.fill(1, "ETH/USDT", side, 3000.0, flags=1)
    for i in range(1, 20):
        tape.mid(60 * i, "ETH/USDT", 3000.0)
        tape.fill(60 * i + 1, "ETH/USDT", side, 3000.0 * 1.2**side)
    outcome = judge(tape)
    account = outcome.engine._state.accounts[0]
    for name in ("drift", "money", "bleed", "bleed_var", "trip_drift", "loss_noise"):
        assert np.isfinite(account[name]), name
    assert np.isfinite(outcome.judged["score"]).all()
    assert outcome.judged["flagged"][-1]


# --- orders that the log lacks, close together ---------------------------------------------------------


def test_orders_in_a_burst_are_a_thiefs_sooner_than_a_hands() -> None:
    day = 86_400.0
    gaps = [1.0, 5.0, 60.0, 600.0, day]
    nats = [burst_nats(gap, 4.0 * day) for gap in gaps]
    assert nats[0] > 3.0
    assert nats[0] > nats[1] > 0.0
    assert nats[2] < 0.0 < nats[3]  # a sitting explains a minute best
    assert nats[4] < 0.0


@given(st.floats(0.0, 1e9), st.floats(1.0, 1e8))
def test_what_a_gap_says_is_bounded(gap: float, usual: float) -> None:
    assert -2.0 <= burst_nats(gap, usual) <= BURST_NATS


@pytest.mark.parametrize(("gap_s", "more"), [(2.0, True), (6 * HOUR_S, False)])
def test_three_unlogged_orders_at_once_say_more_than_over_a_day(gap_s: float, more: bool) -> None:
    tape = Tape()
    for i in range(60):
        tape.logged(HOUR_S * i, order=1000 + i)
        tape.fill(HOUR_S * i + 1, "ETH/USDT", 1 if i % 2 else -1, 3000.0, order=1000 + i)
    for i in range(3):
        tape.fill(HOUR_S * 60 + gap_s * i, "ETH/USDT", 1, 3000.0, order=9000 + i)
    drift = judge(tape).feature("unlogged_drift")[-1]
    assert bool(drift >= 14.0) is more


def test_who_trades_by_hand_each_day_is_not_suspected_for_it() -> None:
    tape = Tape()
    for i in range(24 * 20):
        if i % 24:
            tape.logged(HOUR_S * i, order=1000 + i)
        tape.fill(HOUR_S * i + 1, "ETH/USDT", 1 if i % 2 else -1, 3000.0, order=1000 + i)
    drift = judge(tape).feature("unlogged_drift")[24 * 5 :]
    assert drift.max() < 6.0


# --- orders that aren't the account's own kind ---------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3 * DAY_S), st.floats(-3.0, 2.5)), max_size=60))
def test_the_strangers_sum_is_that_made_by_hand(orders: list[tuple[int, float]]) -> None:
    """CUSUM of nats and gaps between orders that have any; the usual gap is learned in calm only."""
    account = new_account()
    now = ns(0)
    drift, gap, gaps, last, restless = 0.0, 4.0 * DAY_S, 0, None, None
    for age_s, nats in orders:
        now += age_s * 10**9
        take_unlike(account, now, nats)
        more = nats
        if nats > 0.0:
            if last is not None:
                since_s = (now - last) / 1e9
                more += burst_nats(since_s, gap)
                if since_s > 10.0 * SESSION_S and drift < CALM_NATS:
                    gaps += 1
                    gap *= (since_s / gap) ** max(0.2, 1.0 / (gaps + 1.0))
            last = now
        drift = min(max(drift + more, 0.0), UNLIKE_MOST)
        restless = None if drift < CALM_NATS else restless or now
        assert account["unlike_drift"] == pytest.approx(drift, rel=1e-9, abs=1e-9)
        assert account["unlike_gap_s"] == pytest.approx(gap, rel=1e-9)
        assert account["unlike_since_ns"] == (restless or 0)


def test_only_calm_teaches_until_there_has_been_none_for_days() -> None:
    account = new_account()
    assert unlike_is_usual(account, ns(0), flagged=False)
    assert not unlike_is_usual(account, ns(0), flagged=True)
    for i in range(4):
        take_unlike(account, ns(100 + i), 2.5)
    assert not unlike_is_usual(account, ns(110), flagged=False)
    later = ns(200) + UNLIKE_STAYS_NS
    assert unlike_is_usual(account, later, flagged=False)
    assert unlike_is_usual(account, later, flagged=True), "a drain is over by then, a new program is not"


def test_one_order_never_suffices_and_several_at_once_do() -> None:
    one, close, apart = new_account(), new_account(), new_account()
    take_unlike(one, ns(0), 2.5)
    for i in range(4):
        take_unlike(close, ns(5 * i), 2.5)
        take_unlike(apart, ns(4 * DAY_S * i), 2.5)
    assert one["unlike_drift"] < CALM_NATS
    assert close["unlike_drift"] > 10.0 > apart["unlike_drift"]
