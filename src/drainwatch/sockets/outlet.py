"""The socket out: incidents, verdicts and notices for bots that want to stop themselves.

Each message is one JSON object with a `type`:

`hello`
    First: `version`, the `incidents` that are open, `heartbeat_s`.
`verdict`
    A judged fill: a row of the scores table. Flagged ones only, unless the client said `"want": "all"`.
`incident`
    `what` (`opened`, `grew`, `escalated`, `closed`) and the `incident` as in `incidents.jsonl`.
`notice`
    What the watch has to say of itself.
`heartbeat`
    Every `heartbeat_s`; `ok` is false while the watch may be deaf. A client that hears nothing for
    three of them should take the watch for dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from drainwatch.sockets.door import POLICY, TRY_LATER, Token, admit, listen, port_of
from drainwatch.sockets.reading import decode
from drainwatch.venues.ports import Clock

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection

HEARTBEAT_S: Final = 15.0
MAX_BYTES: Final = 10_000
"""Longest message of a client: it has little to say."""
MAX_WAITING: Final = 1000
"""Messages that may wait for a client, beside what the network holds, before it is cut."""
_CLOSE_S: Final = 2.0


def _plain(value: object) -> object:
    """Give numpy's scalars as Python's."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"expected what JSON knows, was {type(value).__name__}")
    return item()


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)


@dataclass(slots=True, eq=False)
class _Client:
    """One that listens."""

    connection: ServerConnection
    queue: asyncio.Queue[str]
    all_verdicts: bool = False
    cut: str | None = None
    """Why it is being sent away."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Outlet:
    """The server. Use it in `async with`, or call `start` and `close`.

    Parameters
    ----------
    clock, token
        The time, and what clients must know.
    open_incidents
        Gives the open incidents, as in `incidents.jsonl`, for those who come later.
    healthy
        Says whether the watch hears and judges; told in each heartbeat.
    version
        Of drainwatch, for `hello`.
    host, port, anywhere
        Where to listen; port 0 takes a free one; other than loopback only with `anywhere`.
    max_clients, max_waiting, patience_s
        Further clients are sent away; so is one for whom more than `max_waiting` messages wait, or that
        doesn't show its token in time.
    """

    def __init__(
        self,
        clock: Clock,
        token: Token,
        *,
        open_incidents: Callable[[], Sequence[Mapping[str, Any]]] = list,
        healthy: Callable[[], bool] = lambda: True,
        version: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        anywhere: bool = False,
        max_clients: int = 1000,
        max_waiting: int = MAX_WAITING,
        patience_s: float = 5.0,
    ) -> None:
        self._clock, self._token = clock, token
        self._open_incidents, self._healthy, self._version = open_incidents, healthy, version
        self._host, self._port, self._anywhere = host, port, anywhere
        self._max_clients, self._max_waiting, self._patience_s = max_clients, max_waiting, patience_s
        self._server: Server | None = None
        self._clients: set[_Client] = set()
        self._n_connections = 0
        self._beat: asyncio.Task[None] | None = None
        self.n_cut = 0
        """How many clients were too slow so far."""

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        ConfigError
            If it can't listen there, or may not.
        """
        self._server = await listen(
            self._serve,
            self._token,
            host=self._host,
            port=self._port,
            anywhere=self._anywhere,
            max_bytes=MAX_BYTES,
            max_waiting=4,
        )
        self._beat = asyncio.get_running_loop().create_task(self._heartbeat())

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._port if self._server is None else port_of(self._server)

    @property
    def n_clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    @property
    def wants_all(self) -> bool:
        """Whether anybody wants verdicts that aren't flagged: else there is no need to make them."""
        return any(client.all_verdicts for client in self._clients)

    async def close(self) -> None:
        """Close all connections and stop."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
            self._beat = None
        if self._server is not None:
            await asyncio.gather(
                *(self._send_away(client, 1001, "the watch ends") for client in self._clients)
            )
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def publish(self, message: Mapping[str, Any]) -> None:
        """Hand a message to all clients that want it; never waits.

        Parameters
        ----------
        message
            With its `type`; a verdict without a true `flagged` goes only to those who want all.
        """
        quiet = message["type"] == "verdict" and not message.get("flagged")
        listening = [client for client in self._clients if client.all_verdicts or not quiet]
        if not listening:
            return
        text = _ENCODER.encode(message).decode()
        for client in listening:
            self._give(client, text)

    def _give(self, client: _Client, text: str) -> None:
        if client.cut is not None:
            return
        try:
            client.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.n_cut += 1
            client.cut = f"too slow: {self._max_waiting} messages wait"
            for task in client.tasks:
                task.cancel()

    async def _heartbeat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            now_ms = self._clock.now_ns() // 1_000_000
            self.publish({"type": "heartbeat", "timestamp": now_ms, "ok": self._healthy()})

    # --- one client --------------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        if self._n_connections >= self._max_clients:
            await connection.close(TRY_LATER, f"more than {self._max_clients} clients")
            return
        self._n_connections += 1
        try:
            hello = await admit(connection, self._token, eager=True, patience_s=self._patience_s)
            if hello is None:
                return
            if hello.want not in ("", "all"):
                await connection.close(POLICY, f'want: expected "all" or nothing, was {hello.want[:20]!a}')
                return
            await self._converse(_Client(connection, asyncio.Queue(self._max_waiting), hello.want == "all"))
        finally:
            self._n_connections -= 1

    async def _converse(self, client: _Client) -> None:
        """Send what comes until the client goes, is too slow, or breaks a rule."""
        # from here to the registration nothing waits: what is open is told once, what opens later too
        hello = {
            "type": "hello",
            "version": self._version,
            "heartbeat_s": HEARTBEAT_S,
            "ok": self._healthy(),
            "incidents": list(self._open_incidents()),
        }
        client.queue.put_nowait(_ENCODER.encode(hello).decode())
        self._clients.add(client)
        loop = asyncio.get_running_loop()
        client.tasks = [loop.create_task(self._send(client)), loop.create_task(self._listen(client))]
        try:
            await asyncio.wait(client.tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._clients.discard(client)
            for task in client.tasks:
                task.cancel()
            ended = await asyncio.gather(*client.tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        if client.cut is not None:
            code = POLICY if client.cut.startswith("expected") else TRY_LATER
            await self._send_away(client, code, client.cut)

    @staticmethod
    async def _send_away(client: _Client, code: int, reason: str) -> None:
        """Close with a reason; a client that doesn't read is cut off."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await client.connection.close(code, reason)
        except TimeoutError:
            client.connection.transport.abort()

    @staticmethod
    async def _send(client: _Client) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                await client.connection.send(await client.queue.get())
        except ConnectionClosed:
            pass

    @staticmethod
    async def _listen(client: _Client) -> None:
        """Take what the client wants from now on, until it is gone."""
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                try:
                    said = decode(await client.connection.recv())
                except ValueError:
                    said = None
                want = said.get("want", "") if isinstance(said, dict) else None
                if want not in ("", "all"):
                    client.cut = 'expected {"want": "all"} or {"want": ""}'
                    return
                client.all_verdicts = want == "all"
        except ConnectionClosed:
            pass
