"""From a feature row to one score: forests, evidence, rules and precedent, summed and calibrated.

Every peer is calibrated on benign account-months: how often does a value like this turn up? Its
vote is the negative logarithm of that rate (nats; nothing where it turns up daily). How much a fill
looks like simulated thefts (`precedent`) is a likelihood in nats as it stands. The votes are summed
and the sum is calibrated again in the same way, so that

    score = -log10(false incidents an account-month at this level)

0.1 a month is a score of 1; the score is comparable across accounts and symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch.errors import ModelError
from drainwatch.features.registry import COUNT, FAMILIES, NAMES, columns, index
from drainwatch.forest import PackedForests, check_forests, forest_score, row_keys
from drainwatch.kernel_cache import jit
from drainwatch.precedent import PackedTrees, check_precedent
from drainwatch.rules import RULES

LEVELS = ("fills", "candles", "trades", "quotes", "orders")
"""Levels of what a fill could be judged against, each calibrated by itself; `orders`: the owner's log too."""
PEERS = (*FAMILIES, "evidence", "stranger", "sum")
"""What is calibrated, each by itself; the sum last."""
VOTES = (*FAMILIES, "evidence", "stranger", "rules", "precedent")
"""What is summed."""
EVIDENCE = len(FAMILIES)
STRANGER = EVIDENCE + 1
SUM = STRANGER + 1
RULED = STRANGER + 1
PRECEDENT = RULED + 1
FOREST_WEIGHT = 0.2
"""Families share their sequence features: their votes overlap."""
STRANGER_WEIGHT = 2.5
"""Chosen together on tuning seeds: decision 0012."""
PRECEDENT_WEIGHT = 1.0
"""Chosen on tuning seeds: decision 0023."""
MIN_SCORE = -4.0
MAX_SCORE = 12.0

SIGMAS = index("deviation_sigmas")
TAPE_SHARE = index("tape_share")
PARTY_SHARE = index("party_share")
HOUR_RARITY = index("hour_rarity")
UNLIKE_DRIFT = index("unlike_drift")


class Judge(NamedTuple):
    """A model as the kernel takes it."""

    forests: PackedForests
    precedent: PackedTrees
    floor: NDArray[np.float64]
    """Below this a feature is usual: benign median, shape (n_features,)."""
    scale: NDArray[np.float64]
    """Unit of what is beyond, shape (n_features,)."""
    knots: NDArray[np.float64]
    """Values of each peer at each level, ascending, shape (peers, levels, n_knots)."""
    nats: NDArray[np.float64]
    """-ln(false alarms a month) at the knots, same shape."""
    rule_nats: NDArray[np.float64]
    """Weight of each rule at each level, shape (levels, rules)."""
    threshold: float
    """Score from which on a fill is flagged."""


def judge_from(
    arrays: Mapping[str, NDArray[Any]], features: Sequence[str], false_alarms_per_month: float
) -> Judge:
    """Make a model's arrays ready for the kernel; `features` are those that its card names.

    Raises
    ------
    ModelError
        The model was made for other features, rules or levels than this version has, its arrays mean
        nothing, or the budget is none.

    """
    if tuple(features) != NAMES:
        raise ModelError(
            f"expected a model of this version's {COUNT} features, found {len(features)} others"
            " (or another order) in its card: train it again with this version"
        )
    if not (0.0 < false_alarms_per_month < np.inf):
        raise ModelError(f"expected a budget of false alarms a month above 0, found {false_alarms_per_month}")
    try:
        forests = PackedForests(*(arrays[f"forest_{name}"] for name in PackedForests._fields))
        precedent = PackedTrees(*(arrays[f"precedent_{name}"] for name in PackedTrees._fields))
        judge = Judge(
            forests,
            precedent,
            arrays["floor"],
            arrays["scale"],
            arrays["knots"],
            arrays["nats"],
            arrays["rule_nats"],
            float(-np.log10(false_alarms_per_month)),
        )
    except KeyError as missing:
        raise ModelError(f"expected an array {missing} in the model, found none: train it again") from None
    check_forests(forests, COUNT)
    check_precedent(precedent, COUNT)
    shape = (len(PEERS), len(LEVELS))
    fits = (
        judge.floor.shape == judge.scale.shape == (COUNT,)
        and judge.knots.shape == judge.nats.shape
        and judge.knots.shape[:2] == shape
        and judge.knots.shape[2:] > (1,)
        and judge.rule_nats.shape == (len(LEVELS), len(RULES))
        and len(forests.norms) == len(FAMILIES)
    )
    if not fits:
        raise ModelError(
            "expected arrays of this version's shapes in the model, found others: train it again"
        )
    numbers = (judge.floor, judge.scale, judge.knots, judge.nats, judge.rule_nats)
    sound = all(array.dtype == np.float64 and bool(np.isfinite(array).all()) for array in numbers)
    if not (sound and (judge.scale > 0.0).all() and (np.diff(judge.knots) >= 0.0).all()):
        raise ModelError(
            "expected finite float64 arrays in the model, with scales above 0 and ascending knots,"
            " found others: train it again"
        )
    return judge


