"""The benchmark from end to end: fit the others, find their thresholds, judge all accounts, sum up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from drainwatch import __version__
from drainwatch.bench.baselines import BASELINES
from drainwatch.bench.cases import Case, honest, robbed, stressed
from drainwatch.bench.detectors import Detector
from drainwatch.bench.oracles import ORACLES
from drainwatch.bench.outcome import (
    LEVELS,
    TABLES,
    US,
    Facts,
    Outcome,
    Scored,
    judge_case,
    seen_of,
)
from drainwatch.bench.summary import summarise, threshold_for
from drainwatch.errors import ModelError
from drainwatch.lab import scenario
from drainwatch.lab.scenario import Scenario
from drainwatch.lab.seeds import BENCHMARK, CARD, SEEDS_A_THIEF, TRAINING, TUNING, Seeds
from drainwatch.model import Model
from drainwatch.trial import in_order

BUDGET: Final = 0.1
"""False incidents an account-month that every detector's threshold is chosen for."""
FITTING_MONTHS: Final = 13
THRESHOLD_MONTHS: Final = 26
_FIRST_FOR_THRESHOLDS: Final = 800_000
"""Tuning seeds that nobody tunes by hand on."""

Progress = Callable[[str, int, int | None], None]


def check_seeds_unused(model: Model) -> None:
    """Make sure that a model was trained, tuned and reported on other seeds than the benchmark's.

    Raises
    ------
    ModelError
        Its card says otherwise, or nothing at all.
    """
    trained = model.card.get("trained_on", {})
    first, months = trained.get("first_seed"), trained.get("months")
    if not isinstance(first, int) or not isinstance(months, int):
        raise ModelError(
            "expected the seeds that the model was trained on in its card (trained_on: first_seed, months),"
            " found none: nothing then shows that the benchmark's accounts are new to it"
        )
    ranges = [(first, first + months - 1)]
    thefts = trained.get("first_theft_seed")
    if isinstance(thefts, int):
        ranges.append((thefts, thefts + SEEDS_A_THIEF * len(scenario.TRAINING_THIEVES) - 1))
    reported = model.card.get("metrics", {}).get("first_seed")
    if reported is not None:
        ranges.append((reported, reported + CARD.beyond - CARD.first - 1))
    for low, high in ranges:
        if low < BENCHMARK.beyond and high >= BENCHMARK.first:
            raise ModelError(
                f"expected a model that never saw seeds {BENCHMARK.first} to {BENCHMARK.beyond - 1},"
                f" found seeds {low} to {high} in its card: train it on others"
            )


def run_benchmark(
    model: Model,
    *,
    months: int,
    drains: int,
    stress: int,
    levels: Sequence[str] = tuple(LEVELS),
    others: bool = True,
    parts: bool = False,
    seeds: Seeds = BENCHMARK,
    workers: int = 1,
    fitting: int = FITTING_MONTHS,
    threshold_months: int = THRESHOLD_MONTHS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    model
        drainwatch's; at its default budget.
    months
        Honest account-months, each kind of owner in turn.
    drains
        Account-months with each kind of thief.
    stress
        Honest months with each regime of `cases.STRESS` forced.
    levels
        Of information, of `outcome.LEVELS`.
    others
        Whether other detectors and oracles run beside it.
    parts
        Whether drainwatch is also judged with a part left out.
    seeds
        Of the accounts; another range than the benchmark's own is for trying things out.
    workers
        Processes; the outcome doesn't depend on it.
    fitting, threshold_months
        Honest months that the others learn from, and that thresholds are chosen on; other seeds.
    progress
        Called with what is being done, how much of it, and of how much.

    Raises
    ------
    ModelError
        The model has seen the benchmark's seeds, or its card doesn't say what it has seen.
    """
    say = progress or (lambda _doing, _done, _of: None)
    if seeds == BENCHMARK:
        check_seeds_unused(model)
    given: tuple[Detector, ...] = (*BASELINES, *ORACLES) if others else ()
    fitted = _fit(given, levels, fitting, say) if given else {}
    judge = partial(judge_case, model=model, detectors=fitted, levels=tuple(levels), parts=parts)
    thresholds: dict[str, dict[str, float]] = {}
    if given or parts:
        cases = honest(TUNING, threshold_months, _FIRST_FOR_THRESHOLDS)
        tuned = list(_each(judge, cases, workers, "finding the others' thresholds", say))
        thresholds = _thresholds(tuned)
    cases = honest(seeds, months) + stressed(seeds, stress) + robbed(seeds, drains)
    outcomes = list(_each(judge, cases, workers, "judging accounts", say))
    fixed = {d.name: d.fixed_threshold for d in given if d.fixed_threshold is not None}
    about = {US: "this program, at its default budget"} | {d.name: d.about for d in given}
    return {
        "version": __version__,
        "model": {
            "name": model.card.get("name"),
            "arrays_sha256": model.card.get("arrays_sha256") or _hash(model),
            "trained_on": model.card.get("trained_on"),
        },
        "seeds": {"first": seeds.first, "beyond": seeds.beyond, "apart": seeds == BENCHMARK},
        "budget": BUDGET,
        "months": months,
        "drains_of_each_thief": drains,
        "stress_months_of_each_regime": stress,
        **summarise(
            outcomes,
            thresholds=thresholds,
            fixed=fixed,
            about=about,
            oracles=[d.name for d in given if d.needs_truth],
        ),
    }


def _hash(model: Model) -> str:
    digest = hashlib.sha256()
    for name in sorted(model.arrays):
        digest.update(model.arrays[name].tobytes())
    return digest.hexdigest()


def _fit(
    given: Sequence[Detector], levels: Sequence[str], months: int, say: Progress
) -> dict[str, list[Detector]]:
    """Fit each detector at each level to honest months of training seeds."""
    made: list[Scenario] = []
    for case in honest(TRAINING, months):
        say("making months for the others to learn from", len(made), months)
        made.append(case.make())
    fitted: dict[str, list[Detector]] = {}
    wanted = [level for level in levels if level in TABLES]
    for done, level in enumerate(wanted):
        say("fitting the others", done, len(wanted))
        fitted[level] = [
            d.fit([seen_of(one, level, truth=d.needs_truth) for one in made if len(one.fills)]) for d in given
        ]
    return fitted


def _each(
    judge: Callable[[Case], Outcome], cases: Sequence[Case], workers: int, doing: str, say: Progress
) -> Iterable[Outcome]:
    for done, outcome in enumerate(in_order(judge, cases, workers)):
        say(doing, done, len(cases))
        yield outcome


def _thresholds(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    pairs: dict[str, dict[str, list[tuple[Facts, Scored]]]] = {}
    for outcome in outcomes:
        for level, by_name in outcome.scored.items():
            for name, scored in by_name.items():
                pairs.setdefault(level, {}).setdefault(name, []).append((outcome.facts, scored))
    return {
        level: {name: threshold_for(of_name, BUDGET) for name, of_name in by_name.items()}
        for level, by_name in pairs.items()
    }
