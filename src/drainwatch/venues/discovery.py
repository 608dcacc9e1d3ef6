"""Which markets an account may have traded in, told from what its balances did.

Some venues list an account's fills only when asked for one market, so a market that nobody thought of
is never asked for. A trade moves two currencies: those that moved name the market.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from drainwatch.rows import Fill, Market

USUAL_QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "BTC", "ETH", "BNB", "TRY")
"""Most used first."""


def changed(previous: Mapping[str, float], now: Mapping[str, float]) -> set[str]:
    """Give the currencies whose total differs by more than float64's rounding."""
    moved = set()
    for currency in previous.keys() | now.keys():
        before, after = previous.get(currency, 0.0), now.get(currency, 0.0)
        if abs(after - before) > 1e-12 * max(abs(after), abs(before)):
            moved.add(currency)
    return moved


def explained(fills: Iterable[Fill], markets: Mapping[str, Market]) -> set[str]:
    """Give the currencies that known fills moved: base and quote of each, and the fee's."""
    found: set[str] = set()
    for fill in fills:
        market = markets.get(fill.symbol)
        if market is not None:
            found |= {market.settle} if market.settle else {market.base, market.quote}
        if fill.fee_currency is not None:
            found.add(fill.fee_currency)
    return found


def candidates(
    moved: Collection[str],
    known: Collection[str],
    markets: Iterable[Market],
    most: int = 60,
    *,
    explained: Collection[str] = (),
) -> set[str]:
    """Give the symbols to ask for, none of which is known.

    Markets between two of the currencies that moved; for one that has none such, its markets against
    the usual quotes. Derivatives aren't among them: any could have moved the currency it settles in.

    Parameters
    ----------
    moved
        Currencies whose total changed.
    known
        Symbols that are asked for anyway.
    most
        So many at the most: each costs a request.
    explained
        Those of the currencies that known fills moved. That isn't all that may have moved them: the bot
        trades two coins for one currency while a thief swaps the one for the other.
    """
    spot = [market for market in markets if not market.settle]
    pairs = [market for market in spot if market.base in moved and market.quote in moved]
    paired = {currency for market in pairs for currency in (market.base, market.quote)}
    pairs.sort(key=lambda m: ((m.base in explained) + (m.quote in explained), m.symbol))
    found = [market.symbol for market in pairs if market.symbol not in known]
    lone = set(moved) - set(explained) - paired
    for quote in USUAL_QUOTES:
        found += sorted(
            m.symbol for m in spot if m.quote == quote and m.base in lone and m.symbol not in known
        )
    return set(found[:most])
