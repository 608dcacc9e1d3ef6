"""The simulated book: large orders walk it, it recovers, walls stand in it, nothing is crossed."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.lab.markets import Market, Push, Spec, Wall

SPEC = Spec("X/USDT", "X", "USDT", "thin", 0.005, 200.0, 0.002, 300.0, 60.0, 0.001, 0.1)


def market(mid: float = 2.0) -> Market:
    flat = np.full(1000, log(mid))
    minutes = np.full(200, 0.005)
    return Market(SPEC, flat.copy(), flat, minutes, np.ones(200), np.ones(200))


def test_the_calm_book_is_a_spread_around_the_mid() -> None:
    book = market()
    bid, ask = book.best(100.0)
    assert (bid, ask) == (1.99, 2.011)
    assert book.fair_price(5.0) == pytest.approx(2.0)


def test_prices_round_away_from_the_mid_and_amounts_down() -> None:
    book = market()
    assert book.round_price(1.2345, 1) == 1.234
    assert book.round_price(1.2345, -1) == 1.235
    assert book.round_price(1.234, 1) == book.round_price(1.234, -1) == 1.234
    assert book.round_price(1e-9, 1) == 0.001
    assert book.round_amount(12.39) == 12.3


@given(st.floats(1.0, 5000.0), st.sampled_from([1, -1]), st.integers(0, 1000))
def test_a_taker_walks_from_the_best_price_on(usdt: float, side: int, seed: int) -> None:
    book = market()
    bid, ask = book.best(50.0)
    done = book.take(50.0, side, usdt / 2.0, np.random.default_rng(seed), usdt=1.0)
    prices = [price for price, _, _ in done]
    assert prices == sorted(prices, reverse=side < 0)
    assert prices[0] == (ask if side > 0 else bid)
    assert sum(amount for _, amount, _ in done) <= usdt / 2.0 + 1e-9
    after = book.best(50.0)
    assert after[0] < after[1]
    assert after[1] >= ask if side > 0 else after[0] <= bid


def test_more_costs_more_and_a_budget_is_kept() -> None:
    costs = []
    for amount in (50.0, 500.0, 5000.0):
        done = market().take(50.0, 1, amount, np.random.default_rng(1), usdt=1.0)
        costs.append(sum(p * a for p, a, _ in done) / sum(a for _, a, _ in done))
    assert costs[0] < costs[1] < costs[2]
    done = market().take(50.0, 1, inf, np.random.default_rng(1), usdt=1.0, budget=700.0)
    assert 690.0 < sum(p * a for p, a, _ in done) <= 700.0
    done = market().take(50.0, 1, inf, np.random.default_rng(1), usdt=1.0, limit=2.05)
    assert max(p for p, _, _ in done) <= 2.05


def test_the_book_recovers_after_a_sweep() -> None:
    book = market()
    calm = book.best(50.0)
    book.take(50.0, 1, 2000.0, np.random.default_rng(1), usdt=1.0)
    shaken, later, healed = (book.best(t)[1] for t in (50.0, 110.0, 50.0 + 65 * 60.0))
    assert shaken > later > calm[1]
    assert healed == calm[1]


def test_walls_stand_in_the_book_for_their_time() -> None:
    book = market()
    book.walls.append(Wall(-1, 2.5, 100.0, 40.0, 60.0, "w", "thief"))
    assert book.best(50.0)[1] == 2.011
    book.empty_to(50.0, 1, 2.5)
    assert book.best(50.0)[1] == 2.5
    done = book.take(50.0, 1, 60.0, np.random.default_rng(1), usdt=1.0)
    assert [(p, a) for p, a, wall in done if wall is not None] == [(2.5, 60.0)]
    assert book.walls[0].amount == pytest.approx(40.0)
    assert book.best(70.0)[1] != 2.5  # it is gone
    inside = market()
    inside.walls.append(Wall(1, 2.005, 10.0, 0.0, 100.0, "w", "thief"))
    assert inside.best(50.0)[0] == 2.005


def test_a_push_moves_the_mid_but_not_fair_value() -> None:
    book = market()
    book.pushes.append(Push((100.0, 200.0, 300.0, 310.0), (0.0, 0.1, 0.1, 0.0), 30.0, "thief"))
    assert [exp(book.log_mid(t)) for t in (50.0, 150.0, 250.0, 400.0)] == pytest.approx(
        [2.0, 2.0 * exp(0.05), 2.0 * exp(0.1), 2.0]
    )
    assert book.fair_price(250.0) == pytest.approx(2.0)


def test_first_touch_finds_when_the_market_comes_to_an_order() -> None:
    book = market()
    book.mid[500:] = log(2.2)
    assert book.first_touch(0.0, 1.5, 2.1) == (5000.0, -1)
    assert book.first_touch(0.0, 1.995, 3.0) == (10.0, 1)
    assert book.first_touch(0.0, 1.0, 3.0) == (inf, 0)
    assert book.first_touch(0.0, 1.995, 2.1, through=True) == (5000.0, -1)
    assert book.first_touch(0.0, 2.02, inf, through=True) == (10.0, 1)
