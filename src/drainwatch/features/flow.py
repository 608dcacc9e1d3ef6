"""Flow features: how much, how fast, into what; round trips; fees."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.account import HOUR_NS, MINUTE_NS, SOLD_KEPT, TRIP_NS
from drainwatch.features.registry import index
from drainwatch.kernel_cache import jit
from drainwatch.market import BUCKET_NS, HOUR_BUCKETS
from drainwatch.windows import decay

NOVELTY = index("novelty")
SIZE = index("size_sigmas")
DAY_VOLUME = index("day_volume_share")
SYMBOLS_SOLD = index("symbols_sold")
INTO_BASE = index("equity_into_base")
ROTATION = index("rotation")
TURNOVER = index("turnover_equity")
FEES = index("fees_equity_bps")
RATE = index("rate_ratio")
FLIPS = index("flips")
PUSH = index("push_bps")
CHASE = index("chase_sigmas")

TEN_MINUTES_NS = 10 * MINUTE_NS


@jit
def flow_features(
    x: Any, fair: Any, pair: Any, account: Any, fill: Any, equity: float, order_value: float
) -> None:
    """Write the flow features of a fill into its row; what happened up to it has been taken in."""
    side = fill.side
    x[NOVELTY] = np.exp(-pair.orders / 3.0)
    x[SIZE] = np.nan
    if account.size_count >= 3.0:
        x[SIZE] = (np.log(max(order_value, 1e-300)) - account.size) / np.sqrt(account.size_var + 0.25)
    x[DAY_VOLUME] = pair.run_amount / fair.day_amount if fair.day_amount > 0.0 else np.nan
    sold = 0
    sold_elsewhere = 0.0
    bought_here = 0.0
    for i in range(min(account.ring, SOLD_KEPT)):
        at = (account.ring - 1 - i) % SOLD_KEPT
        age_ns = fill.ts_ns - account.ring_ns[at]
        if age_ns > TEN_MINUTES_NS:
            break
        if account.ring_side[at] < 0 and account.ring_market[at] != fill.market:
            sold_elsewhere += account.ring_value[at]
        if account.ring_side[at] > 0 and account.ring_market[at] == fill.market:
            bought_here += account.ring_value[at]
        if account.ring_side[at] < 0 and age_ns <= MINUTE_NS:
            again = False
            for j in range(i):
                before = (account.ring - 1 - j) % SOLD_KEPT
                if account.ring_market[before] == account.ring_market[at] and account.ring_side[before] < 0:
                    again = True
            if not again:
                sold += 1
    x[SYMBOLS_SOLD] = sold
    x[INTO_BASE] = bought_here / equity
    x[ROTATION] = min(sold_elsewhere, bought_here) / equity
    x[TURNOVER] = account.turnover_hour / equity
    x[FEES] = 1e4 * account.fees_hour / equity
    usual = account.rate_day / (24.0 * 60.0) * 0.69
    x[RATE] = np.log((account.rate_minute + 1.0) / (usual + 1.0))
    x[FLIPS] = pair.flips * decay(fill.ts_ns - pair.flips_ns, HOUR_NS)
    x[PUSH] = np.nan
    if not np.isnan(fair.level) and pair.push_side == side:
        x[PUSH] = 1e4 * side * (fair.level - pair.push_level)
    x[CHASE] = np.nan
    if not np.isnan(fair.own):
        x[CHASE] = side * (fair.own - fair.hour_ago) / (fair.sigma * np.sqrt(float(HOUR_BUCKETS)))


@jit
def take_flow(
    pair: Any, account: Any, fill: Any, level: float, value: float, fee_value: float, new_order: bool
) -> float:
    """Take in what a fill did to the flows; returns the order's value so far."""
    ts_ns = fill.ts_ns
    side = fill.side
    if new_order:
        account.rate_minute += 1.0
        account.rate_hour += 1.0
        account.rate_day += 1.0
        at = account.ring % SOLD_KEPT
        pair.run_ring = account.ring
        pair.run_value = 0.0
        account.ring_ns[at] = ts_ns
        account.ring_market[at] = fill.market
        account.ring_side[at] = side
        account.ring_value[at] = 0.0
        account.ring += 1
        if pair.fills > 0 and pair.run_side != side:
            pair.flips = pair.flips * decay(ts_ns - pair.flips_ns, HOUR_NS) + 1.0
            pair.flips_ns = ts_ns
        if pair.push_side != side or ts_ns - pair.push_ns > TEN_MINUTES_NS:
            pair.push_side = side
            pair.push_level = level
        elif np.isnan(pair.push_level):
            pair.push_level = level
        pair.push_ns = ts_ns
        pair.run_order = fill.order
        pair.run_first_price = fill.price
        pair.run_amount = 0.0
        pair.run_side = side
    pair.run_ns = ts_ns
    pair.run_amount += fill.amount
    pair.run_value += value
    if account.ring - pair.run_ring <= SOLD_KEPT:  # orders of other markets may have begun since
        account.ring_value[pair.run_ring % SOLD_KEPT] = pair.run_value
    account.turnover_hour += value
    account.fees_hour += fee_value
    return float(pair.run_value)


