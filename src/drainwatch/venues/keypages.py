"""Where each exchange lets its customers revoke an API key.

An owner in a hurry follows this link, so it has to be right or absent: each address stands in public
documents of the exchange or in several independent guides, and none of it comes from outside.
"""

from __future__ import annotations

from typing import Final

_BINANCE: Final = "https://www.binance.com/en/my/settings/api-management"
_KUCOIN: Final = "https://www.kucoin.com/account/api"

_PAGES: Final = {
    "binance": _BINANCE,
    "binancecoinm": _BINANCE,
    "binanceus": "https://www.binance.us/settings/api-management",
    "binanceusdm": _BINANCE,
    "bingx": "https://bingx.com/en/account/api/",
    "bitfinex": "https://setting.bitfinex.com/api",
    "bitget": "https://www.bitget.com/account/newapi",
    "bitstamp": "https://www.bitstamp.net/account/security/api/",
    "bybit": "https://www.bybit.com/app/user/api-management",
    "coinbase": "https://portal.cdp.coinbase.com/access/api",
    "cryptocom": "https://crypto.com/exchange/user/settings/api-management",
    "deribit": "https://www.deribit.com/account/BTC/api",
    "gate": "https://www.gate.io/myaccount/api_key_manage",
    "gemini": "https://exchange.gemini.com/settings/api",
    "htx": "https://www.htx.com/en-us/apikey/",
    "hyperliquid": "https://app.hyperliquid.xyz/API",
    "kraken": "https://www.kraken.com/u/security/api",
    "krakenfutures": "https://futures.kraken.com/trade/settings/api",
    "kucoin": _KUCOIN,
    "kucoinfutures": _KUCOIN,
    "mexc": "https://www.mexc.com/user/openapi",
    "okx": "https://www.okx.com/account/my-api",
    "phemex": "https://phemex.com/account/api-management",
}
"""By ccxt's id of the exchange. At Hyperliquid it is the page of the API wallets."""


def key_page(exchange: str) -> str | None:
    """Give the address of an exchange's page of API keys; None where it isn't known."""
    return _PAGES.get(exchange)
