"""The benchmark's accounts: nobody else's seeds, every owner, every thief from blatant to careful."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from drainwatch.bench import cases
from drainwatch.bench.cases import Case, honest, robbed, stressed
from drainwatch.lab import scenario
from drainwatch.lab.seeds import BENCHMARK, CARD, TRAINING, TUNING

ALL = honest(BENCHMARK, 2000) + stressed(BENCHMARK, 100) + robbed(BENCHMARK, 60)


def test_no_seed_is_used_twice_and_all_are_the_benchmarks() -> None:
    seeds = [case.seed for case in ALL]
    assert len(set(seeds)) == len(seeds)
    assert all(BENCHMARK.first <= seed < BENCHMARK.beyond for seed in seeds)


@pytest.mark.parametrize("others", [TRAINING, TUNING, CARD])
def test_seeds_are_apart_from_those_of_training_tuning_and_cards(others: Any) -> None:
    assert not any(others.first <= case.seed < others.beyond for case in ALL)


def test_every_owner_has_his_turn() -> None:
    owners = [case.owner for case in honest(BENCHMARK, 3 * len(scenario.OWNERS))]
    assert owners == 3 * list(scenario.OWNERS)


def test_honest_months_go_on_where_they_are_told_to() -> None:
    assert honest(TUNING, 5, 700_000) == honest(TUNING, 12, 699_993)[7:]


def test_each_regime_is_forced_on_several_owners() -> None:
    made = stressed(BENCHMARK, 4)
    assert [case.regime for case in made] == [regime for regime in cases.STRESS for _ in range(4)]
    for regime in cases.STRESS:
        assert len({case.owner for case in made if case.regime == regime}) == 4
    assert all(case.thief is None for case in made)


def test_each_thief_goes_from_easy_to_hard() -> None:
    made = robbed(BENCHMARK, 6)
    assert list(dict.fromkeys(case.thief for case in made)) == list(scenario.THIEVES)
    for thief in scenario.THIEVES:
        difficulties = [case.difficulty for case in made if case.thief == thief]
        assert difficulties == pytest.approx([(i + 0.5) / 6 for i in range(6)])
        assert all(a is not None and b is not None and a < b for a, b in pairwise(difficulties))


def test_a_case_is_simulated_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(scenario, "make", lambda seed, **arguments: asked.update(arguments, seed=seed))
    Case(5, "grid", "triangle", 0.25, "crash").make()
    assert asked == {
        "seed": 5, "days": 30.0, "owner": "grid", "thief": "triangle", "difficulty": 0.25, "regime": "crash",
    }  # fmt: skip


def test_a_case_can_be_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "DAYS", 1.0)
    made = Case(TUNING.of(5), "grid", "planted_wall", 0.25, "crash").make()
    assert (made.owner, made.family, made.difficulty) == ("grid", "planted_wall", 0.25)
