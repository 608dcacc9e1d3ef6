"""What a fill was worth: several witnesses, none believed alone when another contradicts it.

The witnesses, each a log price with a standard deviation:

- the mark or index price in the venue's own message;
- the market itself just before: filtered mid within the best quotes, else the weighted median of
  the last public prints, else the last closed candle; the account's own prints and those of its
  order are left out;
- routes: the same coin priced through other markets (QTUM/USDT over BTC/USDT for QTUM/BTC), each
  corrected by its usual basis;
- the market's own past: an hour ago, the day's median;
- the last own fill that was believed, where there is nothing else.

Where market and route agree they are averaged by precision. Where they don't, a second independent
route decides; without one, whoever moved further from where it stood an hour and a day ago, in its
own volatility, is the one that was pushed or displaced.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from drainwatch.events import Liquidity
from drainwatch.kernel_cache import jit
from drainwatch.market import (
    BUCKET_NS,
    BUCKETS,
    HOUR_BUCKETS,
    MAX_HALF_SPREAD,
    MIN_HALF_SPREAD,
    PRINTS,
    PRIOR_HALF_SPREAD,
    bucket_level,
    history,
    hour_ago,
    level_at,
    settled_at,
    usual_half_spread,
)
from drainwatch.windows import weighted_median


class Source(IntEnum):
    """Whose word the fair price is, in the order of the output's `fair_source` names."""

    NONE = 0
    MARK = 1
    CROSS = 2
    MID = 3
    TRADES = 4
    HISTORY = 5
    CANDLES = 6
    OWN_FILLS = 7


SOURCES = ("none", "mark", "cross", "mid", "trades", "history", "candles", "own_fills")

USELESS = 0.25
"""A standard deviation (relative) from which on a witness has nothing to say."""
RATE_NOISE = 5e-4
"""What a route is never surer than: venues differ, legs aren't simultaneous."""
PRINTS_USED = 9
PRINT_WEIGHT_NS = 120_000_000_000
SETTLED_NS = 3_000_000_000
JUMP_MIN = 60e-4
JUMP_HALF_SPREADS = 3.0
"""A book that moves further than both within `SETTLED_NS` isn't believed yet."""
COMMITTED_SHARE = 0.25
"""What must be offered at the near side, in amounts of the fill, for a moved book to be meant."""
DISAGREE_SDS = 3.5
DOUBT_SIGMAS = 1.5
DISAGREE_MIN = 25e-4
DEAD_AMOUNTS = 20.0
"""A coin whose day's volume is less than so many of the fill is dead."""
HISTORY_SIGMAS = 2.5
DOUBLED = 0.6931471805599453
HALF_MORE = 0.4054651081081644
BASIS_STEP_SDS = 1.5
CLIPPED_SHARE = 1.28
"""Variance of a Gaussian over that of one clipped at 1.5 deviations."""
BASIS_BUCKETS = 144.0
"""How many buckets the usual basis of a route weighs: half a day."""


class Fair(NamedTuple):
    """A fill's fair value and what else the witnesses said. Log prices and relative deviations."""

    level: float  # NaN: nobody knows
    sd: float
    source: int
    own: float  # the market's own word, NaN if none
    own_sd: float
    own_source: int
    gap: float  # own minus route, NaN where there is no route
    gap_sd: float
    pushed: float  # how far own stands from an hour ago, moved by the route since, relative
    sigma: float  # the market's volatility of a bucket, own prints left out
    half_spread: float
    hour_ago: float
    day_median: float
    day_amount: float


