"""What is usual for an account, what it holds, and what it has done lately.

One record of `ACCOUNT` an account, one of `PAIR` for each market that it traded, one of `HOLDING`
for each currency that it holds. A fill is judged against these before they learn from it; a fill
that was flagged only counts towards what has happened, never towards what is usual.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.events import Liquidity
from drainwatch.kernel_cache import jit
from drainwatch.market import BUCKETS, PRINTS, PRIOR_HALF_SPREAD, PRIOR_SIGMA
from drainwatch.windows import decay

MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
TRIP_NS = 2 * HOUR_NS
"""A position older than this isn't closed by a round trip."""

OWN_IDS = 256
OWN_ORDERS = 64
FILLS_KEPT = 16
SOLD_KEPT = 32
PREFIXES = 8
KINDS = 16
"""Kinds of order (client id prefix, order type, maker or taker) that are remembered."""
PARTIES = 16
TAPE_BUCKETS = 4
"""A power of two."""
HOURS = 24
CLASSES = 3

PRIOR_COST_BPS = 3.0
PRIOR_COST_NOISE_BPS = 8.0

PAIR = np.dtype(
    [
        ("account", "i4"),
        ("market", "i4"),
        ("hold_base", "i4"),  # number in the holdings
        ("hold_quote", "i4"),
        ("fills", "i8"),
        ("orders", "i8"),
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        # marks of own prints: by sequence number of the market's ring, by id and by order
        ("own_print", "i8", (PRINTS,)),
        ("own_id", "u8", (OWN_IDS,)),
        ("own_order", "u8", (OWN_ORDERS,)),
        # own prints in the market's history, by bucket number
        ("own_bucket", "i8", (BUCKETS,)),
        ("own_cost", "f8", (BUCKETS,)),
        ("own_amount", "f8", (BUCKETS,)),
        # the market's day without them, as of `view_bucket`
        ("view_bucket", "i8"),
        ("view_day", "i8"),
        ("view_sigma", "f8"),
        ("view_half_spread", "f8"),
        ("view_hour_ago", "f8"),
        ("view_day_median", "f8"),
        ("view_day_amount", "f8"),
        # last fills, a ring by count
        ("ring", "i8"),
        ("ring_ns", "i8", (FILLS_KEPT,)),
        ("ring_price", "f8", (FILLS_KEPT,)),
        ("ring_amount", "f8", (FILLS_KEPT,)),
        ("ring_side", "i1", (FILLS_KEPT,)),
        ("ring_order", "u8", (FILLS_KEPT,)),
        ("ring_checked", "i1", (FILLS_KEPT,)),  # marked out
        ("markout", "f8"),  # usual of late: adverse, bps, half forgotten every 4 fills
        # last fill that was believed: the price where there is no other
        ("trusted_ns", "i8"),
        ("trusted_price", "f8"),
        ("trusted_sigma", "f8"),  # volatility of a bucket as own fills show it
        # short round trips
        ("open_amount", "f8"),  # signed
        ("open_price", "f8"),  # average
        ("open_ns", "i8"),
        # the run of fills under way
        ("run_order", "u8"),
        ("run_ns", "i8"),
        ("run_side", "i1"),
        ("run_first_price", "f8"),
        ("run_amount", "f8"),
        ("run_value", "f8"),
        ("run_unlike", "f8"),  # how much sooner this order is a stranger's, nats; NaN: not told
        ("run_ring", "i8"),  # its number among the account's last orders
        ("push_level", "f8"),  # log price before the selling (buying) of late began
        ("push_side", "i1"),
        ("push_ns", "i8"),
        ("flips", "f8"),  # decayed count of changes of side
        ("flips_ns", "i8"),
        ("level_repeats", "f8"),
        ("equal_repeats", "f8"),
        ("lately_bucket", "i8", (TAPE_BUCKETS,)),
        ("lately_amount", "f8", (TAPE_BUCKETS,)),
    ],
    align=True,
)

