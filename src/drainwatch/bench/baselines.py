"""Detectors that an account's owner would otherwise take: a price rule, and generic anomaly detection."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from drainwatch.bench.common_features import (
    Filled,
    adverse_deviation,
    costs,
    feature_rows,
    last_market_price,
    pooled_rows,
)
from drainwatch.bench.detectors import Detector, Floats, Seen

SEED: Final = 0
"""Of all forests: their chance is the same in every run."""


class FivePercent:
    """The rule of thumb: the fill is more than 5 % worse than the last market price."""

    name: str = "five_percent"
    about: str = "price more than 5 % worse than the last mid, trade or candle before it"
    needs_truth: bool = False
    fills_alone: bool = False
    fixed_threshold: float | None = 0.05

    def fit(self, honest: Sequence[Seen]) -> Self:
        """Nothing is learned."""
        del honest
        return self

    def scores(self, seen: Seen) -> Floats:
        """Relative adverse deviation (0.05 is 5 %); -inf where no price was known."""
        deviation = adverse_deviation(seen.fills, last_market_price(seen))
        return np.where(np.isnan(deviation), -np.inf, deviation)


class IForestRaw:
    """The notebook recipe, made causal: an isolation forest on price, amount and cost of the own past.

    It is grown anew when there are 50, 75, 112, ... fills, each time on all of them, and judges the
    fills up to the next time; the first 50 are not judged. Growing is what it costs, so there are 50
    trees, half of scikit-learn's usual number: eight forests in a month of 1,000 fills.
    """

    name: str = "iforest_raw"
    about: str = (
        "IsolationForest on price, amount and cost of the account's own past fills, refitted as it grows"
    )
    needs_truth: bool = False
    fills_alone: bool = True
    fixed_threshold: float | None = None
    first: int = 50
    growth: float = 1.5
    trees: int = 50

    def fit(self, honest: Sequence[Seen]) -> Self:
        """Nothing is learned but from the account itself."""
        del honest
        return self

    def scores(self, seen: Seen) -> Floats:
        """Anomaly score of the isolation forest, from 0 to 1."""
        from sklearn.ensemble import IsolationForest

        fills = seen.fills
        rows = np.column_stack(
            [fills["price"].to_numpy(np.float64), fills["amount"].to_numpy(np.float64), costs(seen)]
        )
        out = np.full(len(rows), -np.inf)
        start = self.first
        while start < len(rows):
            stop = int(start * self.growth)
            forest = IsolationForest(n_estimators=self.trees, random_state=SEED).fit(rows[:start])
            out[start:stop] = -forest.score_samples(rows[start:stop])
            start = stop
        return out


class Pooled:
    """What detectors have in common that learn `common_features` from honest months of many accounts."""

    needs_truth: bool = False
    fills_alone: bool = False
    fixed_threshold: float | None = None
    filled: Filled

    def fit(self, honest: Sequence[Seen]) -> Self:
        """Learn the honest months' features, all accounts together."""
        fitted = copy(self)
        rows = pooled_rows(honest)
        fitted.filled = Filled.of(rows)
        fitted.learn(fitted.filled(rows))
        return fitted

    def scores(self, seen: Seen) -> Floats:
        """Score each fill by its features."""
        if seen.fills.empty:  # which scikit-learn refuses
            return np.empty(0)
        return self.judge(self.filled(feature_rows(seen)))

    def learn(self, rows: Floats) -> None:
        """Learn from honest rows without NaN."""
        raise NotImplementedError

    def judge(self, rows: Floats) -> Floats:
        """Score rows without NaN, in order of time."""
        raise NotImplementedError


class IForestFeatures(Pooled):
    """One isolation forest on sensible features, which gives its own verdict, too.

    The score is the negative of scikit-learn's `decision_function`: above 0 is an outlier to it.
    """

    name: str = "iforest_features"
    about: str = "IsolationForest (contamination 0.001) on scale-free features, grown on honest months"
    fixed_threshold: float | None = 0.0
    contamination: float = 0.001
    forest: Any

    def learn(self, rows: Floats) -> None:
        """Grow the forest."""
        from sklearn.ensemble import IsolationForest

        grower = IsolationForest(n_estimators=200, contamination=self.contamination, random_state=SEED)
        self.forest = grower.fit(rows)

    def judge(self, rows: Floats) -> Floats:
        """Score rows."""
        return np.asarray(-self.forest.decision_function(rows), dtype=np.float64)


