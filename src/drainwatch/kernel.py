"""The compiled loop: market rows and fills in order in, a feature row and a judgement a fill out.

One function for one live event and for a million replayed ones. It stops where its arrays are full
or a market appears for the first time, says why, and goes on when called again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch.account import (
    ACCOUNT,
    FILLS_KEPT,
    HOLDING,
    PAIR,
    fade_flows,
    learn_mean,
    refresh_equity,
    reset_pair,
    unit_value,
)
from drainwatch.detector import VOTES, Judge, final_score, forest_scores, stranger, weigh
from drainwatch.events import FORCED, Kind
from drainwatch.evidence import (
    LOGGED_SHARE,
    evidence,
    take_excess,
    take_logged,
    take_trip_sigmas,
    take_unlike,
    unlike_is_usual,
)
from drainwatch.fair import USELESS, Source, fair_value, learn_bases, mark_own_prints
from drainwatch.features.counterparty import (
    counterparty_features,
    party_of,
    take_own_amount,
    take_party,
    take_repeats,
)
from drainwatch.features.flow import (
    cross_trip_sigmas,
    flow_features,
    take_flow,
    take_position,
    take_trip,
    trip_sigmas,
)
from drainwatch.features.habit import habit_features, in_log, learn_habits, learn_kind, unlike_nats
from drainwatch.features.price import (
    SIGMAS_LEARNED,
    allowance_bps,
    deviation_bps,
    noise_bps,
    price_features,
    sequence_features,
)
from drainwatch.features.registry import COUNT, FAMILIES
from drainwatch.kernel_cache import jit
from drainwatch.market import BUCKET_NS, MARKET, level_at, roll_bucket, take_candle, take_quote, take_trade
from drainwatch.precedent import precedent
from drainwatch.rules import tripped
from drainwatch.windows import find, mix, put

DONE = 0
NEW_MARKET = 1
PAIRS_FULL = 2
HOLDINGS_FULL = 3
LOG_FULL = 4

STABLE_RANK = 0
UNPRICED_RANK = 9
INVERSE_LEAST = 0.9
"""An inverse contract is worth so many quote units at the least: venues have 1, 10 and 100."""
COST_PRIOR_FILLS = 30.0
"""So many fills of a kind the prior of its usual cost weighs."""
COST_STEP_SDS = 1.5
EQUITY_ORDERS = 5.0
"""Without balances the account is taken to be worth so many of its largest orders."""

CURRENCY = np.dtype([("value", "f8"), ("rank", "i8")], align=True)
"""Worth of one unit, and over how many markets that was found (0: a dollar by name)."""

JUDGED = np.dtype(
    [
        ("fair", "f8"),  # NaN: blind
        ("fair_sd", "f8"),
        ("source", "i1"),
        ("level", "i1"),  # of information
        ("flagged", "i1"),
        ("counts", "i1"),  # worse than usual: belongs to an incident under way
        ("logged", "i1"),  # 1 in the owner's log, 0 not, -1 no log that speaks
        ("deviation_bps", "f8"),
        ("sigmas", "f8"),
        ("score", "f8"),
        ("total", "f8"),  # sum of votes, nats
        ("peers", "f8", (len(VOTES),)),  # votes in nats, before their weights
        ("rules", "i8"),
        ("evidence", "f8"),
        ("share", "f8"),  # of the votes that counts: 1 for a fill worse than usual
        ("loss_quote", "f8"),  # adverse deviation in quote units, positive is a loss; NaN: blind
        ("fee_quote", "f8"),  # NaN: unknown
        ("quote_value", "f8"),  # worth of one quote unit
        ("equity", "f8"),  # units of value just before the fill; NaN without balances
        ("run", "i8"),  # excursion of the account's sequential test
        ("gap_sigmas", "f8"),  # market against its routes, adverse
        ("own_level", "f8"),  # the market's own word, log
    ],
    align=True,
)


class State(NamedTuple):
    """All that the engine remembers, as arrays."""

    markets: NDArray[np.void]
    accounts: NDArray[np.void]
    pairs: NDArray[np.void]
    pair_keys: NDArray[np.uint64]
    pair_slots: NDArray[np.int32]
    holdings: NDArray[np.void]
    holding_keys: NDArray[np.uint64]
    holding_slots: NDArray[np.int32]
    log_keys: NDArray[np.uint64]
    log_slots: NDArray[np.int32]
    currencies: NDArray[np.void]
    counts: NDArray[np.int64]
    """Pairs, holdings, log entries; of the call under way: rows and fills taken, market met, if by a row."""


N_PAIRS, N_HOLDINGS, N_LOG, AT_ROW, AT_FILL, MET, MET_ROW = range(7)
FOREVER_NS = 1 << 62

__all__ = ["ACCOUNT", "CURRENCY", "HOLDING", "JUDGED", "MARKET", "PAIR", "State", "run"]


@jit
def _learn_values(currencies: Any, market: Any, ts_ns: int) -> None:
    """Price base and quote through this market, where no shorter way from a dollar is known."""
    if market.derivative:
        return
    level, var = level_at(market, ts_ns)
    if np.isnan(level) or var > USELESS * USELESS:
        return
    _price_currencies(currencies, market, np.exp(level))


@jit
def _price_currencies(currencies: Any, market: Any, price: float) -> None:
    base = currencies[market.base]
    quote = currencies[market.quote]
    if quote.rank == UNPRICED_RANK and base.rank == UNPRICED_RANK:
        quote.value = 1.0
        quote.rank = UNPRICED_RANK - 2
    if quote.rank < UNPRICED_RANK and quote.rank + 1 <= base.rank:
        base.value = price * quote.value
        base.rank = quote.rank + 1
    elif base.rank < UNPRICED_RANK and base.rank + 1 <= quote.rank:
        quote.value = base.value / price
        quote.rank = base.rank + 1


@jit
def _holding(state: State, owner: int, currency: int) -> int:
    """Number of an account's holding of a currency, made where there is none."""
    key = mix(np.uint64(owner), np.uint64(currency))
    number = find(state.holding_keys, state.holding_slots, key)
    if number < 0:
        number = state.counts[N_HOLDINGS]
        state.counts[N_HOLDINGS] += 1
        put(state.holding_keys, state.holding_slots, key, number)
        holding = state.holdings[number]
        holding.account = owner
        holding.currency = currency
        holding.total = 0.0
        holding.told = 0
        account = state.accounts[owner]
        holding.next = account.first_hold
        account.first_hold = number
    return number


