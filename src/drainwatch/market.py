"""What each market looked like just before a moment: book, prints, five-minute history, volatility.

The state of a market is one record of `MARKET`, a function of that market's rows alone, so that it
can be kept once for many accounts. What an account printed itself is taken out when it looks
(`account.py` keeps the marks; `fair.py` looks). All prices inside are natural logarithms, all
uncertainties are relative standard deviations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.kernel_cache import jit
from drainwatch.windows import median

BUCKET_NS = 300_000_000_000
"""Length of a history bucket: five minutes."""
BUCKETS = 288
"""History buckets kept: a day."""
HOUR_BUCKETS = 12
DAY_EVERY = 6
"""The day's median and volatility are made anew every so many buckets."""
PRINTS = 64
"""Public prints kept one by one, a power of two: enough to look past a burst of the account's own."""
STOOD = 4
"""Levels of late that are kept, a power of two."""
STOOD_APART_NS = 1_000_000_000
ROUTES = 16
"""Ways of pricing a market through others that are kept."""

PRIOR_SIGMA = 25e-4
"""Volatility of a bucket (relative) before there is any history: that of a middling altcoin."""
PRIOR_HALF_SPREAD = 10e-4
MIN_SIGMA = 2e-4
MIN_HALF_SPREAD = 0.5e-4
MAX_HALF_SPREAD = 0.05
SPREAD_MEMORY_NS = 48 * BUCKET_NS
"""A spread that stands for this long is the usual one."""

MARKET = np.dtype(
    [
        ("active", "i1"),  # it has shown itself, by a row or a fill
        ("rows", "i8"),  # taken
        ("stands_for", "i4"),  # market whose rows are this one's: another where none name this exchange
        ("base", "i4"),
        ("quote", "i4"),
        ("derivative", "i1"),
        ("inverse", "i1"),
        ("contract_size", "f8"),  # NaN: not told
        # best quotes, and those of the last earlier instant
        ("bid", "f8"),
        ("ask", "f8"),
        ("log_bid", "f8"),
        ("log_ask", "f8"),
        ("bid_size", "f8"),
        ("ask_size", "f8"),
        ("quote_ns", "i8"),
        ("bid_since_ns", "i8"),  # since when the best bid has stood at this price
        ("ask_since_ns", "i8"),
        ("earlier_bid", "f8"),
        ("earlier_ask", "f8"),
        ("earlier_log_bid", "f8"),
        ("earlier_log_ask", "f8"),
        ("earlier_bid_size", "f8"),
        ("earlier_ask_size", "f8"),
        ("earlier_quote_ns", "i8"),
        ("earlier_bid_since_ns", "i8"),
        ("earlier_ask_since_ns", "i8"),
        ("half_spread", "f8"),  # usual, relative
        # filtered price (log) with its variance, and as it stood at the last earlier instant
        ("level", "f8"),
        ("level_var", "f8"),
        ("level_ns", "i8"),  # 0: no price yet
        ("earlier_level", "f8"),
        ("earlier_var", "f8"),
        ("earlier_ns", "i8"),
        # what the level was of late, a ring, a second apart at least: since when it stood, and its variance
        ("stood", "i8"),
        ("stood_level", "f8", (STOOD,)),
        ("stood_var", "f8", (STOOD,)),
        ("stood_ns", "i8", (STOOD,)),
        # prints one by one, a ring by sequence number
        ("prints", "i8"),
        ("print_ns", "i8", (PRINTS,)),
        ("print_price", "f8", (PRINTS,)),
        ("print_amount", "f8", (PRINTS,)),
        ("print_id", "u8", (PRINTS,)),
        ("print_taker", "u8", (PRINTS,)),
        ("print_maker", "u8", (PRINTS,)),
        ("print_buyer", "u8", (PRINTS,)),
        ("print_seller", "u8", (PRINTS,)),
        ("print_side", "i1", (PRINTS,)),
        # last closed candle
        ("candle_ns", "i8"),
        ("candle_close", "f8"),
        ("candle_range", "f8"),
        ("candle_length_ns", "i8"),
        # history, a ring by bucket number
        ("bucket", "i8"),  # the one being filled
        ("bucket_slot", "i8"),  # its place in the ring
        ("bucket_end_ns", "i8"),  # 0: none yet
        ("bucket_number", "i8", (BUCKETS,)),
        ("bucket_mid", "f8", (BUCKETS,)),  # last log level quoted, or closed by a candle; NaN if none
        ("bucket_cost", "f8", (BUCKETS,)),  # sum of price x amount printed
        ("bucket_amount", "f8", (BUCKETS,)),
        # of the day up to the last closed bucket
        ("day_number", "i8"),  # bucket at whose opening they were made
        ("young", "i8"),  # how often they were made
        ("sigma", "f8"),  # volatility of a bucket, relative
        ("hour_ago", "f8"),  # log price; NaN: unknown
        ("day_median", "f8"),
        ("day_amount", "f8"),  # base units or contracts printed in the day
        ("routes", "i4"),
        ("route_first", "i4", (ROUTES,)),
        ("route_second", "i4", (ROUTES,)),  # -1: one leg is enough
        ("route_first_sign", "i1", (ROUTES,)),
        ("route_second_sign", "i1", (ROUTES,)),
        ("route_basis", "f8", (ROUTES,)),  # usual log(own price / route's price)
        ("route_var", "f8", (ROUTES,)),
        ("route_count", "i8", (ROUTES,)),
    ],
    align=True,
)


