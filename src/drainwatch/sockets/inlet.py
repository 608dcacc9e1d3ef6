"""The socket in: a bot, or any other process, pushes rows of the contract's tables as JSON.

A frame is one object or an array of them, each with its `table`. It is answered when its rows are
stored, and not before: a bot that sends again what wasn't answered loses nothing, and what comes
twice is one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from drainwatch.errors import DrainwatchError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill
from drainwatch.schema import SCHEMA
from drainwatch.sockets.door import INTERNAL, TRY_LATER, Hello, Token, admit, listen, port_of
from drainwatch.sockets.reading import Rejected, decode, read_rows
from drainwatch.venues.ports import Clock, Sink
from drainwatch.venues.protocol import BadMessage

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection

STREAM: Final = "socket in"
MAX_BYTES: Final = 1 << 20
MAX_ROWS: Final = 5_000
"""Longest frame, in bytes and in rows."""
SLICE_ROWS: Final = 100
"""So many rows are read at a stretch; then the others' turn comes."""
MAX_TOLD: Final = 100
"""So many rejected rows of a frame are described in its answer."""
CLOSE_S: Final = 3.0
"""How long rows that are being stored at the end may take."""
CLIP: Final = 500
"""Bytes of a bad frame that are kept."""

_ENCODER: Final = msgspec.json.Encoder()


