from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import WSMsgType, web

from drainwatch.lab.exchange.carrier import carry
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.switchboard import Switchboard
from loopback import an_exchange, until


class Echo(Host[Switchboard]):
    """Says everything back."""

    most: int | None = None

    def routes(self, router: web.UrlDispatcher) -> None:
        """Add the only route."""
        router.add_get("/stream", self._socket)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        def take(connection: Connection, data: bytes) -> None:
            connection.push(connection.kind.encode() + b" " + data, event=False)

        return await carry(
            request, self.hub, Faults(), "echo", take, names=["a topic"], most_a_second=self.most
        )


def with_echo(
    scene: Callable[[Echo, aiohttp.ClientWebSocketResponse], Awaitable[None]], most: int | None = None
) -> None:
    async def whole() -> None:
        exchange = an_exchange()
        async with Echo(exchange, Switchboard(exchange)) as host, aiohttp.ClientSession() as session:
            host.most = most
            await scene(host, await session.ws_connect(f"{host.ws_url}/stream", autoping=False))

    asyncio.run(whole())


def test_texts_and_bytes_are_taken_pings_answered_and_topics_followed_from_the_start() -> None:
    async def scene(host: Echo, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_str("text")
        assert await socket.receive_str(timeout=5) == "echo text"
        await socket.send_bytes(b"bytes")
        assert await socket.receive_str(timeout=5) == "echo bytes"
        await socket.pong()  # nobody asked: nothing comes of it
        await socket.ping(b"mine")
        answer = await socket.receive(timeout=5)
        assert (answer.type, bytes(answer.data)) == (WSMsgType.PONG, b"mine")
        (connection,) = host.connections
        assert list(connection.streams) == ["a topic"]
        assert connection.combined
        await socket.close()
        await until(lambda: not host.connections)
        assert not host.hub.heard("a topic")

    with_echo(scene)


def test_who_says_too_much_is_shown_out() -> None:
    async def scene(host: Echo, socket: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(5):
            await socket.send_str("again")
        while not socket.closed:
            await socket.receive(timeout=5)
        assert socket.close_code == 1008
        await until(lambda: not host.connections)

    with_echo(scene, most=3)


def test_a_frozen_connection_takes_nothing_and_stays() -> None:
    async def scene(host: Echo, socket: aiohttp.ClientWebSocketResponse) -> None:
        await until(lambda: len(host.connections) == 1)
        host.connections[0].freeze()
        await socket.send_str("anybody?")
        await asyncio.sleep(0.1)
        assert len(host.connections) == 1
        host.connections[0].cut()
        await until(lambda: not host.connections)

    with_echo(scene)
