"""From a feature row to a score: every step against the few lines of Python or numpy that it stands for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from drainwatch.detector import (
    EVIDENCE,
    FOREST_WEIGHT,
    LEVELS,
    MAX_SCORE,
    MIN_SCORE,
    PEERS,
    PRECEDENT_WEIGHT,
    RULED,
    STRANGER,
    STRANGER_WEIGHT,
    SUM,
    VOTES,
    Judge,
    final_score,
    forest_columns,
    forest_scores,
    judge_from,
    read_off,
    rough_log2,
    transform,
    votes,
    weigh,
)
from drainwatch.errors import ModelError
from drainwatch.features.registry import COUNT, FAMILIES, FEATURES, NAMES, index
from drainwatch.forest import score_rows
from drainwatch.rules import RULES
from streams import NAN, random_tape, tiny_judge, tiny_model
from streams import judge as judge_tape

SEEDS = st.integers(0, 2**32 - 1)
NORMAL = st.floats(1e-300, 1e300)
SCORES = st.one_of(st.just(NAN), st.floats(0.0, 1.0))
TOTALS = st.floats(-1e9, 1e9)
LEVEL = st.integers(0, len(LEVELS) - 1)
ROWS = arrays(
    np.float64, COUNT, elements=st.one_of(st.just(NAN), st.floats(-1e9, 1e9), st.floats(-3.0, 30.0))
)


def random_judge(seed: int, n_knots: int = 6, false_alarms_per_month: float = 0.1) -> Judge:
    """A judge of random calibrations, ascending as training makes them; the forests are the small model's."""
    rng = np.random.default_rng(seed)
    shape = (len(PEERS), len(LEVELS), n_knots)
    knots = np.cumsum(rng.uniform(0.01, 0.4, shape), axis=-1)
    knots[EVIDENCE:] *= 20.0
    nats = -5.0 + np.cumsum(rng.exponential(2.0, shape) * (rng.random(shape) < 0.8), axis=-1)
    model = tiny_model() | {
        "knots": knots,
        "nats": nats,
        "rule_nats": rng.uniform(0.0, 9.0, (len(LEVELS), len(RULES))),
    }
    return judge_from(model, NAMES, false_alarms_per_month)


def naive_read(knots: NDArray[np.float64], nats: NDArray[np.float64], value: float) -> float:
    """What `read_off` says in one line of numpy and one for what lies beyond the last knot."""
    if value > knots[-1]:
        return float(nats[-1] + (value - knots[-1]) * (nats[-1] - nats[-2]) / (knots[-1] - knots[-2]))
    return float(np.interp(value, knots, nats))


# --- a row for the forests ----------------------------------------------------------------------------


@given(NORMAL)
@example(1.0)
@example(np.nextafter(2.0, 0.0))
@example(1.0 + 2.0**-52)
def test_rough_log2_is_within_a_tenth_of_the_true_one(value: float) -> None:
    assert -1e-9 <= math.log2(value) - rough_log2(value) < 0.09


@given(NORMAL, NORMAL)
def test_rough_log2_keeps_order(first: float, second: float) -> None:
    """A larger excess must never look smaller to a forest."""
    low, high = sorted((first, second))
    assert rough_log2(low) <= rough_log2(high)


@given(st.integers(-1000, 1000))
def test_rough_log2_is_exact_at_powers_of_two_and_straight_between(power: int) -> None:
    assert rough_log2(2.0**power) == power
    assert rough_log2(1.25 * 2.0**power) == power + 0.25


@given(ROWS, SEEDS)
def test_a_row_is_turned_into_what_lies_beyond_the_usual(x: NDArray[np.float64], seed: int) -> None:
    """Nothing up to the floor or where missing; beyond it a logarithm, in units of the feature's scale."""
    rng = np.random.default_rng(seed)
    floor, scale = rng.normal(0.0, 5.0, COUNT), 10.0 ** rng.uniform(-2.0, 2.0, COUNT)
    into = np.full(COUNT, NAN)
    transform(x, floor, scale, into)
    for i in range(COUNT):
        if not x[i] > floor[i]:  # NaN isn't
            assert into[i] == 0.0
        else:
            true = math.log2(1.0 + (x[i] - floor[i]) / scale[i])
            assert -1e-9 <= true - into[i] < 0.09


