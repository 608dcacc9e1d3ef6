"""What a model finds, on simulated accounts that nothing was trained, calibrated or tuned on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from drainwatch.incidents import Incident
from drainwatch.lab import scenario, seeds
from drainwatch.lab.truth import spared
from drainwatch.model import Model
from drainwatch.recording import Recording, record

ROWS_AT: Final = {
    "fills": "fills",
    "candles": "candles, balances",
    "trades": "trades, balances",
    "quotes": "balances",
    "orders": "orders",
}
"""Rows (`recording.ROWS`) that an account usually comes with at each level that the detector knows."""
LEVELS: Final = ("fills", "trades", "orders")

Progress = Callable[[str, int, int | None], None]
Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


def in_order(work: Callable[[Job], Outcome], jobs: Iterable[Job], workers: int) -> Iterator[Outcome]:
    """Do every job, in `workers` processes where there are several; outcomes come in the jobs' order."""
    if workers == 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, jobs)


class Trial(NamedTuple):
    """What came out of one scenario at one level of information."""

    months: int
    """Account-months: several for a farm."""
    false: int
    own: int
    """Alerts at an owner's own bad fill or within a day after it: right, and counted apart."""
    gone: float | None
    """Share of the theft gone at the alert; None for a theft that was missed, and without one."""


def try_out(model: Model, *, benign: int, drains: int, workers: int = 1, say: Progress) -> dict[str, Any]:
    """Count false incidents and found drains at the default budget.

    Parameters
    ----------
    model
        To be tried.
    benign
        Account-months without a thief, for each level of information.
    drains
        Account-months with each of the thieves (`scenario.THIEVES`), for each level.
    workers
        Processes that replay; the outcome doesn't depend on it.
    say
        Progress.

    Returns
    -------
    dict
        By level: false incidents an account-month (an alert at an owner's own bad fill is counted
        apart), and by thief the share found, and the mean share of the loss that was gone at the
        alert (1 for a drain that was missed).

    """
    jobs: list[tuple[int, str | None]] = [(seeds.CARD.of(i), None) for i in range(benign)]
    jobs += [(seeds.CARD.of(500_000 + i), thief) for thief in scenario.THIEVES for i in range(drains)]
    tried: dict[str | None, list[dict[str, Trial]]] = defaultdict(list)
    for done, outcome in enumerate(in_order(partial(_try, model=model), jobs, workers)):
        say("trying the model out", done, len(jobs))
        tried[jobs[done][1]].append(outcome)
    results: dict[str, Any] = {
        "first_seed": seeds.CARD.first,
        "benign_months": benign,
        "drains_of_each_kind": drains,
    }
    for level in LEVELS:
        honest = [outcome[level] for outcome in tried[None]]
        months = max(sum(trial.months for trial in honest), 1)
        results[level] = {
            "false_incidents_a_month": round(sum(trial.false for trial in honest) / months, 3),
            "own_bad_fills_a_month": round(sum(trial.own for trial in honest) / months, 3),
            "thieves": {
                thief: _of_thief([outcome[level].gone for outcome in tried[thief]])
                for thief in scenario.THIEVES
            },
        }
    return results


def _of_thief(gone: list[float | None]) -> dict[str, float]:
    return {
        "found": round(float(np.mean([share is not None for share in gone])), 3),
        "gone_at_alert": round(float(np.mean([1.0 if share is None else share for share in gone])), 3),
    }


def _try(job: tuple[int, str | None], model: Model) -> dict[str, Trial]:
    """Replay one scenario at each level of information."""
    seed, thief = job
    made = scenario.make(seed, thief=thief)
    recording, right = record(made), spared(made)
    tried = {}
    for level in LEVELS:
        _, incidents = recording.play(ROWS_AT[level], model.arrays, model.card["features"])
        alerts = alerted(recording, incidents)
        own = int(right[alerts].sum())
        gone = None if thief is None else gone_at_alert(made.labels, alerts)
        tried[level] = Trial(len(made.accounts), len(incidents) - own, own, gone)
    return tried


def alerted(recording: Recording, incidents: Iterable[Incident]) -> list[int]:
    """Rows of the scenario's fills that raised an alert."""
    fills = (incident.alert_fill for incident in incidents)
    return [recording.place(fill.symbol, fill.id, fill.side) for fill in fills]


def gone_at_alert(labels: pd.DataFrame, alerts: Collection[int]) -> float | None:
    """Share of the theft that was gone when a drain's fill raised the alert; None where none did.

    `labels` are the scenario's, in order of time, `alerts` rows of it.
    """
    drain = labels["is_drain"].to_numpy(dtype=bool)
    found = [row for row in alerts if drain[row]]
    if not found:
        return None
    loss = np.where(drain, np.maximum(labels["loss"].to_numpy(), 0.0), 0.0)
    return float(loss[: min(found) + 1].sum() / max(loss.sum(), 1e-300))
