"""The sequential tests: loss beyond the usual, added up until chance can't explain it.

Three one-sided sums an account, two of them CUSUMs (Page 1954). `drift` adds standardised excess
cost order by order: it sees a slow bleed in which no single fill is odd. `money` adds the excess
itself in value: it weighs a fill by what it took; `bleed` adds it too, over what chance would add.
A thief can't profit without a drift there. An order counts once in `drift`, however many fills it
has: its partial fills share one error of the fair price.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.account import DAY_NS
from drainwatch.kernel_cache import jit
from drainwatch.windows import decay

DRIFT_ALLOWANCE = 0.5
DRIFT_CAP = 8.0
BLEED_NATS = 0.25
"""Nats for a squared sigma: half of a normal tail's, as costs have heavier ones."""
DRIFT_HALF_LIFE_NS = DAY_NS
MONEY_HALF_LIFE_NS = 2 * DAY_NS
LOGGED_SHARE = 0.15
"""How much of an excess loss counts where the owner's own log has the order."""
THIEF_UNLOGGED = 0.7
SESSION_SHARE = 0.35
"""Share of orders by hand that follow another within one sitting, and the mean gap there:"""
SESSION_S = 120.0
THIEF_GAP_LOG = 11.4
"""A thief's gaps between orders: anything from a second to a day, even in their logarithm (ln 86 400)."""
CALM_NATS = 4.5
"""While more unlogged orders than this have come in a row, nothing of them is learned."""
BURST_NATS = 4.0
"""What one gap may say at most."""
MIN_UNLOGGED = 0.005
UNLIKE_MOST = 24.0
"""What a stranger's orders may add up to: after it, calm is a day and a half away at the most."""
UNLIKE_STAYS_NS = 3 * DAY_NS
"""What has gone on for so long is how the account trades now: no known drain took as long."""


@jit
def take_excess(
    account: Any, ts_ns: int, new_order: bool, sigmas: float, excess: float, noise: float
) -> None:
    """Add one fill: its standardised excess cost, its excess loss and that loss's noise (value).

    NaN sigmas (no fair price) add nothing.
    """
    age_ns = ts_ns - account.money_ns
    account.money_ns = ts_ns
    kept = decay(age_ns, DRIFT_HALF_LIFE_NS)
    account.drift_base *= kept
    account.drift *= kept
    account.money *= decay(age_ns, MONEY_HALF_LIFE_NS)
    account.bleed *= kept
    account.bleed_var *= kept
    if np.isnan(sigmas):
        return
    sigmas = min(max(sigmas, -3.0), DRIFT_CAP)
    if new_order:
        account.drift_base = account.drift
        account.order_excess = sigmas
        account.order_value = 0.0
        account.order_noise = 0.0
    else:
        account.order_excess = max(account.order_excess, sigmas)
    account.drift = max(0.0, account.drift_base + account.order_excess - DRIFT_ALLOWANCE)
    account.order_value += excess
    account.bleed = max(0.0, account.bleed + excess)
    account.bleed_var += noise * noise + 2.0 * noise * account.order_noise
    account.order_noise += noise
    before = account.money
    account.money = max(0.0, account.money + excess - 0.5 * noise)
    if before > 0.0 and account.money == 0.0:
        account.run += 1


@jit
def take_trip_sigmas(account: Any, new_order: bool, sigmas: float) -> None:
    """Add what a fill that closed a position lost beyond chance; an order counts once, by its worst fill."""
    if new_order:
        account.trip_base = account.trip_drift
        account.trip_worst = np.nan
    if np.isnan(sigmas):
        return
    sigmas = min(max(sigmas, -3.0), DRIFT_CAP)
    account.trip_worst = sigmas if np.isnan(account.trip_worst) else max(account.trip_worst, sigmas)
    account.trip_drift = max(0.0, account.trip_base + account.trip_worst - DRIFT_ALLOWANCE)


