"""Tapes: the strangers' prints and quotes around what the agents did, as tables of the contract.

Strangers trade at random times (more in busy hours and pumps) at the best prices of the same book
that the agents met: displaced, pushed, dented and walled as it was at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drainwatch.lab.desk import Desk
from drainwatch.lab.markets import Market
from drainwatch.lab.paths import MINUTE_S, STEP_S, Floats

START_MS = 1_735_689_600_000
"""2025-01-01 00:00 UTC; worlds start up to a year later, at any hour."""


@dataclass(slots=True)
class Columns:
    """One market's rows before they become tables; times in ms after the start."""

    quotes: dict[str, NDArray[Any]]
    trades: dict[str, NDArray[Any]]


def _event_times(rng: np.random.Generator, market: Market, seconds: float) -> Floats:
    rate = market.activity / market.spec.interval_s
    total = np.concatenate([[0.0], np.cumsum(rate * MINUTE_S)])
    edges = np.arange(len(total)) * MINUTE_S
    last = float(np.interp(seconds, edges, total))
    return np.sort(np.interp(rng.uniform(0.0, last, rng.poisson(last)), total, edges))


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


def _best(rng: np.random.Generator, market: Market, times: Floats) -> tuple[Floats, Floats, Floats]:
    """Best bid and ask, rounded to the tick, and the log half-spread, at many times."""
    spec = market.spec
    grid = np.arange(len(market.mid)) * STEP_S
    mid = np.interp(times, grid, market.mid)
    for push in market.pushes:
        mid += np.interp(times, push.times_s, push.heights) * (
            (times >= push.times_s[0]) & (times <= push.times_s[-1])
        )
    half = market.half[np.minimum((times / MINUTE_S).astype(np.int64), len(market.half) - 1)]
    shift, above, below = _impact(market, times)
    mid += shift + 0.12 * half * rng.standard_normal(len(times))
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
    return bid, np.maximum(ask, bid + spec.tick), half


def _rounded(values: Floats) -> Floats:
    """Clear the binary dust that products of ticks and lots carry."""
    with np.errstate(divide="ignore"):
        digits = 11 - np.floor(np.log10(np.abs(values))).astype(np.int64)
    scale = 10.0 ** np.clip(digits, -290, 290)
    return np.where(values > 0.0, np.round(values * scale) / scale, values)


def _sizes(rng: np.random.Generator, market: Market, price: Floats, unit: float, factor: float) -> Floats:
    spec = market.spec
    value = spec.depth * factor * np.exp(0.9 * rng.standard_normal(len(price)))
    return np.maximum(np.floor(value / (price * unit * spec.contract_size) / spec.lot), 1.0) * spec.lot


