"""Latent prices look like prices: clustered, fat-tailed, with crashes and pumps where asked for."""

from __future__ import annotations

import numpy as np
import pytest

from drainwatch.lab import paths
from drainwatch.lab.paths import Coin, Floats, at, bump, mean_reverting, simulate

COINS = [
    Coin("BTC", "major", 60_000.0, 1.0, 0.003),
    Coin("ALT", "liquid", 1.0, 1.2, 0.03),
    Coin("USDC", "stable", 1.0, 0.0, 0.0),
]


def autocorrelation(values: Floats, lag: int) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


def test_a_grid_is_read_linearly_and_held_at_its_ends() -> None:
    grid = np.array([1.0, 3.0, 5.0])
    assert [at(grid, t) for t in (-5.0, 0.0, 5.0, 10.0, 17.5, 20.0, 99.0)] == [1, 1, 2, 3, 4.5, 5, 5]
    assert bump(4, 10.0, [10.0, 20.0], [0.0, 1.0]).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_mean_reverting_paths_have_unit_variance_and_their_half_life() -> None:
    path = mean_reverting(np.random.default_rng(1), 200_000, 20.0)
    assert path.std() == pytest.approx(1.0, abs=0.05)
    assert autocorrelation(path, 20) == pytest.approx(0.5, abs=0.05)


def test_returns_are_fat_tailed_clustered_and_share_a_factor() -> None:
    world = simulate(np.random.default_rng(3), COINS, 30.0)
    btc, alt = (np.diff(world.log_usdt[name][::30]) for name in ("BTC", "ALT"))  # five minutes
    kurtosis = float(np.mean((btc - btc.mean()) ** 4) / np.var(btc) ** 2)
    assert kurtosis > 4.0
    assert abs(autocorrelation(btc, 1)) < 0.05
    assert autocorrelation(np.abs(btc), 1) > 0.05
    assert 0.1 < float(np.corrcoef(btc, alt)[0, 1]) < 0.95
    assert 0.008 < float(btc.std() * np.sqrt(288)) < 0.08  # a day's volatility
    assert float(np.abs(world.log_usdt["USDC"]).max()) < 0.2
    assert world.episodes == []


def test_a_crash_takes_all_coins_down_and_stresses_the_books() -> None:
    world = simulate(np.random.default_rng(4), COINS, 10.0, {"crash"})
    crash = next(episode for episode in world.episodes if episode.kind == "crash")
    for name in ("BTC", "ALT"):
        path = world.log_usdt[name]
        after = path[int(crash.start_s / paths.STEP_S) : int(crash.end_s / paths.STEP_S)]
        assert after.min() - after[0] < 0.5 * crash.depth
    assert world.stress.max() > 3.0 * np.median(world.stress)


def test_a_pump_is_one_coins_own_and_busy() -> None:
    world = simulate(np.random.default_rng(5), COINS, 10.0, {"pump"})
    pump = next(episode for episode in world.episodes if episode.kind == "pump")
    assert pump.subject == "ALT"
    window = slice(int(pump.start_s / paths.STEP_S), int(pump.end_s / paths.STEP_S))
    rise = world.log_usdt["ALT"][window]
    assert rise.max() - rise[0] > 0.6 * pump.depth
    assert world.activity["ALT"].max() > 4.0 * np.median(world.activity["ALT"])
    assert world.price("USDT", 5.0) == 1.0
