"""Detectors that owners would otherwise take: known answers, and no look ahead."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bench_accounts import account, cut, fills, honest, prices
from drainwatch.bench.baselines import (
    BASELINES,
    FivePercent,
    HalfSpaceTrees,
    IForestFeatures,
    IForestRaw,
    PyodEcod,
    Tails,
)
from drainwatch.bench.detectors import Detector, Seen

ETH = "ETH/USDT"


@cache
def fitted(name: str) -> Detector:
    (detector,) = (detector for detector in BASELINES if detector.name == name)
    return detector.fit(honest())


@pytest.mark.parametrize("name", [detector.name for detector in BASELINES])
def test_scores_are_one_a_fill_and_do_not_look_ahead(name: str) -> None:
    seen = account(5, "momentum", "ping_pong")
    scores = fitted(name).scores(seen)
    assert scores.shape == (len(seen.fills),)
    assert scores.dtype == np.float64
    assert (np.isfinite(scores) | np.isneginf(scores)).all()
    assert np.isfinite(scores).mean() > 0.3
    for n in (1, 60, len(scores) - 3):
        np.testing.assert_allclose(fitted(name).scores(cut(seen, n)), scores[:n], rtol=1e-12)


@pytest.mark.parametrize("name", [detector.name for detector in BASELINES])
def test_fitting_leaves_the_original_as_it_was(name: str) -> None:
    (original,) = (detector for detector in BASELINES if detector.name == name)
    fitted(name)
    assert not vars(original)


@pytest.mark.parametrize("name", ["iforest_features", "pyod_ecod", "pyod_iforest", "hst"])
def test_a_blatant_theft_stands_out_from_the_owners_fills(name: str) -> None:
    seen = account(7, "twap", "planted_wall")
    assert seen.truth is not None
    drain = seen.truth["is_drain"].to_numpy()
    scores = fitted(name).scores(seen)
    assert scores[drain].max() > np.quantile(scores[~drain], 0.95)


def test_five_percent_is_the_relative_deviation_from_the_last_price() -> None:
    own = fills((1, ETH, "buy", 106.0, 1.0), (2, ETH, "sell", 96.0, 1.0), (3, "ALT/USDT", "buy", 1.0, 1.0))
    rule = FivePercent()
    scores = rule.scores(Seen(own, {"trades": prices((0, ETH, 100.0))}, "trades"))
    assert scores == pytest.approx([0.06, 0.04, -np.inf])
    assert rule.fixed_threshold is not None
    assert (scores > rule.fixed_threshold).tolist() == [True, False, False]


def test_the_notebook_recipe_waits_for_fifty_fills_and_sees_an_odd_one() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (float(i), ETH, "buy", 100.0 + float(rng.normal()), 1.0 + float(rng.random())) for i in range(120)
    ]
    rows[100] = (100.0, ETH, "buy", 5_000.0, 40.0)
    scores = IForestRaw().scores(Seen(fills(*rows), {}, "fills"))
    assert np.isneginf(scores[:50]).all()
    assert np.isfinite(scores[50:]).all()
    assert int(np.argmax(scores)) == 100


def test_the_forests_own_verdict_is_above_zero_as_often_as_it_was_told() -> None:
    forest = IForestFeatures()
    forest.contamination = 0.02
    forest = forest.fit(honest())
    scores = np.concatenate([forest.scores(seen) for seen in honest()])
    assert np.mean(scores > 0.0) == pytest.approx(0.02, abs=0.005)


def test_ecod_is_what_pyod_says_of_each_row_alone() -> None:
    from pyod.models.ecod import ECOD

    rng = np.random.default_rng(2)
    training = np.column_stack(
        [rng.normal(size=300), rng.lognormal(size=300), rng.integers(0, 3, 300) * -1.0]
    )
    rows = np.vstack([training[:3], rng.normal(size=(20, 3)) * 5.0, [[50.0, 1e3, -9.0]]])
    theirs = ECOD().fit(training)
    wanted = [theirs.decision_function(row[None])[0] for row in rows]
    np.testing.assert_allclose(Tails.of(training).scores(rows), wanted, rtol=1e-12)


def test_ecod_keeps_what_pyod_was_fitted_on() -> None:
    from pyod.models.ecod import ECOD

    from drainwatch.bench.common_features import Filled, feature_rows, pooled_rows

    pooled = pooled_rows(honest())
    filled = Filled.of(pooled)
    theirs = ECOD().fit(filled(pooled))
    seen = account(4, "human", "planted_wall")
    row = filled(feature_rows(seen))[-1:]
    ours = PyodEcod().fit(honest()).scores(seen)[-1]
    assert ours == pytest.approx(theirs.decision_function(row)[0], rel=1e-9)


def test_half_space_trees_learn_each_account_for_itself() -> None:
    trees = HalfSpaceTrees().fit(honest())
    seen = account(4, "human", "planted_wall")
    before = trees.scores(seen)
    trees.scores(account(5, "momentum", "ping_pong"))
    np.testing.assert_array_equal(trees.scores(seen), before)
