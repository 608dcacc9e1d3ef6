"""Which coins and markets a simulated world has: majors, liquid alts, thin pairs with twins, dead coins."""

from __future__ import annotations

from math import floor, log10

import numpy as np

from drainwatch.lab import paths
from drainwatch.lab.markets import Market, Spec
from drainwatch.lab.paths import MINUTE_S, STEP_S, Coin, Episode, Paths


def _name(rng: np.random.Generator, taken: set[str]) -> str:
    consonants, vowels = "BDFGKLMNPRSTVXZ", "AEIOU"
    while True:
        letters = [
            consonants[int(rng.integers(15))],
            vowels[int(rng.integers(5))],
            consonants[int(rng.integers(15))],
        ]
        if rng.random() < 0.4:
            letters.append(vowels[int(rng.integers(5))])
        name = "".join(letters)
        if name not in taken:
            taken.add(name)
            return name


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_coins(rng: np.random.Generator) -> dict[str, Coin]:
    """Draw the coins of a world by role: majors, two liquid, two half-liquid, a thin and a dead one."""
    taken = {"BTC", "ETH", "USDT", "USDC"}
    low = rng.random() < 0.3  # a world with coins of tiny unit price

    def alt(
        kind: str, least: float, most: float, beta: tuple[float, float], vol: tuple[float, float]
    ) -> Coin:
        price = _log_uniform(rng, least, most)
        return Coin(_name(rng, taken), kind, price, rng.uniform(*beta), rng.uniform(*vol))

    return {
        "BTC": Coin("BTC", "major", _log_uniform(rng, 15_000, 110_000), 1.0, 0.003),
        "ETH": Coin(
            "ETH", "major", _log_uniform(rng, 800, 5_000), rng.uniform(1.0, 1.3), rng.uniform(0.008, 0.018)
        ),
        "USDC": Coin("USDC", "stable", 1.0, 0.0, 0.0),
        "A": alt("liquid", 1e-3, 300.0, (0.8, 1.5), (0.015, 0.04)),
        "B": alt("liquid", 1e-2, 50.0, (0.6, 1.5), (0.02, 0.05)),
        "H": alt("half", 1e-5 if low else 1e-2, 50.0, (0.5, 1.5), (0.02, 0.06)),
        "J": alt("half", 1e-3, 20.0, (0.4, 1.3), (0.03, 0.07)),
        "T": alt("thin", 1e-3, 5.0, (0.2, 1.2), (0.03, 0.08)),
        "D": alt("dead", 1e-8 if low else 1e-4, 1e-4 if low else 1.0, (0.0, 0.6), (0.02, 0.07)),
    }


_TRAITS: dict[
    str, tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
] = {
    # half-spread in bp; USDT at the best level; seconds between events; half-life of a refill in s
    "liquid": ((0.8, 5.0), (4e3, 5e4), (90.0, 200.0), (3.0, 15.0)),
    "half": ((5.0, 22.0), (5e2, 5e3), (150.0, 400.0), (10.0, 60.0)),
    "thin": ((18.0, 140.0), (6e1, 8e2), (240.0, 1300.0), (60.0, 500.0)),
    "dead": ((40.0, 220.0), (2e1, 3e2), (500.0, 2400.0), (120.0, 1200.0)),
    "stable": ((0.3, 1.5), (2e4, 2e5), (150.0, 300.0), (5.0, 20.0)),
}
_BASIS_BPS = {
    "liquid": (0.5, 2.0),
    "half": (2.0, 8.0),
    "thin": (5.0, 60.0),
    "dead": (5.0, 60.0),
    "stable": (0.2, 1.0),
}


def draw_spec(rng: np.random.Generator, base: str, quote: str, kind: str, price: float, usdt: float) -> Spec:
    """Draw a market's traits: `price` in quote units, `usdt` the value of one quote unit."""
    half_bps, depth, interval, refill = (_log_uniform(rng, *bounds) for bounds in _TRAITS[kind])
    coarse = kind in {"half", "thin", "dead"} and rng.random() < 0.12
    relative = rng.uniform(2.2, 3.0) if coarse else rng.uniform(3.8, 5.2)
    if kind == "stable":
        relative = 4.3
    tick = 10.0 ** floor(log10(price) - relative)
    lot = 10.0 ** floor(log10(0.5 / (price * usdt)))
    half = half_bps * 1e-4
    return Spec(
        f"{base}/{quote}",
        base,
        quote,
        kind,
        half,
        depth,
        half * rng.uniform(0.25, 0.7),
        interval,
        refill,
        tick,
        lot,
    )


def _perpetual(rng: np.random.Generator, base: str, kind: str, price: float) -> Spec:
    spec = draw_spec(rng, base, "USDT", kind, price, 1.0)
    size = [0.01, 0.1, 1.0, 10.0, 100.0][int(np.clip(round(1.0 - log10(price)) + 1, 0, 4))]
    return Spec(
        f"{base}/USDT:USDT", base, "USDT", kind, min(spec.half, 0.004), spec.depth, spec.gap,
        spec.interval_s, spec.refill_s, spec.tick, 1.0, size, "USDT",
    )  # fmt: skip


