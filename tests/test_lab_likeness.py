"""The figures of a tape are right on series whose figures are known."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest

from drainwatch.lab import likeness


def test_hills_index_is_that_of_a_pareto_tail() -> None:
    rng = np.random.default_rng(1)
    for index in (1.5, 3.0):
        assert likeness.hill(1.0 + rng.pareto(index, 200_000)) == pytest.approx(index, rel=0.05)
    assert isnan(likeness.hill(np.ones(10)))
    assert isnan(likeness.hill(np.ones(1000)))


def test_memory_is_that_of_an_autoregression() -> None:
    rng = np.random.default_rng(2)
    noise, path = rng.standard_normal(100_000), np.zeros(100_000)
    for i in range(1, len(path)):
        path[i] = 0.6 * path[i - 1] + noise[i]
    first, second = likeness.memory(path)[:2]
    assert first == pytest.approx(0.6, abs=0.02)
    assert second == pytest.approx(0.36, abs=0.02)
    assert all(isnan(value) for value in likeness.memory(np.ones(1000)))
    assert isnan(likeness.memory(np.arange(40.0))[-1])


def test_kurtosis_is_none_of_a_normal_and_three_of_a_laplace_distribution() -> None:
    rng = np.random.default_rng(3)
    assert likeness.excess_kurtosis(rng.standard_normal(200_000)) == pytest.approx(0.0, abs=0.1)
    assert likeness.excess_kurtosis(rng.laplace(size=200_000)) == pytest.approx(3.0, abs=0.3)
    assert isnan(likeness.excess_kurtosis(np.zeros(100)))


def tape(n: int = 200) -> tuple[pd.DataFrame, pd.DataFrame]:
    ms = np.arange(n) * 30_000
    up = np.arange(n) % 2 == 0
    trades = pd.DataFrame(
        {
            "timestamp": ms,
            "price": np.where(up, 100.1, 99.9),
            "amount": 2.0,
            "side": np.where(up, "buy", "sell"),
        }
    )
    quotes = pd.DataFrame({"timestamp": ms - 10, "bid": 99.9, "ask": 100.1, "bid_size": 4.0, "ask_size": 8.0})
    return trades, quotes


def test_a_regular_tape_has_regular_figures() -> None:
    figures = likeness.measure("clock", *tape())
    assert figures.waits_s == (30.0,) * 4
    assert figures.wait_spread == 0.0
    assert figures.quiet == 0.0
    assert figures.sizes == (1.0,) * 4
    assert figures.depth_to_size == 3.0
    assert figures.spread_bps == pytest.approx((20.0,) * 4)
    assert figures.sign_memory[:2] == pytest.approx((-1.0, 1.0), abs=0.02)
    assert figures.response_bps == (0.0, 0.0, 0.0)
    assert figures.hours == pytest.approx(199 * 30 / 3600)


def test_the_bounce_between_bid_and_ask_is_in_returns_of_prints_only() -> None:
    trades, quotes = tape()
    trades = trades[np.random.default_rng(4).random(len(trades)) < 0.6]
    assert likeness.measure("prints", trades).return_memory[0] < -0.2
    assert isnan(likeness.measure("mids", trades, quotes).return_memory[0])  # the mid never moves


def test_prints_of_one_taker_order_are_one() -> None:
    trades = pd.DataFrame(
        {
            "timestamp": [1, 1, 1, 9],
            "price": [5.0, 6.0, 4.0, 4.0],
            "amount": [1.0, 2.0, 7.0, 1.0],
            "side": ["buy", "buy", "sell", "sell"],
        }
    )
    orders = likeness.taker_orders(trades)
    assert orders["amount"].tolist() == [3.0, 7.0, 1.0]
    assert orders["price"].tolist() == [6.0, 4.0, 4.0]
    assert orders["sign"].tolist() == [1, -1, -1]
    assert likeness.taker_orders(trades.iloc[:0]).empty


def test_what_a_short_tape_cannot_tell_is_unknown() -> None:
    figures = likeness.measure("short", tape()[0].iloc[:3])
    assert figures.trades == 3
    assert isnan(figures.wait_spread)
    assert isnan(figures.spread_bps[0])
    assert isnan(figures.kurtosis)
