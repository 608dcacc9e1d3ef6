"""What a model finds, on simulated accounts that nothing was trained, calibrated or tuned on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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


def try_out(model: Model, *, benign: int, drains: int, say: Progress) -> dict[str, Any]:
    """Count false incidents and found drains at the default budget.

    Parameters
    ----------
    model
        To be tried.
    benign
        Account-months without a thief, for each level of information.
    drains
        Account-months with each of the thieves (`scenario.THIEVES`), for each level.
    say
        Progress.

    Returns
    -------
    dict
        By level: false incidents an account-month (an owner's own bad fill told as such is counted
        apart), and by thief the share found, and the mean share of the loss that was gone at the
        alert (1 for a drain that was missed).

    """
    total = len(LEVELS) * (benign + drains * len(scenario.THIEVES))
    done = 0
    results: dict[str, Any] = {
        "first_seed": REPORTING_SEEDS,
        "benign_months": benign,
        "drains_of_each_kind": drains,
    }
    for level in LEVELS:
        false = own = 0
        for i in range(benign):
            say("trying the model out", done, total)
            done += 1
            for incident in incidents_in(scenario.make(REPORTING_SEEDS + i), level, model):
                own += incident.kind == "own_bad_fill"
                false += incident.kind != "own_bad_fill"
        thieves = {}
        for thief in scenario.THIEVES:
            gone = []
            for i in range(drains):
                say("trying the model out", done, total)
                done += 1
                made = scenario.make(REPORTING_SEEDS + 500_000 + i, thief=thief)
                gone.append(gone_at_alert(made, incidents_in(made, level, model)))
            thieves[thief] = {
                "found": round(float(np.mean([share is not None for share in gone])), 3),
                "gone_at_alert": round(
                    float(np.mean([1.0 if share is None else share for share in gone])), 3
                ),
            }
        results[level] = {
            "false_incidents_a_month": round(false / benign, 3),
            "own_bad_fills_a_month": round(own / benign, 3),
            "thieves": thieves,
        }
    return results


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
