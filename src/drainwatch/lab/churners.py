"""Churners: thieves who go back and forth, or round and round, until the money has worn away.

Each acts on the victim's desk from `start` on; `desk.difficulty` goes from 0, blatant, to 1, careful.
"""

from __future__ import annotations

from math import exp, inf

import numpy as np

from drainwatch.lab.desk import THIEF, Agent, Desk
from drainwatch.lab.draws import HOUR_S, log_uniform
from drainwatch.lab.theft import (
    between,
    careful,
    get,
    loss_of,
    meet,
    near,
    poison,
    round_trips,
    share,
    target,
)


def ping_pong(desk: Desk, start: float) -> Agent:
    """Round trips with the same party, each buying high and selling low, until little is left."""
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", "half", "dead")
    equity = desk.equity(t)
    cost = between(desk, (0.02, 0.10), (0.005, 0.02))
    goal = between(desk, (0.3, 0.9), (0.04, 0.4)) * equity
    fills = int(between(desk, (20.0, 600.0), (40.0, 2000.0)))
    size = float(np.clip(2.0 * goal / (fills * cost), 0.02 * equity, 0.7 * equity))
    gap = between(desk, (0.5, 20.0), (5.0, 120.0))
    maker = float(rng.uniform(0.0, 1.0)) if careful(desk) else 0.0
    lean = float(rng.uniform(-0.3, 0.3))
    if careful(desk):
        lead = HOUR_S * rng.uniform(0.3, 5.0)
        poison(desk, symbol, t, t + lead, t + lead + gap * fills, rng.normal(0.0, 0.5 * cost))
        t += lead
        yield t
    yield from round_trips(desk, t, symbol, cost, goal, size, fills=fills, gap=gap, maker=maker, lean=lean)


def fee_churn(desk: Desk, start: float) -> Agent:
    """Thousands of taker orders back and forth in a liquid market turn equity into fees."""
    rng = desk.rng
    t = start
    yield t
    symbol = desk.pick(desk.of_kind("liquid", quote="USDT"))
    market = desk.markets[symbol]
    equity = desk.equity(t)
    rate = desk.venue.taker_fee + market.spec.half
    goal = between(desk, (0.2, 0.8), (0.03, 0.2)) * equity
    fills = int(log_uniform(rng, 200.0, 2500.0))
    size = float(np.clip(goal / (fills * rate), 0.01 * equity, min(0.9 * equity, 10.0 * market.spec.depth)))
    gap = between(desk, (0.3, 3.0), (2.0, 60.0))
    t, paid, side = get(desk, t, "USDT", size), 0.0, 1
    for _ in range(fills):
        t += float(rng.exponential(gap)) + 0.05
        yield t
        done = desk.taker(t, symbol, side, size, by=THIEF)
        paid += sum(fill.price * fill.amount for fill in done) * rate
        if paid > goal or not done:
            break
        side = -side


def stable_skim(desk: Desk, start: float) -> Agent:
    """A pair of stable coins is traded with the thief away from one.

    The simulated pairs of stable coins are deep: emptying one costs him more than he gets. He stands for
    thieves in thin ones.
    """
    rng = desk.rng
    t = start
    yield t
    symbol = min(desk.of_kind("stable"), key=lambda name: desk.markets[name].spec.depth)
    off = between(desk, (0.02, 0.3), (0.004, 0.02))
    size = share(desk) * desk.equity(t)
    n = int(log_uniform(rng, 1.0, 50.0))
    t, side = get(desk, t, "USDT", size), 1
    back = rng.random() < 0.5
    for _ in range(n):
        t += between(desk, (0.5, 10.0), (2.0, 300.0))
        yield t
        price = desk.markets[symbol].fair_price(t) * exp(side * off * rng.uniform(0.8, 1.2))
        usdt, maker = size if back else size / n, bool(rng.random() < 0.2)
        meet(desk, t, symbol, side, price, usdt, maker=maker, stake=inf)
        side = -side if back else side


def twin_skim(desk: Desk, start: float) -> Agent:
    """Buys dear on a coin's thin pair, sells it at fair on the liquid one, again and again."""
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", quotes=("BTC", "USDC"))
    spec = desk.markets[symbol].spec
    direct = f"{spec.base}/USDT"
    off = between(desk, (0.04, 0.15), (0.01, 0.04))
    size = share(desk) * desk.equity(t)
    t = get(desk, t, spec.quote, size)
    for _ in range(int(log_uniform(rng, 2.0, 60.0))):
        t += between(desk, (2.0, 30.0), (10.0, 600.0))
        yield t
        price = desk.markets[symbol].fair_price(t) * exp(off * rng.uniform(0.8, 1.2))
        if not meet(desk, t, symbol, 1, price, size):
            break
        t += float(rng.uniform(0.5, 20.0))
        yield t
        near(desk, t, direct, -1, desk.value(spec.base, t))
        t = get(desk, t + 1.0, spec.quote, size)


def triangle(desk: Desk, start: float) -> Agent:
    """Round and round through three pairs, with one leg against the thief."""
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", "half", quotes=("BTC",))
    spec = desk.markets[symbol].spec
    direct = f"{spec.base}/USDT"
    cost = between(desk, (0.02, 0.08), (0.006, 0.02))
    goal = between(desk, (0.2, 0.8), (0.05, 0.3)) * desk.equity(t)
    size = share(desk) * desk.equity(t)
    gap = between(desk, (1.0, 10.0), (5.0, 120.0))
    t, lost, missed = get(desk, t, "USDT", size), 0.0, 0
    for _ in range(400):
        t += float(rng.exponential(gap)) + 0.2
        yield t
        if not near(desk, t, direct, 1, size) and desk.value(spec.base, t) < 0.3 * size:
            missed += 1
            if missed > 20:
                break
            t += float(rng.exponential(desk.markets[direct].spec.refill_s))
            continue
        t += float(rng.exponential(0.3 * gap)) + 0.2
        yield t
        price = desk.markets[symbol].fair_price(t) * exp(-cost * rng.uniform(0.8, 1.2))
        lost += sum(loss_of(fill) for fill in meet(desk, t, symbol, -1, price, desk.value(spec.base, t)))
        t += float(rng.exponential(0.3 * gap)) + 0.2
        yield t
        near(desk, t, "BTC/USDT", -1, desk.value("BTC", t))
        if lost > goal:
            break


def thin_perp(desk: Desk, start: float) -> Agent:
    """Opens and closes a leveraged position in a thin perpetual far from its mark."""
    rng = desk.rng
    t = start
    yield t
    symbol = next(symbol for symbol, market in desk.markets.items() if market.spec.settle == "USDT")
    off = between(desk, (0.05, 0.3), (0.01, 0.05))
    t = get(desk, t, "USDT", 0.9 * desk.equity(t))
    side = int(rng.choice([-1, 1]))
    for _ in range(int(log_uniform(rng, 1.0, 20.0))):
        size = desk.held("USDT") * min(log_uniform(rng, 0.5, 5.0), 0.3 / off)
        if size < 10.0:
            break
        for leg in (side, -side):
            t += between(desk, (1.0, 20.0), (10.0, 600.0))
            yield t
            market = desk.markets[symbol]
            price = market.fair_price(t) * exp(leg * off * rng.uniform(0.8, 1.2))
            size = (
                size
                if leg == side
                else abs(desk.positions.get(symbol, (0.0, 0.0))[0]) * market.spec.contract_size * price
            )
            meet(desk, t, symbol, leg, price, size)
