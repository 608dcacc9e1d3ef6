"""A websocket from its handshake to its end, whatever is spoken on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol

from aiohttp import WSMsgType, web

from drainwatch.lab.exchange.connections import PONG, Connection
from drainwatch.lab.exchange.faults import Faults

_CLOSE_S = 1.0
_TOO_MANY = 1008
_POLL_S = 0.02

Take = Callable[[Connection, bytes], None]
"""Does what a client's message asks for."""


class Audience(Protocol):
    """Those who are connected."""

    connections: dict[Connection, None]

    def add(self, connection: Connection) -> None:
        """Take a connection in."""

    def remove(self, connection: Connection) -> None:
        """Let a connection go, with all its subscriptions."""

    def follow(self, connection: Connection, names: Iterable[str]) -> None:
        """Send public streams to a connection from now on."""

    def terminate(self, connection: Connection) -> None:
        """End the account's events on a connection, saying so."""

    def tick(self) -> None:
        """Send what is sent from time to time."""


async def carry(
    request: web.Request,
    audience: Audience,
    faults: Faults,
    kind: str,
    take: Take,
    *,
    names: Iterable[str] = (),
    most_a_second: int | None = None,
) -> web.StreamResponse:
    """Carry a connection from its beginning to its end.

    Parameters
    ----------
    request
        The handshake.
    audience
        Whom the connection joins.
    faults
        What goes wrong on it.
    kind
        What it is for, see `Connection`.
    take
        Gets each message.
    names
        Public streams that were asked for in the address.
    most_a_second
        More messages than this end it; None for no limit.
    """
    response = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, timeout=_CLOSE_S)
    await response.prepare(request)
    transport = request.transport
    if transport is None:
        return response
    connection = Connection(kind, response, transport, faults, audience.terminate)
    connection.combined = request.path.startswith("/stream")
    audience.add(connection)
    audience.follow(connection, names)
    pump = asyncio.create_task(connection.pump())
    try:
        await _listen(connection, take, most_a_second)
        while connection.half_open and not connection.gone:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(_POLL_S)
    finally:
        audience.remove(connection)
        pump.cancel()
        await asyncio.wait([pump])
        if not connection.half_open:
            await response.close()
    return response


async def _listen(connection: Connection, take: Take, most_a_second: int | None) -> None:
    recent: deque[float] = deque(maxlen=most_a_second)
    while True:
        message = await connection.response.receive()
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG}:
            return
        if connection.half_open or message.type is WSMsgType.PONG:
            continue
        if message.type is WSMsgType.PING:
            connection.control(PONG, bytes(message.data))
            continue
        if most_a_second is not None:
            now = monotonic()
            if len(recent) == most_a_second and now - recent[0] < 1.0:
                await connection.response.close(code=_TOO_MANY, message=b"Too many requests")
                return
            recent.append(now)
        take(connection, message.data.encode() if isinstance(message.data, str) else bytes(message.data))