@given(st.floats(0.0, 1e300), st.floats(0.0, 1e300), st.floats(-10.0, 10.0))
def test_more_beyond_the_usual_never_becomes_less(first: float, second: float, floor: float) -> None:
    low, high = sorted((first, second))
    into = np.empty(2)
    transform(np.array([low, high]), np.full(2, floor), np.ones(2), into)
    assert into[0] <= into[1]


@pytest.mark.parametrize("value", [1e13, 1e300, np.inf])
def test_what_is_beyond_all_bounds_stays_a_number(value: float) -> None:
    into = np.empty(1)
    transform(np.array([value]), np.zeros(1), np.full(1, 1e-3), into)
    assert into[0] == pytest.approx(math.log2(1e12), abs=0.09)


def test_each_forest_reads_its_family_and_what_came_in_sequence() -> None:
    for family, read in zip(FAMILIES, forest_columns(), strict=True):
        assert [FEATURES[i].family for i in read if FEATURES[i].family != family] == ["sequence"] * sum(
            feature.family == "sequence" for feature in FEATURES
        )
        assert set(read) >= {i for i, feature in enumerate(FEATURES) if feature.family == family}


# --- who may vote -------------------------------------------------------------------------------------

WITNESSES = {
    "price": ("deviation_sigmas",),
    "flow": (),
    "counterparty": ("tape_share", "party_share"),
    "habit": ("hour_rarity",),
}
"""What a family must have seen one of to have a vote; flow has always seen the account's own fills."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_that_saw_nothing_has_no_vote(family: str) -> None:
    """A forest finds a row without danger harmless: one that only lacks data must not pass for such."""
    number = FAMILIES.index(family)
    blind = np.full(COUNT, NAN)
    assert bool(votes(blind, number)) is (family == "flow")
    for name in NAMES:
        seen = blind.copy()
        seen[index(name)] = 0.0
        assert bool(votes(seen, number)) is (family == "flow" or name in WITNESSES[family]), name


@given(ROWS)
def test_forests_score_the_turned_row_and_those_without_a_vote_score_nan(x: NDArray[np.float64]) -> None:
    judge = tiny_judge()
    room, keys, scores = np.empty(COUNT), np.empty(COUNT, np.int64), np.empty(len(FAMILIES))
    forest_scores(judge, x, room, keys, scores)
    turned = np.empty((1, COUNT))
    transform(x, judge.floor, judge.scale, turned[0])
    naive = np.empty(1)
    for family in range(len(FAMILIES)):
        if votes(x, family):
            score_rows(judge.forests, family, turned, naive)
            assert scores[family] == naive[0]
        else:
            assert np.isnan(scores[family])


# --- calibration --------------------------------------------------------------------------------------


@given(SEEDS, st.integers(2, 40), st.floats(-0.5, 1.5))
def test_read_off_is_numpys_interpolation_and_goes_on_along_the_last_slope(
    seed: int, n: int, place: float
) -> None:
    rng = np.random.default_rng(seed)
    knots = np.cumsum(rng.uniform(1e-3, 3.0, n))
    nats = np.cumsum(rng.exponential(1.0, n)) - 9.0
    value = knots[0] + place * (knots[-1] - knots[0])
    assert read_off(knots, nats, value) == pytest.approx(naive_read(knots, nats, value), rel=1e-9, abs=1e-9)
    for i in range(n):
        assert read_off(knots, nats, knots[i]) == pytest.approx(nats[i], abs=1e-12)


def test_read_off_is_flat_below_and_goes_on_above() -> None:
    knots, nats = np.array([1.0, 2.0, 4.0]), np.array([-3.0, 0.0, 5.0])
    assert read_off(knots, nats, -1e300) == -3.0
    assert read_off(knots, nats, 1.5) == -1.5
    assert read_off(knots, nats, 3.0) == 2.5
    assert read_off(knots, nats, 14.0) == 30.0


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=12),
    st.lists(st.floats(-2.0, 40.0), min_size=2, max_size=2),
)
def test_read_off_keeps_order_where_knots_coincide(steps: list[tuple[int, int]], values: list[float]) -> None:
    """Training puts knots on top of one another where many months had the same worst value."""
    knots, nats = np.cumsum(np.array(steps, float), axis=0).T.copy()
    low, high = sorted(values)
    assert nats[0] <= read_off(knots, nats, low) <= read_off(knots, nats, high) < np.inf


def test_nothing_is_made_up_beyond_knots_that_all_coincide() -> None:
    """A slope over no distance would be infinite."""
    knots, nats = np.full(3, 2.0), np.array([-9.0, -9.0, 4.0])
    assert read_off(knots, nats, 1e9) == 4.0


# --- the sum of votes ---------------------------------------------------------------------------------


def naive_weigh(
    judge: Judge,
    level: int,
    scores: list[float],
    evidence: float,
    unlike: float,
    rules: set[int],
    share: float,
    known: float = 0.0,
) -> tuple[float, list[float]]:
    """Sum of votes and votes in plain Python, in the order of `VOTES`."""
    by_family = [
        0.0 if math.isnan(score) else max(naive_read(judge.knots[i, level], judge.nats[i, level], score), 0.0)
        for i, score in enumerate(scores)
    ]
    tested = max(naive_read(judge.knots[EVIDENCE, level], judge.nats[EVIDENCE, level], evidence), 0.0)
    strange = (
        0.0
        if math.isnan(unlike)
        else max(naive_read(judge.knots[STRANGER, level], judge.nats[STRANGER, level], unlike), 0.0)
    )
    ruled = sum(float(judge.rule_nats[level, rule]) for rule in rules)
    seen = max(known, 0.0)
    total = share * FOREST_WEIGHT * sum(by_family) + tested + STRANGER_WEIGHT * strange + ruled
    return total + PRECEDENT_WEIGHT * seen, [*by_family, tested, strange, ruled, seen]


def weighed(
    judge: Judge,
    level: int,
    scores: list[float],
    evidence: float,
    unlike: float,
    rules: set[int],
    share: float,
    known: float = 0.0,
) -> tuple[float, list[float]]:
    """What `weigh` says of the same."""
    peers = np.full(len(VOTES), NAN)
    bits = sum(1 << rule for rule in rules)
    total = weigh(judge, level, np.array(scores), evidence, unlike, bits, share, known, peers)
    return float(total), peers.tolist()


@given(
    seed=SEEDS,
    n_knots=st.integers(2, 12),
    level=LEVEL,
    scores=st.lists(SCORES, min_size=len(FAMILIES), max_size=len(FAMILIES)),
    evidence=st.floats(0.0, 200.0),
    unlike=st.one_of(st.just(NAN), st.floats(0.0, 200.0)),
    rules=st.sets(st.integers(0, len(RULES) - 1)),
    share=st.floats(0.0, 1.0),
    known=st.floats(-50.0, 50.0),
)
def test_votes_are_weighed_as_by_hand(
    seed: int,
    n_knots: int,
    level: int,
    scores: list[float],
    evidence: float,
    unlike: float,
    rules: set[int],
    share: float,
    known: float,
) -> None:
    judge = random_judge(seed, n_knots)
    total, peers = weighed(judge, level, scores, evidence, unlike, rules, share, known)
    naive_total, naive_peers = naive_weigh(judge, level, scores, evidence, unlike, rules, share, known)
    assert total == pytest.approx(naive_total, rel=1e-9, abs=1e-9)
    assert peers == pytest.approx(naive_peers, rel=1e-9, abs=1e-9)
    assert min(peers) >= 0.0  # nobody may vote a fill down


@given(SEEDS, LEVEL, st.sampled_from([*range(len(FAMILIES)), EVIDENCE, STRANGER]), st.floats(0.0, 1.0))
def test_more_danger_never_weighs_less(seed: int, level: int, peer: int, more: float) -> None:
    """However a peer's word grows while the others stay, the sum must not fall."""
    judge = random_judge(seed)
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.0, 1.0, len(FAMILIES)).tolist()
    evidence, unlike = rng.exponential(5.0, 2).tolist()
    before, _ = weighed(judge, level, scores, evidence, unlike, set(), 1.0)
    if peer == EVIDENCE:
        evidence += 50.0 * more
    elif peer == STRANGER:
        unlike += 50.0 * more
    else:
        scores[peer] += more
    after, _ = weighed(judge, level, scores, evidence, unlike, set(), 1.0)
    assert after >= before - 1e-12


