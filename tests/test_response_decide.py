"""When a hook runs, and when the owner doesn't want it to."""

from __future__ import annotations

from typing import Any

import pytest

from drainwatch.response.decide import fires, held
from drainwatch.store import Mark, Silence
from response_fakes import START_MS, hook, incident

WARNING = {"severity": "warning"}
BECAME = {"severity": "warning", "escalated_at": START_MS + 60_000}


@pytest.mark.parametrize(
    ("severity", "now", "before", "runs"),
    [
        ("critical", {}, None, True),
        ("critical", {"loss": 3.0}, {}, False),
        ("critical", WARNING, None, False),
        ("critical", BECAME, None, True),
        ("critical", BECAME, WARNING, True),
        ("critical", BECAME | {"loss": 3.0}, BECAME, False),
        ("critical", BECAME | {"closed_at": START_MS}, BECAME, False),
        ("warning", WARNING, None, True),
        ("warning", {}, None, True),
        ("warning", BECAME, WARNING, False),
    ],
)
def test_it_runs_when_an_incident_comes_to_its_severity(
    severity: str, now: dict[str, Any], before: dict[str, Any] | None, runs: bool
) -> None:
    was = None if before is None else incident(**before)
    assert fires(hook(severity=severity), incident(**now), was) is runs


@pytest.mark.parametrize(("account", "runs"), [("", True), ("main", True), ("other", False)])
def test_it_runs_for_its_own_account(account: str, runs: bool) -> None:
    assert fires(hook(account=account), incident(), None) is runs


def mark(what: Any, at_ms: float = START_MS) -> Mark:
    return Mark(incident="incident-1", what=what, at_ns=int(at_ms * 1e6))


@pytest.mark.parametrize(
    ("marks", "changes", "why"),
    [
        ([], {}, ""),
        ([mark("false_alarm")], {}, "false alarm"),
        ([mark("closed")], {}, "closed"),
        ([mark("acknowledged")], {}, "in his hands"),
        ([mark("acknowledged")], WARNING, "in his hands"),
        ([mark("acknowledged")], BECAME, ""),
        ([mark("acknowledged", START_MS + 60_000)], BECAME, "in his hands"),
        ([mark("acknowledged"), mark("closed")], BECAME, "closed"),
    ],
)
def test_marks_hold_it(marks: list[Mark], changes: dict[str, Any], why: str) -> None:
    """What became critical after the owner had seen a warning, he hasn't seen."""
    found = held(incident(**changes), marks, [])
    assert bool(found) == bool(why)
    assert why in found


def silence(**changes: Any) -> Silence:
    given: dict[str, Any] = {"id": "s", "reason": "tests", "from_ns": 0, "until_ns": 2**60}
    return Silence(**(given | changes))


@pytest.mark.parametrize(
    ("silences", "changes", "holds"),
    [
        ([silence()], WARNING, True),
        ([silence()], {}, False),
        ([silence()], BECAME, False),
        ([silence(forced=True)], {}, True),
        ([silence(account="other")], WARNING, False),
        ([silence(account="other"), silence(account="main", symbol="ETH/BTC")], WARNING, True),
    ],
)
def test_silences_hold_warnings_and_criticals_only_where_forced(
    silences: list[Silence], changes: dict[str, Any], holds: bool
) -> None:
    assert bool(held(incident(**changes), [], silences)) is holds
