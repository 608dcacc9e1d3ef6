"""What a model finds, on simulated accounts that nothing was trained, calibrated or tuned on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from drainwatch.engine import Engine
from drainwatch.events import Names
from drainwatch.incidents import Incident
from drainwatch.lab import scenario
from drainwatch.model import Model
from drainwatch.tables import tables_from_frames

REPORTING_SEEDS: Final = 2_000_000
"""Seeds from here on are for reporting alone."""
TABLES: Final[dict[str, tuple[str, ...]]] = {
    "fills": (),
    "candles": ("candles", "balances"),
    "trades": ("trades", "balances"),
    "quotes": ("trades", "quotes", "balances"),
    "orders": ("trades", "quotes", "balances", "orders"),
}
"""Tables that each level of information has beside fills (`detector.LEVELS`)."""
LEVELS: Final = ("fills", "trades", "orders")

Progress = Callable[[str, int, int | None], None]
Job = TypeVar("Job")
Outcome = TypeVar("Outcome")
Key = tuple[str, str, str]


def given_tables(made: scenario.Scenario, level: str) -> dict[str, Any]:
    """Tables of a scenario at a level of information; those that are empty are left out."""
    tables = {name: getattr(made, name) for name in TABLES[level]}
    return {name: table for name, table in tables.items() if len(table)} | {"markets": made.markets}


def incidents_in(made: scenario.Scenario, level: str, model: Model) -> list[Incident]:
    """Replay a scenario at a level of information."""
    names = Names()
    with tables_from_frames(made.fills, **given_tables(made, level), names=names) as tables:
        engine = Engine(model.arrays, model.card["features"], names)
        for batch in tables.batches():
            engine.feed(batch)
            engine.take_outputs()
    return engine.incidents


def in_order(work: Callable[[Job], Outcome], jobs: Iterable[Job], workers: int) -> Iterator[Outcome]:
    """Do every job, in `workers` processes where there are several; outcomes come in the jobs' order."""
    if workers == 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, jobs)


class Trial(NamedTuple):
    """What came out of one scenario at one level of information."""

    false: int
    own: int
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
        By level: false incidents an account-month (an owner's own bad fill told as such is counted
        apart), and by thief the share found, and the mean share of the loss that was gone at the
        alert (1 for a drain that was missed).

    """
    jobs: list[tuple[int, str | None]] = [(REPORTING_SEEDS + i, None) for i in range(benign)]
    jobs += [(REPORTING_SEEDS + 500_000 + i, thief) for thief in scenario.THIEVES for i in range(drains)]
    tried: dict[str | None, list[dict[str, Trial]]] = defaultdict(list)
    for done, outcome in enumerate(in_order(partial(_try, model=model), jobs, workers)):
        say("trying the model out", done, len(jobs))
        tried[jobs[done][1]].append(outcome)
    results: dict[str, Any] = {
        "first_seed": REPORTING_SEEDS,
        "benign_months": benign,
        "drains_of_each_kind": drains,
    }
    for level in LEVELS:
        honest = [outcome[level] for outcome in tried[None]]
        results[level] = {
            "false_incidents_a_month": round(sum(trial.false for trial in honest) / benign, 3),
            "own_bad_fills_a_month": round(sum(trial.own for trial in honest) / benign, 3),
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
    tried = {}
    for level in LEVELS:
        incidents = incidents_in(made, level, model)
        own = sum(incident.kind == "own_bad_fill" for incident in incidents)
        gone = None if thief is None else gone_at_alert(made, incidents)
        tried[level] = Trial(len(incidents) - own, own, gone)
    return tried


def gone_at_alert(made: scenario.Scenario, incidents: list[Incident]) -> float | None:
    """Share of the theft that was gone when a drain's fill raised the alert; None where none did."""
    order = np.argsort(made.fills["timestamp"].to_numpy(), kind="stable")
    labels = made.labels.iloc[order]
    stolen = labels[labels["is_drain"].to_numpy()]
    keys: list[Key] = list(zip(stolen["symbol"], stolen["id"].astype(str), stolen["side"], strict=True))
    alerts = {(a.symbol, a.id, a.side) for a in (incident.alert_fill for incident in incidents)}
    found = [place for place, key in enumerate(keys) if key in alerts]
    if not found:
        return None
    loss = np.maximum(stolen["loss"].to_numpy(), 0.0)
    return float(loss[: found[0] + 1].sum() / max(loss.sum(), 1e-300))
