"""Seeds of simulated accounts, kept apart by what may be done with them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Seeds(NamedTuple):
    """Seeds from `first` on, up to `beyond`."""

    first: int
    beyond: int

    def of(self, i: int) -> int:
        """Return the `i`-th seed.

        Raises
        ------
        ValueError
            There is none: others would be taken for it.
        """
        if not 0 <= i < self.beyond - self.first:
            raise ValueError(f"expected a number from 0 to {self.beyond - self.first - 1}, was {i}")
        return self.first + i


TRAINING: Final = Seeds(0, 1_000_000)
"""For training and calibration."""
THEFTS_FROM: Final = 500_000
"""First of the training seeds of thefts, and"""
SEEDS_A_THIEF: Final = 10_000
"""... how many of them each kind of thief has."""
TUNING: Final = Seeds(1_000_000, 2_000_000)
"""For choosing settings by hand, and thresholds of other detectors."""
CARD: Final = Seeds(2_000_000, 3_000_000)
"""For what a model's card reports."""
BENCHMARK: Final = Seeds(3_000_000, 4_000_000)
"""For the benchmark's report alone: nothing is trained, tuned or chosen on them."""