@jit
def _pair(state: State, owner: int, market: int) -> int:
    """Number of the record of an account in a market, made where there is none."""
    key = mix(np.uint64(owner), np.uint64(market) + np.uint64(1 << 32))
    number = find(state.pair_keys, state.pair_slots, key)
    if number < 0:
        number = state.counts[N_PAIRS]
        state.counts[N_PAIRS] += 1
        put(state.pair_keys, state.pair_slots, key, number)
        pair = state.pairs[number]
        reset_pair(pair)
        pair.account = owner
        pair.market = market
        pair.hold_base = _holding(state, owner, state.markets[market].base)
        pair.hold_quote = _holding(state, owner, state.markets[market].quote)
    return number


@jit
def _take_row(state: State, row: Any) -> None:
    """Take one row of a market, a balance or the owner's order log."""
    if row.kind == Kind.BALANCE.value:
        holding = state.holdings[_holding(state, row.account, row.currency)]
        holding.total = row.a
        holding.told = 1
        account = state.accounts[row.account]
        account.has_balances = 1
        account.equity = np.nan  # value it anew at the next fill
        return
    if row.kind == Kind.ORDER.value:
        account = state.accounts[row.account]
        account.log_count += 1
        # a row without a time has been known from the start, and its log never falls silent
        account.log_ns = max(account.log_ns, row.ts_ns if row.ts_ns > 0 else FOREVER_NS)
        for id_hash in (row.id, row.client):
            if id_hash != np.uint64(0):
                key = mix(id_hash, np.uint64(row.account))
                if find(state.log_keys, state.log_slots, key) < 0:
                    put(state.log_keys, state.log_slots, key, 1)
                    state.counts[N_LOG] += 1
        return
    market = state.markets[state.markets[row.market].stands_for]
    market.rows += 1
    own_ns = row.ts_ns
    if row.kind == Kind.CANDLE.value and row.id != np.uint64(0):
        # told late: it belongs to the past, and says nothing to a market that is beyond it already
        own_ns = np.int64(row.id)
        if market.level_ns >= own_ns or market.candle_ns >= own_ns:
            return
    if roll_bucket(market, own_ns):
        learn_bases(state.markets, market, own_ns)
        _learn_values(state.currencies, market, own_ns)
    if row.kind == Kind.QUOTE.value:
        take_quote(market, row)
    elif row.kind == Kind.TRADE.value:
        take_trade(market, row)
    else:
        take_candle(market, row, own_ns)
    if (
        state.currencies[market.base].rank == UNPRICED_RANK
        or state.currencies[market.quote].rank == UNPRICED_RANK
    ):
        _learn_values(state.currencies, market, own_ns + 1)


