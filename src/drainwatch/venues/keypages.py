"""Where each exchange lets its customers revoke an API key."""

from __future__ import annotations

from typing import Final

_PAGES: Final = {
    "binance": "https://www.binance.com/en/my/settings/api-management",
    "binanceusdm": "https://www.binance.com/en/my/settings/api-management",
    "bybit": "https://www.bybit.com/app/user/api-management",
    "okx": "https://www.okx.com/account/my-api",
}


def key_page(exchange: str) -> str | None:
    """Give the address of an exchange's page of API keys; None where it isn't known."""
    return _PAGES.get(exchange)