class PyodIForest(Pooled):
    """PyOD's isolation forest as it comes."""

    name: str = "pyod_iforest"
    about: str = "PyOD IForest, defaults, on the same features"
    forest: Any

    def learn(self, rows: Floats) -> None:
        """Grow the forest."""
        from pyod.models.iforest import IForest

        self.forest = IForest(random_state=SEED).fit(rows)

    def judge(self, rows: Floats) -> Floats:
        """Score rows by PyOD's `decision_function`."""
        return np.asarray(self.forest.decision_function(rows), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Tails:
    """What ECOD knows of its training rows: each column sorted, its power sums about its mean, how many."""

    columns: Floats  # (n_columns, n_rows)
    mean: Floats
    sums: Floats  # (3, n_columns): of deviations from the mean to the power 1, 2, 3

    @classmethod
    def of(cls, rows: Floats) -> Self:
        """Prepare training rows."""
        mean = rows.mean(axis=0)
        sums = np.array([((rows - mean) ** power).sum(axis=0) for power in (1, 2, 3)])
        return cls(np.sort(rows.T, axis=1), mean, sums)

    def scores(self, rows: Floats) -> Floats:
        """ECOD of each row, as if it alone had been added to the training rows."""
        n = self.columns.shape[1] + 1
        left, right = np.empty(rows.shape), np.empty(rows.shape)
        for i, column in enumerate(self.columns):
            left[:, i] = np.searchsorted(column, rows[:, i], side="right") + 1
            right[:, i] = n - np.searchsorted(column, rows[:, i], side="left")
        left, right = -np.log(left / n), -np.log(right / n)
        skew = np.sign(self._skewness(rows))
        by_skew = -left * np.sign(skew - 1.0) + right * np.sign(skew + 1.0)
        return np.asarray(np.maximum(np.maximum(left, right), by_skew).sum(axis=1), dtype=np.float64)

    def _skewness(self, rows: Floats) -> Floats:
        """Skewness of each column with one more row in it, by power sums."""
        n = self.columns.shape[1] + 1
        off = rows - self.mean
        first, second, third = (self.sums[power - 1] + off**power for power in (1, 2, 3))
        shift = first / n
        variance = second / n - shift**2
        moment = third / n - 3.0 * shift * second / n + 2.0 * shift**3
        with np.errstate(divide="ignore", invalid="ignore"):
            skewness: Floats = np.nan_to_num(moment / variance**1.5)
        return skewness


class PyodEcod(Pooled):
    """PyOD's ECOD: how far in the tails of the honest months each feature is.

    PyOD ranks rows that are scored together among one another, so that a later fill would change an
    earlier one's score. Here each is ranked alone among the training rows: what PyOD says of it if asked
    for one row at a time (a test compares), by binary search in what PyOD was fitted on.
    """

    name: str = "pyod_ecod"
    about: str = "PyOD ECOD on the same features, each fill scored alone against the honest months"
    tails: Tails

    def learn(self, rows: Floats) -> None:
        """Keep the tails of each feature."""
        from pyod.models.ecod import ECOD

        self.tails = Tails.of(ECOD().fit(rows).X_train)

    def judge(self, rows: Floats) -> Floats:
        """Sum over features of the negative log of the smaller tail."""
        return self.tails.scores(rows)


class HalfSpaceTrees(Pooled):
    """River's half-space trees, which go on learning on each account.

    They are trained on 5,000 fills of the honest months in random order first; then every account gets a
    copy that scores each of its fills and learns it afterwards. Features are scaled by their place among
    the honest fills: from 0.1 to 0.9 within what was seen there, 0 or 1 beyond, which are the limits given
    to the trees. About 0.3 ms a fill, and 50 ms an account for the copy.
    """

    name: str = "hst"
    about: str = "River HalfSpaceTrees on the same features, trained on honest fills, then learning online"
    training_rows: int = 5_000
    knots: int = 41
    quantiles: Floats
    trees: Any

    def learn(self, rows: Floats) -> None:
        """Learn the scale and train the trees."""
        from river.anomaly import HalfSpaceTrees as Trees

        self.quantiles = np.quantile(rows, np.linspace(0.0, 1.0, self.knots), axis=0)
        limits: dict[Any, tuple[float, float]] = dict.fromkeys(range(rows.shape[1]), (0.0, 1.0))
        self.trees = Trees(n_trees=10, height=8, window_size=250, limits=limits, seed=SEED)
        order = np.random.default_rng(SEED).permutation(len(rows))[: self.training_rows]
        for row in self.scaled(rows[order]):
            self.trees.learn_one(row)

    def judge(self, rows: Floats) -> Floats:
        """River's score of each row, from 0 to 1, just before it is learned."""
        trees = deepcopy(self.trees)
        out = np.empty(len(rows))
        for i, row in enumerate(self.scaled(rows)):
            out[i] = trees.score_one(row)
            trees.learn_one(row)
        return out

    def scaled(self, rows: Floats) -> list[dict[int, float]]:
        """Rows as River takes them, each feature by its place among the honest fills."""
        places = np.linspace(0.1, 0.9, self.knots)
        columns = [
            np.interp(column, knots, places, left=0.0, right=1.0)
            for column, knots in zip(rows.T, self.quantiles.T, strict=True)
        ]
        return [dict(enumerate(row)) for row in np.column_stack(columns).tolist()]


BASELINES: tuple[Detector, ...] = (
    FivePercent(),
    IForestRaw(),
    IForestFeatures(),
    PyodEcod(),
    PyodIForest(),
    HalfSpaceTrees(),
)
"""All of them, not fitted."""
