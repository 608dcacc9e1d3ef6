"""The trial counts what it says it counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from drainwatch import train, trial
from drainwatch.detector import LEVELS
from drainwatch.lab import scenario
from drainwatch.model import Model, default_model_path, load_model


def stolen(losses: list[float], alerts: list[int]) -> tuple[Any, list[Any]]:
    """Return a scenario with an honest fill and then drained ones, and incidents that alert at some."""
    n = len(losses)
    fills = pd.DataFrame({"timestamp": range(n + 1)})
    labels = pd.DataFrame(
        {
            "symbol": "A/B",
            "id": [str(i) for i in range(n + 1)],
            "side": "buy",
            "is_drain": [False] + [True] * n,
            "loss": [5.0, *losses],
        }
    )
    incidents = [
        SimpleNamespace(alert_fill=SimpleNamespace(symbol="A/B", id=str(i), side="buy")) for i in alerts
    ]
    return SimpleNamespace(fills=fills, labels=labels), incidents


@pytest.mark.parametrize(
    ("losses", "alerts", "gone"),
    [
        ([1.0, 1.0, 2.0], [1], 0.25),
        ([1.0, 1.0, 2.0], [3], 1.0),
        ([1.0, 1.0, 2.0], [3, 2], 0.5),
        ([1.0, -7.0, 3.0], [2], 0.25),
        ([1.0, 1.0], [0], None),
        ([1.0, 1.0], [], None),
    ],
)
def test_gone_at_alert_is_the_loss_up_to_the_first_drained_fill_that_alerted(
    losses: list[float], alerts: list[int], gone: float | None
) -> None:
    assert trial.gone_at_alert(*stolen(losses, alerts)) == gone


def test_every_level_has_its_tables() -> None:
    assert tuple(trial.TABLES) == LEVELS
    assert set(trial.LEVELS) <= set(LEVELS)


def test_seeds_are_apart() -> None:
    """What reports was never trained or tuned on."""
    assert train.TRAINING_SEEDS < train.TUNING_SEEDS < trial.REPORTING_SEEDS
    assert train.TUNING_SEEDS - train.TRAINING_SEEDS >= 1_000_000
    assert trial.REPORTING_SEEDS - train.TUNING_SEEDS >= 1_000_000


def test_card_reports_seeds_that_it_did_not_train_on() -> None:
    card = load_model(default_model_path()).card
    trained = card["trained_on"]
    assert trained["first_seed"] + trained["months"] <= train.TUNING_SEEDS
    assert card["metrics"]["first_seed"] >= trial.REPORTING_SEEDS


def test_a_drained_account_is_found_and_counted() -> None:
    model: Model = load_model(default_model_path())
    made = scenario.make(train.TUNING_SEEDS + 7, days=6.0, owner="grid", thief="ping_pong", difficulty=0.1)
    gone = trial.gone_at_alert(made, trial.incidents_in(made, "orders", model))
    assert gone is not None
    assert 0.0 <= gone < 0.2
