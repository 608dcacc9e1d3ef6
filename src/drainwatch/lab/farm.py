"""Farms: several accounts that one program trades alike, and the thief who robs some of them together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drainwatch.lab.desk import Agent, Desk, Raid
from drainwatch.lab.draws import log_uniform
from drainwatch.lab.thieves import Thief

FEWEST, MOST = 3, 6
"""Accounts of a farm for which no number is asked."""
LIMIT = 20
"""More accounts than that nobody is given."""


def open_accounts(first: Desk, n: int) -> list[Desk]:
    """Make `n` desks on the world, the markets and the venue of `first`.

    They are minded alike, so that one strategy makes the same choices in all of them; orders of the
    later ones arrive up to some seconds after those of the first.
    """
    rng = first.rng
    seed, pace = int(rng.integers(2**62)), log_uniform(rng, 0.05, 3.0)
    desks = []
    for k in range(n):
        venue = replace(first.venue, account=f"sub{k + 1}")
        desk = Desk(rng, first.world, first.coins, first.markets, venue, first.difficulty)
        desk.register, desk.thief_names, desk.forged = first.register, first.thief_names, first.forged
        desk.mind = np.random.default_rng(seed)
        desk.lag_s = float(rng.uniform(0.2, 1.8)) * pace * k
        desks.append(desk)
    return desks


def equities(rng: np.random.Generator, n: int) -> list[float]:
    """Draw what each of `n` accounts is worth at the start, in USDT: of one order, not the same."""
    usual = log_uniform(rng, 1e3, 3e5)
    return [usual * log_uniform(rng, 0.5, 2.0) for _ in range(n)]


def robbed(rng: np.random.Generator, desks: list[Desk]) -> list[Desk]:
    """Draw the accounts whose keys the thief has: one of them to all."""
    n = int(rng.integers(1, len(desks) + 1))
    return [desks[i] for i in sorted(rng.permutation(len(desks))[:n].tolist())]


def raids(rng: np.random.Generator, desks: list[Desk], make: Thief, start: float) -> list[Agent]:
    """Make a thief for each account: one program of his, within minutes of each other, on one coin.

    Parameters
    ----------
    rng
        Source of all chance.
    desks
        Whom he robs; the first one from `start` on, the others soon after.
    make
        Makes his way with an account from some time on (`thieves.enter` of one kind).
    start
        Seconds after the start of the world.
    """
    raid, seed = Raid(), int(rng.integers(2**62))
    agents, at = [], start
    for desk in desks:
        agents.append(_raid(make(desk, at), desk, np.random.default_rng(seed), raid))
        at += log_uniform(rng, 1.0, 120.0)
    return agents


def _raid(thief: Agent, desk: Desk, rng: np.random.Generator, raid: Raid) -> Agent:
    """Let a thief act with a source of chance of his own: equal ones choose alike."""
    while True:
        owners, desk.rng, desk.raid = desk.rng, rng, raid
        try:
            then = next(thief, None)
        finally:
            desk.rng, desk.raid = owners, None
        if then is None:
            return
        yield then
