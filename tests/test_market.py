"""A market's state against what its rows say, looked at from after any number of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.events import ROW, Kind
from drainwatch.market import (
    BUCKET_NS,
    BUCKETS,
    MARKET,
    MIN_HALF_SPREAD,
    PRINTS,
    PRIOR_HALF_SPREAD,
    PRIOR_SIGMA,
    level_at,
    settled_at,
    usual_half_spread,
)
from streams import DAY_S, HOUR_S, SPREADS_BPS, Tape, cut, feed, new_engine, ns, random_tape, usual_names

SEEDS = st.integers(0, 2**32 - 1)
BUCKET_S = BUCKET_NS // 10**9


def market_after(tape: Tape, symbol: str = "A/USDT") -> Any:
    """State of a market after a tape."""
    names = usual_names()
    outcome = feed(new_engine(names), [tape.batch(names)])
    return outcome.engine._state.markets[names.market("x", symbol)]


def rows_of(tape: Tape, symbol: str, kind: Kind) -> list[Any]:
    rows = sorted(tape.rows, key=lambda event: event.at)
    return [row for row in rows if row.symbol == symbol and row.values["kind"] == kind]


# --- whose state it is -------------------------------------------------------------------------------


@given(seed=SEEDS)
@settings(max_examples=30)
def test_a_market_is_its_rows_alone(seed: int) -> None:
    """It can be kept once for many accounts only if no account's fills leave a trace in it."""
    names = usual_names()
    tape = random_tape(seed)
    watched = feed(new_engine(names), [tape.batch(names)]).engine._state.markets
    alone = feed(new_engine(names), [Tape(tape.rows).batch(names)]).engine._state.markets
    traded = {names.market("x", str(row.symbol)) for row in tape.rows if row.symbol}
    assert [
        name for name in MARKET.names or () for code in traded if _differ(watched[code], alone[code], name)
    ] == []


def _differ(first: Any, second: Any, name: str) -> bool:
    return bool(first[name].tobytes() != second[name].tobytes())


def test_nothing_is_known_of_a_new_market() -> None:
    tape = Tape()
    tape.fill(0, "A/USDT", 1, 1.0)
    market = market_after(tape)
    assert (market["prints"], market["quote_ns"], market["level_ns"]) == (0, 0, 0)
    for name in ("bid", "ask", "hour_ago", "day_median", "candle_close", "half_spread"):
        assert np.isnan(market[name]), name
    assert (market["sigma"], usual_half_spread(market)) == (PRIOR_SIGMA, PRIOR_HALF_SPREAD)
    assert np.isnan(level_at(market, ns(1.0))).all()


# --- quotes ------------------------------------------------------------------------------------------


@given(seed=SEEDS, place=st.integers(1, 400))
@settings(max_examples=40)
def test_the_last_quotes_and_those_of_the_instant_before(seed: int, place: int) -> None:
    """Several quotes can have one time: the earlier ones are those before that time."""
    tape = random_tape(seed)
    names = usual_names()
    piece = cut(Tape(tape.rows).batch(names), [place])[:1]
    markets = feed(new_engine(names), piece).engine._state.markets
    until = piece[0].rows["ts_ns"].max() if piece else 0
    rows = piece[0].rows if piece else np.zeros(0, ROW)
    for symbol in SPREADS_BPS:
        code = names.market("x", symbol)
        quotes = [row for row in rows if row["market"] == code and row["kind"] == Kind.QUOTE]
        if not quotes:
            continue
        market = markets[code]
        assert (market["bid"], market["ask"]) == (quotes[-1]["a"], quotes[-1]["b"])
        assert (market["bid_size"], market["ask_size"]) == (quotes[-1]["c"], quotes[-1]["d"])
        before = [row for row in quotes if row["ts_ns"] < quotes[-1]["ts_ns"]]
        if before:
            assert (market["earlier_bid"], market["earlier_ask"]) == (before[-1]["a"], before[-1]["b"])
            assert market["earlier_quote_ns"] == before[-1]["ts_ns"] < market["quote_ns"] <= until
        else:
            assert np.isnan(market["earlier_bid"])


