"""Latent prices: what every coin of a simulated world is worth in USDT, on a grid of ten seconds.

Returns share a market factor, have stochastic volatility that clusters over hours and days, fat
tails (Student's t, 4 degrees of freedom), jumps and a daily cycle. Some worlds hold a crash of the
whole market, a genuine pump of one coin, a coin that is newly listed or a stable one that loses its peg.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drainwatch.kernel_cache import jit

Floats = NDArray[np.float64]

STEP_S = 10.0
"""Seconds between two points of the price grid."""
MINUTE_S = 60.0
"""Seconds between two points of the slower grids (spread, activity)."""
DAY_S = 86_400.0

CHANCES: dict[str, float] = {
    "crash": 0.10,
    "venue_crash": 0.06,
    "pump": 0.12,
    "listing": 0.08,
    "outage": 0.08,
    "depeg": 0.05,
}
"""Episodes of whole worlds, each with its chance in a month of thirty days."""


@dataclass(frozen=True, slots=True)
class Coin:
    """What a coin's price is made of.

    `kind` is `major`, `liquid`, `half`, `thin`, `dead` or `stable`; `price` is in USDT at the start;
    `beta` is the share in the market factor; `daily_vol` the coin's own daily volatility. A coin that is
    `new` is not traded anywhere before its listing.
    """

    name: str
    kind: str
    price: float
    beta: float
    daily_vol: float
    new: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happened to the market, in seconds after the start.

    `kind` is `crash`, `pump`, `depeg` or `listing` (coins: what they are worth), `venue_crash`, `outage`,
    `local_crash` or `displaced` (markets: fair value stays); `subject` is a coin, a symbol, or `*` for
    all; `depth` the largest log move, 0 in an outage.
    """

    kind: str
    subject: str
    start_s: float
    end_s: float
    depth: float


@dataclass(slots=True)
class Paths:
    """Latent world: log price in USDT a coin (`STEP_S` grid), stress and activity (`MINUTE_S` grid)."""

    seconds: float
    log_usdt: dict[str, Floats]
    stress: Floats  # factor on every spread, about 1 in calm hours
    activity: dict[str, Floats]  # factor on the number of prints, about 1 on average
    episodes: list[Episode] = field(default_factory=list)
    strain: dict[str, Floats] = field(default_factory=dict)  # more on the spreads of one coin; absent is 1

    def price(self, coin: str, t: float) -> float:
        """Latent value of one coin in USDT at a time; a dollar is worth one."""
        return float(np.exp(at(self.log_usdt[coin], t))) if coin in self.log_usdt else 1.0


def at(grid: Floats, t: float) -> float:
    """Value of a `STEP_S` grid at `t` seconds, linear between its points, held at the ends."""
    x = t / STEP_S
    i = int(x)
    if x <= 0.0:
        return float(grid[0])
    if i + 1 >= len(grid):
        return float(grid[-1])
    w = x - i
    return float(grid[i]) * (1.0 - w) + float(grid[i + 1]) * w


@jit
def _recursion(noise: Floats, keep: float) -> Floats:
    out = np.empty_like(noise)
    last = noise[0]
    push = np.sqrt(1.0 - keep * keep)
    out[0] = last
    for i in range(1, len(noise)):
        last = keep * last + push * noise[i]
        out[i] = last
    return out


def mean_reverting(rng: np.random.Generator, n: int, half_life_steps: float) -> Floats:
    """Gaussian AR(1) path of `n` points with unit variance and the given half-life in steps."""
    out: Floats = _recursion(rng.standard_normal(n), 0.5 ** (1.0 / half_life_steps))
    return out


def bump(n: int, step_s: float, knots_s: list[float], values: list[float]) -> Floats:
    """Piecewise linear path through knots, held at both ends."""
    out: Floats = np.interp(np.arange(n) * step_s, knots_s, values)
    return out


