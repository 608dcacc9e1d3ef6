"""A venue's stream for as long as the watch lasts: connections one after the other, and what is said between.

Whatever the network or the venue does, `run` goes on; the owner is told when a stream stays away.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import ssl
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from drainwatch.errors import DrainwatchError, KeyRefusedError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.tape import FrameRecorder, Strand
from drainwatch.venues.line import LONGEST, Line
from drainwatch.venues.ports import Clock, Sink
from drainwatch.venues.protocol import StreamProtocol, StreamSource
from drainwatch.venues.session import Counts, End, Session, Times

_NS = 1_000_000_000
_LONGEST_PEACE_S = 600.0
_TOKEN = re.compile(r"[\w+/=.-]{24,}")
# At debug level the library logs every frame and every address, keys included: it may not, at any level.
_MUTE = logging.Logger("drainwatch.websockets", logging.CRITICAL + 1)  # noqa: LOG001 - nobody's child


class Connection:
    """Keeps a stream up.

    Parameters
    ----------
    source
        Makes a fresh protocol for each connection.
    sink
        Takes what is heard. What it raises ends `run`, in an `ExceptionGroup`: it is ours.
    clock
        Waits between attempts and ticks of the protocol go by it; pings go by real time.
    recorder
        Records frames as they come in; None doesn't.
    exchange
        As in rows; None takes the first word of the stream's name.
    account
        Whose stream it is, for notices; empty for public ones.
    times
        How long what may take.
    chance
        Spreads attempts in time.
    """

    def __init__(
        self,
        source: StreamSource,
        sink: Sink,
        clock: Clock,
        *,
        recorder: FrameRecorder | Strand | None = None,
        exchange: str | None = None,
        account: str = "",
        times: Times | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.stream = source.stream
        self.counts = Counts()
        """What was heard, for metrics."""
        self._source = source
        self._sink = sink
        self._clock = clock
        self._recorder = recorder
        self._exchange = source.stream.split()[0] if exchange is None else exchange
        self._account = account
        self._times = times or Times()
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._wanted: set[str] = set()
        self._session: Session | None = None
        self._group: asyncio.TaskGroup
        self._away_since_ns: int | None = None
        self._reason = ""
        self._speaker: asyncio.Task[None] | None = None
        self._told_away = False
        self._told_refused = False
        self._filling: asyncio.Task[None] | None = None
        self._fill_again = False
        self._first = True

    async def want(self, symbols: Collection[str]) -> None:
        """Subscribe to the public data of these (unified) symbols, now and after each reconnect."""
        new = set(symbols) - self._wanted
        self._wanted |= new
        if new and self._session is not None:
            self._session.want(new)

    def renew(self, why: str) -> None:
        """End the connection, if there is one, so that another is made at once."""
        if self._session is not None:
            self._session.close(End(why, planned=True))

    async def run(self) -> None:
        """Keep the stream up until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._away("it could not be connected yet")
                failures = 0
                while True:
                    end = await self._once()
                    self.counts.reconnects += 1
                    self._away(end.reason)
                    if end.steady:
                        failures = 0
                    if end.refused:
                        self._refused(end.reason)
                    wait_s = self._wait_s(end, failures)
                    failures += 1
                    await self._clock.sleep(wait_s)
        finally:
            self._session = None

    def _wait_s(self, end: End, failures: int) -> float:
        times = self._times
        if end.refused:
            return times.refused_retry_s
        if end.planned and end.steady and not end.retry_after_s:
            return 0.0
        wait_s: float = min(times.last_retry_s, times.first_retry_s * 2.0 ** min(failures, 30))
        return max(wait_s * self._chance.uniform(0.5, 1.0), min(end.retry_after_s, _LONGEST_PEACE_S))

    async def _once(self) -> End:
        """Go through one connection, or try to."""
        protocol: StreamProtocol | None = None
        try:
            async with asyncio.timeout(self._times.start_s):
                protocol = await self._source.start()
            socket = await self._connect(protocol)
        except KeyRefusedError as error:
            return End(str(error), refused=True)
        except Exception as error:  # noqa: BLE001 - a REST client may raise anything; none of it ends the watch
            return _failure(error)
        self._session = Session(
            socket,
            protocol,
            self._source,
            self._sink,
            self._clock,
            exchange=self._exchange,
            times=self._times,
            counts=self.counts,
            recorder=self._recorder,
            notice=self._notice,
            up=self._up,
            ready=self._ready,
        )
        self.counts.connected = True
        try:
            end = await self._session.carry(frozenset(self._wanted))
        finally:
            self.counts.connected = False
            self._session = None
        end.reason = _scrubbed(end.reason, protocol)
        return end

    async def _connect(self, protocol: StreamProtocol) -> Line:
        if self._recorder is not None:
            for token in _tokens(protocol):
                self._recorder.hide(token)
        line = await connect(
            protocol.url,
            create_connection=Line,
            additional_headers=dict(protocol.headers),
            compression=None,
            open_timeout=self._times.open_s,
            close_timeout=self._times.close_s,
            ping_interval=None,  # `Session` does it better
            max_size=LONGEST,
            logger=_MUTE,
        )
        assert isinstance(line, Line)  # noqa: S101 - for the type checker
        return line

    # --- what is said -------------------------------------------------------------------------------

    def _away(self, reason: str) -> None:
        """Note that the stream isn't up, and see to it that this is told if it lasts."""
        self._reason = reason
        if self._away_since_ns is None:
            self._away_since_ns = self._clock.now_ns()
            self._speaker = self._group.create_task(self._speak())

    async def _speak(self) -> None:
        await self._clock.sleep(self._times.patience_s)
        since_ns = self._away_since_ns
        if since_ns is None or self._told_away:
            return
        self._told_away = True
        self._sink.notice(
            self._new_notice(
                NoticeKind.STREAM_CLOSED,
                f"The stream {self.stream} has been closed since {_clock_time(since_ns)} and isn't back: "
                f"{self._reason}. What happens there meanwhile isn't seen until it is back; it is tried "
                "again and again. If this lasts, look at the network and at the venue's status page.",
                since_ns,
            )
        )

    def _refused(self, reason: str) -> None:
        self._notice(
            self._new_notice(
                NoticeKind.KEY_REFUSED,
                f"{self._exchange} doesn't take the key of the stream {self.stream}: {reason}. Nothing is "
                "seen there until it does. If you didn't revoke it, see who did; then give the watch a new "
                "read-only key.",
                self._away_since_ns,
            )
        )

    def _notice(self, notice: Notice) -> None:
        """Pass a notice on; that a key is refused only once, whoever says so first."""
        if notice.kind is NoticeKind.KEY_REFUSED:
            if self._told_refused:
                return
            self._told_refused = self._told_away = True
        self._sink.notice(notice)

    def _up(self) -> None:
        """Say that the stream is back, if its absence was told."""
        since_ns, now_ns = self._away_since_ns, self._clock.now_ns()
        if self._speaker is not None:
            self._speaker.cancel()
        if self._told_away and since_ns is not None:
            self._sink.notice(
                self._new_notice(
                    NoticeKind.STREAM_BACK,
                    f"The stream {self.stream} is back since {_clock_time(now_ns)}, after "
                    f"{(now_ns - since_ns) / _NS:.0f} s. What it missed is being asked for.",
                    since_ns,
                    now_ns,
                )
            )
        self._away_since_ns = None
        self._told_away = self._told_refused = False

    def _ready(self) -> None:
        """Let what was missed be filled in."""
        self._up()
        self._fill_again = True
        if self._filling is None or self._filling.done():
            self._filling = self._group.create_task(self._fill())

    async def _fill(self) -> None:
        """Fill in, one time after the other, however often the stream comes back meanwhile."""
        while self._fill_again:
            self._fill_again = False
            await self._sink.ready(self.stream, first=self._first)
            self._first = False

    def _new_notice(
        self, kind: NoticeKind, text: str, since_ns: int | None, until_ns: int | None = None
    ) -> Notice:
        return Notice(
            kind=kind,
            ts_ns=until_ns or self._clock.now_ns(),
            text=text,
            exchange=self._exchange,
            account=self._account,
            stream=self.stream,
            since_ns=since_ns,
            until_ns=until_ns,
        )


