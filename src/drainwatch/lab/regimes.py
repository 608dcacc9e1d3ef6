"""Regimes of markets: what befalls a venue or one pair while what the coins are worth stays as it is."""

from __future__ import annotations

import numpy as np

from drainwatch.lab import paths
from drainwatch.lab.draws import log_uniform
from drainwatch.lab.markets import Market
from drainwatch.lab.paths import MINUTE_S, STEP_S, Episode, Paths

LOCAL = {"displaced": 0.25, "local_crash": 0.012}
"""Episodes of single markets, each with its chance in a month of thirty days for a market it can befall."""

CALM = "calm"
"""Asks for a world in which nothing happens."""

REGIMES: dict[str, str] = {
    "crash": "Every coin falls within minutes, on every venue, and comes back in part.",
    "venue_crash": "All prices of this venue fall and come back, while other venues hardly notice.",
    "pump": "One coin rises many-fold in minutes to hours for reasons of its own.",
    "listing": "A new coin is traded from some moment on: hours of frenzy until a price is found.",
    "outage": "The venue is down for 10 to 120 minutes: no prints, no quotes, no orders.",
    "depeg": "A stable coin loses its peg for a day or two.",
    "local_crash": "One market falls through the floor and comes back within minutes.",
    "displaced": "One market stands beside fair value for minutes or hours.",
    CALM: "Nothing of all that.",
}
"""What a world can be asked for, in a sentence each."""

NAMES = tuple(name for name in REGIMES if name != CALM)
"""All episodes that a world can be asked for."""


def befall(rng: np.random.Generator, name: str, world: Paths, markets: list[Market]) -> None:
    """Let an episode of the venue take place (`venue_crash` or `outage`); others are let be."""
    if name == "venue_crash":
        venue_crash(rng, world, markets)
    elif name == "outage":
        outage(rng, world, markets)


def can_befall(name: str, market: Market) -> bool:
    """Whether a local episode fits a market."""
    kinds = {"thin", "dead", "half"} if name == "displaced" else {"liquid", "thin", "dead", "half"}
    return market.spec.kind in kinds


def befall_one(rng: np.random.Generator, name: str, world: Paths, market: Market) -> None:
    """Let an episode of `LOCAL` take place in one market."""
    if name == "displaced":
        displaced(rng, world, market)
    else:
        local_crash(rng, world, market)


def displaced(rng: np.random.Generator, world: Paths, market: Market) -> None:
    """Let a market stand beside fair value for minutes or hours, as after a large order of a stranger."""
    start, length = rng.uniform(0.05, 0.95) * world.seconds, log_uniform(rng, 600.0, 14_400.0)
    depth = float(rng.choice([-1.0, 1.0])) * log_uniform(rng, 0.006, 0.05)
    knots = [start, start + length * rng.uniform(0.02, 0.4), start + 0.7 * length, start + length]
    market.mid += paths.bump(len(market.mid), STEP_S, knots, [0.0, depth, depth * rng.uniform(0.6, 1.0), 0.0])
    world.episodes.append(Episode("displaced", market.spec.symbol, knots[0], knots[-1], depth))


def local_crash(rng: np.random.Generator, world: Paths, market: Market) -> None:
    """Let one market fall through the floor and come back within minutes."""
    start, length = rng.uniform(0.1, 0.95) * world.seconds, rng.uniform(60.0, 1200.0)
    depth = -log_uniform(rng, 0.08, 0.9)
    knots = [start, start + rng.uniform(20.0, 120.0), start + 150.0 + length]
    market.mid += paths.bump(len(market.mid), STEP_S, knots, [0.0, depth, 0.0])
    _widen(
        market, paths.bump(len(market.half), MINUTE_S, [start, start + 60.0, knots[-1] + 150.0], [1, 6, 1])
    )
    world.episodes.append(Episode("local_crash", market.spec.symbol, knots[0], knots[-1], depth))


def venue_crash(rng: np.random.Generator, world: Paths, markets: list[Market]) -> None:
    """Let all prices of this venue fall and come back, while other venues hardly notice."""
    start = rng.uniform(0.1, 0.95) * world.seconds
    bottom = start + rng.uniform(60.0, 600.0)
    knots = [start, bottom, bottom + rng.uniform(30.0, 900.0)]
    knots.append(knots[-1] + rng.uniform(600.0, 7200.0))
    depth, kept = -rng.uniform(0.05, 0.35), rng.uniform(0.6, 1.0)
    wide, busy = rng.uniform(4.0, 12.0), rng.uniform(5.0, 12.0)
    for market in markets:
        share = rng.uniform(0.8, 1.2)
        if market.spec.kind == "stable":
            share = rng.uniform(0.0, 0.06)
        elif market.spec.quote not in {"USDT", "USDC", "USD"}:
            share = rng.normal(0.0, 0.12)  # both of its coins fell
        fall = depth * share
        market.mid += paths.bump(len(market.mid), STEP_S, knots, [0.0, fall, kept * fall, 0.0])
        minutes = len(market.half)
        _widen(market, paths.bump(minutes, MINUTE_S, knots, [1.0, wide, 0.6 * wide, 1.0]))
        market.activity *= paths.bump(minutes, MINUTE_S, knots, [1.0, busy, 0.5 * busy, 1.0])
    world.episodes.append(Episode("venue_crash", "*", knots[0], knots[-1], depth))


def outage(rng: np.random.Generator, world: Paths, markets: list[Market]) -> None:
    """Let the venue be down for 10 to 120 minutes: no prints, no quotes, no orders; wide books after it."""
    start = rng.uniform(0.05, 0.95) * world.seconds
    end = start + log_uniform(rng, 600.0, 7200.0)
    for market in markets:
        market.shut.append((start, end))
        back = [end - 1.0, end, end + rng.uniform(300.0, 1800.0)]
        _widen(market, paths.bump(len(market.half), MINUTE_S, back, [1.0, rng.uniform(2.0, 5.0), 1.0]))
    world.episodes.append(Episode("outage", "*", start, end, 0.0))


def _widen(market: Market, factor: paths.Floats) -> None:
    """Make spreads wider and depths thinner by a factor, minute grid."""
    market.half *= factor
    market.thinning /= factor
