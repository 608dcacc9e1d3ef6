"""Fair value in the situations it is there for: thin pairs, thieves, crashes, gaps, and next to no data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.events import Liquidity
from drainwatch.fair import SOURCES, Source
from streams import DAY_S, HOUR_S, Outcome, Tape, judge, usual_names

MINUTE = 60
SEEDS = st.integers(0, 2**32 - 1)


def source_of(outcome: Outcome, fill: int = -1) -> str:
    return SOURCES[outcome.judged["source"][fill]]


def off_bps(outcome: Outcome, true: float, fill: int = -1) -> float:
    """How far the fair price of a fill is from the true one, bps."""
    return float(1e4 * abs(np.log(outcome.judged["fair"][fill] / true)))


def world(
    tape: Tape,
    hours: float,
    *,
    thin: Callable[[float], float] = lambda _: 1.0,
    twin: Callable[[float], float] = lambda _: 1.0,
    all_coins: Callable[[float], float] = lambda _: 1.0,
    seed: int = 0,
    quiet: tuple[str, ...] = (),
) -> Callable[[float], float]:
    """Quotes and prints of BTC/USDT, THIN/USDT and THIN/BTC; the books can be moved by factors of time (s).

    Returns the true price of THIN/BTC: what it would be had nobody moved a book.
    """
    rng = np.random.default_rng(seed)
    minutes = int(hours * 60)
    btc = 60_000.0 * np.exp(np.cumsum(rng.normal(0.0, 3e-4, minutes)))
    coin = 0.12 * np.exp(np.cumsum(rng.normal(0.0, 6e-4, minutes)))
    for minute in range(minutes):
        at = MINUTE * minute
        b, c = float(btc[minute]) * all_coins(at), float(coin[minute]) * all_coins(at)
        books = {
            "BTC/USDT": (b, 1.0),
            "THIN/USDT": (c * twin(at), 10.0),
            "THIN/BTC": (c / b * thin(at), 30.0),
        }
        for symbol, (price, half_bps) in books.items():
            if symbol not in quiet:
                tape.mid(at + 0.1, symbol, price, half_bps)
                if minute % 7 == 0:
                    tape.trade(at + 0.2, symbol, price, 5.0)

    def true(at: float) -> float:
        minute = min(int(at / MINUTE), minutes - 1)
        return float(coin[minute] / btc[minute])

    return true


# --- thin pairs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("push", [0.03, 0.1, 0.5, 3.0])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("hours", [1.0, 4.0])
def test_a_thin_pair_that_was_pushed_for_hours_is_priced_by_its_cross(
    push: float, side: int, hours: float
) -> None:
    """The thief moves the pair's own book and prints long before he trades; the twin doesn't follow."""
    start = 30 * HOUR_S
    end = start + hours * HOUR_S
    tape = Tape()
    height = (1.0 + push) ** side
    true = world(tape, 30.0 + hours, thin=lambda at: height if at >= start else 1.0)
    tape.fill(end, "THIN/BTC", side, true(end) * height)
    outcome = judge(tape)
    assert off_bps(outcome, true(end)) < 50.0
    assert outcome.judged["deviation_bps"][0] == pytest.approx(1e4 * abs(height - 1.0), rel=0.2)
    assert source_of(outcome) == "cross"
    assert outcome.feature("witness_gap_sigmas")[0] > 3.0


def test_a_slow_push_is_seen_too() -> None:
    """Three per cent in six hours, half a per mille at a time."""
    start, end = 24 * HOUR_S, 30 * HOUR_S
    tape = Tape()

    def ramp(at: float) -> float:
        return 1.0 + 0.03 * max(at - start, 0.0) / (end - start)

    true = world(tape, 30.0, thin=ramp)
    tape.fill(end, "THIN/BTC", 1, true(end) * 1.03)
    assert off_bps(judge(tape), true(end)) < 150.0


def test_a_usual_gap_to_the_cross_is_no_push() -> None:
    """Some pairs always stand beside their cross (withdrawals closed, another venue): that is their price."""
    tape = Tape()
    true = world(tape, 48.0, thin=lambda _: 1.02)
    end = 48 * HOUR_S
    tape.fill(end, "THIN/BTC", 1, true(end) * 1.02)
    outcome = judge(tape)
    assert abs(outcome.judged["deviation_bps"][0]) < 30.0


@pytest.mark.parametrize("jump", [1.05, 0.9, 2.0])
def test_a_displaced_twin_does_not_make_an_honest_price_look_bad(jump: float) -> None:
    """The liquid book alone jumps: a fill of the thin pair where it stood is no drain."""
    start = 30 * HOUR_S
    tape = Tape()
    true = world(tape, 31.0, twin=lambda at: jump if at >= start else 1.0)
    at = start + 1200
    for side in (1, -1):
        tape.fill(at, "THIN/BTC", side, true(at))
    outcome = judge(tape)
    assert off_bps(outcome, true(at)) < 60.0
    assert (np.abs(outcome.judged["deviation_bps"]) < 60.0).all()


def test_a_second_route_decides_between_two_that_differ() -> None:
    """Two books against one: whoever the third agrees with is right, whatever moved last."""
    tape = Tape()
    start = 30 * HOUR_S
    true = world(tape, 31.0, twin=lambda at: 1.2 if at >= start else 1.0)
    third = Tape()
    eth = world(third, 31.0)  # for its BTC/USDT; ETH is priced by hand
    for minute in range(31 * 60):
        tape.mid(MINUTE * minute + 0.3, "ETH/BTC", 0.05, 2.0)
        tape.mid(MINUTE * minute + 0.4, "THIN/ETH", true(MINUTE * minute) / 0.05, 15.0)
    at = start + 1200
    tape.fill(at, "THIN/BTC", 1, true(at))
    assert eth(at) == true(at)
    assert off_bps(judge(tape), true(at)) < 40.0


@pytest.mark.parametrize("minutes", [2, 30, 180])
def test_a_crash_of_everything_is_no_drain(minutes: int) -> None:
    start = 30 * HOUR_S

    def crash(at: float) -> float:
        return 1.0 if at < start else max(0.7, 1.0 - 0.3 * (at - start) / (minutes * MINUTE))

    tape = Tape()
    true = world(tape, 34.0, all_coins=crash)
    for at in np.arange(start, start + 3.5 * HOUR_S, 600.0):
        tape.fill(at + 1, "THIN/BTC", -1, true(at))
    outcome = judge(tape)
    assert np.abs(outcome.judged["deviation_bps"]).max() < 60.0
    assert not outcome.judged["flagged"].any()


def test_a_thin_pair_without_rows_is_priced_by_its_cross() -> None:
    tape = Tape()
    true = world(tape, 5.0, quiet=("THIN/BTC",))
    at = 5 * HOUR_S
    tape.fill(at, "THIN/BTC", 1, 1.3 * true(at))
    outcome = judge(tape)
    assert source_of(outcome) == "cross"
    assert off_bps(outcome, true(at)) < 20.0


# --- less and less data ------------------------------------------------------------------------------


def test_a_mark_price_is_believed() -> None:
    tape = Tape()
    world(tape, 2.0)
    tape.fill(2 * HOUR_S, "THIN/BTC", 1, 3e-6, mark=2.5e-6)
    outcome = judge(tape)
    assert source_of(outcome) == "mark"
    assert outcome.judged["fair"][0] == pytest.approx(2.5e-6, rel=1e-12)


def test_quotes_alone() -> None:
    tape = Tape()
    for minute in range(60):
        tape.mid(MINUTE * minute, "ETH/USDT", 3000.0 + minute)
    tape.fill(HOUR_S, "ETH/USDT", 1, 3059.0)
    outcome = judge(tape)
    assert source_of(outcome) == "mid"
    assert off_bps(outcome, 3059.0) < 2.0


@pytest.mark.parametrize("outlier", [0.01, 1.5, 100.0])
def test_prints_alone_and_a_few_absurd_ones_among_them(outlier: float) -> None:
    tape = Tape()
    for i in range(100):
        tape.trade(10 * i, "ETH/USDT", 3000.0 * (outlier if i % 5 == 4 else 1.0), 1.0)
    tape.fill(1001, "ETH/USDT", 1, 3000.0)
    outcome = judge(tape)
    assert source_of(outcome) == "trades"
    assert off_bps(outcome, 3000.0) < 1.0


def test_candles_alone() -> None:
    tape = Tape()
    for i in range(1, 61):
        tape.candle(60 * i, "ETH/USDT", (3000.0, 3010.0, 2990.0, 3000.0 + i), 10.0)
    tape.fill(60 * 60 + 30, "ETH/USDT", 1, 3060.0)
    outcome = judge(tape)
    assert source_of(outcome) == "candles"
    assert outcome.judged["fair"][0] == pytest.approx(3060.0, rel=1e-9)


def test_own_fills_alone() -> None:
    """Only the first fill is blind; an absurd one is seen, and not believed afterwards."""
    tape = Tape()
    for i in range(50):
        tape.fill(600 * i, "ETH/USDT", 1 if i % 2 else -1, 3000.0 * (1.0 + 1e-3 * (-1) ** i))
    tape.fill(30_001, "ETH/USDT", -1, 1500.0)
    tape.fill(30_600, "ETH/USDT", 1, 3000.0)
    outcome = judge(tape)
    assert source_of(outcome, 0) == "none"
    assert np.isnan(outcome.judged["fair"][0])
    assert np.isnan(outcome.judged["deviation_bps"][0])
    assert [SOURCES[s] for s in outcome.judged["source"][1:]] == ["own_fills"] * 51
    assert outcome.judged["deviation_bps"][50] > 4500.0
    assert outcome.judged["flagged"][50]
    assert off_bps(outcome, 3000.0) < 50.0


def test_without_any_data_a_fill_is_blind_and_not_innocent() -> None:
    tape = Tape()
    tape.fill(10, "ETH/USDT", 1, 3000.0)
    outcome = judge(tape)
    assert source_of(outcome) == "none"
    for name in ("fair", "deviation_bps", "sigmas", "loss_quote"):
        assert np.isnan(outcome.judged[name][0]), name
    assert np.isfinite(outcome.judged["score"][0])


def test_what_is_too_old_says_nothing() -> None:
    """A price of a year ago is no fair price."""
    tape = Tape()
    for i in range(10):
        tape.trade(i, "NEW/USDT", 1.0)
    tape.fill(4000 * DAY_S, "NEW/USDT", 1, 5.0)
    outcome = judge(tape)
    assert np.isnan(outcome.judged["fair"][0])


def test_a_dead_coin_new_to_the_account_is_priced_by_its_past() -> None:
    """Hardly traded, boosted threefold an hour ago, no twin: what it cost before is what it is worth."""
    tape = Tape()
    for i in range(60):
        tape.trade(1200 * i, "DEAD/BTC", 1e-6 * (1.0 + 1e-3 * (-1) ** i), 10.0)
    start = 60 * 1200
    for i in range(10):
        tape.trade(start + 60 * i, "DEAD/BTC", 3e-6, 10.0)
    tape.fill(start + 700, "DEAD/BTC", 1, 3e-6, 100_000.0)
    outcome = judge(tape)
    assert source_of(outcome) == "history"
    assert outcome.judged["fair"][0] < 2e-6
    assert outcome.judged["deviation_bps"][0] > 3000.0


def test_selling_what_has_risen_is_no_loss() -> None:
    """The same coin sold by its owner at three times its past: good for him."""
    tape = Tape()
    for i in range(60):
        tape.trade(1200 * i, "DEAD/BTC", 1e-6, 10.0)
    for i in range(10):
        tape.trade(60 * 1200 + 60 * i, "DEAD/BTC", 3e-6, 10.0)
    tape.fill(60 * 1200 + 700, "DEAD/BTC", -1, 3e-6, 100_000.0)
    assert judge(tape).judged["deviation_bps"][0] < 10.0


@pytest.mark.parametrize("price", [1e-12, 5.84e-10, 3.1e-5, 1.0, 1e15])
def test_prices_of_any_size(price: float) -> None:
    """Numbers keep their precision from 1e-12 to 1e15."""
    outcomes = []
    for unit in (price, 1.0):
        tape = Tape()
        for minute in range(120):
            tape.mid(MINUTE * minute, "PEPE/USDT", unit * (1.0 + 1e-4 * (minute % 5)))
            tape.trade(MINUTE * minute + 1, "PEPE/USDT", unit * (1.0 + 1e-4 * (minute % 3)), 1.0 / unit)
        tape.fill(2 * HOUR_S, "PEPE/USDT", 1, 1.1 * unit, 1e4 / unit)
        outcomes.append(judge(tape))
    ours, usual = outcomes
    assert ours.judged["fair"][0] == pytest.approx(price * usual.judged["fair"][0], rel=1e-9)
    assert ours.judged["deviation_bps"][0] == pytest.approx(usual.judged["deviation_bps"][0], rel=1e-6)
    assert ours.judged["loss_quote"][0] == pytest.approx(usual.judged["loss_quote"][0], rel=1e-6)
    np.testing.assert_allclose(ours.features, usual.features, rtol=1e-5, atol=1e-8)


# --- own prints --------------------------------------------------------------------------------------


def own_prints(seed: int, factor: float, when: float, *, others: int | None = None) -> float:
    """Fair price of a fill with prints of its own on the tape, priced `factor` times as they were.

    The prints come `when` seconds before the fill, with its id or of its taker order. Whether there are
    quotes or a route, and how many other prints how near, is drawn by lot, the same for every factor.
    """
    rng = np.random.default_rng(seed)
    tape = Tape()
    at = 9_150.5
    quoted, routed = rng.random(2) < 0.4
    span = 9_000.0 if others else float(rng.choice((100.0, 9_000.0)))
    if quoted:
        tape.mid(1.0, "ETH/BTC", 100.0, 5.0)
    for i in range(others or rng.choice((1, 2, 4, 40))):
        before = float(np.round(at - rng.uniform(0.2, span), 1))
        price = 100.0 * float(np.exp(rng.normal(0.0, 2e-3)))
        tape.trade(before, "ETH/BTC", price, float(rng.uniform(0.1, 2.0)), id=i + 1, taker_order=500 + i)
        if quoted:
            tape.mid(before + 0.05, "ETH/BTC", price, 5.0)
        if routed:
            tape.mid(before + 0.06, "ETH/USDT", 100.0 * price)
            tape.mid(before + 0.07, "BTC/USDT", 100.0)
    number = tape.fill(at, "ETH/BTC", int(rng.choice((-1, 1))), 103.0, 1.5, order=77, taker_order=77)
    if rng.random() < 0.5:
        tape.trade(at - when, "ETH/BTC", factor * 103.0, 1.5, id=number)
    else:
        for part in range(rng.integers(1, 6)):
            tape.trade(at - when, "ETH/BTC", factor * (103.0 + part), 1.5, id=9_000 + part, taker_order=77)
    return float(judge(tape).judged["fair"][0])


@given(seed=SEEDS, when=st.sampled_from((0.0, 0.001, 3.0, 90.0)), factor=st.sampled_from((0.2, 1.07, 30.0)))
@settings(max_examples=150)
def test_own_prints_are_no_evidence_for_their_fill(seed: int, when: float, factor: float) -> None:
    """A thief's sweep prints at its own price: were that evidence, every fill would be fair."""
    np.testing.assert_equal(own_prints(seed, factor, when), own_prints(seed, 1.0, when))