def _clock_time(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // _NS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _failure(error: Exception) -> End:
    """Say why there was no connection: what is known to hold no secret, else the kind of error only."""
    if isinstance(error, InvalidStatus):
        after = error.response.headers.get("Retry-After", "")
        return End(
            f"the venue answered with HTTP {error.response.status_code}",
            retry_after_s=float(after) if after.isascii() and after.isdigit() else 0.0,
        )
    if isinstance(error, DrainwatchError):
        return End(str(error))
    if isinstance(error, InvalidHandshake):
        return End("what answers there doesn't speak websocket")
    if isinstance(error, TimeoutError):
        return End("the venue didn't answer in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return End(f"the venue's certificate isn't valid: {error.verify_message}")
    if isinstance(error, OSError):
        return End(f"the venue can't be reached: {error.strerror or type(error).__name__}")
    return End(f"an error of an unknown kind: {type(error).__name__}")


def _tokens(protocol: StreamProtocol) -> set[str]:
    """Give what is secret in an address and its headers: listen keys, tokens."""
    parts = urlsplit(protocol.url)
    found = [
        *parts.path.split("/"),
        *(value for _, value in parse_qsl(parts.query)),
        *protocol.headers.values(),
    ]
    return {part for part in found if _TOKEN.fullmatch(part)}


def _scrubbed(text: str, protocol: StreamProtocol) -> str:
    for token in _tokens(protocol):
        text = text.replace(token, "...")
    return text
