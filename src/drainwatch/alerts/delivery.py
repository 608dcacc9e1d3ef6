"""Delivery: takes messages out of the outbox and sends them, each channel at its own pace.

Nothing waits for it: a message is in the store before it is sent, and stays there until the service
has taken it, so each arrives at least once. A try is noted before it begins. Where its answer was lost,
or the process ended meanwhile, the message is sent again and says so; a webhook knows it by its key, and
what changes a message that is there can't be there twice.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from drainwatch.alerts import outbox
from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.lanes import ORDERED_TRIES, Lane, Line
from drainwatch.alerts.message import UPDATE, Message, repeated
from drainwatch.alerts.pace import Pace, limits_of
from drainwatch.alerts.send import TIMEOUT_S, send
from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.store import Posted, Store

if TYPE_CHECKING:
    import aiohttp

NS_PER_S: Final = 1_000_000_000

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
LONGEST_URGENT_PAUSE_S: Final = 30.0
PATIENCE_S: Final = 2.0
"""So long the next critical waits for an answer to the one before, ..."""
URGENT_AT_ONCE: Final = 4
"""... of which so many may be under way."""
GIVE_UP_NS: Final = 24 * 3_600 * NS_PER_S
"""So long after it was posted a message that fails again is given up ..."""
GIVE_UP_TRIES: Final = 10
"""... but not before so many tries: a machine that slept for a day must first find its network."""
TROUBLE_NS: Final = 10 * 60 * NS_PER_S
"""So long a channel may fail before the other channels are told."""
DAY_NS: Final = 24 * 3_600 * NS_PER_S

_SHOWN: Final = ("opened", "grew", "escalated", "closed", "acknowledged")
"""What a later message may change."""

log = logging.getLogger(__name__)


class Clock(Protocol):
    """Time, so that a test can let a day pass in a second."""

    def now_ns(self) -> int:
        """Wall-clock time, ns since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


def new_session() -> aiohttp.ClientSession:
    """Make the session that messages are sent with: certificates checked, the system's proxies used."""
    import aiohttp

    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
    )