@jit
def mark_own_prints(market: Any, pair: Any, fill: Any) -> int:
    """Remember which public print is this fill's own, before it is judged.

    By id; where a print has no id, by equal price and amount within a second. Returns the place in
    the ring of prints, -1 where it isn't there.
    """
    if fill.id != np.uint64(0):
        pair.own_id[fill.id % np.uint64(len(pair.own_id))] = fill.id
    if fill.order != np.uint64(0):
        pair.own_order[fill.order % np.uint64(len(pair.own_order))] = fill.order
    if fill.taker_order != np.uint64(0):
        pair.own_order[fill.taker_order % np.uint64(len(pair.own_order))] = fill.taker_order
    oldest = max(0, market.prints - PRINTS)
    for sequence in range(market.prints - 1, oldest - 1, -1):
        at = sequence % PRINTS
        if fill.ts_ns - market.print_ns[at] > 5_000_000_000:
            break
        if pair.own_print[at] == sequence:
            continue
        if market.print_id[at] != np.uint64(0):
            own = market.print_id[at] == fill.id
        else:
            own = (
                market.print_price[at] == fill.price
                and market.print_amount[at] == fill.amount
                and abs(fill.ts_ns - market.print_ns[at]) <= 1_000_000_000
            )
        if own:
            pair.own_print[at] = sequence
            number = market.print_ns[at] // BUCKET_NS
            slot = number % BUCKETS
            if pair.own_bucket[slot] != number:
                pair.own_bucket[slot] = number
                pair.own_cost[slot] = 0.0
                pair.own_amount[slot] = 0.0
            pair.own_cost[slot] += market.print_price[at] * market.print_amount[at]
            pair.own_amount[slot] += market.print_amount[at]
            if number < market.bucket:
                pair.view_bucket = -1  # a closed bucket changed
            return at
    return -1


@jit
def _is_own(market: Any, pair: Any, sequence: int) -> bool:
    """Whether a print in the market's ring is the account's own: by mark, by id, by either order."""
    at = sequence % PRINTS
    if pair.own_print[at] == sequence:
        return True
    key = market.print_id[at]
    if key != np.uint64(0) and pair.own_id[key % np.uint64(len(pair.own_id))] == key:
        return True
    key = market.print_taker[at]
    if key != np.uint64(0) and pair.own_order[key % np.uint64(len(pair.own_order))] == key:
        return True
    key = market.print_maker[at]
    return key != np.uint64(0) and pair.own_order[key % np.uint64(len(pair.own_order))] == key


@jit
def _half_spread_of_others(market: Any, pair: Any) -> float:
    """Usual half-spread without the account's own prints: quoted, else half the usual jump between prints."""
    if not np.isnan(market.bid):
        return usual_half_spread(market)
    total = 0.0
    count = 0
    last = -1
    for sequence in range(max(0, market.prints - PRINTS), market.prints):
        if _is_own(market, pair, sequence):
            continue
        at = sequence % PRINTS
        if last >= 0 and market.print_ns[at] - market.print_ns[last] < BUCKET_NS:
            jump = 0.5 * abs(np.log(market.print_price[at] / market.print_price[last]))
            total += min(jump, MAX_HALF_SPREAD)
            count += 1
        last = at
    # the prior weighs a few jumps: two prints at one price don't make a tight market
    return max((total + 3.0 * PRIOR_HALF_SPREAD) / (count + 3.0), MIN_HALF_SPREAD)


@jit
def refresh_view(market: Any, pair: Any) -> None:
    """The market's day without the account's own prints, made anew when the market's own is.

    Where the market is quoted its levels don't come from prints: only the amount differs then.
    """
    if pair.view_bucket == market.bucket:
        return
    pair.view_half_spread = _half_spread_of_others(market, pair)
    same_day = pair.view_bucket >= 0 and pair.view_day == market.day_number
    pair.view_bucket = market.bucket
    if same_day and not np.isnan(market.bid):
        pair.view_hour_ago = market.hour_ago
        return
    pair.view_day = market.day_number
    own = 0.0
    printed = False
    for i in range(BUCKETS):
        if pair.own_bucket[i] >= 0 and market.bucket - pair.own_bucket[i] < BUCKETS:
            printed = True
        # the day's amount ends where it was made: what was printed since isn't in it
        if market.day_number - BUCKETS < pair.own_bucket[i] < market.day_number:
            own += pair.own_amount[i]
    pair.view_day_amount = max(market.day_amount - own, 0.0)
    pair.view_hour_ago = market.hour_ago
    pair.view_sigma = market.sigma
    pair.view_day_median = market.day_median
    if not printed or not np.isnan(market.bid):
        return
    levels = np.empty(BUCKETS)
    for i in range(BUCKETS - 1):
        number = market.bucket - BUCKETS + 1 + i
        slot = number % BUCKETS
        levels[i] = np.nan
        if number < 0 or market.bucket_number[slot] != number:
            continue
        if pair.own_bucket[slot] != number or not np.isnan(market.bucket_mid[slot]):
            levels[i] = bucket_level(market, slot)
            continue
        rest = market.bucket_amount[slot] - pair.own_amount[slot]
        cost = market.bucket_cost[slot] - pair.own_cost[slot]
        if rest > 1e-6 * pair.own_amount[slot] and cost > 0.0:
            # to a billionth: taking own prints out must leave no trace of their price, not even of rounding
            levels[i] = np.round(np.log(cost / rest) * 1e9) * 1e-9
    pair.view_day_median, pair.view_sigma = history(levels, BUCKETS - 1)
    pair.view_hour_ago = hour_ago(levels, BUCKETS - 1)


