"""What is kept of one account: which alarms are false, where the theft was noticed, what was gone by then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_fakes import HOUR_MS, START_MS, facts, fill, scenario_like, scored
from drainwatch.bench import outcome
from drainwatch.bench.cases import Case
from drainwatch.bench.outcome import (
    alert_at,
    facts_of,
    has_level,
    incidents_above,
    lost_until,
    scored_of,
    seen_of,
)
from drainwatch.lab.truth import spared


def test_alarms_six_hours_apart_are_one_incident_and_more_are_two() -> None:
    assert incidents_above(scored((0.0, 1.0), (6.0, 1.0)), 1.0) == 1
    assert incidents_above(scored((0.0, 1.0), (6.01, 1.0)), 1.0) == 2
    assert incidents_above(scored((0.0, 1.0), (5.0, 1.0), (10.0, 1.0), (15.0, 1.0)), 1.0) == 1


def test_incidents_of_two_accounts_are_two() -> None:
    both = scored((0.0, 1.0), (0.1, 1.0), (0.2, 1.0), accounts=(0, 1, 0))
    assert incidents_above(both, 1.0) == 2


def test_what_is_below_the_threshold_joins_nothing() -> None:
    alarms = scored((0.0, 1.0), (5.0, 0.9), (10.0, 1.0))
    assert incidents_above(alarms, 1.0) == 2
    assert incidents_above(alarms, 0.9) == 1
    assert incidents_above(alarms, 1.1) == 0


def test_the_alert_is_the_first_fill_scored_as_high() -> None:
    theft = scored(drain=(-np.inf, 0.4, 0.7, 0.9))
    assert alert_at(theft, 0.7) == 2
    assert alert_at(theft, -1.0) == 1
    assert alert_at(theft, 1.0) is None


def test_the_alerts_own_fill_is_gone_and_a_missed_theft_is_gone_whole() -> None:
    about = facts((10.0, 0.0, 30.0), thief="crumbs", difficulty=0.5)
    assert [lost_until(about, alert) for alert in (0, 1, 2, None)] == [10.0, 10.0, 40.0, 40.0]


def test_levels_need_what_they_are_about() -> None:
    for has_log, discloses, expected in (
        (True, "accounts", {"quotes", "orders", "nameless"}),
        (True, "nothing", {"quotes", "orders"}),
        (False, "accounts", {"quotes"}),
    ):
        about = facts(has_log=has_log, discloses=discloses)
        assert {level for level in ("quotes", "orders", "nameless") if has_level(about, level)} == expected


def test_of_an_honest_month_alarms_are_kept_in_time_and_spared_ones_not() -> None:
    made = scenario_like(fill(0), fill(1, bad=True), fill(30), fill(31, account="b"), fill(32))
    kept = scored_of(made, np.array([0.3, 9.0, 0.2, 0.9, -np.inf]), spared(made))
    assert kept.alarms.tolist() == [0.3, 0.2, 0.9]
    assert ((kept.alarms_ms - START_MS) / HOUR_MS).tolist() == [0.0, 30.0, 31.0]
    assert kept.accounts.tolist() == [0, 0, 1]
    assert len(kept.drain) == 0
    assert np.isnan(kept.precision)


def test_only_the_highest_scores_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "KEPT", 2)
    made = scenario_like(*(fill(hour) for hour in range(4)))
    assert scored_of(made, np.array([3.0, 1.0, 2.0, 0.0]), np.zeros(4, dtype=bool)).alarms.tolist() == [
        3.0,
        2.0,
    ]


def test_of_a_robbed_month_the_theft_is_kept_in_order_of_time() -> None:
    made = scenario_like(fill(0), fill(1, drain=True), fill(2), fill(3, drain=True))
    kept = scored_of(made, np.array([0.5, 0.9, 0.1, 0.2]), spared(made))
    assert kept.drain.tolist() == [0.9, 0.2]
    assert len(kept.alarms) == 0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.booleans()), min_size=1, max_size=30))
def test_precision_is_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    from sklearn.metrics import average_precision_score

    made = scenario_like(*(fill(i, drain=drain) for i, (_, drain) in enumerate(rows)))
    scores = np.array([score for score, _ in rows])
    precision = scored_of(made, scores, np.zeros(len(rows), dtype=bool)).precision
    drain = [drain for _, drain in rows]
    if any(drain):
        assert precision == pytest.approx(average_precision_score(drain, scores))
    else:
        assert np.isnan(precision)


def test_facts_are_read_off() -> None:
    made = scenario_like(
        fill(0),
        fill(1, 120.0, 40.0, drain=True),
        fill(2, 90.0, -5.0, drain=True),
        fill(3, 120.0, 60.0, drain=True),
    )
    about = facts_of(Case(7, None, "triangle", 0.9, None), made)
    assert (about.family, about.band, about.owner, about.accounts, about.months) == (
        "F13",
        "hard",
        "grid",
        1,
        1.0,
    )
    assert about.equity == 900.0
    assert about.lost.tolist() == [40.0, 0.0, 60.0]  # what he lost to the owner is not given back
    assert about.bad.tolist() == [True, False, True]
    assert ((about.at_ms - START_MS) / HOUR_MS).tolist() == [1.0, 2.0, 3.0]
    assert not about.has_log


def test_only_oracles_are_shown_the_truth_and_levels_hold_their_tables() -> None:
    made = scenario_like(fill(0))
    assert seen_of(made, "fills", truth=False).truth is None
    assert seen_of(made, "fills", truth=True).truth is made.labels
    assert list(seen_of(made, "fills", truth=False).tables) == []
    assert list(seen_of(made, "quotes", truth=False).tables) == ["trades"]  # there are no quotes


def test_what_was_said_is_told_apart_by_whose_fill_raised_it() -> None:
    made = scenario_like(
        fill(0), fill(40, bad=True), fill(41), fill(90, loss=1.0, drain=True), fill(91, loss=1.0, drain=True)
    )  # fmt: skip

    def incident(row: int, kind: str, now: str) -> Any:
        return SimpleNamespace(
            alert_fill=SimpleNamespace(symbol="s", id=row, side="buy"), kind=kind, kind_now=now
        )

    recording: Any = SimpleNamespace(place=lambda _symbol, row, _side: row)
    said = outcome._told(
        made,
        recording,
        [
            incident(0, "planted_wall", "planted_wall"),
            incident(1, "own_bad_fill", "own_bad_fill"),
            incident(2, "ping_pong", "ping_pong"),
            incident(4, "slow_bleed", "slow_bleed"),
            incident(3, "unusual", "ping_pong"),
        ],
        spared(made),
    )
    assert said == outcome.Told(0, "ping_pong", false=1, own_bad=2, own_bad_told=1)
