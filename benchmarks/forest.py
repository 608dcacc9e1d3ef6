"""How fast forests score beside scikit-learn: bulk and one row, in interleaved rounds of one run.

    python benchmarks/forest.py [--rows 100000] [--features 32] [--trees 100] [--rounds 5]

CPU time, medians over the rounds. Ratios hold from machine to machine better than the figures do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from drainwatch import forest
from drainwatch.kernel_cache import jit

Floats = NDArray[np.float64]


@jit
def single_rows(forests: forest.PackedForests, rows: Floats, keys: NDArray[np.int64]) -> float:
    """Score rows as the engine's kernel does: one call of `forest_score` for each."""
    total = 0.0
    for i in range(rows.shape[0]):
        forest.row_keys(rows[i], keys)
        total += forest.forest_score(forests, 0, keys)
    return total


@jit
def single_attributions(
    forests: forest.PackedForests, rows: Floats, keys: NDArray[np.int64], parts: Floats
) -> float:
    """Attribute rows as the engine's kernel does."""
    total = 0.0
    for i in range(rows.shape[0]):
        forest.row_keys(rows[i], keys)
        total += forest.attribute_row(forests, 0, keys, parts)
    return total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()

    rng = np.random.default_rng(0)
    training = rng.standard_t(3, size=(20_000, asked.features))
    rows = rng.standard_t(3, size=(asked.rows, asked.features))
    theirs = IsolationForest(n_estimators=asked.trees, max_samples=256, random_state=0).fit(training)
    ours = forest.pack(theirs)

    some, few = rows[:10_000], rows[:20]
    scores = np.empty(len(rows))
    keys, parts = np.empty(asked.features, np.int64), np.empty(asked.features)

    def score_few() -> None:
        for row in few:
            theirs.score_samples(row[None])

    def call_some() -> None:
        for row in some:
            forest.row_keys(row, keys)
            forest.forest_score(ours, 0, keys)

    # Name, what is run, rows it takes.
    contenders: list[tuple[str, Callable[[], object], int]] = [
        ("scikit-learn, bulk", lambda: theirs.score_samples(rows), len(rows)),
        ("drainwatch, bulk", lambda: forest.score_rows(ours, 0, rows, scores), len(rows)),
        ("scikit-learn, one row", score_few, len(few)),
        ("drainwatch, one row, inside a kernel", lambda: single_rows(ours, some, keys), len(some)),
        ("drainwatch, one row, called from Python", call_some, len(some)),
        (
            "attribution of one row, inside a kernel",
            lambda: single_attributions(ours, some, keys, parts),
            len(some),
        ),
    ]
    for _, run, _ in contenders[1:]:
        run()  # compiles, or reads the compiled kernel
    spent: dict[str, list[float]] = {name: [] for name, _, _ in contenders}
    for _ in range(asked.rounds):
        for name, run, n in contenders:
            start = time.process_time()
            run()
            spent[name].append((time.process_time() - start) / n)

    difference = np.abs(scores + theirs.score_samples(rows)).max()
    print(f"{asked.trees} trees of 256 rows, {asked.features} features; largest difference {difference:.1e}")
    print(f"{'':40} {'us a row':>10} {'rows a CPU s':>14} {'x scikit-learn':>15}")
    for name, _, _ in contenders:
        one = median(spent[name])
        base = median(spent["scikit-learn, bulk" if "bulk" in name else "scikit-learn, one row"])
        ratio = "" if name.startswith("attribution") else f"{base / one:,.1f}"
        print(f"{name:40} {one * 1e6:10,.2f} {1.0 / one:14,.0f} {ratio:>15}")


if __name__ == "__main__":
    main()
