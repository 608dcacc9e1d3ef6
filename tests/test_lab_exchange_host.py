from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.switchboard import Switchboard
from loopback import an_exchange


class Greeter(Host[Switchboard]):
    """Says hello."""

    def routes(self, router: web.UrlDispatcher) -> None:
        """Add the only route."""

        async def hello(request: web.Request) -> web.Response:
            return web.Response(text=f"hello {request.path}")

        router.add_get("/{path:.*}", hello)


def test_a_host_listens_on_loopback_and_hears_the_exchange_until_it_stops() -> None:
    async def scene() -> None:
        exchange = an_exchange()
        async with Greeter(exchange, Switchboard(exchange)) as host, aiohttp.ClientSession() as session:
            assert host.url.startswith("http://127.0.0.1:")
            assert host.ws_url == host.url.replace("http", "ws", 1)
            assert exchange.listeners == [host.hub]
            async with session.get(f"{host.url}/world") as answer:
                assert await answer.text() == "hello /world"
            assert host.connections == []
        assert exchange.listeners == []
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(host.url)

    asyncio.run(scene())


def test_a_host_without_routes_or_ccxts_addresses_says_so() -> None:
    exchange = an_exchange()
    host = Host(exchange, Switchboard(exchange))
    with pytest.raises(NotImplementedError):
        host.routes(web.UrlDispatcher())
    with pytest.raises(NotImplementedError):
        host.ccxt_urls()
