"""Counterparts: simulated tapes as long and as busy as a real one, to be set beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from drainwatch.lab import tape, universe
from drainwatch.lab.desk import Desk
from drainwatch.lab.regimes import CALM
from drainwatch.lab.venue import draw_venue


def draw(
    seed: int, kind: str, hours: float, *, wait_s: float | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trades and quotes of one market of a calm world that nobody meddles with.

    Parameters
    ----------
    seed
        The same seed and arguments give the same tape.
    kind
        `liquid` (not a major), `half`, `thin` or `dead`, quoted in USDT.
    hours
        Length.
    wait_s
        Mean time between taker orders, on average over worlds; None for what the kind has.
    """
    rng = np.random.default_rng(seed)
    world, coins, markets = universe.build(rng, hours / 24.0, regime=CALM)
    market = next(
        market
        for market in markets.values()
        if market.spec.kind == kind and market.spec.quote == "USDT" and market.spec.base not in {"BTC", "ETH"}
    )
    if wait_s is not None:
        market.spec = replace(market.spec, interval_s=tape.TRADING_SHARE * wait_s)
    desk = Desk(rng, world, coins, markets, draw_venue(rng, by_hand=False, fees=False))
    columns = tape.strangers(desk, market)
    trades, quotes = pd.DataFrame(columns.trades), pd.DataFrame(columns.quotes)
    trades["side"] = np.where(trades["side"].to_numpy() > 0, "buy", "sell")
    return trades, quotes