@given(seed=SEEDS, when=st.sampled_from((700.0, 4000.0)), factor=st.sampled_from((0.2, 1.07, 30.0)))
@settings(max_examples=50)
def test_own_prints_of_long_before_hardly_matter(seed: int, when: float, factor: float) -> None:
    """A clock that goes wrong: by then they have been in a closed bucket, from which bases are learned."""
    ours, usual = own_prints(seed, factor, when, others=200), own_prints(seed, 1.0, when, others=200)
    assert np.isnan(ours) == np.isnan(usual)
    assert np.isnan(ours) or abs(np.log(ours / usual)) < 60e-4


def test_a_sweep_of_own_prints_leaves_the_price_before_it() -> None:
    """Sixty fills in one second, each printed, each higher: fair is what it was for all of them."""
    tape = Tape()
    for i in range(100):
        tape.trade(10 * i, "ETH/BTC", 0.05, 1.0, id=i + 1)
    for i in range(40):
        price = 0.05 * (1.0 + 0.01 * i)
        number = tape.fill(1000 + i / 40, "ETH/BTC", 1, price, 1.0, order=5, taker_order=5)
        tape.trade(1000 + i / 40, "ETH/BTC", price, 1.0, id=number)
    outcome = judge(tape)
    np.testing.assert_allclose(outcome.judged["fair"], 0.05, rtol=1e-9)


