"""`DrainDetector` keeps scikit-learn's contract, and scores what scikit-learn's forest would."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from drainwatch.estimator import DrainDetector


def usual_rows(n: int = 3000, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_t(4, size=(n, 5))


@pytest.fixture(scope="module")
def detector() -> DrainDetector:
    fitted: DrainDetector = DrainDetector(random_state=0).fit(usual_rows())
    return fitted


@parametrize_with_checks([DrainDetector(), DrainDetector(one_sided=False, n_estimators=20)])  # type: ignore[untyped-decorator]
def test_estimator_keeps_the_contract_of_scikit_learn(
    estimator: DrainDetector, check: Callable[[DrainDetector], None]
) -> None:
    check(estimator)


@pytest.mark.parametrize("one_sided", [True, False])
@pytest.mark.parametrize("max_samples", ["auto", 1, 100, 10_000])
def test_scores_are_those_of_scikit_learn_on_the_same_values(one_sided: bool, max_samples: str | int) -> None:
    rows, other = usual_rows(), usual_rows(500, seed=1) * 2.0
    ours = DrainDetector(one_sided=one_sided, max_samples=max_samples, random_state=5).fit(rows)
    floor = np.median(rows, axis=0) if one_sided else np.full(5, -np.inf)
    theirs = IsolationForest(max_samples=ours.max_samples_, random_state=5).fit(np.maximum(rows, floor))
    expected = theirs.score_samples(np.maximum(other, floor))
    np.testing.assert_allclose(ours.score_samples(other), expected, rtol=0.0, atol=1e-15)
    assert ours.max_samples_ == theirs.max_samples_


def test_scores_fall_as_a_feature_rises(detector: DrainDetector) -> None:
    """The sign is scikit-learn's: the lower, the more abnormal; and only more is abnormal."""
    far = np.zeros((5, 5))
    far[:, 2] = [-50.0, 0.0, 2.0, 5.0, 50.0]
    scores = detector.score_samples(far)
    assert scores[0] == scores[1]
    assert scores[1] > scores[2] > scores[3] > scores[4]
    assert ((scores > -1.0) & (scores < 0.0)).all()


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.01, 0.5])
def test_training_rows_are_flagged_at_the_rate_asked_for(rate: float) -> None:
    rows = usual_rows()
    detector = DrainDetector(false_alarm_rate=rate, random_state=0).fit(rows)
    flagged = int((detector.predict(rows) == -1).sum())
    assert flagged <= rate * len(rows)
    assert flagged >= 0.8 * rate * len(rows)  # ties are let go


def test_rows_that_all_tie_are_not_flagged() -> None:
    assert (DrainDetector(false_alarm_rate=0.5).fit_predict(np.ones((40, 2))) == 1).all()


def test_decision_is_the_score_over_the_threshold(detector: DrainDetector) -> None:
    other = usual_rows(2000, seed=2) * 3.0
    decision = detector.decision_function(other)
    assert (decision == detector.score_samples(other) - detector.offset_).all()
    assert ((decision < 0.0) == (detector.predict(other) == -1)).all()
    assert set(detector.predict(other)) == {-1, 1}


def test_contributions_sum_to_the_score(detector: DrainDetector) -> None:
    other = usual_rows(300, seed=3) * 2.0
    parts = detector.contributions(other)
    assert parts.shape == other.shape
    total = detector.contribution_base_ + parts.sum(axis=1)
    np.testing.assert_allclose(total, np.log2(-detector.score_samples(other)), rtol=0.0, atol=1e-12)


def test_contribution_is_highest_where_the_row_is_odd(detector: DrainDetector) -> None:
    odd = np.zeros((5, 5)) + 20.0 * np.eye(5)
    assert detector.contributions(odd).argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


def test_frame_keeps_its_names_and_their_order() -> None:
    """Columns swapped between training and use would be judged by the wrong splits."""
    frame = pd.DataFrame(usual_rows(300), columns=list("abcde"))
    detector = DrainDetector(random_state=0).fit(frame)
    assert detector.feature_names_in_.tolist() == list("abcde")
    assert detector.n_features_in_ == 5
    assert (detector.score_samples(frame) == clone(detector).fit(frame).score_samples(frame)).all()
    with pytest.raises(ValueError, match="order as they were in fit"):
        detector.score_samples(frame[list("bacde")])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39, -1e39])
