"""A websocket connection from the exchange's side: what is sent waits here, and may go wrong here.

Frames are written straight to the transport, many at once: aiohttp's own way costs several times as
much a frame. Compression is off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from drainwatch.lab.exchange.faults import DAMAGE, Fault, Faults

if TYPE_CHECKING:
    from aiohttp import web

    from drainwatch.lab.exchange.accounts import Key

TEXT, BINARY, PING, PONG = 1, 2, 9, 10

_BUFFER_BYTES = 1 << 20
_WAITING = 5_000
_CHUNK = 500
_REORDERED_S = 0.05
_POLL_S = 0.002


def framed(payload: bytes, kind: int = TEXT) -> bytes:
    """Give a websocket frame as servers send it (RFC 6455, section 5.2)."""
    size = len(payload)
    first = bytes((0x80 | kind,))
    if size < 126:
        return first + bytes((size,)) + payload
    if size < 1 << 16:
        return first + b"\x7e" + size.to_bytes(2, "big") + payload
    return first + b"\x7f" + size.to_bytes(8, "big") + payload


class Connection:
    """One client.

    Parameters
    ----------
    kind
        `api` (the websocket API with the user's events) or `stream` (public data).
    response
        The accepted websocket.
    transport
        Where it is written to.
    faults
        What goes wrong here; all connections share one unless somebody gives this one its own.
    terminate
        Ends its user streams, saying so.
    """

    def __init__(
        self,
        kind: str,
        response: web.WebSocketResponse,
        transport: asyncio.Transport,
        faults: Faults,
        terminate: Callable[[Connection], None],
    ) -> None:
        self.kind = kind
        self.response = response
        self.faults = faults
        self.half_open = False
        """Whether it only looks alive."""
        self.session: Key | None = None
        """Key of the session that was logged on to."""
        self.subscriptions: dict[int, Key] = {}
        """User streams by their number."""
        self.next_subscription = 0
        self.streams: dict[str, None] = {}
        """Public streams."""
        self.combined = False
        """Whether public messages are wrapped with their stream's name."""
        self.pushed = 0
        """Messages that it was given to send."""
        self._transport = transport
        self._terminate = terminate
        self._queue: list[tuple[bytes, bool]] = []
        self._held: list[tuple[int, bytes]] = []
        self._wake = asyncio.Event()
        self._paused = False

    @property
    def gone(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    @property
    def behind(self) -> bool:
        """Whether the client takes less than it is sent."""
        return self._sends() and (len(self._queue) > _WAITING or self._full())

    def _sends(self) -> bool:
        return not (self.gone or self._paused)

    def _full(self) -> bool:
        return not self.gone and self._transport.get_write_buffer_size() > _BUFFER_BYTES

    def push(self, payload: bytes, *, event: bool = True) -> None:
        """Send a message soon. Faults happen to events, not to answers (`event=False`)."""
        if not self.half_open and not self._transport.is_closing():
            self._queue.append((payload, event))
            self.pushed += 1
            self._wake.set()

    def control(self, kind: int, payload: bytes = b"") -> None:
        """Send a ping or a pong at once."""
        if not self.half_open and not self.gone:
            self._transport.write(framed(payload, kind))

    def pause(self) -> None:
        """Keep all messages back, made and ready, until `resume`: then they come as fast as can be."""
        self._paused = True

    def resume(self) -> None:
        """Send what was kept back."""
        self._paused = False
        self._wake.set()

    def cut(self) -> None:
        """Break the connection."""
        self._queue.clear()
        self._transport.abort()
        self._wake.set()

    def freeze(self) -> None:
        """Send nothing any more, and answer nothing, but keep the socket."""
        self.half_open = True
        self._queue.clear()
        self._held.clear()

    async def pump(self) -> None:
        """Send what is pushed, until the connection is gone."""
        while not self.gone:
            await self._woken()
            while self._queue and self._sends():
                batch, self._queue = self._queue[:_CHUNK], self._queue[_CHUNK:]
                await self._send(batch)
                while self._full():  # noqa: ASYNC110 - aiohttp has taken the transport's own signal
                    await asyncio.sleep(_POLL_S)

    async def _woken(self) -> None:
        """Wait for messages, but not longer than a held one may be late."""
        try:
            async with asyncio.timeout(_REORDERED_S if self._held else None):
                await self._wake.wait()
        except TimeoutError:
            held, self._held = self._held, []
            self._write([wire for _, wire in held])
        self._wake.clear()

    async def _send(self, batch: list[tuple[bytes, bool]]) -> None:
        ready: list[bytes] = []
        for i, (payload, event) in enumerate(batch):
            fault = self.faults.on_message() if event else None
            if fault is None and not self._held:
                ready.append(framed(payload))
                continue
            if fault is Fault.DELAY:
                self._write(ready)
                ready = []
                await asyncio.sleep(self.faults.delay())
            if fault is Fault.CUT:
                self._write(ready)
                self.cut()
                return
            if fault is Fault.HALF_OPEN:
                self._write(ready)
                self.freeze()
                return
            if fault is Fault.TERMINATED and self.subscriptions:
                self._write(ready)
                waiting = batch[i + 1 :] + self._queue
                self._queue = [one for one in waiting if not one[1]]  # no event comes after the end
                self._held.clear()
                self._terminate(self)
                return
            self._add(ready, payload, fault)
        self._write(ready)

    def _add(self, ready: list[bytes], payload: bytes, fault: Fault | None) -> None:
        """Add what becomes of a message to what is sent next."""
        if fault is Fault.REORDER:
            self._held.append((self.faults.behind(), framed(payload)))
            return
        if fault in DAMAGE and fault is not None:
            damaged, binary = self.faults.damaged(fault, payload)
            ready.append(framed(damaged, BINARY if binary else TEXT))
        else:
            ready.extend([framed(payload)] * (2 if fault is Fault.DUPLICATE else 1))
        held, self._held = self._held, []
        for overtaken, wire in held:
            if overtaken > 1:
                self._held.append((overtaken - 1, wire))
            else:
                ready.append(wire)

    def _write(self, frames: list[bytes]) -> None:
        if frames and not self.half_open and not self.gone:
            self._transport.write(b"".join(frames))
