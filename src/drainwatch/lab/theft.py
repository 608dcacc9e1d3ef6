"""What all thieves do: get the money into place, poison a price, plant a wall, meet the victim's orders."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np

from drainwatch.lab.desk import MANUAL, OWNER, THIEF, Agent, Desk, Fill
from drainwatch.lab.draws import HOUR_S, log_uniform

PATIENCE = 3.0
"""What a thief pays strangers at most for a book cleared of them, over what one victim loses there.

More than one, as those who rob thus rob many accounts through the same hole.
"""


def between(desk: Desk, easy: tuple[float, float], hard: tuple[float, float]) -> float:
    """Draw from bounds that slide (in logs) from the easy pair to the hard pair."""
    d = desk.difficulty
    low, high = (exp((1.0 - d) * log(a) + d * log(b)) for a, b in zip(easy, hard, strict=True))
    return log_uniform(desk.rng, min(low, high), max(low, high))


def careful(desk: Desk) -> bool:
    """Whether the thief takes a precaution: the harder, the likelier."""
    return bool(desk.rng.random() < desk.difficulty**1.5)


def share(desk: Desk) -> float:
    """Share of the equity to put through in bad trades."""
    return min(between(desk, (0.35, 1.0), (0.15, 0.6)), 0.97)


def target(desk: Desk, *kinds: str, quotes: tuple[str, ...] = ("USDT", "BTC", "USDC")) -> str:
    """Pick a market of small coins, mostly one that the account has not traded yet."""
    names = [
        symbol
        for symbol in desk.of_kind(*kinds)
        if desk.markets[symbol].spec.quote in quotes and desk.markets[symbol].spec.base not in {"BTC", "ETH"}
    ]
    known = {fill.symbol for fill in desk.fills}
    fresh = [symbol for symbol in names if symbol not in known]
    return desk.pick(fresh if fresh and desk.rng.random() < 0.8 else names)


def sellable(desk: Desk, t: float, *kinds: str) -> str:
    """Pick a market to sell in: mostly of the coin that the account holds most of, else one easily bought."""
    names = [s for s in desk.of_kind(*kinds) if desk.markets[s].spec.base not in {"BTC", "ETH", "USDC"}]
    held = [s for s in names if desk.value(desk.markets[s].spec.base, t) > 0.1 * desk.equity(t)]
    liquid = {desk.markets[s].spec.base for s in desk.of_kind("liquid", "half", quote="USDT")}
    return desk.pick(held or [s for s in names if desk.markets[s].spec.base in liquid])


def usual_size(desk: Desk, fallback: float) -> float:
    """Typical size of the owner's own fills in USDT."""
    own = [f.cost * f.quote_usdt for f in desk.fills[-400:] if f.by == OWNER]
    return float(np.median(own)) if own else fallback


def loss_of(fill: Fill) -> float:
    """USDT that a fill cost beyond fair value; positive is worse for the account."""
    return fill.lost * fill.quote_usdt


def fee_of(fill: Fill) -> float:
    """USDT of a fill's fee; negative for a rebate."""
    in_quote = fill.fee_currency == fill.symbol.partition("/")[2].partition(":")[0]
    return fill.fee * fill.quote_usdt * (1.0 if in_quote else fill.true_fair)


def own_fills(desk: Desk) -> list[Fill]:
    """Return the owner's last few hundred fills, those of his program and those by hand."""
    return [fill for fill in desk.fills[-600:] if fill.by in {OWNER, MANUAL}]


def next_side(desk: Desk, symbol: str, t: float) -> int:
    """Draw the side to trade next so that neither coin runs out: the more quote, the likelier a buy."""
    spec = desk.markets[symbol].spec
    base, quote = desk.value(spec.base, t), desk.value(spec.quote, t)
    return 1 if desk.rng.random() < 0.5 + 0.48 * (quote - base) / max(quote + base, 1.0) else -1


def get(desk: Desk, t: float, currency: str, usdt: float) -> float:
    """Have about `usdt` of a currency on the account through trades near fair; returns when it is there.

    Money that a book can't take near its mid stays where it is: the thief doesn't feed strangers.
    """
    for _ in range(3):
        for other in sorted(desk.holdings, key=lambda name: -desk.value(name, t)):
            short = usdt - desk.value(currency, t)
            if short < max(1.0, 0.05 * usdt):
                return t
            has = desk.value(other, t)
            if other == currency or has < 2.0:
                continue
            step = min(short * 1.01, has)
            if f"{other}/{currency}" in desk.markets:
                near(desk, t, f"{other}/{currency}", -1, step)
            elif f"{currency}/{other}" in desk.markets and other == "USDT":
                near(desk, t, f"{currency}/{other}", 1, step)
            else:
                if other != "USDT":
                    near(desk, t, f"{other}/USDT", -1, step)
                    t += float(desk.rng.uniform(0.4, 3.0))
                if currency != "USDT":
                    near(desk, t, f"{currency}/USDT", 1, step)
            t += float(desk.rng.uniform(0.4, 4.0))
    return t