def strangers(desk: Desk, market: Market) -> Columns:
    """Draw the whole tape of one market, agents' prints among it (column `fill` is not -1)."""
    rng, spec = desk.rng, market.spec
    own = _event_times(rng, market, desk.end)
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
    order = np.argsort(times, kind="stable")
    times, by = times[order], by[order]
    bid, ask, half = _best(rng, market, times)
    unit = desk.usdt(spec.quote, 0.0)
    ms = np.round(times * 1000.0).astype(np.int64)
    own_quotes = np.array(market.quotes, dtype=np.float64).reshape(-1, 5)
    quotes: dict[str, NDArray[Any]] = {
        "timestamp": np.concatenate([ms, own_quotes[:, 0].astype(np.int64)]),
        "bid": np.concatenate([bid, own_quotes[:, 1]]),
        "ask": np.concatenate([ask, own_quotes[:, 2]]),
        "bid_size": np.concatenate([_sizes(rng, market, bid, unit, 1.0), own_quotes[:, 3]]),
        "ask_size": np.concatenate([_sizes(rng, market, ask, unit, 1.0), own_quotes[:, 4]]),
    }
    keep = np.argsort(quotes["timestamp"], kind="stable")
    quotes = {name: column[keep] for name, column in quotes.items()}
    for name in ("bid", "ask", "bid_size", "ask_size"):
        quotes[name] = _rounded(quotes[name])

    # Who takes: informed by what comes within half a minute, so that makers pay for it.
    hit = np.flatnonzero((by >= 0) & ((by > 0) | (rng.random(len(times)) < 0.6)))
    at = times[hit]
    grid = np.arange(len(market.mid)) * STEP_S
    ahead = np.interp(at + 30.0, grid, market.mid) - np.interp(at, grid, market.mid)
    side = np.where(rng.random(len(hit)) < 0.5 + 0.35 * np.tanh(ahead / (half[hit] + 5e-4)), 1, -1)
    for k, push in enumerate(market.pushes):
        mine = by[hit] == k + 1
        up = 1 if push.heights[1] > 0 else -1
        side[mine] = np.where(rng.random(int(mine.sum())) < 0.75, up, -up)
    price = np.where(side > 0, ask[hit], bid[hit])
    levels = np.where(rng.random(len(hit)) < 0.1, rng.integers(2, 5, len(hit)), 1)
    run = np.repeat(np.arange(len(hit)), levels)
    level = np.arange(len(run)) - np.repeat(np.cumsum(levels) - levels, levels)
    walk = level * spec.gap * rng.exponential(1.0, len(run))
    if spec.kind in {"thin", "dead"}:  # strangers, too, walk thin books now and then
        walk += np.where(rng.random(len(run)) < 0.003, rng.exponential(0.03, len(run)), 0.0)
    price = price[run] * np.exp(side[run] * walk)
    price = np.maximum(np.round(price / spec.tick), 1.0) * spec.tick
    late = np.round(at * 1000.0 + rng.uniform(15.0, 900.0, len(hit))).astype(np.int64)[run]
    amount = _sizes(rng, market, price, unit, 0.25)
    paying = np.array([False, *[bool(push.owner) for push in market.pushes]])  # by whom a print is
    pushing = paying[np.maximum(by[hit][run], 0)]
    desk.pushed(market, at[run][pushing], side[run][pushing], price[pushing], amount[pushing])
    prints = market.prints
    fill = np.array([p.fill for p in prints], dtype=np.int64)
    trades: dict[str, NDArray[Any]] = {
        "timestamp": np.concatenate([late, np.array([p.ms for p in prints], dtype=np.int64)]),
        "price": np.concatenate([_rounded(price), np.array([p.price for p in prints])]),
        "amount": np.concatenate([_rounded(amount), np.array([p.amount for p in prints])]),
        "side": np.concatenate([side[run], np.array([p.side for p in prints], dtype=np.int64)]),
        "fill": np.concatenate([np.full(len(run), -1), fill]),
    }
    if desk.venue.discloses == "orders":
        taker = rng.integers(2**35, 2**36, len(hit))[run] + 4_000_000_000
        maker = rng.integers(2**35, 2**36, len(run)) + 4_000_000_000
        mine = np.array([p.taker_order for p in prints], dtype=object)
        theirs = np.array([p.maker_order for p in prints], dtype=object)
        trades["taker_order"] = np.concatenate([taker.astype(str).astype(object), mine])
        trades["maker_order"] = np.concatenate([maker.astype(str).astype(object), theirs])
    elif desk.venue.discloses == "accounts":
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
    last = round(desk.end * 1000.0)
    keep = np.argsort(trades["timestamp"], kind="stable")
    keep = keep[(trades["timestamp"][keep] < last) | (trades["fill"][keep] >= 0)]
    trades = {name: column[keep] for name, column in trades.items()}
    # Ids rise with time; what else the venue printed in between makes the holes.
    steps = 1 + rng.geometric(0.3, len(keep))
    steps[np.flatnonzero(np.diff(trades["timestamp"]) == 0) + 1] = 1
    trades["id"] = (int(rng.integers(10_000, 900_000_000)) + np.cumsum(steps)).astype(str).astype(object)
    return Columns(quotes, trades)


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
