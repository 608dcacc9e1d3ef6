"""Beside what is traded: its liquid twins, and the rates that tie them to a dollar."""

from __future__ import annotations

from drainwatch.rows import Market
from drainwatch.venues.wanted import MOST_TWINS, wanted


def listed(*symbols: str) -> list[Market]:
    out = []
    for symbol in symbols:
        pair, _, settle = symbol.partition(":")
        base, _, quote = pair.partition("/")
        out.append(
            Market(exchange="x", symbol=symbol, venue_symbol=symbol, base=base, quote=quote, settle=settle)
        )
    return out


def test_a_thin_pair_brings_its_twin_and_the_rate_between() -> None:
    markets = listed("QTUM/BTC", "QTUM/USDT", "BTC/USDT", "ETH/USDT", "DOGE/USDT")
    assert wanted({"QTUM/BTC"}, markets) == {"QTUM/BTC", "QTUM/USDT", "BTC/USDT"}


def test_a_perpetual_brings_its_spot_market() -> None:
    markets = listed("FOO/USDT:USDT", "FOO/USDT", "FOO/BTC", "BTC/USDT")
    assert wanted({"FOO/USDT:USDT"}, markets) == {"FOO/USDT:USDT", "FOO/USDT", "FOO/BTC", "BTC/USDT"}


def test_an_inverse_perpetual_brings_what_its_coin_costs() -> None:
    markets = listed("BTC/USD:BTC", "BTC/USDT", "BTC/USDC", "USDC/USDT")
    assert "BTC/USDT" in wanted({"BTC/USD:BTC"}, markets)


def test_twins_are_few_and_the_deepest() -> None:
    quotes = ("USDT", "USDC", "USD", "BTC", "ETH", "EUR", "BNB", "TRY")
    found = wanted({"FOO/TRY"}, listed(*(f"FOO/{quote}" for quote in quotes), "BTC/USDT"))
    twins = {symbol for symbol in found if symbol.startswith("FOO/")} - {"FOO/TRY"}
    assert twins == {"FOO/USDT", "FOO/USDC", "FOO/USD"}
    assert len(twins) == MOST_TWINS


def test_what_the_list_lacks_is_wanted_all_the_same() -> None:
    assert wanted({"NEW/USDT"}, []) == {"NEW/USDT"}
    assert wanted(set(), listed("A/USDT")) == set()