@given(SEEDS, LEVEL, st.floats(0.0, 100.0), st.floats(0.0, 100.0), st.sets(st.integers(0, len(RULES) - 1)))
def test_share_takes_off_the_forests_votes_only(
    seed: int, level: int, evidence: float, unlike: float, rules: set[int]
) -> None:
    """A fill at a fair price drains nothing, whatever it looks like; what the tests and rules saw stays."""
    judge = random_judge(seed)
    scores = np.random.default_rng(seed).uniform(0.5, 2.0, len(FAMILIES)).tolist()
    whole, peers = weighed(judge, level, scores, evidence, unlike, rules, 1.0)
    none, same = weighed(judge, level, scores, evidence, unlike, rules, 0.0)
    assert peers == same
    assert none == pytest.approx(peers[EVIDENCE] + STRANGER_WEIGHT * peers[STRANGER] + peers[RULED], abs=1e-9)
    assert whole - none == pytest.approx(FOREST_WEIGHT * sum(peers[:EVIDENCE]), abs=1e-9)


# --- the score ----------------------------------------------------------------------------------------


@given(SEEDS, LEVEL, st.one_of(TOTALS, st.floats(allow_nan=False, allow_infinity=False)))
@example(seed=0, level=0, total=1e308)
@example(seed=0, level=0, total=-1e308)
def test_a_score_is_always_finite(seed: int, level: int, total: float) -> None:
    assert MIN_SCORE <= final_score(random_judge(seed), level, total) <= MAX_SCORE


