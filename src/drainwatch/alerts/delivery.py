"""Delivery: takes messages out of the outbox and sends them, each channel at its own pace.

Nothing waits for it: a message is in the store before it is sent, and stays there until the service
has taken it. So each arrives at least once; twice only where the process ends, or the answer is lost,
between sending and noting it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from drainwatch.alerts import outbox
from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import Message
from drainwatch.alerts.send import TIMEOUT_S, send
from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.store import Posted, Store

if TYPE_CHECKING:
    import aiohttp

NS_PER_S: Final = 1_000_000_000

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
GIVE_UP_NS: Final = 24 * 3_600 * NS_PER_S
"""So long after it was posted a message that fails again is given up ..."""
GIVE_UP_TRIES: Final = 10
"""... but not before so many tries: a machine that slept for a day must first find its network."""
TROUBLE_NS: Final = 10 * 60 * NS_PER_S
"""So long a channel may fail before the other channels are told."""
DAY_NS: Final = 24 * 3_600 * NS_PER_S
ORDERED_TRIES: Final = 5
"""So often a message is tried before those after it; then they may pass: it may be what isn't taken."""

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
    """Sends what is in the outbox; one message at a time on a channel, all channels at once.

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
        self._lines = {channel.name: _Line(channel) for channel in channels}
        self.counts: Counter[tuple[str, str]] = Counter()
        """Tries by channel and `Outcome`, and `given_up` messages."""

    def wake(self) -> None:
        """Look into the outbox at once: something was posted."""
        for line in self._lines.values():
            line.news.set()

    async def run(self) -> None:
        """Deliver until cancelled. Raises nothing else."""
        with suppress(StateError):  # then each channel meets it too, and tells
            self._give_up_strangers()
        async with self._session() as session:
            tasks = [asyncio.create_task(self._serve(line, session)) for line in self._lines.values()]
            try:
                # without a channel there is nothing to do, but a task that ends looks like one that died
                await (asyncio.gather(*tasks) if tasks else asyncio.Event().wait())
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, line: _Line, session: aiohttp.ClientSession) -> None:
        """Send one channel's messages, one after the other."""
        while True:
            line.news.clear()
            try:
                self._note_arrivals(line)
                posted = self._next(line)
                if posted is not None:
                    await self._send(line, session, posted)
                    continue
                wait_s = self._idle_s(line)
            except StateError as error:
                log.warning("outbox: %s", error)
                wait_s = self._back_off(line)
            except Exception as error:  # noqa: BLE001 a mistake of ours must not silence a channel for ever
                frame = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(frame.filename).name}, line {frame.lineno}"  # the error's text may hold a URL
                log.error("channel %s: %s in %s", line.channel.name, type(error).__name__, where)  # noqa: TRY400
                wait_s = self._back_off(line)
            await self._wait(line, wait_s)

    def _next(self, line: _Line) -> Posted | None:
        now_ns = self._clock.now_ns()
        if now_ns < line.paused_until_ns:
            return None
        due = self._store.due(now_ns, limit=1, channel=line.channel.name)
        return due[0] if due else None

    def _idle_s(self, line: _Line) -> float | None:
        """Say how long there is nothing to do; None: until woken."""
        due_ns = self._store.next_due_ns(line.channel.name)
        if due_ns is None:
            return None
        return (max(due_ns, line.paused_until_ns) - self._clock.now_ns()) / NS_PER_S

    async def _wait(self, line: _Line, seconds: float | None) -> None:
        """Wait for news, or for a time; at least a moment, so that a clock set back can't make it spin."""
        news = asyncio.create_task(line.news.wait())
        waits: set[asyncio.Task[Literal[True]]] = {news}
        if seconds is not None:
            waits.add(asyncio.create_task(self._sleep(max(seconds, 0.001))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _sleep(self, seconds: float) -> Literal[True]:
        await self._clock.sleep(seconds)
        return True

    # --- one message -----------------------------------------------------------------------------

    async def _send(self, line: _Line, session: aiohttp.ClientSession, posted: Posted) -> None:
        try:
            message = msgspec.json.decode(posted.body, type=Message)
        except msgspec.DecodeError:
            answer = Answer(Outcome.NEVER, "the message in the outbox can't be read")
        else:
            answer = await send(session, line.channel, message, posted.key, self._clock.now_ns)
        self.counts[line.channel.name, answer.outcome] += 1
        now_ns = self._clock.now_ns()
        if answer.outcome is Outcome.ARRIVED:
            line.arrived.append(posted)
            self._recover(line, now_ns)
            if answer.wait_s:
                line.paused_until_ns = now_ns + int(answer.wait_s * NS_PER_S)
            self._note_arrivals(line)
        elif answer.outcome is Outcome.NEVER:
            self._give_up(line, posted, answer.reason, now_ns)
        else:
            self._retry(line, posted, answer, now_ns)

    def _note_arrivals(self, line: _Line) -> None:
        """Note what arrived; what couldn't be noted is kept in mind, so that it isn't sent again."""
        while line.arrived:
            self._store.delivered(line.arrived[0], self._clock.now_ns())
            line.arrived.pop(0)

    def _recover(self, line: _Line, now_ns: int) -> None:
        """The channel works: what waited for it needn't wait longer."""
        if line.failures:
            line.failures = 0
            self._store.hurry(line.channel.name, now_ns)
        line.failing_since_ns = None
        line.paused_until_ns = 0

    def _retry(self, line: _Line, posted: Posted, answer: Answer, now_ns: int) -> None:
        if now_ns - posted.posted_ns >= GIVE_UP_NS and posted.attempts + 1 >= GIVE_UP_TRIES:
            self._give_up(line, posted, f"{answer.reason}, for more than a day", now_ns)
            return
        pause_s = max(self._back_off(line), answer.wait_s or 0.0)
        line.paused_until_ns = now_ns + int(pause_s * NS_PER_S)
        passes = posted.attempts + 1 >= ORDERED_TRIES
        again_s = max(pause_s, LONGEST_PAUSE_S) if passes else pause_s
        self._store.failed(posted, now_ns + int(again_s * NS_PER_S), answer.reason, now_ns)
        log.info("channel %s: %s; next try in %.0f s", line.channel.name, answer.reason, pause_s)
        if line.failing_since_ns is None:
            line.failing_since_ns = now_ns
        elif now_ns - line.failing_since_ns >= TROUBLE_NS:
            self._tell_others(line.channel.name, answer.reason, now_ns)

    def _back_off(self, line: _Line) -> float:
        """Count a failure; give the pause, doubled each time and spread, in s."""
        line.failures += 1
        longest = min(FIRST_PAUSE_S * 2.0 ** min(line.failures - 1, 30), LONGEST_PAUSE_S)
        return longest * (0.5 + 0.5 * self._chance())

    def _give_up(self, line: _Line, posted: Posted, reason: str, now_ns: int) -> None:
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
                        self._store.failed(one, None, "the channel isn't among the settings any more", now_ns)
                        self.counts[name, "given_up"] += 1
                    self._post_notice(
                        name, "it isn't among the settings any more, but messages waited", now_ns
                    )


class _Line:
    """One channel and how it fares."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.news = asyncio.Event()
        self.failures = 0
        """Failures in a row."""
        self.failing_since_ns: int | None = None
        self.paused_until_ns = 0
        self.arrived = list[Posted]()
        """Arrived, but not noted in the store yet: empty but for trouble of the store."""
