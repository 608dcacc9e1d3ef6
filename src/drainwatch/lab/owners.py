"""Owners: how accounts trade when nobody steals from them.

Each is a generator that funds the desk, then acts through it and yields the time of its next act.
Sizes follow the account's equity and the market's depth. All choices are drawn from `desk.mind`, which
is alike in the accounts that one program trades. `KINDS` names them all, the person who trades by hand
among them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log

import numpy as np

from drainwatch.lab.desk import Agent, Desk
from drainwatch.lab.draws import HOUR_S, choose, log_uniform, parts, pick
from drainwatch.lab.paths import DAY_S
from drainwatch.lab.people import human, risers


def grid(desk: Desk, equity: float) -> Agent:
    """Resting orders a step apart: buys each step down, sells each step up."""
    rng = desk.mind
    symbol = pick(rng, desk.of_kind("liquid", "half", quote="USDT") * 3 + desk.of_kind("thin"))
    market = desk.markets[symbol]
    spec = market.spec
    hourly = float(np.std(np.diff(market.mid[::360])))
    step = max(log_uniform(rng, 0.0025, 0.015), 2.4 * spec.half, hourly * rng.uniform(0.45, 1.2))
    size = min(equity * log_uniform(rng, 0.004, 0.04), 12.0 * spec.depth)
    desk.fund(spec.base, 0.5 * equity)
    desk.fund(spec.quote, 0.5 * equity)
    level, t = desk.mid(symbol, 0.0), float(rng.uniform(0.0, 900.0))
    yield t
    while True:
        t, which = market.first_touch(t, level * (1.0 - step), level * (1.0 + step))
        if spec.kind != "liquid" and which:  # until a taker comes, or the market goes on through our price
            ours = level * (1.0 - which * step)
            gone, _ = market.first_touch(t, *((ours, inf) if which > 0 else (0.0, ours)), through=True)
            t = min(t + float(rng.exponential(1.5 * spec.interval_s)), gone)
        yield t
        level *= 1.0 - which * step
        age = log_uniform(rng, 30.0, DAY_S)
        desk.maker(t, symbol, which, level, size, parts=parts(rng), age_s=age)


def market_maker(desk: Desk, equity: float) -> Agent:
    """Quotes both sides of one market, earns the spread, suffers when the price runs."""
    rng = desk.mind
    symbol = pick(rng, desk.of_kind("half", "thin"))
    market = desk.markets[symbol]
    spec = market.spec
    gap = log_uniform(rng, 400.0, 3600.0)
    size = min(equity * log_uniform(rng, 0.003, 0.03), 8.0 * spec.depth)
    inner = rng.uniform(0.4, 0.9)
    for currency in (spec.base, spec.quote):
        desk.fund(currency, 0.5 * equity)
    t = 60.0
    while True:
        busy = market.activity[min(int(t / 60.0), len(market.activity) - 1)]
        t += float(rng.exponential(gap / max(busy, 0.2)))
        yield t
        base, quote = desk.value(spec.base, t), desk.value(spec.quote, t)
        lean = base / max(base + quote, 1e-9) - 0.5
        if abs(lean) > 0.42 and rng.random() < 0.5:  # too much of one side: reduce at once
            desk.taker(t, symbol, -1 if lean > 0 else 1, 3.0 * size)
            continue
        half = market.half_spread(t)
        ahead = market.log_mid(t + 120.0) - market.log_mid(t)
        chance = 0.5 - lean - 0.22 * np.tanh(ahead / half)
        side = 1 if rng.random() < chance else -1
        price = desk.mid(symbol, t) * exp(-side * half * rng.uniform(inner, 1.0))
        desk.maker(
            t, symbol, side, price, size * rng.uniform(0.5, 1.2), parts=parts(rng), age_s=rng.exponential(90)
        )


def dca(desk: Desk, equity: float) -> Agent:
    """Buys a fixed value of one to three coins at regular hours."""
    rng = desk.mind
    symbols = choose(rng, desk.of_kind("liquid", "half", quote="USDT"), int(rng.integers(1, 4)))
    every = HOUR_S * float(rng.choice([1.0, 4.0, 8.0, 12.0, 24.0]))
    rounds = desk.end / every
    cash = rng.uniform(0.3, 0.95) * equity
    size = max(cash * rng.uniform(0.5, 0.95) / (rounds * len(symbols)), 6.0)
    desk.fund("USDT", cash)
    for symbol in symbols:
        desk.fund(desk.markets[symbol].spec.base, (equity - cash) / len(symbols))
    resting = rng.random() < 0.3
    t = float(rng.uniform(0.0, every))
    while True:
        yield t
        for symbol in symbols:
            at = t + float(rng.uniform(0.1, 3.0))
            if resting:
                half = desk.markets[symbol].half_spread(at)
                price = desk.mid(symbol, at) * exp(-half * rng.uniform(0.3, 1.0))
                desk.maker(at, symbol, 1, price, size, parts=parts(rng), age_s=rng.uniform(5, 900))
            else:
                desk.taker(at, symbol, 1, size)
        t += every + float(rng.normal(0.0, 2.0))


def momentum(desk: Desk, equity: float) -> Agent:
    """Chases what has risen, at market; leaves by stop, by profit or by time."""
    rng = desk.mind
    kinds = ("liquid", "half", "thin") if rng.random() < 0.3 else ("liquid", "half")
    pool = [s for s in desk.of_kind(*kinds, quote="USDT") if desk.markets[s].spec.half < 0.004]
    symbols = choose(rng, pool, int(rng.integers(2, 6)))
    every, back = log_uniform(rng, 600.0, 3600.0), HOUR_S * rng.uniform(0.5, 8.0)
    trigger, stop, profit = rng.uniform(0.005, 0.03), rng.uniform(0.01, 0.06), rng.uniform(0.02, 0.15)
    share = rng.uniform(0.04, 0.45)
    if rng.random() < 0.5:  # his scanner looks at what is newly listed, too
        symbols += [symbol for _, _, symbol in risers(desk, "listing") if symbol not in symbols]
    desk.fund("USDT", equity)
    open_at: dict[str, tuple[float, float]] = {}
    t = back
    while True:
        t += every * float(rng.uniform(0.9, 1.1))
        yield t
        for symbol in symbols:
            market = desk.markets[symbol]
            price = desk.mid(symbol, t)
            if symbol in open_at:
                entry, since = open_at[symbol]
                gain = log(price / entry)
                if gain < -stop or gain > profit or t - since > DAY_S * 2:
                    desk.taker(t + float(rng.uniform(0, 2)), symbol, -1, inf)
                    del open_at[symbol]
            elif market.log_mid(t) - market.log_mid(t - back) > trigger * (1.0 + 20.0 * market.spec.half):
                size = min(share * equity, (6.0 if market.spec.half < 0.0025 else 2.0) * market.spec.depth)
                if desk.taker(t + float(rng.uniform(0, 2)), symbol, 1, size):
                    open_at[symbol] = (price, t)


def rebalancer(desk: Desk, equity: float) -> Agent:
    """Holds coins by weight, trades back to the weights, now and then takes in a new coin."""
    rng = desk.mind
    pool = desk.of_kind("liquid", "half", quote="USDT")
    symbols = choose(rng, pool, int(rng.integers(2, 6)))
    weights = {
        symbol: float(w) for symbol, w in zip(symbols, rng.dirichlet(np.full(len(symbols), 4.0)), strict=True)
    }
    invested = rng.uniform(0.5, 0.95)
    every, band = HOUR_S * log_uniform(rng, 2.0, 48.0), rng.uniform(0.002, 0.015)
    resting = rng.random() < 0.35
    for symbol in symbols:
        desk.fund(desk.markets[symbol].spec.base, invested * weights[symbol] * equity)
    desk.fund("USDT", (1.0 - invested) * equity)
    t = float(rng.uniform(0.0, every))
    while True:
        yield t
        if rng.random() < 0.03 and len(pool) > len(symbols):  # out with one coin, in with another
            gone = pick(rng, symbols)
            new = pick(rng, [symbol for symbol in pool if symbol not in symbols])
            symbols[symbols.index(gone)] = new
            weights[new] = weights.pop(gone)
            desk.taker(t, gone, -1, inf)
        total = desk.equity(t)
        moves = [
            (invested * weights[symbol] * total - desk.value(desk.markets[symbol].spec.base, t), symbol)
            for symbol in symbols
        ]
        at = t
        for change, symbol in sorted(moves):  # sales first
            if abs(change) < band * total:
                continue
            at += float(rng.uniform(0.5, 4.0))
            side = 1 if change > 0 else -1
            size = min(abs(change), 30.0 * desk.markets[symbol].spec.depth)
            if resting:
                price = desk.mid(symbol, at) * exp(-side * desk.markets[symbol].half_spread(at))
                desk.maker(at, symbol, side, price, abs(change), parts=parts(rng), age_s=rng.uniform(5, 1200))
            else:
                desk.taker(at, symbol, side, size)
        t += every * float(rng.uniform(0.98, 1.02))


def twap(desk: Desk, equity: float) -> Agent:
    """Works large orders in many slices over hours."""
    rng = desk.mind
    symbols = choose(rng, desk.of_kind("liquid", "half"), int(rng.integers(1, 4)))
    for symbol in symbols:
        spec = desk.markets[symbol].spec
        for currency in (spec.base, spec.quote):
            desk.fund(currency, equity / (2.0 * len(symbols)))
    t = float(rng.uniform(0.0, DAY_S))
    while True:
        symbol, side = pick(rng, symbols), int(rng.choice([-1, 1]))
        slices, length = int(rng.integers(15, 120)), HOUR_S * log_uniform(rng, 0.7, 10.0)
        size = min(rng.uniform(0.03, 0.35) * equity / slices, 6.0 * desk.markets[symbol].spec.depth)
        resting = rng.uniform(0.0, 0.8)
        for _ in range(slices):
            yield t
            if rng.random() < resting:
                price = desk.mid(symbol, t) * exp(-side * desk.markets[symbol].half_spread(t))
                desk.maker(t, symbol, side, price, size, parts=parts(rng), age_s=rng.uniform(1, 120))
            else:
                desk.taker(t, symbol, side, size * rng.uniform(0.8, 1.2))
            t += length / slices * float(rng.uniform(0.7, 1.3))
        t += float(rng.exponential(1.2 * DAY_S))


def twin_arbitrage(desk: Desk, equity: float) -> Agent:
    """Trades a thin pair against the same coin's liquid one and the cross rate; some legs lose."""
    rng = desk.mind
    twins = [s for s in desk.of_kind("thin", "half") if desk.markets[s].spec.quote in {"BTC", "USDC"}]
    twins = [s for s in twins if f"{desk.markets[s].spec.base}/USDT" in desk.markets]
    symbol = pick(rng, twins)
    market = desk.markets[symbol]
    spec = market.spec
    direct, cross = f"{spec.base}/USDT", f"{spec.quote}/USDT"
    for currency in (spec.base, spec.quote, "USDT"):
        desk.fund(currency, equity / 3.0)
    gap = log_uniform(rng, 900.0, 7200.0)
    size = min(equity * log_uniform(rng, 0.005, 0.05), 6.0 * spec.depth)
    edge = (
        spec.half
        + desk.markets[direct].spec.half
        + desk.markets[cross].spec.half
        + 3.0 * desk.venue.taker_fee
    )
    t = 60.0
    while True:
        t += float(rng.exponential(gap))
        yield t
        other = desk.mid(direct, t) / desk.mid(cross, t)
        off = log(desk.mid(symbol, t) / other)
        if abs(off) > edge + 0.001:
            side = -1 if off > 0 else 1
            done = desk.taker(t, symbol, side, size, limit=other * exp(side * (edge - spec.half)))
        else:
            side = int(rng.choice([-1, 1]))
            price = desk.mid(symbol, t) * exp(-side * market.half_spread(t) * rng.uniform(0.6, 1.0))
            done = desk.maker(t, symbol, side, price, size, age_s=rng.exponential(60.0))
        if not done:
            continue
        value = sum(fill.price * fill.amount * fill.quote_usdt for fill in done)
        late = (
            t + float(rng.uniform(0.05, 1.5)) + (float(rng.exponential(60.0)) if rng.random() < 0.05 else 0.0)
        )
        desk.taker(late, direct, -side, value)
        if (
            desk.value(spec.quote, late) < 0.15 * equity
            or desk.value("USDT", late) < 0.1 * equity
            or rng.random() < 0.5
        ):
            desk.taker(late + 0.2, cross, side, value)
        if desk.value(spec.base, late) < 0.1 * equity:
            desk.taker(late + 1.0, direct, 1, 0.2 * equity)