def test_the_age_of_a_quote_counts_from_when_its_price_came() -> None:
    tape = Tape()
    for second, (bid, ask) in enumerate([(99.0, 101.0), (99.0, 102.0), (98.0, 102.0), (98.0, 102.0)]):
        tape.quote(second, "A/USDT", bid, ask)
    market = market_after(tape)
    assert (market["bid_since_ns"], market["ask_since_ns"]) == (ns(2), ns(1))
    assert (market["earlier_bid_since_ns"], market["earlier_ask_since_ns"]) == (ns(2), ns(1))


@given(seed=SEEDS)
@settings(max_examples=30)
def test_the_price_before_an_instant_does_not_know_of_it(seed: int) -> None:
    """Rows of that very instant come before the fill, but may be made by it."""
    rng = np.random.default_rng(seed)
    names = usual_names()
    tape = Tape()
    for _ in range(12):
        at, price = float(rng.integers(1, 8)), float(rng.uniform(90.0, 110.0))
        if seed % 2 and rng.random() < 0.5:
            tape.mid(at, "A/USDT", price, float(rng.uniform(1.0, 300.0)))
        else:
            tape.trade(at, "A/USDT", price)
    for second in range(2, 9):
        moment = ns(second)
        until = Tape([row for row in tape.rows if row.at <= moment])
        before = Tape([row for row in tape.rows if row.at < moment])
        if not before.rows:
            continue
        seen = [
            feed(new_engine(names), [some.batch(names)]).engine._state.markets[names.market("x", "A/USDT")]
            for some in (until, before)
        ]
        if (seen[0]["quote_ns"] > 0) == (seen[1]["quote_ns"] > 0):
            assert level_at(seen[0], moment) == level_at(seen[1], moment)


@pytest.mark.parametrize("price", [5.84e-10, 1e-12, 1.0, 97_000.0, 1e15])
def test_a_tight_book_moves_the_price_at_once(price: float) -> None:
    tape = Tape()
    tape.mid(0, "A/USDT", price)
    tape.mid(60, "A/USDT", 1.05 * price)
    level, variance = level_at(market_after(tape), ns(61))
    assert np.exp(level) == pytest.approx(1.05 * price, rel=1e-3)
    assert 0.0 < np.sqrt(variance) < 0.005


def test_a_wide_book_says_little_but_bounds_it() -> None:
    """Somebody took the book away but for a bid 40 % below: the price is hardly another."""
    tape = Tape()
    for second in range(60):
        tape.mid(second, "A/USDT", 100.0)
    tape.quote(61, "A/USDT", 60.0, 100.5)
    level, _ = level_at(market_after(tape), ns(62))
    assert np.exp(level) == pytest.approx(100.0, rel=2e-3)
    tape.quote(70, "A/USDT", 60.0, 90.0)
    level, _ = level_at(market_after(tape), ns(71))
    assert 60.0 <= np.exp(level) <= 90.0 * (1.0 + 1e-12)


def test_a_crossed_book_does_no_harm() -> None:
    tape = Tape()
    for second in range(60):
        tape.mid(second, "A/USDT", 100.0)
    tape.quote(61, "A/USDT", 100.2, 99.8)
    level, variance = level_at(market_after(tape), ns(62))
    assert np.exp(level) == pytest.approx(100.0, rel=1e-3)
    assert variance > 0.0


def test_a_price_grows_uncertain_with_time() -> None:
    tape = Tape()
    tape.mid(0, "A/USDT", 100.0)
    market = market_after(tape)
    variances = [level_at(market, ns(1.0 + BUCKET_S * n))[1] for n in range(10)]
    steps = np.diff(variances)
    np.testing.assert_allclose(steps, PRIOR_SIGMA**2, rtol=1e-6)


# --- the usual half-spread ---------------------------------------------------------------------------


def test_the_usual_half_spread_is_learned() -> None:
    tape = Tape()
    for minute in range(600):
        tape.mid(60 * minute, "A/USDT", 100.0, 30.0)
    for minute in range(600, 1200):
        tape.mid(60 * minute, "A/USDT", 100.0, 5.0)
    assert 4e-4 < usual_half_spread(market_after(tape)) < 9e-4


