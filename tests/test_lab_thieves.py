"""Each kind of thief takes money in his own way, from blatant to careful."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from drainwatch.lab.scenario import Scenario, make
from drainwatch.lab.thieves import HELD_OUT, KINDS


@cache
def robbed(thief: str, difficulty: float, seed: int = 500) -> Scenario:
    return make(seed, days=6.0, owner="dca", thief=thief, difficulty=difficulty)


@pytest.mark.parametrize("difficulty", [0.1, 0.9])
@pytest.mark.parametrize("thief", list(KINDS))
def test_every_thief_takes_what_the_labels_say(thief: str, difficulty: float) -> None:
    scenario = robbed(thief, difficulty)
    labels = scenario.labels
    drain = labels[labels["is_drain"]]
    assert len(drain)
    assert scenario.stolen_quote == pytest.approx(drain["loss"].sum())
    assert scenario.stolen_quote > 0.0005 * scenario.equity_before
    assert scenario.started_ms is not None
    to_thief = drain["loss"][drain["to_thief"]].sum()
    if thief != "fee_churn":
        assert to_thief > 0.2 * scenario.stolen_quote
    assert set(drain["family"]) == {thief}


def test_the_blatant_take_more_than_the_careful() -> None:
    shares = {}
    for difficulty in (0.0, 1.0):
        all_of_it = [robbed("planted_wall", difficulty, seed) for seed in range(600, 605)]
        shares[difficulty] = np.mean([made.stolen_quote / made.equity_before for made in all_of_it])
    assert shares[0.0] > 2.0 * shares[1.0]


def deviations(scenario: Scenario) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    side = np.where(scenario.fills["side"] == "buy", 1.0, -1.0)
    drain = scenario.labels["is_drain"].to_numpy()
    out: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        side * (scenario.fills["price"] / scenario.labels["true_fair"] - 1.0).to_numpy()
    )[drain] * 1e4
    return out


def test_ping_pong_goes_back_and_forth_in_one_market() -> None:
    scenario = robbed("ping_pong", 0.5)
    drain = scenario.fills[scenario.labels["is_drain"]]
    main = drain[drain["symbol"] == drain["symbol"].mode()[0]].drop_duplicates("order")
    assert 0.35 < (main["side"] == "buy").mean() < 0.65
    assert len(main) >= 15


def test_slow_bleeds_are_small_and_long() -> None:
    scenario = robbed("slow_bleed", 0.5)
    drain = scenario.fills[scenario.labels["is_drain"]]
    assert len(drain) >= 15
    assert drain["timestamp"].max() - drain["timestamp"].min() > 3_600_000
    assert 2.0 < float(np.median(deviations(scenario))) < 60.0


def test_far_quotes_are_many_times_fair() -> None:
    assert deviations(robbed("far_quote", 0.1)).max() > 5e4


def test_liquidators_sell_and_then_buy_one_coin() -> None:
    scenario = robbed("liquidate_then_pump", 0.3)
    drain = scenario.fills[scenario.labels["is_drain"]]
    last = drain["symbol"].iloc[-1]
    into = drain[(drain["symbol"] == last) & (drain["side"] == "buy")]
    assert drain["side"].iloc[-1] == "buy"
    assert into["timestamp"].min() >= drain["timestamp"][drain["side"] == "sell"].max()
    assert set(drain["side"]) == {"buy", "sell"}


def test_off_market_makers_are_makers_far_off() -> None:
    scenario = robbed("off_market_maker", 0.3)
    makes = (scenario.fills["taker_or_maker"] == "maker").to_numpy() & scenario.labels["is_drain"].to_numpy()
    assert makes.any()
    own = deviations(scenario)
    assert own.max() > 200.0


def test_triangles_use_three_markets() -> None:
    scenario = robbed("triangle", 0.5)
    drain = scenario.fills[scenario.labels["is_drain"]]
    assert drain["symbol"].nunique() >= 3
    assert set(HELD_OUT) <= set(KINDS)


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
