"""What detectors make of one account: little enough to keep for all accounts, enough for every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drainwatch.bench.cases import DAYS, Case
from drainwatch.bench.detectors import Detector, Floats, Seen
from drainwatch.detector import (
    EVIDENCE,
    FOREST_WEIGHT,
    PRECEDENT,
    PRECEDENT_WEIGHT,
    RULED,
    STRANGER,
    STRANGER_WEIGHT,
)
from drainwatch.engine import Block
from drainwatch.features.registry import FAMILIES
from drainwatch.incidents import Incident
from drainwatch.lab import scenario
from drainwatch.lab.thieves import difficulty_band
from drainwatch.lab.truth import spared
from drainwatch.model import Model
from drainwatch.recording import Recording, record

Ints = NDArray[np.int64]

US: Final = "drainwatch"
LEVELS: Final[dict[str, str]] = {
    "fills": "fills alone",
    "candles": "+ candles",
    "trades": "+ trades",
    "quotes": "+ quotes",
    "balances": "+ balances",
    "orders": "+ own orders",
    "nameless": "own orders, no counterparties",
}
"""Levels of information (`recording.ROWS`), each with all that stands before it; `nameless` is the last
one without a word of who was on the other side, on venues that tell it."""
TABLES: Final[dict[str, tuple[str, ...]]] = {
    "fills": (),
    "candles": ("candles",),
    "trades": ("trades",),
    "quotes": ("trades", "quotes"),
    "balances": ("trades", "quotes", "balances"),
    "orders": ("trades", "quotes", "balances", "orders"),
}
QUIET_MS: Final = 6 * 3_600_000
"""Alarms closer together than this are one incident."""
KEPT: Final = 600
"""Highest scores of an honest month that are kept."""
PARTS: Final = (*FAMILIES, "evidence", "stranger", "rules", "precedent")
"""What drainwatch's score is made of, each left out in turn."""


WHOLE: Final = "all of it"
"""The sum of votes with nothing left out, with a threshold chosen like the others'."""


class Facts(NamedTuple):
    """What is true of an account."""

    case: Case
    owner: str
    family: str | None
    band: str | None
    """Of the theft's difficulty: easy, medium, hard."""
    discloses: str
    accounts: int
    has_log: bool
    equity: float
    """USDT just before the theft, of the robbed accounts; NaN without one."""
    lost: Floats
    """USDT that each of the thief's fills lost, 0 at least, in order of time."""
    at_ms: Ints
    """When."""
    bad: NDArray[np.bool_]
    """Which of them lost something to speak of: a thousandth of the theft."""

    @property
    def months(self) -> float:
        """Account-months."""
        return self.accounts * DAYS / 30.0


class Scored(NamedTuple):
    """What one detector's scores are worth on one account at one level."""

    alarms_ms: Ints
    """Times of the highest scores of an honest month, ascending; own bad fills and a day after left out."""
    alarms: Floats
    """Those scores."""
    accounts: Ints
    """Which account each is of."""
    drain: Floats
    """Scores of the thief's fills, in order of time."""
    precision: float
    """Average precision of the thief's fills among all; NaN without a thief."""


class Told(NamedTuple):
    """What drainwatch itself said, at its default budget."""

    alert: int | None
    """Which of the thief's fills raised an alert first."""
    kind_now: str | None
    """What it said this was, in the end."""
    false: int
    """Incidents on an owner's fills."""
    own_bad: int
    """Incidents on an owner's own bad fill, or within a day after: right, and counted apart."""
    own_bad_told: int
    """Those of them that were called so."""


class Outcome(NamedTuple):
    """What came out of one account: by level, then by detector."""

    facts: Facts
    scored: dict[str, dict[str, Scored]]
    told: dict[str, Told]


def has_level(facts: Facts, level: str) -> bool:
    """Whether an account has what a level is about."""
    if level == "orders":
        return facts.has_log
    if level == "nameless":
        return facts.has_log and facts.discloses != "nothing"
    return True


def facts_of(case: Case, made: scenario.Scenario) -> Facts:
    """Read off what is true of a scenario."""
    labels = made.labels
    drain = labels["is_drain"].to_numpy(dtype=bool)
    lost = np.maximum(labels["loss"].to_numpy(dtype=np.float64)[drain], 0.0)
    return Facts(
        case=case,
        owner=made.owner,
        family=None if case.thief is None else scenario.FAMILY_OF[case.thief],
        band=None if case.difficulty is None else difficulty_band(case.difficulty),
        discloses=made.discloses,
        accounts=len(made.accounts),
        has_log=len(made.orders) > 0,
        equity=made.equity_before,
        lost=lost,
        at_ms=made.fills["timestamp"].to_numpy(dtype=np.int64)[drain],
        bad=lost > 1e-3 * lost.sum(),
    )


def seen_of(made: scenario.Scenario, level: str, *, truth: bool) -> Seen:
    """Show a detector what it may see of a scenario at a level."""
    tables = {name: getattr(made, name) for name in (*TABLES[level], "markets")}
    tables = {name: table for name, table in tables.items() if len(table)}
    return Seen(made.fills, tables, level, made.labels if truth else None)


