"""Isolation forests as flat arrays: scikit-learn grows the trees, compiled kernels score rows.

A node is one int64, so that a step down a tree is one load, one compare and one add:

    bits 63..32   order-preserving int32 key of the threshold; a leaf has the largest there is
    bits 31..12   how many places further on the left child is, the right one just behind it; a leaf 0
    bits 11..0    column that is compared

A leaf thus leads back to itself, and every tree is walked a fixed number of steps without asking
whether it has ended. Eight trees are walked side by side, since one alone waits for memory. Within
a tree the child with more training rows comes first, so that a usual row's way lies in few cache
lines: one row alone is then as fast as blocks of rows would be, and one kernel serves both.

Equal to scikit-learn: rows are cast to float32 as it does, thresholds (float64 there) are rounded
down to float32, which keeps `x <= threshold` as it was for every float32 `x`; path lengths are added
in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drainwatch.errors import ModelError
from drainwatch.kernel_cache import jit

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest
    from sklearn.tree._tree import Tree

_COLUMN_BITS: Final = 12
_CHILD_BITS: Final = 20
_COLUMN_MASK: Final = (1 << _COLUMN_BITS) - 1
_CHILD_MASK: Final = (1 << _CHILD_BITS) - 1
_LEAF_KEY: Final = 0x7FFF_FFFF  # above the key of +inf (0x7F80_0000): nothing compares greater
MAX_COLUMNS: Final = 1 << _COLUMN_BITS
"""A forest can read columns 0 to this less one."""


class PackedForests(NamedTuple):
    """One or more isolation forests over one feature row; numba takes it as it is.

    Forest `f` is trees `first_tree[f]` to `first_tree[f + 1] - 1`, and reads the columns
    `columns[first_column[f] : first_column[f + 1]]` of the feature row, no others.
    """

    nodes: NDArray[np.int64]
    """Packed nodes of all trees, shape (n_nodes,)."""
    path_lengths: NDArray[np.float64]
    """Mean path length of the training rows that reach each node; in a leaf that of scoring."""
    roots: NDArray[np.int64]
    """Index of each tree's first node, ascending, shape (n_trees,)."""
    first_tree: NDArray[np.int64]
    """Index of each forest's first tree, and their number at the end, shape (n_forests + 1,)."""
    steps: NDArray[np.int64]
    """Depth of each forest's deepest tree, shape (n_forests,)."""
    norms: NDArray[np.float64]
    """Trees x c(max_samples) of each forest, shape (n_forests,)."""
    columns: NDArray[np.int64]
    """Columns of each forest, shape (first_column[-1],)."""
    first_column: NDArray[np.int64]
    """Where each forest's columns start, shape (n_forests + 1,)."""


# --- Training and packing -------------------------------------------------------------------------


def train_forest(
    X: ArrayLike,
    *,
    n_estimators: int = 100,
    max_samples: int = 256,
    random_state: int | np.random.RandomState | None = None,
    one_sided: bool = True,
    columns: Sequence[int] | None = None,
) -> PackedForests:
    """Grow an isolation forest with scikit-learn and pack it.

    Parameters
    ----------
    X
        Training rows, shape (n_samples, n_columns), finite also as float32.
    n_estimators
        Trees.
    max_samples
        Rows a tree is grown from; no more than there are.
    random_state
        The same rows and seed give the same arrays.
    one_sided
        Values below their column's median count as the median: only more is danger. No split then
        lies below the median, so rows need no clipping when they are scored.
    columns
        Column of the full feature row that each column of `X` is; None for the same.

    Raises
    ------
    ValueError
        A value isn't finite, or the forest is too large to be packed.

    """
    from sklearn.ensemble import IsolationForest

    rows = np.asarray(X, dtype=np.float64)
    with np.errstate(over="ignore"):
        if not np.isfinite(rows.astype(np.float32)).all():
            raise ValueError(
                "expected finite float32 values to train on, found NaN or infinity: leave such rows out"
            )
    if one_sided:
        rows = np.maximum(rows, np.median(rows, axis=0))
    forest = IsolationForest(
        n_estimators=n_estimators, max_samples=min(max_samples, len(rows)), random_state=random_state
    )
    return pack(forest.fit(rows), columns)