def venue_arbitrage(desk: Desk, equity: float) -> Agent:
    """Trades against another exchange: only the leg that loses a little is on this one."""
    rng = desk.mind
    symbols = choose(rng, desk.of_kind("liquid", "half", quote="USDT"), int(rng.integers(1, 4)))
    gap = log_uniform(rng, 1800.0, 4.0 * HOUR_S)
    share = log_uniform(rng, 0.004, 0.025)
    desk.fund("USDT", 0.5 * equity)
    for symbol in symbols:
        desk.fund(desk.markets[symbol].spec.base, 0.5 * equity / len(symbols))
    dearer = dict.fromkeys(symbols, 0.0)  # how the other venue leans: gaps come in runs
    t = float(rng.uniform(60.0, gap))
    while True:
        t += float(rng.exponential(gap))
        yield t
        symbol = pick(rng, symbols)
        spec = desk.markets[symbol].spec
        dearer[symbol] = 0.7 * dearer[symbol] + float(rng.normal(0.0, 0.7))
        side = 1 if dearer[symbol] > 0.0 else -1  # what is dearer there is bought here
        size = min(share * equity, 3.0 * spec.depth)
        at = t
        for _ in range(int(rng.geometric(0.5))):  # as long as the gap lasts
            desk.taker(at, symbol, side, size * float(rng.uniform(0.5, 1.0)))
            at += float(rng.uniform(0.3, 20.0))
        if desk.value(spec.base, at) < 2.0 * size or desk.value("USDT", at) < 2.0 * size:
            # Coins come over from the other venue, and money goes there, or the other way round.
            short = desk.value(spec.base, at) < 2.0 * size
            moved = min(0.3 * equity, 0.8 * desk.value("USDT" if short else spec.base, at))
            later = at + HOUR_S * float(rng.uniform(0.1, 1.5))
            desk.fund(spec.base if not short else "USDT", -moved, at + 30.0)
            yield later
            desk.fund(spec.base if short else "USDT", moved, later)
            t = later


