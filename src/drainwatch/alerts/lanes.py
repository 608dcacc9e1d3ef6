"""A channel's two lanes: one for criticals, which nothing else can hold up, and one for all the rest.

Both keep to the channel's pace together. What crowds the second is put together into one message.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import msgspec

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.alerts.message import GRAVE, NEWS, UPDATE, Message, digest_of, short_of
from drainwatch.alerts.pace import Pace
from drainwatch.events import NS_PER_S
from drainwatch.store import Posted, Store
from drainwatch.store.outbox import LEAST_URGENT

OWN_A_MINUTE: Final = 5
"""So many warnings and notices a minute have a message of their own on a chat; more are put together ..."""
MINUTE_NS: Final = 60 * NS_PER_S
"""... at most once in such a time."""
ORDERED_TRIES: Final = 5
"""So often a message is tried before those after it; then they may pass: it may be what isn't taken."""
BATCH: Final = 250
"""So many are put together at once: nothing else runs meanwhile."""
YIELD_NS: Final = NS_PER_S // 100
"""So long the rest lets a critical go first."""

_DIGEST: Final = "digest/"
_decode: Final = msgspec.json.Decoder(Message).decode


class Line:
    """One channel and how it fares."""

    def __init__(self, channel: Channel, pace: Pace) -> None:
        self.channel, self.pace = channel, pace
        self.failing_since_ns: int | None = None
        self.paused_until_ns = 0
        """Until then the service wants to be left alone."""
        self.urgent_waits = False
        """Whether a critical waits for the next free place."""
        self.lanes = (Lane(self, urgent=True), Lane(self, urgent=False))

    def resume(self, store: Store, now_ns: int) -> None:
        """Go on from where the process ended: the service remembers what it was sent in the last minute."""
        for at_ns, rank in store.sent_ns(self.channel.name, now_ns - MINUTE_NS):
            self.pace.note(at_ns, urgent=rank <= GRAVE)

    def shown_name(self, posted: Posted) -> str:
        """Give the store's name of the service's id of an incident's message."""
        return f"shown/{self.channel.name}/{posted.key.partition('/')[0]}"

    def shown(self, store: Store, posted: Posted) -> str | None:
        """Give the service's id of the message that shows a posted one's incident; None: there is none."""
        if not self.channel.can_edit or posted.key.startswith(_DIGEST):
            return None
        known = store.value(self.shown_name(posted))
        return known.decode() if known else None


class Lane:
    """What goes one after the other on a channel."""

    def __init__(self, line: Line, *, urgent: bool) -> None:
        self.line, self.urgent = line, urgent
        self.ranks = (0, GRAVE + 1) if urgent else (GRAVE + 1, LEAST_URGENT)
        self.news = asyncio.Event()
        self.failures = 0
        """Failures in a row."""
        self.paused_until_ns = 0
        self.under_way = dict[int, asyncio.Task[None]]()
        """What is being sent, by its number."""
        self.arrived = list[tuple[Posted, str | None]]()
        """Arrived, but not noted in the store yet: empty but for trouble of the store."""
        self._own_ns = deque[int](maxlen=OWN_A_MINUTE)
        self._digest_ns: int | None = None
        self._digest_key = ""
        self._gathered = list[Message]()

    def resume(self, store: Store, latest_ns: int) -> None:
        """What was to be tried again when the process ended is waited for, so that the order stays."""
        first = store.due(2**63 - 1, 1, self.line.channel.name, ranks=self.ranks)
        if first and 0 < first[0].attempts < ORDERED_TRIES:
            self.paused_until_ns = min(first[0].due_ns, latest_ns)  # the clock may have been ahead then

    def next(self, store: Store, now_ns: int) -> Posted | int | None:
        """Give what goes now; else when to look again, or None: when something is posted."""
        line = self.line
        if self.urgent:
            line.urgent_waits = False
        paused_ns = max(self.paused_until_ns, line.paused_until_ns)
        if now_ns < paused_ns:
            return paused_ns
        due = self._due(store, now_ns, 1)
        if not due:
            # what is under way rings when it is settled
            return None if self.under_way else store.next_due_ns(line.channel.name, ranks=self.ranks)
        ready_ns = line.pace.ready_ns(now_ns, urgent=self.urgent)
        if now_ns < ready_ns:
            line.urgent_waits |= self.urgent
            return ready_ns
        if line.urgent_waits:
            return now_ns + YIELD_NS
        if self.urgent or line.channel.kind == "webhook":  # a program reads it: one by one
            return due[0]
        return self._choose(store, now_ns)

    def _due(self, store: Store, now_ns: int, limit: int) -> list[Posted]:
        due = store.due(now_ns, limit + len(self.under_way), self.line.channel.name, ranks=self.ranks)
        return [posted for posted in due if posted.number not in self.under_way][:limit]

    def _choose(self, store: Store, now_ns: int) -> Posted | int:
        """Give the next of those that can wait, or make it of a crowd."""
        due = self._due(store, now_ns, BATCH)
        if due[0].key.startswith(_DIGEST) and due[0].key != self._digest_key:
            return due[0]
        own = [one for one in due if not self._is_change(store, one) and not one.key.startswith(_DIGEST)]
        if self._digest_key:
            return self._gather(store, own, now_ns) or due[0]
        if not own:
            return due[0]
        while self._own_ns and not 0 <= now_ns - self._own_ns[0] < MINUTE_NS:
            self._own_ns.popleft()
        if len(own) + len(self._own_ns) <= OWN_A_MINUTE:
            if own[0] is due[0]:
                self._own_ns.append(now_ns)
            return due[0]
        again_ns = 0 if self._digest_ns is None else self._digest_ns + MINUTE_NS
        if 0 < again_ns - now_ns <= MINUTE_NS:
            return next((one for one in due if one not in own), again_ns)
        self._digest_ns = now_ns
        if len(own) == 1:
            return own[0]
        self._digest_key = f"{_DIGEST}{self.line.channel.name}/{own[0].number}"
        return now_ns

    def _is_change(self, store: Store, posted: Posted) -> bool:
        """Tell whether a message only changes one that is there."""
        return posted.rank >= UPDATE and self.line.shown(store, posted) is not None

    def _gather(self, store: Store, own: list[Posted], now_ns: int) -> int | None:
        """Put a batch together with those before; None: that was all."""
        readable = list[Posted]()
        for posted in own:
            try:
                self._gathered.append(short_of(_decode(posted.body)))
            except msgspec.DecodeError:
                continue  # what becomes of it is told when it is sent
            readable.append(posted)
        if readable:
            body = to_bytes(digest_of(self._gathered))
            store.put_together(readable, self._digest_key, NEWS, body, now_ns)
        if len(own) >= BATCH // 2 and readable:
            return now_ns
        self._digest_key = ""
        self._gathered.clear()
        return now_ns if readable else None
