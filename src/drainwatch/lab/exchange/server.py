"""The exchange on a loopback address: start it, point a client at it, stop it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from drainwatch.lab.exchange.binance_rest import Rest
from drainwatch.lab.exchange.binance_ws import Websockets
from drainwatch.lab.exchange.connections import PING, Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.hub import Hub
from drainwatch.lab.exchange.matching import Exchange

HOST = "127.0.0.1"
_TICK_S = 0.1
_SHUTDOWN_S = 1.0


class Server:
    """Binance spot on this machine; an asynchronous context manager.

    Parameters
    ----------
    exchange
        What is traded on.
    faults
        What goes wrong; nothing unless given.
    port
        0 for one that is free.
    ping_s
        How often clients are pinged.
    """

    def __init__(
        self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0, ping_s: float = 20.0
    ) -> None:
        self.exchange = exchange
        self.faults = faults or Faults()
        self.hub = Hub(exchange)
        self._port = port
        self._ping_s = ping_s
        self._runner: web.AppRunner | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen."""
        rest, sockets = Rest(self.exchange, self.faults), Websockets(self.hub, self.faults)
        application = web.Application()
        application.router.add_get("/ws-api/v3", sockets.api)
        application.router.add_get("/ws", sockets.streams)
        application.router.add_get("/ws/{names:.*}", sockets.streams)
        application.router.add_get("/stream", sockets.streams)
        application.router.add_route("*", "/{path:.*}", rest.answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, HOST, self._port).start()
        self._port = int(runner.addresses[0][1])
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop listening and break all connections."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        for connection in list(self.hub.connections):
            connection.cut()
        if self._runner is not None:
            await self._runner.cleanup()
        if self.hub in self.exchange.listeners:
            self.exchange.listeners.remove(self.hub)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def connections(self) -> list[Connection]:
        """Who is connected, oldest first: to cut one, freeze it, or give it faults of its own."""
        return list(self.hub.connections)

    @property
    def url(self) -> str:
        """Where REST is, without a path."""
        return f"http://{HOST}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Where the public streams are, without a path."""
        return f"ws://{HOST}:{self._port}"

    @property
    def ws_api_url(self) -> str:
        """Where the websocket API is."""
        return f"{self.ws_url}/ws-api/v3"

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.binance`'s settings need as `urls` to come here."""
        rest = {"public": "api/v3", "private": "api/v3", "v1": "api/v1"}
        rest |= dict.fromkeys(("sapi", "sapiV2", "sapiV3", "sapiV4"), "sapi/v1")
        for market in ("fapi", "dapi", "eapi"):
            rest |= {f"{market}{end}": f"{market}/v1" for end in ("Public", "Private", "Data")}
            rest |= {f"{market}{end}V2": f"{market}/v2" for end in ("Public", "Private")}
        rest |= {
            "fapiPublicV3": "fapi/v3",
            "fapiPrivateV3": "fapi/v3",
            "papi": "papi/v1",
            "papiV2": "papi/v2",
        }
        streams = dict.fromkeys(("spot", "margin", "linear", "inverse"), f"{self.ws_url}/ws")
        return {
            "api": {
                **{name: f"{self.url}/{path}" for name, path in rest.items()},
                "ws": {**streams, "ws-api": {"spot": self.ws_api_url}},
            }
        }

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            self.hub.tick()
            ticks += 1
            if ticks * _TICK_S >= self._ping_s:
                ticks = 0
                for connection in self.connections:
                    connection.control(PING, str(self.exchange.clock()).encode())
