"""Made-up outcomes for the tests of the benchmark's figures, text and page: plausible, of no account."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from drainwatch.bench.baselines import BASELINES
from drainwatch.bench.cases import STRESS, Case
from drainwatch.bench.oracles import ORACLES
from drainwatch.bench.outcome import LEVELS, TABLES, US, Facts, Outcome, Scored, Told, has_level
from drainwatch.bench.summary import summarise, threshold_for
from drainwatch.lab import scenario
from drainwatch.lab.thieves import difficulty_band

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
Row = tuple[float, str, str, float, float, bool, bool, str | None]
SKILL = {US: 4.0, "oracle_price": 2.4, "oracle_price_and_log": 4.4, "five_percent": 1.8}
"""Standard deviations by which a detector lifts a thief's fills above an owner's."""


def facts(
    lost: tuple[float, ...] = (),
    *,
    thief: str | None = None,
    difficulty: float | None = None,
    regime: str | None = None,
    owner: str = "grid",
    accounts: int = 1,
    equity: float = 1000.0,
    has_log: bool = True,
    discloses: str = "nothing",
    seconds: tuple[float, ...] | None = None,
) -> Facts:
    """What is true of an account whose thief's fills lost so much; a minute apart unless told."""
    gone = np.array(lost, dtype=np.float64)
    after = np.arange(len(gone)) * 60.0 if seconds is None else np.array(seconds)
    return Facts(
        case=Case(0, owner, thief, difficulty, regime),
        owner=owner,
        family=None if thief is None else scenario.FAMILY_OF[thief],
        band=None if difficulty is None else difficulty_band(difficulty),
        discloses=discloses,
        accounts=accounts,
        has_log=has_log,
        equity=equity if len(gone) else float("nan"),
        lost=gone,
        at_ms=START_MS + (1e3 * after).astype(np.int64),
        bad=gone > 1e-3 * gone.sum(),
    )


def scored(
    *alarms: tuple[float, float], accounts: tuple[int, ...] | None = None, drain: tuple[float, ...] = ()
) -> Scored:
    """Score alarms of (hour, score), ascending in time, and a thief's fills."""
    return Scored(
        np.array([START_MS + int(hour * HOUR_MS) for hour, _ in alarms], dtype=np.int64),
        np.array([score for _, score in alarms], dtype=np.float64),
        np.array(accounts or (0,) * len(alarms), dtype=np.int64),
        np.array(drain, dtype=np.float64),
        0.5 if drain else float("nan"),
    )