HOLDING = np.dtype(
    [
        ("account", "i4"),
        ("currency", "i4"),
        ("next", "i4"),  # the account's next holding, -1 at the end
        ("told", "i1"),  # a balance row named it
        ("total", "f8"),
        ("value", "f8"),  # worth of one unit as own fills tell it, where no market does; 0: unknown
        # what was bought of it in the last two hours and not sold yet: units, their average price in value
        ("open_amount", "f8"),
        ("open_value", "f8"),
        ("open_ns", "i8"),
        ("open_market", "i4"),
    ],
    align=True,
)

ACCOUNT = np.dtype(
    [
        ("seen", "i8"),
        ("first_hold", "i4"),
        ("has_balances", "i1"),
        ("equity", "f8"),  # in units of value; NaN: unknown
        ("equity_ns", "i8"),
        ("equity_fills", "i8"),
        ("fills", "i8"),
        ("learned", "i8"),
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        ("order_ns", "i8"),  # of the last order's first fill
        # usual cost of a fill by liquidity class, bps
        ("cost", "f8", (CLASSES,)),
        ("cost_var", "f8", (CLASSES,)),
        ("cost_count", "f8", (CLASSES,)),
        # usual order size, log of value
        ("size", "f8"),
        ("size_var", "f8"),
        ("size_count", "f8"),
        ("largest", "f8"),  # largest order value learned
        ("loss_noise", "f8"),  # usual noise of one order's loss, value
        # habits
        ("hour", "f8", (HOURS,)),
        ("liquidity", "f8", (CLASSES,)),
        ("type", "f8", (CLASSES,)),
        ("prefix", "u8", (PREFIXES,)),
        ("prefix_count", "f8", (PREFIXES,)),
        ("habit_count", "f8"),
        ("gap", "f8"),  # usual log gap between orders, s
        # kinds of order: how often each was placed, in calm
        ("kind_prefix", "u8", (KINDS,)),
        ("kind_form", "i1", (KINDS,)),
        ("kind_count", "f8", (KINDS,)),
        ("kind_total", "f8"),
        ("kind_prefixes", "f8"),  # how often a prefix was new
        ("kind_markets", "f8"),  # how often a market was new
        # decayed flows
        ("rate_minute", "f8"),
        ("rate_hour", "f8"),
        ("rate_day", "f8"),
        ("turnover_hour", "f8"),
        ("fees_hour", "f8"),
        # last orders' symbols sold and bought
        ("ring", "i8"),
        ("ring_ns", "i8", (SOLD_KEPT,)),
        ("ring_market", "i4", (SOLD_KEPT,)),
        ("ring_side", "i1", (SOLD_KEPT,)),
        ("ring_value", "f8", (SOLD_KEPT,)),
        # parties and opposing orders
        ("party", "u8", (PARTIES,)),
        ("party_value", "f8", (PARTIES,)),
        ("party_sides", "i1", (PARTIES,)),
        ("party_ns", "i8", (PARTIES,)),
        ("party_run", "i8"),
        ("party_last", "u8"),
        ("party_total", "f8"),
        ("party_count", "i8"),
        # order log
        ("log_count", "i8"),
        ("log_ns", "i8"),
        ("unlogged", "f8"),  # usual share of orders that aren't in the log
        ("unlogged_drift", "f8"),  # CUSUM of the log likelihood ratio
        ("unlogged_ns", "i8"),  # of the last order that the log lacks
        ("unlogged_gap_s", "f8"),  # usual time between sittings of orders by hand
        ("unlogged_gaps", "i8"),  # how often it was learned
        ("unlike_drift", "f8"),  # CUSUM of the log likelihood ratio: a stranger's orders beside the account's
        ("unlike_ns", "i8"),  # of the last order that was a stranger's sooner
        ("unlike_gap_s", "f8"),  # usual time between sittings of such orders
        ("unlike_gaps", "i8"),  # how often it was learned
        ("unlike_since_ns", "i8"),  # since when there has been no calm; 0: there is
        ("trip_drift", "f8"),  # CUSUM of round trips' losses, sigmas
        ("trip_base", "f8"),
        ("trip_worst", "f8"),
        # sequential evidence (evidence.py)
        ("drift", "f8"),  # CUSUM of standardised excess cost
        ("drift_base", "f8"),  # as it stood before the order under way
        ("order_excess", "f8"),  # the order's worst fill, sigmas
        ("order_value", "f8"),  # the order's excess loss so far, value
        ("money", "f8"),  # CUSUM of excess loss, value
        ("money_ns", "i8"),
        ("bleed", "f8"),  # decayed sum of excess loss, value
        ("bleed_var", "f8"),  # decayed sum of its variance
        ("order_noise", "f8"),  # the order's noise so far, value: its fills share one error
        ("run", "i8"),  # number of the excursion under way
    ],
    align=True,
)


