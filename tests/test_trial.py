"""The trial counts what it says it counts."""

from __future__ import annotations

import pandas as pd
import pytest

from drainwatch import recording, trial
from drainwatch.detector import LEVELS
from drainwatch.lab import scenario, seeds
from drainwatch.model import default_model_path, load_model


def stolen(losses: list[float]) -> pd.DataFrame:
    """Return labels of an honest fill and then drained ones."""
    n = len(losses)
    return pd.DataFrame({"is_drain": [False] + [True] * n, "loss": [5.0, *losses]})


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
    assert trial.gone_at_alert(stolen(losses), alerts) == gone


def test_every_level_has_its_rows() -> None:
    assert tuple(trial.ROWS_AT) == LEVELS
    assert set(trial.ROWS_AT.values()) <= set(recording.ROWS)
    assert set(trial.LEVELS) <= set(LEVELS)


def test_card_reports_seeds_that_it_did_not_train_on() -> None:
    card = load_model(default_model_path()).card
    trained = card["trained_on"]
    assert trained["first_seed"] + trained["months"] <= seeds.TRAINING.beyond
    assert seeds.CARD.first <= card["metrics"]["first_seed"] < seeds.CARD.beyond


def test_a_drained_account_is_found_and_counted() -> None:
    model = load_model(default_model_path())
    made = scenario.make(seeds.TUNING.of(7), days=6.0, owner="grid", thief="ping_pong", difficulty=0.1)
    read = recording.record(made)
    _, incidents = read.play("orders", model.arrays, model.card["features"])
    gone = trial.gone_at_alert(made.labels, trial.alerted(read, incidents))
    assert gone is not None
    assert 0.0 <= gone < 0.2