def near(desk: Desk, t: float, symbol: str, side: int, usdt: float) -> list[Fill]:
    """Trade at market for the thief, no further than a few spreads from the mid."""
    reach = max(6.0 * desk.markets[symbol].half_spread(t), 0.002)
    return desk.taker(t, symbol, side, usdt, by=THIEF, limit=desk.mid(symbol, t) * exp(side * reach))


def poison(desk: Desk, symbol: str, now: float, start: float, end: float, height: float) -> None:
    """Move the pair's own mid by a log `height` between `now` and `start`; it falls back after `end`."""
    lead = start - now
    desk.push(
        symbol,
        [now, start - 0.15 * lead, end, end + max(60.0, 0.1 * lead)],
        [0.0, height, height, 0.0],
        between(desk, (20.0, 60.0), (60.0, 400.0)),
    )


def in_front(desk: Desk, t: float, symbol: str, side: int, price: float) -> float:
    """Value in USDT of strangers' levels that a taker of `side` meets before `price`."""
    market = desk.markets[symbol]
    unit = desk.usdt(market.spec.quote, t)
    levels = market.levels(t, side, desk.rng, unit)
    value = sum(at * amount for at, amount in levels if side * (price - at) > 0.0)
    return value * unit * market.spec.contract_size


def affordable(desk: Desk, t: float, symbol: str, side: int, price: float, stake: float) -> float:
    """Return `price`, or one nearer the market where strangers in front of it cost too much to remove.

    `stake` is the value in USDT that is to trade there with the victim: the thief pays strangers no
    more than `PATIENCE` times what this victim loses on it.
    """
    market = desk.markets[symbol]
    low, high = market.natural(t)
    best, fair = exp(high if side > 0 else low), market.fair_price(t)
    if side * (price - best) <= 0.0:
        return price
    unit = desk.usdt(market.spec.quote, t) * market.spec.contract_size
    levels = market.levels(t, side, desk.rng, unit / market.spec.contract_size)
    for part in (1.0, 0.8, 0.65, 0.5, 0.38, 0.28, 0.2, 0.13, 0.07):
        at = exp((1.0 - part) * log(best) + part * log(price))
        cost = unit * sum(side * (level - fair) * size for level, size in levels if side * (at - level) > 0.0)
        if cost <= PATIENCE * stake * (1.0 - exp(-side * log(at / fair))):
            return at
    return best


def during_refill(desk: Desk, symbol: str, gap: float) -> float:
    """How many orders, `gap` seconds apart, come before a book that was emptied has refilled a little."""
    return max(0.3 * desk.markets[symbol].spec.refill_s / gap, 1.0)


def approach(desk: Desk, t: float, symbol: str, side: int, off: float, stake: float, length: float) -> float:
    """Move the market most of the way to a log `off` beyond fair, from caution or where it is too full.

    Returns when that is done, `t` where he leaves it as it is; it stays moved for `length` seconds.
    """
    fair = desk.markets[symbol].fair_price(t)
    reach = side * log(affordable(desk, t, symbol, side, fair * exp(side * off), stake) / fair)
    if not careful(desk) and reach > 0.6 * off:
        return t
    lead = min(HOUR_S * between(desk, (0.05, 1.0), (0.3, 10.0)), 0.3 * (desk.end - t))
    poison(desk, symbol, t, t + lead, t + lead + length, side * off * desk.rng.uniform(0.5, 0.95))
    return t + lead


def thinnest(desk: Desk, t: float, names: list[str], side: int, off: float, stake: float) -> str:
    """Pick the market in which a price a log `off` beyond fair comes nearest to being affordable."""

    def reach(symbol: str) -> float:
        fair = desk.markets[symbol].fair_price(t)
        return side * log(affordable(desk, t, symbol, side, fair * exp(side * off), stake) / fair)

    return max(dict.fromkeys(names), key=reach)


