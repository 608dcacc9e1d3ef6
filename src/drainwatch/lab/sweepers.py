"""Sweepers: thieves who have the victim's orders meet quotes planted far from fair.

Each acts on the victim's desk from `start` on; `desk.difficulty` goes from 0, blatant, to 1, careful.
"""

from __future__ import annotations

from math import exp, log

from drainwatch.lab.desk import THIEF, Agent, Desk
from drainwatch.lab.draws import HOUR_S, log_uniform
from drainwatch.lab.markets import Wall
from drainwatch.lab.theft import (
    approach,
    between,
    during_refill,
    get,
    meet,
    poison,
    round_trips,
    sellable,
    share,
    sweep,
    target,
    thinnest,
)


def planted_wall(desk: Desk, start: float) -> Agent:
    """Market orders of the victim sweep a thin book into asks planted far above fair."""
    rng = desk.rng
    yield start
    size = share(desk) * desk.equity(start)
    markup = log(1.0 + between(desk, (0.4, 10.0), (0.04, 0.15)))
    names = [target(desk, "thin", "dead", "half") for _ in range(3)]
    symbol = thinnest(desk, start, names, 1, markup, size)
    quote = desk.markets[symbol].spec.quote
    t = get(desk, start, quote, size)
    size = min(size, desk.value(quote, t))
    t += between(desk, (1.0, 30.0), (5.0, 900.0))
    n = int(rng.integers(1, 31)) if rng.random() < 0.7 else 1
    yield from sweep(desk, t, symbol, 1, markup, size, n, between(desk, (1.0, 60.0), (5.0, 120.0)))


def dump_into_bids(desk: Desk, start: float) -> Agent:
    """The victim's coins are sold on a thin cross pair into bids planted far below fair."""
    rng = desk.rng
    yield start
    names = [s for s in desk.of_kind("thin", "half", "dead") if desk.markets[s].spec.quote != "USDT"]
    liquid = {desk.markets[s].spec.base for s in desk.of_kind("liquid", quote="USDT")}
    held = [s for s in names if desk.value(desk.markets[s].spec.base, start) > 0.1 * desk.equity(start)]
    known = [s for s in names if desk.markets[s].spec.base in liquid]
    size = share(desk) * desk.equity(start)
    fall = -log(1.0 - between(desk, (0.15, 0.95), (0.04, 0.12)))
    if rng.random() < 0.75:
        symbol = thinnest(desk, start, held or known or names, -1, fall, size)
    else:
        symbol = sellable(desk, start, "thin", "half")
    base = desk.markets[symbol].spec.base
    t = get(desk, start, base, size)
    size = min(size, desk.value(base, t))
    t += between(desk, (1.0, 30.0), (5.0, 900.0))
    n = int(log_uniform(rng, 1.0, 50.0))
    yield from sweep(desk, t, symbol, -1, fall, size, n, between(desk, (1.0, 30.0), (5.0, 120.0)))


def far_quote(desk: Desk, start: float) -> Agent:
    """One order of the victim meets one quote at many times fair."""
    yield start
    size = share(desk) * desk.equity(start)
    markup = log(between(desk, (1e3, 2.4e6), (5.0, 100.0)))
    symbol = thinnest(desk, start, [target(desk, "thin", "dead") for _ in range(3)], 1, markup, size)
    t = get(desk, start, desk.markets[symbol].spec.quote, size) + 5.0
    yield from sweep(desk, t, symbol, 1, markup, size, 1, 1.0)


def off_market_maker(desk: Desk, start: float) -> Agent:
    """Limit orders of the victim rest far off the market and are lifted at once."""
    rng = desk.rng
    yield start
    side = int(rng.choice([-1, 1]))
    size = share(desk) * desk.equity(start)
    off = log(1.0 + between(desk, (0.2, 3.0), (0.03, 0.12)))
    if side < 0:
        symbol = sellable(desk, start, "thin", "half")
    else:
        names = [target(desk, "thin", "dead", "half") for _ in range(3)]
        symbol = thinnest(desk, start, names, side, off, size)
    spec = desk.markets[symbol].spec
    money = spec.quote if side > 0 else spec.base
    t = get(desk, start, money, size)
    size = min(size, desk.value(money, t))
    n = int(rng.integers(1, 21))
    gap = between(desk, (0.5, 10.0), (2.0, 300.0))
    t = approach(desk, t, symbol, side, off, size, 2.0 * n * gap)
    for _ in range(n):
        t += gap * rng.uniform(0.3, 1.7)
        yield t
        price = desk.markets[symbol].fair_price(t) * exp(side * off * rng.uniform(0.9, 1.1))
        meet(desk, t, symbol, side, price, size / n, maker=True, stake=size)


