"""Price features: what the fill cost beyond its fair value, and how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.account import FILLS_KEPT, TRIP_NS
from drainwatch.events import Liquidity
from drainwatch.evidence import bleed_sigmas
from drainwatch.features.registry import index
from drainwatch.kernel_cache import jit
from drainwatch.market import BUCKETS, HOUR_BUCKETS

DEVIATION_BPS = index("deviation_bps")
DEVIATION_SPREADS = index("deviation_spreads")
DEVIATION_SIGMAS = index("deviation_sigmas")
ORDER_LOSS = index("order_loss_equity_bps")
SWEEP = index("sweep_bps")
PUSHED = index("pushed_sigmas")
WITNESS_GAP = index("witness_gap_sigmas")
DAY_DISPLACEMENT = index("day_displacement_sigmas")
ROUND_TRIP = index("round_trip_bps")
MARKOUT = index("markout_bps")
DRIFT = index("drift_sigmas")
MONEY_NOISE = index("money_noise")
MONEY_EQUITY = index("money_equity_bps")
BLEED = index("bleed_sigmas")
TRIP_DRIFT = index("trip_drift")
UNLOGGED_DRIFT = index("unlogged_drift")

MARKOUT_NS = 30_000_000_000
MIN_NOISE_BPS = 1.0
SIGMAS_LEARNED = 4.0
"""A fill that much worse than usual teaches nothing, flagged or not."""
MAX_BPS = 1e7


@jit
def deviation_bps(fill: Any, level: float) -> float:
    """Adverse deviation from fair: 1e4 s (p - F) / F; positive is worse for the account; NaN: no F."""
    if np.isnan(level):
        return np.nan
    return float(min(1e4 * fill.side * (fill.price / np.exp(level) - 1.0), MAX_BPS))


@jit
def allowance_bps(account: Any, fill: Any, half_spread: float) -> float:
    """What such a fill may cost: the account's usual cost, and for a taker half the half-spread at least.

    Not all of it: who always takes a wide market's spread loses as surely as in any other way.
    """
    usual = max(account.cost[fill.liquidity], 0.0)
    if fill.liquidity != Liquidity.MAKER.value:
        usual = max(usual, 0.5e4 * half_spread)
    return usual


@jit
def noise_bps(account: Any, fill: Any, sd: float) -> float:
    """Standard deviation of a fill's deviation by chance: of the fair price and of the usual cost."""
    return float(np.sqrt(1e8 * sd * sd + account.cost_var[fill.liquidity] + MIN_NOISE_BPS**2))


@jit
def price_features(
    x: Any, fair: Any, pair: Any, account: Any, fill: Any, equity: float, sigmas: float
) -> None:
    """Write the price features of a fill into its row."""
    side = fill.side
    deviation = deviation_bps(fill, fair.level)
    x[DEVIATION_BPS] = deviation
    x[DEVIATION_SPREADS] = deviation / (1e4 * fair.half_spread)
    x[DEVIATION_SIGMAS] = sigmas
    x[ORDER_LOSS] = np.nan if np.isnan(sigmas) else 1e4 * account.order_value / equity
    x[SWEEP] = 1e4 * side * np.log(fill.price / pair.run_first_price)
    hourly = fair.sigma * np.sqrt(float(HOUR_BUCKETS))
    x[PUSHED] = side * fair.pushed / np.sqrt(hourly * hourly + fair.own_sd * fair.own_sd)
    x[WITNESS_GAP] = side * fair.gap / fair.gap_sd
    x[DAY_DISPLACEMENT] = side * (fair.own - fair.day_median) / (fair.sigma * np.sqrt(float(BUCKETS)))
    x[ROUND_TRIP] = np.nan
    if pair.open_amount * side < 0.0 and fill.ts_ns - pair.open_ns < TRIP_NS:
        x[ROUND_TRIP] = 1e4 * side * np.log(fill.price / pair.open_price)
    mark_out(pair, fill.ts_ns, fair.level)
    x[MARKOUT] = np.nan if np.isnan(fair.level) else pair.markout


@jit
def sequence_features(x: Any, account: Any, equity: float, part: float, trip: float, logged: float) -> None:
    """Write the sequence features of a fill into its row: what has come together, as far as it takes part.

    `part` is 1 for a fill that is itself worse than usual, 0 for one that isn't: what came before it
    says nothing of a fill at a fair price. `trip` are the sigmas by which it closed a position at a
    loss (NaN: it closed none), `logged` whether the owner's log has it (NaN: no log that speaks).
    """
    x[DRIFT] = part * account.drift
    x[MONEY_NOISE] = part * account.money / max(account.loss_noise, 1e-6 * equity)
    x[MONEY_EQUITY] = part * 1e4 * account.money / equity
    x[BLEED] = part * bleed_sigmas(account)
    x[TRIP_DRIFT] = account.trip_drift * (part if np.isnan(trip) else min(max(trip, part), 1.0))
    x[UNLOGGED_DRIFT] = np.nan if np.isnan(logged) else account.unlogged_drift * (1.0 - logged)


@jit
def mark_out(pair: Any, ts_ns: int, level: float) -> None:
    """Look back at this market's earlier fills with today's fair price: whether the price came back."""
    if np.isnan(level):
        return
    now = np.exp(level)
    for back in range(min(pair.ring, FILLS_KEPT)):
        at = (pair.ring - 1 - back) % FILLS_KEPT
        if pair.ring_checked[at] == 1:
            break
        if ts_ns - pair.ring_ns[at] < MARKOUT_NS:
            continue
        pair.ring_checked[at] = 1
        seen = 1e4 * pair.ring_side[at] * (pair.ring_price[at] - now) / now
        pair.markout += 0.16 * (min(max(seen, -2000.0), 2000.0) - pair.markout)