@jit
def reset_market(market: Any) -> None:
    """Make a zeroed record one of a market of which nothing is known yet."""
    market.bid = np.nan
    market.ask = np.nan
    market.log_bid = np.nan
    market.log_ask = np.nan
    market.earlier_bid = np.nan
    market.earlier_ask = np.nan
    market.earlier_log_bid = np.nan
    market.earlier_log_ask = np.nan
    market.half_spread = np.nan
    market.sigma = PRIOR_SIGMA
    market.hour_ago = np.nan
    market.day_median = np.nan
    market.candle_close = np.nan
    market.bucket = -1
    for i in range(BUCKETS):
        market.bucket_number[i] = -1


@jit
def _within(level: float, bid: float, ask: float) -> float:
    """A log price kept within quotes; as it is where there are none (NaN) or they cross."""
    return min(max(level, bid), ask) if ask >= bid else level


@jit
def _learn_level(market: Any, ts_ns: int, price: float, noise_var: float) -> None:
    """Kalman's filter of a random walk: the level moves by sigma, a price is seen with noise.

    A tight book moves the level at once; a book 40 % wide hardly at all.
    """
    if market.level_ns == 0:
        market.level = price
        market.level_var = noise_var
        market.level_ns = ts_ns
        return
    if ts_ns > market.level_ns:
        if (
            market.stood == 0
            or market.level_ns - market.stood_ns[(market.stood - 1) & (STOOD - 1)] >= STOOD_APART_NS
        ):
            at = market.stood & (STOOD - 1)
            market.stood_level[at] = _within(market.level, market.earlier_log_bid, market.earlier_log_ask)
            market.stood_var[at] = market.level_var
            market.stood_ns[at] = market.level_ns
            market.stood += 1
        market.earlier_level = market.level
        market.earlier_var = market.level_var
        market.earlier_ns = market.level_ns
        market.level_var += market.sigma**2 * (ts_ns - market.level_ns) / BUCKET_NS
        market.level_ns = ts_ns
    gain = market.level_var / (market.level_var + noise_var)
    market.level += gain * (price - market.level)
    market.level_var *= 1.0 - gain


@jit
def _learn_half_spread(market: Any, seen: float, weight: float) -> None:
    seen = min(max(seen, MIN_HALF_SPREAD), MAX_HALF_SPREAD)
    if np.isnan(market.half_spread):
        market.half_spread = seen
    else:
        market.half_spread += weight * (seen - market.half_spread)


