"""Bleeders: many fills, none of them remarkable."""

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


def test_slow_bleeds_are_small_and_long() -> None:
    scenario = robbed("slow_bleed", 0.5)
    drain = drain_of(scenario)
    assert len(drain) >= 15
    assert drain["timestamp"].max() - drain["timestamp"].min() > 3_600_000
    assert 2.0 < float(drain["bps"].median()) < 60.0


def test_some_bleeds_stay_within_the_spread() -> None:
    """What was quoted just before, without the thief's own order, held every fill of some of them."""
    shares = []
    for seed in range(500, 508):
        made = robbed("slow_bleed", 1.0, seed)
        drain = drain_of(made)
        drain = drain[drain["to_thief"]].sort_values("timestamp", kind="stable")
        quotes = made.quotes.sort_values("timestamp", kind="stable")
        seen = pd.merge_asof(
            drain.assign(before=drain["timestamp"] - 61_000), quotes, left_on="before", right_on="timestamp",
            by="symbol", suffixes=("", "_quote"),
        )  # fmt: skip
        half = (seen["ask"] - seen["bid"]) / (seen["ask"] + seen["bid"]) * 1e4
        shares.append(float((seen["bps"] < 1.6 * half).mean()))
    assert sum(share > 0.8 for share in shares) >= 3


def test_mimics_keep_to_the_owners_sizes_and_names() -> None:
    for seed in (500, 501, 503):
        made = make(seed, days=10.0, owner="market_maker", thief="mimicry", difficulty=0.6)
        hit = drain_of(made)
        hit = hit[hit["to_thief"]]
        own = made.fills[~made.labels["is_drain"] & (made.fills["timestamp"] < hit["timestamp"].iloc[0])]
        here = own[own["symbol"] == hit["symbol"].iloc[0]]
        assert len(here)  # the owner's own market
        assert 0.5 < float(hit["cost"].median() / here["cost"].median()) < 2.0
        program = own[own["order"].isin(made.orders["order"])]
        if program["client_order_id"].notna().any():
            prefix = program["client_order_id"].iloc[-1][:2]
            assert hit["client_order_id"].str.startswith(prefix).all()
        assert not hit["order"].isin(made.orders["order"]).any()  # its own log tells


def test_trainers_lose_little_at_first_and_then_much() -> None:
    for seed in (500, 501):
        made = make(seed, days=20.0, owner="dca", thief="trainer", difficulty=0.4)
        hit = drain_of(made)
        hit = hit[hit["to_thief"]]
        day = (hit["timestamp"] - hit["timestamp"].iloc[0]) / 86_400_000.0
        assert day.iloc[-1] > 2.0
        early = hit["loss"][day < 0.5 * day.iloc[-1]]
        late = hit["loss"][day >= day.iloc[-1] - 0.3]
        assert late.sum() > 5.0 * early.sum()
        assert float(late.max()) > float(early.max())
