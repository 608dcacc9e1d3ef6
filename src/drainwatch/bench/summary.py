"""From outcomes to figures: what was found, how fast, what it cost, and how often it cried wolf."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, Final

import numpy as np

from drainwatch.bench.outcome import (
    LEVELS,
    QUIET_MS,
    US,
    Facts,
    Outcome,
    Scored,
    alert_at,
    incidents_above,
    is_part,
    lost_until,
)
from drainwatch.lab import scenario

DRAIN_EVERY_MONTHS: Final = 100
"""One account-month in so many is robbed: that weighs a drain against false alarms."""
FALSE_ALARM_COST: Final = 0.001
"""What a false alarm costs, as a share of equity: a bot stopped, a key replaced, an hour of an evening."""
BUDGETS: Final = (0.03, 0.1, 0.3, 1.0)
"""False incidents an account-month at which calibration is checked."""
RATES: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""False incidents an account-month of the curves."""

Alert = int | None
Figures = dict[str, Any]


def threshold_for(honest: Sequence[tuple[Facts, Scored]], rate: float) -> float:
    """Lowest threshold down to which there are at most `rate` false incidents an account-month.

    Lower ones may have fewer again, as alarms that go on for days are one incident: they are not
    meant. Where even the fewest are too many, just above the highest score: no alarm at all.
    """
    months = sum(facts.months for facts, _ in honest)
    most = rate * months * (1.0 + 1e-9)  # a rate that was counted is met again
    scores = np.concatenate([scored.alarms for _, scored in honest] or [np.empty(0)])
    if not len(scores):
        return 0.0
    at_ms = np.concatenate([scored.alarms_ms for _, scored in honest]).tolist()
    owners = [(i, int(account)) for i, (_, scored) in enumerate(honest) for account in scored.accounts]
    raised: dict[tuple[int, int], list[int]] = {}
    lowest, count = float(np.nextafter(scores.max(), np.inf)), 0
    values, order = scores.tolist(), np.argsort(-scores, kind="stable").tolist()
    for place, i in enumerate(order):
        count += _incidents_more(raised.setdefault(owners[i], []), at_ms[i])
        if place + 1 < len(order) and values[order[place + 1]] == values[i]:
            continue  # scores that are equal come together
        if count > most:
            break
        lowest = values[i]
    return lowest


def _incidents_more(raised: list[int], at_ms: int) -> int:
    """Add an alarm to an account's (times, ascending); return by how many that changes its incidents."""
    place = bisect(raised, at_ms)
    apart_before = place == 0 or at_ms - raised[place - 1] > QUIET_MS
    apart_after = place == len(raised) or raised[place] - at_ms > QUIET_MS
    were_apart = 0 < place < len(raised) and raised[place] - raised[place - 1] > QUIET_MS
    at_an_end = place in (0, len(raised))
    raised.insert(place, at_ms)
    if at_an_end:
        return int(apart_before and apart_after)
    return int(apart_before) + int(apart_after) - int(were_apart)


def figure_of(lost: float, first: float, everything: float, false_a_month: float) -> float:
    """Sum it up: 100 for an alert at the first losing fill and no false alarm, 0 for no detector at all.

    Shares of equity: `lost` at the alert, `first` by the first losing fill, `everything` without an
    alert, each the mean over drains. Below 0, a detector costs more than it saves.
    """
    avoidable = everything - first
    if avoidable <= 0.0:
        return nan
    cost = (lost - first) + false_a_month * DRAIN_EVERY_MONTHS * FALSE_ALARM_COST
    return 100.0 * (1.0 - cost / avoidable)


def figures_of(
    honest: Sequence[tuple[Facts, int]], robbed: Sequence[tuple[Facts, Alert]], precision: Sequence[float]
) -> Figures:
    """Figures of one detector at one threshold and level.

    Parameters
    ----------
    honest
        Months without a thief, and the false incidents in each.
    robbed
        Months with one, and which of his fills was the alert; None: he was missed.
    precision
        Average precision in each of these.
    """
    out: Figures = {"false_a_month": _rate(honest)}
    out["false_by_owner"] = {
        owner: _rate([pair for pair in honest if pair[0].owner == owner])
        for owner in dict.fromkeys(facts.owner for facts, _ in honest)
    }
    if not robbed:
        return out
    lost = [max(lost_until(facts, alert), _first(facts)) / facts.equity for facts, alert in robbed]
    first = [_first(facts) / facts.equity for facts, _ in robbed]
    everything = [facts.lost.sum() / facts.equity for facts, _ in robbed]
    out["figure"] = figure_of(
        float(np.mean(lost)), float(np.mean(first)), float(np.mean(everything)), out["false_a_month"]
    )
    out |= _found(robbed)
    out["average_precision"] = float(np.mean(precision))
    out["by_thief"] = _by(robbed, lambda facts: str(facts.case.thief))
    out["by_family"] = _by(robbed, lambda facts: str(facts.family))
    out["by_difficulty"] = _by(robbed, lambda facts: str(facts.band))
    out["by_training"] = _by(
        robbed, lambda facts: "held out" if facts.case.thief in scenario.HELD_OUT else "shown"
    )
    return out