@jit
def _prints_level(market: Any, pair: Any, ts_ns: int, sigma: float) -> tuple[float, float]:
    """Weighted median of the last prints strictly before `ts_ns` that aren't the account's own."""
    levels = np.empty(PRINTS_USED)
    weights = np.empty(PRINTS_USED)
    count = 0
    newest_ns = 0
    oldest = max(0, market.prints - PRINTS)
    for sequence in range(market.prints - 1, oldest - 1, -1):
        at = sequence % PRINTS
        if market.print_ns[at] >= ts_ns or _is_own(market, pair, sequence):
            continue
        if count == 0:
            newest_ns = market.print_ns[at]
        levels[count] = np.log(market.print_price[at])
        weights[count] = 1.0 / (1.0 + (newest_ns - market.print_ns[at]) / PRINT_WEIGHT_NS)
        count += 1
        if count == PRINTS_USED:
            break
    if count == 0:
        return np.nan, np.nan
    level = weighted_median(levels, weights, count)
    # the scatter of what was used, beside what the price may have moved since
    for i in range(count):
        levels[i] = abs(levels[i] - level)
    scatter = weighted_median(levels, weights, count)  # not the mean: one absurd print is no unrest
    scatter = max(scatter, pair.view_half_spread if count < 3 else 2 * MIN_HALF_SPREAD)
    return level, np.sqrt(scatter * scatter + sigma * sigma * (ts_ns - newest_ns) / BUCKET_NS)


@jit
def _committed(market: Any, fill: Any) -> float:
    """Log price at which somebody else stood ready to do the very same as the account; NaN if nobody.

    Who sells cheaply while others ask even less, or buys dearly while others bid even more, does what
    they do. To fake it a thief must stand at that price himself, for anyone to take, with an amount that
    counts. The account's own resting order is no such word.
    """
    if fill.liquidity == Liquidity.MAKER:
        return np.nan
    earlier = market.quote_ns >= fill.ts_ns
    if fill.side > 0:
        level = market.earlier_log_bid if earlier else market.log_bid
        size = market.earlier_bid_size if earlier else market.bid_size
    else:
        level = market.earlier_log_ask if earlier else market.log_ask
        size = market.earlier_ask_size if earlier else market.ask_size
    return level if size >= COMMITTED_SHARE * fill.amount else np.nan


@jit
def _own_word(market: Any, pair: Any, fill: Any) -> tuple[float, float, int]:
    """What the market itself says of its price just before a fill.

    A book that jumped against the account within the last seconds, by far more than it is wide, was
    as likely as not emptied or quoted for this very fill: then what stood before is believed, but for
    as far as others commit themselves to the new price.
    """
    ts_ns, side = fill.ts_ns, fill.side
    if not np.isnan(market.bid):
        level, var = level_at(market, ts_ns)
        if not np.isnan(level):
            settled, settled_var = settled_at(market, ts_ns, SETTLED_NS)
            jump = max(JUMP_MIN, JUMP_HALF_SPREADS * pair.view_half_spread)
            if side * (level - settled) > jump:
                committed = _committed(market, fill)
                if side * (committed - settled) > 0.0:
                    return committed, np.sqrt(var), Source.MID.value
                return settled, np.sqrt(settled_var), Source.MID.value
            return level, np.sqrt(var), Source.MID.value
    if market.prints > 0:
        level, sd = _prints_level(market, pair, ts_ns, pair.view_sigma)
        if not np.isnan(level):
            return level, sd, Source.TRADES.value
    if not np.isnan(market.candle_close) and market.candle_ns <= ts_ns:
        age = (ts_ns - market.candle_ns) / BUCKET_NS
        within = 0.25 * market.candle_range
        return (
            market.candle_close,
            np.sqrt(within * within + market.sigma**2 * max(age, 0.1)),
            Source.CANDLES.value,
        )
    return np.nan, np.nan, Source.NONE.value


