"""Reasons in words: numbers as an owner reads them, who was just robbed and has no time for units."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.explain import reason_of, show
from drainwatch.features.registry import FEATURES, index


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0, "sigmas", "0"),
        (-1e-9, "sigmas", "0"),
        (0.0299, "nats", "0.0299"),
        (33.72, "times", "33.7"),
        (999.7, "times", "1,000"),
        (56_270.0, "usual noise", "56,300"),
        (999_999.0, "usual noise", "1 million"),
        (107_561_356.0, "usual noise", "108 million"),
        (2.5e9, "usual noise", "2.5 billion"),
        (4.2e15, "usual noise", "4.20e+15"),
        (-56_270.0, "sigmas", "-56,300"),
        (math.nan, "sigmas", "unknown"),
        (0.182, "share", "18.2 %"),
        (math.nan, "share", "unknown"),
        (33.7, "bps", "0.337 %"),
        (0.114, "bps", "0.00114 %"),
        (0.02, "bps", "0.0002 %"),
        (4_616.0, "bps of equity", "46.2 %"),
        (13_805.0, "bps", "138 %"),
        (0.0, "bps", "0 %"),
        (2.05, "ln ratio", "7.77"),
        (0.0, "ln ratio", "1"),
        (1e6, "ln ratio", "1.01e+304"),
        (math.nan, "ln ratio", "unknown"),
    ],
)
def test_numbers_are_short_and_in_known_units(value: float, unit: str, said: str) -> None:
    assert show(value, unit) == said


@given(st.floats(1e-3, 1e12, exclude_max=True))
def test_shown_numbers_are_off_by_half_a_percent_at_most(value: float) -> None:
    number, _, scale = show(value, "times").replace(",", "").partition(" ")
    times = {"": 1.0, "million": 1e6, "billion": 1e9}[scale] if "e" not in number else 1.0
    assert float(number) * times == pytest.approx(value, rel=0.0051)


def test_reasons_read_as_sentences() -> None:
    assert reason_of(index("money_equity_bps"), 4_616.0, 0.0).text == (
        "46.2 % of the account lost beyond the usual (usual: 0 %)"
    )
    assert reason_of(index("deviation_bps"), 33.7, 0.114).text == (
        "paid 0.337 % beyond what it was worth (usual: 0.00114 %)"
    )
    assert reason_of(index("rate_ratio"), 2.05, 0.69).text == (
        "orders came 7.77 times as fast as usual (usual: 1.99)"
    )
    assert reason_of(index("unlogged_drift"), 3.4, 0.0).text.endswith("did not place (usual: none)")


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_no_reason_needs_a_table_of_units(feature: object) -> None:
    """Basis points and powers of e are for the scores file."""
    column = FEATURES.index(feature)
    said = reason_of(column, 3.25, 1.5)
    assert (said.value, said.typical) == (3.25, 1.5)
    assert not re.search(r"\bbps\b|e\^|[{}]", said.text)