@jit
def reset_account(account: Any) -> None:
    """Make a zeroed record one of an account of which nothing is known yet."""
    account.first_hold = -1
    account.equity = np.nan
    account.unlogged_gap_s = 4.0 * 86_400.0
    account.unlike_gap_s = 4.0 * 86_400.0
    for i in range(CLASSES):
        account.cost[i] = PRIOR_COST_BPS if i != Liquidity.MAKER.value else 0.0
        account.cost_var[i] = PRIOR_COST_NOISE_BPS**2


@jit
def reset_pair(pair: Any) -> None:
    """Make a zeroed record one of a market that the account has not traded yet."""
    for i in range(PRINTS):
        pair.own_print[i] = -1
    for i in range(BUCKETS):
        pair.own_bucket[i] = -1
    pair.view_bucket = -1
    pair.view_sigma = PRIOR_SIGMA
    pair.view_half_spread = PRIOR_HALF_SPREAD
    pair.view_hour_ago = np.nan
    pair.view_day_median = np.nan
    pair.trusted_price = np.nan
    pair.trusted_sigma = 30e-4
    pair.run_unlike = np.nan


@jit
def unit_value(holding: Any, values: Any) -> float:
    """Worth of one unit of a holding's currency: as markets tell it, else own fills; 0: unknown."""
    value = values[holding.currency].value
    return float(value) if value > 0.0 else float(holding.value)


@jit
def value_of_holdings(account: Any, holdings: Any, values: Any) -> float:
    """Worth of all holdings in units of value; NaN where there are none, or none can be priced.

    What can't be priced counts as nothing: equity is understated rather than invented.
    """
    total = 0.0
    priced = False
    at = account.first_hold
    while at >= 0:
        value = unit_value(holdings[at], values)
        if value > 0.0:
            total += holdings[at].total * value
            priced = True
        at = holdings[at].next
    return total if priced else np.nan


@jit
def refresh_equity(account: Any, ts_ns: int, holdings: Any, values: Any) -> None:
    """Value the account anew once a minute or every 16 fills: between, it stands still."""
    if account.has_balances == 0:
        return
    stale = ts_ns - account.equity_ns >= MINUTE_NS or account.fills - account.equity_fills >= FILLS_KEPT
    if stale or np.isnan(account.equity):
        account.equity = value_of_holdings(account, holdings, values)
        account.equity_ns = ts_ns
        account.equity_fills = account.fills


@jit
def hour_of(ts_ns: int) -> int:
    """Hour of the day, UTC."""
    return int((ts_ns // HOUR_NS) % HOURS)


@jit
def learn_mean(
    mean: float, var: float, count: float, seen: float, longest: float
) -> tuple[float, float, float]:
    """Mean and variance that weigh the last `longest` values or so."""
    count = min(count + 1.0, longest)
    weight = 1.0 / count
    step = seen - mean
    return mean + weight * step, (1.0 - weight) * (var + weight * step * step), count


@jit
def fade_flows(account: Any, ts_ns: int) -> None:
    """Let what happened lately fade up to `ts_ns`."""
    age_ns = ts_ns - account.last_ns
    if account.fills == 0 or age_ns <= 0:
        return
    account.rate_minute *= decay(age_ns, MINUTE_NS)
    hour = decay(age_ns, HOUR_NS)
    account.rate_hour *= hour
    account.turnover_hour *= hour
    account.fees_hour *= hour
    account.rate_day *= decay(age_ns, DAY_NS)
    slow = decay(age_ns, 12 * HOUR_NS)
    account.trip_drift *= slow
    account.trip_base *= slow
    account.unlogged_drift *= slow
    account.unlike_drift *= slow
    if account.party_count > 0:
        for i in range(PARTIES):
            account.party_value[i] *= slow
        account.party_total *= slow
