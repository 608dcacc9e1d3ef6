"""What the benchmark asks of a detector, and what it shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a detector sees of an account: the contract's tables at one level of information.

    `fills` has one row a fill in order of time (stable), timestamps in integer milliseconds. `tables`
    holds those of trades, quotes, candles, balances, orders and markets that the level has, by name.
    `level` is the level's name (`drainwatch.trial.TABLES`). `truth` has the labels of the fills, row by
    row; only oracles are given it, others find None.
    """

    fills: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    level: str
    truth: pd.DataFrame | None = None


class Detector(Protocol):
    """A way to find fills that look like a drain.

    `name` is as printed, `about` says in one line what it is, `needs_truth` marks an oracle.
    `fixed_threshold` is the score from which people who use it would act; None: it is judged only at the
    threshold that meets the false-alarm budget. One of `fills_alone` looks at no other table, so that
    it says the same at every level.
    """

    name: str
    about: str
    needs_truth: bool
    fills_alone: bool
    fixed_threshold: float | None

    def fit(self, honest: Sequence[Seen]) -> Self:
        """Return a copy that has learned from honest account-months at one level; it may ignore them."""

    def scores(self, seen: Seen) -> Floats:
        """Score each fill, shape (n_fills,): higher is more dangerous, -inf where it can't be judged.

        A fill's score doesn't depend on later rows of any table.
        """
