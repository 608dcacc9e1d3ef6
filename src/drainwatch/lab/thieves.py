"""Thieves: how money leaves an account by trades alone.

Each is a generator that acts on the victim's desk from `start` on. `desk.difficulty` goes from 0, a
blatant thief in a hurry, to 1, one who moves the price for hours beforehand, keeps to the owner's
sizes and hours, forges his client ids and uses many orders and accounts of his own.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

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
    sell_everything,
    sellable,
    share,
    sweep,
    target,
    usual_size,
)

Thief = Callable[[Desk, float], Agent]


def planted_wall(desk: Desk, start: float) -> Agent:
    """Market orders of the victim sweep a thin book into asks or bids planted far from fair."""
    rng = desk.rng
    yield start
    side = 1 if rng.random() < 0.72 else -1
    symbol = target(desk, "thin", "dead", "half") if side > 0 else sellable(desk, start, "thin", "half")
    spec = desk.markets[symbol].spec
    size = share(desk) * desk.equity(start)
    markup = log(1.0 + between(desk, (0.4, 10.0), (0.04, 0.15)))
    t = get(desk, start, spec.quote if side > 0 else spec.base, size)
    size = min(size, desk.value(spec.quote if side > 0 else spec.base, t))
    t += between(desk, (1.0, 30.0), (5.0, 900.0))
    n = int(rng.integers(1, 31)) if rng.random() < 0.7 else 1
    yield from sweep(desk, t, symbol, side, markup, size, n, between(desk, (1.0, 60.0), (5.0, 120.0)))


def far_quote(desk: Desk, start: float) -> Agent:
    """One order of the victim meets one quote at many times fair."""
    yield start
    symbol = target(desk, "thin", "dead")
    size = share(desk) * desk.equity(start)
    t = get(desk, start, desk.markets[symbol].spec.quote, size) + 5.0
    yield from sweep(desk, t, symbol, 1, log(between(desk, (1e3, 2.4e6), (5.0, 100.0))), size, 1, 1.0)


def ping_pong(desk: Desk, start: float) -> Agent:
    """Round trips with the same party, each buying high and selling low, until little is left."""
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", "half", "dead")
    market = desk.markets[symbol]
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
    t = get(desk, t, market.spec.quote, size)
    lost, side, missed = 0.0, 1, 0
    for _ in range(fills):
        t += float(rng.exponential(gap)) + 0.1
        yield t
        price = market.fair_price(t) * exp(side * cost * (0.5 + side * lean) * rng.uniform(0.8, 1.2))
        done = meet(desk, t, symbol, side, price, size * rng.uniform(0.9, 1.1), maker=rng.random() < maker)
        lost += sum(loss_of(fill) for fill in done)
        missed = 0 if done else missed + 1
        if lost > goal or missed > 3:
            break
        side = -side


def slow_bleed(desk: Desk, start: float) -> Agent:
    """Hours or days of fills a little worse than fair, none of them remarkable."""
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
    maker, quiet = float(rng.uniform(0.0, 1.0)), rng.random() < 0.5
    t = get(desk, t, market.spec.quote, min(2.5 * size, 0.5 * equity))
    for _ in range(fills):
        t += float(rng.exponential(length / fills))
        while quiet and 8.0 <= (t / HOUR_S) % 24.0 <= 22.0:
            t += HOUR_S
        if t > desk.end - 900.0:
            break
        yield t
        base, quote = desk.value(market.spec.base, t), desk.value(market.spec.quote, t)
        side = 1 if rng.random() < 0.5 + 0.48 * (quote - base) / max(quote + base, 1.0) else -1
        price = market.fair_price(t) * exp(side * worst * rng.uniform(0.5, 1.0))
        meet(desk, t, symbol, side, price, size * rng.uniform(0.7, 1.3), maker=rng.random() < maker)


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
    boosted = rng.random() < 0.7
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


def off_market_maker(desk: Desk, start: float) -> Agent:
    """Limit orders of the victim rest far off the market and are lifted at once."""
    rng = desk.rng
    yield start
    symbol = target(desk, "thin", "dead", "half")
    spec = desk.markets[symbol].spec
    side = int(rng.choice([-1, 1]))
    size = share(desk) * desk.equity(start)
    off = log(1.0 + between(desk, (0.2, 3.0), (0.03, 0.12)))
    t = get(desk, start, spec.quote if side > 0 else spec.base, size)
    n = int(rng.integers(1, 21))
    for _ in range(n):
        t += between(desk, (0.5, 10.0), (2.0, 300.0))
        yield t
        price = desk.markets[symbol].fair_price(t) * exp(side * off * rng.uniform(0.9, 1.1))
        meet(desk, t, symbol, side, price, size / n, maker=True)


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
    """A pair of stable coins is traded with the thief away from one."""
    rng = desk.rng
    t = start
    yield t
    symbol = "USDC/USDT"
    off = between(desk, (0.02, 0.3), (0.004, 0.02))
    size = share(desk) * desk.equity(t)
    n = int(log_uniform(rng, 1.0, 50.0))
    t, side = get(desk, t, "USDT", size), 1
    back = rng.random() < 0.5
    for _ in range(n):
        t += between(desk, (0.5, 10.0), (2.0, 300.0))
        yield t
        price = desk.markets[symbol].fair_price(t) * exp(side * off * rng.uniform(0.8, 1.2))
        meet(desk, t, symbol, side, price, size if back else size / n, maker=bool(rng.random() < 0.2))
        side = -side if back else side


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
    t, lost = get(desk, t, "USDT", size), 0.0
    for _ in range(400):
        t += float(rng.exponential(gap)) + 0.2
        yield t
        done = near(desk, t, direct, 1, size)
        if not done:
            break
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
    symbol = next(symbol for symbol, market in desk.markets.items() if market.spec.settle)
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
        symbol, [t, t + rise, t + rise + 60.0, t + 5.0 * rise], [0.0, height, height, 0.1 * height], 1.5
    )
    n = int(rng.integers(1, 9))
    for at in (t + rise * np.sort(rng.uniform(0.4, 1.2, n))).tolist():
        yield at
        market = desk.markets[symbol]
        meet(desk, at, symbol, 1, desk.mid(symbol, at) * exp(market.half_spread(at)), size / n)


KINDS: dict[str, tuple[str, Thief]] = {
    "planted_wall": ("planted_wall", planted_wall),
    "ping_pong": ("ping_pong", ping_pong),
    "slow_bleed": ("slow_bleed", slow_bleed),
    "liquidate_then_pump": ("liquidate_then_buy", liquidate_then_pump),
    "off_market_maker": ("off_market_maker", off_market_maker),
    "boosted_coin": ("boosted_coin", boosted_coin),
    "fee_churn": ("fee_churn", fee_churn),
    "stable_skim": ("stable_pair", stable_skim),
    "far_quote": ("far_quote", far_quote),
    "wall_suppression": ("price_pressure", wall_suppression),
    "twin_skim": ("cross_pair", twin_skim),
    "triangle": ("cross_pair", triangle),
    "thin_perp": ("thin_perp", thin_perp),
    "coordinated_pump": ("coordinated_pump", coordinated_pump),
}
"""Each kind of thief: the incident kind that fits best, and how to make him."""

HELD_OUT = ("far_quote", "wall_suppression", "twin_skim", "triangle", "thin_perp", "coordinated_pump")
"""Kinds that are for testing only: nothing may be trained or calibrated on them."""