def test_prints_without_an_id_are_own_if_they_look_it() -> None:
    tape = Tape()
    for i in range(100):
        tape.trade(10 * i, "ETH/BTC", 0.05, 1.0)
    for i in range(20):
        tape.trade(1000 + i, "ETH/BTC", 0.06, 2.0 + i)
        tape.fill(1000 + i, "ETH/BTC", 1, 0.06, 2.0 + i)
    outcome = judge(tape)
    np.testing.assert_allclose(outcome.judged["fair"], 0.05, rtol=1e-9)


def test_anothers_prints_are_evidence() -> None:
    tape = Tape()
    for i in range(100):
        tape.trade(10 * i, "ETH/BTC", 0.05, 1.0, id=i + 1)
    for i in range(20):
        tape.trade(1000 + i, "ETH/BTC", 0.06, 1.0, id=1000 + i)
        tape.fill(1000 + i, "ETH/BTC", 1, 0.06, 1.0)
    assert judge(tape).judged["fair"][-1] == pytest.approx(0.06, rel=1e-9)


def test_the_day_is_that_without_own_prints() -> None:
    """Of 100 printed the account made 60: its order of 10 is a quarter of the rest."""
    tape = Tape()
    for i in range(240):
        tape.trade(120 * i, "ETH/BTC", 0.05, 1.0 / 6.0, id=i + 1)
    for i in range(60):
        number = tape.fill(480 * i + 60, "ETH/BTC", 1, 0.05, 1.0)
        tape.trade(480 * i + 60, "ETH/BTC", 0.05, 1.0, id=number)
    for i in range(400):  # half an hour of others' trades: the day is made anew
        tape.trade(28_800 + 5 * i, "ETH/BTC", 0.05, 1e-6, id=50_000 + i)
    tape.fill(31_000, "ETH/BTC", 1, 0.05, 10.0)
    assert judge(tape).feature("day_volume_share")[-1] == pytest.approx(10.0 / 40.0, rel=0.01)


