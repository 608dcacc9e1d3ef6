"""A websocket that hands messages over in the very callback that reads them from the socket.

Otherwise each message wakes a task that reads, and that one a task that judges: two turns of the event
loop, in which others have theirs. Whole text messages, which is what exchanges send, are cut out here;
all else is the library's: handshake, pings, closing, fragments, and whatever breaks the rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State

_MESSAGES: Final = {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}
LONGEST: Final = 16 << 20
"""Bytes in a message; a longer one ends the connection."""
_TEXT: Final = 0x81
"""First byte of a frame that is a whole text message."""
_SIGNS: Final = {0x89, 0x8A}
"""Of pings and pongs."""
_WIDTHS: Final = {126: 2, 127: 8}
"""Sizes stand in the second byte, but for these: they say how many bytes with the size follow."""
_HEAD_ENDS: Final = b"\r\n\r\n"


class Line(ClientConnection):
    """A client's connection with a listener; `recv` gives nothing.

    While the listener takes messages nothing else is read, and `transport.pause_reading` makes the
    network wait: so there is no queue. Without compression only.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: list[bytes] = []
        self._parts: list[bytes] = []
        """Of a message that came in fragments and isn't whole yet."""
        self._begun = b""
        """The beginning of a frame, kept from the library until it is whole."""
        self._cuts = False
        """Whether the library is between two frames, so that whole ones may be kept from it."""
        self._hear: Callable[[list[bytes], int], None] | None = None
        self._now_ns: Callable[[], int] = time.time_ns

    def listen(self, hear: Callable[[list[bytes], int], None], now_ns: Callable[[], int]) -> None:
        """Hand over what is read, from now on, all that was read at once together.

        Parameters
        ----------
        hear
            Called with the messages and the time at which they were read; must not raise.
        now_ns
            Tells the time.
        """
        self._hear, self._now_ns = hear, now_ns
        self._hand_over(now_ns())

    def data_received(self, data: bytes) -> None:
        """Read messages, then hand them over."""
        read_ns = self._now_ns()
        if self._cuts:
            data = self._cut(self._begun + data if self._begun else data)
        elif self.response is None:
            data = self._greet(data)
        if data:
            super().data_received(data)
        self._hand_over(read_ns)

    def _hand_over(self, read_ns: int) -> None:
        if self._messages and self._hear is not None:
            messages, self._messages = self._messages, []
            self._hear(messages, read_ns)

    def _greet(self, data: bytes) -> bytes:
        """Let the library read the answer to the handshake, and cut what comes after it."""
        at = data.find(_HEAD_ENDS)
        if at < 0:
            return data
        at += len(_HEAD_ENDS)
        super().data_received(data[:at])
        self._cuts = self.protocol.state is State.OPEN
        return self._cut(data[at:]) if self._cuts else data[at:]

    def _cut(self, data: bytes) -> bytes:
        """Take whole messages out of what came; gives what the library must read from here on."""
        at, end = 0, len(data)
        self._begun = b""
        while end - at >= 2:
            kind, size, body = data[at], data[at + 1], at + 2
            if kind == _TEXT and size in _WIDTHS:
                body += _WIDTHS[size]
                if body > end:
                    break
                size = int.from_bytes(data[at + 2 : body], "big")
            elif size >= 126:  # masked, or a long ping: neither may be
                size = LONGEST + 1
            stop = body + size
            if size > LONGEST or (kind != _TEXT and kind not in _SIGNS):
                self._cuts = False
                return data[at:]
            if stop > end:
                break
            if kind == _TEXT:
                self._messages.append(data[body:stop])
            else:
                super().data_received(data[at:stop])
            at = stop
        self._begun = data[at:]
        return b""

    def process_event(self, event: Any) -> None:
        """Take a frame that the library has read; all but messages is its own."""
        if not isinstance(event, Frame) or event.opcode not in _MESSAGES:
            super().process_event(event)
        elif event.fin and not self._parts:
            self._messages.append(bytes(event.data))
        else:
            self._parts.append(bytes(event.data))
            if event.fin:
                self._messages.append(b"".join(self._parts))
                self._parts.clear()


class Rest:
    """What is left of a coroutine that was begun: to be awaited."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        """Go on with it."""
        step: Callable[[], Any]
        while True:
            try:
                sent = yield self._waits_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, sent)
            try:
                self._waits_for = step()
            except StopIteration:
                return


def begin(coroutine: Coroutine[Any, Any, None]) -> Rest | None:
    """Run a coroutine at once, up to where it waits; gives the rest of it, None if it is done.

    As Python 3.12's eager tasks do. Up to there it belongs to no task, so it can't use
    `asyncio.timeout` or be cancelled.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return Rest(coroutine, waits_for)