def forest_columns() -> list[tuple[int, ...]]:
    """Columns of the feature row that each family's forest reads."""
    return [columns(family) for family in FAMILIES]


@jit
def rough_log2(value: float) -> float:
    """Base-2 logarithm of a positive number, straight between powers of two: read off its bits.

    Monotone and within 0.09 of the true one; a fifth of its time (forty a fill).
    """
    return (np.float64(value).view(np.int64) - 0x3FF0_0000_0000_0000) * 2.0**-52


@jit
def transform(x: Any, floor: Any, scale: Any, into: Any) -> None:
    """Feature row to forest row: how far beyond the usual, logarithmic; a missing feature is at the usual.

    Missing is said otherwise: its family may not vote (`votes`), and the level has its own calibration.
    """
    for i in range(len(x)):
        beyond = (x[i] - floor[i]) / scale[i]
        into[i] = rough_log2(1.0 + min(beyond, 1e12)) if beyond > 0.0 else 0.0


@jit
def votes(x: Any, family: int) -> bool:
    """Whether a family has seen what it is there to judge."""
    if family == 0:
        return not np.isnan(x[SIGMAS])
    if family == 2:
        return not np.isnan(x[TAPE_SHARE]) or not np.isnan(x[PARTY_SHARE])
    if family == 3:
        return not np.isnan(x[HOUR_RARITY])
    return True


@jit
def read_off(knots: Any, nats: Any, value: float) -> float:
    """Piecewise linear, flat below the first knot, on along the last slope above the last."""
    n = len(knots)
    if value <= knots[0]:
        return float(nats[0])
    if value >= knots[n - 1]:
        run = knots[n - 1] - knots[n - 2]
        slope = (nats[n - 1] - nats[n - 2]) / run if run > 0.0 else 0.0
        return float(nats[n - 1] + slope * (value - knots[n - 1]))
    low = 0
    high = n - 1
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] <= value:
            low = middle
        else:
            high = middle
    run = knots[high] - knots[low]
    part = (value - knots[low]) / run if run > 0.0 else 1.0
    return float(nats[low] + part * (nats[high] - nats[low]))


@jit
def forest_scores(judge: Judge, x: Any, room: Any, keys: Any, scores: Any) -> None:
    """Raw score of each family's forest, NaN where it may not vote."""
    transform(x, judge.floor, judge.scale, room)
    row_keys(room, keys)
    for family in range(len(scores)):
        scores[family] = forest_score(judge.forests, family, keys) if votes(x, family) else np.nan


@jit
def stranger(x: Any, share: float) -> float:
    """How much speaks for a stranger, nats; less where a fill isn't worse than usual. NaN: not told."""
    return float(x[UNLIKE_DRIFT] * share)


@jit
def weigh(
    judge: Judge,
    level: int,
    scores: Any,
    evidence: float,
    unlike: float,
    rules: int,
    share: float,
    known: float,
    peers: Any,
) -> float:
    """Sum of the votes in nats, each kept in `peers` (`VOTES`).

    `share` of the forests' votes counts: 1 for a fill that is worse than usual, less for one that
    isn't, since it drains nothing. Evidence, `unlike` (`stranger`), rules and `known` (`precedent`) look
    at that themselves.
    """
    total = 0.0
    for family in range(len(scores)):
        peers[family] = 0.0
        if not np.isnan(scores[family]):
            nats = read_off(judge.knots[family, level], judge.nats[family, level], scores[family])
            peers[family] = max(nats, 0.0)
            total += share * FOREST_WEIGHT * peers[family]
    peers[EVIDENCE] = max(read_off(judge.knots[EVIDENCE, level], judge.nats[EVIDENCE, level], evidence), 0.0)
    total += peers[EVIDENCE]
    peers[STRANGER] = 0.0
    if not np.isnan(unlike):
        peers[STRANGER] = max(
            read_off(judge.knots[STRANGER, level], judge.nats[STRANGER, level], unlike), 0.0
        )
    total += STRANGER_WEIGHT * peers[STRANGER]
    peers[RULED] = 0.0
    for rule in range(judge.rule_nats.shape[1]):
        if rules >> rule & 1:
            peers[RULED] += judge.rule_nats[level, rule]
    peers[PRECEDENT] = max(known, 0.0)
    return total + peers[RULED] + PRECEDENT_WEIGHT * peers[PRECEDENT]


@jit
def final_score(judge: Judge, level: int, total: float) -> float:
    """-log10 of the false incidents an account-month at this sum of votes; always finite."""
    nats = read_off(judge.knots[SUM, level], judge.nats[SUM, level], total)
    return float(min(max(nats / np.log(10.0), MIN_SCORE), MAX_SCORE))
