"""A loopback address with an exchange behind it: what the servers of all venues have in common."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from aiohttp import web

from drainwatch.lab.exchange.carrier import Audience
from drainwatch.lab.exchange.connections import PING, Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.registry import Listener

HOST = "127.0.0.1"
_TICK_S = 0.1
_SHUTDOWN_S = 1.0


class Hears(Audience, Listener, Protocol):
    """Hears what happens on the exchange and tells those who are connected."""


HubT = TypeVar("HubT", bound=Hears)


class Host(Generic[HubT]):
    """An exchange on this machine; an asynchronous context manager.

    A venue's server adds its `routes`.

    Parameters
    ----------
    exchange
        What is traded on.
    hub
        Tells those who are connected.
    faults
        What goes wrong; nothing unless given.
    port
        0 for one that is free.
    ping_s
        How often clients are pinged.
    """

    def __init__(
        self,
        exchange: Exchange,
        hub: HubT,
        faults: Faults | None = None,
        *,
        port: int = 0,
        ping_s: float = 20.0,
    ) -> None:
        self.exchange = exchange
        self.faults = faults or Faults()
        self.hub = hub
        self._port = port
        self._ping_s = ping_s
        self._runner: web.AppRunner | None = None
        self._ticker: asyncio.Task[None] | None = None

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        raise NotImplementedError

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what ccxt's settings need as `urls` to come here."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen."""
        application = web.Application()
        self.routes(application.router)
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
        """Where the websockets are, without a path."""
        return f"ws://{HOST}:{self._port}"

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
