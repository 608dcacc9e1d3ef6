"""Bleeders: thieves none of whose fills is remarkable, and whose fills are many.

Each acts on the victim's desk from `start` on; `desk.difficulty` goes from 0, blatant, to 1, careful.
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from drainwatch.lab.desk import OWNER, Agent, Desk
from drainwatch.lab.draws import HOUR_S, log_uniform
from drainwatch.lab.paths import DAY_S
from drainwatch.lab.theft import (
    approach,
    between,
    careful,
    during_refill,
    get,
    loss_of,
    meet,
    next_side,
    own_fills,
    poison,
    share,
    target,
    usual_size,
)


def slow_bleed(desk: Desk, start: float) -> Agent:
    """Hours or days of fills a little worse than fair, none of them remarkable.

    The harder, the likelier all of them lie within the spread of the book.
    """
    rng = desk.rng
    t = start
    yield t
    symbol = desk.pick(
        [s for s in desk.of_kind("half", "thin", "dead") if desk.markets[s].spec.half > 0.0011]
    )
    market = desk.markets[symbol]
    equity = desk.equity(t)
    fills = int(log_uniform(rng, 20.0, 500.0))
    worst = between(desk, (25.0, 50.0), (8.0, 25.0)) * 1e-4
    goal = between(desk, (0.03, 0.2), (0.006, 0.04)) * equity
    size = float(np.clip(goal / (fills * 0.75 * worst), 0.004 * equity, 0.45 * equity))
    if careful(desk):
        size = float(np.clip(usual_size(desk, size), 0.3 * size, size))
        fills = int(min(goal / (0.75 * worst * size), 600))
    length = min(HOUR_S * between(desk, (2.0, 12.0), (6.0, 96.0)), desk.end - t - HOUR_S)
    inside = careful(desk)
    maker, quiet = float(rng.uniform(0.0, 1.0)), rng.random() < 0.5
    t = get(desk, t, market.spec.quote, min(2.5 * size, 0.5 * equity))
    for _ in range(fills):
        t += float(rng.exponential(length / fills))
        while quiet and 8.0 <= (t / HOUR_S) % 24.0 <= 22.0:
            t += HOUR_S
        if t > desk.end - 900.0:
            break
        yield t
        side = next_side(desk, symbol, t)
        price = market.fair_price(t) * exp(side * worst * rng.uniform(0.5, 1.0))
        if inside:
            bid, ask = (exp(level) for level in market.natural(t))
            price = min(max(price, bid), ask)
            if side * (price / market.fair_price(t) - 1.0) < 0.2 * worst:
                continue  # the market stands off fair just now: nothing to be had within its spread
        meet(desk, t, symbol, side, price, size * rng.uniform(0.7, 1.3), maker=rng.random() < maker)


def mimicry(desk: Desk, start: float) -> Agent:
    """Keeps to the owner's pairs, sizes, hours, pace and client ids; the price alone tells.

    He moves the price for hours first and then buys, or goes back and forth a little off fair. Where
    the owner trades liquid markets only, it is a thinner market of a coin of his, or any.
    """
    rng = desk.rng
    t = start
    yield t
    own = own_fills(desk)
    desk.forged = any(fill.by == OWNER for fill in own)
    symbol = _familiar(desk)
    market = desk.markets[symbol]
    equity = desk.equity(t)
    here = [fill for fill in own if fill.symbol == symbol] or own
    values = [f.cost * f.quote_usdt for f in here] or [0.01 * equity]
    makers = float(np.mean([f.liquidity == "maker" for f in here])) if here else 0.5
    hours = {int(f.ms // 3_600_000) % 24 for f in own} or set(range(24))
    seconds = np.unique([f.ms / 1000.0 for f in own])
    gaps = np.clip(np.diff(seconds), 1.0, 6.0 * HOUR_S) if len(seconds) > 2 else np.array([600.0])
    off = between(desk, (0.015, 0.08), (0.003, 0.015))
    goal = between(desk, (0.1, 0.5), (0.02, 0.12)) * equity
    n = int(np.clip(goal / (off * float(np.mean(values))), 10.0, 700.0))
    length = min(DAY_S * between(desk, (0.1, 1.0), (0.5, 6.0)), 0.8 * (desk.end - t))
    pace = min(1.0, length / (n * float(np.mean(gaps))))
    moved = rng.random() < 0.65
    spend = goal / off if moved else min(3.0 * float(np.median(values)), 0.5 * equity)
    t = get(desk, t, market.spec.quote, min(spend, 0.9 * equity))
    if moved:
        lead = HOUR_S * log_uniform(rng, 0.3, 10.0)
        poison(desk, symbol, t, t + lead, min(t + lead + 1.5 * length, desk.end - 300.0), off)
        t += lead
    stake = float(np.mean(values)) * during_refill(desk, symbol, max(pace * float(np.mean(gaps)), 1.0))
    lost = 0.0
    for _ in range(n):
        t += pace * float(rng.choice(gaps)) + 0.2
        while int(t // HOUR_S) % 24 not in hours:
            t += 0.25 * HOUR_S
        if t > desk.end - 900.0 or lost > goal:
            break
        yield t
        side = 1 if moved else next_side(desk, symbol, t)
        price = market.fair_price(t) * exp(side * off * rng.uniform(0.6, 1.4))
        if moved:
            price = desk.mid(symbol, t) * exp(market.half_spread(t) * rng.uniform(0.2, 1.0))
        size = float(rng.choice(values)) * rng.uniform(0.85, 1.15)
        done = meet(desk, t, symbol, side, price, size, maker=bool(rng.random() < makers), stake=stake)
        lost += sum(loss_of(fill) for fill in done)


def _familiar(desk: Desk) -> str:
    """Pick a market that is not too deep to be moved and the likeliest for the owner to trade in."""
    small = set(desk.of_kind("half", "thin", "dead"))
    own = [fill.symbol for fill in own_fills(desk)]
    coins = {desk.markets[symbol].spec.base for symbol in own}
    usual = [symbol for symbol in own if symbol in small]
    near = sorted(symbol for symbol in small if desk.markets[symbol].spec.base in coins)
    return desk.pick(usual or near or sorted(small))


def trainer(desk: Desk, start: float) -> Agent:
    """Weeks of small losses that rise slowly, until they seem usual; then the real theft."""
    rng = desk.rng
    t = start
    yield t
    symbol = _familiar(desk) if careful(desk) else target(desk, "half", "thin")
    market = desk.markets[symbol]
    equity = desk.equity(t)
    weeks = min(DAY_S * between(desk, (3.0, 10.0), (10.0, 21.0)), 0.75 * (desk.end - t))
    lessons = int(np.clip(weeks / DAY_S * log_uniform(rng, 3.0, 12.0), 12.0, 240.0))
    first, last = between(desk, (8e-4, 3e-3), (2e-4, 8e-4)), between(desk, (0.01, 0.03), (0.004, 0.012))
    size = min(usual_size(desk, 0.01 * equity), 0.02 * equity)
    maker = float(rng.uniform(0.0, 0.8))
    t = get(desk, t, market.spec.quote, min(4.0 * size, 0.4 * equity))
    over = t + weeks
    for k in range(lessons):
        t += float(rng.exponential(weeks / lessons))
        if t > over:
            t = over
            break
        yield t
        side = next_side(desk, symbol, t)
        off = exp(log(first) + (log(last) - log(first)) * k / lessons) * rng.uniform(0.6, 1.4)
        price = market.fair_price(t) * exp(side * off)
        meet(desk, t, symbol, side, price, size * rng.uniform(0.6, 1.4), maker=rng.random() < maker)
    size = share(desk) * desk.equity(t)
    t = get(desk, t + 60.0, market.spec.quote, size)
    size = min(size, desk.value(market.spec.quote, t))
    off = between(desk, (0.1, 0.8), (0.03, 0.12))
    n = max(min(int(log_uniform(rng, 3.0, 80.0)), int(size / 2.0)), 1)
    gap = between(desk, (0.5, 20.0), (10.0, 120.0))
    stake = min(size, size / n * during_refill(desk, symbol, gap))
    t = approach(desk, t, symbol, 1, off, stake, 2.0 * n * gap)
    for _ in range(n):
        t += float(rng.exponential(gap)) + 0.1
        yield t
        price = market.fair_price(t) * exp(off * rng.uniform(0.8, 1.2))
        meet(desk, t, symbol, 1, price, size / n, maker=rng.random() < maker, stake=stake)
