"""A judgement in words: what it resembles, and the reasons, strongest first."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch.detector import (
    EVIDENCE,
    FOREST_WEIGHT,
    PRECEDENT,
    PRECEDENT_WEIGHT,
    RULED,
    STRANGER,
    STRANGER_WEIGHT,
    Judge,
    transform,
)
from drainwatch.events import Liquidity, MarketSpec
from drainwatch.fair import Source
from drainwatch.features.registry import COUNT, FAMILIES, FEATURES, index
from drainwatch.forest import attribute_row, row_keys
from drainwatch.precedent import attribute_precedent
from drainwatch.rules import RULES

REASONS: Final = 6
STABLE_COINS: Final = frozenset(
    (
        "USD",
        "USDT",
        "USDC",
        "BUSD",
        "FDUSD",
        "TUSD",
        "USDP",
        "DAI",
        "USDE",
        "PYUSD",
        "GUSD",
        "UST",
        "USDD",
        "USD1",
    )
)
_RULE_FEATURES: Final = {
    "far_from_fair": ("deviation_bps", "deviation_sigmas"),
    "absurd_price": ("deviation_bps", "deviation_sigmas"),
    "beyond_noise": ("deviation_sigmas", "order_loss_equity_bps"),
    "unlogged_loss": ("unlogged_drift", "deviation_bps"),
    "money_pass": ("trip_drift", "round_trip_bps"),
    "same_party": ("party_run", "party_share"),
    "rotation_into_new": ("rotation", "novelty"),
    "pushed_market": ("pushed_sigmas", "witness_gap_sigmas"),
    "fee_churn": ("fees_equity_bps", "flips"),
    "blind_all_in": ("equity_into_base", "novelty"),
    "unlogged_run": ("unlogged_drift",),
    "unlogged_burst": ("unlogged_drift",),
}
_EVIDENCE_FEATURES: Final = ("money_equity_bps", "money_noise", "drift_sigmas")


class Reason(NamedTuple):
    """One reason of an alert."""

    feature: str
    value: float
    typical: float
    text: str


def reasons_of(judge: Judge, verdict: np.void, row: NDArray[np.float64]) -> list[Reason]:
    """Features that made the score, strongest first, by the nats that they account for (`weights_of`)."""
    weights = weights_of(judge, verdict, row)
    beyond = np.nan_to_num(row, nan=-np.inf) > judge.floor
    order = [i for i in np.argsort(-weights, kind="stable") if weights[i] > 0.0 and beyond[i]]
    deviation = index("deviation_bps")
    if not order and math.isfinite(row[deviation]):
        order = [deviation]
    return [reason_of(int(i), float(row[i]), float(judge.floor[i])) for i in order[:REASONS]]


def weights_of(judge: Judge, verdict: np.void, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nats of the score that each feature accounts for, of shape (features,).

    A forest's vote is shared out along its paths (`forest.attribute_row`), that of precedent by what each
    feature adds (`precedent.attribute_precedent`), those of a rule, of the evidence and of the stranger's
    orders among the features that they look at.
    """
    weights = np.zeros(COUNT)
    room = np.empty(COUNT)
    keys = np.empty(COUNT, np.int64)
    parts = np.empty(COUNT)
    transform(row, judge.floor, judge.scale, room)
    row_keys(room, keys)
    peers = verdict["peers"]
    for family in range(len(FAMILIES)):
        vote = FOREST_WEIGHT * float(peers[family])
        if vote <= 0.0:
            continue
        attribute_row(judge.forests, family, keys, parts)
        raised = np.maximum(parts, 0.0)
        if raised.sum() > 0.0:
            weights += vote * raised / raised.sum()
    for name in _EVIDENCE_FEATURES:
        weights[index(name)] += float(peers[EVIDENCE]) / len(_EVIDENCE_FEATURES)
    vote = PRECEDENT_WEIGHT * float(peers[PRECEDENT])
    if vote > 0.0:
        attribute_precedent(judge.precedent, row, judge.floor, parts)
        raised = np.where(np.isnan(row), 0.0, np.maximum(parts, 0.0))
        if raised.sum() > 0.0:
            weights += vote * raised / raised.sum()
    weights[index("unlike_drift")] += STRANGER_WEIGHT * float(peers[STRANGER])
    tripped = [rule.id for bit, rule in enumerate(RULES) if int(verdict["rules"]) >> bit & 1]
    for rule in tripped:
        for name in _RULE_FEATURES[rule]:
            weights[index(name)] += float(peers[RULED]) / len(tripped) / len(_RULE_FEATURES[rule])
    return weights