def meet(
    desk: Desk,
    t: float,
    symbol: str,
    side: int,
    price: float,
    usdt: float,
    *,
    maker: bool = False,
    stake: float | None = None,
) -> list[Fill]:
    """Trade with the thief at `price`: he rests an order there moments before, or lifts the victim's.

    Strangers' levels in front of that price are removed by him first, or by the victim's order on its
    way where it is large enough to get through them. Where that costs him too much for a `stake` (what
    is to trade there, this order alone if None; infinite: he pays any price) he asks for less.
    """
    price = affordable(desk, t, symbol, side, price, usdt if stake is None else stake)
    bid, ask = desk.markets[symbol].best(t)
    beyond = price > ask if side > 0 else price < bid
    alone = maker or desk.rng.random() < 0.5 + 0.5 * desk.difficulty
    if beyond and (alone or in_front(desk, t, symbol, side, price) > 0.3 * usdt):
        desk.clear(t - 0.05, symbol, side, price)
    if maker:
        return desk.maker(t, symbol, side, price, usdt, by=THIEF, thief=True, age_s=0.2)
    age = between(desk, (0.2, 5.0), (1.0, 60.0))
    wall = desk.wall(t - min(age, 0.04 if beyond else age), symbol, -side, price, usdt * 1.3, until=t + age)
    limit = max(price, wall.price) if side > 0 else min(price, wall.price)
    done = desk.taker(t, symbol, side, usdt, by=THIEF, limit=limit if desk.rng.random() < 0.5 else None)
    wall.end_s = t + float(desk.rng.uniform(0.01, 0.5) if desk.rng.random() < 0.8 else age)
    return done


def sweep(
    desk: Desk, t: float, symbol: str, side: int, markup: float, usdt: float, n: int, length: float
) -> Agent:
    """Plant walls at a log `markup` beyond fair, then have the victim take them in `n` orders.

    A book too deep for the victim's orders is emptied up to the walls by the thief.
    """
    rng = desk.rng
    market = desk.markets[symbol]
    age = between(desk, (1.0, 60.0), (30.0, 900.0))
    t = approach(desk, t, symbol, side, markup, usdt, length) + age
    yield t - age
    fair = market.fair_price(t)
    # The smallest lot has to be within the victim's means.
    lot = market.spec.lot * fair * desk.usdt(market.spec.quote, t)
    markup = min(markup, max(log(usdt / n / lot) - 1.0, 0.1))
    markup = side * log(affordable(desk, t - age, symbol, side, fair * exp(side * markup), usdt) / fair)
    gone = t + length + float(rng.uniform(1.0, 120.0))
    levels = int(rng.integers(1, 4))
    for k in range(levels):
        at = fair * exp(side * markup * (1.0 + 0.02 * k))
        size = 1.5 * usdt * (exp(markup) if side < 0 else 1.0) / levels + 10.0
        desk.wall(t - age, symbol, -side, at, size, until=gone)
    strangers = in_front(desk, t - age, symbol, side, fair * exp(side * markup))
    empty = strangers > 0.3 * usdt / n or rng.random() < 0.3
    times = np.sort(rng.uniform(0.0, length, n - 1)) if n > 1 else np.empty(0)
    for at in (t + np.concatenate([[0.0], times])).tolist():
        yield at
        if empty:
            desk.clear(at - 0.1, symbol, side, fair * exp(side * markup * (1.0 + 0.02 * levels)))
        desk.taker(at, symbol, side, usdt / n, by=THIEF)


def sell_everything(desk: Desk, t: float, into: str, keep: str) -> Agent:
    """Sell all holdings but `keep` at market for `into` (a quote currency), within about a minute."""
    rng = desk.rng
    for currency in sorted(desk.holdings, key=lambda name: -desk.value(name, t)):
        if currency in {into, keep, "USDT"} or desk.value(currency, t) < 3.0:
            continue
        direct = f"{currency}/{into}"
        yield t
        desk.taker(t, direct if direct in desk.markets else f"{currency}/USDT", -1, inf, by=THIEF)
        t += float(rng.uniform(0.2, 40.0 / max(len(desk.holdings), 1)))
    if into != "USDT" and desk.held("USDT") > 3.0:
        t += 0.2
        yield t
        desk.taker(t, f"{into}/USDT", 1, inf, by=THIEF)


def round_trips(
    desk: Desk,
    t: float,
    symbol: str,
    cost: float,
    goal: float,
    size: float,
    *,
    fills: int = 600,
    gap: float = 5.0,
    maker: float = 0.0,
    lean: float = 0.0,
) -> Agent:
    """Buy dear from the thief and sell back cheap to him, until `goal` USDT are lost.

    `cost` is what a round trip of `size` USDT costs, as a log; `lean` moves it from one leg to the
    other; `gap` are the mean seconds between fills, `maker` the share of the victim's resting orders.
    """
    rng = desk.rng
    market = desk.markets[symbol]
    t = get(desk, t, market.spec.quote, size)
    stake = size * during_refill(desk, symbol, 2.0 * gap)
    lost, side, missed = 0.0, 1, 0
    for _ in range(fills):
        t += float(rng.exponential(gap)) + 0.1
        yield t
        price = market.fair_price(t) * exp(side * cost * (0.5 + side * lean) * rng.uniform(0.8, 1.2))
        maker_now, usdt = rng.random() < maker, size * rng.uniform(0.9, 1.1)
        done = meet(desk, t, symbol, side, price, usdt, maker=maker_now, stake=stake)
        lost += sum(loss_of(fill) for fill in done)
        missed = 0 if done else missed + 1
        if lost > goal or missed > 3:
            break
        side = -side
