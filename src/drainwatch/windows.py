"""Bounded statistics that the kernel keeps: decayed sums, medians of short arrays, hash tables.

They know no trading words. Each has a naive oracle in the tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drainwatch.kernel_cache import jit

EMPTY = -1
LN_2 = 0.6931471805599453


@jit
def decay(age_ns: int, half_life_ns: float) -> float:
    """Weight left of something `age_ns` old: 1 at once, 1/2 after a half-life; never over 1."""
    if age_ns <= 0:
        return 1.0
    return float(np.exp(-LN_2 * age_ns / half_life_ns))


@jit
def median(values: NDArray[np.float64], n: int) -> float:
    """Median of the first `n` of `values`, which are left sorted; NaN where n is 0."""
    if n == 0:
        return np.nan
    # insertion sort: the arrays are short and often nearly in order
    for i in range(1, n):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    half = n // 2
    if n % 2:
        return float(values[half])
    return float(0.5 * (values[half - 1] + values[half]))


@jit
def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64], n: int) -> float:
    """Smallest of the first `n` values with at least half of the weight at or below it; NaN where n is 0.

    Both arrays are left sorted by value.
    """
    if n == 0:
        return np.nan
    total = 0.0
    for i in range(n):
        total += weights[i]
    for i in range(1, n):
        value = values[i]
        weight = weights[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            weights[j + 1] = weights[j]
            j -= 1
        values[j + 1] = value
        weights[j + 1] = weight
    below = 0.0
    for i in range(n):
        below += weights[i]
        if 2.0 * below >= total:
            return float(values[i])
    return float(values[n - 1])


@jit
def mix(first: np.uint64, second: np.uint64) -> np.uint64:
    """One well-spread 64-bit key of two (splitmix64's finaliser, Steele et al. 2014)."""
    key = first * np.uint64(0x9E3779B97F4A7C15) + second
    key ^= key >> np.uint64(30)
    key *= np.uint64(0xBF58476D1CE4E5B9)
    key ^= key >> np.uint64(27)
    key *= np.uint64(0x94D049BB133111EB)
    key ^= key >> np.uint64(31)
    return key | np.uint64(1)  # 0 marks an empty slot


@jit
def find(keys: NDArray[np.uint64], slots: NDArray[np.int32], key: np.uint64) -> int:
    """Number kept under `key` in an open-addressed table whose length is a power of two; -1 if none."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != np.uint64(0):
        if keys[at] == key:
            return int(slots[at])
        at = (at + np.uint64(1)) & mask
    return EMPTY


@jit
def put(keys: NDArray[np.uint64], slots: NDArray[np.int32], key: np.uint64, number: int) -> None:
    """Keep `number` under a key that isn't there yet. The caller keeps the table at most half full."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != np.uint64(0):
        at = (at + np.uint64(1)) & mask
    keys[at] = key
    slots[at] = number


@jit
def refill(
    keys: NDArray[np.uint64], slots: NDArray[np.int32], wider: NDArray[np.uint64], into: NDArray[np.int32]
) -> None:
    """Copy a table into a wider, empty one."""
    for i in range(len(keys)):
        if keys[i] != np.uint64(0):
            put(wider, into, keys[i], slots[i])
