"""Counterparty features: whether it is always the same one on the other side."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.account import FILLS_KEPT, HOUR_NS, PARTIES, TAPE_BUCKETS
from drainwatch.events import Liquidity
from drainwatch.features.registry import index
from drainwatch.kernel_cache import jit
from drainwatch.market import BUCKET_NS, BUCKETS
from drainwatch.windows import decay

PARTY_SHARE = index("party_share")
PARTY_RUN = index("party_run")
BOTH_SIDES = index("party_both_sides")
TAPE_SHARE = index("tape_share")
EQUAL_AMOUNTS = index("equal_amounts")
LEVEL_REPEATS = index("level_repeats")
FRESH_LEVEL = index("fresh_level")
QUOTE_DISTANCE = index("quote_distance_bps")

EQUAL = 0.005
FRESH_S = 10.0
BOUGHT = 1
SOLD = 2


@jit
def party_of(market: Any, fill: Any, printed: int) -> np.uint64:
    """The other side: its id, else its order's, from the fill or from its print; 0 where nobody tells."""
    if fill.counterparty != np.uint64(0):
        return fill.counterparty
    if printed >= 0:
        other = market.print_seller[printed] if fill.side > 0 else market.print_buyer[printed]
        if other != np.uint64(0):
            return other
    maker = fill.maker_order
    taker = fill.taker_order
    if printed >= 0:
        if maker == np.uint64(0):
            maker = market.print_maker[printed]
        if taker == np.uint64(0):
            taker = market.print_taker[printed]
    if fill.order != np.uint64(0):
        if maker == fill.order:
            return taker
        if taker == fill.order:
            return maker
    return maker if fill.liquidity != Liquidity.MAKER.value else taker


@jit
def take_party(account: Any, fill: Any, party: np.uint64, value: float) -> int:
    """Take in whom the account traded with; returns the party's place in the list, -1 where unknown."""
    if party == np.uint64(0):
        return -1
    account.party_run = account.party_run + 1 if party == account.party_last else 1
    account.party_last = party
    account.party_total += value
    account.party_count += 1
    least = 0
    for i in range(PARTIES):
        if account.party[i] == party:
            least = i
            break
        if account.party_value[i] < account.party_value[least]:
            least = i
    if account.party[least] != party:
        account.party[least] = party
        account.party_value[least] = 0.0
        account.party_sides[least] = 0
    if fill.ts_ns - account.party_ns[least] > HOUR_NS:
        account.party_sides[least] = 0
    account.party_ns[least] = fill.ts_ns
    account.party_value[least] += value
    account.party_sides[least] |= BOUGHT if fill.side > 0 else SOLD
    return least


@jit
def take_repeats(pair: Any, fill: Any, new_order: bool) -> None:
    """Take in amounts that mirror an earlier fill's, and prices taken again by another order."""
    faded = decay(fill.ts_ns - pair.last_ns, HOUR_NS) if pair.fills > 0 else 1.0
    pair.equal_repeats *= faded
    pair.level_repeats *= faded
    mirrored = False
    repeated = False
    for i in range(min(pair.ring, FILLS_KEPT)):
        if fill.ts_ns - pair.ring_ns[i] > HOUR_NS:
            continue
        same_amount = abs(pair.ring_amount[i] - fill.amount) <= EQUAL * fill.amount
        if pair.ring_side[i] != fill.side and same_amount:
            mirrored = True
        if pair.ring_side[i] == fill.side and pair.ring_price[i] == fill.price and new_order:
            repeated = True
    pair.equal_repeats += 1.0 if mirrored else 0.0
    pair.level_repeats += 1.0 if repeated else 0.0


@jit
def take_own_amount(pair: Any, fill: Any) -> None:
    """Take in what the account traded here in this five-minute bucket."""
    number = fill.ts_ns // BUCKET_NS
    slot = number % TAPE_BUCKETS
    if pair.lately_bucket[slot] != number:
        pair.lately_bucket[slot] = number
        pair.lately_amount[slot] = 0.0
    pair.lately_amount[slot] += fill.amount


@jit
def _tape_share(market: Any, pair: Any, ts_ns: int) -> float:
    """Own share of the amount printed in the bucket under way and the three before; NaN without a tape."""
    if market.prints == 0:
        return np.nan
    own = 0.0
    tape = 0.0
    latest = ts_ns // BUCKET_NS
    slot = latest % BUCKETS
    for back in range(TAPE_BUCKETS):
        number = latest - back
        own_slot = number & (TAPE_BUCKETS - 1)
        if pair.lately_bucket[own_slot] == number:
            own += pair.lately_amount[own_slot]
        if market.bucket_number[slot] == number:
            tape += market.bucket_amount[slot]
        slot = slot - 1 if slot > 0 else BUCKETS - 1
    return own / max(tape, own)


@jit
def counterparty_features(
    x: Any, fair: Any, market: Any, pair: Any, account: Any, fill: Any, place: int
) -> None:
    """Write the counterparty features of a fill into its row."""
    x[PARTY_SHARE] = np.nan
    x[PARTY_RUN] = np.nan
    x[BOTH_SIDES] = np.nan
    if place >= 0:
        x[PARTY_SHARE] = 0.0
        if account.party_count >= 5:
            x[PARTY_SHARE] = account.party_value[place] / account.party_total
        x[PARTY_RUN] = account.party_run
        x[BOTH_SIDES] = 1.0 if account.party_sides[place] == BOUGHT | SOLD else 0.0
    x[TAPE_SHARE] = _tape_share(market, pair, fill.ts_ns)
    x[EQUAL_AMOUNTS] = pair.equal_repeats
    x[LEVEL_REPEATS] = pair.level_repeats
    x[FRESH_LEVEL] = np.nan
    x[QUOTE_DISTANCE] = np.nan
    if market.quote_ns > 0:
        if market.quote_ns < fill.ts_ns:
            best = market.ask if fill.side > 0 else market.bid
            since_ns = market.ask_since_ns if fill.side > 0 else market.bid_since_ns
        else:
            best = market.earlier_ask if fill.side > 0 else market.earlier_bid
            since_ns = market.earlier_ask_since_ns if fill.side > 0 else market.earlier_bid_since_ns
        if best > 0.0:
            hit = fill.side * (fill.price - best) >= 0.0 and fill.liquidity != Liquidity.MAKER.value
            x[FRESH_LEVEL] = 1.0 / (1.0 + 1e-9 * (fill.ts_ns - since_ns) / FRESH_S) if hit else 0.0
            if not np.isnan(fair.level):
                x[QUOTE_DISTANCE] = 1e4 * fill.side * (np.log(best) - fair.level)
