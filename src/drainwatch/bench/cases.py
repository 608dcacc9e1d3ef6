"""Which simulated accounts the benchmark runs over."""

from __future__ import annotations

from typing import Final, NamedTuple

from drainwatch.lab import scenario
from drainwatch.lab.seeds import Seeds

DAYS: Final = 30.0
STRESS: Final = ("crash", "venue_crash", "local_crash", "pump", "listing", "outage", "depeg")
"""Regimes that months of stress are made of, by force; by chance a few per cent of all months have one."""
_STRESS_FROM: Final = 300_000
_DRAINS_FROM: Final = 500_000
_A_THIEF: Final = 10_000


class Case(NamedTuple):
    """One account, honest or robbed."""

    seed: int
    owner: str | None
    """Kind of owner; None draws one."""
    thief: str | None
    difficulty: float | None
    """Of the theft, 0 to 1; None without one."""
    regime: str | None
    """What happens to the market by force; None leaves it to chance."""

    def make(self) -> scenario.Scenario:
        """Simulate it."""
        return scenario.make(
            self.seed,
            days=DAYS,
            owner=self.owner,
            thief=self.thief,
            difficulty=self.difficulty,
            regime=self.regime,
        )


def honest(seeds: Seeds, months: int, first: int = 0) -> list[Case]:
    """Return months without a thief, each kind of owner in turn."""
    owners = list(scenario.OWNERS)
    return [
        Case(seeds.of(i), owners[i % len(owners)], None, None, None) for i in range(first, first + months)
    ]


def stressed(seeds: Seeds, months: int) -> list[Case]:
    """Return months without a thief in which the market goes mad: `months` of each regime."""
    owners = list(scenario.OWNERS)
    return [
        Case(seeds.of(_STRESS_FROM + 1000 * k + i), owners[(5 * k + i) % len(owners)], None, None, regime)
        for k, regime in enumerate(STRESS)
        for i in range(months)
    ]


def robbed(seeds: Seeds, months: int) -> list[Case]:
    """Return months with a thief: `months` of each kind, from the most blatant to the most careful."""
    return [
        Case(seeds.of(_DRAINS_FROM + _A_THIEF * k + i), None, thief, (i + 0.5) / months, None)
        for k, thief in enumerate(scenario.THIEVES)
        for i in range(months)
    ]
