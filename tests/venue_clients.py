"""Other people's client, ccxt, pointed at a loopback exchange, and plain websockets with a venue's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from watching import ADDRESS, KEY, PASSPHRASE, SECRET, Venue


def with_ccxt(
    venue: Venue, scene: Callable[[Host[Any], Exchange, Any], Awaitable[None]], **changes: Any
) -> None:
    """Run a scene with a server and an unmodified ccxt.pro client of the account."""
    pro = pytest.importorskip("ccxt.pro")

    async def whole() -> None:
        exchange = venue.exchange()
        async with venue.make(exchange, Faults()) as host:
            config = {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "urls": host.ccxt_urls()}
            if "PASSPHRASE" in venue.secrets:
                config["password"] = PASSPHRASE
            if not venue.secrets:
                config = {"walletAddress": ADDRESS, "enableRateLimit": False, "urls": host.ccxt_urls()}
            client = getattr(pro, venue.name)(config | changes)
            try:
                await scene(host, exchange, client)
            finally:
                await client.close()

    asyncio.run(whole())


def with_socket(
    venue: Venue, path: str, scene: Callable[[Host[Any], Exchange, Socket], Awaitable[None]]
) -> None:
    """Run a scene with a server and a plain websocket to it."""

    async def whole() -> None:
        exchange = venue.exchange()
        async with venue.make(exchange, Faults()) as host, aiohttp.ClientSession() as session:
            socket = Socket(await session.ws_connect(f"{host.ws_url}{path}"))
            await scene(host, exchange, socket)
            await socket.websocket.close()

    asyncio.run(whole())


class Socket:
    """A websocket that speaks JSON."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket

    async def say(self, message: object) -> None:
        """Send a message; a text as it is."""
        await self.websocket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> Any:
        """Wait for the next message."""
        text = await self.websocket.receive_str(timeout=5)
        return json.loads(text) if text[0] in "[{" else text

    async def ask(self, message: object) -> Any:
        """Send a message and wait for the next."""
        await self.say(message)
        return await self.hear()


def as_fill(trade: dict[str, Any]) -> tuple[Any, ...]:
    """Give what ccxt's trade says of a fill."""
    return (
        trade["symbol"], trade["side"], trade["price"], trade["amount"], trade["takerOrMaker"],
        trade["timestamp"],
    )  # fmt: skip


def executions(exchange: Exchange) -> list[tuple[Any, ...]]:
    """Give the same of what the account executed."""
    return [
        (
            one.order.book.symbol,
            one.order.side.lower(),
            one.price / 10**12,
            one.amount / 10**8,
            "maker" if one.maker else "taker",
            one.ms,
        )
        for one in exchange.executed("main")
    ]