def told(alert: int | None = None, kind: str | None = None, *, false: int = 0, own: int = 0) -> Told:
    """Say what drainwatch said."""
    return Told(alert, kind, false, own, own // 2)


def result(*, months: int = 33, drains: int = 3, stress: int = 3, others: bool = True) -> dict[str, Any]:
    """Make up what `run_benchmark` returns, all levels and detectors in it; the same at each call."""
    rng = np.random.default_rng(7)
    given = (*BASELINES, *ORACLES) if others else ()
    names = (US, *(d.name for d in given))
    owners = list(scenario.OWNERS)
    cases = [Case(i, owners[i % len(owners)], None, None, None) for i in range(months)]
    tuned = [_outcome(rng, case, names) for case in cases]
    cases += [
        Case(i, owners[i % len(owners)], None, None, regime) for regime in STRESS for i in range(stress)
    ]
    cases += [
        Case(i, owners[(i + k) % len(owners)], thief, (i + 0.5) / drains, None)
        for k, thief in enumerate(scenario.THIEVES)
        for i in range(drains)
    ]
    fixed = {d.name: d.fixed_threshold for d in given if d.fixed_threshold is not None}
    return {
        "version": "0.2.0",
        "model": {
            "name": "default",
            "arrays_sha256": "ab" * 32,
            "trained_on": {"first_seed": 0, "months": 4000},
        },
        "seeds": {"first": 3_000_000, "beyond": 4_000_000, "apart": True},
        "budget": 0.1,
        "months": months,
        "drains_of_each_thief": drains,
        "stress_months_of_each_regime": stress,
        **summarise(
            [_outcome(rng, case, names) for case in cases],
            thresholds={
                level: {
                    name: threshold_for(
                        [(o.facts, o.scored[level][name]) for o in tuned if level in o.told], 0.1
                    )
                    for name in names
                    if name == US or level in TABLES
                }
                for level in LEVELS
            },
            fixed=fixed,
            about={US: "this program, at its default budget"} | {d.name: d.about for d in given},
            oracles=[d.name for d in given if d.needs_truth],
        ),
    }


def _outcome(rng: np.random.Generator, case: Case, names: tuple[str, ...]) -> Outcome:
    """Make up what came out of one account."""
    n = 0 if case.thief is None else int(rng.integers(3, 60))
    hard = case.difficulty or 0.0
    about = facts(
        tuple(rng.exponential(400.0 / max(n, 1), n)),
        thief=case.thief,
        difficulty=case.difficulty,
        regime=case.regime,
        owner=case.owner or "grid",
        has_log=bool(rng.random() < 0.9),
        discloses="nothing" if rng.random() < 0.5 else "orders",
        seconds=tuple(np.cumsum(rng.exponential(90.0, n))),
    )
    by_level: dict[str, dict[str, Scored]] = {}
    said: dict[str, Told] = {}
    for step, level in enumerate(LEVELS):
        if not has_level(about, level):
            continue
        by_level[level] = {}
        for name in names if level in TABLES else (US,):
            lift = (1.0 - 0.5 * hard) * (SKILL.get(name, 1.2) + (0.25 * step if name == US else 0.0))
            top = -np.log10(np.cumsum(rng.exponential(1.0, 12 if n == 0 else 0)))  # as if calibrated
            hours = np.sort(rng.uniform(0.0, 720.0, len(top)))
            by_level[level][name] = Scored(
                (START_MS + hours * HOUR_MS).astype(np.int64),
                rng.permutation(top),
                np.zeros(len(top), dtype=np.int64),
                rng.normal(lift - 2.2, 0.8, n),
                float(rng.beta(1.0 + lift, 2.0)) if n else float("nan"),
            )
        ours = by_level[level][US]
        alert = next((i for i, score in enumerate(ours.drain) if score > 1.0), None)
        kind = scenario.KIND_OF.get(case.thief or "")
        if rng.random() < 0.3:
            kind = str(rng.choice(sorted(set(scenario.KIND_OF.values()))))
        false = int(
            rng.poisson(0.08 if not n else 0.0) + (rng.random() < 0.3 if case.owner == "human" else 0)
        )
        named = kind if alert is not None else None
        said[level] = Told(alert, named, false, int(rng.random() < 0.1), 0)
    return Outcome(about, by_level, said)


@cache
def _small() -> dict[str, Any]:
    return result(months=13, drains=1, stress=1)


def small() -> dict[str, Any]:
    """Make up a result of few accounts, one's own to change."""
    return deepcopy(_small())


def scenario_like(*rows: Row) -> Any:
    """Fills of `Row`s at a fair price of 100; equity 1,000."""
    table = pd.DataFrame(
        rows, columns=["hour", "account", "side", "price", "loss", "own_bad", "is_drain", "order"]
    )
    table["order"] = table["order"].where(
        table["order"].notna(), pd.Series([f"o{i}" for i in range(len(rows))])
    )
    fills = table[["account", "side", "price", "order"]].assign(
        timestamp=(START_MS + table["hour"] * HOUR_MS).astype(np.int64),
        id=[str(i) for i in range(len(rows))],
        symbol="A/B",
    )
    labels = table[["side", "loss", "own_bad", "is_drain"]].assign(true_fair=100.0)
    empty = pd.DataFrame()
    return SimpleNamespace(
        fills=fills, labels=labels, equity0=1000.0, accounts=("a",),
        robbed=(), equity_before=900.0, owner="grid", episodes=(),
        discloses="orders", orders=empty, markets=empty, trades=fills, quotes=empty, candles=empty,
        balances=empty,
    )  # fmt: skip


def fill(
    hour: float, price: float = 100.0, loss: float = 0.0, *, side: str = "buy", account: str = "a",
    bad: bool = False, drain: bool = False, order: str | None = None,
) -> Row:  # fmt: skip
    """One row of `scenario_like`; each is an order of its own unless named."""
    return (hour, account, side, price, loss, bad, drain, order)