def test_rows_without_a_value_are_refused(detector: DrainDetector, bad: float) -> None:
    """To scikit-learn's forest a row of NaN looks more normal than any training row."""
    rows = usual_rows(10)
    rows[4, 3] = bad
    for method in (detector.score_samples, detector.predict, detector.contributions, clone(detector).fit):
        with pytest.raises(ValueError, match=r"NaN|infinity|finite as float32"):
            method(rows)


@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict", "contributions"])
def test_unfitted_detector_says_so(method: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(DrainDetector(), method)(usual_rows(5))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_estimators": 0},
        {"max_samples": 0},
        {"max_samples": 0.5},
        {"max_samples": "all"},
        {"one_sided": "yes"},
        {"false_alarm_rate": 0.6},
        {"false_alarm_rate": -0.1},
        {"random_state": "a"},
    ],
)
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter of DrainDetector"):
        DrainDetector(**wrong).fit(usual_rows(20))


def test_too_many_features_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 4097 columns from 0 to 4095"):
        DrainDetector(n_estimators=1).fit(np.zeros((2, 4097)))


def test_same_seed_gives_the_same_detector() -> None:
    rows = usual_rows(200)
    first, again = (DrainDetector(random_state=7).fit(rows) for _ in range(2))
    assert first.forests_.nodes.tobytes() == again.forests_.nodes.tobytes()
    assert first.offset_ == again.offset_


def test_pickled_detector_scores_the_same(detector: DrainDetector) -> None:
    """Model selection with joblib sends estimators between processes."""
    other = usual_rows(50, seed=4)
    back = pickle.loads(pickle.dumps(detector))  # noqa: S301 - our own, made just now
    assert (back.score_samples(other) == detector.score_samples(other)).all()


def test_inputs_are_left_as_they_were(detector: DrainDetector) -> None:
    rows = usual_rows(100)
    rows.setflags(write=False)
    before = rows.copy()
    detector.score_samples(rows)
    detector.contributions(np.asfortranarray(rows))
    clone(detector).fit(rows)
    assert (rows == before).all()


def test_detector_works_in_a_pipeline_and_a_search() -> None:
    rows = usual_rows(200)
    pipeline = make_pipeline(StandardScaler(), DrainDetector(n_estimators=5, random_state=0)).fit(rows)
    assert pipeline.predict(rows).shape == (200,)
    search = GridSearchCV(
        DrainDetector(n_estimators=5, random_state=0),
        {"max_samples": [16, 64]},
        scoring=lambda fitted, some: float(fitted.score_samples(some).mean()),
        cv=2,
    )
    assert search.fit(rows).best_params_["max_samples"] in {16, 64}


@pytest.mark.parametrize("make", ["to_numpy", "polars", "pyarrow"])
def test_frames_of_any_library_are_judged_alike(make: str) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)), columns=["a", "b"])
    makers: dict[str, Any] = {
        "to_numpy": pd.DataFrame.to_numpy,
        "polars": pl.from_pandas,
        "pyarrow": pa.Table.from_pandas,
    }
    given = makers[make](frame)
    ours = DrainDetector(random_state=0).fit(given).score_samples(given)
    assert ours.tolist() == DrainDetector(random_state=0).fit(frame).score_samples(frame).tolist()


def test_tables_keep_their_index() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    frame = pd.DataFrame(rows, columns=["a", "b"], index=[f"fill {i}" for i in range(300)])
    before = frame.copy(deep=True)
    detector = DrainDetector(random_state=0, false_alarm_rate=0.1).fit(frame)
    judged = detector.judge(frame)
    assert judged.index.equals(frame.index)
    assert judged["score"].tolist() == (-detector.score_samples(frame)).tolist()
    assert judged["flagged"].tolist() == (detector.predict(frame) == -1).tolist()
    assert 0 < judged["flagged"].sum() <= 30
    parts = detector.contributions(frame)
    assert isinstance(parts, pd.DataFrame)
    assert parts.index.equals(frame.index)
    assert list(parts) == ["a", "b"]
    plain = DrainDetector(random_state=0, false_alarm_rate=0.1).fit(rows)
    assert parts.to_numpy().tolist() == np.asarray(plain.contributions(rows)).tolist()
    assert plain.judge(rows).index.tolist() == list(range(300))
    pd.testing.assert_frame_equal(frame, before, check_exact=True)