def build(
    rng: np.random.Generator,
    days: float,
    *,
    crash: bool | None = None,
    pump: bool | None = None,
    perp: str | None = None,
) -> tuple[Paths, dict[str, Coin], dict[str, Market]]:
    """Draw a world with its markets.

    `perp` asks for a perpetual: `liquid` (on ETH) or `thin` (on a half-liquid coin). Returns the latent
    paths, the coins by role and the markets by symbol.
    """
    coins = draw_coins(rng)
    world = paths.simulate(rng, list(coins.values()), days, crash=crash, pump=pump)
    half, j, thin, dead, a, b = (coins[role].name for role in ("H", "J", "T", "D", "A", "B"))
    listed = [("BTC", "USDT", "liquid"), ("ETH", "USDT", "liquid"), ("ETH", "BTC", "liquid")]
    listed += [
        ("USDC", "USDT", "stable"),
        (a, "USDT", "liquid"),
        (half, "USDT", "half"),
        (half, "BTC", "thin"),
    ]
    listed += [(thin, "USDT", "thin"), (dead, "USDT", "dead")]
    for chance, pair in (
        (0.5, (half, "USDC", "thin")),
        (0.4, (a, "BTC", "half")),
        (0.35, (a, "USDC", "thin")),
        (0.35, (b, "USDT", "liquid")),
        (0.6, (j, "USDT", "half")),
        (0.35, (j, "BTC", "thin")),
        (0.45, (thin, "BTC", "dead")),
        (0.6, ("BTC", "USDC", "half")),
    ):
        if rng.random() < chance:
            listed.append(pair)
    bases = {base for base, quote, _ in listed if quote == "USDT"}
    listed = [pair for pair in listed if pair[0] in bases]
    specs = []
    prices = {coin.name: coin.price for coin in coins.values()} | {"USDT": 1.0}
    for base, quote, kind in listed:
        specs.append(draw_spec(rng, base, quote, kind, prices[base] / prices[quote], prices[quote]))
    perp = perp or ("liquid" if rng.random() < 0.15 else None)
    if perp is not None:
        base = "ETH" if perp == "liquid" else half
        kind = "liquid" if perp == "liquid" else str(rng.choice(["half", "thin"], p=[0.7, 0.3]))
        specs.append(_perpetual(rng, base, kind, prices[base]))
    return world, coins, {spec.symbol: _market(rng, world, spec, days / 30.0) for spec in specs}


def _market(rng: np.random.Generator, world: Paths, spec: Spec, month: float) -> Market:
    base = world.log_usdt[spec.base]
    n, minutes = len(base), len(world.stress)
    quote = world.log_usdt[spec.quote] if spec.quote != "USDT" else np.zeros(1)
    basis = _log_uniform(rng, *_BASIS_BPS[spec.kind]) * 1e-4
    slow = basis * paths.mean_reverting(rng, minutes, _log_uniform(rng, 10.0, 240.0))
    fair = base - quote + np.interp(np.arange(n) * STEP_S, np.arange(minutes) * MINUTE_S, slow)
    if spec.quote == "USDC":
        fair += rng.normal(0.0, 0.001)
    if spec.kind in {"thin", "dead"} and rng.random() < 0.1:  # a lasting premium
        fair += rng.normal(0.0, 0.005)
    mid = fair.copy()
    spread = np.ones(minutes)
    if spec.kind in {"thin", "dead", "half"} and rng.random() < 0.25 * month:
        start, length = rng.uniform(0.05, 0.95) * world.seconds, _log_uniform(rng, 600.0, 14_400.0)
        depth = rng.choice([-1.0, 1.0]) * _log_uniform(rng, 0.006, 0.05)
        knots = [start, start + length * rng.uniform(0.02, 0.4), start + 0.7 * length, start + length]
        mid += paths.bump(n, STEP_S, knots, [0.0, depth, depth * rng.uniform(0.6, 1.0), 0.0])
        world.episodes.append(Episode("displaced", spec.symbol, knots[0], knots[-1], float(depth)))
    if spec.kind != "stable" and rng.random() < 0.012 * month:
        start, length = rng.uniform(0.1, 0.95) * world.seconds, rng.uniform(60.0, 1200.0)
        depth = -_log_uniform(rng, 0.08, 0.9)
        knots = [start, start + rng.uniform(20.0, 120.0), start + 150.0 + length]
        mid += paths.bump(n, STEP_S, knots, [0.0, depth, 0.0])
        spread *= paths.bump(
            minutes, MINUTE_S, [start, start + 60.0, start + length + 300.0], [1.0, 6.0, 1.0]
        )
        world.episodes.append(Episode("local_crash", spec.symbol, knots[0], knots[-1], depth))
    wander = np.exp(0.35 * paths.mean_reverting(rng, minutes, 180.0) - 0.06)
    quiet = world.activity[spec.base]
    stress = world.stress * spread
    wide = spec.half * stress * wander * np.clip(quiet, 0.3, 1.5) ** -0.3
    return Market(spec, fair, mid, wide, np.clip(wander / stress, 0.05, 3.0), quiet)