def test_flickering_quotes_teach_little() -> None:
    """A book that is wide for a moment once a minute is a tight one."""
    tape = Tape()
    for minute in range(600):
        tape.mid(60 * minute, "A/USDT", 100.0, 5.0)
        tape.mid(60 * minute + 59.999, "A/USDT", 100.0, 300.0)
    tape.mid(36_000, "A/USDT", 100.0, 5.0)
    assert usual_half_spread(market_after(tape)) < 5 * 5e-4


def test_without_quotes_prints_tell_the_half_spread() -> None:
    tape = Tape()
    for i in range(3000):
        tape.trade(10 * i, "A/USDT", 100.0 * (1.0 + 30e-4 * (-1) ** i))
    assert usual_half_spread(market_after(tape)) == pytest.approx(30e-4, rel=0.2)


@pytest.mark.parametrize("half_bps", [0.0, 4000.0])
def test_the_usual_half_spread_stays_within_reason(half_bps: float) -> None:
    tape = Tape()
    for minute in range(100):
        tape.mid(60 * minute, "A/USDT", 100.0, half_bps)
    assert MIN_HALF_SPREAD <= usual_half_spread(market_after(tape)) <= 0.1


# --- prints and candles ------------------------------------------------------------------------------


@given(seed=SEEDS)
@settings(max_examples=20)
def test_the_last_prints_are_kept(seed: int) -> None:
    tape = random_tape(seed)
    for symbol in SPREADS_BPS:
        prints = rows_of(tape, symbol, Kind.TRADE)
        if not prints:
            continue
        market = market_after(tape, symbol)
        assert market["prints"] == len(prints)
        for sequence, row in list(enumerate(prints))[-PRINTS:]:
            at = sequence % PRINTS
            assert market["print_ns"][at] == row.at
            assert (market["print_price"][at], market["print_amount"][at]) == (
                row.values["a"],
                row.values["b"],
            )
            assert market["print_id"][at] == row.values.get("id", 0)
            assert market["print_taker"][at] == row.values.get("taker_order", 0)


def test_prints_do_not_move_a_quoted_price() -> None:
    tape = Tape()
    for second in range(100):
        tape.mid(second, "A/USDT", 100.0)
        tape.trade(second, "A/USDT", 150.0)
    assert np.exp(level_at(market_after(tape), ns(101))[0]) == pytest.approx(100.0, rel=1e-3)


def test_a_candle_is_the_last_word_only() -> None:
    """Where there are prints or quotes, candles of another source don't interfere."""
    tape = Tape()
    for minute in range(1, 10):
        tape.candle(60 * minute, "A/USDT", (100.0, 103.0, 99.0, 102.0), 7.0)
    market = market_after(tape)
    assert np.exp(market["candle_close"]) == pytest.approx(102.0)
    assert market["candle_range"] == pytest.approx(np.log(103.0 / 99.0))
    assert np.exp(level_at(market, ns(600))[0]) == pytest.approx(102.0, rel=1e-3)
    tape.mid(590, "A/USDT", 110.0)
    tape.candle(600, "A/USDT", (100.0, 103.0, 99.0, 102.0), 7.0)
    assert np.exp(level_at(market_after(tape), ns(601))[0]) == pytest.approx(110.0, rel=5e-3)


# --- history -----------------------------------------------------------------------------------------


