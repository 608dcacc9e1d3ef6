"""ccxt itself, loaded once and made safe, and what it can do for each venue."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from drainwatch.errors import ConfigError
from drainwatch.venues.protocol import Credentials


class Coverage(StrEnum):
    """How the account's fills can be had of a venue."""

    FILLS = "fills"
    """Streamed one by one (`watchMyTrades`)."""
    ORDERS = "orders"
    """Order updates are streamed (`watchOrders`): each makes the fills be asked for by REST at once."""
    ORDERS_ONLY = "orders only"
    """Order updates are streamed and fills can't be asked for: they are made of the differences."""
    POLLED = "polled"
    """Fills can be asked for by REST only."""
    NONE = "none"


class _Quiet(logging.Filter):
    """Keeps whole requests, with key and signature, out of any log; ccxt writes them at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


@functools.cache
def library() -> tuple[Any, Any]:
    """Load ccxt's REST and websocket parts: 4 to 8 seconds and 130 MB, once a process."""
    import ccxt.async_support  # type: ignore[import-untyped]
    import ccxt.pro  # type: ignore[import-untyped]

    return ccxt.async_support, ccxt.pro


def make(
    exchange_id: str,
    credentials: Credentials | None,
    *,
    streams: bool,
    urls: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    base_url: str = "",
) -> Any:
    """Make a ccxt object that leaves nothing secret in a log.

    Parameters
    ----------
    streams
        Whether it must be able to stream.
    urls
        What to change of the venue's `urls["api"]`, nested as there.
    options
        What to change of ccxt's options for this venue.
    base_url
        Host that stands in for the venue's in all its REST addresses; empty for none.

    Raises
    ------
    ConfigError
        ccxt knows no such venue, or none that streams.
    """
    rest, pro = library()
    module = pro if streams else rest
    if exchange_id not in module.exchanges:
        known = "can't stream from it" if exchange_id in rest.exchanges else "knows no such exchange"
        raise ConfigError(
            f"exchange must be one of ccxt's, was {exchange_id!a}: ccxt {known}; see docs/venues.md"
        )
    given = dict(options or {})
    config: dict[str, Any] = {"enableRateLimit": True, "timeout": 20_000, "options": _options(exchange_id)}
    if credentials is not None:
        config |= {"apiKey": credentials.key, "secret": credentials.secret}
        if credentials.passphrase:
            config["password"] = credentials.passphrase
        if exchange_id == "hyperliquid":  # whose fills are public: no key, the address alone
            config = config | {"walletAddress": credentials.key, "apiKey": "", "secret": ""}
    exchange = getattr(module, exchange_id)(config)
    if given:
        exchange.options = exchange.deep_extend(exchange.options, given)
    if base_url:
        exchange.urls["api"] = redirected(exchange.urls["api"], base_url)
    if urls:
        exchange.urls = exchange.deep_extend(exchange.urls, {"api": dict(urls)})
    # A parent logger set to DEBUG by whoever embeds this must not get at it: so not by level.
    logger = logging.getLogger("drainwatch.ccxt")
    if not any(isinstance(known_filter, _Quiet) for known_filter in logger.filters):
        logger.addFilter(_Quiet())
    exchange.logger = logger
    return exchange


def coverage_of(has: Mapping[str, Any]) -> Coverage:
    """Read ccxt's `has` of a venue."""
    polled = bool(has.get("fetchMyTrades"))
    if has.get("watchMyTrades"):
        return Coverage.FILLS
    if has.get("watchOrders"):
        return Coverage.ORDERS if polled else Coverage.ORDERS_ONLY
    return Coverage.POLLED if polled else Coverage.NONE


def supported() -> dict[str, Coverage]:
    """Give what can be had of each venue that ccxt knows, by its id."""
    rest, pro = library()
    return {
        name: coverage_of(getattr(pro if name in pro.exchanges else rest, name)().has)
        if name in pro.exchanges
        else min(coverage_of(getattr(rest, name)().has), Coverage.POLLED, key=_least)
        for name in sorted({*rest.exchanges, *pro.exchanges})
    }


def _least(coverage: Coverage) -> int:
    return -list(Coverage).index(coverage)


def _options(exchange_id: str) -> dict[str, Any]:
    # The cache of own trades is read at each message, so it need hold no more than one brings.
    options: dict[str, Any] = {"tradesLimit": 10_000, "ordersLimit": 10_000}
    if exchange_id.startswith("binance"):
        # With a key ccxt asks for wallets, margin and both kinds of futures, too: slow, and refused to a
        # key that may only read spot.
        kinds = {"binanceusdm": "linear", "binancecoinm": "inverse"}
        options |= {
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": [kinds.get(exchange_id, "spot")]},
        }
    if exchange_id.startswith("bybit"):
        # By default ccxt leaves out fills negotiated off the book: a way to hand coins over.
        options["watchMyTrades"] = {
            "execType": ["Trade", "AdlTrade", "BustTrade", "Settle", "Delivery", "BlockTrade", "MovePosition"]
        }
    return options


def redirected(urls: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Put another host in the place of an exchange's in all URLs of a nested mapping; paths stay."""
    made: dict[str, Any] = {}
    for name, url in urls.items():
        if isinstance(url, Mapping):
            made[name] = redirected(url, base)
        elif isinstance(url, str) and url.startswith("http"):
            made[name] = base.rstrip("/") + urlsplit(url).path
        else:
            made[name] = url
    return made
