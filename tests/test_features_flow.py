"""Flow features against a naive look over all fills so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams import (
    ACCOUNTS,
    HOUR_S,
    NAN,
    Outcome,
    Tape,
    begins_order,
    feed,
    halved,
    judge,
    new_engine,
    random_tape,
    usual_names,
    values_of,
)

SEEDS = st.integers(0, 2**32 - 1)
MINUTE_NS = 60 * 10**9


class Seen:
    """A judged random stream: accounts with known equity, and what a naive look needs."""

    def __init__(self, seed: int) -> None:
        tape = random_tape(seed, n_rows=200, n_fills=90, hours=2.0)
        for account in ACCOUNTS:
            tape.balance(0.0, "USDT", 1e7, account)
        names = usual_names()
        batch = tape.batch(names)
        self.outcome: Outcome = feed(new_engine(names), [batch])
        self.fills = batch.fills
        self.begins = begins_order(batch.fills)
        self.values = values_of(names, batch.fills, self.outcome.judged)
        self.number = np.cumsum(self.begins)  # unique per order only within a run
        self.equity: NDArray[np.float64] = self.outcome.judged["equity"]
        self.known = self.equity > 0.0

    def of_account(self, i: int) -> NDArray[np.intp]:
        """Fills of the account up to and with this one."""
        return np.flatnonzero(self.fills["account"][: i + 1] == self.fills["account"][i])

    def of_pair(self, i: int) -> NDArray[np.intp]:
        """Those in the same market, too."""
        ours = self.of_account(i)
        here: NDArray[np.intp] = ours[self.fills["market"][ours] == self.fills["market"][i]]
        return here

    def orders(self, i: int) -> list[list[int]]:
        """Fills of each of the account's orders so far, in order of their first one."""
        found: list[list[int]] = []
        running: dict[int, list[int]] = {}
        for j in self.of_account(i):
            market = int(self.fills["market"][j])
            if self.begins[j]:
                running[market] = []
                found.append(running[market])
            running[market].append(int(j))
        return found

    def age(self, i: int, j: int | NDArray[np.intp]) -> NDArray[np.int64]:
        age: NDArray[np.int64] = self.fills["ts_ns"][i] - self.fills["ts_ns"][j]
        return age

    def check(self, feature: str, naive: Sequence[float]) -> None:
        """The feature is what was found naively, wherever equity is known."""
        found = self.outcome.feature(feature)
        np.testing.assert_allclose(found[self.known], np.array(naive)[self.known], rtol=1e-7, atol=1e-9)


@given(SEEDS)
@settings(max_examples=25)
def test_novelty_and_turnover_and_fees(seed: int) -> None:
    seen = Seen(seed)
    fee_quote = seen.outcome.judged["fee_quote"]
    fees = np.where(np.isnan(fee_quote), 0.0, fee_quote * seen.outcome.judged["quote_value"])
    novelty, turnover, burnt = [], [], []
    for i in range(len(seen.fills)):
        earlier = sum(seen.begins[j] for j in seen.of_pair(i) if j < i)
        novelty.append(np.exp(-earlier / 3.0))
        ours = seen.of_account(i)
        weights = halved(seen.age(i, ours), HOUR_S)
        turnover.append(float(np.sum(weights * seen.values[ours])) / seen.equity[i])
        burnt.append(1e4 * float(np.sum(weights * fees[ours])) / seen.equity[i])
    seen.check("novelty", novelty)
    seen.check("turnover_equity", turnover)
    seen.check("fees_equity_bps", burnt)


@given(SEEDS)
@settings(max_examples=25)
def test_what_was_sold_and_bought_lately(seed: int) -> None:
    """Orders of several markets may be under way at once: each counts for its own market and side."""
    seen = Seen(seed)
    sold_markets, into_base, rotation = [], [], []
    for i in range(len(seen.fills)):
        sold: set[int] = set()
        elsewhere = here = 0.0
        for order in seen.orders(i):
            first = seen.fills[order[0]]
            age = seen.age(i, order[0])
            value = float(np.sum(seen.values[order]))
            if first["side"] < 0 and age <= MINUTE_NS:
                sold.add(int(first["market"]))
            if age <= 10 * MINUTE_NS:
                if first["side"] < 0 and first["market"] != seen.fills["market"][i]:
                    elsewhere += value
                if first["side"] > 0 and first["market"] == seen.fills["market"][i]:
                    here += value
        sold_markets.append(len(sold))
        into_base.append(here / seen.equity[i])
        rotation.append(min(elsewhere, here) / seen.equity[i])
    seen.check("symbols_sold", sold_markets)
    seen.check("equity_into_base", into_base)
    seen.check("rotation", rotation)


@given(SEEDS)
@settings(max_examples=25)
def test_rate_of_orders(seed: int) -> None:
    seen = Seen(seed)
    naive = []
    for i in range(len(seen.fills)):
        starts = np.array([order[0] for order in seen.orders(i)])
        lately = float(np.sum(halved(seen.age(i, starts), 60.0)))
        usual = float(np.sum(halved(seen.age(i, starts), 24 * HOUR_S))) * np.log(2.0) / (24 * 60)
        naive.append(np.log((lately + 1.0) / (usual + 1.0)))
    np.testing.assert_allclose(seen.outcome.feature("rate_ratio"), naive, atol=0.01)


