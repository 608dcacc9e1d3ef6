"""Pumpers: thieves who move a coin's price and have the victim trade at what they made of it.

Each acts on the victim's desk from `start` on; `desk.difficulty` goes from 0, blatant, to 1, careful.
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from drainwatch.lab.desk import THIEF, Agent, Desk
from drainwatch.lab.draws import HOUR_S, log_uniform
from drainwatch.lab.theft import (
    affordable,
    between,
    get,
    meet,
    poison,
    sell_everything,
    sellable,
    share,
    target,
)


def liquidate_then_pump(desk: Desk, start: float) -> Agent:
    """Sells every holding within a minute, then puts all into one thin coin boosted beforehand."""
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", "dead", "half")
    market = desk.markets[symbol]
    spec = market.spec
    boost = log(1.0 + between(desk, (0.3, 9.0), (0.06, 0.6)))
    length = between(desk, (5.0, 120.0), (30.0, 3600.0))
    dear = market.fair_price(t) * exp(1.16 * boost)
    boosted = rng.random() < 0.7 or affordable(desk, t, symbol, 1, dear, 0.9 * desk.equity(t)) < dear
    if boosted:
        lead = between(desk, (120.0, 3600.0), (1800.0, 12.0 * HOUR_S))
        poison(desk, symbol, t, t + lead, t + lead + 180.0 + length, boost)
        t += lead
        yield t
    for at in sell_everything(desk, t, spec.quote, spec.base):
        t = at
        yield t
    t += float(rng.uniform(0.5, 20.0))
    yield t
    size = desk.value(spec.quote, t) * rng.uniform(0.8, 1.0)
    n = int(rng.integers(1, 41))
    fair = market.fair_price(t)
    for k in range(4):
        desk.wall(t, symbol, -1, fair * exp(boost * (1.0 + 0.05 * k)), 0.5 * size, until=t + length + 60.0)
    for at in (t + np.sort(rng.uniform(0.0, length, n))).tolist():
        yield at
        if not boosted:
            desk.clear(at - 0.1, symbol, 1, fair * exp(1.16 * boost))
        desk.taker(at, symbol, 1, size / n, by=THIEF)


def boosted_coin(desk: Desk, start: float) -> Agent:
    """A dead coin is traded up many times over; then the victim buys it, bit by bit, from the thief."""
    rng = desk.rng
    yield start
    symbol = f"{desk.coins['D'].name}/USDT"
    market = desk.markets[symbol]
    boost = log(between(desk, (3.0, 50.0), (1.5, 4.0)))
    lead = min(log_uniform(rng, 300.0, 24.0 * HOUR_S), 0.15 * desk.end)
    length = between(desk, (30.0, 3600.0), (600.0, 6.0 * HOUR_S))
    poison(desk, symbol, start, start + lead, start + lead + length, boost)
    t = start + lead
    yield t
    size = share(desk) * desk.equity(t)
    t = get(desk, t, "USDT", size)
    n = int(log_uniform(rng, 3.0, 100.0))
    for at in (t + np.sort(rng.uniform(0.0, 0.9 * length, n))).tolist():
        yield at
        meet(
            desk,
            at,
            symbol,
            1,
            desk.mid(symbol, at) * exp(market.half_spread(at) * rng.uniform(0.3, 1.0)),
            size / n,
        )


def wall_suppression(desk: Desk, start: float) -> Agent:
    """The victim's sales press a coin down for hours into the thief's bids; then it rebounds."""
    rng = desk.rng
    t = start
    yield t
    symbol = sellable(desk, t, "half", "thin")
    market = desk.markets[symbol]
    fall = -log(1.0 - between(desk, (0.08, 0.3), (0.03, 0.1)))
    size = share(desk) * desk.equity(t)
    n, length = int(log_uniform(rng, 20.0, 200.0)), between(desk, (600.0, 7200.0), (3600.0, 12.0 * HOUR_S))
    t = get(desk, t, market.spec.base, size) + 10.0
    size = min(size, desk.value(market.spec.base, t))
    n = max(min(n, int(size / 5.0)), 1)
    desk.push(symbol, [t, t + length, t + length + 60.0, t + 1.5 * length], [0.0, -fall, -fall, 0.0], 120.0)
    for at in (t + np.sort(rng.uniform(0.0, length, n))).tolist():
        yield at
        price = desk.mid(symbol, at) * exp(-market.half_spread(at))
        meet(desk, at, symbol, -1, price, size / n)


def coordinated_pump(desk: Desk, start: float) -> Agent:
    """Many robbed accounts buy one thin coin within minutes; this one buys near the peak."""
    rng = desk.rng
    yield start
    symbol = target(desk, "thin", "dead", "half")
    height = log(1.0 + between(desk, (0.5, 11.0), (0.2, 0.8)))
    rise = float(rng.uniform(60.0, 300.0))
    size = share(desk) * desk.equity(start)
    t = get(desk, start, desk.markets[symbol].spec.quote, size) + 2.0
    desk.push(
        symbol,
        [t, t + rise, t + rise + 60.0, t + 5.0 * rise],
        [0.0, height, height, 0.1 * height],
        1.5,
        crowd=True,
    )
    n = int(rng.integers(1, 9))
    for at in (t + rise * np.sort(rng.uniform(0.4, 1.2, n))).tolist():
        yield at
        market = desk.markets[symbol]
        meet(desk, at, symbol, 1, desk.mid(symbol, at) * exp(market.half_spread(at)), size / n)
