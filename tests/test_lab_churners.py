"""Churners: back and forth, or round and round."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

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


def test_ping_pong_goes_back_and_forth_in_one_market() -> None:
    scenario = robbed("ping_pong", 0.5)
    drain = scenario.fills[scenario.labels["is_drain"]]
    main = drain[drain["symbol"] == drain["symbol"].mode()[0]].drop_duplicates("order")
    assert 0.35 < (main["side"] == "buy").mean() < 0.65
    assert len(main) >= 15


def test_triangles_use_three_markets() -> None:
    scenario = robbed("triangle", 0.5)
    drain = scenario.fills[scenario.labels["is_drain"]]
    assert drain["symbol"].nunique() >= 3


def test_fee_churners_pay_fees_and_little_else() -> None:
    made = robbed("fee_churn", 0.3)
    churned = drain_of(made)
    assert len(churned) > 100
    assert not churned["to_thief"].any()
    assert float(churned["bps"].median()) < 20.0


def test_stable_coins_are_traded_away_from_one() -> None:
    hit = drain_of(robbed("stable_skim", 0.3))
    hit = hit[hit["to_thief"]]
    assert set(hit["symbol"]) == {"USDC/USDT"}
    assert hit["bps"].max() > 20.0


def test_twin_skims_buy_dear_on_the_thin_pair_and_sell_on_the_liquid_one() -> None:
    skimmed = drain_of(robbed("twin_skim", 0.3))
    dear = skimmed[skimmed["to_thief"]]
    (thin,) = set(dear["symbol"])
    assert set(dear["side"]) == {"buy"}
    base = thin.partition("/")[0]
    sold = skimmed[(skimmed["symbol"] == f"{base}/USDT") & (skimmed["side"] == "sell")]
    assert abs(float(sold["bps"].median())) < float(dear["bps"].median())


def test_thin_perpetuals_are_entered_and_left_far_from_fair() -> None:
    hit = drain_of(robbed("thin_perp", 0.3))
    hit = hit[hit["to_thief"]]
    assert all(symbol.endswith(":USDT") for symbol in hit["symbol"])
    assert set(hit["side"]) == {"buy", "sell"}
    assert float(hit["bps"].median()) > 50.0