@given(SEEDS)
@settings(max_examples=25)
def test_flips_fade_with_time(seed: int) -> None:
    """Changes of side from order to order, each half forgotten after an hour, whatever came since."""
    seen = Seen(seed)
    naive = []
    for i in range(len(seen.fills)):
        ours = [int(j) for j in seen.of_pair(i)]
        starts = [j for j in ours if seen.begins[j]]
        sides = [seen.fills["side"][j] for j in starts]
        changes = [starts[k] for k in range(1, len(starts)) if sides[k] != sides[k - 1]]
        naive.append(float(np.sum(halved(seen.age(i, np.array(changes, int)), HOUR_S))))
    seen.check("flips", naive)


@given(SEEDS)
@settings(max_examples=25)
def test_push_is_what_fair_moved_since_the_run_began(seed: int) -> None:
    seen = Seen(seed)
    level = np.log(seen.outcome.judged["fair"])
    naive = []
    for i in range(len(seen.fills)):
        starts = [int(j) for j in seen.of_pair(i) if seen.begins[j]]
        began = starts[-1]
        for j in reversed(starts[:-1]):
            near = seen.age(began, j) <= 10 * MINUTE_NS
            if seen.fills["side"][j] != seen.fills["side"][i] or not near:
                break
            began = j
        run = [j for j in starts if j >= began and not np.isnan(level[j])]
        same = seen.fills["side"][starts[-1]] == seen.fills["side"][i]
        known = bool(run) and same and not np.isnan(level[i])
        naive.append(1e4 * seen.fills["side"][i] * (level[i] - level[run[0]]) if known else NAN)
    np.testing.assert_allclose(seen.outcome.feature("push_bps"), naive, rtol=1e-6, atol=1e-6)


def test_an_order_far_larger_than_usual_shows() -> None:
    tape = Tape()
    rng = np.random.default_rng(0)
    for i in range(60):
        tape.mid(600 * i, "ETH/USDT", 3000.0)
        tape.fill(600 * i + 1, "ETH/USDT", 1 if i % 2 else -1, 3000.0, float(np.exp(rng.normal(0.0, 0.3))))
    for part in range(10):
        tape.fill(36_000 + part, "ETH/USDT", 1, 3000.0, 10.0, order=1)
    sizes = judge(tape).feature("size_sigmas")
    assert np.isnan(sizes[:2]).all()
    assert np.abs(sizes[10:60]).max() < 2.0
    parts = sizes[60:]
    assert (np.diff(parts) > 0.0).all()  # the order grows with its fills
    assert parts[-1] > 5.0


@pytest.mark.parametrize("side", [1, -1])
def test_chasing_a_price_that_ran_away(side: int) -> None:
    """Bought after a rise, sold after a fall; the reverse is the opposite of chasing."""
    tape = Tape()
    for minute in range(24 * 60):
        wave = 1.0 + 1e-3 * np.sin(minute / 7.0)
        tape.mid(
            60 * minute, "ETH/USDT", 3000.0 * wave * (1.0 + 0.1 * side if minute > 23 * 60 + 30 else 1.0)
        )
    tape.fill(24 * HOUR_S, "ETH/USDT", side, 3000.0 * (1.0 + 0.1 * side))
    tape.fill(24 * HOUR_S, "ETH/USDT", -side, 3000.0 * (1.0 + 0.1 * side))
    chase = judge(tape).feature("chase_sigmas")
    assert chase[0] > 4.0
    assert chase[1] < -4.0


def test_an_order_beside_the_markets_day() -> None:
    """Half of what a market trades in a day at once, in five fills."""
    tape = Tape()
    for minute in range(24 * 60):
        tape.trade(60 * minute, "ETH/USDT", 3000.0, 1.0, id=minute + 1)
    for part in range(5):
        tape.fill(24 * HOUR_S + part, "ETH/USDT", 1, 3000.0, 144.0, order=9)
    shares = judge(tape).feature("day_volume_share")
    np.testing.assert_allclose(shares, np.arange(1, 6) / 10.0, rtol=0.03)


# --- there and back over different markets ------------------------------------------------------------


def there_and_back(loss: float, rounds: int = 3, gap_s: float = 5.0) -> float:
    """Buy over the thin pair `loss` above what the liquid one pays a moment later; return `trip_drift`."""
    tape = Tape()
    at = 0.0
    for i in range(20):  # the owner's own prices tell what a BTC is worth
        tape.fill(60.0 * i, "BTC/USDT", 1 if i % 2 else -1, 60_000.0, 0.01)
    at = 1200.0
    for _ in range(rounds):
        tape.fill(at, "FOO/BTC", 1, 1e-4 * (1.0 + loss), 1000.0)
        tape.fill(at + gap_s, "FOO/USDT", -1, 6.0, 1000.0)
        at += 60.0
    return float(judge(tape).feature("trip_drift")[-1])


def test_a_coin_bought_dear_on_one_market_and_sold_on_another_shows() -> None:
    """No fair price is known for either: fills alone, twin skims and triangles."""
    assert there_and_back(0.03) > 8.0


def test_a_coin_bought_cheap_there_does_not() -> None:
    assert there_and_back(-0.03) == 0.0
    assert there_and_back(0.0005) < 1.0


def test_a_position_of_hours_ago_is_closed_by_chance() -> None:
    assert there_and_back(0.03, gap_s=3.0 * HOUR_S) == 0.0