def stop_holder(desk: Desk, equity: float) -> Agent:
    """Holds a few coins under stop orders; a crash sells them deep into an emptied book."""
    rng = desk.mind
    kinds = ("liquid", "half", "thin") if rng.random() < 0.25 else ("liquid", "half")
    symbols = choose(rng, desk.of_kind(*kinds, quote="USDT"), int(rng.integers(1, 5)))
    desk.fund("USDT", equity)
    share = rng.uniform(0.4, 0.95) / len(symbols)
    plans = [(float(rng.uniform(0.0, DAY_S)), symbol, 1) for symbol in symbols]
    while plans:
        plans.sort()
        t, symbol, side = plans.pop(0)
        yield t
        market = desk.markets[symbol]
        if side > 0:
            desk.taker(t, symbol, 1, min(share * equity, 8.0 * market.spec.depth))
            stop = desk.mid(symbol, t) * (1.0 - log_uniform(rng, 0.02, 0.15))
            hit, _ = market.first_touch(t, stop, inf)
            plans.append((hit + float(rng.uniform(0.1, 15.0)), symbol, -1))
        else:
            desk.taker(t, symbol, -1, inf)
            plans.append((t + DAY_S * log_uniform(rng, 0.1, 5.0), symbol, 1))


def dust_converter(desk: Desk, equity: float) -> Agent:
    """Swings a few coins and sweeps what is left of many into USDT every few hours."""
    rng = desk.mind
    symbols = choose(rng, desk.of_kind("liquid", "half", "thin", "dead", quote="USDT"), 6)
    desk.fund("USDT", 0.6 * equity)
    for symbol in symbols:
        desk.fund(desk.markets[symbol].spec.base, 0.4 * equity / len(symbols))
    every, t = HOUR_S * float(rng.choice([3.0, 6.0, 12.0])), float(rng.uniform(0.0, HOUR_S))
    while True:
        yield t
        at = t
        for symbol in choose(rng, symbols, int(rng.integers(1, 4))):
            at += float(rng.uniform(1.0, 20.0))
            desk.taker(at, symbol, -1, float(rng.uniform(1.1, 12.0)), note="dust")
        if rng.random() < 0.5:
            symbol = pick(rng, symbols)
            side = int(rng.choice([-1, 1]))
            size = min(equity * rng.uniform(0.005, 0.05), 5.0 * desk.markets[symbol].spec.depth)
            desk.taker(at + 30.0, symbol, side, size)
        t += every + float(rng.normal(0.0, 20.0))


