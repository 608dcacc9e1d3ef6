"""Named tripwires, as data: what each looks at, why, and what to do.

How much a tripped rule counts is not written here: training measures how often each trips in benign
account-months, and that is its weight (`rule_nats` of the model).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from drainwatch.features.registry import index
from drainwatch.kernel_cache import jit

DEVIATION_BPS = index("deviation_bps")
SIGMAS = index("deviation_sigmas")
ORDER_LOSS = index("order_loss_equity_bps")
PUSHED = index("pushed_sigmas")
WITNESS_GAP = index("witness_gap_sigmas")
DAY_DISPLACEMENT = index("day_displacement_sigmas")
ROUND_TRIP = index("round_trip_bps")
MONEY_EQUITY = index("money_equity_bps")
MONEY_NOISE = index("money_noise")
NOVELTY = index("novelty")
INTO_BASE = index("equity_into_base")
ROTATION = index("rotation")
FEES = index("fees_equity_bps")
TRIP_DRIFT = index("trip_drift")
DRIFT = index("drift_sigmas")
UNLOGGED_DRIFT = index("unlogged_drift")
CHASE = index("chase_sigmas")
PARTY_SHARE = index("party_share")
PARTY_RUN = index("party_run")
BOTH_SIDES = index("party_both_sides")
EQUAL_AMOUNTS = index("equal_amounts")
FLIPS = index("flips")


class Rule(NamedTuple):
    """One tripwire."""

    id: str
    why: str
    severity: str
    maturity: str
    remedy: str


_REVOKE = "revoke the API key, cancel open orders, then look at the orders named here"

RULES: tuple[Rule, ...] = (
    Rule(
        "far_from_fair",
        "10 % or more worse than fair, beyond any doubt about the fair price",
        "critical",
        "stable",
        _REVOKE,
    ),
    Rule(
        "absurd_price",
        "half as much again as it was worth, or half of it: nobody trades so on purpose",
        "critical",
        "stable",
        _REVOKE,
    ),
    Rule(
        "beyond_noise",
        "eight deviations worse than usual, and it costs a part of the account",
        "critical",
        "stable",
        _REVOKE,
    ),
    Rule(
        "unlogged_loss",
        "an order that the owner's bot did not place, and a bad one",
        "critical",
        "stable",
        _REVOKE,
    ),
    Rule(
        "money_pass",
        "bought and sold back in equal amounts, at a loss each time",
        "critical",
        "stable",
        _REVOKE,
    ),
    Rule(
        "same_party",
        "the same other side again and again, always to its gain",
        "critical",
        "incubating",
        _REVOKE,
    ),
    Rule(
        "rotation_into_new",
        "holdings sold and put into a coin the account never traded, at a bad price",
        "critical",
        "stable",
        _REVOKE,
    ),
    Rule(
        "pushed_market",
        "the market stood where no other market has it, and the account took it",
        "critical",
        "incubating",
        _REVOKE,
    ),
    Rule(
        "fee_churn",
        "to and fro, and the fees eat the account",
        "warning",
        "incubating",
        "stop the bot, then look at what it trades",
    ),
    Rule(
        "blind_all_in",
        "much of the account went into something that can't be priced",
        "warning",
        "incubating",
        "check that you placed this order",
    ),
    Rule(
        "unlogged_run",
        "several orders in a row that the owner's bot did not place",
        "warning",
        "stable",
        "check that you placed these orders",
    ),
    Rule(
        "unlogged_burst",
        "orders within seconds of one another that the owner's bot did not place, more than a hand places",
        "warning",
        "incubating",
        "check that you placed these orders; if not, revoke the API key",
    ),
)
"""Every rule, in the order of its bit."""


@jit
def tripped(x: Any) -> int:
    """Bits of the rules that a feature row trips; a comparison with NaN is false."""
    bits = 0
    sigmas = x[SIGMAS]
    deviation = x[DEVIATION_BPS]
    if deviation >= 1000.0 and sigmas >= 6.0 and x[ORDER_LOSS] >= 5.0:
        bits |= 1
    if deviation >= 5000.0 and sigmas >= 6.0 and x[ORDER_LOSS] >= 5.0:
        bits |= 2
    if deviation >= 50.0 and sigmas >= 8.0 and x[ORDER_LOSS] >= 10.0:
        bits |= 4
    if x[UNLOGGED_DRIFT] >= 4.0 and x[MONEY_NOISE] >= 3.0 and x[MONEY_EQUITY] >= 0.5:
        bits |= 8
    trips_lose = x[TRIP_DRIFT] >= 8.0 and x[ROUND_TRIP] >= 15.0
    if trips_lose and x[DRIFT] >= 6.0 and x[EQUAL_AMOUNTS] >= 1.0:
        bits |= 16
    met_again = x[BOTH_SIDES] > 0.0 or (x[PARTY_RUN] >= 3.0 and x[PARTY_SHARE] >= 0.3)
    if met_again and sigmas >= 1.5 and x[MONEY_EQUITY] >= 1.0:
        bits |= 32
    bad_price = sigmas >= 1.5 or x[CHASE] >= 3.0 or x[DAY_DISPLACEMENT] >= 2.0 or x[WITNESS_GAP] >= 3.0
    if x[ROTATION] >= 0.3 and x[NOVELTY] >= 0.7 and bad_price:
        bits |= 64
    if x[PUSHED] >= 5.0 and x[WITNESS_GAP] >= 4.0 and sigmas >= 3.0 and x[ORDER_LOSS] >= 2.0:
        bits |= 128
    if x[FEES] >= 30.0 and x[FLIPS] >= 8.0:
        bits |= 256
    if x[UNLOGGED_DRIFT] >= 11.0:
        bits |= 1024
    if x[UNLOGGED_DRIFT] >= 17.0:
        bits |= 2048
    if np.isnan(deviation) and x[INTO_BASE] >= 0.5 and x[NOVELTY] >= 0.7:
        bits |= 512
    return bits
