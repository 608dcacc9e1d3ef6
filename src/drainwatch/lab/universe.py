"""Which coins and markets a simulated world has: majors, liquid alts, thin pairs with twins, dead coins.

About half of the worlds know a second venue, on which the liquid pairs trade, too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import floor, log10

import numpy as np

from drainwatch.errors import ConfigError
from drainwatch.lab import paths, regimes
from drainwatch.lab.draws import log_uniform
from drainwatch.lab.markets import Market, Spec
from drainwatch.lab.paths import MINUTE_S, STEP_S, Coin, Floats, Paths


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


def draw_coins(rng: np.random.Generator, *, listing: bool = False) -> dict[str, Coin]:
    """Draw the coins of a world by role: majors, two liquid, two half-liquid, a thin and a dead one.

    With `listing` there is a new one, too, as `N`.
    """
    taken = {"BTC", "ETH", "USDT", "USDC"}
    low = rng.random() < 0.3  # a world with coins of tiny unit price

    def alt(
        kind: str, least: float, most: float, beta: tuple[float, float], vol: tuple[float, float]
    ) -> Coin:
        price = log_uniform(rng, least, most)
        return Coin(_name(rng, taken), kind, price, rng.uniform(*beta), rng.uniform(*vol))

    coins = {
        "BTC": Coin("BTC", "major", log_uniform(rng, 15_000, 110_000), 1.0, 0.003),
        "ETH": Coin(
            "ETH", "major", log_uniform(rng, 800, 5_000), rng.uniform(1.0, 1.3), rng.uniform(0.008, 0.018)
        ),
        "USDC": Coin("USDC", "stable", 1.0, 0.0, 0.0),
        "A": alt("liquid", 1e-3, 300.0, (0.8, 1.5), (0.015, 0.04)),
        "B": alt("liquid", 1e-2, 50.0, (0.6, 1.5), (0.02, 0.05)),
        "H": alt("half", 2e-5 if low else 1e-2, 1e-2 if low else 50.0, (0.5, 1.5), (0.02, 0.06)),
        "J": alt("half", 1e-3, 20.0, (0.4, 1.3), (0.03, 0.07)),
        "T": alt("thin", 1e-3, 5.0, (0.2, 1.2), (0.03, 0.08)),
        "D": alt("dead", 1e-10 if low else 1e-4, 1e-4 if low else 1.0, (0.0, 0.6), (0.02, 0.07)),
    }
    if listing:
        coins["N"] = replace(alt("half", 1e-4, 5.0, (0.3, 1.2), (0.05, 0.10)), new=True)
    return coins


_TRAITS: dict[
    str, tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
] = {
    # half-spread in bp; USDT at the best level; seconds between events; half-life of a refill in s
    "liquid": ((0.8, 5.0), (4e3, 5e4), (160.0, 350.0), (3.0, 15.0)),
    "half": ((5.0, 22.0), (5e2, 5e3), (250.0, 620.0), (10.0, 60.0)),
    "thin": ((18.0, 140.0), (6e1, 8e2), (300.0, 1600.0), (60.0, 500.0)),
    "dead": ((40.0, 220.0), (2e1, 3e2), (620.0, 3000.0), (120.0, 1200.0)),
    "stable": ((0.3, 1.5), (2e4, 2e5), (190.0, 380.0), (5.0, 20.0)),
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
    half_bps, depth, interval, refill = (log_uniform(rng, *bounds) for bounds in _TRAITS[kind])
    coarse = kind in {"half", "thin", "dead"} and rng.random() < 0.12
    relative = rng.uniform(2.2, 3.0) if coarse else rng.uniform(3.8, 5.2)
    if kind == "stable":
        relative = 4.3
    tick = 10.0 ** max(floor(log10(price) - relative), -12)  # no venue writes more decimals
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


def _perpetual(
    rng: np.random.Generator, base: str, kind: str, price: float, *, inverse: bool = False
) -> Spec:
    """Draw a perpetual's traits; an inverse one counts in dollars and settles in its base coin."""
    spec = draw_spec(rng, base, "USDT", kind, price, 1.0)
    size = [0.01, 0.1, 1.0, 10.0, 100.0][int(np.clip(round(1.0 - log10(price)) + 1, 0, 4))]
    linear = replace(
        spec,
        symbol=f"{base}/USDT:USDT",
        half=min(spec.half, 0.004),
        lot=1.0,
        contract_size=size,
        settle="USDT",
    )
    if not inverse:
        return linear
    size = 100.0 if base == "BTC" else 10.0
    return replace(
        linear, symbol=f"{base}/USD:{base}", quote="USD", contract_size=size, settle=base, inverse=True
    )