@jit
def _contract_size(market: Any, fill: Any) -> float:
    """Quote units of a fill = this x price x amount (x amount alone for an inverse contract)."""
    if market.contract_size > 0.0:
        return float(market.contract_size)
    if fill.cost > 0.0:
        told = fill.cost / fill.amount if market.inverse else fill.cost / (fill.price * fill.amount)
        if market.inverse and told < INVERSE_LEAST and told * fill.price >= INVERSE_LEAST:
            told *= fill.price  # ccxt gives the cost of an inverse contract in its base coin
        return 1.0 if abs(told - 1.0) < 0.02 else told
    return 1.0


@jit
def _information(markets: Any, market: Any, source: int) -> int:
    """Level of what the fill is judged against (`detector.LEVELS`)."""
    if source in (Source.MARK.value, Source.MID.value):
        return 3
    if source == Source.CROSS.value:
        leg = markets[market.route_first[0]]
        if leg.quote_ns > 0 or market.quote_ns > 0:
            return 3
        return 2 if leg.prints > 0 or market.prints > 0 else 1
    if source == Source.TRADES.value:
        return 2
    if source == Source.HISTORY.value:
        if market.quote_ns > 0:
            return 3
        return 2 if market.prints > 0 else 1
    return 1 if source == Source.CANDLES.value else 0


@jit
def _roll_holdings(state: State, pair: Any, market: Any, fill: Any, notional: float) -> None:
    """Roll what the account holds forward by the fill and its fee. A contract moves only its fee."""
    if not market.derivative:
        state.holdings[pair.hold_base].total += fill.side * fill.amount
        state.holdings[pair.hold_quote].total -= fill.side * notional
    if fill.fee_currency >= 0 and not np.isnan(fill.fee_cost):
        state.holdings[_holding(state, fill.account, fill.fee_currency)].total -= fill.fee_cost


@jit
def _quote_unit(state: State, pair: Any, price: float) -> float:
    """Worth of one unit of a pair's quote currency; where no market tells, own fills do.

    Only the account's own: what others trade must not change how it is judged.
    """
    base = state.holdings[pair.hold_base]
    quote = state.holdings[pair.hold_quote]
    unit = unit_value(quote, state.currencies)
    if unit > 0.0:
        if base.value == 0.0:
            base.value = price * unit
        return unit
    known = unit_value(base, state.currencies)
    quote.value = known / price if known > 0.0 else 1.0
    if known == 0.0:
        base.value = price
    return float(quote.value)


@jit
def _learn(
    account: Any,
    pair: Any,
    fill: Any,
    sigmas: float,
    deviation: float,
    fair_sd: float,
    logged: float,
    new_order: bool,
    order_value: float,
    noise_value: float,
) -> None:
    """Learn what is usual from a fill of which nothing bad was said."""
    if new_order:
        learn_habits(account, fill, logged)
        size = np.log(max(order_value, 1e-300))
        if account.size_count == 0.0:
            account.size = size
        account.size, account.size_var, account.size_count = learn_mean(
            account.size, account.size_var, account.size_count, size, 200.0
        )
        account.learned += 1
    account.largest = max(account.largest, order_value)
    if not np.isnan(sigmas) and sigmas < SIGMAS_LEARNED:
        kind = fill.liquidity
        count = max(account.cost_count[kind], COST_PRIOR_FILLS)
        # a step of so many usual deviations at most: a bleed must not teach that bleeding is usual
        step = deviation - account.cost[kind]
        limit = COST_STEP_SDS * np.sqrt(account.cost_var[kind] + 1e8 * fair_sd * fair_sd)
        seen = account.cost[kind] + min(max(step, -limit), limit)
        # dust counts little: what is usual is what the account pays on the orders that matter to it
        weight = min(order_value / max(np.exp(account.size), 0.1 * account.largest), 1.0)
        mean, var, count = learn_mean(account.cost[kind], account.cost_var[kind], count, seen, 300.0)
        account.cost[kind] += weight * (mean - account.cost[kind])
        account.cost_var[kind] += weight * (var - account.cost_var[kind])
        account.cost_count[kind] = count
        account.loss_noise += (noise_value - account.loss_noise) / min(account.fills + 1.0, 100.0)
    price = np.log(fill.price)
    if not np.isnan(pair.trusted_price):
        age = max((fill.ts_ns - pair.trusted_ns) / BUCKET_NS, 0.2)
        moved = abs(price - pair.trusted_price) / np.sqrt(age) / 0.8
        pair.trusted_sigma += 0.08 * (min(moved, 4.0 * pair.trusted_sigma) - pair.trusted_sigma)
        pair.trusted_sigma = max(pair.trusted_sigma, 8e-4)
    pair.trusted_price = price
    pair.trusted_ns = fill.ts_ns


