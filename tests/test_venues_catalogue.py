"""Each exchange's streams, made of its list of markets; a list read anew reaches them."""

from __future__ import annotations

import asyncio

import pytest

from drainwatch.rows import Market
from drainwatch.venues.catalogue import NATIVE, native_streams
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.protocol import Credentials
from drainwatch.venues.rest import Rest

ADDRESS = "0x" + "ab" * 20


def market(symbol: str, *, inverse: bool = False) -> Market:
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return Market(
        exchange="x",
        symbol=symbol,
        venue_symbol=symbol.replace("/", ""),
        base=base,
        quote=quote,
        settle=settle,
        inverse=inverse,
    )


MARKETS = [market("A/USDT"), market("A/USDT:USDT"), market("A/USD:A", inverse=True)]
PUBLIC = {
    "binance": [{"A/USDT"}],
    "binanceusdm": [{"A/USDT:USDT"}],
    "bybit": [{"A/USDT"}, {"A/USDT:USDT"}, {"A/USD:A"}],
    "okx": [{"A/USDT", "A/USDT:USDT", "A/USD:A"}],
    "hyperliquid": [],
}


@pytest.mark.parametrize("exchange", sorted(NATIVE))
def test_an_exchange_has_its_streams_and_each_market_its_own(exchange: str) -> None:
    rest = Rest(exchange, None, SystemClock(), account="main")
    streams = native_streams(
        exchange,
        MARKETS,
        rest,
        account="main",
        credentials=Credentials("key", "secret", "pass"),
        address=ADDRESS,
        url_private="ws://127.0.0.1:1/private",
        url_public="ws://127.0.0.1:1/public",
    )
    assert len(streams.private) == 1
    belonging = [{m.symbol for m in MARKETS if belongs(m)} for _, belongs in streams.public]
    assert belonging == PUBLIC[exchange]
    late = market("B/USDT:USDT" if exchange == "binanceusdm" else "B/USDT")
    streams.relist([late])
    assert any(late.symbol in symbols.by_symbol for symbols, _ in streams.listed)
    if exchange != "binanceusdm":  # that one asks REST for a listen key first
        protocol = asyncio.run(streams.private[0].start())
        assert protocol.url.startswith("ws://127.0.0.1:1/private")
    for source, _ in streams.public:
        assert asyncio.run(source.start()).url.startswith("ws://127.0.0.1:1/public")
