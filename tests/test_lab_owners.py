"""Each kind of owner trades as its kind does."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from drainwatch.lab.desk import Desk, run
from drainwatch.lab.owners import KINDS
from drainwatch.lab.paths import STEP_S, Episode
from drainwatch.lab.scenario import Scenario, make
from drainwatch.lab.universe import build
from drainwatch.lab.venue import Venue


@cache
def month(owner: str) -> Scenario:
    return make(77, days=12.0, owner=owner)


@pytest.mark.parametrize("owner", list(KINDS))
def test_every_owner_trades_and_keeps_most_of_his_money(owner: str) -> None:
    honest = month(owner)
    fills = honest.fills
    assert len(fills) >= 3
    assert not honest.labels["is_drain"].any()
    assert honest.family is None
    assert honest.started_ms is None
    lost = honest.labels["loss"][~honest.labels["own_bad"]].sum()
    assert lost < (0.5 if owner == "perp_trader" else 0.2) * honest.equity0  # leverage costs more spread


def test_grids_rest_on_both_sides() -> None:
    fills = month("grid").fills
    own = fills[fills["client_order_id"].notna() | fills["order"].isin(month("grid").orders["order"])]
    assert (own["taker_or_maker"] == "maker").mean() > 0.9
    assert 0.3 < (own["side"] == "buy").mean() < 0.7


def test_market_makers_earn_the_spread() -> None:
    honest = month("market_maker")
    makes = (honest.fills["taker_or_maker"] == "maker").to_numpy()
    assert makes.mean() > 0.8
    assert honest.labels["loss"].to_numpy()[makes].sum() < 0.0


def test_dca_only_buys_at_its_hours() -> None:
    honest = month("dca")
    own = honest.fills[honest.fills["order"].isin(honest.orders["order"])]
    assert set(own["side"]) == {"buy"}


def test_people_have_no_log_of_a_program_and_sleep() -> None:
    fills = make(3, days=30.0, owner="human").fills
    hours = np.unique(fills["timestamp"].to_numpy() // 3_600_000 % 24)
    assert len(hours) < 24


def test_a_stop_is_sold_after_a_fall() -> None:
    honest = make(78, days=12.0, owner="stop_holder")  # in 77 no stop is reached
    assert {"buy"} <= set(honest.fills["side"])
    own = honest.fills[honest.fills["order"].isin(honest.orders["order"])]  # none by hand
    sales = own[own["side"] == "sell"]
    assert len(sales) > 0
    assert (sales["taker_or_maker"] == "taker").all()


def test_dust_is_small() -> None:
    honest = month("dust_converter")
    assert (honest.fills.groupby("order")["cost"].sum() < 15.0).mean() > 0.3


def test_arbitrage_over_venues_loses_a_little_here_leg_by_leg() -> None:
    honest = month("venue_arbitrage")
    own = honest.fills["order"].isin(honest.orders["order"]).to_numpy()
    assert (honest.fills["taker_or_maker"][own] == "taker").all()
    lost = honest.labels["loss"].to_numpy()[own]
    assert (lost > 0.0).mean() > 0.8
    assert 0.0 < lost.sum() < 0.05 * honest.equity0
    side = np.where(honest.fills["side"] == "buy", 1.0, -1.0)
    cost = side * (honest.fills["price"] / honest.labels["true_fair"] - 1.0)
    assert np.median(cost[own]) < 0.003


def test_arbitrage_over_venues_moves_coins_and_money() -> None:
    """Both legs are never seen: what is bought here goes out, what is sold comes in."""
    acting = desk(30.0)
    run([KINDS["venue_arbitrage"](acting, 10_000.0)], acting.end)
    fills = {round(fill.ms) for fill in acting.fills}
    moved = [change for ms, _, change in acting.ledger if ms > 0 and ms + 1 not in fills and ms not in fills]
    assert min(moved) < 0.0 < max(moved)
    assert min(acting.holdings.values()) >= -1e-6


def test_momentum_may_trade_what_is_newly_listed() -> None:
    acting = desk(10.0)
    thin = f"{acting.coins['D'].name}/USDT"  # a kind that it never looks at otherwise
    start = 4.0 * 86_400.0
    acting.world.episodes.append(Episode("listing", acting.coins["D"].name, start, start + 7200.0, 1.0))
    market = acting.markets[thin]
    since = np.arange(len(market.mid)) * STEP_S - start
    market.mid += np.clip(since / 3600.0, 0.0, 1.5)
    traded = set()
    for _ in range(6):  # half of them look at it
        run([KINDS["momentum"](acting, 10_000.0)], acting.end)
        traded |= {fill.symbol for fill in acting.fills}
    assert thin in traded


def desk(days: float) -> Desk:
    rng = np.random.default_rng(8)
    world, coins, markets = build(rng, days, regime="calm")
    venue = Venue("v", "a", 0.001, 0.001, "quote", "nothing", "none", "", "number", mixed_feeds=True)
    return Desk(rng, world, coins, markets, venue)