def _volatility(rng: np.random.Generator, minutes: int, size: float) -> Floats:
    """Factor of about 1 on volatility, a minute grid: days, hours and minutes of calm and of storm."""
    slow = mean_reverting(rng, minutes, 1440.0)
    hours = mean_reverting(rng, minutes, 60.0)
    fast = mean_reverting(rng, minutes, 4.0)
    log_vol = size * (0.7 * slow + 0.55 * hours + 0.8 * fast)
    out: Floats = np.exp(log_vol - 0.7 * size * size)
    return out


def _returns(rng: np.random.Generator, n: int, daily_vol: float, vol: Floats) -> Floats:
    """Log returns of the grid, the first one 0."""
    scale = daily_vol * np.sqrt(STEP_S / DAY_S) / np.sqrt(2.0)  # t4 has variance 2
    out: Floats = rng.standard_t(4.0, n) * (scale * np.repeat(vol, int(MINUTE_S / STEP_S))[:n])
    jumps = rng.poisson(0.12 * n * STEP_S / DAY_S)
    out[rng.integers(1, n, jumps)] += rng.standard_t(4.0, jumps) * 0.5 * daily_vol
    out[0] = 0.0
    return out


def draw_episodes(rng: np.random.Generator, days: float) -> set[str]:
    """Draw which of `CHANCES` take place in a world of so many days."""
    return {name for name, chance in CHANCES.items() if rng.random() < chance * days / 30.0}


def simulate(
    rng: np.random.Generator, coins: list[Coin], days: float, happening: Collection[str] = ()
) -> Paths:
    """Draw one world.

    Parameters
    ----------
    rng
        Source of all chance.
    coins
        What lives in it.
    days
        Length.
    happening
        Which episodes take place: `crash`, `pump` (of a coin that isn't major, stable or new), `depeg`
        (of every stable coin) and `listing` (of every new coin) are taken up here, others are not.
    """
    seconds = days * DAY_S
    minutes = int(seconds / MINUTE_S) + 2
    n = minutes * int(MINUTE_S / STEP_S)
    clock = np.arange(minutes) * MINUTE_S / 3600.0
    phase = rng.uniform(11.0, 18.0)  # hour of the busiest time, UTC
    cycle = 1.0 + rng.uniform(0.25, 0.55) * np.cos(2.0 * np.pi * (clock - phase) / 24.0)
    common_vol = _volatility(rng, minutes, 0.5) * np.sqrt(cycle)
    factor = np.cumsum(_returns(rng, n, rng.uniform(0.012, 0.038), common_vol))
    world = Paths(seconds, {}, np.clip(common_vol, 0.5, 4.0) ** 0.7, {})
    rush = _crash(rng, world, factor) if "crash" in happening else np.ones(minutes)
    for coin in coins:
        if coin.kind == "stable":
            world.log_usdt[coin.name] = rng.uniform(2e-4, 7e-4) * mean_reverting(rng, n, 2160.0)
            world.activity[coin.name] = cycle * rush
            if "depeg" in happening:
                _depeg(rng, world, coin.name)
            continue
        vol = 0.5 * common_vol + 0.5 * _volatility(rng, minutes, 0.7)
        # Storms are busy: volume goes with volatility.
        world.activity[coin.name] = cycle * rush * np.clip(vol, 0.4, 5.0)
        if coin.new:
            _listing(rng, world, coin, factor, vol)
            continue
        own = np.cumsum(_returns(rng, n, coin.daily_vol, vol))
        world.log_usdt[coin.name] = np.log(coin.price) + coin.beta * factor + own
    if "pump" in happening:
        small = [
            coin.name for coin in coins if coin.kind in {"liquid", "half", "thin", "dead"} and not coin.new
        ]
        _pump(rng, world, small[int(rng.integers(len(small)))])
    return world


