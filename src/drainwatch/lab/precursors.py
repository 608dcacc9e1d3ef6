"""Precursors: what a thief does before he steals, where the tables can show it.

New keys, lifted restrictions and floods of mail are not in the tables. Orders that stop coming, money
that is brought over from another wallet, odd sales and a first small trade are.
"""

from __future__ import annotations

from collections.abc import Generator

from drainwatch.lab.desk import Desk
from drainwatch.lab.draws import HOUR_S, log_uniform
from drainwatch.lab.paths import DAY_S
from drainwatch.lab.theft import near, sell_everything

Preparation = Generator[float, None, float]
"""Acts at the times that it yields; its value is the time at which the theft may begin."""


def prepare(desk: Desk, start: float, latest: float, *, quiet: bool = False) -> Preparation:
    """Do some of what thieves do first, each with a chance of its own; often nothing.

    Parameters
    ----------
    desk
        The victim's.
    start
        From when on, in seconds.
    latest
        By when the theft has to begin.
    quiet
        Leave out what an owner would notice at once (silence of his program, sale of everything).
    """
    rng = desk.rng
    t = start
    yield t
    bold = 1.0 - 0.6 * desk.difficulty
    if not quiet and rng.random() < 0.22:  # he cancels the orders; the program may never come back
        length = log_uniform(rng, 600.0, 3.0 * DAY_S)
        desk.silences.append((t, t + length))
        t = min(t + length * rng.uniform(0.0, 0.9), latest)
        yield t
    if rng.random() < 0.30:
        probe(desk, t)
        t = min(t + log_uniform(rng, 120.0, 12.0 * HOUR_S), latest)
        yield t
    if rng.random() < 0.15 * bold:
        bring_over(desk, t)
        t = min(t + log_uniform(rng, 10.0, 1800.0), latest)
        yield t
    if rng.random() < 0.15 * bold:
        sell_smallest(desk, t)
        t = min(t + log_uniform(rng, 2.0, 600.0), latest)
        yield t
    if not quiet and rng.random() < 0.10 * bold:
        for at in sell_everything(desk, t, "USDT", ""):
            t = at
            yield t
        t += log_uniform(rng, 1.0, 300.0)
        yield t
    return t


def probe(desk: Desk, t: float) -> None:
    """Try the key out with a trade of a few USDT near fair."""
    funded = [s for s in desk.of_kind("liquid", "half", "stable") if desk.value(_quote(desk, s), t) > 20.0]
    held = [s for s in desk.of_kind("liquid", "half", "stable") if desk.value(_base(desk, s), t) > 20.0]
    size = float(desk.rng.uniform(2.0, 15.0))
    if funded and (not held or desk.rng.random() < 0.6):
        near(desk, t, desk.pick(funded), 1, size)
    elif held:
        near(desk, t, desk.pick(held), -1, size)


def bring_over(desk: Desk, t: float) -> None:
    """Move money from another wallet of the account (savings, futures): a balance that no fill explains."""
    currency = "USDT" if desk.rng.random() < 0.8 else "BTC"
    desk.fund(currency, desk.equity(t) * log_uniform(desk.rng, 0.03, 0.4), t)


def sell_smallest(desk: Desk, t: float) -> None:
    """Sell the smallest holding, as the coin that fees were to be paid with."""
    small = sorted(
        (desk.value(currency, t), currency)
        for currency in desk.holdings
        if f"{currency}/USDT" in desk.markets and desk.value(currency, t) > 2.0
    )
    if small:
        value, currency = small[0]
        near(desk, t, f"{currency}/USDT", -1, min(value, 0.05 * desk.equity(t)))


def _base(desk: Desk, symbol: str) -> str:
    return desk.markets[symbol].spec.base


def _quote(desk: Desk, symbol: str) -> str:
    return desk.markets[symbol].spec.quote