def _first(facts: Facts) -> float:
    """USDT gone with the first fill that loses something to speak of."""
    bad = np.flatnonzero(facts.bad)
    return lost_until(facts, int(bad[0]) if len(bad) else None)


def _rate(honest: Sequence[tuple[Facts, int]]) -> float:
    months = sum(facts.months for facts, _ in honest)
    return sum(count for _, count in honest) / months if months else nan


def _by(robbed: Sequence[tuple[Facts, Alert]], key: Callable[[Facts], str]) -> dict[str, Figures]:
    groups: dict[str, list[tuple[Facts, Alert]]] = {}
    for pair in robbed:
        groups.setdefault(key(pair[0]), []).append(pair)
    return {name: _found(group) for name, group in sorted(groups.items())}


def _found(robbed: Sequence[tuple[Facts, Alert]]) -> Figures:
    """Recall, and what had happened at the alert; a missed theft counts as gone whole."""
    gone = [lost_until(facts, alert) / max(facts.lost.sum(), 1e-300) for facts, alert in robbed]
    equity = [lost_until(facts, alert) / facts.equity for facts, alert in robbed]
    found = [(facts, alert) for facts, alert in robbed if alert is not None]
    fills = [int(facts.bad[: alert + 1].sum()) for facts, alert in found]
    seconds = [max(float(facts.at_ms[alert] - _start(facts)) / 1000.0, 0.0) for facts, alert in found]
    return {
        "drains": len(robbed),
        "recall": len(found) / len(robbed),
        "gone": {"mean": float(np.mean(gone)), **_quantiles(gone)},
        "equity_lost": {"mean": float(np.mean(equity)), **_quantiles(equity)},
        "bad_fills": _quantiles(fills),
        "seconds": _quantiles(seconds),
    }


def _start(facts: Facts) -> int:
    """Time of the first fill that loses something to speak of."""
    bad = np.flatnonzero(facts.bad)
    return int(facts.at_ms[bad[0] if len(bad) else 0])


def _quantiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"median": None, "p95": None}
    return {"median": float(np.median(values)), "p95": float(np.quantile(values, 0.95))}


def poisson_interval(count: int) -> tuple[float, float]:
    """Bounds of a Poisson mean that 90 % of such counts lie between (Garwood 1936)."""
    from scipy.stats import chi2

    low = chi2.ppf(0.05, 2 * count) / 2.0 if count else 0.0
    return float(low), float(chi2.ppf(0.95, 2 * count + 2) / 2.0)


def calibration_of(honest: Sequence[tuple[Facts, Scored]]) -> list[Figures]:
    """Measured rates of false incidents at stated budgets, with the 90 % interval of what was counted."""
    months = sum(facts.months for facts, _ in honest)
    if not months:
        return []
    rows = []
    for budget in BUDGETS:
        count = sum(incidents_above(scored, -float(np.log10(budget))) for _, scored in honest)
        low, high = poisson_interval(count)
        rows.append(
            {"budget": budget, "measured": count / months, "low": low / months, "high": high / months}
        )
    return rows


def summarise(
    outcomes: Sequence[Outcome],
    *,
    thresholds: Mapping[str, Mapping[str, float]],
    fixed: Mapping[str, float],
    about: Mapping[str, str],
    oracles: Sequence[str],
) -> Figures:
    """Figures of all detectors at all levels.

    Parameters
    ----------
    outcomes
        Of honest months, months of stress and months with a thief.
    thresholds
        By level, then by detector, chosen on other seeds.
    fixed
        Thresholds that some detectors are used with, by name.
    about
        What each detector is.
    oracles
        Which of them are told the truth.
    """
    levels: Figures = {}
    for level in LEVELS:
        here = [outcome for outcome in outcomes if level in outcome.scored]
        if here:
            levels[level] = _level(level, here, thresholds.get(level, {}), fixed)
    top = next((level for level in ("orders", *reversed(LEVELS)) if level in levels), None)
    return {
        "figure": None if top is None else levels[top]["detectors"][US].get("figure"),
        "figure_level": top,
        "costs": {"months_a_drain": DRAIN_EVERY_MONTHS, "false_alarm_share_of_equity": FALSE_ALARM_COST},
        "about": dict(about),
        "oracles": list(oracles),
        "levels": levels,
    }


