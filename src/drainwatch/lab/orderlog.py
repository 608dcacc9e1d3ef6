"""The owner's own order log: what his program writes down, and how its writer fails."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from drainwatch.lab.draws import HOUR_S, log_uniform

Row = tuple[int, str, str]
"""Time (ms after the start), order, client order id."""


@dataclass(frozen=True, slots=True)
class OrderLog:
    """How well the log was kept.

    `kind` is `kept`, `late` (rows come up to seconds after the order), `hole` (nothing was written
    for hours while the program traded on), `stopped` (nothing from some moment on) or `none`.
    """

    kind: str
    from_s: float = inf  # what is missing, from then ...
    until_s: float = inf  # ... to then
    lag_s: float = 0.0  # how late a row comes on average

    def written(self, rows: list[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows that the log has, of those that it should have."""
        if self.kind == "none":
            return []
        lags = rng.exponential(1000.0 * self.lag_s, len(rows)) if self.lag_s else np.zeros(len(rows))
        return [
            (ms + round(lag), order, client)
            for (ms, order, client), lag in zip(rows, lags.tolist(), strict=True)
            if not self.from_s <= ms / 1000.0 < self.until_s
        ]


def draw_log(rng: np.random.Generator, seconds: float) -> OrderLog:
    """Draw how well a log was kept over so many seconds: mostly well."""
    luck = rng.random()
    start = float(rng.uniform(0.05, 0.95)) * seconds
    if luck < 0.08:
        return OrderLog("hole", start, start + HOUR_S * log_uniform(rng, 1.0, 48.0))
    if luck < 0.12:
        return OrderLog("stopped", start)
    if luck < 0.22:
        return OrderLog("late", lag_s=log_uniform(rng, 0.3, 8.0))
    return OrderLog("kept")
