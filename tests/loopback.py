"""A small loopback exchange, and requests as a client would sign them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp

from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of

KEY = "test-key-of-the-loopback-exchange"
SECRET = "test-secret-of-the-loopback-exchange"  # noqa: S105 - opens nothing
OTHER_KEY = "another-key-of-the-loopback-exchange"


def an_exchange(**settings: Any) -> Exchange:
    """Give an exchange with two markets, two accounts with a key each, and the house's quotes in ETH/BTC."""
    exchange = Exchange(
        [
            Listing("ETH", "BTC", price_of("0.00001"), amount_of("0.0001")),
            Listing("BTC", "USDT", price_of("0.01"), amount_of("0.00001")),
        ],
        **settings,
    )
    exchange.open_account("main", {"ETH": 10, "BTC": 1, "USDT": 1000})
    exchange.open_account("other", {"ETH": 10, "BTC": 1, "USDT": 1000}, fee_in_quote=True)
    exchange.add_key("main", KEY, secret=SECRET)
    exchange.add_key("other", OTHER_KEY, secret=SECRET)
    exchange.place("house", "ETH/BTC", "buy", "limit", 5, "0.0299")
    exchange.place("house", "ETH/BTC", "sell", "limit", 5, "0.0301")
    return exchange


def signature(text: str, secret: str = SECRET) -> str:
    """Sign a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def query(parameters: Mapping[str, Any], secret: str = SECRET) -> str:
    """Give a signed query, made now."""
    text = urlencode({**parameters, "timestamp": parameters.get("timestamp", now_ms())})
    return f"{text}&signature={signature(text, secret)}"


def params(
    parameters: Mapping[str, Any] | None = None, *, key: str = KEY, secret: str = SECRET
) -> dict[str, Any]:
    """Give signed parameters of the websocket API, made now."""
    full = {"apiKey": key, "timestamp": now_ms(), **(parameters or {})}
    return {**full, "signature": signature("&".join(f"{k}={v}" for k, v in sorted(full.items())), secret)}


def now_ms() -> int:
    """Give the machine's time."""
    return time.time_ns() // 1_000_000


class Api:
    """A plain client of the websocket API that keeps events apart from answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._number = 0

    async def ask(self, method: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask and wait for the answer."""
        self._number += 1
        await self.socket.send_str(
            json.dumps({"id": self._number, "method": method, "params": dict(parameters or {})})
        )
        while True:
            message = json.loads(await self.socket.receive_str(timeout=5))
            if "event" in message:
                self.events.append(message["event"])
            else:
                assert message["id"] == self._number
                return dict(message)

    async def hear(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many events have come, and give them."""
        while len(self.events) < count:
            self.events.append(json.loads(await self.socket.receive_str(timeout=5))["event"])
        return self.events


async def subscribed(session: aiohttp.ClientSession, server: Server, *, key: str = KEY) -> Api:
    """Give a client that hears an account's events."""
    api = Api(await session.ws_connect(server.ws_api_url))
    answer = await api.ask("userDataStream.subscribe.signature", params(key=key))
    assert answer["status"] == 200, answer
    return api


async def until(true: Any, seconds: float = 60.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
