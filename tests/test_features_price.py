"""Price features against their formulas, and what they say of plain cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch.events import Liquidity
from streams import HOUR_S, Tape, begins_order, feed, judge, new_engine, random_tape, usual_names

SEEDS = st.integers(0, 2**32 - 1)
TRIP_NS = 2 * HOUR_S * 10**9


def test_deviation_is_what_was_paid_beyond_fair() -> None:
    names = usual_names()
    for seed in range(20):
        batch = random_tape(seed).batch(names)
        outcome = feed(new_engine(names), [batch])
        naive = 1e4 * batch.fills["side"] * (batch.fills["price"] / outcome.judged["fair"] - 1.0)
        np.testing.assert_allclose(outcome.feature("deviation_bps"), naive, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(outcome.feature("deviation_bps"), outcome.judged["deviation_bps"])
        np.testing.assert_array_equal(outcome.feature("deviation_sigmas"), outcome.judged["sigmas"])
        np.testing.assert_array_equal(outcome.feature("witness_gap_sigmas"), outcome.judged["gap_sigmas"])


@given(SEEDS)
@settings(max_examples=25)
def test_sweeps_and_round_trips(seed: int) -> None:
    names = usual_names()
    batch = random_tape(seed, n_rows=100, n_fills=120, hours=6.0).batch(names)
    outcome = feed(new_engine(names), [batch])
    fills = batch.fills
    begins = begins_order(fills)
    sweep, trips = [], []
    first: dict[tuple[int, int], float] = {}
    for i, fill in enumerate(fills):
        pair = (int(fill["account"]), int(fill["market"]))
        if begins[i]:
            first[pair] = float(fill["price"])
        sweep.append(1e4 * fill["side"] * np.log(fill["price"] / first[pair]))
        same = (fills["account"][:i] == pair[0]) & (fills["market"][:i] == pair[1])
        trips.append(naive_round_trip(fills[:i][same], fill))
    np.testing.assert_allclose(outcome.feature("sweep_bps"), sweep, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(outcome.feature("round_trip_bps"), trips, rtol=1e-9, atol=1e-9)


def naive_round_trip(before: NDArray[np.void], fill: np.void) -> float:
    """Loss of a fill against the average price of the open position that it closes.

    The position is what the account's fills in this market add up to, forgotten after two hours of rest.
    """
    amount = price = 0.0
    last = None
    for earlier in before:
        if last is not None and earlier["ts_ns"] - last > TRIP_NS:
            amount = 0.0
        signed = float(earlier["side"] * earlier["amount"])
        if amount * signed >= 0.0:
            price = (abs(amount) * price + abs(signed) * earlier["price"]) / (abs(amount) + abs(signed))
            amount += signed
        else:
            left = amount + signed
            if abs(left) <= 1e-9 * abs(signed):
                left = 0.0
            if left * signed > 0.0:
                price = float(earlier["price"])  # turned: what is left was opened by this fill
            amount = left
        last = int(earlier["ts_ns"])
    closes = amount * fill["side"] < 0.0 and last is not None and fill["ts_ns"] - last < TRIP_NS
    return float(1e4 * fill["side"] * np.log(fill["price"] / price)) if closes else float("nan")


@pytest.mark.parametrize("side", [1, -1])
def test_worse_is_positive_for_both_sides(side: int) -> None:
    tape = Tape()
    for minute in range(60):
        tape.mid(60 * minute, "ETH/USDT", 3000.0)
    tape.balance(0, "USDT", 1e6)
    tape.fill(HOUR_S, "ETH/USDT", side, 3000.0 * 1.05**side)
    tape.fill(HOUR_S + 60, "ETH/USDT", side, 3000.0 * 0.95**side)
    outcome = judge(tape)
    for name in ("deviation_bps", "deviation_spreads", "deviation_sigmas", "order_loss_equity_bps"):
        worse, better = outcome.feature(name)
        assert worse > 0.0 > better, name
    assert outcome.judged["score"][0] > outcome.judged["score"][1]


def test_the_loss_of_an_order_adds_up_over_its_fills() -> None:
    """Five fills of 1 % of the account, each 10 % dearer than worth: 1/11 of what was paid is lost."""
    tape = Tape()
    for minute in range(60):
        tape.mid(60 * minute, "ETH/USDT", 3000.0, 0.5)
    tape.balance(0, "USDT", 3300.0 * 100)
    for part in range(5):
        tape.fill(HOUR_S + part, "ETH/USDT", 1, 3300.0, 1.0, order=4)
    loss = judge(tape).feature("order_loss_equity_bps")
    np.testing.assert_allclose(loss, 100.0 / 11.0 * np.arange(1, 6), rtol=0.01)


def test_what_an_account_usually_pays_is_no_news() -> None:
    """Who always takes twenty bps is judged by what comes on top."""
    tape = Tape()
    for minute in range(2000):
        tape.mid(60 * minute, "ETH/USDT", 3000.0, 1.0)
        if minute % 4 == 3:
            side = 1 if minute % 8 == 3 else -1
            tape.fill(
                60 * minute + 30, "ETH/USDT", side, 3000.0 * (1.0 + 20e-4 * side), liquidity=Liquidity.TAKER
            )
    tape.fill(130_000, "ETH/USDT", 1, 3000.0 * (1.0 + 120e-4), liquidity=Liquidity.TAKER)
    sigmas = judge(tape).feature("deviation_sigmas")
    assert np.abs(sigmas[200:-1]).max() < 1.0
    assert sigmas[-1] > 5.0


def test_a_price_that_comes_back_after_fills_shows() -> None:
    """Pushed up before the account buys and down before it sells; fair is where it was pushed to."""
    pushed, honest = Tape(), Tape()
    for i in range(30):
        side = 1 if i % 2 else -1
        for tape, price in ((pushed, 3000.0 * 1.02**side), (honest, 3000.0)):
            tape.mid(600 * i, "ETH/USDT", price)
            tape.fill(600 * i + 10, "ETH/USDT", side, price)
    marks = judge(pushed).feature("markout_bps")
    assert marks[0] == 0.0
    assert (np.diff(marks[1:12]) > 0.0).all()
    assert marks[-1] == pytest.approx(400.0, rel=0.1)
    assert np.abs(judge(honest).feature("markout_bps")).max() < 5.0


def test_a_day_without_a_price_leaves_its_features_unknown() -> None:
    tape = Tape()
    tape.fill(0, "ETH/USDT", 1, 3000.0)
    outcome = judge(tape)
    for name in (
        "deviation_bps",
        "deviation_sigmas",
        "pushed_sigmas",
        "witness_gap_sigmas",
        "day_displacement_sigmas",
    ):
        assert np.isnan(outcome.feature(name)[0]), name


def test_a_market_far_from_its_day() -> None:
    tape = Tape()
    for minute in range(20 * 60):
        tape.mid(60 * minute, "NEW/USDT", 1.0 + 1e-3 * np.sin(minute / 9.0))
    for minute in range(20 * 60, 20 * 60 + 40):
        tape.mid(60 * minute, "NEW/USDT", 2.0)
    tape.fill(20 * HOUR_S + 2400, "NEW/USDT", 1, 2.0)
    tape.fill(20 * HOUR_S + 2400, "NEW/USDT", -1, 2.0)
    displaced = judge(tape).feature("day_displacement_sigmas")
    assert displaced[0] > 4.0
    assert displaced[1] < -4.0