def pack(forest: IsolationForest, columns: Sequence[int] | None = None) -> PackedForests:
    """Lay a fitted scikit-learn forest out as arrays.

    Parameters
    ----------
    forest
        Fitted on finite rows.
    columns
        Column of the full feature row that each of the forest's features is; None for the same.

    Raises
    ------
    ValueError
        A column is above `MAX_COLUMNS`, or a tree has more than 2**20 nodes.

    """
    n_features = int(forest.n_features_in_)
    places = np.arange(n_features) if columns is None else np.asarray(columns, dtype=np.int64)
    if places.shape != (n_features,) or places.min() < 0 or places.max() >= MAX_COLUMNS:
        raise ValueError(
            f"expected {n_features} columns from 0 to {MAX_COLUMNS - 1}, found {places.tolist()[:10]}"
        )
    nodes, path_lengths, sizes, depths = [], [], [], []
    for estimator, features in zip(forest.estimators_, forest.estimators_features_, strict=True):
        tree = estimator.tree_
        # Added in scikit-learn's order: its depths start at 1.
        leaf_lengths = tree.compute_node_depths() + mean_path_length(tree.n_node_samples) - 1.0
        order = _hot_first(tree)
        nodes.append(_pack_nodes(tree, places[features], order))
        path_lengths.append(_mean_lengths(tree, leaf_lengths)[order])
        sizes.append(len(order))
        depths.append(int(tree.max_depth))
    norm = len(sizes) * float(mean_path_length(np.array([forest.max_samples_]))[0])
    return PackedForests(
        nodes=np.concatenate(nodes),
        path_lengths=np.concatenate(path_lengths),
        roots=_starts(sizes)[:-1],
        first_tree=np.array([0, len(sizes)]),
        steps=np.array([max(depths)]),
        norms=np.array([norm]),
        columns=places,
        first_column=np.array([0, n_features]),
    )


def concatenate(parts: Sequence[PackedForests]) -> PackedForests:
    """Put forests one behind the other in one set of arrays, in order."""
    nodes = _starts([len(part.nodes) for part in parts])
    return PackedForests(
        nodes=np.concatenate([part.nodes for part in parts]),
        path_lengths=np.concatenate([part.path_lengths for part in parts]),
        roots=np.concatenate([part.roots + start for part, start in zip(parts, nodes, strict=False)]),
        first_tree=_starts([n for part in parts for n in np.diff(part.first_tree)]),
        steps=np.concatenate([part.steps for part in parts]),
        norms=np.concatenate([part.norms for part in parts]),
        columns=np.concatenate([part.columns for part in parts]),
        first_column=_starts([n for part in parts for n in np.diff(part.first_column)]),
    )