def perp_trader(desk: Desk, equity: float) -> Agent:
    """Trades a perpetual with leverage; now and then the venue closes the position by force."""
    rng = desk.mind
    symbols = [symbol for symbol, market in desk.markets.items() if market.spec.settle]
    symbol = pick(rng, symbols)
    market = desk.markets[symbol]
    margin = market.spec.settle
    leverage, every = log_uniform(rng, 1.0, 12.0), HOUR_S * log_uniform(rng, 1.0, 12.0)
    desk.fund(margin, equity)
    t = float(rng.uniform(0.0, every))
    while True:
        yield t
        notional = desk.equity(t) * leverage * rng.uniform(0.2, 0.9)
        notional = min(notional, 4.0 * market.spec.depth)
        side = int(rng.choice([-1, 1]))
        if rng.random() < (0.4 if market.spec.half < 0.001 else 0.85):
            price = desk.mid(symbol, t) * exp(-side * market.half_spread(t))
            desk.maker(t, symbol, side, price, notional, parts=parts(rng), age_s=rng.uniform(1, 600))
        else:
            desk.taker(t, symbol, side, notional)
        held, entry = desk.positions.get(symbol, (0.0, 0.0))
        if held == 0.0:
            t += every
            continue
        bust = 0.85 * max(desk.value(margin, t), 1.0) / desk.exposure(symbol, t)
        want = log_uniform(rng, 0.004, 0.04)
        stop = log_uniform(rng, 0.005, 0.05) if rng.random() < 0.75 else inf
        down, up = (min(stop, bust), want) if held > 0 else (want, min(stop, bust))
        hit, _ = market.first_touch(t, entry * (1.0 - min(down, 0.95)), entry * (1.0 + up))
        t = min(hit, t + float(rng.exponential(4.0 * every)) + 60.0)
        yield t
        held, entry = desk.positions[symbol]
        loss = -(1 if held > 0 else -1) * (desk.mid(symbol, t) / entry - 1.0)
        forced = loss >= 0.93 * bust
        notional = desk.exposure(symbol, t) * 1.0001
        if forced:
            client = f"autoclose-{int(rng.integers(10**12))}"
            desk.taker(
                t, symbol, -1 if held > 0 else 1, notional, by="venue", client=client, note="liquidation"
            )
        else:
            desk.taker(t, symbol, -1 if held > 0 else 1, notional)
        if desk.value(margin, t) < 0.15 * equity:
            desk.fund(margin, 0.5 * equity, t + 30.0)
        t += float(rng.exponential(every)) + 30.0


KINDS: dict[str, Callable[[Desk, float], Agent]] = {
    "grid": grid,
    "market_maker": market_maker,
    "dca": dca,
    "momentum": momentum,
    "rebalancer": rebalancer,
    "twap": twap,
    "human": human,
    "twin_arbitrage": twin_arbitrage,
    "venue_arbitrage": venue_arbitrage,
    "stop_holder": stop_holder,
    "dust_converter": dust_converter,
    "perp_trader": perp_trader,
}
"""How to make each kind of owner; its docstring's first line says what it is."""
