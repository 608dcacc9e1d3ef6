"""Tapes: the strangers' prints and quotes around what the agents did, as tables of the contract.

Strangers trade in bursts (more in busy hours, storms and pumps), mostly on one side within a burst, at
the best prices of the same book that the agents met: displaced, pushed, dented and walled as it was at
that moment. `docs/lab-likeness.md` sets the outcome beside real tapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drainwatch.lab import paths
from drainwatch.lab.desk import Desk
from drainwatch.lab.markets import Market, Spec
from drainwatch.lab.paths import MINUTE_S, STEP_S, Floats

START_MS = 1_735_689_600_000
"""2025-01-01 00:00 UTC; worlds start up to a year later, at any hour."""


@dataclass(slots=True)
class Columns:
    """One market's rows before they become tables; times in ms after the start."""

    quotes: dict[str, NDArray[Any]]
    trades: dict[str, NDArray[Any]]


TRADING_SHARE = 0.75
"""Share of the events at which someone trades; at the others only the quotes change."""
BURST = 2.15
"""Mean number of events in a burst, see `_events`."""


def _shut(market: Market, times: Floats) -> NDArray[np.bool_]:
    out = np.zeros(len(times), dtype=np.bool_)
    for start, end in market.shut:
        out |= (times >= start) & (times < end)
    return out


def _events(rng: np.random.Generator, market: Market, seconds: float) -> tuple[Floats, NDArray[np.int64]]:
    """Draw when something happens: rising times, and for each the number of its burst.

    Bursts start at random at the market's rate; most are single events, few are long.
    """
    rate = market.activity / market.spec.interval_s
    total = np.concatenate([[0.0], np.cumsum(rate * MINUTE_S)])
    edges = np.arange(len(total)) * MINUTE_S
    last = float(np.interp(seconds, edges, total))
    starts = np.interp(np.sort(rng.uniform(0.0, last, rng.poisson(last / BURST))), total, edges)
    length = 1 + np.minimum(rng.pareto(1.6, len(starts)), 60.0).astype(np.int64)
    burst = np.repeat(np.arange(len(starts)), length)
    first = np.cumsum(length) - length
    usual = 0.05 * market.spec.interval_s / np.clip(_minute(market.activity, starts), 0.2, 30.0)
    gaps = usual[burst] * np.exp(1.2 * rng.standard_normal(len(burst)))
    gaps[first] = 0.0
    since = np.cumsum(gaps)
    times = starts[burst] + since - since[first][burst]
    kept = (times < seconds) & ~_shut(market, times)
    times, burst = times[kept], burst[kept]
    order = np.argsort(times, kind="stable")
    return times[order], burst[order]


def _minute(grid: Floats, times: Floats) -> Floats:
    """Values of a minute grid at many times."""
    return grid[np.minimum((times / MINUTE_S).astype(np.int64), len(grid) - 1)]


