from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.server import Server
from loopback import OTHER_KEY, an_exchange, subscribed, until


def test_it_listens_on_loopback_alone_and_stops() -> None:
    async def scene() -> None:
        server = Server(an_exchange())
        await server.start()
        address = server.url
        assert address.startswith("http://127.0.0.1:")
        assert server.exchange.listeners == [server.hub]
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(server.ws_api_url)
            async with session.get(f"{address}/api/v3/ping") as answer:
                assert await answer.json() == {}
            await server.stop()
            message = await socket.receive(timeout=5)
            assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(f"{address}/api/v3/ping")
        assert server.exchange.listeners == []
        assert server.connections == []

    asyncio.run(scene())


def test_clients_are_pinged_and_their_pings_answered() -> None:
    async def scene() -> None:
        async with Server(an_exchange(), ping_s=0.1) as server, aiohttp.ClientSession() as session:
            socket = await session.ws_connect(server.ws_api_url, autoping=False)
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.PING
            await socket.ping(b"mine")
            got = [(await socket.receive(timeout=5)) for _ in range(2)]
            assert [one.data for one in got if one.type is aiohttp.WSMsgType.PONG] == [b"mine"]
            await socket.close()

    asyncio.run(scene())


def test_a_cut_is_felt_at_once() -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server, aiohttp.ClientSession() as session:
            api = await subscribed(session, server)
            server.connections[0].cut()
            message = await api.socket.receive(timeout=5)
            assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
            await until(lambda: not server.connections)
            await server.exchange.burst("main", 3)  # nobody listens any more, the exchange goes on

    asyncio.run(scene())


def test_a_frozen_connection_neither_speaks_nor_answers() -> None:
    async def scene() -> None:
        async with Server(an_exchange(), ping_s=0.1) as server, aiohttp.ClientSession() as session:
            api = await subscribed(session, server)
            server.connections[0].freeze()
            await server.exchange.burst("main", 3)
            await api.socket.ping()
            await api.socket.send_str("anything")
            with pytest.raises(TimeoutError):
                await api.socket.receive(timeout=0.4)
            assert len(server.connections) == 1
            await session.close()
            await until(lambda: not server.connections)

    asyncio.run(scene())


def test_faults_may_be_one_connections_own() -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server, aiohttp.ClientSession() as session:
            good = await subscribed(session, server)
            bad = await subscribed(session, server, key=OTHER_KEY)
            server.connections[1].faults = Faults(0, {Fault.DUPLICATE: 1.0})
            await server.exchange.burst("main", 2)
            await server.exchange.burst("other", 2)
            assert [one["e"] for one in await good.hear(4)] == ["executionReport"] * 3 + [
                "outboundAccountPosition"
            ]
            assert len(await bad.hear(8)) == 8
            await bad.socket.close()
            await good.socket.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "fault", [Fault.DUPLICATE, Fault.REORDER, Fault.DELAY, Fault.TRUNCATED, Fault.BINARY, Fault.HUGE]
)
def test_what_was_executed_stays_the_truth_under_faults(fault: Fault) -> None:
    async def scene() -> None:
        faults = Faults(7, {fault: 0.05}, delay_s=0.01)
        async with Server(an_exchange(), faults) as server, aiohttp.ClientSession() as session:
            api = await subscribed(session, server)
            reading = asyncio.create_task(drain(api.socket))
            await server.exchange.burst("main", 500)
            await until(lambda: faults.happened[fault] > 0)
            assert len(server.exchange.executed("main")) == 500
            reading.cancel()
            await asyncio.wait([reading])
            await api.socket.close()

    asyncio.run(scene())


async def drain(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Read and forget."""
    while not socket.closed:
        await socket.receive()


def test_a_client_that_reads_slowly_slows_the_burst_down_instead_of_filling_memory() -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server, aiohttp.ClientSession() as session:
            api = await subscribed(session, server)
            most = 0
            burst = asyncio.create_task(server.exchange.burst("main", 30_000))
            await asyncio.sleep(0.3)  # the client reads nothing, so its socket is full by now
            waiting: list[Connection] = server.connections
            events = 0
            while not burst.done() or len(server.connections[0]._queue):
                message = await api.socket.receive(timeout=5)
                events += message.type is aiohttp.WSMsgType.TEXT
                most = max(most, len(waiting[0]._queue))
            assert most < 10_000
            assert len(server.exchange.executed("main")) == 30_000
            await api.socket.close()

    asyncio.run(scene())


def test_ccxt_is_pointed_here_for_everything_it_asks() -> None:
    async def scene() -> dict[str, Any]:
        async with Server(an_exchange()) as server:
            return server.ccxt_urls()

    urls = asyncio.run(scene())["api"]
    sockets = urls.pop("ws")
    assert all(url.startswith("http://127.0.0.1:") for url in urls.values())
    assert sockets.pop("ws-api")["spot"].startswith("ws://127.0.0.1:")
    assert all(url.startswith("ws://127.0.0.1:") for url in sockets.values())