class Inlet:
    """The server. Use it in `async with`, or call `start` and `close`.

    Parameters
    ----------
    sink, clock
        Where rows go, and the time.
    token
        What clients must know.
    host, port, anywhere
        Where to listen; port 0 takes a free one; other than loopback only with `anywhere`.
    account, exchange
        Of rows of which neither the row nor its client says it.
    max_clients
        Further ones are sent away.
    grace_s
        How long the last client that pushed an account's fills may be gone before that is said; None:
        it never is, as for scripts that come once an hour.
    patience_s
        How long a client may take to show its token.
    """

    def __init__(
        self,
        sink: Sink,
        clock: Clock,
        token: Token,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        anywhere: bool = False,
        account: str = "",
        exchange: str = "",
        max_clients: int = 1000,
        grace_s: float | None = 60.0,
        patience_s: float = 5.0,
    ) -> None:
        self._sink, self._clock, self._token = sink, clock, token
        self._host, self._port, self._anywhere = host, port, anywhere
        self._account, self._exchange = account, exchange
        self._max_clients, self._grace_s, self._patience_s = max_clients, grace_s, patience_s
        self._server: Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._pushing: Counter[tuple[str, str]] = Counter()
        """Connections that have pushed fills, by exchange and account."""
        self._seen: dict[str, set[str]] = {}
        self._missing: set[tuple[str, str]] = set()
        """Exchanges and accounts that were said to be gone."""
        self._waits: set[asyncio.Task[None]] = set()

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

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._port if self._server is None else port_of(self._server)

    async def close(self) -> None:
        """Close all connections and stop; what wasn't answered wasn't taken."""
        waits, self._grace_s = list(self._waits), None
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            if self._serving:  # whoever takes the rows may have stopped already
                await asyncio.wait(self._serving, timeout=CLOSE_S)
            for task in self._serving:
                task.cancel()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- one client --------------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        task = asyncio.current_task()
        if len(self._serving) >= self._max_clients or task is None:
            await connection.close(TRY_LATER, f"more than {self._max_clients} clients")
            return
        self._serving.add(task)
        try:
            hello = await admit(connection, self._token, eager=False, patience_s=self._patience_s)
            if hello is not None:
                await self._converse(connection, hello)
        finally:
            self._serving.discard(task)

    async def _converse(self, connection: ServerConnection, hello: Hello) -> None:
        """Take frames one after the other until the client goes."""
        from websockets.exceptions import ConnectionClosed

        pushes: set[tuple[str, str]] = set()
        try:
            if hello.said:
                await connection.send(_ENCODER.encode({"ok": 0, "tables": list(SCHEMA)}).decode())
            if hello.first is not None:
                await self._take(connection, hello.first, hello, pushes)
            while True:
                await self._take(connection, await connection.recv(), hello, pushes)
        except ConnectionClosed:
            pass
        finally:
            for push in pushes:
                self._leave(push)

    async def _take(
        self, connection: ServerConnection, frame: str | bytes, hello: Hello, pushes: set[tuple[str, str]]
    ) -> None:
        """Take a frame and answer it."""
        try:
            objects = decode(frame)
        except ValueError:
            await self._refuse(connection, frame, "a JSON object or an array of them")
            return
        if not isinstance(objects, list):
            objects = [objects]
        if len(objects) > MAX_ROWS:
            await self._refuse(
                connection, frame, f"at most {MAX_ROWS} rows in a message, were {len(objects)}"
            )
            return
        try:
            stored, rejected = await self._store(objects, hello, pushes)
        except DrainwatchError:
            # the watch itself says what is wrong with its store; a client has to know only this
            await connection.close(INTERNAL, "not stored; send again what wasn't answered")
            return
        answer: dict[str, Any] = {"ok": stored}
        if rejected:
            answer |= {"n_rejected": len(rejected), "rejected": rejected[:MAX_TOLD]}
            for row in rejected[:MAX_TOLD]:
                where = f"column {row['column']}, " if row["column"] else ""
                reason = f"row {row['row']}, {where}expected {row['expected']}, found {row['found']!a}"
                self._bad(reason, frame)
        await connection.send(_ENCODER.encode(answer).decode())

    async def _store(
        self, objects: Sequence[Any], hello: Hello, pushes: set[tuple[str, str]]
    ) -> tuple[int, list[Rejected]]:
        """Hand over the rows of a frame, a slice at a time; returns once all are stored."""
        stored = 0
        rejected: list[Rejected] = []
        for start in range(0, len(objects), SLICE_ROWS):
            part = objects[start : start + SLICE_ROWS]
            read = read_rows(
                part, hello.exchange or self._exchange, hello.account or self._account, start + 1
            )
            rejected += read.rejected
            if read.rows:
                self._note(read.rows, pushes)
                await self._sink.rows(read.rows, self._clock.now_ns())
                stored += len(read.rows)
            await asyncio.sleep(0)
        return stored, rejected

    def _note(self, rows: Sequence[Any], pushes: set[tuple[str, str]]) -> None:
        """Take down whose fills came, and which markets they are of."""
        for row in rows:
            if not isinstance(row, Fill):
                continue
            push = (row.exchange, row.account)
            if push not in pushes:
                pushes.add(push)
                self._pushing[push] += 1
                self._come(push)
            known = self._seen.setdefault(row.exchange, set())
            if row.exchange and row.symbol not in known:
                known.add(row.symbol)
                self._sink.seen(row.exchange, {row.symbol})

    async def _refuse(self, connection: ServerConnection, frame: str | bytes, expected: str) -> None:
        self._bad(f"expected {expected}", frame)
        rejected = [{"row": None, "column": None, "found": "", "expected": expected}]
        await connection.send(_ENCODER.encode({"ok": 0, "n_rejected": 1, "rejected": rejected}).decode())

    def _bad(self, reason: str, frame: str | bytes) -> None:
        raw = frame.encode("utf-8", "backslashreplace") if isinstance(frame, str) else frame
        secret = self._token.text
        raw = raw.replace(secret.encode(), b"...")  # should a client send it where it doesn't belong
        self._sink.bad(BadMessage(STREAM, reason.replace(secret, "..."), raw[:CLIP]))

    # --- who is gone -------------------------------------------------------------------------------

    def _come(self, push: tuple[str, str]) -> None:
        if push in self._missing:
            self._missing.discard(push)
            self._sink.notice(
                self._notice(
                    NoticeKind.STREAM_BACK, push, "The bot that pushes this account's fills is back."
                )
            )

    def _leave(self, push: tuple[str, str]) -> None:
        self._pushing[push] -= 1
        if self._pushing[push]:
            return
        del self._pushing[push]
        if self._grace_s is None:
            return
        wait = asyncio.get_running_loop().create_task(self._miss(push, self._grace_s))
        self._waits.add(wait)
        wait.add_done_callback(self._waits.discard)

    async def _miss(self, push: tuple[str, str], grace_s: float) -> None:
        since_ns = self._clock.now_ns()
        await self._clock.sleep(grace_s)
        if self._pushing[push] or push in self._missing:
            return
        self._missing.add(push)
        text = (
            f"The bot that pushes this account's fills has been gone for {grace_s:.0f} s. Until it comes "
            "back, no fill of the account is seen. Look whether it still runs."
        )
        self._sink.notice(self._notice(NoticeKind.STREAM_CLOSED, push, text, since_ns))

    def _notice(
        self, kind: NoticeKind, push: tuple[str, str], text: str, since_ns: int | None = None
    ) -> Notice:
        return Notice(
            kind=kind,
            ts_ns=self._clock.now_ns(),
            text=text,
            exchange=push[0],
            account=push[1],
            stream=STREAM,
            since_ns=since_ns,
        )