def iceberg(desk: Desk, start: float) -> Agent:
    """One order of the thief, refilled at one price, meets hundreds of small orders of the victim.

    He lifts the market to his price beforehand, so that no stranger asks for less.
    """
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", "dead", "half")
    market = desk.markets[symbol]
    spec = market.spec
    size = share(desk) * desk.equity(t)
    off = log(1.0 + between(desk, (0.05, 0.6), (0.01, 0.05)))
    t = get(desk, t, spec.quote, size)
    size = min(size, desk.value(spec.quote, t))
    n = max(min(int(between(desk, (40.0, 400.0), (100.0, 1200.0))), int(size / 2.5)), 1)
    gap = min(between(desk, (0.3, 5.0), (3.0, 60.0)), 0.6 * (desk.end - t) / n)
    lead = between(desk, (60.0, 1200.0), (1200.0, 6.0 * HOUR_S))
    # Strangers quote above his price from then on.
    poison(desk, symbol, t, t + lead, t + lead + 1.3 * n * gap, off + 0.8 * spec.half)
    t += lead
    yield t
    wall: Wall | None = None
    passed = False  # strangers were in front of him
    for _ in range(n):
        t += float(rng.exponential(gap)) + 0.05
        yield t
        fair = market.fair_price(t)
        if wall is None or passed or not 0.4 * off < log(wall.price / fair) < 2.5 * off:
            if wall is not None:  # the market has moved away from his price: he quotes anew
                wall.end_s = t - 0.02
            price = min(fair * exp(off), exp(market.natural(t)[1]))
            wall = desk.wall(t - 0.01, symbol, -1, price, 3.0 * size, until=desk.end)
        done = desk.taker(t, symbol, 1, size / n * rng.uniform(0.7, 1.3), by=THIEF, limit=wall.price)
        passed = any(not fill.to_thief for fill in done)
    if wall is not None:
        wall.end_s = t + float(rng.uniform(0.01, 120.0))


def leverage_max(desk: Desk, start: float) -> Agent:
    """Borrows, or opens more leverage than the account ever had, and loses it against the thief."""
    rng = desk.rng
    t = start
    yield t
    perps = [symbol for symbol, market in desk.markets.items() if market.spec.settle == "USDT"]
    if perps and rng.random() < 0.5:
        yield from _levered(desk, t, desk.pick(perps))
        return
    symbol = target(desk, "thin", "dead", "half")
    quote = desk.markets[symbol].spec.quote
    loan = desk.equity(t) * between(desk, (1.0, 4.0), (0.5, 1.5))
    desk.nets_debts = bool(rng.random() < 0.4)
    parts = int(rng.integers(1, 4))
    for _ in range(parts):
        desk.borrow(quote, loan / parts, t)
        t += between(desk, (1.0, 20.0), (5.0, 300.0))
        yield t
    size = share(desk) * (desk.equity(t) + loan)
    t = get(desk, t, quote, size)
    size = min(size, desk.value(quote, t))
    t += between(desk, (1.0, 30.0), (5.0, 900.0))
    if rng.random() < 0.6:
        markup = log(1.0 + between(desk, (0.3, 5.0), (0.04, 0.15)))
        n = int(rng.integers(1, 31))
        yield from sweep(desk, t, symbol, 1, markup, size, n, between(desk, (1.0, 60.0), (5.0, 120.0)))
        return
    cost = between(desk, (0.02, 0.10), (0.008, 0.025))
    goal = between(desk, (0.3, 0.9), (0.06, 0.4)) * size
    yield from round_trips(desk, t, symbol, cost, goal, min(0.5 * size, goal / (10.0 * cost)))


