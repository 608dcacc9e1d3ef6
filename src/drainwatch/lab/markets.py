"""Simulated order books: best prices, depth that a large order walks through, walls, recovery.

A market's fair price comes from the latent coin prices (and its own small basis); its mid differs
from it by local displacements, by what a thief pushes, and by the impact of orders just executed,
which decays. Time is in seconds after the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, floor, inf, log

import numpy as np

from drainwatch.lab import paths
from drainwatch.lab.paths import MINUTE_S, STEP_S, Floats

CLOSING_S = 10.0
"""An order sent so shortly before the venue goes down is never executed."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a market is like; `half`, `gap` and `basis` are logs (about 1e-4 a basis point).

    `kind` is `liquid`, `half`, `thin`, `dead` or `stable`; `depth` the usual value of the best level
    in USDT; `gap` the usual distance between levels; `interval_s` the mean time between events of the
    tape; `refill_s` the half-life in which an emptied book comes back. Amounts are in base units, or in
    contracts where the market settles in something (`settle`): `contract_size` base units each, or quote
    units where it is `inverse`.
    """

    symbol: str
    base: str
    quote: str
    kind: str
    half: float
    depth: float
    gap: float
    interval_s: float
    refill_s: float
    tick: float
    lot: float
    contract_size: float = 1.0
    settle: str = ""
    inverse: bool = False

    def worth(self, price: float) -> float:
        """Quote units that one unit of amount stands for at a price."""
        return self.contract_size if self.inverse else price * self.contract_size

    def gain(self, contracts: float, entry: float, price: float) -> float:
        """Profit of a position from `entry` to `price`, in units of what the contract settles in."""
        size = contracts * self.contract_size
        return size * (1.0 / entry - 1.0 / price) if self.inverse else size * (price - entry)


@dataclass(slots=True)
class Wall:
    """A resting order of the thief: `side` +1 bids, -1 asks; `amount` is what is left of it."""

    side: int
    price: float
    amount: float
    start_s: float
    end_s: float
    order: str
    owner: str


@dataclass(frozen=True, slots=True)
class Push:
    """A displacement of the mid: log `heights` at `times_s`, none outside.

    `owner` is the thief's account whose trades do it, or empty where a crowd of others does.
    """

    times_s: tuple[float, ...]
    heights: tuple[float, ...]
    interval_s: float
    owner: str

    def __call__(self, t: float) -> float:
        """Return the displacement at a time."""
        if not self.times_s[0] <= t <= self.times_s[-1]:
            return 0.0
        return float(np.interp(t, self.times_s, self.heights))


@dataclass(slots=True)
class Print:
    """A trade on the tape that an agent took part in.

    `side` is the taker's; `fill` the place of the own execution in the venue's register, -1 for none.
    """

    ms: int
    price: float
    amount: float
    side: int
    taker_order: str
    maker_order: str
    taker: str
    maker: str
    fill: int


@dataclass(slots=True)
class Market:
    """One market: its paths, and all that agents did to it so far."""

    spec: Spec
    fair: Floats  # log fair price, STEP_S grid, no displacement in it
    mid: Floats  # log mid before impact and pushes
    half: Floats  # log half-spread, MINUTE_S grid
    thinning: Floats  # factor on depth, MINUTE_S grid
    activity: Floats  # factor on the rate of events, MINUTE_S grid
    knots: list[tuple[float, float, float, float]] = field(default_factory=list)
    walls: list[Wall] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    prints: list[Print] = field(default_factory=list)
    quotes: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)  # times at which a quote is on the tape in any case
    shut: list[tuple[float, float]] = field(default_factory=list)  # from, until: nobody can trade
    elsewhere: Market | None = None  # the same pair on another venue, which nobody here trades on

    def closed(self, t: float) -> bool:
        """Whether nobody can trade: before a listing, in an outage, or too shortly before for an answer."""
        return any(start - CLOSING_S <= t < end for start, end in self.shut)

    def fair_price(self, t: float) -> float:
        """Fair value in quote units a base unit, whatever anyone did to this market."""
        return exp(paths.at(self.fair, t))

    def half_spread(self, t: float) -> float:
        """Log half-spread of the calm book."""
        i = min(max(int(t / MINUTE_S), 0), len(self.half) - 1)
        return float(self.half[i])

    def impact(self, t: float) -> tuple[float, float, float]:
        """Return what past sweeps still do: log shift of the mid, extra gap above, extra gap below."""
        if not self.knots:
            return 0.0, 0.0, 0.0
        last, shift, above, below = self.knots[-1]
        age = max(t - last, 0.0) / self.spec.refill_s
        if age > 60.0:
            return 0.0, 0.0, 0.0
        fast = 0.5**age
        return shift * 0.5 ** (age / 5.0), above * fast, below * fast

    def log_mid(self, t: float) -> float:
        """Log mid with pushes, without the impact of past sweeps."""
        return paths.at(self.mid, t) + sum(push(t) for push in self.pushes[-40:])

    def natural(self, t: float) -> tuple[float, float]:
        """Best bid and ask of strangers, as logs."""
        shift, above, below = self.impact(t)
        mid, half = self.log_mid(t) + shift, self.half_spread(t)
        return mid - half - below, mid + half + above

    def round_price(self, price: float, side: int) -> float:
        """Round to the tick, away from the mid: up for an ask (-1), down for a bid (+1)."""
        tick = self.spec.tick
        steps = price / tick
        steps = floor(steps + 1e-9) if side > 0 else -floor(-steps + 1e-9)
        return float(f"{max(steps, 1) * tick:.12g}")

    def round_amount(self, amount: float) -> float:
        """Round down to the lot."""
        return float(f"{floor(amount / self.spec.lot + 1e-9) * self.spec.lot:.12g}")

    def best(self, t: float) -> tuple[float, float]:
        """Best bid and ask with the thief's walls, in price units."""
        low, high = self.natural(t)
        bid, ask = self.round_price(exp(low), 1), self.round_price(exp(high), -1)
        for wall in self.walls[-40:]:
            if wall.start_s <= t <= wall.end_s and wall.amount > 0.0:
                if wall.side > 0:
                    bid = max(bid, wall.price)
                else:
                    ask = min(ask, wall.price)
        return (bid, ask) if bid < ask else (bid, bid + self.spec.tick)

    def levels(self, t: float, side: int, rng: np.random.Generator, usdt: float) -> list[tuple[float, float]]:
        """Strangers' levels that a taker of `side` meets: (price, amount), best first.

        `usdt` is the value of one quote unit. Sizes grow and levels thin out away from the mid; some
        sixty levels reach far from it, none further: a larger order stays unfilled.
        """
        low, high = self.natural(t)
        start = high if side > 0 else -low
        i = min(max(int(t / MINUTE_S), 0), len(self.thinning) - 1)
        n = 60
        k = np.arange(n)
        gaps = rng.exponential(self.spec.gap, n) * 1.11**k
        gaps[0] = 0.0
        logs = start + np.cumsum(gaps)
        values = self.spec.depth * self.thinning[i] * (1.0 + 0.15 * k) * np.exp(0.8 * rng.standard_normal(n))
        prices = np.exp(side * logs)
        unit = usdt * self.spec.contract_size
        amounts = values / unit if self.spec.inverse else values / (prices * unit)
        out: dict[float, float] = {}
        for price, amount in zip(prices.tolist(), amounts.tolist(), strict=True):
            at = self.round_price(price, -side)
            out[at] = out.get(at, 0.0) + max(self.round_amount(amount), self.spec.lot)
        return list(out.items())

    def take(
        self,
        t: float,
        side: int,
        amount: float,
        rng: np.random.Generator,
        *,
        usdt: float,
        limit: float | None = None,
        budget: float = inf,
    ) -> list[tuple[float, float, Wall | None]]:
        """Let a taker buy (+1) or sell (-1) up to `amount` and up to `budget` quote units.

        Returns what was executed, best price first: (price, amount, the wall it met or None). The book
        is left with the impact.
        """
        book: list[tuple[float, float, Wall | None]] = [
            (price, size, None) for price, size in self.levels(t, side, rng, usdt)
        ]
        book += [
            (wall.price, wall.amount, wall)
            for wall in self.walls[-40:]
            if wall.side == -side and wall.start_s <= t <= wall.end_s and wall.amount >= self.spec.lot
        ]
        book.sort(key=lambda level: (side * level[0], level[2] is None))
        done: list[tuple[float, float, Wall | None]] = []
        deepest = 0.0
        for price, size, wall in book:
            if limit is not None and side * (price - limit) > 1e-12 * price:
                break
            part = min(size, amount, budget / self.spec.worth(price))
            part = part if part >= size else self.round_amount(part)
            if part < self.spec.lot * 0.999:
                break
            done.append((price, part, wall))
            amount -= part
            budget -= part * self.spec.worth(price)
            if wall is not None:
                wall.amount -= part
            elif part >= size:
                deepest = price
        if deepest:
            self._dent(t, side, abs(log(deepest / book[0][0])) + self.spec.gap)
        return done

    def take_walls(
        self, side: int, amount: float, t: float, *, limit: float | None = None, budget: float = inf
    ) -> list[tuple[float, float, Wall | None]]:
        """Let a taker meet the thief's walls only, as when he emptied the book in front of them."""
        done: list[tuple[float, float, Wall | None]] = []
        walls = [w for w in self.walls[-40:] if w.side == -side and w.start_s <= t <= w.end_s]
        for wall in sorted(walls, key=lambda wall: side * wall.price):
            if limit is not None and side * (wall.price - limit) > 1e-12 * wall.price:
                break
            unit = self.spec.worth(wall.price)
            part = self.round_amount(min(wall.amount, amount, budget / unit))
            if part >= self.spec.lot * 0.999:
                wall.amount -= part
                amount -= part
                budget -= part * unit
                done.append((wall.price, part, wall))
        return done

    def _dent(self, t: float, side: int, depth: float) -> None:
        """Remember that a taker of `side` emptied the book down to a log `depth` beyond its best price."""
        shift, above, below = self.impact(t)
        shift += 0.15 * side * depth
        if side > 0:
            above = max(above, 0.0) + 0.85 * depth
        else:
            below = max(below, 0.0) + 0.85 * depth
        self.knots.append((t, shift, above, below))

    def empty_to(self, t: float, side: int, price: float) -> None:
        """Leave no stranger's level better than `price` for a taker of `side`, for now."""
        low, high = self.natural(t)
        missing = log(price) - high if side > 0 else low - log(price)
        if missing > 0.0:
            shift, above, below = self.impact(t)
            missing = 1.1 * missing + self.spec.gap  # it refills until the victim's order arrives
            self.knots.append((t, shift, above + missing * (side > 0), below + missing * (side < 0)))

    def first_touch(self, t: float, low: float, high: float, *, through: bool = False) -> tuple[float, int]:
        """When the market first comes to an own bid at `low` or an own ask at `high`, and to which.

        It has come when strangers' best bid is no better than ours (or their ask no better than ours);
        it has gone `through` it when strangers would trade with us at once. It doesn't while it is closed.
        Returns (time, +1 for `low`, -1 for `high`); (inf, 0) where neither happens.
        """
        i = int(t / STEP_S) + 1
        chunk = 2160
        log_low, log_high = log(low) if low > 0 else -inf, log(high) if high < inf else inf
        while i < len(self.mid):
            mid = self.mid[i : i + chunk]
            half = self.half[np.minimum(np.arange(i, i + len(mid)) // 6, len(self.half) - 1)]
            half = -half if through else half
            fell, rose = mid - half <= log_low, mid + half >= log_high
            hit = fell | rose
            for start, end in self.shut:
                grid = (i + np.arange(len(mid))) * STEP_S
                hit &= (grid < start - CLOSING_S) | (grid >= end)
            j = int(np.argmax(hit))
            if hit[j]:
                return (i + j) * STEP_S, 1 if fell[j] else -1
            i += chunk
        return inf, 0
