"""One websocket connection from its opening to its end: frames to the protocol, its answers back.

Nothing here waits with a time limit on the socket's next frame, which is how frames get lost. Frames are
taken where they are read (`line`), those that were read at once in one bunch, unless the consumer is
behind; time passes in tasks.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec
from websockets.exceptions import ConnectionClosed

from drainwatch.errors import KeyRefusedError
from drainwatch.notices import Notice
from drainwatch.rows import Fill, Row
from drainwatch.tape import ROWS, FrameRecorder, Strand
from drainwatch.venues.line import Line, Rest, begin
from drainwatch.venues.ports import Clock, Sink
from drainwatch.venues.protocol import BadMessage, Reading, StreamProtocol, StreamSource

_NS = 1_000_000_000
_BUNCH = 1024
_FEW = 4
"""Of so few frames a fill is handed over before the next is read: what follows it is of its wake."""
_WAITING_FRAMES = 4096
_WAITING_BYTES = 8 << 20
_WAITING_ANSWERS = 10_000
_SHOWN_BYTES = 500
_SIGNATURE = re.compile(r'"(?:signature|sign)": ?"([^"]{16,})"|"([0-9a-f]{64})"')
_RULES = {1002, 1003, 1007, 1009}
_CLEAN = {1000, 1001, 1012}  # done, going away, restarting: ends that a venue plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long what may take, in seconds."""

    patience_s: float = 10.0
    """A stream may be away for this long before anybody is told."""
    open_s: float = 10.0
    """For the websocket's handshake."""
    start_s: float = 60.0
    """For what `StreamSource.start` asks by REST."""
    ready_s: float = 60.0
    """From opening to a subscription that stands; then the connection is given up."""
    ping_s: float = 20.0
    """Between the websocket's own pings."""
    pong_s: float = 20.0
    """For the answer to one, or any other sign of life."""
    close_s: float = 2.0
    """For the closing handshake."""
    first_retry_s: float = 1.0
    last_retry_s: float = 60.0
    """Waits between attempts double from the first to the last, less up to half by chance."""
    steady_s: float = 10.0
    """A connection that stood for this long was a good one: waits begin anew."""
    refused_retry_s: float = 300.0
    """Between attempts with a key that isn't taken."""
    sends_per_s: int = 4
    """Frames sent; Binance ends a connection at more than 5."""


@dataclass(slots=True)
class Counts:
    """What was heard, since the process began."""

    frames: int = 0
    bytes: int = 0
    rows: int = 0
    bad: int = 0
    reconnects: int = 0
    """Connections that ended or could not be made."""
    last_frame_ns: int | None = None
    connected: bool = False


@dataclass(slots=True)
class End:
    """How a connection ended."""

    reason: str
    """In words, without any secret."""
    planned: bool = False
    """The venue or the protocol wanted it so: the next may begin at once."""
    refused: bool = False
    retry_after_s: float = 0.0
    """The venue asks for at least this much peace."""
    steady: bool = False
    """It had stood for a while."""


@dataclass(slots=True)
class _Bunch:
    """Frames that were read together."""

    received_ns: int
    frames: list[bytes] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    """Of a tick, told before those of the frames."""
    n_bytes: int = 0