def scored_of(made: scenario.Scenario, scores: Floats, out: NDArray[np.bool_]) -> Scored:
    """Keep of a detector's scores what figures need; `out` marks fills at which an alarm is right."""
    drain = made.labels["is_drain"].to_numpy(dtype=bool)
    at = made.fills["timestamp"].to_numpy(dtype=np.int64)
    account = pd.factorize(made.fills["account"])[0].astype(np.int64)
    honest = np.flatnonzero(np.isfinite(scores) & ~drain & ~out)
    if drain.any():  # a robbed account's honest months are of no interest: all that is kept is the theft
        honest = honest[:0]
    top = np.sort(honest[np.argsort(-scores[honest], kind="stable")[:KEPT]])
    return Scored(at[top], scores[top], account[top], scores[drain], _precision(scores, drain))


def _precision(scores: Floats, drain: NDArray[np.bool_]) -> float:
    """Average precision: the mean, over the thief's fills, of the share of his among those scored as high."""
    if not drain.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    # ties stand together: each of them sees the share at the end of the tie
    ranked, hit = scores[order], drain[order]
    last = np.searchsorted(-ranked, -ranked, side="right") - 1
    share = np.cumsum(hit)[last] / (last + 1.0)
    return float(share[hit].mean())


def judge_case(
    case: Case,
    *,
    model: Model,
    detectors: Mapping[str, Sequence[Detector]],
    levels: Sequence[str],
    parts: bool = False,
) -> Outcome:
    """Simulate an account and have everybody judge it.

    Parameters
    ----------
    case
        The account.
    model
        drainwatch's.
    detectors
        By level, the others, fitted.
    levels
        Of information, of `LEVELS`.
    parts
        Whether drainwatch's score is also kept with each of `PARTS` left out.
    """
    made = case.make()
    facts = facts_of(case, made)
    recording = record(made)
    right = spared(made)
    scored: dict[str, dict[str, Scored]] = {}
    told: dict[str, Told] = {}
    alone: dict[str, Scored] = {}
    for level in levels:
        if not has_level(facts, level):
            continue
        block, incidents = recording.play(level, model.arrays, model.card["features"])
        told[level] = _told(made, recording, incidents, right)
        scored[level] = {
            name: scored_of(made, scores, right)
            for name, scores in _our_scores(recording, block, parts=parts).items()
        }
        for detector in detectors.get(level, ()):
            if detector.fills_alone and detector.name in alone:
                scored[level][detector.name] = alone[detector.name]
                continue
            scores = detector.scores(seen_of(made, level, truth=detector.needs_truth))
            scored[level][detector.name] = alone[detector.name] = scored_of(made, scores, right)
    return Outcome(facts, scored, told)


def is_part(name: str) -> bool:
    """Whether scores are drainwatch's own with something left out, or the whole beside them."""
    return name == WHOLE or name.startswith("without ") or name.endswith(" alone")


def _our_scores(recording: Recording, block: Block, *, parts: bool) -> dict[str, Floats]:
    """Return drainwatch's score of each fill, and its sums with a part left out, in the scenario's order."""
    judged, places = block.judged, recording.played(block)

    def placed(values: Floats) -> Floats:
        out = np.empty(len(values))
        out[places] = values
        return out

    scores = {US: placed(judged["score"])}
    if parts:
        forest = FOREST_WEIGHT * judged["share"]
        votes = dict.fromkeys(FAMILIES, forest) | {"stranger": STRANGER_WEIGHT, "precedent": PRECEDENT_WEIGHT}
        columns = (*range(len(FAMILIES)), EVIDENCE, STRANGER, RULED, PRECEDENT)
        counted = {
            name: votes.get(name, 1.0) * judged["peers"][:, column]
            for name, column in zip(PARTS, columns, strict=True)
        }
        counted["any forest"] = sum((counted[name] for name in FAMILIES), np.zeros(len(judged)))
        for name, vote in counted.items():
            scores[f"without {name}"] = placed(judged["total"] - vote)
        for name in ("any forest", "evidence", "stranger", "rules", "precedent"):
            scores[f"{name} alone"] = placed(counted[name])
        scores[WHOLE] = placed(judged["total"])
    return scores


def _told(
    made: scenario.Scenario, recording: Recording, incidents: Sequence[Incident], right: NDArray[np.bool_]
) -> Told:
    drain = made.labels["is_drain"].to_numpy(dtype=bool)
    number = np.cumsum(drain) - 1
    found: list[tuple[int, Incident]] = []
    false = own_bad = own_bad_told = 0
    for incident in incidents:
        fill = incident.alert_fill
        row = recording.place(fill.symbol, fill.id, fill.side)
        if drain[row]:
            found.append((int(number[row]), incident))
        elif right[row]:
            own_bad += 1
            own_bad_told += incident.kind == "own_bad_fill"
        else:
            false += 1
    if not found:
        return Told(None, None, false, own_bad, own_bad_told)
    alert, first = min(found, key=lambda pair: pair[0])
    return Told(alert, first.kind_now, false, own_bad, own_bad_told)


def incidents_above(scored: Scored, threshold: float) -> int:
    """How many false incidents an honest month has at a threshold: alarms six hours apart or more."""
    count = 0
    for account in np.unique(scored.accounts):
        mine = (scored.accounts == account) & (scored.alarms >= threshold)
        at = scored.alarms_ms[mine]
        if len(at):
            count += 1 + int(np.sum(np.diff(at) > QUIET_MS))
    return count


def alert_at(scored: Scored, threshold: float) -> int | None:
    """Which of the thief's fills is first scored as high as a threshold; None: none."""
    hit = np.flatnonzero(scored.drain >= threshold)
    return int(hit[0]) if len(hit) else None


def lost_until(facts: Facts, alert: int | None) -> float:
    """USDT gone with the alert's fill included; all of it where there was none."""
    return float(facts.lost.sum() if alert is None else facts.lost[: alert + 1].sum())