@jit
def _judge_fill(
    state: State, judge: Judge, fill: Any, out: Any, x: Any, room: Any, keys: Any, scores: Any
) -> None:
    """Judge one fill, then let the account learn from it."""
    account = state.accounts[fill.account]
    pair = state.pairs[_pair(state, fill.account, fill.market)]
    number = state.markets[fill.market].stands_for
    market = state.markets[number]
    ts_ns = fill.ts_ns
    printed = mark_own_prints(market, pair, fill)
    fair = fair_value(state.markets, number, pair, fill)

    # money
    size = _contract_size(market, fill)
    notional = size * fill.amount * (1.0 if market.inverse else fill.price)
    unit = _quote_unit(state, pair, fill.price)
    value = notional * unit
    refresh_equity(account, ts_ns, state.holdings, state.currencies)
    equity = account.equity
    estimate = equity
    if not equity > 0.0:
        estimate = EQUITY_ORDERS * (account.largest if account.largest > 0.0 else value)
    fee_value = 0.0
    out.fee_quote = np.nan
    if fill.fee_currency >= 0 and not np.isnan(fill.fee_cost):
        fee_unit = unit_value(
            state.holdings[_holding(state, fill.account, fill.fee_currency)], state.currencies
        )
        if fee_unit > 0.0:
            fee_value = fill.fee_cost * fee_unit
            out.fee_quote = fee_value / unit

    # what it cost beyond the usual
    deviation = deviation_bps(fill, fair.level)
    allowance = allowance_bps(account, fill, fair.half_spread)
    noise = noise_bps(account, fill, fair.sd)
    sigmas = (deviation - allowance) / noise
    forced = fill.flags & FORCED
    if forced:
        sigmas = min(sigmas, 0.0)
    if fill.order != np.uint64(0):
        new_order = pair.fills == 0 or fill.order != pair.run_order
    else:
        new_order = pair.fills == 0 or fill.side != pair.run_side or ts_ns - pair.run_ns > 1_000_000_000
    logged = in_log(account, fill, state.log_keys, state.log_slots)
    # deviations are relative to what it was worth, not to what was paid for it
    worth = value * np.exp(fair.level) / fill.price
    counted = worth * (LOGGED_SHARE if logged > 0.0 else 1.0)
    excess_value = 1e-4 * (deviation - allowance) * counted
    noise_value = 1e-4 * noise * worth
    if (
        forced
    ):  # what the venue closes is no doing of the account's: it counts for nothing and teaches nothing
        counted = 0.0
        excess_value = 0.0
    fade_flows(account, ts_ns)
    take_excess(account, ts_ns, new_order, sigmas, excess_value, 1e-4 * noise * counted)
    trip = trip_sigmas(pair, fill, fair.sigma, allowance)
    base = state.holdings[pair.hold_base]
    unit_price = value / fill.amount  # of one unit of the base, in value
    if np.isnan(trip) and not market.derivative:
        trip = cross_trip_sigmas(base, fill, unit_price, fair.sigma, allowance)
    if forced:
        trip = np.nan
    take_trip_sigmas(account, new_order, trip)
    take_logged(account, ts_ns, new_order, logged)

    # what happened
    order_value = take_flow(pair, account, fill, fair.level, value, fee_value, new_order)
    place = take_party(account, fill, party_of(market, fill, printed), value)
    take_repeats(pair, fill, new_order)
    take_own_amount(pair, fill)

    part = 1.0 if np.isnan(sigmas) else min(max(sigmas, 0.0), 1.0)
    if logged > 0.0:
        part *= LOGGED_SHARE
    price_features(x, fair, pair, account, fill, estimate, sigmas)
    sequence_features(x, account, estimate, part, trip, logged)
    flow_features(x, fair, pair, account, fill, estimate, order_value)
    counterparty_features(x, fair, market, pair, account, fill, place)
    new_market = pair.orders == 0
    if new_order:
        pair.run_unlike = np.nan if forced else unlike_nats(x, account, fill, new_market, logged)
        if not np.isnan(pair.run_unlike):
            take_unlike(account, ts_ns, pair.run_unlike)
    habit_features(x, account, fill, logged, pair.run_unlike)

    # judgement
    level = _information(state.markets, market, fair.source)
    if level >= 2 and not np.isnan(logged):
        level = 4
    forest_scores(judge, x, room, keys, scores)
    against = part * evidence(account, estimate)
    bits = 0 if forced else tripped(x)
    share = 1.0 if np.isnan(sigmas) else min(max(0.6 + 0.4 * sigmas, 0.3), 1.0)
    if logged > 0.0:
        share *= 0.5
    if forced:
        share = 0.1
    known = 0.0 if forced else precedent(judge.precedent, x)
    total = weigh(judge, level, scores, against, stranger(x, share), bits, share, known, out.peers)
    score = final_score(judge, level, total)
    flagged = score >= judge.threshold

    out.fair = np.exp(fair.level)
    out.fair_sd = fair.sd
    out.source = fair.source
    out.level = level
    out.flagged = 1 if flagged else 0
    out.counts = 1 if flagged or sigmas >= 1.0 else 0
    out.logged = -1 if np.isnan(logged) else int(logged)
    out.deviation_bps = deviation
    out.sigmas = sigmas
    out.score = score
    out.total = total
    out.rules = bits
    out.evidence = against
    out.share = share
    out.loss_quote = notional * fill.side * (1.0 - out.fair / fill.price)
    out.quote_value = unit
    out.equity = equity
    out.run = account.run
    out.gap_sigmas = fill.side * fair.gap / fair.gap_sd
    out.own_level = fair.own

    # from here on it is the past
    if not flagged:
        base.value = unit_price
        learned = np.nan if forced else sigmas
        _learn(account, pair, fill, learned, deviation, fair.sd, logged, new_order, order_value, noise_value)
    if new_order and not forced and unlike_is_usual(account, ts_ns, flagged):
        learn_kind(account, fill, new_market)
    take_trip(pair, fill)
    if not market.derivative:
        take_position(base, fill, fill.amount, unit_price)
    at = pair.ring % FILLS_KEPT
    pair.ring_ns[at] = ts_ns
    pair.ring_price[at] = fill.price
    pair.ring_amount[at] = fill.amount
    pair.ring_side[at] = fill.side
    pair.ring_order[at] = fill.order
    pair.ring_checked[at] = 0
    pair.ring += 1
    if pair.fills == 0:
        pair.first_ns = ts_ns
    pair.fills += 1
    pair.orders += 1 if new_order else 0
    pair.last_ns = ts_ns
    if account.fills == 0:
        account.first_ns = ts_ns
    account.fills += 1
    account.last_ns = ts_ns
    if new_order:
        account.order_ns = ts_ns
    _roll_holdings(state, pair, market, fill, notional)