@jit
def route_level(markets: Any, market: Any, route: int, ts_ns: int) -> tuple[float, float]:
    """Log price of a market through one of its routes, without its basis, and its variance."""
    level, var = level_at(markets[market.route_first[route]], ts_ns)
    level *= market.route_first_sign[route]
    second = market.route_second[route]
    if second >= 0:
        other, other_var = level_at(markets[second], ts_ns)
        level += market.route_second_sign[route] * other
        var += other_var
    return level, var + RATE_NOISE * RATE_NOISE


@jit
def learn_bases(markets: Any, market: Any, ts_ns: int) -> None:
    """Learn the usual gap between a market and its routes, once a closed bucket.

    A step counts for `BASIS_STEP_SDS` usual deviations at most, in the basis and in its variance, so that
    hours of a moved price teach little: with wider steps the variance follows a slow push and hides it.
    """
    level, own_var = level_at(market, ts_ns)
    if np.isnan(level) or own_var > USELESS * USELESS:
        return
    for route in range(market.routes):
        other, var = route_level(markets, market, route, ts_ns)
        if np.isnan(other) or var > USELESS * USELESS:
            continue
        step = level - other - market.route_basis[route]
        known = market.route_var[route]
        limit = BASIS_STEP_SDS * np.sqrt(known + own_var + var)
        step = min(max(step, -limit), limit)
        market.route_count[route] += 1
        weight = 1.0 / min(market.route_count[route] + 1.0, BASIS_BUCKETS)
        market.route_basis[route] += weight * step
        market.route_var[route] = (1.0 - weight) * (known + weight * CLIPPED_SHARE * step * step)


@jit
def _best_routes(markets: Any, market: Any, ts_ns: int) -> tuple[float, float, int, float, float]:
    """The surest route with its basis, and the surest other one that shares no first leg with it."""
    best = np.nan
    best_var = USELESS * USELESS
    best_route = -1
    second = np.nan
    second_var = USELESS * USELESS
    for route in range(market.routes):
        level, var = route_level(markets, market, route, ts_ns)
        if np.isnan(level):
            continue
        var += market.route_var[route]
        level += market.route_basis[route]
        shares_leg = best_route >= 0 and market.route_first[route] == market.route_first[best_route]
        if var < best_var:
            if not shares_leg and best_route >= 0:
                second, second_var = best, best_var
            best, best_var, best_route = level, var, route
        elif not shares_leg and var < second_var:
            second, second_var = level, var
    return best, np.sqrt(best_var), best_route, second, np.sqrt(second_var)


@jit
def _unrest(level: float, sd: float, hour: float, day: float, sigma: float) -> float:
    """How far a price stands from where it was, in its own volatility, beyond its own noise."""
    hourly = 0.0
    daily = 0.0
    if not np.isnan(hour):
        hourly = max(abs(level - hour) - sd, 0.0) / (sigma * np.sqrt(HOUR_BUCKETS))
    if not np.isnan(day):
        daily = max(abs(level - day) - sd, 0.0) / (sigma * np.sqrt(BUCKETS / 3.0))
    return max(hourly, daily)


@jit
def _route_unrest(markets: Any, market: Any, route: int, level: float, sd: float) -> float:
    """The same for a route: its legs' past, its legs' volatilities."""
    first = markets[market.route_first[route]]
    hour = market.route_first_sign[route] * first.hour_ago
    day = market.route_first_sign[route] * first.day_median
    var = first.sigma * first.sigma
    second = market.route_second[route]
    if second >= 0:
        leg = markets[second]
        hour += market.route_second_sign[route] * leg.hour_ago
        day += market.route_second_sign[route] * leg.day_median
        var += leg.sigma * leg.sigma
    return _unrest(level - market.route_basis[route], sd, hour, day, np.sqrt(var))


@jit
def _route_move(markets: Any, market: Any, route: int, level: float) -> float:
    """How far a route has moved since an hour ago; NaN where it isn't known."""
    first = markets[market.route_first[route]]
    hour = market.route_first_sign[route] * first.hour_ago
    second = market.route_second[route]
    if second >= 0:
        hour += market.route_second_sign[route] * markets[second].hour_ago
    return level - market.route_basis[route] - hour


