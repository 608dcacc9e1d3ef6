"""Each kind of thief takes money in his own way, from blatant to careful."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from drainwatch.lab.scenario import HELD_OUT, TRAINING_THIEVES, Scenario, make
from drainwatch.lab.thieves import KINDS, difficulty_band


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


def test_every_known_family_has_a_thief_and_whole_families_are_held_out() -> None:
    families = {kind.family for kind in KINDS.values()}
    assert families == {f"F{i}" for i in range(1, 18)} | {"A1", "A2", "A3"}
    seen = {KINDS[name].family for name in TRAINING_THIEVES}
    unseen = {KINDS[name].family for name in HELD_OUT}
    assert not seen & unseen
    assert {"iceberg", "trainer", "in_the_crash", "far_quote", "thin_perp", "triangle"} <= set(HELD_OUT)
    assert {"mimicry", "dump_into_bids", "leverage_max"} <= set(TRAINING_THIEVES)


def test_difficulties_are_told_in_thirds() -> None:
    bands = [difficulty_band(d) for d in (0.0, 0.33, 0.34, 0.66, 0.67, 1.0)]
    assert bands == ["easy", "easy", "medium", "medium", "hard", "hard"]
    with pytest.raises(ValueError, match=r"from 0 to 1, was 1\.1"):
        difficulty_band(1.1)


@pytest.mark.slow
@pytest.mark.parametrize("thief", list(KINDS))
def test_every_month_with_a_thief_loses_something(thief: str) -> None:
    shares = []
    for seed in range(30_000, 30_010):
        made = make(seed, thief=thief)
        if any(episode.kind == "venue_crash" for episode in made.episodes):
            continue  # what is dear on this venue may be cheap beside fair value then
        shares.append(made.stolen_quote / made.equity_before)
    assert len(shares) >= 7
    assert min(shares) > 0.0
    assert float(np.median(shares)) > 0.003