def _levered(desk: Desk, t: float, symbol: str) -> Agent:
    """Open a position of many times the equity too dear, and close it too cheap."""
    rng = desk.rng
    market = desk.markets[symbol]
    most = max(
        (f.cost * f.quote_usdt for f in desk.fills if f.symbol == symbol),
        default=0.0,
    )
    t = get(desk, t, "USDT", 0.95 * desk.equity(t))
    margin = max(desk.held("USDT"), 10.0)
    size = max(margin * between(desk, (8.0, 25.0), (4.0, 10.0)), min(1.5 * most, 25.0 * margin))
    lost = between(desk, (0.3, 0.9), (0.06, 0.3)) * margin  # both legs together
    off = lost / (2.0 * size)
    side = int(rng.choice([-1, 1]))
    for leg in (side, -side):
        n = int(rng.integers(1, 12))
        for _ in range(n):
            t += between(desk, (0.5, 10.0), (5.0, 200.0))
            yield t
            price = desk.mid(symbol, t) * exp(leg * (market.half_spread(t) + off) * rng.uniform(0.8, 1.2))
            meet(desk, t, symbol, leg, price, size / n)


def in_the_crash(desk: Desk, start: float) -> Agent:
    """Waits for a crash, of all or of this venue only, and robs while every price is bad anyway."""
    rng = desk.rng
    t = moment_of_crash(desk, start)
    yield t
    side = -1 if rng.random() < 0.7 else 1
    symbol = sellable(desk, t, "half", "thin") if side < 0 else target(desk, "thin", "dead", "half")
    market = desk.markets[symbol]
    spec = market.spec
    size = share(desk) * desk.equity(t)
    off = between(desk, (0.08, 0.9), (0.02, 0.08))
    money = spec.base if side < 0 else spec.quote
    t = get(desk, t, money, size)
    size = min(size, desk.value(money, t))
    n = int(log_uniform(rng, 2.0, 60.0))
    gap = between(desk, (0.5, 15.0), (5.0, 60.0))
    stake = min(size, size / n * during_refill(desk, symbol, gap))
    for _ in range(n):
        t += float(rng.exponential(gap)) + 0.1
        yield t
        level = market.fair_price(t)
        level = min(level, desk.mid(symbol, t)) if side < 0 else max(level, desk.mid(symbol, t))
        price = level * exp(side * off * rng.uniform(0.7, 1.3))
        meet(desk, t, symbol, side, price, size / n, maker=bool(rng.random() < 0.2), stake=stake)


def moment_of_crash(desk: Desk, start: float) -> float:
    """When a thief who waits for a crash acts: early in the world's last one, `start` where there is none."""
    crashes = [e for e in desk.world.episodes if e.kind in {"crash", "venue_crash"}]
    if not crashes:
        return start
    crash = crashes[-1]
    return crash.start_s + max(60.0, 0.1 * (crash.end_s - crash.start_s))


def crumbs(desk: Desk, start: float) -> Agent:
    """Moves the price of a thin coin, then takes the money in hundreds of the smallest orders there are."""
    rng = desk.rng
    t = start
    yield t
    symbol = target(desk, "thin", "dead", "half")
    market = desk.markets[symbol]
    spec = market.spec
    size = share(desk) * desk.equity(t)
    off = log(1.0 + between(desk, (0.08, 0.8), (0.012, 0.06)))
    lot = spec.lot * market.fair_price(t) * desk.usdt(spec.quote, t)
    each = max(float(rng.uniform(1.5, 6.0)), 1.05 * lot * exp(off), size / 1500.0)
    n = max(int(size / each), 1)
    gap = min(between(desk, (0.2, 3.0), (1.0, 60.0)), 0.6 * (desk.end - t) / n)
    t = get(desk, t, spec.quote, size)
    lead = between(desk, (300.0, 3600.0), (1800.0, 12.0 * HOUR_S))
    poison(desk, symbol, t, t + lead, t + lead + 1.3 * n * gap, off)
    t += lead
    for _ in range(n):
        t += float(rng.exponential(gap)) + 0.05
        yield t
        price = desk.mid(symbol, t) * exp(market.half_spread(t) * rng.uniform(0.3, 1.0))
        meet(desk, t, symbol, 1, price, each * rng.uniform(1.0, 1.2))
