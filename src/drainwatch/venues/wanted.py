"""Which markets' public data are needed to know what a fill was worth."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from drainwatch.engine import STABLES
from drainwatch.rows import Market

CROSSES: Final = ("USDT", "USDC", "USD", "BTC", "ETH", "EUR", "BNB", "FDUSD")
"""Currencies that coins are priced in most, the deepest books first."""
MOST_TWINS: Final = 3
"""Other markets of a coin that are followed beside the traded one."""


def wanted(traded: Collection[str], markets: Iterable[Market]) -> set[str]:
    """Symbols to follow: what is traded, its liquid twins, and the rates between their quotes.

    Parameters
    ----------
    traded
        Unified symbols that the account trades or holds.
    markets
        All markets of the venue.

    Returns
    -------
    set of str
        `traded` itself, also what the venue's list doesn't have; for each a few other spot markets of
        the same coin, in the deepest quotes; for each quote among them its own rate against a dollar.
    """
    listed = list(markets)
    known = {market.symbol: market for market in listed}
    spot: dict[tuple[str, str], Market] = {(m.base, m.quote): m for m in listed if not m.settle}
    out = set(traded)
    quotes: set[str] = set()
    for symbol in traded:
        market = known.get(symbol)
        if market is None:
            continue
        quotes.add(market.quote)
        twins = [spot[market.base, quote] for quote in CROSSES if (market.base, quote) in spot]
        twins = [twin for twin in twins if twin.symbol != symbol]
        for twin in twins[:MOST_TWINS]:
            out.add(twin.symbol)
            quotes.add(twin.quote)
        if market.base in CROSSES:
            quotes.add(market.base)
    dollars = [currency for currency in CROSSES if currency in STABLES]
    for quote in quotes:
        rates = [spot[quote, dollar] for dollar in dollars if (quote, dollar) in spot]
        rates += [spot[dollar, quote] for dollar in dollars if (dollar, quote) in spot]
        for rate in rates[:2]:
            out.add(rate.symbol)
    return out