@jit
def take_quote(market: Any, row: Any) -> None:
    """Take a change of the best quotes."""
    ts_ns = row.ts_ns
    if ts_ns > market.quote_ns:
        market.earlier_bid = market.bid
        market.earlier_ask = market.ask
        market.earlier_log_bid = market.log_bid
        market.earlier_log_ask = market.log_ask
        market.earlier_bid_size = market.bid_size
        market.earlier_ask_size = market.ask_size
        market.earlier_bid_since_ns = market.bid_since_ns
        market.earlier_ask_since_ns = market.ask_since_ns
        market.earlier_quote_ns = market.quote_ns
    if row.a != market.bid:
        market.bid_since_ns = ts_ns
    if row.b != market.ask:
        market.ask_since_ns = ts_ns
    if market.quote_ns > 0:
        # what stood until now, weighted by how long it did: a flicker of quotes teaches little
        stood = 0.5 * abs(market.log_ask - market.log_bid)
        _learn_half_spread(market, stood, min(0.05, (ts_ns - market.quote_ns) / SPREAD_MEMORY_NS))
    market.bid = row.a
    market.ask = row.b
    market.bid_size = row.c
    market.ask_size = row.d
    market.quote_ns = ts_ns
    market.log_bid = np.log(row.a)
    market.log_ask = np.log(row.b)
    half = 0.5 * abs(market.log_ask - market.log_bid)
    if np.isnan(market.half_spread):
        _learn_half_spread(market, half, 1.0)
    half = max(half, MIN_HALF_SPREAD)
    _learn_level(market, ts_ns, 0.5 * (market.log_bid + market.log_ask), half * half)
    market.bucket_mid[market.bucket_slot] = market.level


@jit
def take_trade(market: Any, row: Any) -> None:
    """Take a public print."""
    at = market.prints & (PRINTS - 1)
    if np.isnan(market.bid):
        price = np.log(row.a)
        last = (market.prints - 1) & (PRINTS - 1)
        if market.prints > 0 and row.ts_ns - market.print_ns[last] < BUCKET_NS:
            # without quotes half the usual jump from print to print stands for the half-spread
            _learn_half_spread(market, 0.5 * abs(price - np.log(market.print_price[last])), 0.01)
        noise = max(usual_half_spread(market), 2 * MIN_HALF_SPREAD)
        _learn_level(market, row.ts_ns, price, noise * noise)
    market.print_ns[at] = row.ts_ns
    market.print_price[at] = row.a
    market.print_amount[at] = row.b
    market.print_side[at] = row.side
    market.print_id[at] = row.id
    market.print_taker[at] = row.taker_order
    market.print_maker[at] = row.maker_order
    market.print_buyer[at] = row.buyer
    market.print_seller[at] = row.seller
    market.prints += 1
    market.bucket_cost[market.bucket_slot] += row.a * row.b
    market.bucket_amount[market.bucket_slot] += row.b


@jit
def take_candle(market: Any, row: Any, ts_ns: int) -> None:
    """Take a candle that closed at `ts_ns`."""
    market.candle_ns = ts_ns
    market.candle_close = np.log(row.d)
    market.candle_range = np.log(row.b / row.c)
    market.candle_length_ns = row.duration_ns
    if market.prints == 0 and np.isnan(market.bid):
        noise = max(0.25 * market.candle_range, MIN_HALF_SPREAD)
        _learn_level(market, ts_ns, market.candle_close, noise * noise)
        slot = market.bucket_slot
        market.bucket_mid[slot] = market.candle_close
        market.bucket_cost[slot] += row.d * row.e
        market.bucket_amount[slot] += row.e


@jit
def usual_half_spread(market: Any) -> float:
    """Usual half-spread, relative; a prior where none was seen."""
    if np.isnan(market.half_spread):
        return PRIOR_HALF_SPREAD
    return float(market.half_spread)


@jit
def level_at(market: Any, ts_ns: int) -> tuple[float, float]:
    """Filtered log price strictly before `ts_ns`, and its variance by then; NaN where unknown.

    It is kept within the best quotes: a book that is wide says little, but nothing outside it.
    """
    if market.level_ns == 0:
        return np.nan, np.nan
    if market.level_ns < ts_ns:
        level = market.level
        var = market.level_var
        since_ns = market.level_ns
    elif 0 < market.earlier_ns < ts_ns:  # else all that is known is of later
        level = market.earlier_level
        var = market.earlier_var
        since_ns = market.earlier_ns
    else:
        return np.nan, np.nan
    bid = market.log_bid
    ask = market.log_ask
    if market.quote_ns >= ts_ns:
        bid = market.earlier_log_bid
        ask = market.earlier_log_ask
    level = _within(level, bid, ask)
    var += market.sigma**2 * (ts_ns - since_ns) / BUCKET_NS
    return level, var