ALWAYS = (
    ("BTC", "USDT", "liquid"),
    ("ETH", "USDT", "liquid"),
    ("ETH", "BTC", "liquid"),
    ("USDC", "USDT", "stable"),
    ("BTC", "USDC", "half"),
    ("A", "USDT", "liquid"),
    ("B", "USDT", "liquid"),
    ("H", "USDT", "half"),
    ("J", "USDT", "half"),
    ("H", "BTC", "thin"),
    ("T", "USDT", "thin"),
    ("D", "USDT", "dead"),
)
"""Pairs of every world, by the role of their base: (base, quote, kind)."""

SOMETIMES = (
    (0.5, ("H", "USDC", "thin")),
    (0.4, ("A", "BTC", "half")),
    (0.3, ("A", "USDC", "thin")),
    (0.35, ("J", "BTC", "thin")),
    (0.45, ("T", "BTC", "dead")),
)
"""Pairs of some worlds, each with its chance."""


def build(
    rng: np.random.Generator,
    days: float,
    *,
    regime: str | Collection[str] | None = None,
    without: Collection[str] = (),
    perp: str | None = None,
) -> tuple[Paths, dict[str, Coin], dict[str, Market]]:
    """Draw a world with its markets.

    Parameters
    ----------
    rng
        Source of all chance.
    days
        Length.
    regime
        An episode (or several) that has to take place, of `regimes.NAMES`, or `calm` for none at all.
        Else, and beside it, chance decides.
    without
        Episodes of the whole world that chance may not bring.
    perp
        A perpetual that has to be there: `liquid` (on ETH), `thin` (on a half-liquid coin) or `inverse`
        (on BTC, settled in it).

    Returns
    -------
    tuple
        The latent paths, the coins by role and the markets by symbol.

    Raises
    ------
    ConfigError
        For an unknown regime or perpetual.
    """
    calm = regime == regimes.CALM
    asked = {regime} if isinstance(regime, str) else set(regime or ())
    if not calm and (unknown := sorted(asked - set(regimes.NAMES))):
        raise ConfigError(f"regime must be one of calm, {', '.join(regimes.NAMES)}, was {unknown[0]!r}")
    if perp not in {None, "liquid", "thin", "inverse"}:
        raise ConfigError(f"perp must be liquid, thin or inverse, was {perp!r}")
    happening = set() if calm else paths.draw_episodes(rng, days) - set(without) | asked
    coins = draw_coins(rng, listing="listing" in happening)
    world = paths.simulate(rng, list(coins.values()), days, happening)
    names = {role: coin.name for role, coin in coins.items()}
    listed = [(names[base], quote, kind) for base, quote, kind in ALWAYS]
    listed += [
        (names[base], quote, kind) for chance, (base, quote, kind) in SOMETIMES if rng.random() < chance
    ]
    if "N" in names:
        listed.append((names["N"], "USDT", "half"))
        if rng.random() < 0.5:
            listed.append((names["N"], "BTC", "thin"))
    prices = {coin.name: coin.price for coin in coins.values()} | {"USDT": 1.0}
    specs = [
        draw_spec(rng, base, quote, kind, prices[base] / prices[quote], prices[quote])
        for base, quote, kind in listed
    ]
    perp = perp or ("liquid" if rng.random() < 0.15 else "inverse" if rng.random() < 0.08 else None)
    if perp in {"liquid", "inverse"}:
        base = "ETH" if perp == "liquid" else "BTC"
        specs.append(_perpetual(rng, base, "liquid", prices[base], inverse=perp == "inverse"))
    elif perp == "thin":
        kind = str(rng.choice(["half", "thin"], p=[0.7, 0.3]))
        specs.append(_perpetual(rng, names["H"], kind, prices[names["H"]]))
    known_elsewhere = rng.random() < 0.5
    markets = {spec.symbol: _market(rng, world, spec) for spec in specs}
    for market in markets.values():
        if known_elsewhere and market.spec.quote in {"USDT", "BTC"} and not market.shut:
            chance = {"liquid": 1.0, "half": 0.5}.get(market.spec.kind, 0.0)
            if not market.spec.settle and rng.random() < chance:
                market.elsewhere = _elsewhere(rng, world, market)
    _happen(rng, world, list(markets.values()), happening, 0.0 if calm else days / 30.0)
    return world, coins, markets


