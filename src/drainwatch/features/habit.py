"""Habit features: whether the account does such things, at such hours, under such ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainwatch.account import DAY_NS, HOURS, PREFIXES, hour_of
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

LEARNING = 12.0
"""Orders before a habit is spoken of."""
MEMORY = 400.0
"""Orders that a habit weighs, or so."""
SILENT_NS = 3 * DAY_NS
"""A log that has been silent for so long says nothing."""


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
def habit_features(x: Any, account: Any, fill: Any, logged: float) -> None:
    """Write the habit features of a fill into its row, before the habits learn from it."""
    known = account.habit_count >= LEARNING
    total = account.habit_count
    x[HOUR_RARITY] = np.nan
    x[PREFIX_RARITY] = np.nan
    x[LIQUIDITY_RARITY] = np.nan
    x[DORMANCY] = np.nan
    x[UNLOGGED] = np.nan
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