class Session:
    """Carries a protocol over an open websocket until that ends.

    Parameters
    ----------
    socket
        Open, with a keep-alive of its own switched off: that one gives up a healthy connection when
        the consumer is slow, as answers aren't read while reading pauses.
    protocol
        Fresh.
    source
        Where to renew the session.
    sink
        What it raises ends the session, and goes to the caller.
    notice
        Takes notices.
    up
        Called when there is nothing to subscribe to, so that being connected is all.
    ready
        Called whenever the subscription stands.
    """

    def __init__(
        self,
        socket: Line,
        protocol: StreamProtocol,
        source: StreamSource,
        sink: Sink,
        clock: Clock,
        *,
        exchange: str,
        times: Times,
        counts: Counts,
        recorder: FrameRecorder | Strand | None,
        notice: Callable[[Notice], None],
        up: Callable[[], None],
        ready: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._source = source
        self._sink = sink
        self._clock = clock
        self._exchange = exchange
        self._times = times
        self._counts = counts
        self._recorder = recorder
        self._notice = notice
        self._up = up
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._bunches: deque[_Bunch] = deque()
        self._waiting = 0
        self._waiting_bytes = 0
        self._taking = False
        """Whether a bunch is being taken; others wait."""
        self._full = False
        """Whether reading is paused."""
        self._over = False
        self._given_up = False
        """Whether nobody carries it any more, though the socket may not be closed yet."""
        self._done = asyncio.Event()
        self._error: Exception | None = None
        """What the sink raised."""
        self._heard_at = self._loop.time()
        self._answers: deque[str] = deque()
        self._signatures: list[bytes] = []
        """Of what was sent: a venue's error may repeat it."""
        self._to_send = asyncio.Event()
        self._nap: asyncio.Future[None] | None = None
        self._nap_until_ns: int | None = None
        self._closing: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup
        self._end: End | None = None
        self._asked = False
        self._stands_ns: int | None = None

    async def carry(self, wanted: Collection[str]) -> End:
        """Do so, with the public data of these symbols, and say how it ended."""
        tasks: list[asyncio.Task[None]] = []
        try:
            async with asyncio.TaskGroup() as self._group:
                self._open(wanted)
                tasks += [
                    self._group.create_task(work())
                    for work in (self._end_with, self._send, self._keep_alive, self._tick, self._expect_ready)
                ]
                self._socket.listen(self._read, self._clock.now_ns)
                try:
                    await self._done.wait()
                    if self._error is not None:
                        raise self._error
                finally:
                    await self._socket.close()
                    for task in [*tasks, self._renewing, self._closing]:
                        if task is not None:
                            task.cancel()
        finally:
            self._given_up = True
            end = self._end or End("it was given up")
            if self._recorder is not None:
                self._recorder.closed(self._protocol.stream, self._clock.now_ns(), end.reason)
        now_ns = self._clock.now_ns()
        end.steady = self._stands_ns is not None and now_ns - self._stands_ns >= self._times.steady_s * _NS
        return end

    def want(self, symbols: Collection[str]) -> None:
        """Subscribe to the public data of further symbols; the next connection does, if this one is over."""
        if self._over:
            return
        now_ns = self._clock.now_ns()
        if self._recorder is not None:
            self._recorder.wanted(self._protocol.stream, now_ns, symbols)
        self._do(self._guarded("want", lambda: self._protocol.want(symbols, now_ns)))

    def close(self, end: End) -> None:
        """End it, for a reason; what has been received until then is still taken."""
        if self._end is None:
            self._end = end
        if self._closing is None:
            self._closing = self._group.create_task(self._socket.close())

    def _open(self, wanted: Collection[str]) -> None:
        now_ns = self._clock.now_ns()
        if self._recorder is not None:
            self._recorder.opened(self._protocol.stream, now_ns)
        reading = self._guarded("opened", lambda: self._protocol.opened(now_ns))
        if reading is None:
            self.close(End("it could not be begun: an error of drainwatch's own"))
            return
        self._do(reading)
        if wanted:
            self.want(wanted)
        if not self._asked and self._stands_ns is None:
            self._stands_ns = now_ns
            self._up()

    # --- frames in --------------------------------------------------------------------------------

    def _read(self, frames: list[bytes], received_ns: int) -> None:
        """Take frames that were read together."""
        if self._given_up:
            return
        self._heard_at = self._loop.time()
        for at in range(0, len(frames), _BUNCH):
            self._put(_Bunch(received_ns, frames[at : at + _BUNCH]))
        self._heard_at = self._loop.time()  # while they were taken nobody could be heard

    def _put(self, bunch: _Bunch) -> None:
        """Take a bunch now, or when those before it are taken; beyond a measure the network must wait."""
        self._bunches.append(bunch)
        self._waiting += len(bunch.frames)
        bunch.n_bytes = sum(map(len, bunch.frames))
        self._waiting_bytes += bunch.n_bytes
        if self._taking:
            if self._waiting >= _WAITING_FRAMES or self._waiting_bytes >= _WAITING_BYTES:
                self._full = True
                self._socket.transport.pause_reading()
            return
        self._taking = True
        try:
            rest = begin(self._hear())
        except Exception as error:  # noqa: BLE001 - for whoever carries this
            self._fail(error)
        else:
            if rest is None:
                self._taking = False
            else:
                self._group.create_task(self._hear_rest(rest))

    async def _hear(self) -> None:
        """Hand over what came, bunch by bunch."""
        while self._bunches:
            bunch = self._bunches.popleft()
            await self._take(bunch)
            self._waiting -= len(bunch.frames)
            self._waiting_bytes -= bunch.n_bytes
            if self._full and not self._over:
                self._full = False
                self._heard_at = self._loop.time()
                self._socket.transport.resume_reading()
        if self._over:
            self._done.set()

    async def _hear_rest(self, rest: Rest) -> None:
        """Go on hearing once the sink takes more."""
        try:
            await rest
        except Exception as error:  # noqa: BLE001 - as in `_put`
            self._fail(error)
        else:
            self._taking = False

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._done.set()

    async def _end_with(self) -> None:
        """Know when the connection is over."""
        await self._socket.wait_closed()
        if self._end is None:
            self._end = _how(self._socket.protocol.close_exc)
        self._over = True
        if not self._taking:
            self._done.set()

    async def _take(self, bunch: _Bunch) -> None:
        rows, received_ns = bunch.rows, bunch.received_ns
        take, counts = self._protocol.take, self._counts
        few = len(bunch.frames) <= _FEW
        if rows and self._recorder is not None:  # they came in no frame
            self._recorder.record(self._protocol.stream, received_ns, msgspec.json.encode(rows), ROWS)
        for frame in bunch.frames:
            if self._recorder is not None:
                self._recorder.record(self._protocol.stream, received_ns, self._unsigned(frame))
            try:
                reading = take(frame, received_ns)
            except Exception as error:  # noqa: BLE001 - an error of ours must not make the watch deaf
                self._bad(f"a message could not be read: {type(error).__name__}", frame)
                continue
            rows += reading.rows
            self._do_all(reading)
            if reading.ready or (few and reading.rows and type(reading.rows[-1]) is Fill):
                await self._hand_over(rows, received_ns)
                rows = []
            if reading.ready:
                self._stand()
        if bunch.frames:
            counts.frames += len(bunch.frames)
            counts.bytes += bunch.n_bytes
            counts.last_frame_ns = received_ns
        await self._hand_over(rows, received_ns)

    def _unsigned(self, frame: bytes) -> bytes:
        """Give a frame as it is recorded: without signatures of ours, of the same length."""
        for signature in self._signatures:
            if signature in frame:
                frame = frame.replace(signature, b"*" * len(signature))
        return frame

    async def _hand_over(self, rows: list[Row], received_ns: int) -> None:
        self._counts.rows += len(rows)
        if rows:
            await self._sink.rows(rows, received_ns)

    def _do(self, reading: Reading | None) -> None:
        """Do what a protocol says outside the stream of frames."""
        if reading is None:
            return
        if reading.rows:
            self._put(_Bunch(self._clock.now_ns(), rows=reading.rows))
        self._do_all(reading)
        if reading.ready:
            self._stand()

    def _do_all(self, reading: Reading) -> None:
        """Do all but rows and `ready`."""
        if reading.send:
            self._asked = True
            self._answers += reading.send
            if self._recorder is not None:
                found = [max(match) for text in reading.send for match in _SIGNATURE.findall(text)]
                self._signatures += [signature.encode() for signature in found]
            self._to_send.set()
            if len(self._answers) > _WAITING_ANSWERS:
                self._answers.clear()
                self.close(End("the venue asked for more answers than can be given"))
        for notice in reading.notices:
            self._notice(notice)
        for bad in reading.bad:
            self._counts.bad += 1
            self._sink.bad(bad)
        if reading.symbols:
            self._sink.seen(self._exchange, reading.symbols)
        if reading.unlisted:
            self._sink.unlisted(self._exchange, reading.unlisted)
        if reading.renew and (self._renewing is None or self._renewing.done()):
            self._renewing = self._group.create_task(self._renew())
        if reading.close is not None:
            self.close(End(reading.close, planned=True, refused=reading.refused))
        due_ns = self._protocol.next_tick_ns
        if due_ns is not None and self._nap is not None:
            until_ns = self._nap_until_ns
            if until_ns is None or due_ns < until_ns:
                self._nap.cancel()

    def _stand(self) -> None:
        if self._stands_ns is None:
            self._stands_ns = self._clock.now_ns()
        self._ready()

    def _guarded(self, name: str, call: Callable[[], Reading]) -> Reading | None:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - as with `take`
            self._bad(f"an error of drainwatch's own in {name}: {type(error).__name__}", b"")
            return None

    def _bad(self, reason: str, frame: bytes) -> None:
        self._counts.bad += 1
        self._sink.bad(BadMessage(self._protocol.stream, reason, frame[:_SHOWN_BYTES]))

    # --- beside the frames --------------------------------------------------------------------------

    async def _send(self) -> None:
        """Send answers in their order, no faster than venues allow."""
        sent_ns: deque[int] = deque(maxlen=self._times.sends_per_s)
        while True:
            while not self._answers:
                self._to_send.clear()
                await self._to_send.wait()
            if len(sent_ns) == sent_ns.maxlen:
                await self._clock.sleep(1.0 - (self._clock.now_ns() - sent_ns[0]) / _NS)
            try:
                await self._socket.send(self._answers.popleft())
            except ConnectionClosed:
                return
            sent_ns.append(self._clock.now_ns())

    async def _keep_alive(self) -> None:
        """Ping; a peer that gives no sign of life though we listen is gone, whatever TCP says."""
        times = self._times
        while True:
            await asyncio.sleep(times.ping_s)  # of the network, so in real time
            try:
                pong = asyncio.ensure_future(await self._socket.ping())
            except ConnectionClosed:
                return
            pinged_at = self._loop.time()
            while not pong.done():
                # While the consumer is behind nothing is read, so that nothing can be concluded.
                heard_at = self._loop.time() if self._full else max(pinged_at, self._heard_at)
                left_s = heard_at + times.pong_s - self._loop.time()
                if left_s <= 0.0:
                    self.close(
                        End(f"the venue gave no sign of life for {times.pong_s:g} s (half-open connection)")
                    )
                    return
                await asyncio.wait([pong], timeout=left_s)
            if not pong.cancelled() and pong.exception() is not None:
                return

    async def _tick(self) -> None:
        """Let the protocol do what is due; whoever moves its next time forward cancels the nap."""
        pause_s = 0.0
        while True:
            due_ns = self._nap_until_ns = self._protocol.next_tick_ns
            if due_ns is None:
                nap: asyncio.Future[None] = self._loop.create_future()
            else:
                left_s = (due_ns - self._clock.now_ns()) / _NS
                nap = asyncio.ensure_future(self._clock.sleep(max(left_s, pause_s)))
            self._nap = nap
            try:
                await asyncio.wait([nap])
            finally:
                nap.cancel()
            now_ns, due_ns, pause_s = self._clock.now_ns(), self._protocol.next_tick_ns, 0.0
            if due_ns is not None and now_ns >= due_ns:
                if self._recorder is not None:
                    self._recorder.ticked(self._protocol.stream, now_ns)
                self._do(self._guarded("tick", lambda now_ns=now_ns: self._protocol.tick(now_ns)))  # type: ignore[misc]
                pause_s = 0.01  # a tick that stays due must not take all the time there is

    async def _expect_ready(self) -> None:
        await self._clock.sleep(self._times.ready_s)
        if self._stands_ns is None:
            self.close(End(f"the venue didn't confirm the subscription within {self._times.ready_s:g} s"))

    async def _renew(self) -> None:
        """Keep the venue's session alive; try again for as long as the connection lasts."""
        wait_s = self._times.first_retry_s
        while True:
            try:
                async with asyncio.timeout(self._times.start_s):
                    await self._source.renew()
            except KeyRefusedError as error:
                self.close(End(str(error), refused=True))
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the venue will say if it was too late
                self._bad(f"the session could not be renewed: {type(error).__name__}", b"")
                await self._clock.sleep(wait_s)
                wait_s = min(2.0 * wait_s, self._times.last_retry_s)
            else:
                return


def _how(error: ConnectionClosed) -> End:
    if error.rcvd is None:
        if error.sent is not None and error.sent.code in _RULES:
            return End(f"the venue broke the rules of websockets (code {error.sent.code})")
        return End("the connection broke off")
    reason = f" ({error.rcvd.reason[:100]!a})" if error.rcvd.reason else ""
    return End(f"the venue closed it with code {error.rcvd.code}{reason}", planned=error.rcvd.code in _CLEAN)