class Delivery:
    """Sends what is in the outbox; one message at a time on a lane, all channels at once.

    Parameters
    ----------
    store
        Holds the outbox. Used from the event loop's thread alone.
    channels
        Where to. What waits for a channel that isn't among them is given up, and the others are told.
    clock
        Wall-clock time, and waiting.
    session
        Makes the HTTP session.
    chance
        Gives a number from 0 to 1; spreads the retries of many senders.

    """

    def __init__(
        self,
        store: Store,
        channels: Iterable[Channel],
        clock: Clock,
        session: Callable[[], aiohttp.ClientSession] = new_session,
        *,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._session = session
        self._chance = chance or random.SystemRandom().random
        paces = dict[tuple[str, str], Pace]()  # two channels to one place have its pace between them
        self._lines = {
            channel.name: Line(
                channel, paces.setdefault((channel.url, channel.chat_id), Pace(limits_of(channel)))
            )
            for channel in channels
        }
        self.counts: Counter[tuple[str, str]] = Counter()
        """Tries by channel and `Outcome`, and `given_up` messages."""

    def wake(self) -> None:
        """Look into the outbox at once: something was posted."""
        for line in self._lines.values():
            for lane in line.lanes:
                lane.news.set()

    async def run(self) -> None:
        """Deliver until cancelled. Raises nothing else."""
        lanes = [lane for line in self._lines.values() for lane in line.lanes]
        with suppress(StateError):  # then each channel meets it too, and tells
            self._give_up_strangers()
            now_ns = self._clock.now_ns()
            for line in self._lines.values():
                line.resume(self._store, now_ns)
            for lane in lanes:
                lane.resume(self._store, now_ns + int(LONGEST_PAUSE_S * NS_PER_S))
        async with self._session() as session:
            tasks = [asyncio.create_task(self._serve(lane, session)) for lane in lanes]
            try:
                # without a channel there is nothing to do, but a task that ends looks like one that died
                await (asyncio.gather(*tasks) if tasks else asyncio.Event().wait())
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, lane: Lane, session: aiohttp.ClientSession) -> None:
        """Send a lane's messages, one after the other."""
        try:
            while True:
                with self._guarded(lane):
                    await self._step(lane, session)
        finally:
            for task in lane.under_way.values():
                task.cancel()
            await asyncio.gather(*lane.under_way.values(), return_exceptions=True)

    async def _step(self, lane: Lane, session: aiohttp.ClientSession) -> None:
        """Send the next message, or wait for it."""
        lane.news.clear()
        if self._clock.now_ns() < lane.paused_until_ns:
            await self._wait(lane, lane.paused_until_ns)
            return
        self._note_arrivals(lane)
        found = lane.next(self._store, self._clock.now_ns())
        if isinstance(found, Posted):
            await self._start(lane, session, found)
        else:
            await self._wait(lane, found)

    @contextmanager
    def _guarded(self, lane: Lane) -> Iterator[None]:
        """Let the lane go on after a while, whatever happens."""
        try:
            yield
        except StateError as error:
            log.warning("outbox: %s", error)
        except Exception as error:  # noqa: BLE001 a mistake of ours must not silence a channel for ever
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(frame.filename).name}, line {frame.lineno}"  # the error's text may hold a URL
            log.error("channel %s: %s in %s", lane.line.channel.name, type(error).__name__, where)  # noqa: TRY400
        else:
            return
        lane.paused_until_ns = self._clock.now_ns() + int(self._back_off(lane) * NS_PER_S)

    async def _wait(self, lane: Lane, until_ns: int | None) -> None:
        """Wait for news, or for a time; at least a moment, so that a clock set back can't make it spin."""
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(lane.news.wait())}
        if until_ns is not None:
            seconds = max((until_ns - self._clock.now_ns()) / NS_PER_S, 0.001)
            waits.add(asyncio.create_task(self._sleep(seconds)))
        await _first_of(waits, waits)

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    # --- one message -----------------------------------------------------------------------------

    async def _start(self, lane: Lane, session: aiohttp.ClientSession, posted: Posted) -> None:
        """Send a message; returns when it is settled, or, where the next can't wait, when it takes long."""
        begun = self._begin(lane, posted)
        if begun is None:
            return
        task = asyncio.create_task(self._send(lane, session, posted, *begun))
        lane.under_way[posted.number] = task
        waits: set[asyncio.Task[Any]] = {task}
        patience = set[asyncio.Task[Any]]()
        if lane.urgent and len(lane.under_way) < URGENT_AT_ONCE:
            patience.add(asyncio.create_task(self._sleep(PATIENCE_S)))
        await _first_of(waits | patience, patience)

    def _begin(self, lane: Lane, posted: Posted) -> tuple[Message, str | None, str | None] | None:
        """Note that a try begins; gives what is sent, in place of which message, and in answer to which.

        Nothing may come between this and the look into the outbox: what waits can be replaced.
        """
        line, store = lane.line, self._store
        try:
            message = msgspec.json.decode(posted.body, type=Message)
        except msgspec.DecodeError:
            self._refused(line, posted, "the message in the outbox can't be read", moves=False)
            return None
        shown = line.shown(store, posted)
        earlier = shown if posted.rank == UPDATE else None
        if posted.unanswered and earlier is None and line.channel.kind != "webhook":
            message = repeated(message)
        line.pace.note(self._clock.now_ns(), urgent=lane.urgent)
        store.begin(posted)
        return message, earlier, shown if message.what in ("escalated", "reminder") else None

    async def _send(
        self,
        lane: Lane,
        session: aiohttp.ClientSession,
        posted: Posted,
        message: Message,
        earlier: str | None,
        reply_to: str | None,
    ) -> None:
        line, store = lane.line, self._store
        try:
            with self._guarded(lane):
                answer = await send(
                    session, line.channel, message, posted.key, self._clock.now_ns, earlier, reply_to
                )
                self.counts[line.channel.name, answer.outcome] += 1
                now_ns = self._clock.now_ns()
                if answer.wait_s:
                    paused_ns = now_ns + int(answer.wait_s * NS_PER_S)
                    line.paused_until_ns = max(line.paused_until_ns, paused_ns)
                if answer.outcome is Outcome.ARRIVED:
                    lane.arrived.append((posted, answer.id if message.what in _SHOWN else None))
                    self._recover(line, now_ns)
                    self._note_arrivals(lane)
                elif answer.outcome is Outcome.GONE:
                    with store.transaction():
                        store.set_value(line.shown_name(posted), b"")
                        store.failed(posted, now_ns, answer.reason, now_ns, refused=True)
                elif answer.outcome is Outcome.NEVER:
                    self._refused(line, posted, answer.reason)
                else:
                    self._retry(lane, posted, answer, now_ns)
        finally:
            lane.under_way.pop(posted.number, None)
            lane.news.set()

    def _note_arrivals(self, lane: Lane) -> None:
        """Note what arrived; what couldn't be noted is kept in mind, so that it isn't sent again."""
        while lane.arrived:
            posted, shown = lane.arrived[0]
            with self._store.transaction():
                self._store.delivered(posted, self._clock.now_ns())
                if shown is not None:
                    self._store.set_value(lane.line.shown_name(posted), shown.encode())
            lane.arrived.pop(0)

    def _recover(self, line: Line, now_ns: int) -> None:
        """The channel works: what waited for it needn't wait longer."""
        line.failing_since_ns = None
        if not any(lane.failures for lane in line.lanes):
            return
        for lane in line.lanes:
            lane.failures = lane.paused_until_ns = 0
            lane.news.set()
        self._store.hurry(line.channel.name, now_ns)

    def _retry(self, lane: Lane, posted: Posted, answer: Answer, now_ns: int) -> None:
        line = lane.line
        if now_ns - posted.posted_ns >= GIVE_UP_NS and posted.attempts + 1 >= GIVE_UP_TRIES:
            self._give_up(line, posted, f"{answer.reason}, for more than a day")
            return
        pause_s = max(self._back_off(lane), answer.wait_s or 0.0)
        lane.paused_until_ns = now_ns + int(pause_s * NS_PER_S)
        passes = posted.attempts + 1 >= ORDERED_TRIES
        again_s = max(pause_s, LONGEST_PAUSE_S) if passes else pause_s
        again_ns = now_ns + int(again_s * NS_PER_S)
        self._store.failed(posted, again_ns, answer.reason, now_ns, refused=not answer.doubtful)
        log.info("channel %s: %s; next try in %.0f s", line.channel.name, answer.reason, pause_s)
        if line.failing_since_ns is None:
            line.failing_since_ns = now_ns
        elif now_ns - line.failing_since_ns >= TROUBLE_NS:
            self._tell_others(line.channel.name, answer.reason, now_ns)

    def _back_off(self, lane: Lane) -> float:
        """Count a failure; give the pause, doubled each time and spread, in s."""
        lane.failures += 1
        longest_s = LONGEST_URGENT_PAUSE_S if lane.urgent else LONGEST_PAUSE_S
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(lane.failures - 1, 30), longest_s)
        return pause_s * (0.5 + 0.5 * self._chance())

    # --- what doesn't arrive ---------------------------------------------------------------------

    def _refused(self, line: Line, posted: Posted, reason: str, *, moves: bool = True) -> None:
        """Move on what a channel doesn't take; what no other takes either stays, to be tried again."""
        now_ns = self._clock.now_ns()
        expired = now_ns - posted.posted_ns >= GIVE_UP_NS
        if moves and not expired and not self._move_on(line.channel.name, posted, now_ns):
            with self._store.transaction():
                again_ns = now_ns + int(LONGEST_PAUSE_S * NS_PER_S)
                self._store.failed(posted, again_ns, reason, now_ns, refused=True)
                self._post_notice(line.channel.name, reason, now_ns)
            log.warning("channel %s: %s; it is the last that has the message", line.channel.name, reason)
            self.wake()
            return
        self._give_up(line, posted, reason)

    def _move_on(self, name: str, posted: Posted, now_ns: int) -> bool:
        """See to it that another channel has a message; False where none takes it."""
        if not self._store.only_here(posted):
            return True
        others = [other for other in self._lines if other != name]
        moved = [self._store.post(posted.key, other, posted.rank, posted.body, now_ns) for other in others]
        return any(moved)

    def _give_up(self, line: Line, posted: Posted, reason: str) -> None:
        now_ns = self._clock.now_ns()
        with self._store.transaction():
            self._store.failed(posted, None, reason, now_ns)
            self._post_notice(line.channel.name, reason, now_ns)
        self.counts[line.channel.name, "given_up"] += 1
        self.wake()
        log.warning("channel %s: a message was given up: %s", line.channel.name, reason)

    def _tell_others(self, name: str, reason: str, now_ns: int) -> None:
        with self._store.transaction():
            self._post_notice(name, reason, now_ns)
        self.wake()

    def _post_notice(self, name: str, reason: str, now_ns: int) -> None:
        """Tell the other channels, once a day, that this one doesn't take alerts."""
        others = [line.channel for line in self._lines.values() if line.channel.name != name]
        text = f"Channel {name} doesn't take alerts: {reason}. Until it does, they come by the others alone."
        notice = Notice(kind=NoticeKind.DELIVERY_FAILED, ts_ns=now_ns, text=text)
        outbox.post_notice(self._store, others, f"delivery_failed/{name}/{now_ns // DAY_NS}", notice, now_ns)

    def _give_up_strangers(self) -> None:
        """What waits for a channel that is no longer set would wait for ever, and nobody would know."""
        now_ns = self._clock.now_ns()
        for name in self._store.waiting().keys() - self._lines.keys():
            while posted := self._store.due(2**63 - 1, channel=name):
                with self._store.transaction():
                    for one in posted:
                        self._move_on(name, one, now_ns)
                        self._store.failed(one, None, "the channel isn't among the settings any more", now_ns)
                        self.counts[name, "given_up"] += 1
                    self._post_notice(
                        name, "it isn't among the settings any more, but messages waited", now_ns
                    )


async def _first_of(waits: set[asyncio.Task[Any]], cancelled: set[asyncio.Task[Any]]) -> None:
    """Wait for the first of some tasks; cancel some of them then."""
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
