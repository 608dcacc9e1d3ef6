"""What reports was never trained or tuned on."""

from __future__ import annotations

import itertools

import pytest

from drainwatch.lab.seeds import BENCHMARK, CARD, TRAINING, TUNING


def test_ranges_are_apart() -> None:
    ranges = sorted([BENCHMARK, CARD, TRAINING, TUNING])
    for one, next_one in itertools.pairwise(ranges):
        assert one.first < one.beyond <= next_one.first


def test_a_range_gives_its_own_seeds_and_no_others() -> None:
    assert TUNING.of(0) == TUNING.first
    assert TUNING.of(999_999) == TUNING.beyond - 1
    for i in (-1, 1_000_000):
        with pytest.raises(ValueError, match="expected a number from 0 to 999999, was"):
            TUNING.of(i)