def naive_levels(events: list[tuple[int, float, float]], quoted: bool) -> dict[int, float]:
    """Log price of each five-minute bucket: last quote, or average print; events: ns, price, amount."""
    buckets: dict[int, list[tuple[float, float]]] = {}
    for at, price, amount in events:
        buckets.setdefault(at // BUCKET_NS, []).append((price, amount))
    if quoted:
        return {number: float(np.log(seen[-1][0])) for number, seen in buckets.items()}
    return {
        number: float(np.log(sum(p * a for p, a in seen) / sum(a for _, a in seen)))
        for number, seen in buckets.items()
    }


@given(seed=SEEDS, quoted=st.booleans(), hours=st.sampled_from([0.5, 3.0, 30.0, 60.0]))
@settings(max_examples=30)
def test_history_is_that_of_the_closed_buckets(seed: int, quoted: bool, hours: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.0, hours * HOUR_S, 400))
    prices = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, 400)))
    tape = Tape()
    events = []
    for at, price in zip(times, prices, strict=True):
        amount = float(rng.uniform(0.1, 5.0))
        if quoted:
            tape.mid(at, "A/USDT", price, 0.01)
        else:
            tape.trade(at, "A/USDT", price, amount)
        events.append((ns(at), price, amount))
    market = market_after(tape)
    levels = naive_levels(events, quoted)
    now = events[-1][0] // BUCKET_NS
    assert market["bucket"] == now
    tolerance = 1e-3 if quoted else 1e-12  # a quoted level is filtered
    near = [levels[n] for n in range(now - 17, now - 9) if n in levels]
    older = [levels[n] for n in range(now - BUCKETS + 1, now - 17) if n in levels]
    if near:
        assert market["hour_ago"] == pytest.approx(np.median(near), abs=tolerance)
    elif older:
        assert market["hour_ago"] == pytest.approx(older[-1], abs=tolerance)
    else:
        assert np.isnan(market["hour_ago"])
    made = int(market["day_number"])
    if not made:
        return
    assert 0 <= now - made < 7
    day = [levels[n] for n in range(made - BUCKETS + 1, made) if n in levels]
    assert market["day_median"] == pytest.approx(np.median(day), abs=tolerance)
    if not quoted:
        amount = sum(a for at, _, a in events if made - BUCKETS < at // BUCKET_NS < made)
        assert market["day_amount"] == pytest.approx(amount)


@pytest.mark.parametrize("bps", [5.0, 25.0, 100.0])
def test_volatility_is_learned(bps: float) -> None:
    """Of a random walk with so many bps a bucket."""
    rng = np.random.default_rng(0)
    tape = Tape()
    for i, level in enumerate(np.cumsum(rng.normal(0.0, 1e-4 * bps, 2 * BUCKETS))):
        tape.mid(BUCKET_S * i + 1, "A/USDT", 100.0 * float(np.exp(level)), 0.5)
    assert 0.8 * bps < 1e4 * market_after(tape)["sigma"] < 1.6 * bps


def test_a_calm_price_that_jumps_at_times_is_not_certain() -> None:
    tape = Tape()
    price = 100.0
    for i in range(BUCKETS):
        price *= 1.01 if i % 8 == 0 else 1.0
        tape.mid(BUCKET_S * i + 1, "A/USDT", price)
    assert market_after(tape)["sigma"] > 20e-4


def test_one_jump_is_no_volatility() -> None:
    tape = Tape()
    for i in range(BUCKETS):
        tape.mid(BUCKET_S * i + 1, "A/USDT", 100.0 if i < 200 else 150.0)
    assert market_after(tape)["sigma"] < 10e-4


def test_what_is_over_a_day_old_is_forgotten() -> None:
    tape = Tape()
    for i in range(50):
        tape.trade(BUCKET_S * i, "A/USDT", 100.0, 1000.0)
    for i in range(50):
        tape.trade(3 * DAY_S + BUCKET_S * i, "A/USDT", 200.0, 1.0)
    market = market_after(tape)
    assert np.exp(market["day_median"]) == pytest.approx(200.0)
    assert market["day_amount"] <= 50.0


@given(seed=SEEDS, age_s=st.sampled_from((0.5, 3.0, 20.0)))
@settings(max_examples=50)
def test_what_had_settled_stood_so_long_ago_already(seed: int, age_s: float) -> None:
    """Whatever is quoted later than that changes nothing but the variance."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice((0.05, 0.4, 1.5, 30.0), 40))
    prices = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, 40)))
    now = float(times[-1]) + float(rng.uniform(0.0, 5.0))

    def settled(until: float) -> tuple[float, float]:
        tape = Tape()
        for at, price in zip(times.tolist(), prices.tolist(), strict=True):
            if at <= until:
                tape.mid(at, "A/USDT", price, 5.0)
        level, var = settled_at(market_after(tape), ns(now), int(age_s * 1e9))
        return float(level), float(var)

    level, var = settled(now)
    if np.isnan(level):  # nothing stood so long ago, or it is beyond the few seconds that are kept
        assert times[0] > now - age_s or age_s > 3.0
        return
    assert var > 0.0
    quoted = np.log(prices[times <= now - age_s])
    assert len(quoted) > 0
    assert quoted.min() - 1e-9 <= level <= quoted.max() + 1e-9
