"""What all protocols share: a key that never shows, and markets by both of their names."""

from __future__ import annotations

import traceback

from drainwatch.rows import Market
from drainwatch.venues.protocol import Credentials, Reading, Symbols


def market(symbol: str, venue_symbol: str, *, tick: float = 0.1) -> Market:
    base, _, quote = symbol.partition("/")
    return Market(
        exchange="x", symbol=symbol, venue_symbol=venue_symbol, base=base, quote=quote, tick_size=tick
    )


def test_a_key_shows_in_no_text() -> None:
    credentials = Credentials("the-key", "the-secret", "the-passphrase")
    texts = [repr(credentials), str(credentials), f"{credentials}", f"{[credentials]!r}"]
    texts += traceback.format_exception(ValueError(credentials))
    assert not [text for text in texts if "the-" in text]


def test_markets_are_found_by_both_names_and_the_later_list_counts() -> None:
    symbols = Symbols([market("ETH/BTC", "ETHBTC")])
    symbols.add([market("ETH/BTC", "ETHBTC", tick=0.2), market("A/B", "AB")])
    assert symbols.by_venue["ETHBTC"] is symbols.by_symbol["ETH/BTC"]
    assert symbols.by_symbol["ETH/BTC"].tick_size == 0.2
    assert set(symbols.by_venue) == {"ETHBTC", "AB"}


def test_readings_share_nothing() -> None:
    first = Reading()
    first.symbols.add("A/B")
    first.send.append("x")
    assert Reading() == Reading(rows=[], send=[], symbols=set())