@given(SEEDS, LEVEL, TOTALS, TOTALS)
def test_a_score_rises_with_the_sum_of_votes(seed: int, level: int, first: float, second: float) -> None:
    judge = random_judge(seed)
    low, high = sorted((first, second))
    assert final_score(judge, level, low) <= final_score(judge, level, high)


@given(SEEDS, LEVEL, st.floats(0.0, 60.0))
def test_a_score_is_the_logarithm_of_false_incidents_a_month(seed: int, level: int, total: float) -> None:
    judge = random_judge(seed)
    nats = naive_read(judge.knots[SUM, level], judge.nats[SUM, level], total)
    rate = math.exp(-nats)
    assert final_score(judge, level, total) == pytest.approx(
        min(max(-math.log10(rate), MIN_SCORE), MAX_SCORE), abs=1e-9
    )


@given(SEEDS)
def test_levels_are_calibrated_each_by_itself(seed: int) -> None:
    """What is rare among accounts with fills alone may be daily where there are quotes."""
    judge = random_judge(seed)
    for level in range(len(LEVELS)):
        other = judge._replace(knots=judge.knots.copy(), nats=judge.nats.copy())
        elsewhere = [i for i in range(len(LEVELS)) if i != level]
        other.knots[:, elsewhere] += 0.7
        other.nats[:, elsewhere] += 3.0
        given_words = ([0.5] * len(FAMILIES), 9.0, 9.0, {0}, 1.0)
        assert weighed(judge, level, *given_words) == weighed(other, level, *given_words)
        assert final_score(judge, level, 9.0) == final_score(other, level, 9.0)


@pytest.mark.parametrize(
    ("budget", "threshold"), [(0.1, 1.0), (1.0, 0.0), (10.0, -1.0), (0.001, 3.0), (0.5, 0.30103)]
)
def test_the_threshold_is_the_budget(budget: float, threshold: float) -> None:
    judge = judge_from(tiny_model(), NAMES, budget)
    assert judge.threshold == pytest.approx(threshold, abs=1e-6)
    outcome = judge_tape(random_tape(2), false_alarms_per_month=budget)
    flagged = outcome.judged["flagged"] == 1
    assert (flagged == (outcome.judged["score"] >= judge.threshold)).all()
    assert 0 < flagged.sum() < len(flagged)


# --- a model's arrays ---------------------------------------------------------------------------------


def test_a_models_arrays_become_a_judge_as_they_are() -> None:
    model = tiny_model()
    judge = judge_from(model, NAMES, 0.1)
    for name in ("floor", "scale", "knots", "nats", "rule_nats"):
        assert getattr(judge, name) is model[name]
    for name in judge.forests._fields:
        assert getattr(judge.forests, name) is model[f"forest_{name}"]
    for name in judge.precedent._fields:
        assert getattr(judge.precedent, name) is model[f"precedent_{name}"]


def test_a_cards_features_may_be_a_list() -> None:
    """JSON knows no tuples."""
    assert judge_from(tiny_model(), list(NAMES), 0.1).threshold == pytest.approx(1.0)