def _sides(
    rng: np.random.Generator, market: Market, times: Floats, burst: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Draw who takes: informed by what comes within half a minute, so that makers pay for it.

    Most of a burst is on one side, and hours lean to one.
    """
    grid = np.arange(len(market.mid)) * STEP_S
    ahead = np.interp(times + 30.0, grid, market.mid) - np.interp(times, grid, market.mid)
    lean = 0.25 * paths.mean_reverting(rng, len(market.half), 45.0)
    chance = 0.5 + 0.35 * np.tanh(ahead / (_minute(market.half, times) + 5e-4)) + 0.5 * _minute(lean, times)
    own = np.where(rng.random(len(times)) < np.clip(chance, 0.03, 0.97), 1, -1)
    _, first, number = np.unique(burst, return_index=True, return_inverse=True)
    follows = (burst >= 0) & (rng.random(len(times)) < 0.84)
    out: NDArray[np.int64] = np.where(follows, own[first][number], own)
    return out


def _impact(market: Market, times: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what sweeps still do at many times, as `Market.impact` does at one."""
    zero = np.zeros(len(times))
    if not market.knots:
        return zero, zero, zero
    knots = np.array(sorted(market.knots, key=lambda knot: knot[0]))
    i = np.searchsorted(knots[:, 0], times, side="right") - 1
    age = np.where(i >= 0, (times - knots[i, 0]) / market.spec.refill_s, 1e3)
    fast, slow = 0.5**age, 0.5 ** (age / 5.0)
    return knots[i, 1] * slow, knots[i, 2] * fast, knots[i, 3] * fast


def _best(market: Market, times: Floats, off: Floats) -> tuple[Floats, Floats]:
    """Best bid and ask at many times, rounded to the tick, the mid `off` by so many half-spreads."""
    spec = market.spec
    grid = np.arange(len(market.mid)) * STEP_S
    mid = np.interp(times, grid, market.mid)
    for push in market.pushes:
        mid += np.interp(times, push.times_s, push.heights) * (
            (times >= push.times_s[0]) & (times <= push.times_s[-1])
        )
    half = _minute(market.half, times)
    shift, above, below = _impact(market, times)
    mid += shift + half * off
    bid = np.maximum(np.floor(np.exp(mid - half - below) / spec.tick + 1e-9), 1.0)
    ask = np.maximum(np.ceil(np.exp(mid + half + above) / spec.tick - 1e-9), bid + 1.0)
    bid, ask = bid * spec.tick, ask * spec.tick
    for wall in market.walls:
        i, j = np.searchsorted(times, [wall.start_s, wall.end_s])
        if wall.side > 0:
            bid[i:j] = np.maximum(bid[i:j], wall.price)
            ask[i:j] = np.maximum(ask[i:j], wall.price + spec.tick)
        else:
            ask[i:j] = np.minimum(ask[i:j], wall.price)
            bid[i:j] = np.minimum(bid[i:j], wall.price - spec.tick)
    return bid, np.maximum(ask, bid + spec.tick)


def _rounded(values: Floats) -> Floats:
    """Clear the binary dust that products of ticks and lots carry."""
    with np.errstate(divide="ignore"):
        digits = 11 - np.floor(np.log10(np.abs(values))).astype(np.int64)
    scale = 10.0 ** np.clip(digits, -290, 290)
    return np.where(values > 0.0, np.round(values * scale) / scale, values)


def _sizes(rng: np.random.Generator, market: Market, price: Floats, unit: float) -> Floats:
    """Draw what rests at the best price."""
    spec = market.spec
    value = spec.depth * np.exp(0.9 * rng.standard_normal(len(price)))
    return _lots(spec, value / unit, price)


def _lots(spec: Spec, value: Floats, price: Floats) -> Floats:
    """Round amounts worth `value` quote units down to the lot, one lot at least."""
    amount = value / spec.contract_size if spec.inverse else value / (price * spec.contract_size)
    return np.maximum(np.floor(amount / spec.lot), 1.0) * spec.lot


def elsewhere(desk: Desk, market: Market) -> Columns | None:
    """Draw the tape of the same pair on the other venue; None where it isn't traded there."""
    other = market.elsewhere
    return None if other is None else _draw(desk, other, "nothing")


def strangers(desk: Desk, market: Market) -> Columns:
    """Draw the whole tape of one market, agents' prints among it (column `fill` is not -1)."""
    return _draw(desk, market, desk.venue.discloses)


def _draw(desk: Desk, market: Market, discloses: str) -> Columns:
    rng, spec = desk.rng, market.spec
    own, burst = _events(rng, market, desk.end)
    pushed = [
        np.sort(rng.uniform(push.times_s[0], push.times_s[-1], n))
        for push in market.pushes
        if (n := max(int((push.times_s[-1] - push.times_s[0]) / push.interval_s), 4))
    ]
    by = np.concatenate(
        [np.zeros(len(own), np.int64), *[np.full(len(p), k + 1) for k, p in enumerate(pushed)]]
    )
    looks = np.array([t for t in market.looks if t > 0.0])
    times = np.concatenate([own, *pushed, looks])
    by = np.concatenate([by, np.full(len(looks), -1)])
    burst = np.concatenate([burst, -1 - np.arange(len(times) - len(own))])
    order = np.argsort(times, kind="stable")
    order = order[~_shut(market, times[order])]
    times, by, burst = times[order], by[order], burst[order]
    sides = _sides(rng, market, times, burst)
    pressure = _pressure(sides, burst)
    bid, ask = _best(market, times, 0.12 * rng.standard_normal(len(times)) + 0.3 * pressure)
    unit = desk.usdt(spec.quote, 0.0)
    hit = np.flatnonzero((by >= 0) & ((by > 0) | (rng.random(len(times)) < TRADING_SHARE)))
    at, side = times[hit], sides[hit]
    for k, push in enumerate(market.pushes):
        mine = by[hit] == k + 1
        up = 1 if push.heights[1] > 0 else -1
        side[mine] = np.where(rng.random(int(mine.sum())) < 0.75, up, -up)
    # Most orders are small, some are as large as what rests at the best price and more: those walk on.
    size = 0.032 * np.exp(1.2 * rng.standard_normal(len(hit)))
    large = 15.0 * np.exp(0.6 * rng.standard_normal(len(hit)))
    size *= np.where(rng.random(len(hit)) < 0.3, large, 1.0)
    size = np.minimum(size, 100.0)
    levels = 1 + np.minimum(size * rng.uniform(0.2, 3.0, len(hit)), 5.0).astype(np.int64)
    run = np.repeat(np.arange(len(hit)), levels)
    level = np.arange(len(run)) - np.repeat(np.cumsum(levels) - levels, levels)
    walk = level * spec.gap * rng.exponential(1.0, len(run))
    if spec.kind in {"thin", "dead"}:  # strangers, too, walk thin books now and then
        walk += np.where(rng.random(len(run)) < 0.003, rng.exponential(0.03, len(run)), 0.0)
    price = np.where(side > 0, ask[hit], bid[hit])[run] * np.exp(side[run] * walk)
    price = np.maximum(np.round(price / spec.tick), 1.0) * spec.tick
    arrives = np.round(at * 1000.0 + rng.uniform(15.0, 900.0, len(hit))).astype(np.int64)
    amount = _lots(spec, (size / levels)[run] * rng.uniform(0.4, 1.6, len(run)) * spec.depth / unit, price)
    paying = np.array([False, *[bool(push.owner) for push in market.pushes]])  # by whom a print is
    pushing = paying[np.maximum(by[hit][run], 0)]
    desk.pushed(market, at[run][pushing], side[run][pushing], price[pushing], amount[pushing])
    # What a walk leaves is seen at once, and makers often step back from smaller orders, too.
    moved = (levels > 1) | (rng.random(len(hit)) < 0.3)
    after = arrives[moved] + rng.integers(2, 40, int(moved.sum()))
    left = 0.12 * rng.standard_normal(len(after)) + 0.3 * pressure[hit[moved]]
    left += np.where(levels[moved] > 1, 0.7, 0.4) * side[moved]
    left_bid, left_ask = _best(market, after / 1000.0, left)
    bid, ask = np.concatenate([bid, left_bid]), np.concatenate([ask, left_ask])
    ms = np.concatenate([np.round(times * 1000.0).astype(np.int64), after])
    own_quotes = np.array(market.quotes, dtype=np.float64).reshape(-1, 5)
    quotes: dict[str, NDArray[Any]] = {
        "timestamp": np.concatenate([ms, own_quotes[:, 0].astype(np.int64)]),
        "bid": np.concatenate([bid, own_quotes[:, 1]]),
        "ask": np.concatenate([ask, own_quotes[:, 2]]),
        "bid_size": np.concatenate([_sizes(rng, market, bid, unit), own_quotes[:, 3]]),
        "ask_size": np.concatenate([_sizes(rng, market, ask, unit), own_quotes[:, 4]]),
    }
    keep = np.argsort(quotes["timestamp"], kind="stable")
    quotes = {name: column[keep] for name, column in quotes.items()}
    for name in ("bid", "ask", "bid_size", "ask_size"):
        quotes[name] = _rounded(quotes[name])
    last = round(desk.end * 1000.0)
    fits = ~_shut(market, quotes["timestamp"] / 1000.0) & (quotes["timestamp"] < last)
    quotes = {name: column[fits] for name, column in quotes.items()}
    prints = market.prints
    fill = np.array([p.fill for p in prints], dtype=np.int64)
    trades: dict[str, NDArray[Any]] = {
        "timestamp": np.concatenate([arrives[run], np.array([p.ms for p in prints], dtype=np.int64)]),
        "price": np.concatenate([_rounded(price), np.array([p.price for p in prints])]),
        "amount": np.concatenate([_rounded(amount), np.array([p.amount for p in prints])]),
        "side": np.concatenate([side[run], np.array([p.side for p in prints], dtype=np.int64)]),
        "fill": np.concatenate([np.full(len(run), -1), fill]),
    }
    if discloses == "orders":
        taker = rng.integers(2**35, 2**36, len(hit))[run] + 4_000_000_000
        maker = rng.integers(2**35, 2**36, len(run)) + 4_000_000_000
        mine = np.array([p.taker_order for p in prints], dtype=object)
        theirs = np.array([p.maker_order for p in prints], dtype=object)
        trades["taker_order"] = np.concatenate([taker.astype(str).astype(object), mine])
        trades["maker_order"] = np.concatenate([maker.astype(str).astype(object), theirs])
    elif discloses == "accounts":
        crowd = np.array([f"acct{i:03d}" for i in range(61)], dtype=object)
        taker = crowd[(60 * rng.random(len(hit)) ** 1.7).astype(np.int64)]
        for k, push in enumerate(market.pushes):
            if push.owner:
                taker[by[hit] == k + 1] = push.owner
        taker, maker = taker[run], crowd[(60 * rng.random(len(run)) ** 2.5).astype(np.int64)]
        taker = np.concatenate([taker, np.array([p.taker for p in prints], dtype=object)])
        maker = np.concatenate([maker, np.array([p.maker for p in prints], dtype=object)])
        buys = trades["side"] > 0
        trades["buyer"], trades["seller"] = np.where(buys, taker, maker), np.where(buys, maker, taker)
    keep = np.argsort(trades["timestamp"], kind="stable")
    late = _shut(market, trades["timestamp"] / 1000.0) | (trades["timestamp"] >= last)
    keep = keep[~late[keep] | (trades["fill"][keep] >= 0)]
    trades = {name: column[keep] for name, column in trades.items()}
    # Ids rise with time; what else the venue printed in between makes the holes.
    steps = 1 + rng.geometric(0.3, len(keep))
    steps[np.flatnonzero(np.diff(trades["timestamp"]) == 0) + 1] = 1
    trades["id"] = (int(rng.integers(10_000, 900_000_000)) + np.cumsum(steps)).astype(str).astype(object)
    return Columns(quotes, trades)


def _pressure(sides: NDArray[np.int64], burst: NDArray[np.int64]) -> Floats:
    """How far a burst has pushed the mid before each of its events, from -1 to 1 of its limit."""
    order = np.lexsort((np.arange(len(burst)), burst))
    signs = sides[order].astype(np.float64)
    before = np.cumsum(signs) - signs
    new = np.concatenate([[True], np.diff(burst[order]) != 0]) if len(burst) else np.zeros(0, dtype=np.bool_)
    first = np.flatnonzero(new)
    before -= np.repeat(before[first], np.diff(np.append(first, len(burst))))
    out = np.empty(len(burst))
    out[order] = np.tanh(0.4 * before)
    return out


def candles(trades: pd.DataFrame) -> pd.DataFrame:
    """One-minute candles of a tape of one or more symbols; minutes without a trade have none."""
    if trades.empty:
        columns = ["timestamp", "symbol", "open", "high", "low", "close", "volume", "timeframe"]
        return pd.DataFrame({name: [] for name in columns})
    minute = trades["timestamp"].to_numpy() // 60_000
    codes, symbols = pd.factorize(trades["symbol"])
    order = np.lexsort((np.arange(len(trades)), trades["timestamp"].to_numpy(), codes))
    minute, codes = minute[order], codes[order]
    price, amount = trades["price"].to_numpy()[order], trades["amount"].to_numpy()[order]
    first = np.flatnonzero(np.concatenate([[True], (np.diff(minute) != 0) | (np.diff(codes) != 0)]))
    last = np.concatenate([first[1:], [len(price)]]) - 1
    out = pd.DataFrame(
        {
            "timestamp": minute[first] * 60_000,
            "symbol": np.asarray(symbols, dtype=object)[codes[first]],
            "open": price[first],
            "high": np.maximum.reduceat(price, first),
            "low": np.minimum.reduceat(price, first),
            "close": price[last],
            "volume": np.add.reduceat(amount, first),
            "timeframe": "1m",
        }
    )
    return out.sort_values("timestamp", kind="stable", ignore_index=True)
