"""Bounded statistics against naive ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.windows import EMPTY, decay, find, median, mix, put, refill, weighted_median

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=40)
KEYS = st.integers(1, 2**64 - 1)
U64 = st.integers(0, 2**64 - 1)


@given(VALUES, st.integers(0, 5))
def test_median_is_the_median(values: list[float], more: int) -> None:
    """Of the first n: what lies beyond is neither looked at nor touched."""
    room = np.array([*values, *[math.inf] * more])
    found = median(room, len(values))
    if values:
        assert found == np.median(values)
    else:
        assert math.isnan(found)
    assert room.tolist() == sorted(values) + [math.inf] * more


def test_median_survives_infinite_values() -> None:
    assert median(np.array([math.inf, -math.inf, 3.0]), 3) == 3.0


def naive_weighted_median(pairs: list[tuple[float, float]]) -> float:
    """Smallest value with at least half the weight at or below it."""
    total = sum(weight for _, weight in pairs)
    return min(value for value, _ in pairs if 2 * sum(w for v, w in pairs if v <= value) >= total)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 64)), max_size=30))
def test_weighted_median_is_the_weighted_median(pairs: list[tuple[int, int]]) -> None:
    """Whole weights, so that the order of adding them doesn't matter."""
    values = np.array([float(value) for value, _ in pairs])
    weights = np.array([float(weight) for _, weight in pairs])
    found = weighted_median(values, weights, len(pairs))
    if pairs:
        assert found == naive_weighted_median([(float(value), float(weight)) for value, weight in pairs])
    else:
        assert math.isnan(found)
    together = sorted(zip(values.tolist(), weights.tolist(), strict=True))
    assert together == sorted((float(value), float(weight)) for value, weight in pairs)
    assert values.tolist() == sorted(values.tolist())


@given(VALUES.filter(bool))
def test_equal_weights_give_the_lower_median(values: list[float]) -> None:
    found = weighted_median(np.array(values), np.ones(len(values)), len(values))
    assert found == sorted(values)[(len(values) - 1) // 2]


@given(st.integers(-(10**18), 10**18), st.integers(10**6, 10**17))
def test_decay_halves_in_a_half_life(age: int, half_life: int) -> None:
    expected = 1.0 if age <= 0 else 0.5 ** (age / half_life)
    assert decay(age, half_life) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert decay(age, float(half_life)) == decay(age, half_life)
    assert 0.0 <= decay(age, half_life) <= 1.0


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(10**9, 10**15))
def test_decay_in_steps_is_decay_at_once(first: int, second: int, half_life: int) -> None:
    """Else what is left would depend on how often somebody looked."""
    assert decay(first, half_life) * decay(second, half_life) == pytest.approx(
        decay(first + second, half_life), abs=1e-12
    )


@given(U64, U64)
def test_mixed_keys_are_never_empty(first: int, second: int) -> None:
    assert int(mix(np.uint64(first), np.uint64(second))) != 0


def test_mixed_keys_of_small_codes_differ() -> None:
    """Codes of accounts and markets are small and dense, and (1, 2) isn't (2, 1)."""
    keys = {int(mix(np.uint64(i), np.uint64(j))) for i in range(300) for j in range(300)}
    assert len(keys) == 300 * 300
    low_bits = np.bincount([key >> 1 & 1023 for key in keys], minlength=1024)
    assert low_bits.max() < 3 * low_bits.mean()


@given(
    st.lists(st.one_of(KEYS, st.integers(0, 7).map(lambda n: 8 * n + 7)), unique=True, max_size=60),
    st.lists(KEYS),
)
def test_a_table_finds_what_was_put_there_and_nothing_else(wanted: list[int], others: list[int]) -> None:
    """Grown whenever it is half full, as its callers do; keys that fall on one slot among them."""
    keys, slots = np.zeros(8, np.uint64), np.zeros(8, np.int32)
    kept: dict[int, int] = {}
    for number, key in enumerate(wanted):
        if 2 * (len(kept) + 1) > len(keys):
            wider, into = np.zeros(2 * len(keys), np.uint64), np.zeros(2 * len(keys), np.int32)
            refill(keys, slots, wider, into)
            keys, slots = wider, into
        put(keys, slots, np.uint64(key), number)
        kept[key] = number
    for key in [*wanted, *others]:
        assert find(keys, slots, np.uint64(key)) == kept.get(key, EMPTY)
