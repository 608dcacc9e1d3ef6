"""Forests as arrays score what scikit-learn scores, whatever the row."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from drainwatch import forest
from drainwatch.errors import ModelError
from drainwatch.forest import PackedForests

N_COLUMNS = 4
LARGEST = float(np.finfo(np.float32).max)


def training_rows(n: int = 600, seed: int = 0) -> NDArray[np.float64]:
    """Rows with heavy tails, ties, two signs and tiny values: what features look like."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_t(2, size=(n, N_COLUMNS))
    rows[:, 1] = np.round(rows[:, 1])
    rows[:, 2] *= 1e-6  # scikit-learn splits no column whose range is below 1e-7
    rows[: n // 2, 3] = 0.0
    return rows


@cache
def grown(n_estimators: int = 30, max_samples: int = 128) -> tuple[IsolationForest, PackedForests]:
    theirs = IsolationForest(n_estimators=n_estimators, max_samples=max_samples, random_state=0)
    theirs.fit(training_rows())
    return theirs, forest.pack(theirs)


def scores(forests: PackedForests, rows: NDArray[np.float64], which: int = 0) -> NDArray[np.float64]:
    out = np.empty(len(rows))
    forest.score_rows(forests, which, np.ascontiguousarray(rows, dtype=np.float64), out)
    return out


def thresholds(theirs: IsolationForest) -> list[NDArray[np.float64]]:
    """Thresholds of the forest's splits, by column."""
    trees = [estimator.tree_ for estimator in theirs.estimators_]
    return [
        np.concatenate([tree.threshold[tree.feature == column] for tree in trees])
        for column in range(N_COLUMNS)
    ]


def next_to(values: NDArray[np.float64], step: str) -> NDArray[np.float64]:
    """Values one float to the side, in both float widths; `nearest` rounds to float32."""
    single = values.astype(np.float32)
    return {
        "same": values,
        "nearest": single.astype(np.float64),
        "up64": np.nextafter(values, np.inf),
        "down64": np.nextafter(values, -np.inf),
        "up32": np.nextafter(single, np.float32(np.inf)).astype(np.float64),
        "down32": np.nextafter(single, np.float32(-np.inf)).astype(np.float64),
    }[step]


@pytest.mark.parametrize("step", ["same", "nearest", "up64", "down64", "up32", "down32"])
def test_rows_equal_to_thresholds_score_as_in_scikit_learn(step: str) -> None:
    """Rounding thresholds to the nearest float32 fails here; natural rows show nothing."""
    theirs, ours = grown()
    rng = np.random.default_rng(1)
    rows = np.column_stack([next_to(rng.choice(values, 4000), step) for values in thresholds(theirs)])
    np.testing.assert_allclose(scores(ours, rows), -theirs.score_samples(rows), rtol=0.0, atol=1e-15)


special = st.sampled_from(
    [0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 5e-324, -5e-324, 1.0, -1.0, LARGEST, -LARGEST, 1e15, -1e15]
)


@settings(deadline=None, max_examples=300)
@given(
    rows=arrays(np.float64, (8, N_COLUMNS), elements=special | st.floats(-LARGEST, LARGEST)), data=st.data()
)
def test_any_finite_row_scores_as_in_scikit_learn(rows: NDArray[np.float64], data: st.DataObject) -> None:
    theirs, ours = grown()
    for column, values in enumerate(thresholds(theirs)):
        if data.draw(st.booleans()):
            rows[0, column] = data.draw(st.sampled_from(values.tolist()))
    np.testing.assert_allclose(scores(ours, rows), -theirs.score_samples(rows), rtol=0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("n_estimators", "max_samples"), [(1, 1), (1, 2), (3, 3), (7, 5), (8, 64), (9, 256), (16, 600)]
)
def test_forests_of_all_sizes_score_as_in_scikit_learn(n_estimators: int, max_samples: int) -> None:
    """Trees beyond the last eight, leaves of 1, 2 and more rows, and a tree that is a single leaf."""
    theirs, ours = grown(n_estimators, max_samples)
    rows = training_rows(300, seed=5) * 1.5
    np.testing.assert_allclose(scores(ours, rows), -theirs.score_samples(rows), rtol=0.0, atol=1e-15)
    forest.check_forests(ours, N_COLUMNS)


def test_forest_on_random_columns_scores_as_in_scikit_learn() -> None:
    """`max_features` gives each tree its own columns: they are mapped back."""
    rows = training_rows()
    theirs = IsolationForest(n_estimators=20, max_features=2, random_state=3).fit(rows)
    np.testing.assert_allclose(
        scores(forest.pack(theirs), rows), -theirs.score_samples(rows), rtol=0.0, atol=1e-15
    )


def test_both_zeros_are_one_value() -> None:
    keys, other = np.empty(1, np.int64), np.empty(1, np.int64)
    forest.row_keys(np.array([0.0]), keys)
    forest.row_keys(np.array([-0.0]), other)
    assert keys[0] == other[0] == 0


@settings(deadline=None)
@given(a=st.floats(allow_nan=False), b=st.floats(allow_nan=False))
def test_keys_keep_the_order_of_float32(a: float, b: float) -> None:
    keys = np.empty(2, np.int64)
    forest.row_keys(np.array([a, b]), keys)
    with np.errstate(over="ignore"):
        single = np.array([a, b]).astype(np.float32)
    assert (keys[0] < keys[1]) == (single[0] < single[1])
    assert (keys[0] == keys[1]) == (single[0] == single[1])


def test_one_row_and_many_give_the_same_bits() -> None:
    """Live asks for one row, replay for a million: both must say the same."""
    _, ours = grown()
    rows = training_rows(200, seed=7)
    keys = np.empty(N_COLUMNS, np.int64)
    single = []
    for row in rows:
        forest.row_keys(row, keys)
        single.append(forest.forest_score(ours, 0, keys))
    assert single == scores(ours, rows).tolist()


def test_joined_forests_each_read_their_own_columns() -> None:
    """Families share one set of arrays and one feature row."""
    rows = training_rows()
    families = [[0, 2], [3], [1, 2, 3]]
    parts = [
        forest.train_forest(rows[:, own], n_estimators=11, max_samples=50 + i, random_state=i, columns=own)
        for i, own in enumerate(families)
    ]
    joined = forest.concatenate(parts)
    forest.check_forests(joined, N_COLUMNS)
    other = training_rows(100, seed=9)
    for i, own in enumerate(families):
        assert scores(joined, other, i).tolist() == scores(parts[i], other).tolist()
        disturbed = other.copy()
        disturbed[:, [c for c in range(N_COLUMNS) if c not in own]] = 1e6
        assert scores(joined, disturbed, i).tolist() == scores(joined, other, i).tolist()


def test_joining_joined_forests_is_joining_all() -> None:
    parts = [grown(n, 32)[1] for n in (3, 5, 2)]
    nested = forest.concatenate([forest.concatenate(parts[:2]), parts[2]])
    for name, array in forest.concatenate(parts)._asdict().items():
        assert array.tolist() == getattr(nested, name).tolist(), name


def test_one_sided_forest_sees_no_danger_below_the_median() -> None:
    """An unusually good price isn't danger, and no clipping is needed to have it so."""
    rows = training_rows()
    median = np.median(rows, axis=0)
    ours = forest.train_forest(rows, n_estimators=40, max_samples=200, random_state=4)
    theirs = IsolationForest(n_estimators=40, max_samples=200, random_state=4).fit(np.maximum(rows, median))
    other = np.vstack([training_rows(500, seed=8) * 3.0, median - 1e-3, np.nextafter(median, -np.inf)])
    clipped = np.maximum(other, median)
    assert scores(ours, other).tolist() == scores(ours, clipped).tolist()
    np.testing.assert_allclose(scores(ours, other), -theirs.score_samples(clipped), rtol=0.0, atol=1e-15)


def test_two_sided_forest_sees_it() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    far_below = np.array([[-9.0, -9.0]])
    two_sided = forest.train_forest(rows, random_state=0, one_sided=False)
    one_sided = forest.train_forest(rows, random_state=0)
    assert scores(two_sided, far_below)[0] > 0.7
    assert scores(one_sided, far_below)[0] < 0.5


def test_same_seed_gives_the_same_bytes() -> None:
    rows = training_rows()
    first, again = (forest.train_forest(rows, n_estimators=5, random_state=1) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    other = forest.train_forest(rows, n_estimators=5, random_state=2)
    assert first.nodes.tobytes() != other.nodes.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_training_refuses_what_is_not_finite(bad: float) -> None:
    rows = training_rows()
    rows[3, 1] = bad
    with pytest.raises(ValueError, match="finite float32"):
        forest.train_forest(rows)


@pytest.mark.parametrize("columns", [[0, 1], [0, 1, 2, forest.MAX_COLUMNS], [-1, 0, 1, 2]])
def test_packing_refuses_columns_that_do_not_fit(columns: list[int]) -> None:
    with pytest.raises(ValueError, match="expected 4 columns"):
        forest.pack(grown()[0], columns)


def test_the_last_column_that_fits_is_read() -> None:
    own = [0, 1, 2, forest.MAX_COLUMNS - 1]
    wide = np.zeros((50, forest.MAX_COLUMNS))
    wide[:, own] = training_rows(50, seed=2)
    theirs, _ = grown()
    np.testing.assert_allclose(
        scores(forest.pack(theirs, own), wide), -theirs.score_samples(wide[:, own]), rtol=0.0, atol=1e-15
    )


def test_mean_path_length_is_that_of_scikit_learn() -> None:
    n = np.arange(1, 5000)
    assert forest.mean_path_length(n).tolist() == _average_path_length(n).tolist()
    assert forest.mean_path_length(np.array([3]))[0] == pytest.approx(1.207, abs=1e-3)


# --- Attribution ---


def attribution(
    forests: PackedForests, row: NDArray[np.float64], which: int = 0
) -> tuple[float, NDArray[np.float64], float]:
    """Starting point, contributions and score of a row."""
    keys, parts = np.empty(len(row), np.int64), np.full(len(row), np.nan)
    forest.row_keys(row, keys)
    start = forest.attribute_row(forests, which, keys, parts)
    score = forest.forest_score(forests, which, keys)
    return start, parts, score


@settings(deadline=None)
@given(row=arrays(np.float64, N_COLUMNS, elements=st.floats(-1e6, 1e6)))
def test_contributions_sum_to_the_score(row: NDArray[np.float64]) -> None:
    _, ours = grown()
    start, parts, score = attribution(ours, row)
    assert start + parts.sum() == pytest.approx(np.log2(score), abs=1e-12)


def test_contribution_is_highest_where_the_row_is_odd() -> None:
    """A reason that names the wrong feature sends the owner looking in the wrong place."""
    rng = np.random.default_rng(0)
    ours = forest.train_forest(rng.normal(size=(5000, 12)), random_state=0)
    named = 0
    for i in range(240):
        row = rng.uniform(-1.0, 1.0, size=12)
        row[i % 12] = 8.0
        named += int(attribution(ours, row)[1].argmax() == i % 12)
    assert named >= 235


def test_columns_of_other_forests_get_no_contribution() -> None:
    rows = training_rows()
    parts = [forest.train_forest(rows[:, [c]], n_estimators=3, random_state=0, columns=[c]) for c in (1, 3)]
    _, contributions, _ = attribution(forest.concatenate(parts), rows[0] + 50.0, which=1)
    assert contributions[:3].tolist() == [0.0, 0.0, 0.0]
    assert contributions[3] > 0.0


def test_forest_of_single_rows_has_nothing_to_attribute() -> None:
    start, parts, score = attribution(grown(1, 1)[1], np.zeros(N_COLUMNS))
    assert start == -1.0
    assert score == 0.5
    assert not parts.any()


def test_attributed_rows_are_attributed_row_by_row() -> None:
    _, ours = grown()
    rows = training_rows(20, seed=3)
    parts = np.empty(rows.shape)
    forest.attribute_rows(ours, 0, rows, parts)
    assert (parts == np.array([attribution(ours, row)[1] for row in rows])).all()


def test_inner_nodes_hold_the_mean_of_the_training_rows_below() -> None:
    theirs, ours = grown(1, 64)
    tree = theirs.estimators_[0].tree_
    leaves = tree.children_left < 0
    lengths = tree.compute_node_depths() + _average_path_length(tree.n_node_samples) - 1.0
    mean = np.average(lengths[leaves], weights=tree.n_node_samples[leaves])
    assert ours.path_lengths[0] == pytest.approx(mean, rel=1e-12)


# --- Arrays from a file ---


def damaged(**changes: NDArray[Any]) -> PackedForests:
    return grown(3, 16)[1]._replace(**changes)


def test_forests_of_all_kinds_pass_the_check() -> None:
    forest.check_forests(forest.concatenate([grown(3, 16)[1], grown(1, 1)[1]]), N_COLUMNS)


@pytest.mark.parametrize("name", PackedForests._fields)
def test_arrays_of_another_type_or_length_are_refused(name: str) -> None:
    array = getattr(grown(3, 16)[1], name)
    for changed in (
        array.astype(np.float32),
        array[:, None],
        array[:-1],
        np.append(array, array[-1]),
        array[:0],
    ):
        with pytest.raises(ModelError, match="expected"):
            forest.check_forests(damaged(**{name: changed}), N_COLUMNS)


def test_columns_beyond_the_row_are_refused() -> None:
    with pytest.raises(ModelError, match="'columns'"):
        forest.check_forests(grown(3, 16)[1], N_COLUMNS - 1)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_changed_arrays_are_refused_or_safe_to_walk(data: st.DataObject) -> None:
    """Whatever a file holds, no kernel may read beyond the arrays or go round for ever."""
    ours = grown(3, 16)[1]
    name = data.draw(st.sampled_from(["nodes", "roots", "first_tree", "steps", "columns", "first_column"]))
    array = getattr(ours, name).copy()
    place = data.draw(st.integers(0, len(array) - 1))
    array[place] ^= np.int64(1) << data.draw(st.integers(0, 62))
    changed = ours._replace(**{name: array})
    try:
        forest.check_forests(changed, N_COLUMNS)
    except ModelError:
        return
    places = np.arange(len(changed.nodes))
    child = (changed.nodes >> 12) & 0xFFFFF
    assert (places + child + (child > 0) < len(places)).all()
    assert ((changed.nodes & 0xFFF) < N_COLUMNS).all()
    assert ((changed.nodes >> 32)[child == 0] == 0x7FFFFFFF).all()
    assert np.isfinite(scores(changed, training_rows(20))).all()


def test_path_lengths_that_are_not_finite_are_refused() -> None:
    lengths = grown(3, 16)[1].path_lengths.copy()
    lengths[1] = np.inf
    with pytest.raises(ModelError, match="'path_lengths'"):
        forest.check_forests(damaged(path_lengths=lengths), N_COLUMNS)