@jit
def take_logged(account: Any, ts_ns: int, new_order: bool, logged: float) -> None:
    """Add whether an order is in the owner's log: likelihood of a thief's orders beside his own (Wald).

    NaN (no log that speaks) adds nothing. The usual share is learned in calm only: a thief's
    orders must not become usual. While few orders are known it may be larger than was seen, so that
    who trades by hand from the start is learned, too.
    """
    if not new_order or np.isnan(logged):
        return
    least = max(MIN_UNLOGGED, 0.5 / (account.habit_count + 2.0))
    usual = min(max(account.unlogged, least), 0.6)
    likelier = (1.0 - THIEF_UNLOGGED) / (1.0 - usual) if logged > 0.0 else THIEF_UNLOGGED / usual
    nats = np.log(likelier)
    if logged == 0.0:
        if account.unlogged_ns > 0:
            gap_s = 1e-9 * (ts_ns - account.unlogged_ns)
            nats += burst_nats(gap_s, account.unlogged_gap_s)
            if gap_s > 10.0 * SESSION_S and account.unlogged_drift < CALM_NATS:
                account.unlogged_gaps += 1
                account.unlogged_gap_s = learn_gap(account.unlogged_gap_s, gap_s, account.unlogged_gaps)
        account.unlogged_ns = ts_ns
    account.unlogged_drift = max(0.0, account.unlogged_drift + nats)


@jit
def take_unlike(account: Any, ts_ns: int, nats: float) -> None:
    """Add an order's `nats`: how much sooner it is a stranger's than the account's own (Wald).

    The soft twin of `take_logged`, for which no log is needed. What tells a thief from the owner's own
    hand is that he places several such orders close together.
    """
    if nats > 0.0:
        if account.unlike_ns > 0:
            gap_s = 1e-9 * (ts_ns - account.unlike_ns)
            nats += burst_nats(gap_s, account.unlike_gap_s)
            if gap_s > 10.0 * SESSION_S and account.unlike_drift < CALM_NATS:
                account.unlike_gaps += 1
                account.unlike_gap_s = learn_gap(account.unlike_gap_s, gap_s, account.unlike_gaps)
        account.unlike_ns = ts_ns
    account.unlike_drift = min(max(0.0, account.unlike_drift + nats), UNLIKE_MOST)
    if account.unlike_drift < CALM_NATS:
        account.unlike_since_ns = 0
    elif account.unlike_since_ns == 0:
        account.unlike_since_ns = ts_ns


@jit
def unlike_is_usual(account: Any, ts_ns: int, flagged: bool) -> bool:
    """Whether an order may teach which kinds of order are usual.

    In calm, where nothing bad was said of it. And where there has been no calm for days, whatever was
    said: the owner has been told, and the new program is his.
    """
    if account.unlike_since_ns == 0:
        return not flagged
    return bool(ts_ns - account.unlike_since_ns > UNLIKE_STAYS_NS)


@jit
def learn_gap(usual_s: float, gap_s: float, times: int) -> float:
    """Usual gap between sittings after one more, the `times`-th, was seen."""
    return float(usual_s * (gap_s / usual_s) ** max(0.2, 1.0 / (times + 1.0)))


@jit
def burst_nats(gap_s: float, usual_gap_s: float) -> float:
    """How much likelier a gap between two orders without a log is a thief's than a hand's (Wald), in nats.

    By hand: sittings of a few orders some minutes apart, `usual_gap_s` between sittings.
    """
    gap_s = max(gap_s, 1.0)
    thief = 1.0 / (gap_s * THIEF_GAP_LOG)
    sitting = SESSION_SHARE / SESSION_S * np.exp(-gap_s / SESSION_S)
    later = (1.0 - SESSION_SHARE) / usual_gap_s * np.exp(-gap_s / usual_gap_s)
    return float(min(max(np.log(thief / (sitting + later + 1e-12)), -2.0), BURST_NATS))


@jit
def bleed_sigmas(account: Any) -> float:
    """Sum of the day's excess losses over its standard deviation by chance."""
    return float(account.bleed / np.sqrt(account.bleed_var)) if account.bleed_var > 0.0 else 0.0


@jit
def evidence(account: Any, equity: float) -> float:
    """How much the sequential tests have against the account's luck, in nats.

    Each is the lesser of two: that the money can't be chance, and that it matters to the account.
    The larger test counts: `money` is quick with large losses, `bleed` sees many that are smaller
    than their own noise, which half the noise taken off each would hide.
    """
    quick = 0.0
    if account.money > 0.0:
        chance = np.log1p(account.money / max(account.loss_noise, 1e-6 * equity, 1e-300))
        quick = min(chance, np.log1p(1e4 * account.money / max(equity, 1e-300)))
    sigmas = bleed_sigmas(account)
    slow = min(BLEED_NATS * sigmas * sigmas, np.log1p(1e4 * account.bleed / max(equity, 1e-300)))
    return max(quick, slow)
