"""What befalls a venue leaves fair value alone, and shows in the books, the tape and who can trade."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from drainwatch.errors import ConfigError
from drainwatch.lab import paths, regimes
from drainwatch.lab.desk import Desk
from drainwatch.lab.markets import Market
from drainwatch.lab.paths import STEP_S, Episode, Floats, Paths
from drainwatch.lab.scenario import Scenario, make
from drainwatch.lab.universe import build
from drainwatch.lab.venue import EXCHANGE, OTHER_EXCHANGE, Venue


def built(regime: str, seed: int = 1) -> tuple[Paths, dict[str, Market], Episode]:
    world, _, markets = build(np.random.default_rng(seed), 2.0, regime=regime)
    return world, markets, next(episode for episode in world.episodes if episode.kind == regime)


def window(episode: Episode) -> slice:
    return slice(int(episode.start_s / STEP_S), int(episode.end_s / STEP_S) + 1)


def off(market: Market, episode: Episode) -> Floats:
    gap: Floats = (market.mid - market.fair)[window(episode)]
    return gap


@pytest.mark.parametrize("regime", regimes.NAMES)
def test_each_episode_comes_when_asked_for(regime: str) -> None:
    for seed in range(3):
        world, _, episode = built(regime, seed)
        assert 0.0 <= episode.start_s < world.seconds
        assert episode.end_s > episode.start_s


def test_nothing_happens_in_a_calm_world_and_the_unknown_is_refused() -> None:
    for seed in range(3):
        world, _, markets = build(np.random.default_rng(seed), 30.0, regime="calm")
        assert world.episodes == []
        assert all((market.mid == market.fair).all() and not market.shut for market in markets.values())
    with pytest.raises(ConfigError, match="regime must be one of calm, crash"):
        build(np.random.default_rng(1), 1.0, regime="flood")
    with pytest.raises(ConfigError, match="perp must be"):
        build(np.random.default_rng(1), 1.0, perp="cubic")


def test_without_being_asked_for_episodes_are_the_exception() -> None:
    rng = np.random.default_rng(3)
    drawn = [paths.draw_episodes(rng, 30.0) for _ in range(2000)]
    for name, chance in paths.CHANCES.items():
        assert 0.02 <= chance <= 0.15
        assert np.mean([name in happening for happening in drawn]) == pytest.approx(chance, abs=0.03)
    crashed = 0
    for seed in range(12):
        world, _, _ = build(np.random.default_rng(seed), 30.0)
        crashed += any(episode.kind == "local_crash" for episode in world.episodes)
    assert crashed < 6


def test_a_venues_crash_moves_its_markets_but_not_fair_value_nor_the_other_venue() -> None:
    _, markets, crash = built("venue_crash")
    fallen = [m for m in markets.values() if m.spec.quote == "USDT" and m.spec.kind != "stable"]
    assert all(off(market, crash).min() < 0.6 * crash.depth for market in fallen)
    for market in markets.values():
        if market.elsewhere is not None:
            assert float(np.abs(market.elsewhere.mid - market.fair).max()) < 0.01
            assert float(np.abs(market.elsewhere.half / market.half).max()) < 2.0
    stable = markets["USDC/USDT"]
    assert float(np.abs(off(stable, crash)).max()) < 0.1 * abs(crash.depth)


def test_a_crash_of_the_whole_market_is_everywhere() -> None:
    _, markets, crash = built("crash")
    fair = markets["BTC/USDT"].fair[window(crash)]
    assert fair.min() - fair[0] < 0.6 * crash.depth
    assert float(np.abs(off(markets["BTC/USDT"], crash)).max()) < 0.02


def test_a_single_markets_crash_is_its_own() -> None:
    _, markets, crash = built("local_crash")
    assert off(markets[crash.subject], crash).min() < 0.8 * crash.depth
    others = [m for s, m in markets.items() if s != crash.subject and m.spec.kind == "liquid"]
    assert all(float(np.abs(off(market, crash)).max()) < 0.02 for market in others)


def test_a_depeg_widens_the_stable_pair_and_is_shared_by_what_it_quotes() -> None:
    world, markets, depeg = built("depeg")
    assert world.log_usdt["USDC"].min() < 0.7 * depeg.depth
    stable = markets["USDC/USDT"]
    assert stable.half.max() > 1.8 * np.median(stable.half)
    cross = markets["BTC/USDT"].fair - stable.fair
    assert float(np.abs(markets["BTC/USDC"].fair - cross).max()) < 0.02


def desk(regime: str) -> tuple[Desk, Episode]:
    rng = np.random.default_rng(4)
    world, coins, markets = build(rng, 2.0, regime=regime)
    venue = Venue("v", "a", 0.001, 0.001, "quote", "nothing", "none", "", "number", mixed_feeds=True)
    made = Desk(rng, world, coins, markets, venue)
    made.thief_names = ["thief"]
    made.fund("USDT", 10_000.0)
    return made, next(episode for episode in world.episodes if episode.kind == regime)


def test_nobody_trades_in_an_outage() -> None:
    acting, outage = desk("outage")
    assert 600.0 <= outage.end_s - outage.start_s <= 7200.0
    t = (outage.start_s + outage.end_s) / 2.0
    mid = acting.mid("BTC/USDT", t)
    assert acting.markets["BTC/USDT"].closed(t)
    assert acting.taker(t, "BTC/USDT", 1, 500.0) == []
    assert acting.maker(t, "BTC/USDT", 1, mid, 500.0) == []
    acting.clear(t, "BTC/USDT", 1, 1.1 * mid)
    assert acting.markets["BTC/USDT"].prints == []
    assert acting.taker(outage.start_s - 60.0, "BTC/USDT", 1, 500.0)
    assert acting.taker(outage.end_s + 1.0, "BTC/USDT", 1, 500.0)
    low, high = 0.999999 * mid, 1.000001 * mid
    touched, _ = acting.markets["BTC/USDT"].first_touch(outage.start_s, low, high)
    assert not outage.start_s <= touched < outage.end_s


def test_a_coin_is_not_for_sale_before_its_listing() -> None:
    acting, listing = desk("listing")
    symbol = f"{listing.subject}/USDT"
    assert symbol not in acting.of_kind("half")
    assert acting.taker(listing.start_s - 60.0, symbol, 1, 500.0) == []
    assert acting.taker(listing.start_s + 600.0, symbol, 1, 500.0)
    assert symbol in acting.of_kind("half")
    path = acting.markets[symbol].fair[window(listing)]
    assert path.max() - path.min() > 0.4


@cache
def scenario(regime: str) -> Scenario:
    for seed in range(9, 30):  # one whose world knows the other venue
        made = make(seed, days=3.0, owner="twap", regime=regime)
        if OTHER_EXCHANGE in set(made.quotes["exchange"]):
            return made
    raise AssertionError


def seconds(made: Scenario, table: str) -> Floats:
    start = made.balances["timestamp"].min()
    times: Floats = (getattr(made, table)["timestamp"].to_numpy() - start) / 1000.0
    return times


def test_the_tape_is_silent_in_an_outage_but_for_the_other_venue() -> None:
    made = scenario("outage")
    outage = next(episode for episode in made.episodes if episode.kind == "outage")
    for table in ("trades", "quotes", "fills"):
        t = seconds(made, table)
        during = (t > outage.start_s + 0.1) & (t < outage.end_s - 0.1)
        here = (getattr(made, table)["exchange"] == EXCHANGE).to_numpy()
        assert not (during & here).any(), table
        if table == "quotes":
            assert (during & ~here).any()


def test_there_are_no_rows_before_a_listing_and_many_soon_after() -> None:
    made = scenario("listing")
    listing = next(episode for episode in made.episodes if episode.kind == "listing")
    for table in ("candles", "quotes", "trades"):
        of_it = getattr(made, table)["symbol"].str.startswith(f"{listing.subject}/").to_numpy()
        assert seconds(made, table)[of_it].min() >= listing.start_s - (60.0 if table == "candles" else 0.0)
    of_it = made.trades["symbol"].str.startswith(f"{listing.subject}/").to_numpy()
    mine = seconds(made, "trades")[of_it]
    early = (mine < listing.start_s + 3600.0).sum()
    assert early > 3 * ((mine > mine.max() - 3600.0).sum())


def test_the_other_venue_shows_the_true_price_in_a_venues_crash() -> None:
    made = scenario("venue_crash")
    crash = next(episode for episode in made.episodes if episode.kind == "venue_crash")
    quotes = made.quotes[made.quotes["symbol"] == "BTC/USDT"]
    t = seconds(made, "quotes")[(made.quotes["symbol"] == "BTC/USDT").to_numpy()]
    near = quotes[(t > crash.start_s - 600.0) & (t < crash.end_s)]
    here, there = (near[near["exchange"] == name]["bid"] for name in (EXCHANGE, OTHER_EXCHANGE))
    assert len(there) > 3
    assert here.min() / here.max() < np.exp(0.5 * crash.depth)
    assert there.min() / there.max() > np.exp(0.5 * crash.depth)