@jit
def fair_value(markets: Any, number: int, pair: Any, fill: Any) -> Fair:
    """Fair value of a fill from what was known strictly before it.

    `mark_own_prints` must have been called for it. See the module's text for the rule.
    """
    market = markets[number]
    refresh_view(market, pair)
    ts_ns = fill.ts_ns
    own, own_sd, own_source = _own_word(market, pair, fill)
    sigma = pair.view_sigma
    half_spread = pair.view_half_spread
    route, route_sd, route_at, second, second_sd = _best_routes(markets, market, ts_ns)
    gap = np.nan
    gap_sd = np.nan
    pushed = np.nan
    level = np.nan
    sd = np.nan
    source = Source.NONE.value
    if not np.isnan(own) and not np.isnan(pair.view_hour_ago):
        pushed = own - pair.view_hour_ago
        if route_at >= 0:
            moved = _route_move(markets, market, route_at, route)
            if not np.isnan(moved):
                pushed -= moved
    if fill.mark > 0.0:
        level = np.log(fill.mark)
        sd = RATE_NOISE
        source = Source.MARK.value
        if not np.isnan(own):
            gap = own - level
            gap_sd = np.sqrt(own_sd * own_sd + sd * sd)
    elif route_at >= 0 and not np.isnan(own) and own_sd < USELESS:
        gap = own - route
        gap_sd = np.sqrt(own_sd * own_sd + route_sd * route_sd)
        if abs(gap) <= max(DISAGREE_SDS * gap_sd, DISAGREE_MIN):
            weight = route_sd * route_sd / (own_sd * own_sd + route_sd * route_sd)
            level = weight * own + (1.0 - weight) * route
            sd = own_sd * route_sd / gap_sd
            source = own_source if weight >= 0.5 else Source.CROSS.value
        else:
            # in doubt the route: several books are harder to move than one, and a price that was moved
            # long ago stands where it stood an hour ago
            unrest = _unrest(own, own_sd, pair.view_hour_ago, pair.view_day_median, sigma)
            route_unrest = _route_unrest(markets, market, route_at, route, route_sd)
            trust_route = unrest >= route_unrest - DOUBT_SIGMAS
            if not np.isnan(second):
                with_route = abs(second - route) / np.sqrt(second_sd**2 + route_sd**2)
                with_own = abs(second - own) / np.sqrt(second_sd**2 + own_sd**2)
                if min(with_route, with_own) < DISAGREE_SDS:
                    trust_route = with_route < with_own
            if trust_route:
                level, sd, source = route, route_sd, Source.CROSS.value
            else:
                level, sd, source = own, own_sd, own_source
    elif route_at >= 0:
        level, sd, source = route, route_sd, Source.CROSS.value
    elif not np.isnan(own) and own_sd < USELESS:
        level, sd, source = own, own_sd, own_source
        new_to_account = pair.fills == 0 or ts_ns - pair.first_ns < BUCKETS * BUCKET_NS
        dead = pair.view_day_amount < DEAD_AMOUNTS * fill.amount
        if new_to_account or dead:
            # a coin that the account never held, or hardly anybody trades, and nothing else prices: its
            # price now may have been made for it. Where it is dead and new that is plain beyond its usual
            # range, where it is dead and known beyond half as much again, else beyond doubling.
            band = HISTORY_SIGMAS * sigma * np.sqrt(float(BUCKETS))
            if not dead:
                band = max(band, DOUBLED)
            elif not new_to_account:
                band = max(band, HALF_MORE)
            moved = own - pair.view_day_median
            if abs(moved) > band and fill.side * moved > 0.0:
                level = pair.view_day_median + np.sign(moved) * band
                sd = max(own_sd, 0.2 * band)
                source = Source.HISTORY.value
    elif not np.isnan(pair.trusted_price):
        age = (ts_ns - pair.trusted_ns) / BUCKET_NS
        own_sigma = pair.trusted_sigma
        # prices of thin coins jump: the longer ago, the less a Gaussian's deviation says
        own_sigma *= 1.0 + 0.6 * min(max(age, 0.0) / (2.0 * HOUR_BUCKETS), 1.0)
        deviation = np.sqrt(1e-6 + own_sigma * own_sigma * max(age, 0.0))
        if deviation < USELESS:
            level, sd, source = pair.trusted_price, deviation, Source.OWN_FILLS.value
            sigma = own_sigma
    return Fair(
        level,
        sd,
        source,
        own,
        own_sd,
        own_source,
        gap,
        gap_sd,
        pushed,
        sigma,
        half_spread,
        pair.view_hour_ago,
        pair.view_day_median,
        pair.view_day_amount,
    )
