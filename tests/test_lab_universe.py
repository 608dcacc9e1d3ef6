"""Worlds have what detectors have to cope with: twins, thin pairs, dead coins, tiny prices, perpetuals."""

from __future__ import annotations

import numpy as np
import pytest

from drainwatch.lab.universe import build, draw_spec


@pytest.fixture(scope="module", params=range(4))
def world(request: pytest.FixtureRequest) -> tuple[object, ...]:
    return build(np.random.default_rng(request.param), 1.0)


def test_every_world_has_its_usual_markets(world: tuple[object, ...]) -> None:
    _, coins, markets = world
    assert isinstance(markets, dict)
    assert isinstance(coins, dict)
    assert {"BTC/USDT", "ETH/USDT", "ETH/BTC", "USDC/USDT", f"{coins['D'].name}/USDT"} <= set(markets)
    assert len(coins) == len({coin.name for coin in coins.values()})
    thin = [m.spec for m in markets.values() if m.spec.kind == "thin" and m.spec.quote != "USDT"]
    assert thin
    assert all(f"{spec.base}/USDT" in markets for spec in thin)  # each has its twin
    assert all(f"{spec.quote}/USDT" in markets for spec in thin)  # and its cross rate


def test_twins_agree_through_the_cross_rate(world: tuple[object, ...]) -> None:
    _, _, markets = world
    assert isinstance(markets, dict)
    cross = markets["ETH/USDT"].fair - markets["BTC/USDT"].fair
    assert float(np.abs(markets["ETH/BTC"].fair - cross).max()) < 0.01


def test_spreads_depths_and_ticks_fit_their_kind(world: tuple[object, ...]) -> None:
    _, _, markets = world
    assert isinstance(markets, dict)
    halves: dict[str, list[float]] = {}
    for market in markets.values():
        halves.setdefault(market.spec.kind, []).append(float(np.median(market.half)))
        assert 0.0 < market.spec.tick < 0.02 * market.fair_price(0.0)
    assert max(halves["liquid"]) < 0.002
    assert max(halves["liquid"]) < max(halves["dead"])


def test_a_perpetual_comes_when_asked_for() -> None:
    for kind in ("liquid", "thin"):
        _, _, markets = build(np.random.default_rng(7), 0.5, perp=kind)
        (spec,) = (market.spec for market in markets.values() if market.spec.settle)
        assert spec.symbol.endswith("/USDT:USDT")
        assert spec.contract_size in {0.01, 0.1, 1.0, 10.0, 100.0}
        assert spec.lot == 1.0
        assert not spec.inverse
    _, _, markets = build(np.random.default_rng(7), 0.5, perp="inverse")
    (spec,) = (market.spec for market in markets.values() if market.spec.settle)
    assert (spec.symbol, spec.quote, spec.settle) == ("BTC/USD:BTC", "USD", "BTC")
    assert spec.inverse
    assert spec.worth(1.0) == spec.worth(50_000.0) == 100.0
    assert np.abs(markets[spec.symbol].fair - markets["BTC/USDT"].fair).max() < 0.01


def test_a_dozen_markets_and_in_half_of_the_worlds_a_second_venue() -> None:
    known = 0
    for seed in range(24):
        _, _, markets = build(np.random.default_rng(seed), 0.5)
        assert len(markets) >= 12
        elsewhere = [market for market in markets.values() if market.elsewhere is not None]
        known += bool(elsewhere)
        for market in elsewhere:
            assert market.spec.kind in {"liquid", "half"}
            assert market.elsewhere is not None
            assert float(np.abs(market.elsewhere.fair - market.fair).max()) < 0.02
            assert market.elsewhere.spec.interval_s > market.spec.interval_s
    assert 6 <= known <= 18


def test_prices_go_from_tiny_to_large() -> None:
    prices = []
    for seed in range(60):
        _, coins, markets = build(np.random.default_rng(seed), 0.5)
        prices += [coin.price for coin in coins.values()]
        for market in markets.values():
            price = market.fair_price(0.0)
            assert market.spec.tick < 0.02 * price
            assert market.spec.lot * market.spec.worth(price) * np.exp(
                0.0 if market.spec.quote != "BTC" else markets["BTC/USDT"].fair[0]
            ) < (1.01 if not market.spec.settle else 150.0)
    assert 1e-10 <= min(prices) < 1e-8
    assert 5e4 < max(prices) < 1.2e5


def test_a_tick_is_a_power_of_ten_below_the_price() -> None:
    rng = np.random.default_rng(1)
    for price in (1e-8, 0.37, 65_000.0):
        spec = draw_spec(rng, "X", "USDT", "liquid", price, 1.0)
        assert spec.tick < 2e-4 * price
        assert np.log10(spec.tick) == pytest.approx(round(float(np.log10(spec.tick))))


def test_what_chance_may_not_bring_does_not_come() -> None:
    seeds = range(60)
    met = {e.kind for seed in seeds for e in build(np.random.default_rng(seed), 3.0)[0].episodes}
    spared = {
        e.kind
        for seed in seeds
        for e in build(np.random.default_rng(seed), 3.0, without=("pump", "outage", "crash"))[0].episodes
    }
    assert met & {"pump", "outage", "crash"}
    assert not spared & {"pump", "outage", "crash"}
