"""Trees of precedent: the same as scikit-learn's, monotone, checked before they are walked."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch import precedent as module
from drainwatch.errors import ModelError
from drainwatch.precedent import (
    PackedTrees,
    attribute_precedent,
    check_precedent,
    no_precedent,
    pack,
    precedent,
    precedents,
    train_precedent,
)

COLUMNS = 5
NAN = float("nan")


def drawn(seed: int, n: int, shift: float) -> NDArray[np.float64]:
    """Rows, a quarter of their values unknown."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_t(3, (n, COLUMNS)) + shift
    rows[rng.random(rows.shape) < 0.25] = NAN
    return rows


@cache
def trained() -> PackedTrees:
    honest, thefts = drawn(1, 900, 0.0), drawn(2, 300, 1.0)
    return train_precedent(honest, np.ones(900), thefts, np.ones(300), random_state=0)


def scored(trees: PackedTrees, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    into = np.empty(len(rows))
    precedents(trees, rows, into)
    return into


def test_the_sum_is_scikit_learns_to_the_bit() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.concatenate([drawn(3, 700, 0.0), drawn(4, 300, 1.5)])
    is_theft = np.r_[np.zeros(700), np.ones(300)]
    trees = HistGradientBoostingClassifier(max_iter=30, early_stopping=False, random_state=0)
    trees.fit(rows, is_theft)
    seen = np.concatenate(
        [rows, drawn(5, 2_000, 0.5), np.full((1, COLUMNS), NAN), 1e300 * np.ones((1, COLUMNS))]
    )
    packed = pack(trees)
    check_precedent(packed, COLUMNS)
    assert np.array_equal(scored(packed, seen), trees.decision_function(seen))


def test_thefts_score_above_honest_rows() -> None:
    trees = trained()
    assert np.median(scored(trees, drawn(6, 500, 1.0))) > np.median(scored(trees, drawn(7, 500, 0.0))) + 0.5


def test_the_same_rows_and_seed_give_the_same_arrays() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(trained(), trained.__wrapped__(), strict=True))


@given(st.integers(0, 2**32 - 1), st.integers(0, COLUMNS - 1), st.floats(0.0, 1e6))
def test_more_danger_never_looks_safer(seed: int, column: int, more: float) -> None:
    row = drawn(seed, 1, 0.5)[0]
    if np.isnan(row[column]):
        row[column] = 0.0
    worse = row.copy()
    worse[column] += more
    assert precedent(trained(), worse) >= precedent(trained(), row) - 1e-12


@given(st.integers(0, 2**32 - 1))
def test_what_a_feature_adds_is_what_would_lack_without_it(seed: int) -> None:
    row, usual, parts = drawn(seed, 1, 1.0)[0], np.zeros(COLUMNS), np.empty(COLUMNS)
    before = row.copy()
    attribute_precedent(trained(), row, usual, parts)
    assert np.array_equal(row, before, equal_nan=True)
    for column in range(COLUMNS):
        other = row.copy()
        other[column] = 0.0
        assert parts[column] == precedent(trained(), row) - precedent(trained(), other)


def test_without_trees_nothing_is_known() -> None:
    check_precedent(no_precedent(), COLUMNS)
    assert precedent(no_precedent(), np.full(COLUMNS, 1e9)) == 0.0


def with_array(name: str, array: NDArray[Any]) -> PackedTrees:
    return PackedTrees(**(trained()._asdict() | {name: array}))


def broken(name: str, at: int, value: float) -> PackedTrees:
    array = getattr(trained(), name).copy()
    array[at] = value
    return with_array(name, array)


@pytest.mark.parametrize(
    ("name", "at", "value", "said"),
    [
        ("left", 0, 0.0, "left"),  # a leaf whose right child isn't 0
        ("left", 0, 1e6, "left"),
        ("right", 0, -1.0, "right"),
        ("column", 0, COLUMNS, "column"),
        ("value", 1, np.inf, "value"),
        ("threshold", 0, NAN, "threshold"),
        ("roots", 1, 0.0, "roots"),
        ("baseline", 0, NAN, "baseline"),
    ],
)
def test_values_that_are_no_trees_are_refused(name: str, at: int, value: float, said: str) -> None:
    with pytest.raises(ModelError, match=rf"in precedent array '{said}'"):
        check_precedent(broken(name, at, value), COLUMNS)


@pytest.mark.parametrize("name", ["column", "value"])
def test_arrays_of_another_kind_or_length_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"in precedent array '{name}'"):
        check_precedent(with_array(name, np.zeros(3, np.float32)), COLUMNS)


def test_a_child_of_another_tree_is_refused() -> None:
    roots = trained().roots
    with pytest.raises(ModelError, match="in their tree"):
        check_precedent(broken("left", 0, float(roots[1] + 1)), COLUMNS)
    assert len(roots) == module.TREES
