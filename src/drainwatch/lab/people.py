"""People: how the owner himself trades, by hand and with all that goes wrong by hand."""

from __future__ import annotations

from collections.abc import Generator
from math import exp, inf

from drainwatch.lab.desk import MANUAL, OWNER, Agent, Desk, Fill
from drainwatch.lab.draws import HOUR_S, choose, log_uniform, parts
from drainwatch.lab.paths import DAY_S

Errand = Generator[float, None, float]
"""Yields when it acts next; returns when it is done (seconds)."""

TOO_DEEP = 15.0
"""Orders worth so many times the best level go through the book: he robs himself."""


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


def risers(desk: Desk, *kinds: str) -> list[tuple[float, float, str]]:
    """Return start, end (seconds) and USDT market of each episode of one coin, of these kinds."""
    found = []
    for episode in desk.world.episodes:
        subject = episode.subject
        symbol = subject if subject in desk.markets else f"{subject}/USDT"
        if episode.kind in kinds and symbol in desk.markets:
            found.append((episode.start_s, episode.end_s, symbol))
    return found


def _news(desk: Desk) -> list[tuple[float, str, str]]:
    """When he hears of what happens to the market (seconds), what he may then do, and where."""
    rng = desk.rng
    news = [
        (episode.start_s + float(rng.uniform(60.0, 1500.0)), "panic", "")
        for episode in desk.world.episodes
        if episode.kind in {"crash", "venue_crash"}
    ]
    for start, end, symbol in risers(desk, "pump", "listing"):
        news.append((start + min(end - start, 4.0 * HOUR_S) * float(rng.uniform(0.1, 0.9)), "chase", symbol))
    return sorted(news)


def _by_hand(desk: Desk, gap: float, by: str, boldness: float) -> Agent:
    rng = desk.rng
    wakes, awake = rng.uniform(0.0, 24.0), rng.uniform(13.0, 18.0)
    spot = [symbol for symbol, market in desk.markets.items() if not market.spec.settle]
    liking = {"liquid": 1.2, "half": 0.6, "thin": 0.2, "dead": 0.12, "stable": 0.15}
    taste = rng.dirichlet([liking[desk.markets[symbol].spec.kind] for symbol in spot])
    news = _news(desk)
    t = 0.0
    more = 0  # orders that follow in this sitting
    while True:
        before = t
        if more > 0:
            more -= 1
            t += log_uniform(rng, 12.0, 900.0)
        else:
            more = int(rng.geometric(0.5)) if rng.random() < 0.35 else 0
            t += float(rng.exponential(gap))
        up_late = rng.random() < 0.06  # a bad night, a journey
        while not up_late and (t / HOUR_S - wakes) % 24.0 > awake:
            t += float(rng.uniform(0.2, 2.0)) * HOUR_S
        if news and t > news[0][0]:
            heard, what, symbol = news.pop(0)
            t = max(heard, before)
            yield t
            if what == "panic" and rng.random() < 0.5:
                t = yield from _sell_all(desk, t, by, "own_bad_fill")
            elif what == "chase" and rng.random() < 0.4 * boldness:
                t = yield from _chase(desk, t, symbol, by)
                news.append((t + HOUR_S * log_uniform(rng, 0.2, 60.0), "let go", symbol))
                news.sort()
            elif what == "let go":
                _let_go(desk, t, symbol, by)
            continue
        yield t
        if rng.random() < 0.03 * boldness:
            t = yield from _sell_all(desk, t, by, "")
            t += float(rng.uniform(60.0, 1800.0))
            yield t
            into = desk.pick(desk.of_kind("liquid", "half", quote="USDT"))
            desk.taker(t, into, 1, desk.held("USDT") * 0.9, by=by)
            continue
        _order(desk, t, spot[int(rng.choice(len(spot), p=taste))], by, boldness)


def _order(desk: Desk, t: float, symbol: str, by: str, boldness: float) -> None:
    """One order of his: its size from what he has, and now and then a slip."""
    rng = desk.rng
    market = desk.markets[symbol]
    spec = market.spec
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
    if slip < 0.004 * boldness:
        wrong_price(desk, t, symbol, side, size, by)
    elif slip < 0.007 * boldness:
        wrong_amount(desk, t, symbol, side, size, by)
    elif slip < (0.3 if spec.half < 0.0015 else 0.75):
        price = desk.mid(symbol, t) * exp(-side * market.half_spread(t))
        desk.maker(t, symbol, side, price, size, by=by, parts=parts(rng), age_s=rng.exponential(1800.0))
    else:
        desk.taker(t, symbol, side, size, by=by, note="own_bad_fill" if careless else "")


def wrong_price(desk: Desk, t: float, symbol: str, side: int, usdt: float, by: str) -> list[Fill]:
    """A digit is wrong in the price of a limit order.

    It takes what the book has up to there; what is left of it rests on the wrong side of the market,
    where somebody who watches for that takes it at once.
    """
    rng = desk.rng
    wrong = desk.mid(symbol, t) * exp(side * rng.uniform(0.08, 1.5))
    done = desk.taker(t, symbol, side, usdt, by=by, limit=wrong, note="own_bad_fill")
    left = usdt - sum(fill.cost * fill.quote_usdt for fill in done)
    if not done or left < 0.05 * usdt:
        return done
    at = t + log_uniform(rng, 0.05, 20.0)
    return done + desk.maker(at, symbol, side, wrong, left, by=by, age_s=0.0, note="own_bad_fill")


def wrong_amount(desk: Desk, t: float, symbol: str, side: int, usdt: float, by: str) -> list[Fill]:
    """A digit is wrong in the amount, or there is one too many: a market order walks the book."""
    factor = 10.0 if desk.rng.random() < 0.5 else float(desk.rng.uniform(2.0, 9.0))
    return desk.taker(t, symbol, side, usdt * factor, by=by, note="own_bad_fill")


def _chase(desk: Desk, t: float, symbol: str, by: str) -> Errand:
    """Buy at market what has risen already, sometimes far too much; returns when it is done."""
    rng = desk.rng
    market = desk.markets[symbol]
    greedy = rng.random() < 0.3
    size = desk.equity(t) * (rng.uniform(0.3, 0.95) if greedy else log_uniform(rng, 0.02, 0.2))
    size = size if greedy else min(size, 5.0 * market.spec.depth)
    if desk.held("USDT") < size and rng.random() < 0.5:  # sells what he has for it
        t = 20.0 + (yield from _sell_all(desk, t, by, "", keep=market.spec.base))
        yield t
    deep = size > TOO_DEEP * market.spec.depth
    desk.taker(t, symbol, 1, size, by=by, note="own_bad_fill" if deep else "")
    return t


def _let_go(desk: Desk, t: float, symbol: str, by: str) -> None:
    """Sell what was chased, whatever the book gives."""
    spec = desk.markets[symbol].spec
    deep = desk.value(spec.base, t) > TOO_DEEP * spec.depth
    desk.taker(t, symbol, -1, inf, by=by, note="own_bad_fill" if deep else "")


def _sell_all(desk: Desk, t: float, by: str, note: str, keep: str = "USDT") -> Errand:
    """Sell every coin but stable ones and `keep` for USDT, one after the other; returns when it is done."""
    for currency in [c for c in desk.holdings if c not in {"USDT", "USDC", keep}]:
        symbol = f"{currency}/USDT"
        if symbol in desk.markets and desk.value(currency, t) > 5.0:
            t += float(desk.rng.uniform(2.0, 90.0))
            yield t
            desk.taker(t, symbol, -1, inf, by=by, note=note)
    return t


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
