"""Names of markets as exchanges write them, to ccxt's: `BTCUSDT` and `BTC-USDT` are `BTC/USDT`."""

from __future__ import annotations

import re
from collections.abc import Collection

from drainwatch.imports.work import Work

_QUOTES = """
USDT USDC FDUSD USDS USD1 USDE USDD USD EUR EURI EURC GBP JPY AUD CAD CHF TRY BRL RUB UAH NGN ZAR IDR IDRT
BIDR BVND VND BKRW KRW ARS COP CZK MXN PLN RON INR SGD HKD NZD AED KZT SEK DKK NOK HUF THB
PHP MYR TWD DAI UST
BTC ETH BNB XRP TRX DOGE DOT SOL KCS
"""
QUOTES = frozenset(_QUOTES.split())
"""Coins and currencies in which markets are quoted, all venues together.

Without TUSD, BUSD and their like: of `DOTUSD` or `ARBUSD` nobody could tell where they begin. A venue that
has no markets in USD may add them.
"""

_SEPARATED = re.compile(r"([^/\-_\s:]+)\s*[/\-_:\s]\s*([^/\-_\s:]+)")


def split_pair(pair: str, quotes: Collection[str] = QUOTES) -> tuple[str, str] | None:
    """Split a pair into base and quote: at its separator, else before the longest quote that fits.

    Returns
    -------
    None where neither is there.
    """
    pair = pair.strip().upper()
    found = _SEPARATED.fullmatch(pair)
    if found:
        return found[1], found[2]
    if not pair.isalnum():
        return None
    for length in range(min(len(pair) - 1, 6), 1, -1):
        if pair[-length:] in quotes:
            return pair[:-length], pair[-length:]
    return None


def spot(pair: str | None, quotes: Collection[str] = QUOTES) -> str | None:
    """Write a spot pair as ccxt does; None where it isn't one."""
    found = split_pair(pair, quotes) if pair else None
    return f"{found[0]}/{found[1]}" if found else None


def name_spot(work: Work) -> None:
    """Name a spot market from `_pair`, or from `_base` and `_quote` where an export tells the two."""

    def name(pair: str | None, base: str | None, quote: str | None) -> str | None:
        return f"{base.upper()}/{quote.upper()}" if base and quote else spot(pair) or pair

    work.each("symbol", ["_pair", "_base", "_quote"], name)


def fee_in_what_came(work: Work) -> None:
    """Take a fee for one in the coin that was received, where the export names none."""

    def coin(told: str | None, symbol: str | None, side: str | None) -> str | None:
        base, _, quote = (symbol or "").partition("/")
        return told or (base if side == "buy" else quote) or None

    work.each("fee_currency", ["fee_currency", "symbol", "side"], coin)


def expiry(text: str) -> str | None:
    """Bring an expiry to ccxt's `YYMMDD`: from `240329`, `20240329`, `29MAR24`; None where it is none."""
    text = text.upper()
    if re.fullmatch(r"\d{6}", text):
        return text
    if re.fullmatch(r"20\d{6}", text):
        return text[2:]
    found = re.fullmatch(r"(\d{1,2})([A-Z]{3})(\d\d)", text)
    months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    if not found or found[2] not in months:
        return None
    return f"{found[3]}{months.index(found[2]) + 1:02d}{int(found[1]):02d}"


def contract(base: str, quote: str, settle: str, until: str | None = None) -> str:
    """Write a derivative as ccxt does: `BTC/USDT:USDT`, `BTC/USD:BTC-240329`."""
    return f"{base}/{quote}:{settle}" + (f"-{until}" if until else "")
