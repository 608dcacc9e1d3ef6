"""Which streams of an exchange are heard in its own protocol, and which through ccxt."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from drainwatch.rows import Market
from drainwatch.venues.conversation import DirectSource
from drainwatch.venues.protocol import Credentials, StreamSource, Symbols
from drainwatch.venues.rest import Rest
from drainwatch.venues.skew import Skew

NATIVE: Final = frozenset(("binance", "binanceusdm", "bybit", "okx", "hyperliquid"))
"""Exchanges with a protocol of our own."""


@dataclass(slots=True)
class Streams:
    """What to connect to for one account."""

    private: list[StreamSource] = field(default_factory=list)
    public: list[tuple[StreamSource, Callable[[Market], bool]]] = field(default_factory=list)
    """Each with the markets that it has."""
    listed: list[tuple[Symbols, Callable[[Market], bool]]] = field(default_factory=list)
    """What the streams know of the venue's markets, and which belong there."""

    def relist(self, markets: Collection[Market]) -> None:
        """Take up a list of markets that was read anew."""
        for symbols, belongs in self.listed:
            symbols.add([market for market in markets if belongs(market)])


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
    private: dict[str, Any] = {"url": url_private} if url_private else {}
    public: dict[str, Any] = {"url": url_public} if url_public else {}
    streams = Streams()

    def known(belongs: Callable[[Market], bool] = _is_any) -> Symbols:
        streams.listed.append((Symbols(), belongs))
        return streams.listed[-1][0]

    if exchange == "binance":
        from drainwatch.venues.binance import BinanceSpotPrivateSource
        from drainwatch.venues.binance_public import BinancePublicSource

        spot = known(_is_spot)
        streams.private.append(BinanceSpotPrivateSource(keys, spot, account=account, **private))
        streams.public.append((BinancePublicSource(spot, **public), _is_spot))
    elif exchange == "binanceusdm":
        from drainwatch.venues.binance_futures import BinanceFuturesPrivateSource
        from drainwatch.venues.binance_public import USDM_URL, BinancePublicSource

        linear = known(_is_linear)
        streams.private.append(
            BinanceFuturesPrivateSource(rest.listen_key, linear, account=account, **private)
        )
        source = BinancePublicSource(linear, exchange=exchange, url=url_public or USDM_URL)
        streams.public.append((source, _is_linear))
    elif exchange == "bybit":
        from drainwatch.venues.bybit import BybitPrivate, BybitPublic

        kinds = {"spot": _is_spot, "linear": _is_linear, "inverse": _is_inverse}
        by_category = {category: known(belongs) for category, belongs in kinds.items()}
        skew = Skew(exchange, "bybit private", account)
        make = partial(BybitPrivate, keys, by_category, account=account, skew=skew, **private)
        streams.private.append(DirectSource("bybit private", make))
        for category, symbols in by_category.items():
            make_public = partial(BybitPublic, category, symbols, **public)
            public_source = DirectSource(f"bybit public {category}", make_public)
            streams.public.append((public_source, kinds[category]))
    elif exchange == "okx":
        from drainwatch.venues.okx import OkxPrivate, OkxPublic

        every = known()
        skew = Skew(exchange, "okx private", account)
        make_okx = partial(OkxPrivate, keys, every, account=account, skew=skew, **private)
        streams.private.append(DirectSource("okx private", make_okx))
        streams.public.append((DirectSource("okx public", partial(OkxPublic, every, **public)), _is_any))
    else:
        from drainwatch.venues.hyperliquid import Hyperliquid

        # one connection for both: fills learn their counterparties from the public prints beside them
        make_both = partial(Hyperliquid, known(), address=address, account=account, **private)
        streams.private.append(DirectSource("hyperliquid", make_both))
    streams.relist(markets)
    return streams


def _is_any(market: Market) -> bool:
    del market
    return True


def _is_inverse(market: Market) -> bool:
    return market.inverse


def _is_spot(market: Market) -> bool:
    return not market.settle


def _is_linear(market: Market) -> bool:
    return bool(market.settle) and not market.inverse
