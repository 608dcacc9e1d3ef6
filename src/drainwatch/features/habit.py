"""Habit features: whether the account does such things, at such hours, under such ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.account import CLASSES, DAY_NS, HOURS, KINDS, PREFIXES, hour_of
from drainwatch.events import FORCED, Liquidity
from drainwatch.evidence import CALM_NATS
from drainwatch.features.registry import index
from drainwatch.kernel_cache import jit
from drainwatch.windows import find, mix

HOUR_RARITY = index("hour_rarity")
PREFIX_RARITY = index("prefix_rarity")
UNLOGGED = index("unlogged")
LIQUIDITY_RARITY = index("liquidity_rarity")
DORMANCY = index("dormancy")
UNLIKE_DRIFT = index("unlike_drift")
SIZE = index("size_sigmas")

LEARNING = 12.0
"""Orders before a habit is spoken of."""
MEMORY = 400.0
"""Orders that a habit weighs, or so."""
SILENT_NS = 3 * DAY_NS
"""A log that has been silent for so long says nothing."""
MIMIC = 0.3
"""A thief's orders that are of the account's own kinds; the others are of any of so many kinds alike:"""
THIEF_KINDS = 10.0
KIND_PRIOR = 2.0
"""Orders that the product of prefix and form weighs beside their joint count."""
THIEF_NEW_MARKET = 0.5
THIEF_SIZES = 8.0
"""A thief's order that isn't of the usual size: anything up to so many deviations above it."""
TRAIT_WEIGHT = 0.5
"""What market and size say counts half: both go together with the kind of order."""
UNLIKE_CAP = 2.5
"""What one order may say at most, so that one never suffices."""


@jit
def in_log(account: Any, fill: Any, log_keys: Any, log_slots: Any) -> float:
    """1 where the owner's log has the order, 0 where it hasn't, NaN where there is no log that speaks."""
    if account.log_count == 0:
        return np.nan
    if fill.order == np.uint64(0) and fill.client == np.uint64(0):
        return np.nan
    owner = np.uint64(fill.account)
    if fill.order != np.uint64(0) and find(log_keys, log_slots, mix(fill.order, owner)) >= 0:
        return 1.0
    if fill.client != np.uint64(0) and find(log_keys, log_slots, mix(fill.client, owner)) >= 0:
        return 1.0
    if fill.ts_ns - account.log_ns > SILENT_NS:
        return np.nan
    return 0.0


@jit
def habit_features(x: Any, account: Any, fill: Any, logged: float, unlike: float) -> None:
    """Write the habit features of a fill into its row, before the habits learn from it.

    `unlike` are the nats of its order (`unlike_nats`); what came before an order of the usual kind says
    nothing of it.
    """
    known = account.habit_count >= LEARNING
    total = account.habit_count
    x[HOUR_RARITY] = np.nan
    x[PREFIX_RARITY] = np.nan
    x[LIQUIDITY_RARITY] = np.nan
    x[DORMANCY] = np.nan
    x[UNLOGGED] = np.nan
    x[UNLIKE_DRIFT] = np.nan
    if not np.isnan(unlike):
        x[UNLIKE_DRIFT] = account.unlike_drift if unlike > 0.0 else 0.0
    if known:
        hour = hour_of(fill.ts_ns)
        near = (
            0.25 * account.hour[(hour - 1) % HOURS]
            + 0.5 * account.hour[hour]
            + 0.25 * account.hour[(hour + 1) % HOURS]
        )
        x[HOUR_RARITY] = -np.log((near + 0.5 / HOURS) / (total + 0.5))
        share = 0.0
        for i in range(PREFIXES):
            if account.prefix[i] == fill.client_prefix and account.prefix_count[i] > 0.0:
                share = account.prefix_count[i]
        x[PREFIX_RARITY] = -np.log((share + 0.25) / (total + 0.5))
        if fill.liquidity != Liquidity.UNKNOWN.value:
            x[LIQUIDITY_RARITY] = -np.log((account.liquidity[fill.liquidity] + 0.25) / (total + 0.5))
        gap = np.log(max(1e-9 * (fill.ts_ns - account.order_ns), 1.0))
        x[DORMANCY] = max(gap - account.gap, 0.0)
    if fill.flags & FORCED:
        x[UNLOGGED] = 0.0  # the venue closed it: no log of the owner's could have it
    elif not np.isnan(logged):
        x[UNLOGGED] = 0.0 if logged > 0.0 else -np.log((account.unlogged * total + 0.05) / (total + 1.0))


@jit
def learn_habits(account: Any, fill: Any, logged: float) -> None:
    """Learn from one order of which nothing bad was said."""
    if account.habit_count >= MEMORY:
        keep = 1.0 - 1.0 / MEMORY
        for i in range(HOURS):
            account.hour[i] *= keep
        for i in range(len(account.liquidity)):
            account.liquidity[i] *= keep
        for i in range(PREFIXES):
            account.prefix_count[i] *= keep
        account.habit_count *= keep
    account.habit_count += 1.0
    account.hour[hour_of(fill.ts_ns)] += 1.0
    account.liquidity[fill.liquidity] += 1.0
    least = 0
    for i in range(PREFIXES):
        if account.prefix[i] == fill.client_prefix and account.prefix_count[i] > 0.0:
            least = i
            break
        if account.prefix_count[i] < account.prefix_count[least]:
            least = i
    if account.prefix[least] != fill.client_prefix or account.prefix_count[least] == 0.0:
        account.prefix[least] = fill.client_prefix
        account.prefix_count[least] = 0.0
    account.prefix_count[least] += 1.0
    if account.order_ns > 0:
        gap = np.log(max(1e-9 * (fill.ts_ns - account.order_ns), 1.0))
        account.gap += (gap - account.gap) / min(account.habit_count, 100.0)
    if not np.isnan(logged) and (logged > 0.0 or account.unlogged_drift < CALM_NATS):
        account.unlogged += ((1.0 - logged) - account.unlogged) / min(account.habit_count + 5.0, 200.0)


@jit
def form_of(fill: Any) -> int:
    """Order type and maker or taker, as one number."""
    return int(fill.type * CLASSES + fill.liquidity)


@jit
def kind_share(account: Any, fill: Any) -> float:
    """Share of such orders among the account's own: same client id prefix, order type, maker or taker.

    Smoothed by the product of prefix and form; a new prefix is as likely as new ones have been.
    """
    form = form_of(fill)
    same = 0.0
    same_prefix = 0.0
    same_form = 0.0
    for i in range(KINDS):
        if account.kind_count[i] > 0.0:
            if account.kind_prefix[i] == fill.client_prefix:
                same_prefix += account.kind_count[i]
                if account.kind_form[i] == form:
                    same += account.kind_count[i]
            if account.kind_form[i] == form:
                same_form += account.kind_count[i]
    total = account.kind_total
    prefix = (
        same_prefix / (total + 0.5) if same_prefix > 0.0 else (account.kind_prefixes + 0.5) / (total + 1.0)
    )
    product = prefix * (same_form + 0.25) / (total + 1.0)
    return float((same + KIND_PRIOR * product) / (total + KIND_PRIOR))


@jit
def unlike_nats(x: Any, account: Any, fill: Any, new_market: bool, logged: float) -> float:
    """How much sooner an order is a stranger's than this account's, nats; NaN while too few orders are known.

    Log likelihood ratio of its kind, of whether the market is new to the account, and of its size: of a
    thief, who places orders of any kind, to the account's own habits. `x` holds its size in deviations.
    An order that the owner's log has is no stranger's.
    """
    total = account.kind_total
    if total < LEARNING:
        return np.nan
    nats = np.log(MIMIC + (1.0 - MIMIC) / (THIEF_KINDS * kind_share(account, fill)))
    new = (account.kind_markets + 1.0) / (total + 4.0)
    nats += TRAIT_WEIGHT * np.log(
        THIEF_NEW_MARKET / new if new_market else (1.0 - THIEF_NEW_MARKET) / (1.0 - new)
    )
    if not np.isnan(x[SIZE]):
        size = min(max(x[SIZE], 0.0), THIEF_SIZES)
        own = np.sqrt(2.0 / np.pi) * np.exp(-0.5 * size * size)
        nats += TRAIT_WEIGHT * min(np.log(0.5 + 0.5 / (THIEF_SIZES * own)), 2.0)
    if logged > 0.0:
        nats = min(nats, 0.0)
    return float(min(nats, UNLIKE_CAP))


@jit
def learn_kind(account: Any, fill: Any, new_market: bool) -> None:
    """Learn the kind of one order that may teach (`evidence.unlike_is_usual`)."""
    if account.kind_total >= MEMORY:
        keep = 1.0 - 1.0 / MEMORY
        for i in range(KINDS):
            account.kind_count[i] *= keep
        account.kind_total *= keep
        account.kind_prefixes *= keep
        account.kind_markets *= keep
    form = form_of(fill)
    at = -1
    least = 0
    known = False
    for i in range(KINDS):
        if account.kind_count[i] > 0.0 and account.kind_prefix[i] == fill.client_prefix:
            known = True
            if account.kind_form[i] == form:
                at = i
        if account.kind_count[i] < account.kind_count[least]:
            least = i
    if at < 0:
        at = least
        account.kind_prefix[at] = fill.client_prefix
        account.kind_form[at] = form
        account.kind_count[at] = 0.0
    account.kind_count[at] += 1.0
    account.kind_total += 1.0
    account.kind_prefixes += 0.0 if known else 1.0
    account.kind_markets += 1.0 if new_market else 0.0