@jit
def settled_at(market: Any, ts_ns: int, age_ns: int) -> tuple[float, float]:
    """Log price that stood `age_ns` before `ts_ns` already, and its variance by then; NaN where unknown.

    What a book shows for a moment only, emptied or quoted anew just before a fill, isn't in it.
    """
    by_ns = ts_ns - age_ns
    if market.level_ns == 0:
        return np.nan, np.nan
    if market.level_ns <= by_ns:
        return level_at(market, ts_ns)
    for back in range(min(market.stood, STOOD)):
        at = (market.stood - 1 - back) & (STOOD - 1)
        if market.stood_ns[at] <= by_ns:
            age = (ts_ns - market.stood_ns[at]) / BUCKET_NS
            return market.stood_level[at], market.stood_var[at] + market.sigma**2 * age
    return np.nan, np.nan


@jit
def bucket_level(market: Any, slot: int) -> float:
    """Log price of a history bucket: quoted, else the average print; NaN where it had neither."""
    if not np.isnan(market.bucket_mid[slot]):
        return float(market.bucket_mid[slot])
    if market.bucket_amount[slot] > 0.0:
        return float(np.log(market.bucket_cost[slot] / market.bucket_amount[slot]))
    return np.nan


@jit
def history(levels: Any, n: int) -> tuple[float, float]:
    """Median log price, and volatility of one bucket, of levels in order of time (NaN: no price then).

    Volatility is the larger of two robust figures, from the median and from the 90th percentile of
    absolute returns over gaps, drawn to a prior while there are few: a calm book that jumps at
    times must not look certain.
    """
    kept = np.empty(BUCKETS)
    moves = np.empty(BUCKETS)
    count = 0
    n_moves = 0
    last = -1
    for i in range(n):
        if np.isnan(levels[i]):
            continue
        if last >= 0 and i - last <= HOUR_BUCKETS:
            moves[n_moves] = abs(levels[i] - levels[last]) / np.sqrt(i - last)
            n_moves += 1
        last = i
        kept[count] = levels[i]
        count += 1
    if count == 0:
        return np.nan, PRIOR_SIGMA
    ranked = np.sort(kept[:count])
    middle = 0.5 * (ranked[(count - 1) // 2] + ranked[count // 2])
    if n_moves == 0:
        return middle, PRIOR_SIGMA
    ranked = np.sort(moves[:n_moves])
    typical = ranked[n_moves // 2] / 0.6745
    wide = ranked[int(0.9 * (n_moves - 1))] / 1.645
    sigma = max(typical, wide, MIN_SIGMA)
    weight = n_moves / (n_moves + 6.0)
    return middle, weight * sigma + (1.0 - weight) * PRIOR_SIGMA


@jit
def roll_bucket(market: Any, ts_ns: int) -> bool:
    """Open the history bucket of `ts_ns` where it is later than the one open; True where one closed.

    The day's figures are made anew then, from closed buckets only.
    """
    if ts_ns < market.bucket_end_ns:
        return False
    first = market.bucket < 0
    number = ts_ns // BUCKET_NS
    slot = number % BUCKETS
    market.bucket = number
    market.bucket_slot = slot
    market.bucket_end_ns = (number + 1) * BUCKET_NS
    market.bucket_number[slot] = number
    market.bucket_mid[slot] = np.nan
    market.bucket_cost[slot] = 0.0
    market.bucket_amount[slot] = 0.0
    if first:
        return False
    # the hour's figures at each close, the day's every half hour (sooner while the day is young)
    whole_day = (
        number % DAY_EVERY == 0 or number - market.day_number >= DAY_EVERY or market.young < DAY_EVERY * 4
    )
    levels = np.empty(BUCKETS)
    amount = 0.0
    for i in range(BUCKETS - 1):
        at = number - BUCKETS + 1 + i
        levels[i] = np.nan
        if at >= 0 and market.bucket_number[at % BUCKETS] == at:
            levels[i] = bucket_level(market, at % BUCKETS)
            amount += market.bucket_amount[at % BUCKETS]
    market.hour_ago = hour_ago(levels, BUCKETS - 1)
    if whole_day:
        market.day_amount = amount
        market.day_median, market.sigma = history(levels, BUCKETS - 1)
        market.day_number = number
        market.young += 1
    return True


@jit
def hour_ago(levels: Any, n: int) -> float:
    """Median log price of the buckets 50 to 90 minutes back, else the last known before; NaN if none."""
    near = np.empty(8)
    count = 0
    for back in range(10, 18):
        i = n - back
        if i >= 0 and not np.isnan(levels[i]):
            near[count] = levels[i]
            count += 1
    if count > 0:
        return median(near, count)
    for i in range(n - 18, -1, -1):
        if not np.isnan(levels[i]):
            return float(levels[i])
    return np.nan