def _crash(rng: np.random.Generator, world: Paths, factor: Floats) -> Floats:
    """Let the whole market fall and partly come back; returns the factor on activity, minute grid."""
    n, minutes = len(factor), len(world.stress)
    start = rng.uniform(0.25, 0.95) * world.seconds
    fall, back = rng.uniform(120.0, 1200.0), rng.uniform(600.0, 5400.0)
    depth, kept = -rng.uniform(0.06, 0.30), rng.uniform(0.15, 0.7)
    times = [start, start + fall, start + fall + back]
    factor += bump(n, STEP_S, times, [0.0, depth, depth * kept])
    world.stress *= bump(minutes, MINUTE_S, times, [1.0, rng.uniform(4.0, 14.0), 1.0])
    world.episodes.append(Episode("crash", "*", start, times[-1], depth))
    return bump(minutes, MINUTE_S, times, [1.0, 12.0, 1.0])


def _depeg(rng: np.random.Generator, world: Paths, name: str) -> None:
    start = rng.uniform(0.1, 0.9) * world.seconds
    depth = -float(np.exp(rng.uniform(np.log(0.005), np.log(0.12))))
    knots = [start, start + 3600.0 * rng.uniform(0.2, 12.0), start + DAY_S * rng.uniform(0.6, 2.0)]
    path, minutes = world.log_usdt[name], len(world.stress)
    path += bump(len(path), STEP_S, knots, [0.0, depth, 0.0])
    calm = [start, start + 600.0, *knots[1:]]
    strain = float(np.clip(-200.0 * depth, 2.0, 12.0))
    world.strain[name] = bump(minutes, MINUTE_S, calm, [1.0, strain, strain, 1.0])
    world.activity[name] = world.activity[name] * bump(minutes, MINUTE_S, calm, [1.0, 6.0, 8.0, 1.0])
    world.episodes.append(Episode("depeg", name, knots[0], knots[2], depth))


def _pump(rng: np.random.Generator, world: Paths, name: str) -> None:
    start, rise = (
        rng.uniform(0.1, 0.95) * world.seconds,
        60.0 * np.exp(rng.uniform(np.log(3.0), np.log(240.0))),
    )
    depth, fade = np.exp(rng.uniform(np.log(0.2), np.log(1.8))), 3600.0 * rng.uniform(0.5, 30.0)
    knots = [start, start + rise, start + rise + fade]
    path, minutes = world.log_usdt[name], len(world.stress)
    path += bump(len(path), STEP_S, knots, [0.0, depth, depth * rng.uniform(0.05, 0.7)])
    world.activity[name] = world.activity[name] * bump(
        minutes, MINUTE_S, knots, [1.0, rng.uniform(8.0, 30.0), 1.5]
    )
    world.episodes.append(Episode("pump", name, knots[0], knots[2], float(depth)))


def _listing(rng: np.random.Generator, world: Paths, coin: Coin, factor: Floats, vol: Floats) -> None:
    """Let a coin be traded from some moment on: hours of frenzy until a price is found."""
    n, minutes = len(factor), len(world.stress)
    start = MINUTE_S * int(rng.uniform(0.05, 0.6) * world.seconds / MINUTE_S)
    calming = 3600.0 * rng.uniform(0.5, 4.0)
    since = np.arange(minutes) * MINUTE_S - start
    frenzy = np.where(since >= 0.0, np.exp(-np.maximum(since, 0.0) / calming), 0.0)
    own = _returns(rng, n, coin.daily_vol, vol * (1.0 + 10.0 * frenzy)) + coin.beta * np.diff(
        factor, prepend=0
    )
    own[: int(start / STEP_S) + 1] = 0.0
    depth = rng.uniform(0.6, 2.1) if rng.random() < 0.7 else -rng.uniform(0.5, 1.3)
    knots = [start, start + rng.uniform(60.0, 2400.0), start + calming * rng.uniform(2.0, 8.0)]
    move = bump(n, STEP_S, knots, [0.0, depth, depth * rng.uniform(0.1, 0.8)])
    world.log_usdt[coin.name] = np.log(coin.price) + np.cumsum(own) + move
    world.activity[coin.name] = world.activity[coin.name] * (1.0 + 24.0 * frenzy)
    world.strain[coin.name] = 1.0 + 6.0 * frenzy
    world.episodes.append(Episode("listing", coin.name, start, start + 3.0 * calming, float(depth)))
