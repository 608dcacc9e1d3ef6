"""Pumpers: a price is moved, then traded at."""

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


def test_liquidators_sell_and_then_buy_one_coin() -> None:
    sold_first = 0
    for seed in range(500, 505):
        drain = drain_of(robbed("liquidate_then_pump", 0.1, seed))
        assert drain["side"].iloc[-1] == "buy"
        last = drain["symbol"].iloc[-1]
        into = drain[(drain["symbol"] == last) & (drain["side"] == "buy") & (drain["loss"] > 0.0)]
        sold = drain[(drain["side"] == "sell") & (drain["symbol"] != last)]
        sold_first += len(sold) > 0
        assert not (sold["timestamp"] > into["timestamp"].max()).any()
    assert sold_first >= 2


def test_a_boosted_coin_is_dear_by_the_time_it_is_bought() -> None:
    made = robbed("boosted_coin", 0.3)
    bought = drain_of(made)
    bought = bought[bought["to_thief"]]
    assert float(bought["bps"].median()) > 5_000.0
    symbol, first = bought["symbol"].iloc[0], bought["timestamp"].iloc[0]
    quotes = made.quotes[(made.quotes["symbol"] == symbol) & (made.quotes["timestamp"] < first)]
    fair = bought["true_fair"].iloc[0]
    assert float(quotes["ask"].iloc[-1]) > 1.3 * fair  # it stood there before the victim came


def test_pressed_coins_are_sold_below_fair_and_come_back() -> None:
    made = robbed("wall_suppression", 0.2)
    sold = drain_of(made)
    sold = sold[sold["to_thief"]]
    assert set(sold["side"]) == {"sell"}
    assert sold["bps"].max() > 300.0
    quotes = made.quotes[made.quotes["symbol"] == sold["symbol"].iloc[0]]
    after = quotes[quotes["timestamp"] > sold["timestamp"].iloc[-1] + 4 * 3_600_000]
    assert float(after["bid"].iloc[0]) > float(sold["price"].min())


def test_a_crowd_moves_the_pump_not_the_thief() -> None:
    """Those who buy with this victim are robbed as well: on the tape they are many."""
    for seed in range(500, 540):
        made = robbed("coordinated_pump", 0.2, seed)
        if made.discloses != "accounts":
            continue
        hit = drain_of(made)
        hit = hit[hit["to_thief"]]
        tape = made.trades[
            (made.trades["symbol"] == hit["symbol"].iloc[0])
            & made.trades["timestamp"].between(hit["timestamp"].iloc[0] - 60_000, hit["timestamp"].iloc[-1])
        ]
        assert tape["buyer"].nunique() > 5
        return
    raise AssertionError("no venue among the seeds names accounts")