def mean_path_length(n_rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean path length c(n) of an isolation tree grown to its end from n rows, for each n >= 1.

    Source: Liu, Ting, Zhou (2008), "Isolation Forest", equation 1, with the harmonic number taken as
    ln(n - 1) + Euler's gamma, as scikit-learn does; it makes c(2) = 1 an exception.
    """
    n = np.maximum(n_rows, 3)
    c = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(n_rows > 2, c, np.where(n_rows == 2, 1.0, 0.0))


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Offsets of pieces of these sizes, and their sum at the end."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)


def _hot_first(tree: Tree) -> NDArray[np.int64]:
    """Order in which the nodes are stored: pairs of siblings, the larger child's descendants first."""
    left, right, n_rows = (a.tolist() for a in (tree.children_left, tree.children_right, tree.n_node_samples))
    order, open_nodes = [0], [0]
    while open_nodes:
        node = open_nodes.pop()
        if left[node] >= 0:
            order += (left[node], right[node])
            hot_left = n_rows[left[node]] >= n_rows[right[node]]
            open_nodes += (right[node], left[node]) if hot_left else (left[node], right[node])
    return np.array(order)


def _pack_nodes(tree: Tree, columns: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    is_leaf = tree.children_left < 0
    child = np.where(is_leaf, 0, place[tree.children_left] - place)
    if child.max() > _CHILD_MASK:
        raise ValueError(
            f"expected trees of at most {_CHILD_MASK} nodes, found {len(order)}: lower max_samples"
        )
    threshold = tree.threshold.astype(np.float32)
    too_high = threshold > tree.threshold
    threshold[too_high] = np.nextafter(threshold[too_high], np.float32(-np.inf))
    bits = threshold.view(np.int32).astype(np.int64)
    key = np.where(is_leaf, _LEAF_KEY, np.where(bits < 0, -(bits & 0x7FFF_FFFF), bits))
    column = np.where(is_leaf, columns[0], columns[np.maximum(tree.feature, 0)])
    packed: NDArray[np.int64] = ((key << 32) | (child << _COLUMN_BITS) | column)[order]
    return packed


def _mean_lengths(tree: Tree, leaf_lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean path length of the training rows below each node; a leaf keeps its own, to the bit."""
    lengths = leaf_lengths.copy()
    depths, n_rows = tree.compute_node_depths(), tree.n_node_samples
    is_inner = tree.children_left >= 0
    for depth in range(int(depths.max()) - 1, 0, -1):
        inner = np.flatnonzero((depths == depth) & is_inner)
        left, right = tree.children_left[inner], tree.children_right[inner]
        total = lengths[left] * n_rows[left] + lengths[right] * n_rows[right]
        lengths[inner] = total / n_rows[inner]
    return lengths


# --- Kernels --------------------------------------------------------------------------------------


@jit
def row_keys(row: NDArray[np.float64], keys: NDArray[np.int64]) -> None:
    """Turn a feature row into the keys that nodes are compared with: float32, order kept, -0.0 = 0.0.

    `row` and `keys` have shape (n_columns,). A NaN has no order, and to a forest would look like any
    number: the columns that a forest reads must be finite before it is asked.
    """
    for column in range(row.shape[0]):
        bits = np.int64(np.float32(row[column]).view(np.int32))
        if bits < 0:
            bits = -(bits & 0x7FFF_FFFF)
        keys[column] = bits << 32


@jit
def _step(nodes: NDArray[np.int64], keys: NDArray[np.int64], place: np.uint64) -> np.uint64:
    """One node down. Places are unsigned: numba then leaves out the check for negative indices."""
    node = nodes[place]
    is_right = keys[np.uint64(node & _COLUMN_MASK)] > node  # low bits of a key are 0: equal goes left
    return place + np.uint64((node >> _COLUMN_BITS) & _CHILD_MASK) + np.uint64(is_right)


@jit
def forest_score(forests: PackedForests, forest: int, keys: NDArray[np.int64]) -> float:
    """Score one row with one forest: 0 to 1, higher is worse; scikit-learn's `-score_samples`.

    `keys` come from `row_keys` and cover the full feature row. 0.65 us for 100 trees of 256 rows.
    """
    nodes, lengths, roots = forests.nodes, forests.path_lengths, forests.roots
    tree, end = forests.first_tree[forest], forests.first_tree[forest + 1]
    steps, norm = forests.steps[forest], forests.norms[forest]
    total = 0.0
    while tree + 8 <= end:
        a, b = np.uint64(roots[tree]), np.uint64(roots[tree + 1])
        c, d = np.uint64(roots[tree + 2]), np.uint64(roots[tree + 3])
        e, f = np.uint64(roots[tree + 4]), np.uint64(roots[tree + 5])
        g, h = np.uint64(roots[tree + 6]), np.uint64(roots[tree + 7])
        for _ in range(steps):
            a, b = _step(nodes, keys, a), _step(nodes, keys, b)
            c, d = _step(nodes, keys, c), _step(nodes, keys, d)
            e, f = _step(nodes, keys, e), _step(nodes, keys, f)
            g, h = _step(nodes, keys, g), _step(nodes, keys, h)
        # One after the other, as scikit-learn adds: the sum is the same to the bit.
        total = total + lengths[a] + lengths[b] + lengths[c] + lengths[d]
        total = total + lengths[e] + lengths[f] + lengths[g] + lengths[h]
        tree += 8
    while tree < end:
        a = np.uint64(roots[tree])
        for _ in range(steps):
            a = _step(nodes, keys, a)
        total += lengths[a]
        tree += 1
    # Trees of a single row have no length: scikit-learn then takes the quotient as 1.
    return float(2.0 ** -(total / norm if norm > 0.0 else 1.0))


@jit
def score_rows(
    forests: PackedForests, forest: int, rows: NDArray[np.float64], scores: NDArray[np.float64]
) -> None:
    """Score rows of shape (n_rows, n_columns) into `scores`: `forest_score` of each, to the bit."""
    keys = np.empty(rows.shape[1], np.int64)
    for i in range(rows.shape[0]):
        row_keys(rows[i], keys)
        scores[i] = forest_score(forests, forest, keys)


@jit
def attribute_row(
    forests: PackedForests, forest: int, keys: NDArray[np.int64], contributions: NDArray[np.float64]
) -> float:
    """Say how much each column raised one row's score, in powers of two; returns the starting point.

    A split gets the mean path length of the training rows that reached it less that of those which
    went the row's way, over trees x c(max_samples). So log2(score) is the returned log2 of the
    score of a mean path, plus the sum of `contributions` (overwritten, shape (n_columns,); positive
    raised the score, columns that the forest doesn't read are 0). About 3 us for 100 trees.

    Source: Saabas (2014), "Interpreting random forests", with path length as what a tree predicts.
    """
    nodes, lengths, roots = forests.nodes, forests.path_lengths, forests.roots
    contributions[:] = 0.0
    norm = forests.norms[forest]
    if not norm > 0.0:
        return -1.0
    start = 0.0
    for tree in range(forests.first_tree[forest], forests.first_tree[forest + 1]):
        place = np.uint64(roots[tree])
        start -= lengths[place]
        child = _step(nodes, keys, place)
        while child != place:
            contributions[np.uint64(nodes[place] & _COLUMN_MASK)] += lengths[place] - lengths[child]
            place, child = child, _step(nodes, keys, child)
    for i in range(forests.first_column[forest], forests.first_column[forest + 1]):
        contributions[forests.columns[i]] /= norm
    return float(start / norm)


@jit
def attribute_rows(
    forests: PackedForests, forest: int, rows: NDArray[np.float64], contributions: NDArray[np.float64]
) -> None:
    """Attribute rows of shape (n_rows, n_columns) into `contributions`: `attribute_row` of each."""
    keys = np.empty(rows.shape[1], np.int64)
    for i in range(rows.shape[0]):
        row_keys(rows[i], keys)
        attribute_row(forests, forest, keys, contributions[i])


# --- Checks ---------------------------------------------------------------------------------------


def check_forests(forests: PackedForests, n_columns: int) -> None:
    """Make sure that arrays from a file are forests which the kernels can walk, inside their bounds.

    Raises
    ------
    ModelError
        They aren't, or read a column at or above `n_columns`, the width of the feature row.

    """
    for name, array in forests._asdict().items():
        kind = np.float64 if name in {"path_lengths", "norms"} else np.int64
        _expect(array.ndim == 1 and array.dtype == kind, name, f"one dimension of {np.dtype(kind)}")
        _expect(array.flags.c_contiguous, name, "contiguous values")
    n_nodes, n_trees, n_forests = len(forests.nodes), len(forests.roots), len(forests.steps)
    _expect(len(forests.path_lengths) == n_nodes, "path_lengths", "as many as nodes")
    _expect(np.isfinite(forests.path_lengths).all(), "path_lengths", "finite values")
    _expect(len(forests.norms) == n_forests, "norms", "as many as forests")
    _expect((np.isfinite(forests.norms) & (forests.norms >= 0.0)).all(), "norms", "finite values >= 0")
    _expect(_are_starts(forests.first_tree, n_forests, n_trees), "first_tree", "ascending offsets of trees")
    n_read = len(forests.columns)
    _expect(_are_starts(forests.first_column, n_forests, n_read), "first_column", "ascending offsets")
    in_row = (forests.columns >= 0) & (forests.columns < n_columns)
    _expect(in_row.all(), "columns", f"columns of a row of {n_columns}")
    _expect(_are_starts(np.append(forests.roots, n_nodes), n_trees, n_nodes), "roots", "ascending offsets")

    place = np.arange(n_nodes)
    child = (forests.nodes >> _COLUMN_BITS) & _CHILD_MASK
    is_leaf = child == 0
    _expect(((forests.nodes >> 32) == _LEAF_KEY)[is_leaf].all(), "nodes", "the largest key in every leaf")
    ends = np.repeat(np.append(forests.roots[1:], n_nodes), np.diff(np.append(forests.roots, n_nodes)))
    left = (place + child)[~is_leaf]
    _expect((left + 1 < ends[~is_leaf]).all(), "nodes", "children inside their tree")
    parents = np.bincount(np.concatenate([left, left + 1, forests.roots]), minlength=n_nodes)
    _expect((parents == 1).all(), "nodes", "one parent for every node but the roots")
    for forest in range(n_forests):
        trees = slice(forests.first_tree[forest], forests.first_tree[forest + 1])
        own = set(forests.columns[forests.first_column[forest] : forests.first_column[forest + 1]].tolist())
        level, depth = forests.roots[trees], 0
        while len(level):
            read = set(np.unique(forests.nodes[level] & _COLUMN_MASK).tolist())
            _expect(read <= own, "nodes", f"only columns of forest {forest}")
            inner = level[~is_leaf[level]]
            level = np.concatenate([inner + child[inner], inner + child[inner] + 1])
            depth += len(level) > 0
        _expect(depth == forests.steps[forest], "steps", f"{depth} for forest {forest}")


def _are_starts(starts: NDArray[np.int64], n_pieces: int, n_items: int) -> bool:
    """Tell whether these are the offsets of so many pieces, none empty, that cover so many items."""
    ends_fit = len(starts) == n_pieces + 1 and starts[0] == 0 and starts[-1] == n_items
    return bool(ends_fit and (np.diff(starts) > 0).all())


def _expect(holds: bool | np.bool_, name: str, expected: str) -> None:
    if not holds:
        raise ModelError(
            f"expected {expected} in forest array '{name}', found otherwise: install the model again"
        )
