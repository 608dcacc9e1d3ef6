"""Draws that owners and thieves share."""

from __future__ import annotations

import numpy as np

HOUR_S = 3600.0


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw between two positive bounds, each decade as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def choose(rng: np.random.Generator, names: list[str], n: int) -> list[str]:
    """Draw up to `n` different names."""
    return [names[int(i)] for i in rng.permutation(len(names))[:n]]


def parts(rng: np.random.Generator) -> int:
    """Draw in how many fills a resting order is executed: mostly one."""
    return int(min(rng.geometric(0.65), 6))


def pick(rng: np.random.Generator, names: list[str]) -> str:
    """Draw one."""
    return names[int(rng.integers(len(names)))]
