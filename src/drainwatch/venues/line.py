"""A websocket that hands messages over in the very callback that reads them from the socket.

Otherwise each message wakes a task that reads, and that one a task that judges: two turns of the event
loop, in which others have theirs, and half of the time that a lone fill takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

_DATA = {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}


class Line(ClientConnection):
    """A client's connection with a listener; `recv` gives nothing.

    While the listener takes a message nothing else is read, and `transport.pause_reading` makes the
    network wait: so there is no queue.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: list[bytes] = []
        self._parts: list[bytes] = []
        """Of a message that isn't whole yet."""
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
        super().data_received(data)
        self._hand_over(read_ns)

    def _hand_over(self, read_ns: int) -> None:
        if self._messages and self._hear is not None:
            messages, self._messages = self._messages, []
            self._hear(messages, read_ns)

    def process_event(self, event: Any) -> None:
        """Take a frame; all but messages is the library's."""
        if not isinstance(event, Frame) or event.opcode not in _DATA:
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
        while True:
            try:
                sent = yield self._waits_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                step, what = self._coroutine.throw, error
            else:
                step, what = self._coroutine.send, sent
            try:
                self._waits_for = step(what)
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
