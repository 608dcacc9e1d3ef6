"""`DrainDetector`: the one-sided isolation forest as a scikit-learn estimator, for any feature matrix."""

from __future__ import annotations

import sys
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from drainwatch import forest

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = float(np.finfo(np.float32).max)


class DrainDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Isolation forest in which only more is danger, with a stated share of false alarms.

    scikit-learn's `IsolationForest` grows the trees; compiled arrays score, to the same values and
    four times as fast or more. Feed it features that rise with danger, such as the feature columns of
    `drainwatch.replay(...).scores`; turn the sign of those that fall. Rows with NaN are refused: to
    scikit-learn's forest they would look more normal than any.

    Parameters
    ----------
    n_estimators : int, default=100
        Trees.
    max_samples : "auto" or int, default="auto"
        Rows each tree is grown from: at most so many; "auto" means 256.
    one_sided : bool, default=True
        Values below a feature's training median count as the median, so that an unusually good
        price is no danger. False gives scikit-learn's forest.
    false_alarm_rate : float, default=0.01
        Share of the training rows that `predict` may flag, at most: 0 to 0.5. It takes the place of
        `contamination`: the training rows are meant to be harmless.
    random_state : int, RandomState instance or None, default=None
        An int gives the same forest each time.

    Attributes
    ----------
    forests_ : PackedForests
        The forest as flat arrays.
    offset_ : float
        Score below which a row is flagged: `decision_function` is `score_samples` less this.
    contribution_base_ : float
        Where `contributions` start: log2 of the score of a row with a mean path in every tree.
    max_samples_ : int
        Rows each tree was grown from.
    n_features_in_ : int
        Features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where `fit` got a DataFrame with string column names.

    References
    ----------
    Liu, Ting, Zhou (2008), "Isolation Forest", ICDM.

    Examples
    --------
    >>> import numpy as np
    >>> from drainwatch.estimator import DrainDetector
    >>> usual = np.random.default_rng(0).normal(size=(2000, 3))
    >>> detector = DrainDetector(random_state=0).fit(usual)
    >>> detector.predict([[0.0, 0.0, 0.0], [-6.0, -6.0, -6.0], [6.0, 6.0, 0.0]]).tolist()
    [1, 1, -1]
    >>> detector.contributions([[0.0, 9.0, 0.0]]).argmax(axis=1).tolist()
    [1]

    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "one_sided": ["boolean"],
        "false_alarm_rate": [Interval(Real, 0, 0.5, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        max_samples: str | int = "auto",
        one_sided: bool = True,
        false_alarm_rate: float = 0.01,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.one_sided = one_sided
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Grow the forest and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Harmless rows, finite as float32.
        y : Ignored
            There by convention.

        Returns
        -------
        self : DrainDetector

        """
        rows = self._rows(X, reset=True)
        self.max_samples_ = min(256 if self.max_samples == "auto" else int(self.max_samples), len(rows))
        self.forests_ = forest.train_forest(
            rows,
            n_estimators=self.n_estimators,
            max_samples=self.max_samples_,
            random_state=self.random_state,
            one_sided=self.one_sided,
        )
        roots, norm = self.forests_.roots, float(self.forests_.norms[0])
        self.contribution_base_ = -float(self.forests_.path_lengths[roots].sum()) / norm if norm else -1.0
        scores = np.sort(self._score_samples(rows))
        self.offset_ = float(scores[int(self.false_alarm_rate * len(rows))])
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Opposite of the anomaly score, as scikit-learn has it: -1 to 0, the lower, the more abnormal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, finite as float32.

        Returns
        -------
        scores : ndarray of shape (n_samples,)

        """
        check_is_fitted(self)
        return self._score_samples(self._rows(X, reset=False))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scores less `offset_`: below 0 a row is flagged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, finite as float32.

        Returns
        -------
        scores : ndarray of shape (n_samples,)

        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Tell flagged rows (-1) from the others (1).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, finite as float32.

        Returns
        -------
        labels : ndarray of shape (n_samples,)

        """
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def judge(self, X: ArrayLike) -> pd.DataFrame:
        """Judge rows as a table that keeps their index.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, finite as float32.

        Returns
        -------
        judged : DataFrame
            With the index of `X`, where it is a DataFrame of pandas: `score`, 0 to 1 and rising with danger,
            the opposite of `score_samples`; `flagged`.

        """
        import pandas as pd

        scores = self.score_samples(X)
        flagged = scores < self.offset_
        return pd.DataFrame({"score": -scores, "flagged": flagged}, index=X.index if _is_pandas(X) else None)

    def contributions(self, X: ArrayLike) -> Any:
        """How much each feature raised each row's score, in powers of two.

        `np.log2(-score_samples(X))` is `contribution_base_` plus the sum of a row's contributions, to
        rounding: 0.5 says that the feature made the score 1.41 times as high. Positive is worse.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, finite as float32.

        Returns
        -------
        contributions : ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame with index and columns of `X`, where it is one of pandas.

        References
        ----------
        Saabas (2014), "Interpreting random forests"; here a tree predicts the path length.

        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        parts = np.empty(rows.shape)
        forest.attribute_rows(self.forests_, 0, rows, parts)
        if _is_pandas(X):
            return type(X)(parts, index=X.index, columns=X.columns)
        return parts

    def _rows(self, X: ArrayLike, *, reset: bool) -> NDArray[np.float64]:
        """Check a matrix: what scikit-learn checks, and that values stay finite as float32."""
        checked = validate_data(self, X, dtype=np.float64, order="C", reset=reset)
        if (np.abs(checked) > _LARGEST).any():
            raise ValueError(
                "expected values that are finite as float32, found larger ones: scale the features"
            )
        # A read-only array is another type to numba, and would be compiled for anew.
        rows: NDArray[np.float64] = np.require(checked, requirements=["C", "W"])
        return rows

    def _score_samples(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.empty(len(rows))
        forest.score_rows(self.forests_, 0, rows, scores)
        return -scores


def _is_pandas(X: Any) -> TypeGuard[pd.DataFrame]:
    """Say whether a matrix is a DataFrame of pandas, without loading pandas for one that isn't."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)
