"""Precedent: how much a fill looks like thefts that were simulated; monotone trees as flat arrays.

scikit-learn grows the trees by gradient boosting on rows of simulated thefts and of honest accounts.
Each is held monotone in every feature: as a feature rises with danger, a fill that is worse in any way
never looks safer for it. So they learn which dangers come together in a theft, and hardly how one
thief goes about it: kinds of thieves that were never shown to them are found, too (docs/decisions/0023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch.errors import ModelError
from drainwatch.kernel_cache import jit

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

TREES: Final = 120
LEAVES: Final = 8


class PackedTrees(NamedTuple):
    """Boosted trees over one feature row; numba takes them as they are.

    Tree `t` is nodes `roots[t]` to `roots[t + 1] - 1`; children come behind their parent.
    """

    column: NDArray[np.int64]
    """Feature that each node compares, shape (n_nodes,)."""
    threshold: NDArray[np.float64]
    """What isn't above it goes left."""
    left: NDArray[np.int64]
    """Left child; 0 for a leaf."""
    right: NDArray[np.int64]
    missing_left: NDArray[np.int64]
    """1 where an unknown feature goes left."""
    value: NDArray[np.float64]
    """Log-odds that a leaf adds."""
    roots: NDArray[np.int64]
    """Each tree's first node, ascending, shape (n_trees,); none: there is no precedent."""
    baseline: NDArray[np.float64]
    """Log-odds without any tree, shape (1,)."""


def no_precedent() -> PackedTrees:
    """Trees of a model that was never shown a theft: 0 for every fill."""
    none = np.zeros(0, np.int64)
    return PackedTrees(none, np.zeros(0), none, none, none, np.zeros(0), none, np.zeros(1))


# --- training and packing ------------------------------------------------------------------------


def train_precedent(
    honest: NDArray[np.float64],
    honest_weight: NDArray[np.float64],
    thefts: NDArray[np.float64],
    thefts_weight: NDArray[np.float64],
    *,
    random_state: int,
) -> PackedTrees:
    """Grow trees that tell rows of thefts from honest ones.

    Parameters
    ----------
    honest, thefts
        Feature rows, shape (n, n_features); NaN is unknown.
    honest_weight, thefts_weight
        How much each row counts among its own kind; both kinds count alike.
    random_state
        The same rows and seed give the same arrays.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.concatenate([honest, thefts])
    is_theft = np.r_[np.zeros(len(honest)), np.ones(len(thefts))]
    weight = np.r_[honest_weight / honest_weight.sum(), thefts_weight / thefts_weight.sum()]
    trees = HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=0.08,
        l2_regularization=5.0,
        min_samples_leaf=60,
        early_stopping=False,
        monotonic_cst=np.ones(rows.shape[1], int),
        random_state=random_state,
    )
    return pack(trees.fit(rows, is_theft, sample_weight=weight * len(rows) / 2.0))


def pack(trees: HistGradientBoostingClassifier) -> PackedTrees:
    """Lay fitted trees of two classes out as arrays; their sum is scikit-learn's `decision_function`."""
    parts: list[Any] = [of_class[0].nodes for of_class in trees._predictors]  # noqa: SLF001 no public face; a test compares
    starts = np.concatenate([[0], np.cumsum([len(nodes) for nodes in parts])]).astype(np.int64)
    nodes = np.concatenate(parts)
    own = np.repeat(starts[:-1], np.diff(starts))
    inner = nodes["is_leaf"] == 0
    return PackedTrees(
        column=np.where(inner, nodes["feature_idx"], 0).astype(np.int64),
        threshold=np.where(inner, nodes["num_threshold"], 0.0).astype(np.float64),
        left=np.where(inner, nodes["left"].astype(np.int64) + own, 0),
        right=np.where(inner, nodes["right"].astype(np.int64) + own, 0),
        missing_left=np.where(inner, nodes["missing_go_to_left"], 0).astype(np.int64),
        value=np.where(inner, 0.0, nodes["value"]).astype(np.float64),
        roots=starts[:-1],
        baseline=np.array([float(np.ravel(trees._baseline_prediction)[0])]),  # noqa: SLF001
    )


# --- scoring -------------------------------------------------------------------------------------


@jit
def precedent(trees: PackedTrees, x: Any) -> float:
    """Log-odds that a row is a theft's, where thefts and honest fills are as many; 0 without trees."""
    total = trees.baseline[0]
    for root in trees.roots:
        place = root
        while trees.left[place] > 0:
            value = x[trees.column[place]]
            goes_left = value <= trees.threshold[place]  # false for an unknown one
            if np.isnan(value):
                goes_left = trees.missing_left[place] > 0
            place = trees.left[place] if goes_left else trees.right[place]
        total += trees.value[place]
    return float(total)


@jit
def precedents(trees: PackedTrees, rows: Any, into: Any) -> None:
    """Score rows of shape (n_rows, n_features) into `into`."""
    for i in range(rows.shape[0]):
        into[i] = precedent(trees, rows[i])


@jit
def attribute_precedent(trees: PackedTrees, x: Any, usual: Any, contributions: Any) -> None:
    """Say how much each feature raised the log-odds: what they would be less with its `usual` value.

    `contributions` (n_features,) is overwritten. Features that the trees don't use add nothing.
    """
    whole = precedent(trees, x)
    room = x.copy()
    for i in range(len(x)):
        room[i] = usual[i]
        contributions[i] = whole - precedent(trees, room)
        room[i] = x[i]


# --- checks --------------------------------------------------------------------------------------


def check_precedent(trees: PackedTrees, n_columns: int) -> None:
    """Make sure that arrays from a file are trees which the kernel can walk, inside their bounds.

    Raises
    ------
    ModelError
        They aren't, or read a column at or above `n_columns`, the width of the feature row.
    """
    for name, array in trees._asdict().items():
        kind = np.float64 if name in {"threshold", "value", "baseline"} else np.int64
        _expect(array.ndim == 1 and array.dtype == kind, name, f"one dimension of {np.dtype(kind)}")
        _expect(array.flags.c_contiguous, name, "contiguous values")
    n_nodes = len(trees.column)
    for name in ("threshold", "left", "right", "missing_left", "value"):
        _expect(len(getattr(trees, name)) == n_nodes, name, "as many as nodes")
    _expect(len(trees.baseline) == 1, "baseline", "one value")
    for name in ("value", "baseline"):
        _expect(np.isfinite(getattr(trees, name)).all(), name, "finite values")
    _expect(not np.isnan(trees.threshold).any(), "threshold", "numbers")
    _expect(((trees.column >= 0) & (trees.column < n_columns)).all(), "column", f"0 to {n_columns - 1}")
    roots = np.append(trees.roots, n_nodes)
    sound = roots[0] == 0 and bool((np.diff(roots) > 0).all())
    _expect(sound, "roots", "ascending offsets of trees")
    ends = np.repeat(roots[1:], np.diff(roots))
    place = np.arange(n_nodes)
    inner = trees.left > 0
    for name in ("left", "right"):
        child = getattr(trees, name)[inner]
        _expect(
            ((child > place[inner]) & (child < ends[inner])).all(), name, "children behind, in their tree"
        )
    _expect((trees.left >= 0).all() and (trees.right[~inner] == 0).all(), "left", "0 in every leaf")


def _expect(holds: bool | np.bool_, name: str, expected: str) -> None:
    if not holds:
        raise ModelError(
            f"expected {expected} in precedent array '{name}', found otherwise: install the model again"
        )
