"""The benchmark's figures, on outcomes made by hand whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_fakes import facts, scored, small, told
from drainwatch.bench.outcome import US, Facts, Outcome, Scored, incidents_above
from drainwatch.bench.summary import (
    calibration_of,
    figure_of,
    figures_of,
    poisson_interval,
    summarise,
    threshold_for,
)

ALARM = st.tuples(
    st.integers(0, 60), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0]), st.integers(0, 2)
)  # hour, score, account
MONTHS = st.lists(st.lists(ALARM, max_size=12), min_size=1, max_size=4)


def months_of(drawn: list[list[tuple[int, float, int]]]) -> list[tuple[Facts, Scored]]:
    """Honest months of three accounts each."""
    made = []
    for alarms in drawn:
        rows = sorted(alarms)
        accounts = tuple(account for *_, account in rows)
        made.append(
            (facts(accounts=3), scored(*((hour, score) for hour, score, _ in rows), accounts=accounts))
        )
    return made


def naive_threshold(honest: list[tuple[Facts, Scored]], rate: float) -> float:
    """Lower the threshold score by score, counting anew each time, until there are too many."""
    months = sum(about.months for about, _ in honest)
    values = sorted({float(score) for _, one in honest for score in one.alarms}, reverse=True)
    if not values:
        return 0.0
    lowest = float(np.nextafter(values[0], np.inf))
    for value in values:
        if sum(incidents_above(one, value) for _, one in honest) > rate * months + 1e-9:
            break
        lowest = value
    return lowest


@given(drawn=MONTHS, rate=st.sampled_from([0.0, 0.05, 0.1, 1 / 3, 0.5, 2 / 3, 1.0, 2.0, 5.0]))
def test_threshold_is_what_counting_at_every_score_finds(
    drawn: list[list[tuple[int, float, int]]], rate: float
) -> None:
    honest = months_of(drawn)
    assert threshold_for(honest, rate) == naive_threshold(honest, rate)


@given(drawn=MONTHS, rate=st.floats(0.0, 5.0))
def test_threshold_keeps_to_its_rate(drawn: list[list[tuple[int, float, int]]], rate: float) -> None:
    honest = months_of(drawn)
    count = sum(incidents_above(one, threshold_for(honest, rate)) for _, one in honest)
    assert count <= rate * sum(about.months for about, _ in honest) + 1e-6


def test_an_alarm_that_never_ends_is_not_taken_for_a_low_rate() -> None:
    """Scores so low that all fills pass make one incident of the month: still useless, and not meant."""
    bursts = [(20.0 * day, 3.0) for day in range(6)]
    hum = [(float(hour), 0.1) for hour in range(101) if hour % 20]
    honest = [(facts(), scored(*sorted(bursts + hum)))]
    assert incidents_above(honest[0][1], 0.1) == 1
    assert incidents_above(honest[0][1], 3.0) == 6
    assert threshold_for(honest, 1.0) > 3.0


def test_a_rate_that_was_counted_is_met_again() -> None:
    honest = [(facts(), scored((1.0, 2.0)))] * 7 + [(facts(), scored())] * 42
    assert threshold_for(honest, 7 / 49) == 2.0


def test_without_alarms_any_threshold_would_do() -> None:
    assert threshold_for([(facts(), scored())], 0.1) == 0.0
    assert threshold_for([], 0.1) == 0.0


def test_figure_is_100_for_the_best_0_for_none_and_below_it_for_worse() -> None:
    assert figure_of(lost=0.01, first=0.01, everything=0.5, false_a_month=0.0) == 100.0
    assert figure_of(lost=0.5, first=0.01, everything=0.5, false_a_month=0.0) == 0.0
    assert figure_of(lost=0.5, first=0.01, everything=0.5, false_a_month=0.1) < 0.0


def test_false_alarms_cost_what_is_stated() -> None:
    """One account-month in 100 is robbed: 0.49 false incidents a month are 49 a theft, of 0.1 % each."""
    assert figure_of(lost=0.01, first=0.01, everything=0.5, false_a_month=0.49) == pytest.approx(90.0)


def test_where_nothing_can_be_saved_there_is_no_figure() -> None:
    assert math.isnan(figure_of(lost=0.2, first=0.2, everything=0.2, false_a_month=0.0))


def test_figures_of_two_thefts_by_hand() -> None:
    """Ten, then thirty, then sixty of 1,000 gone: one is told at the second fill, one is missed."""
    lost = (10.0, 30.0, 60.0)
    robbed = [
        (facts(lost, thief="ping_pong", difficulty=0.1, seconds=(0.0, 5.0, 9.0)), 1),
        (facts(lost, thief="triangle", difficulty=0.9), None),
    ]
    honest = [(facts(owner="grid"), 1), (facts(owner="grid"), 0), (facts(owner="dca", accounts=2), 0)]
    out = figures_of(honest, robbed, [0.5, 1.0])
    assert out["false_a_month"] == 0.25
    assert out["false_by_owner"] == {"grid": 0.5, "dca": 0.0}
    assert out["recall"] == 0.5
    assert out["gone"] == pytest.approx({"mean": 0.7, "median": 0.7, "p95": 0.97})
    assert out["equity_lost"] == pytest.approx({"mean": 0.07, "median": 0.07, "p95": 0.097})
    assert out["bad_fills"] == {"median": 2.0, "p95": 2.0}
    assert out["seconds"] == {"median": 5.0, "p95": 5.0}
    assert out["average_precision"] == 0.75
    # avoidable is 0.1 - 0.01; lost beyond the first fill is 0.06, and 25 false alarms cost 0.025
    assert out["figure"] == pytest.approx(100.0 * (1.0 - 0.085 / 0.09))
    assert {name: of["recall"] for name, of in out["by_thief"].items()} == {"ping_pong": 1.0, "triangle": 0.0}
    assert {name: of["gone"]["mean"] for name, of in out["by_family"].items()} == {"F3": 0.4, "F13": 1.0}
    assert {name: of["drains"] for name, of in out["by_difficulty"].items()} == {"easy": 1, "hard": 1}
    # triangles are for testing only: training is shown none
    assert {name: of["recall"] for name, of in out["by_training"].items()} == {"shown": 1.0, "held out": 0.0}


def test_an_alert_before_the_first_losing_fill_saves_no_more_than_one_at_it() -> None:
    early, at_it = (
        figures_of([(facts(), 0)], [(facts((0.0, 50.0, 50.0), thief="crumbs", difficulty=0.5), alert)], [1.0])
        for alert in (0, 1)
    )
    assert early["figure"] == at_it["figure"] == 100.0
    assert early["gone"]["mean"] == 0.0
    assert early["bad_fills"]["median"] == early["seconds"]["median"] == 0.0


def test_without_thefts_only_false_incidents_are_told() -> None:
    assert figures_of([(facts(), 3)], [], []) == {"false_a_month": 3.0, "false_by_owner": {"grid": 3.0}}


def test_poisson_interval_is_as_tabled() -> None:
    """Two-sided 90 % of Garwood: 0 gives 0 to 3.00, 1 gives 0.05 to 4.74, 10 gives 5.43 to 16.96."""
    assert poisson_interval(0) == pytest.approx((0.0, 2.9957), abs=1e-4)
    assert poisson_interval(1) == pytest.approx((0.0513, 4.7439), abs=1e-4)
    assert poisson_interval(10) == pytest.approx((5.4254, 16.9622), abs=1e-4)


def test_calibration_counts_incidents_at_each_budget() -> None:
    honest = [(facts(), scored((0.0, 1.7), (10.0, 0.6), (20.0, 0.2))), (facts(), scored())]
    rows = {row["budget"]: row for row in calibration_of(honest)}
    assert {budget: row["measured"] for budget, row in rows.items()} == {
        0.03: 0.5,
        0.1: 0.5,
        0.3: 1.0,
        1.0: 1.5,
    }
    assert all(row["low"] < row["measured"] < row["high"] for row in rows.values())
    assert calibration_of([]) == []


def outcome(about: Facts, by_name: dict[str, Scored], said: int | None = None, *, false: int = 0) -> Outcome:
    """What came out of an account, at the level of orders only."""
    kind = None if said is None else "ping_pong"
    return Outcome(about, {"orders": by_name}, {"orders": told(said, kind, false=false, own=2)})


def test_summary_of_four_accounts_by_hand() -> None:
    theft = facts((50.0, 50.0), thief="ping_pong", difficulty=0.5)
    outcomes = [
        outcome(facts(), {US: scored((5.0, 1.0)), "hst": scored((5.0, 0.5), (50.0, 0.2))}, false=1),
        outcome(facts(owner="dca"), {US: scored(), "hst": scored()}),
        outcome(facts(regime="crash"), {US: scored((1.0, 2.0)), "hst": scored((1.0, 9.0))}, false=3),
        outcome(theft, {US: scored(drain=(0.1, 2.0)), "hst": scored(drain=(0.3, 0.6))}, 1),
    ]
    out = summarise(
        outcomes,
        thresholds={"orders": {US: 9.0, "hst": 0.6}},
        fixed={"hst": 0.2},
        about={US: "us", "hst": "trees"},
        oracles=[],
    )
    level = out["levels"]["orders"]
    assert list(out["levels"]) == ["orders"]
    assert (level["honest_months"], level["stress_months"], level["drains"]) == (2, 1, 1)
    assert level["stolen_share_of_equity"] == pytest.approx(0.1)
    assert list(level["detectors"]) == [US, "hst", "hst as used"]
    ours, trees, used = level["detectors"].values()
    assert out["figure"] == ours["figure"] == pytest.approx(100.0 * (1.0 - (0.05 + 0.05) / 0.05))
    assert ours["false_a_month"] == 0.5
    assert ours["by_regime"] == {"crash": 3.0}
    assert ours["kinds"] == {"ping_pong": {"ping_pong": 1}}
    assert ours["own_bad_fills"] == {"told": 4, "told_as_such": 2}
    assert (trees["threshold"], trees["false_a_month"], trees["gone"]["mean"]) == (0.6, 0.0, 1.0)
    assert (used["threshold"], used["false_a_month"], used["gone"]["mean"]) == (0.2, 1.0, 0.5)
    # at half an incident a month its threshold comes down to 0.5, where it still waits for the second fill
    assert trees["at_our_rate"] == {"false_a_month": 0.5, "equity_lost": 0.1, "recall": 1.0, "gone": 1.0}
    assert dict(trees["curve"])[0.02] == pytest.approx(0.1)
    assert dict(trees["curve"])[1.0] == pytest.approx(0.05)
    assert "curve" in ours
    assert "threshold" not in ours
    assert "curve" not in used


def test_a_theft_that_took_nothing_is_left_out() -> None:
    nothing = facts((0.0, 0.0), thief="crumbs", difficulty=0.5)
    out = summarise(
        [outcome(facts(), {US: scored()}), outcome(nothing, {US: scored(drain=(1.0, 1.0))}, 0)],
        thresholds={},
        fixed={},
        about={},
        oracles=[],
    )
    assert out["levels"]["orders"]["drains"] == 0
    assert out["figure"] is None


def test_the_figure_is_that_of_the_level_with_the_order_log() -> None:
    result = small()
    assert result["figure_level"] == "orders"
    assert result["figure"] == result["levels"]["orders"]["detectors"][US]["figure"]
    assert list(result["levels"]["nameless"]["detectors"]) == [US]


def test_a_summary_of_nothing_has_no_figure() -> None:
    out = summarise([], thresholds={}, fixed={}, about={}, oracles=[])
    assert out["figure"] is out["figure_level"] is None
    assert out["levels"] == {}