def _level(
    level: str, outcomes: Sequence[Outcome], thresholds: Mapping[str, float], fixed: Mapping[str, float]
) -> Figures:
    honest = [o for o in outcomes if o.facts.case.thief is None and o.facts.case.regime is None]
    stressed = [o for o in outcomes if o.facts.case.thief is None and o.facts.case.regime is not None]
    robbed = [o for o in outcomes if o.facts.case.thief is not None and o.facts.lost.sum() > 0.0]
    names = list(outcomes[0].scored[level])
    detectors: Figures = {}
    told = [(o.facts, o.told[level]) for o in honest]
    ours = figures_of(
        [(facts, said.false) for facts, said in told],
        [(o.facts, o.told[level].alert) for o in robbed],
        [o.scored[level][US].precision for o in robbed],
    )
    own = sum(said.own_bad for _, said in told)
    ours["own_bad_fills"] = {
        "told": own, "told_as_such": sum(said.own_bad_told for _, said in told),
    }  # fmt: skip
    ours["kinds"] = {
        thief: dict(Counter(str(o.told[level].kind_now) for o in robbed if o.facts.case.thief == thief))
        for thief in sorted({str(o.facts.case.thief) for o in robbed})
    }
    ours["by_regime"] = {
        regime: _rate([(o.facts, o.told[level].false) for o in stressed if o.facts.case.regime == regime])
        for regime in sorted({str(o.facts.case.regime) for o in stressed})
    }
    ours["calibration"] = calibration_of([(o.facts, o.scored[level][US]) for o in honest])
    detectors[US] = ours
    parts: Figures = {}
    for name in names:
        pairs = [(o.facts, o.scored[level][name]) for o in honest]
        drains = [(o.facts, o.scored[level][name]) for o in robbed]
        if is_part(name):
            parts[name] = _at(thresholds[name], pairs, drains)
            continue
        if name != US and name in thresholds:
            detectors[name] = _at(thresholds[name], pairs, drains)
        if name in fixed:
            detectors[f"{name} as used"] = _at(fixed[name], pairs, drains)
        if name in detectors and robbed:
            detectors[name] |= _curve(pairs, drains, ours["false_a_month"])
    return {
        "about": LEVELS[level],
        "honest_months": sum(o.facts.months for o in honest),
        "stress_months": sum(o.facts.months for o in stressed),
        "drains": len(robbed),
        "stolen_share_of_equity": (
            float(np.mean([o.facts.lost.sum() / o.facts.equity for o in robbed])) if robbed else None
        ),
        "detectors": detectors,
        "parts": parts,
    }


def _at(
    threshold: float, honest: Sequence[tuple[Facts, Scored]], robbed: Sequence[tuple[Facts, Scored]]
) -> Figures:
    """Figures of a detector at a threshold."""
    return {"threshold": threshold} | figures_of(
        [(facts, incidents_above(scored, threshold)) for facts, scored in honest],
        [(facts, alert_at(scored, threshold)) for facts, scored in robbed],
        [scored.precision for _, scored in robbed],
    )


def _curve(
    honest: Sequence[tuple[Facts, Scored]], robbed: Sequence[tuple[Facts, Scored]], our_rate: float
) -> Figures:
    """What is found at our rate, and money lost at `RATES` of false incidents, by thresholds in hindsight."""
    threshold = threshold_for(honest, our_rate)
    found = _found([(facts, alert_at(scored, threshold)) for facts, scored in robbed])
    thresholds = [threshold_for(honest, rate) for rate in RATES]
    return {
        "at_our_rate": {
            "false_a_month": _rate([(facts, incidents_above(scored, threshold)) for facts, scored in honest]),
            "equity_lost": found["equity_lost"]["mean"],
            "recall": found["recall"],
            "gone": found["gone"]["mean"],
        },
        "curve": [
            (rate, float(np.mean([lost_until(f, alert_at(s, low)) / f.equity for f, s in robbed])))
            for rate, low in zip(RATES, thresholds, strict=True)
        ],
    }
