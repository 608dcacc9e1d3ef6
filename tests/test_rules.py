"""Tripwires: each trips on what it is there for, none on what isn't known, and none less for more danger."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from drainwatch.features.registry import COUNT, NAMES, index
from drainwatch.rules import RULES, Rule, tripped

IDS = [rule.id for rule in RULES]
VALUES = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6), st.floats(-2.0, 20.0))
ROWS = arrays(np.float64, COUNT, elements=VALUES)


def row(default: float = 0.0, **values: float) -> NDArray[np.float64]:
    x = np.full(COUNT, default)
    for name, value in values.items():
        x[index(name)] = value
    return x


def names_of(x: NDArray[np.float64]) -> set[str]:
    bits = tripped(x)
    assert 0 <= bits < 1 << len(RULES)
    return {rule.id for bit, rule in enumerate(RULES) if bits >> bit & 1}


TELLING: dict[str, dict[str, float]] = {
    "far_from_fair": {"deviation_bps": 5000.0, "deviation_sigmas": 50.0, "order_loss_equity_bps": 300.0},
    "absurd_price": {"deviation_bps": 9000.0, "deviation_sigmas": 50.0, "order_loss_equity_bps": 300.0},
    "beyond_noise": {"deviation_bps": 300.0, "deviation_sigmas": 30.0, "order_loss_equity_bps": 300.0},
    "unlogged_loss": {"unlogged_drift": 9.0, "money_noise": 30.0, "money_equity_bps": 100.0},
    "money_pass": {"trip_drift": 60.0, "round_trip_bps": 200.0, "drift_sigmas": 50.0, "equal_amounts": 6.0},
    "same_party": {"party_both_sides": 1.0, "deviation_sigmas": 5.0, "money_equity_bps": 100.0},
    "rotation_into_new": {"rotation": 0.8, "novelty": 1.0, "deviation_sigmas": 5.0},
    "pushed_market": {
        "pushed_sigmas": 30.0,
        "witness_gap_sigmas": 30.0,
        "deviation_sigmas": 20.0,
        "order_loss_equity_bps": 100.0,
    },
    "fee_churn": {"fees_equity_bps": 1000.0, "flips": 100.0},
    "blind_all_in": {
        "deviation_bps": np.nan,
        "deviation_sigmas": np.nan,
        "equity_into_base": 0.9,
        "novelty": 1.0,
    },
    "unlogged_run": {"unlogged_drift": 14.0},
    "unlogged_burst": {"unlogged_drift": 30.0},
}


def test_every_rule_is_told_of_here() -> None:
    assert set(TELLING) == set(IDS)


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_trips_on_what_it_is_there_for(rule: str) -> None:
    assert rule in names_of(row(**TELLING[rule]))


@pytest.mark.parametrize("rule", IDS)
def test_one_sign_alone_is_not_enough(rule: str) -> None:
    """Where a rule looks at several features, each of them is needed."""
    signs = {name: value for name, value in TELLING[rule].items() if not np.isnan(value)}
    for name in signs:
        if len(signs) > 1:
            assert rule not in names_of(row(**(TELLING[rule] | {name: 0.0}))), name


@pytest.mark.parametrize("default", [0.0, np.nan, -1e9])
def test_nothing_trips_on_a_fill_that_is_usual_better_or_unknown(default: float) -> None:
    assert names_of(row(default)) == set()


@given(ROWS, st.integers(0, COUNT - 1), st.floats(0.0, 1e6))
def test_more_danger_never_trips_less(x: NDArray[np.float64], column: int, more: float) -> None:
    """Every feature rises with danger."""
    before = tripped(x)
    x = x.copy()
    x[column] += more
    assert tripped(x) & before == before


@given(ROWS, st.integers(0, COUNT - 1))
def test_what_is_not_known_trips_nothing_but_what_is_there_for_it(
    x: NDArray[np.float64], column: int
) -> None:
    before = names_of(x)
    x = x.copy()
    x[column] = np.nan
    assert names_of(x) - before <= {"blind_all_in"}, NAMES[column]


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_says_why_and_what_to_do(rule: Rule) -> None:
    assert rule.severity in ("warning", "critical")
    assert rule.maturity in ("stable", "incubating")
    assert rule.why
    assert rule.remedy
    assert IDS.count(rule.id) == 1


def test_unlogged_orders_alone_are_a_warning_at_most() -> None:
    """Orders placed by hand are absent from the log, too."""
    alone = names_of(row(unlogged_drift=50.0, unlogged=8.0))
    assert {rule.severity for rule in RULES if rule.id in alone} == {"warning"}