def reason_of(column: int, value: float, typical: float) -> Reason:
    """A feature's value in words."""
    feature = FEATURES[column]
    shown = {"value": show(value, feature.unit), "typical": show(typical, feature.unit)}
    # `show` brings the unit along, or has taken the logarithm away
    text = feature.text.replace("{value} bps", "{value}").replace("e^{value}", "{value}").format(**shown)
    usual = shown["typical"] if "{value}" in feature.text or typical > 0.0 else "none"
    text += f" (usual: {usual})"
    return Reason(feature.name, value, typical, text)


def show(value: float, unit: str) -> str:
    """A number as people read it: shares and basis points in per cent, ln ratios as ratios."""
    if unit == "ln ratio":
        return _digits(math.exp(min(value, 700.0)))  # beyond it there is no float64
    if unit == "share":
        return _percent(100.0 * value)
    return _percent(value / 100.0) if unit.startswith("bps") else _digits(value)


def _percent(value: float) -> str:
    """A percentage, as far as it is known."""
    return f"{_digits(value)} %" if math.isfinite(value) else "unknown"


def _digits(value: float) -> str:
    """Three significant digits: `0.00114`, `33.7`, `56,300`, `108 million`; `unknown` where not finite."""
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    if size < 5e-5:
        return "0"
    if size < 1e-3:
        return f"{value:.6f}".rstrip("0")
    if size < 999.5:
        return f"{value:.3g}"
    rounded = float(f"{value:.3g}")
    for scale, name in ((1e9, "billion"), (1e6, "million")):
        if scale <= abs(rounded) < 1e12:
            return f"{rounded / scale:.3g} {name}"
    return f"{rounded:,.0f}" if size < 1e6 else f"{value:.2e}"


def kind_of(
    fill: np.void, spec: MarketSpec, verdict: np.void, row: NDArray[np.float64], *, orders: int
) -> str:
    """What a flagged fill resembles most: the contract's `kind`, from the most to the least telling sign."""

    def at(name: str) -> float:
        value = float(row[index(name)])
        return value if math.isfinite(value) else 0.0

    deviation = at("deviation_bps")
    ids = {rule.id for bit, rule in enumerate(RULES) if int(verdict["rules"]) >> bit & 1}
    if int(verdict["logged"]) == 1 and orders <= 2 and "money_pass" not in ids:
        return "own_bad_fill"
    # there and back at a loss: the round trip lost more than this one leg of it, or it isn't the first
    trips_lose = at("trip_drift") >= 4.0 and at("flips") >= 1.0
    first = at("round_trip_bps") >= 1.3 * max(deviation, 1.0)
    again = at("trip_drift") >= 12.0 and at("equal_amounts") >= 1.0 and at("flips") >= 2.0
    both_ways = trips_lose and (first or again)
    checks: tuple[tuple[bool, str], ...] = (
        ("fee_churn" in ids and deviation < 50.0, "fee_churn"),
        (spec.base in STABLE_COINS and spec.quote in STABLE_COINS, "stable_pair"),
        (int(fill["liquidity"]) == Liquidity.MAKER and deviation >= 30.0, "off_market_maker"),
        (both_ways, "ping_pong"),
        (at("rotation") >= 0.2 or (at("symbols_sold") >= 3 and at("novelty") >= 0.7), "liquidate_then_buy"),
        (spec.is_derivative and deviation < 50.0 and at("equity_into_base") >= 3.0, "leverage"),
        (spec.is_derivative, "thin_perp"),
        (int(verdict["source"]) == Source.HISTORY, "boosted_coin"),
        (deviation >= (10_000.0 if fill["side"] > 0 else 6_000.0), "far_quote"),
        (at("push_bps") >= 100.0 and fill["side"] < 0 and deviation < at("push_bps"), "price_pressure"),
        (float(verdict["gap_sigmas"]) >= 4.0 and at("witness_gap_sigmas") >= 4.0, "cross_pair"),
        (deviation >= 150.0, "planted_wall"),
        (at("chase_sigmas") >= 4.0 and at("novelty") >= 0.3, "coordinated_pump"),
        (deviation >= 60.0 and at("deviation_sigmas") >= 4.0, "planted_wall"),
        (deviation >= 5.0 and at("drift_sigmas") >= 3.0, "slow_bleed"),
    )
    return next((kind for holds, kind in checks if holds), "unknown")
