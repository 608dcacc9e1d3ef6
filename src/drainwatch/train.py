"""Training: what is usual is learned from benign account-months, and every judgement is calibrated on it.

The rows come out of the engine itself, in replay, so that training and watching can't differ. No
attack is ever shown to the forests, the evidence or the rules. Some kinds of simulated thieves are shown
to `precedent` alone; others are held out, and what the model finds is reported on seeds that nothing was
trained, calibrated or tuned on.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch import __version__
from drainwatch.detector import (
    EVIDENCE,
    LEVELS,
    PEERS,
    STRANGER,
    SUM,
    VOTES,
    Judge,
    forest_columns,
    forest_scores,
    judge_from,
    stranger,
    transform,
    weigh,
)
from drainwatch.engine import Block, Engine
from drainwatch.errors import InputError
from drainwatch.events import FORCED, Names
from drainwatch.features.registry import COUNT, FAMILIES, NAMES
from drainwatch.forest import PackedForests, concatenate, train_forest
from drainwatch.kernel_cache import jit
from drainwatch.lab import scenario, seeds
from drainwatch.lab.truth import spared
from drainwatch.model import Model, save_model
from drainwatch.precedent import PackedTrees, no_precedent, precedents, train_precedent
from drainwatch.recording import record
from drainwatch.rules import RULES
from drainwatch.tables import TablePaths, Tables
from drainwatch.trial import ROWS_AT, in_order, try_out

TREES: Final = 32
SAMPLES: Final = 256
ROWS_PER_MONTH: Final = 400
"""Rows that one account-month gives to the forests at most: a market maker must not outvote the rest."""
PRECEDENT_ROWS: Final = 200
"""Rows that one honest account-month at one level shows to `precedent` at most, and"""
THEFT_ROWS: Final = 60
"""... that one theft does, evenly from its first fill to its last."""
MONTHS_A_THEFT: Final = 16
"""Simulated honest months for each theft of a kind."""
WINDOW_NS: Final = 6 * 3600 * 1_000_000_000
"""Alarms within one window are one false alarm, as they are one incident."""
KNOTS: Final = 48
TAIL: Final = 12
"""So many of the largest windows tell how the tail goes on."""
FOLDS: Final = 4
"""Parts of the months that are summed by peers fitted to the other parts."""
MARGIN: Final = 1.4
"""False alarms on other months for each one that their calibration counts: on 190 account-months of
tuning seeds 0.142 at a budget of 0.1 with the order log, 0.132 with fills alone (decision 0023)."""
MONTH_DAYS: Final = 30.0
Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class Months:
    """Benign rows of one account and stretch of time, as the engine saw them at one level."""

    features: NDArray[np.float64]
    ts_ns: NDArray[np.int64]
    account: NDArray[np.int32]
    level: NDArray[np.int8]
    rules: NDArray[np.int64]
    evidence: NDArray[np.float64]
    share: NDArray[np.float64]
    forced: NDArray[np.bool_]
    """Fills that the venue forced on the account: no precedent counts there."""
    spared: NDArray[np.bool_]
    """Fills up to a day after the owner's own bad one: an alarm there is right, and no false one."""
    months: float
    given: int
    """Level of information that the tables given allowed."""


class Theft(NamedTuple):
    """Fills of one simulated theft, as the engine saw them at one level, shape (n, n_features)."""

    features: NDArray[np.float64]