def _happen(
    rng: np.random.Generator, world: Paths, markets: list[Market], happening: set[str], months: float
) -> None:
    """Let what befalls the venue or single markets of it take place."""
    for name in sorted(happening):
        regimes.befall(rng, name, world, markets)
    for name, chance in regimes.LOCAL.items():
        fitting = [market for market in markets if regimes.can_befall(name, market)]
        chosen = [market for market in fitting if rng.random() < chance * months]
        if name in happening and not chosen:
            chosen = [fitting[int(rng.integers(len(fitting)))]]
        for market in chosen:
            regimes.befall_one(rng, name, world, market)


def _fair(rng: np.random.Generator, world: Paths, spec: Spec, basis: float) -> Floats:
    """Log fair price of a pair: its coins' cross rate with a small basis of its own, in logs."""
    base = world.log_usdt[spec.base]
    n, minutes = len(base), len(world.stress)
    quote = world.log_usdt.get(spec.quote)
    slow = basis * paths.mean_reverting(rng, minutes, log_uniform(rng, 10.0, 240.0))
    fair: Floats = base + np.interp(np.arange(n) * STEP_S, np.arange(minutes) * MINUTE_S, slow)
    if quote is not None:
        fair -= quote
    return fair


def _market(rng: np.random.Generator, world: Paths, spec: Spec) -> Market:
    minutes = len(world.stress)
    fair = _fair(rng, world, spec, log_uniform(rng, *_BASIS_BPS[spec.kind]) * 1e-4)
    if spec.quote == "USDC":
        fair += rng.normal(0.0, 0.001)
    if spec.kind in {"thin", "dead"} and rng.random() < 0.1:  # a lasting premium
        fair += rng.normal(0.0, 0.005)
    # Spreads wander over hours and within minutes; trades come in busy and idle quarters of an hour.
    wander = paths.mean_reverting(rng, minutes, 180.0)
    wander = np.exp(0.4 * wander + 0.65 * paths.mean_reverting(rng, minutes, 12.0) - 0.15)
    activity = world.activity[spec.base] * np.exp(0.4 * paths.mean_reverting(rng, minutes, 8.0) - 0.08)
    strain = world.stress * world.strain.get(spec.base, 1.0) * world.strain.get(spec.quote, 1.0)
    half = spec.half * strain * wander * np.clip(world.activity[spec.base], 0.3, 1.5) ** -0.3
    thinning = np.clip(wander / strain, 0.05, 3.0)
    market = Market(spec, fair, fair.copy(), half, thinning, activity)
    market.shut += [
        (-1e9, episode.start_s)
        for episode in world.episodes
        if episode.kind == "listing" and episode.subject == spec.base
    ]
    return market


def _elsewhere(rng: np.random.Generator, world: Paths, market: Market) -> Market:
    """Draw the same pair on another venue: as fair, with a basis of its own, and less busy."""
    spec = replace(market.spec, interval_s=market.spec.interval_s * rng.uniform(1.5, 4.0))
    fair = _fair(rng, world, spec, 0.6 * log_uniform(rng, *_BASIS_BPS[spec.kind]) * 1e-4)
    half = market.half * rng.uniform(0.8, 1.6)
    return Market(spec, fair, fair, half, market.thinning.copy(), market.activity.copy())