@jit
def trip_sigmas(pair: Any, fill: Any, sigma: float, usual_bps: float) -> float:
    """How much worse a fill closes a position of the last two hours than chance would; NaN: it closes none.

    The position's loss in bps beyond twice the usual cost, over what the price moves by chance in
    that time. It needs no fair price.
    """
    age_ns = fill.ts_ns - pair.open_ns
    if pair.open_amount * fill.side >= 0.0 or age_ns > TRIP_NS:
        return np.nan
    loss_bps = 1e4 * fill.side * np.log(fill.price / pair.open_price)
    moved_bps = 1e4 * sigma * np.sqrt(max(age_ns / BUCKET_NS, 0.02))
    return float((loss_bps - 2.0 * usual_bps) / np.sqrt(moved_bps * moved_bps + usual_bps * usual_bps + 4.0))


@jit
def cross_trip_sigmas(holding: Any, fill: Any, value: float, sigma: float, usual_bps: float) -> float:
    """Measure the same for a currency sold over another market than it was bought over, in units of value.

    NaN: not so. `value` is the price of one unit. What was bought dear on one market and sold at fair
    on another shows here only.
    """
    age_ns = fill.ts_ns - holding.open_ns
    if holding.open_market == fill.market or holding.open_amount * fill.side >= 0.0 or age_ns > TRIP_NS:
        return np.nan
    loss_bps = 1e4 * fill.side * np.log(value / holding.open_value)
    moved_bps = 2.0 * 1e4 * sigma * np.sqrt(max(age_ns / BUCKET_NS, 0.1))
    return float((loss_bps - 2.0 * usual_bps) / np.sqrt(moved_bps * moved_bps + usual_bps * usual_bps + 25.0))


@jit
def take_position(holding: Any, fill: Any, amount: float, value: float) -> None:
    """Add a fill to the position of the last two hours in its base currency, whatever the market."""
    signed = fill.side * amount
    if fill.ts_ns - holding.open_ns > TRIP_NS:
        holding.open_amount = 0.0
    if holding.open_amount * signed >= 0.0:
        total = abs(holding.open_amount) + amount
        holding.open_value = (abs(holding.open_amount) * holding.open_value + amount * value) / total
        holding.open_amount += signed
        holding.open_market = fill.market
    else:
        before = holding.open_amount
        holding.open_amount += signed
        if abs(holding.open_amount) <= 1e-9 * amount:
            holding.open_amount = 0.0
        elif before * holding.open_amount < 0.0:
            holding.open_value = value
            holding.open_market = fill.market
    holding.open_ns = fill.ts_ns


@jit
def take_trip(pair: Any, fill: Any) -> None:
    """Add a fill to the market's open position of the last two hours, or match it with that."""
    ts_ns = fill.ts_ns
    signed = fill.side * fill.amount
    if ts_ns - pair.open_ns > TRIP_NS:
        pair.open_amount = 0.0
    if pair.open_amount * signed >= 0.0:
        total = abs(pair.open_amount) + fill.amount
        pair.open_price = (abs(pair.open_amount) * pair.open_price + fill.amount * fill.price) / total
        pair.open_amount += signed
    else:
        pair.open_amount += signed
        if abs(pair.open_amount) <= 1e-9 * fill.amount:
            pair.open_amount = 0.0
        elif pair.open_amount * signed > 0.0:
            pair.open_price = fill.price
    pair.open_ns = ts_ns