def train(
    out: Path,
    *,
    months: int = 200,
    seed: int = 0,
    tables: Sequence[TablePaths] = (),
    name: str | None = None,
    command: str = "",
    workers: int = 1,
    progress: Progress | None = None,
) -> Model:
    """Train a model and write it to the folder `out`.

    Parameters
    ----------
    out
        Folder of the model.
    months
        Simulated benign account-months.
    seed
        First training seed, and the seed of the forests: the same gives the same bytes.
    tables
        Benign histories of the owner's own, trained on beside the simulated ones.
    name
        Of the model; the folder's name where absent.
    command
        How the model is made again, for the card.
    workers
        Processes that simulate and replay; the outcome doesn't depend on it.
    progress
        Called with what is being done, how much of it, and of how much.

    Raises
    ------
    InputError
        A table can't be used, or holds too little.

    """
    say = progress or (lambda _doing, _done, _of: None)
    blank = blank_model()
    samples: list[Months] = []
    groups: list[int] = []
    chosen = [seeds.TRAINING.of(seed + i) for i in range(months)]
    for done, of_seed in enumerate(in_order(partial(_months_of, blank=blank), chosen, workers)):
        say("simulating benign months", done, months)
        samples += of_seed
        groups += [done] * len(of_seed)
    for paths in tables:
        samples.append(_own_months(paths, blank))
        groups.append(months + len(groups))
    say("simulating benign months", months, months)
    each = months // MONTHS_A_THEFT
    jobs = [
        (seeds.TRAINING.of(seed + seeds.THEFTS_FROM + seeds.SEEDS_A_THIEF * kind + i), thief)
        for kind, thief in enumerate(scenario.TRAINING_THIEVES)
        for i in range(each)
    ]
    thefts: list[Theft] = []
    for done, of_theft in enumerate(in_order(partial(_thefts_of, blank=blank), jobs, workers)):
        say("simulating thefts", done, len(jobs))
        thefts += of_theft
    arrays = fit(samples, seed=seed, groups=groups, thefts=thefts)
    card: dict[str, Any] = {
        "name": name or out.name,
        "features": list(NAMES),
        "rules": [rule.id for rule in RULES],
        "levels": list(LEVELS),
        "trained_on": {
            "what": "simulated benign account-months (drainwatch.lab)"
            + (f" and {len(tables)} histories of an owner's own" if tables else ""),
            "first_seed": seeds.TRAINING.of(seed),
            "months": months,
            "rows": int(sum(len(sample.ts_ns) for sample in samples)),
            "thieves": list(scenario.TRAINING_THIEVES) if each else [],
            "thefts_of_each": each,
            "first_theft_seed": seeds.TRAINING.of(seed + seeds.THEFTS_FROM),
        },
        "forests": {"families": list(FAMILIES), "trees": TREES, "samples": SAMPLES, "seed": seed},
        "command": command,
        "versions": {"drainwatch": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    benign, drains = months // 5, months // 100
    if drains:
        card["metrics"] = try_out(Model(arrays, card), benign=benign, drains=drains, workers=workers, say=say)
    model = Model(arrays, card)
    save_model(model, out)
    return model


# --- rows ------------------------------------------------------------------------------------------


def blank_model() -> dict[str, NDArray[Any]]:
    """Arrays of a model that never alarms: to collect rows with."""
    rng = np.random.default_rng(0)
    parts = [
        train_forest(
            rng.random((8, len(columns))), n_estimators=1, max_samples=8, random_state=0, columns=columns
        )
        for columns in forest_columns()
    ]
    shape = (len(PEERS), len(LEVELS), 2)
    return _arrays(
        concatenate(parts),
        floor=np.zeros(COUNT),
        scale=np.ones(COUNT),
        knots=np.tile([0.0, 1e9], (*shape[:2], 1)),
        nats=np.full(shape, -9.0),
        rule_nats=np.zeros((len(LEVELS), len(RULES))),
        trees=no_precedent(),
    )


def _arrays(forests: PackedForests, trees: PackedTrees, **others: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Name a model's arrays as its file does."""
    packed = {f"forest_{name}": array for name, array in forests._asdict().items()}
    return packed | {f"precedent_{name}": array for name, array in trees._asdict().items()} | others


def _months_of(seed: int, blank: dict[str, NDArray[Any]]) -> list[Months]:
    return list(simulated_months(seed, blank))


def simulated_months(seed: int, blank: dict[str, NDArray[Any]]) -> Iterator[Months]:
    """One simulated benign account-month, seen at each level of information."""
    made = scenario.make(seed, without=scenario.HELD_OUT_REGIMES)
    recording = record(made)
    right = spared(made)
    for level, rows in ROWS_AT.items():
        if level == "orders" and made.orders.empty:
            continue
        block, _ = recording.play(rows, blank, list(NAMES), false_alarms_per_month=1e-6)
        yield collect([block], LEVELS.index(level), right[recording.played(block)], months=len(made.accounts))


def _thefts_of(job: tuple[int, str], blank: dict[str, NDArray[Any]]) -> list[Theft]:
    """One simulated theft, seen at each level of information."""
    seed, thief = job
    made = scenario.make(seed, thief=thief, without=scenario.HELD_OUT_REGIMES)
    recording = record(made)
    drain = made.labels["is_drain"].to_numpy(dtype=bool)
    thefts = []
    for level, rows in ROWS_AT.items():
        if level == "orders" and made.orders.empty:
            continue
        block, _ = recording.play(rows, blank, list(NAMES), false_alarms_per_month=1e-6)
        his = np.flatnonzero(drain[recording.played(block)])
        if len(his):
            some = np.linspace(0, len(his) - 1, min(len(his), THEFT_ROWS)).astype(int)
            thefts.append(Theft(block.features[his[some]]))
    return thefts


def _own_months(paths: TablePaths, blank: dict[str, NDArray[Any]]) -> Months:
    names = Names()
    engine = Engine(blank, NAMES, names, false_alarms_per_month=1e-6)
    with Tables.open(paths, names) as tables:
        level = (
            "quotes"
            if paths.quotes
            else "trades"
            if paths.trades
            else "candles"
            if paths.candles
            else "fills"
        )
        blocks = []
        for batch in tables.batches():
            engine.feed(batch)
            blocks += engine.take_outputs()[0]
        sample = collect(blocks, LEVELS.index(level))
    if len(sample.ts_ns) < 500:
        raise InputError(
            f"expected at least 500 fills to train on in {paths.fills}, found {len(sample.ts_ns)}:"
            " give a longer history or use the shipped model"
        )
    return sample


def collect(
    blocks: Sequence[Block],
    given: int,
    right: NDArray[np.bool_] | None = None,
    *,
    months: float | None = None,
) -> Months:
    """Keep what the engine saw of each fill of honest accounts.

    `right` marks fills at which an alarm is right (`lab.truth`); None: there are none. `months` is for how
    many account-months they were watched; None: from their first fill to their last.
    """
    judged = np.concatenate([block.judged for block in blocks])
    ts_ns = np.concatenate([block.fills["ts_ns"] for block in blocks])
    if months is None:
        accounts = len(np.unique(np.concatenate([block.fills["account"] for block in blocks])))
        days = (ts_ns[-1] - ts_ns[0]) / (24 * 3600e9)
        months = max(days, 1.0) / MONTH_DAYS * accounts
    return Months(
        features=np.concatenate([block.features for block in blocks]),
        ts_ns=ts_ns,
        account=np.concatenate([block.fills["account"] for block in blocks]),
        level=judged["level"],
        rules=judged["rules"],
        evidence=judged["evidence"],
        share=judged["share"],
        forced=np.concatenate([block.fills["flags"] & FORCED for block in blocks]).astype(bool),
        spared=np.zeros(len(ts_ns), bool) if right is None else right,
        months=months,
        given=given,
    )


# --- fitting ---------------------------------------------------------------------------------------


def fit(
    samples: Sequence[Months],
    *,
    seed: int,
    groups: Sequence[int] | None = None,
    thefts: Sequence[Theft] = (),
) -> dict[str, NDArray[Any]]:
    """Fit scales, forests and calibrations to benign months.

    The sum of the peers is calibrated on months that the peers weren't fitted to: each fold of the months
    is summed by peers of the others. On their own months the peers' sum promises about half of the false
    alarms that come (docs/decisions/0013).

    Parameters
    ----------
    samples
        Months as the engine saw them.
    seed
        Of the forests.
    groups
        Number of the month that each sample shows: samples of one month stay together. None: each its own.
    thefts
        What `precedent` is trained on beside honest months; without any there is none.

    """
    arrays = _fit_peers(samples, thefts, seed)
    of = list(range(len(samples))) if groups is None else list(groups)
    place = {group: i for i, group in enumerate(sorted(set(of)))}
    folds = min(FOLDS, len(place))
    sums: list[NDArray[np.float64]] = [np.empty(0)] * len(samples)
    for fold in range(folds):
        inside = [place[group] % folds == fold for group in of]
        others = [sample for sample, out in zip(samples, inside, strict=True) if not out]
        judge = judge_from(_fit_peers(others, thefts, seed) if others else arrays, NAMES, 1.0)
        for i in np.flatnonzero(inside).tolist():
            sums[i] = _totals(judge, samples[i], _family_scores(judge, samples[i]))
    for level in range(len(LEVELS)):
        here = [i for i, sample in enumerate(samples) if sample.given == level]
        months = sum(samples[i].months for i in here)
        maxima = _maxima((samples[i], sums[i]) for i in here)
        knots, nats = calibrate(maxima, months)
        arrays["knots"][SUM, level], arrays["nats"][SUM, level] = knots, nats - np.log(MARGIN)
    return arrays


def _fit_peers(samples: Sequence[Months], thefts: Sequence[Theft], seed: int) -> dict[str, NDArray[Any]]:
    """Fit all but the calibration of the sum."""
    rng = np.random.default_rng(seed)
    chosen = [_some(sample, rng) for sample in samples]
    rows = np.concatenate(chosen)
    floor, scale = usual(rows)
    ready = np.empty_like(rows)
    for i in range(len(rows)):
        transform(rows[i], floor, scale, ready[i])
    parts = []
    for family, columns in enumerate(forest_columns()):
        voting = _voters(rows, family)
        parts.append(
            train_forest(
                ready[voting][:, list(columns)],
                n_estimators=TREES,
                max_samples=SAMPLES,
                random_state=seed + family,
                one_sided=True,
                columns=columns,
            )
        )
    forests = concatenate(parts)
    trees = _fit_precedent(samples, thefts, rng, seed)
    peers, levels = len(PEERS), len(LEVELS)
    knots = np.tile(np.linspace(0.0, 1e9, KNOTS), (peers, levels, 1))
    nats = np.full((peers, levels, KNOTS), -9.0)
    rule_nats = np.zeros((levels, len(RULES)))
    judge = judge_from(
        _arrays(forests, trees, floor=floor, scale=scale, knots=knots, nats=nats, rule_nats=rule_nats),
        NAMES,
        1.0,
    )
    values = [_family_scores(judge, sample) for sample in samples]
    for level in range(levels):
        here = [i for i, sample in enumerate(samples) if sample.given == level]
        if not here:  # nobody knows what is usual there: its peers say nothing
            continue
        months = sum(samples[i].months for i in here)
        for family in range(len(FAMILIES)):
            maxima = _maxima((samples[i], values[i][:, family]) for i in here)
            knots[family, level], nats[family, level] = calibrate(maxima, months)
        maxima = _maxima((samples[i], samples[i].evidence) for i in here)
        knots[EVIDENCE, level], nats[EVIDENCE, level] = calibrate(maxima, months)
        maxima = _maxima((samples[i], _strangers(samples[i])) for i in here)
        knots[STRANGER, level], nats[STRANGER, level] = calibrate(maxima, months)
        for rule in range(len(RULES)):
            tripped = _maxima((samples[i], (samples[i].rules >> rule & 1).astype(float)) for i in here)
            rule_nats[level, rule] = max(-np.log((np.sum(tripped > 0) + 0.5) / months), 0.0)
    return _arrays(forests, trees, floor=floor, scale=scale, knots=knots, nats=nats, rule_nats=rule_nats)


def _fit_precedent(
    samples: Sequence[Months], thefts: Sequence[Theft], rng: np.random.Generator, seed: int
) -> PackedTrees:
    """Train `precedent`; every month at a level, and every theft, counts alike."""
    if not thefts:
        return no_precedent()
    honest = []
    for sample in samples:
        right = np.flatnonzero(~sample.spared)
        size = min(len(right), PRECEDENT_ROWS)
        honest.append(sample.features[np.sort(rng.choice(right, size, replace=False))])
    stolen = [theft.features for theft in thefts]
    return train_precedent(
        np.concatenate(honest), _alike(honest), np.concatenate(stolen), _alike(stolen), random_state=seed
    )


def _alike(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Weights with which each part counts alike, whatever its number of rows."""
    return np.concatenate([np.full(len(part), 1.0 / max(len(part), 1)) for part in parts])


def _some(sample: Months, rng: np.random.Generator) -> NDArray[np.float64]:
    """A month's share of the training rows."""
    size = min(len(sample.features), ROWS_PER_MONTH)
    return sample.features[np.sort(rng.choice(len(sample.features), size, replace=False))]


def usual(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median of each feature (0 at least: less is no danger), and the way from it to the 95th percentile."""
    floor = np.zeros(COUNT)
    scale = np.ones(COUNT)
    for column in range(COUNT):
        known = rows[:, column]
        known = known[np.isfinite(known)]
        if len(known) == 0:
            continue
        floor[column] = max(float(np.median(known)), 0.0)
        scale[column] = float(np.quantile(known, 0.95)) - floor[column]
        if scale[column] <= 1e-9:
            beyond = known[known > floor[column] + 1e-9]
            scale[column] = float(np.median(beyond)) - floor[column] if len(beyond) else 1.0
    return floor, scale


@jit
def _scores_of(judge: Judge, features: Any, into: Any) -> None:
    room = np.empty(features.shape[1])
    keys = np.empty(features.shape[1], np.int64)
    for i in range(features.shape[0]):
        forest_scores(judge, features[i], room, keys, into[i])


def _family_scores(judge: Judge, sample: Months) -> NDArray[np.float64]:
    into = np.empty((len(sample.features), len(FAMILIES)))
    _scores_of(judge, sample.features, into)
    return into


def _voters(rows: NDArray[np.float64], family: int) -> NDArray[np.bool_]:
    from drainwatch.detector import votes

    return np.array([votes(row, family) for row in rows])


@jit
def _weigh_all(
    judge: Judge,
    level: Any,
    scores: Any,
    evidence: Any,
    unlike: Any,
    rules: Any,
    share: Any,
    known: Any,
    into: Any,
) -> None:
    peers = np.empty(len(VOTES))
    for i in range(len(level)):
        into[i] = weigh(
            judge, level[i], scores[i], evidence[i], unlike[i], rules[i], share[i], known[i], peers
        )


def _totals(judge: Judge, sample: Months, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    into = np.empty(len(scores))
    unlike = _strangers(sample)
    known = np.empty(len(scores))
    precedents(judge.precedent, sample.features, known)
    known[sample.forced] = 0.0
    _weigh_all(judge, sample.level, scores, sample.evidence, unlike, sample.rules, sample.share, known, into)
    return into


@jit
def _strangers_of(features: Any, share: Any, into: Any) -> None:
    for i in range(len(share)):
        into[i] = stranger(features[i], share[i])


def _strangers(sample: Months) -> NDArray[np.float64]:
    into = np.empty(len(sample.share))
    _strangers_of(sample.features, sample.share, into)
    return into


def _maxima(parts: Iterable[tuple[Months, NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Largest value of each six-hour window of each month; windows without a value have none."""
    found = []
    for sample, values in parts:
        known = np.isfinite(values) & ~sample.spared
        if not known.any():
            continue
        by_account = np.argsort(sample.account[known], kind="stable")
        account = sample.account[known][by_account]
        window = sample.ts_ns[known][by_account] // WINDOW_NS
        starts = np.flatnonzero(np.r_[True, (window[1:] != window[:-1]) | (account[1:] != account[:-1])])
        found.append(np.maximum.reduceat(values[known][by_account], starts))
    return np.concatenate(found) if found else np.zeros(0)


def calibrate(maxima: NDArray[np.float64], months: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Knots from a value to -ln(windows a month that reach it).

    Up to the 12th largest window the rate is counted; beyond, an exponential tail goes on with the
    mean excess of those twelve (Pickands-Balkema-de Haan with shape 0). Fewer windows than that say
    nothing: the value never counts.
    """
    if len(maxima) < 2 * TAIL:
        return np.linspace(0.0, 1e9, KNOTS), np.full(KNOTS, -9.0)
    ranked = np.sort(maxima)[::-1]
    counts = np.unique(np.geomspace(TAIL, len(ranked), KNOTS - 1).astype(int))[::-1]
    values = ranked[counts - 1]
    rates = np.array([np.sum(ranked >= value) for value in values]) / months
    keep = np.r_[True, np.diff(values) > 1e-12]
    values, nats = values[keep], -np.log(rates[keep])
    excess = float(np.mean(ranked[:TAIL] - values[-1])) if len(values) else 1.0
    excess = max(excess, 1e-3 * max(abs(values[-1]), 1e-6))
    values = np.r_[values, values[-1] + excess]
    nats = np.r_[nats, nats[-1] + 1.0]
    pad = KNOTS - len(values)
    # before the first knot: nothing, at the rate of the first
    first = values[0] - 1e-6 * np.arange(pad, 0, -1)
    return np.r_[first, values], np.r_[np.full(pad, nats[0]), nats]
