"""People: how the owner himself trades, by hand and with all that goes wrong by hand."""

from __future__ import annotations

from math import exp, inf

from drainwatch.lab.desk import MANUAL, OWNER, Agent, Desk
from drainwatch.lab.draws import HOUR_S, choose, log_uniform, parts
from drainwatch.lab.paths import DAY_S


def human(desk: Desk, equity: float) -> Agent:
    """A person: few orders at waking hours in many markets, some large, some careless, some in panic."""
    rng = desk.rng
    held = choose(rng, desk.of_kind("liquid", "half", "thin", quote="USDT"), int(rng.integers(0, 4)))
    cash = rng.uniform(0.2, 1.0) if held else 1.0
    desk.fund("USDT", cash * equity)
    for symbol in held:
        desk.fund(desk.markets[symbol].spec.base, (1.0 - cash) * equity / len(held))
    yield from _by_hand(
        desk, DAY_S / log_uniform(rng, 0.5, 5.0), OWNER if rng.random() < 0.3 else MANUAL, 1.0
    )


def hands(desk: Desk, equity: float) -> Agent:
    """The owner trades by hand beside his program, a few times a month."""
    del equity
    yield from _by_hand(desk, DAY_S * log_uniform(desk.rng, 2.0, 12.0), MANUAL, 0.35)


def _by_hand(desk: Desk, gap: float, by: str, boldness: float) -> Agent:
    rng = desk.rng
    wakes, awake = rng.uniform(0.0, 24.0), rng.uniform(13.0, 18.0)
    spot = [symbol for symbol, market in desk.markets.items() if not market.spec.settle]
    liking = {"liquid": 1.2, "half": 0.6, "thin": 0.2, "dead": 0.12, "stable": 0.15}
    taste = rng.dirichlet([liking[desk.markets[symbol].spec.kind] for symbol in spot])
    crashes = [e.start_s for e in desk.world.episodes if e.kind == "crash"]
    t = 0.0
    more = 0  # orders that follow in this sitting
    while True:
        if more > 0:
            more -= 1
            t += log_uniform(rng, 12.0, 900.0)
        else:
            more = int(rng.geometric(0.5)) if rng.random() < 0.35 else 0
            t += float(rng.exponential(gap))
        while (t / HOUR_S - wakes) % 24.0 > awake:
            t += float(rng.uniform(0.2, 2.0)) * HOUR_S
        if crashes and t > crashes[0]:
            t = min(t, max(crashes.pop(0) + float(rng.uniform(60.0, 1500.0)), 0.0))
            yield t
            if rng.random() < 0.5:  # panic
                yield from _sell_all(desk, t, by, "own_bad_fill")
            continue
        yield t
        act = rng.random()
        if act < 0.03 * boldness:
            yield from _sell_all(desk, t, by, "")
            t += float(rng.uniform(60.0, 1800.0))
            yield t
            desk.taker(
                t, desk.pick(desk.of_kind("liquid", "half", quote="USDT")), 1, desk.held("USDT") * 0.9, by=by
            )
            continue
        symbol = spot[int(rng.choice(len(spot), p=taste))]
        spec = desk.markets[symbol].spec
        total = desk.equity(t)
        size = total * min(log_uniform(rng, 0.005, 0.25), 1.0 * boldness)
        if rng.random() < 0.06 * boldness:
            size = total * rng.uniform(0.3, 0.95)
        held, cash = desk.value(spec.base, t), desk.value(spec.quote, t)
        side = 1 if cash > held else -1
        side = -side if rng.random() < 0.3 and min(held, cash) > 5.0 else side
        careless = rng.random() < 0.012  # orders more than the book holds
        size = size if careless else min(size, 4.0 * spec.depth)
        slip = rng.random()
        if slip < 0.004 * boldness:  # a digit wrong in the price of a limit order
            wrong = desk.mid(symbol, t) * exp(side * rng.uniform(0.08, 1.5))
            desk.taker(t, symbol, side, size, by=by, limit=wrong, note="own_bad_fill")
        elif slip < (0.3 if spec.half < 0.0015 else 0.75):
            price = desk.mid(symbol, t) * exp(-side * desk.markets[symbol].half_spread(t))
            desk.maker(t, symbol, side, price, size, by=by, parts=parts(rng), age_s=rng.exponential(1800.0))
        else:
            desk.taker(t, symbol, side, size, by=by, note="own_bad_fill" if careless else "")


def _sell_all(desk: Desk, t: float, by: str, note: str) -> Agent:
    for currency in [c for c in desk.holdings if c not in {"USDT", "USDC"}]:
        symbol = f"{currency}/USDT"
        if symbol in desk.markets and desk.value(currency, t) > 5.0:
            t += float(desk.rng.uniform(2.0, 90.0))
            yield t
            desk.taker(t, symbol, -1, inf, by=by, note=note)


def banking(desk: Desk, equity: float) -> Agent:
    """Deposits and withdrawals of USDT, a few a month."""
    rng = desk.rng
    t = 0.0
    while True:
        t += float(rng.exponential(12.0 * DAY_S))
        yield t
        change = equity * log_uniform(rng, 0.02, 0.4)
        if rng.random() < 0.4:
            change = -min(change, 0.5 * desk.held("USDT"))
        desk.fund("USDT", change, t)


def bookkeeping(desk: Desk) -> Agent:
    """A row in the balance table for each currency, about daily."""
    t = DAY_S * float(desk.rng.uniform(0.6, 1.0))
    while True:
        yield t
        desk.snapshot(t)
        t += DAY_S * float(desk.rng.uniform(0.95, 1.05))
