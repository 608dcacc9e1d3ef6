"""Which streams of an exchange are heard in its own protocol, and which through ccxt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from drainwatch.rows import Market
from drainwatch.venues.conversation import DirectSource
from drainwatch.venues.protocol import Credentials, StreamSource, Symbols
from drainwatch.venues.rest import Rest

NATIVE: Final = frozenset(("binance", "binanceusdm", "bybit", "okx", "hyperliquid"))
"""Exchanges with a protocol of our own."""


@dataclass(slots=True)
class Streams:
    """What to connect to for one account."""

    private: list[StreamSource] = field(default_factory=list)
    public: list[StreamSource] = field(default_factory=list)
    """Each takes the wanted symbols that are its own, and leaves the others."""


def native_streams(
    exchange: str,
    markets: Collection[Market],
    rest: Rest,
    *,
    account: str,
    credentials: Credentials | None,
    address: str = "",
    url_private: str = "",
    url_public: str = "",
) -> Streams:
    """Make the sources of an exchange's own streams.

    Parameters
    ----------
    exchange
        One of `NATIVE`.
    markets
        All that the venue lists.
    rest
        Asks for what a stream needs first: Binance's listen keys.
    account, credentials, address
        Whose fills: a key, or for Hyperliquid an address.
    url_private, url_public
        Where they are, if elsewhere than usual.
    """
    keys = credentials or Credentials("")
    private = {"url": url_private} if url_private else {}
    public = {"url": url_public} if url_public else {}
    if exchange == "binance":
        from drainwatch.venues.binance import BinanceSpotPrivateSource
        from drainwatch.venues.binance_public import BinancePublicSource

        spot = Symbols([market for market in markets if not market.settle])
        return Streams(
            [BinanceSpotPrivateSource(keys, spot, account=account, **private)],
            [BinancePublicSource(spot, **public)],
        )
    if exchange == "binanceusdm":
        from drainwatch.venues.binance_futures import BinanceFuturesPrivateSource
        from drainwatch.venues.binance_public import USDM_URL, BinancePublicSource

        linear = Symbols([market for market in markets if market.settle and not market.inverse])
        return Streams(
            [BinanceFuturesPrivateSource(rest.listen_key, linear, account=account, **private)],
            [BinancePublicSource(linear, exchange=exchange, url=url_public or USDM_URL)],
        )
    if exchange == "bybit":
        from drainwatch.venues.bybit import BybitPrivate, BybitPublic

        by_category = {
            "spot": Symbols([m for m in markets if not m.settle]),
            "linear": Symbols([m for m in markets if m.settle and not m.inverse]),
            "inverse": Symbols([m for m in markets if m.inverse]),
        }
        return Streams(
            [
                DirectSource(
                    "bybit private", lambda: BybitPrivate(keys, by_category, account=account, **private)
                )
            ],
            [
                DirectSource(f"bybit public {name}", lambda n=name, s=symbols: BybitPublic(n, s, **public))  # type: ignore[misc]
                for name, symbols in by_category.items()
                if symbols.by_symbol
            ],
        )
    every = Symbols(markets)
    if exchange == "okx":
        from drainwatch.venues.okx import OkxPrivate, OkxPublic

        return Streams(
            [DirectSource("okx private", lambda: OkxPrivate(keys, every, account=account, **private))],
            [DirectSource("okx public", lambda: OkxPublic(every, **public))],
        )
    from drainwatch.venues.hyperliquid import Hyperliquid

    # one connection for both: fills learn their counterparties from the public prints beside them
    return Streams(
        [DirectSource("hyperliquid", lambda: Hyperliquid(every, address=address, account=account, **private))]
    )