def test_what_the_account_printed_since_the_day_was_made_is_not_taken_off_it() -> None:
    """The day's amount is made twice an hour; own prints since aren't in it."""
    tape = Tape()
    for i in range(800):
        tape.trade(60 * i, "ETH/BTC", 0.05, 1.0, id=i + 1)
    for i in range(40):
        at = 48_000 + 60 * i
        tape.trade(at, "ETH/BTC", 0.05, 1.0, id=10_000 + i)
        number = tape.fill(at + 1, "ETH/BTC", 1, 0.05, 15.0)
        tape.trade(at + 1, "ETH/BTC", 0.05, 15.0, id=number)
    shares = judge(tape).feature("day_volume_share")
    np.testing.assert_allclose(shares, 15.0 / 820.0, rtol=0.1)


# --- what else it says -------------------------------------------------------------------------------


def test_every_source_has_its_name() -> None:
    assert len(SOURCES) == len(Source)
    assert [SOURCES[member] for member in Source] == [member.name.lower() for member in Source]


def test_a_price_known_only_from_its_route_moves_as_prices_do() -> None:
    """A position closed after an hour at 40 bps less is chance, though the market itself has no rows."""
    tape = Tape()

    def price(at: float) -> float:
        return 3000.0 * (1.0 - 4e-3 * (at // HOUR_S % 2))

    for minute in range(300):
        tape.mid(MINUTE * minute, "ETH/USDT", price(MINUTE * minute), 1.0)
    for i in range(4):
        at = HOUR_S * (i + 0.5)
        tape.fill(at, "ETH/USDT:USDT", 1 if i % 2 == 0 else -1, price(at))
    outcome = judge(tape, usual_names())
    assert source_of(outcome) == "cross"
    assert outcome.feature("trip_drift").max() < 3.0


# --- a book made for one fill -------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("ago", [0.01, 0.5, 2.0])
def test_a_book_that_jumped_just_before_the_fill_is_no_evidence(side: int, ago: float) -> None:
    """The thief empties the book and rests the victim's order far off: that is the best quote then."""
    tape = Tape()
    for minute in range(200):
        tape.mid(MINUTE * minute, "FOO/USDT", 2.0 * (1.0 + 1e-4 * (minute % 3)), 20.0)
    at = 200 * MINUTE + 7
    tape.mid(at - ago, "FOO/USDT", 2.0 * 1.3**side, 2.0)
    tape.fill(at, "FOO/USDT", side, 2.0 * 1.3**side)
    outcome = judge(tape)
    assert off_bps(outcome, 2.0) < 30.0
    assert outcome.judged["deviation_bps"][0] > 2000.0


def _book(tape: Tape, at: float, factor: float, near: float, size: float) -> None:
    """A book at 2.0 each minute; just before `at` it stands at 2.0 x factor, its near side at `near`."""
    tape.fill(at - 28 * HOUR_S, "FOO/USDT", 1, 2.0)  # a coin that the account knows
    for minute in range(200, 0, -1):
        tape.mid(at - 7 - MINUTE * minute, "FOO/USDT", 2.0, 2.0)
    far = 2.0 * factor
    low, high = sorted((near, far))
    tape.quote(at - 0.5, "FOO/USDT", low, high, c=size, d=size)


@pytest.mark.parametrize("side", [1, -1])
def test_a_book_that_moved_with_both_its_sides_is_a_market_that_moved(side: int) -> None:
    """In a crash an owner's stop is sold where others ask no more: that is no bad price."""
    tape = Tape()
    at = 29 * HOUR_S
    _book(tape, at, 1.0 + side * 0.1, 2.0 * (1.0 + side * 0.0998), size=40.0)
    tape.fill(at, "FOO/USDT", side, 2.0 * (1.0 + side * 0.1), amount=20.0)
    assert judge(tape).judged["deviation_bps"][1] < 10.0


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("case", ["emptied", "hardly anything is offered", "own order"])
def test_a_far_side_alone_moved_by_a_thief_is_not_believed(side: int, case: str) -> None:
    tape = Tape()
    at = 29 * HOUR_S
    near = 2.0 * (1.0 - side * 2e-4) if case == "emptied" else 2.0 * (1.0 + side * 0.2998)
    _book(tape, at, 1.0 + side * 0.3, near, size=0.01 if case.startswith("hardly") else 40.0)
    liquidity = Liquidity.MAKER if case == "own order" else Liquidity.TAKER
    tape.fill(at, "FOO/USDT", side, 2.0 * (1.0 + side * 0.3), amount=20.0, liquidity=liquidity)
    assert judge(tape).judged["deviation_bps"][1] > 2000.0


def test_a_book_that_moved_minutes_ago_is_believed() -> None:
    tape = Tape()
    tape.fill(0.0, "FOO/USDT", 1, 2.0)  # a coin that the account knows
    day = 25 * HOUR_S
    for minute in range(200):
        tape.mid(day + MINUTE * minute, "FOO/USDT", 2.0 if minute < 195 else 1.8, 20.0)
    tape.fill(day + 200 * MINUTE + 7, "FOO/USDT", -1, 1.8)
    assert judge(tape).judged["fair"][1] == pytest.approx(1.8, rel=3e-3)


def test_a_book_that_jumped_in_the_accounts_favour_makes_nobody_suspect() -> None:
    tape = Tape()
    for minute in range(200):
        tape.mid(MINUTE * minute, "FOO/USDT", 2.0, 20.0)
    at = 200 * MINUTE + 7
    tape.mid(at - 0.5, "FOO/USDT", 2.6, 20.0)
    tape.fill(at, "FOO/USDT", -1, 2.6)
    assert judge(tape).judged["deviation_bps"][0] < 50.0


def test_a_dead_coin_that_is_held_is_judged_by_its_day_once_it_stands_far_from_it() -> None:
    """Dust of it held for weeks must not make the thief's price of it a fair one."""
    tape = Tape()
    tape.fill(0.0, "FOO/USDT", 1, 2.0, 1.0)
    day = 30 * HOUR_S
    for minute in range(0, 24 * 60, 20):
        tape.trade(day + MINUTE * minute, "FOO/USDT", 2.0 * (1.0 + 1e-3 * (minute % 3)), 1.0)
    boosted = day + 24 * HOUR_S
    for minute in range(0, 60, 5):
        tape.trade(boosted + MINUTE * minute, "FOO/USDT", 9.0, 1.0)
    tape.fill(boosted + HOUR_S, "FOO/USDT", 1, 9.0, 500.0)
    outcome = judge(tape)
    assert SOURCES[outcome.judged["source"][1]] == "history"
    assert outcome.judged["deviation_bps"][1] > 5000.0