@pytest.mark.parametrize(
    "features",
    [(), NAMES[:-1], (*NAMES, "one_more"), NAMES[::-1], ("deviation", *NAMES[1:])],
    ids=["none", "one less", "one more", "another order", "another name"],
)
def test_other_features_are_refused(features: tuple[str, ...]) -> None:
    """Columns read under another name would give scores that mean nothing."""
    with pytest.raises(ModelError, match=f"this version's {COUNT} features, found {len(features)} others"):
        judge_from(tiny_model(), features, 0.1)


@pytest.mark.parametrize("name", sorted(tiny_model()))
def test_a_missing_array_is_named(name: str) -> None:
    model = {key: array for key, array in tiny_model().items() if key != name}
    with pytest.raises(ModelError, match=f"expected an array '{name}' in the model, found none"):
        judge_from(model, NAMES, 0.1)


def _one_forest_less(model: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The model without its last forest, whole in itself."""
    last = len(model["forest_steps"]) - 1
    tree, column = int(model["forest_first_tree"][last]), int(model["forest_first_column"][last])
    node = int(model["forest_roots"][tree])
    kept = {
        "nodes": node,
        "path_lengths": node,
        "roots": tree,
        "steps": last,
        "norms": last,
        "columns": column,
    }
    kept |= {"first_tree": last + 1, "first_column": last + 1}
    return model | {f"forest_{name}": model[f"forest_{name}"][:n].copy() for name, n in kept.items()}


MISFITS: dict[str, Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]] = {
    "floor of another width": lambda model: model | {"floor": model["floor"][:-1]},
    "scale of another width": lambda model: model | {"scale": np.ones(COUNT + 1)},
    "both of another width": lambda model: model | {"floor": np.ones(3), "scale": np.ones(3)},
    "fewer nats than knots": lambda model: model | {"nats": model["nats"][:, :, :-1]},
    "a peer less": lambda model: model | {name: model[name][1:] for name in ("knots", "nats")},
    "a level less": lambda model: model | {name: model[name][:, 1:] for name in ("knots", "nats")},
    "knots without levels": lambda model: model | {name: model[name][:, 0] for name in ("knots", "nats")},
    "a rule more": lambda model: model | {"rule_nats": np.ones((len(LEVELS), len(RULES) + 1))},
    "rules of another level": lambda model: model | {"rule_nats": model["rule_nats"][1:]},
    "a forest less": _one_forest_less,
    "a single knot": lambda model: model | {name: model[name][:, :, :1] for name in ("knots", "nats")},
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_arrays_of_other_shapes_are_refused(misfit: str) -> None:
    """Compiled code checks no bounds: what doesn't fit would be read from beyond the arrays."""
    with pytest.raises(ModelError, match="expected arrays of this version's shapes in the model"):
        judge_from(MISFITS[misfit](tiny_model()), NAMES, 0.1)


UNSOUND: dict[str, Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]] = {
    "texts": lambda model: model | {"floor": model["floor"].astype(str)},
    "half the precision": lambda model: model | {"nats": model["nats"].astype(np.float32)},
    "a scale of nothing": lambda model: model | {"scale": np.zeros(COUNT)},
    "no number": lambda model: model | {"floor": np.full(COUNT, NAN)},
    "knots that fall": lambda model: (
        model | {"knots": -np.sort(model["knots"]) - np.arange(model["knots"].shape[2])}
    ),
}


@pytest.mark.parametrize("fault", UNSOUND)
def test_arrays_that_mean_nothing_are_refused(fault: str) -> None:
    with pytest.raises(ModelError, match="expected finite float64 arrays in the model"):
        judge_from(UNSOUND[fault](tiny_model()), NAMES, 0.1)


@pytest.mark.parametrize("budget", [0.0, -1.0, NAN, float("inf")])
def test_a_budget_that_is_none_is_refused(budget: float) -> None:
    with pytest.raises(ModelError, match="expected a budget of false alarms a month above 0"):
        judge_from(tiny_model(), NAMES, budget)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("nodes", lambda array: array[:-1]),
        ("roots", lambda array: array[::-1].copy()),
        ("columns", lambda array: np.full_like(array, COUNT)),
        ("norms", lambda array: -array),
        ("path_lengths", lambda array: np.full_like(array, NAN)),
    ],
)
def test_damaged_forests_are_refused(name: str, spoil: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    model = tiny_model() | {f"forest_{name}": spoil(tiny_model()[f"forest_{name}"])}
    with pytest.raises(ModelError, match="in forest array '"):
        judge_from(model, NAMES, 0.1)