@jit
def run(state: State, judge: Judge, rows: Any, fills: Any, judged: Any, features: Any) -> int:
    """Take events from where `counts` says on: rows first at equal times. Returns why it stopped.

    `judged` and `features` (n_fills, n_features) get one row a fill. `DONE`: all were taken.
    """
    counts = state.counts
    room = np.empty(COUNT)
    keys = np.empty(COUNT, np.int64)
    scores = np.empty(len(FAMILIES))
    n_rows = len(rows)
    n_fills = len(fills)
    while counts[AT_ROW] < n_rows or counts[AT_FILL] < n_fills:
        if counts[N_HOLDINGS] + 5 > len(state.holdings):
            return HOLDINGS_FULL
        at = counts[AT_ROW]
        is_row = at < n_rows and (
            counts[AT_FILL] >= n_fills or rows[at].ts_ns <= fills[counts[AT_FILL]].ts_ns
        )
        number = rows[at].market if is_row else fills[counts[AT_FILL]].market
        if number >= 0:
            market = state.markets[number]
            if market.active == 0 or (is_row and market.rows == 0):
                counts[MET] = number
                counts[MET_ROW] = 1 if is_row else 0
                return NEW_MARKET
        if is_row:
            if rows[at].kind == Kind.ORDER.value and 2 * (counts[N_LOG] + 2) > len(state.log_keys):
                return LOG_FULL
            _take_row(state, rows[at])
            counts[AT_ROW] += 1
        else:
            if counts[N_PAIRS] + 1 > len(state.pairs):
                return PAIRS_FULL
            fill = counts[AT_FILL]
            _judge_fill(state, judge, fills[fill], judged[fill], features[fill], room, keys, scores)
            counts[AT_FILL] += 1
    return DONE
