"""Sweepers: the victim's orders meet quotes far from fair."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from drainwatch.lab.scenario import Scenario, make


@cache
def robbed(thief: str, difficulty: float, seed: int = 500) -> Scenario:
    return make(seed, days=6.0, owner="dca", thief=thief, difficulty=difficulty)


def drain_of(scenario: Scenario) -> pd.DataFrame:
    """Return the thief's fills with their labels and the deviation from fair in basis points."""
    out = scenario.fills.assign(
        to_thief=scenario.labels["to_thief"],
        true_fair=scenario.labels["true_fair"],
        loss=scenario.labels["loss"],
    )
    side = np.where(out["side"] == "buy", 1.0, -1.0)
    out["bps"] = side * (out["price"] / out["true_fair"] - 1.0) * 1e4
    return out[scenario.labels["is_drain"]]


def test_far_quotes_are_many_times_fair() -> None:
    assert drain_of(robbed("far_quote", 0.1))["bps"].max() > 5e4


def test_off_market_makers_are_makers_far_off() -> None:
    scenario = robbed("off_market_maker", 0.3)
    makes = (scenario.fills["taker_or_maker"] == "maker").to_numpy() & scenario.labels["is_drain"].to_numpy()
    assert makes.any()
    assert drain_of(scenario)["bps"].max() > 200.0


def test_careful_thieves_poison_the_price_before() -> None:
    moved = 0
    for seed in range(700, 706):
        scenario = robbed("planted_wall", 1.0, seed)
        drain = scenario.labels["is_drain"].to_numpy()
        last = scenario.fills[drain].iloc[-1]
        fair = scenario.labels["true_fair"].to_numpy()[drain][-1]
        before = scenario.quotes[
            (scenario.quotes["symbol"] == last["symbol"])
            & (scenario.quotes["timestamp"] < last["timestamp"] - 200_000)
            & (scenario.quotes["timestamp"] > last["timestamp"] - 400_000)
        ]
        if len(before):
            mid = float((before["bid"] + before["ask"]).mean() / 2.0)
            moved += abs(mid / fair - 1.0) > 0.008
    assert moved >= 2


def test_dumps_sell_far_below_fair_into_the_thiefs_bids() -> None:
    met = 0
    for seed in range(500, 506):
        dumped = drain_of(robbed("dump_into_bids", 0.2, seed))
        hit = dumped[dumped["to_thief"]]
        if hit.empty:  # a book too full for him, or a market that stood still
            continue
        met += 1
        assert set(hit["side"]) == {"sell"}
        assert hit["symbol"].nunique() == 1
        assert hit["bps"].max() > 300.0
    assert met >= 4


def test_icebergs_are_many_small_fills_at_few_prices_against_few_orders() -> None:
    made = next(
        s for s in (robbed("iceberg", 0.3, seed) for seed in range(500, 540)) if s.discloses == "orders"
    )
    hit = drain_of(made)
    hit = hit[hit["to_thief"]]
    assert len(hit) >= 40
    assert hit["price"].nunique() < 0.3 * len(hit)
    assert (hit.groupby("price")["maker_order"].nunique() <= 2).all()
    assert hit["maker_order"].value_counts().iloc[0] >= 20


def test_crumbs_are_tiny_and_many() -> None:
    crumbs = drain_of(robbed("crumbs", 0.5))
    bought = crumbs[crumbs["to_thief"]]
    assert len(bought) > 200
    assert (bought["cost"] / bought["cost"].sum()).max() < 0.02


def test_more_is_traded_than_there_was_on_loan_or_with_leverage() -> None:
    ways = set()
    for seed in range(500, 512):
        made = robbed("leverage_max", 0.2, seed)
        hit = drain_of(made)
        hit = hit[hit["to_thief"]]
        turnover = (hit["loss"] / (1.0 - hit["true_fair"] / hit["price"])).abs().sum()
        levered = bool(hit["symbol"].str.contains(":").any())
        ways.add(levered)
        assert turnover > (3.0 if levered else 0.6) * made.equity_before
    assert ways == {True, False}


@pytest.mark.parametrize("seed", [500, 501, 502, 503])
def test_who_waits_for_a_crash_robs_within_it(seed: int) -> None:
    made = robbed("in_the_crash", 0.4, seed)
    (crash,) = (e for e in made.episodes if e.kind == "crash")
    hit = drain_of(made)
    hit = hit[hit["to_thief"]]
    started = made.quotes["timestamp"].iloc[0] // 3_600_000 * 3_600_000
    first, last = ((hit["timestamp"].iloc[i] - started) / 1000.0 for i in (0, -1))
    assert crash.start_s < first < crash.end_s
    assert last < crash.end_s + 3_600.0
    assert hit["loss"].sum() > 0.0
