"""How fast a service takes messages, known before it complains; with room kept for what can't wait. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from drainwatch.alerts.channel import Channel
from drainwatch.events import NS_PER_S


class Limit(NamedTuple):
    """So many messages within such a time."""

    most: int
    span_ns: int


_SECOND: Final = Limit(1, NS_PER_S)
_LIMITS: Final = {
    "slack": (_SECOND,),
    "telegram": (_SECOND,),
    "telegram group": (_SECOND, Limit(20, 60 * NS_PER_S)),
    # two figures are about; both are kept, and the service's own headers besides
    "discord": (Limit(5, 2 * NS_PER_S), Limit(30, 60 * NS_PER_S)),
    "apprise": (_SECOND,),
}
SPARE_NS: Final = NS_PER_S // 20
"""So much longer than need be is waited: a message takes its time, and not always the same."""


def limits_of(channel: Channel) -> tuple[Limit, ...]:
    """Give what a channel's service documents; nothing for an address of the owner's own.

    A chat of Telegram's is a group, or a channel, where its number is negative or a name.
    """
    if channel.kind == "telegram" and not channel.chat_id.isdecimal():
        return _LIMITS["telegram group"]
    return _LIMITS.get(channel.kind, ())


class Pace:
    """When the next message may go to one place.

    Half of each limit is kept for what can't wait: however many warnings there are, a critical alert
    finds room. Where only one goes at a time, it waits for one at most.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = tuple(limits)
        self._sent = deque[int](maxlen=max((limit.most for limit in limits), default=1))
        """When the last ones went."""
        self._could_wait = deque[int](maxlen=self._sent.maxlen)
        """Of these, those that could have waited."""

    def ready_ns(self, now_ns: int, *, urgent: bool) -> int:
        """Say from when on the next may go; it may be past."""
        for sent in (self._sent, self._could_wait):
            while sent and sent[-1] > now_ns:  # the clock was set back
                sent.pop()
        ready_ns = 0
        for most, span_ns in self._limits:
            ready_ns = max(ready_ns, _free_ns(self._sent, most, span_ns))
            if not urgent:
                ready_ns = max(ready_ns, _free_ns(self._could_wait, max(most // 2, 1), span_ns))
        return ready_ns

    def note(self, now_ns: int, *, urgent: bool) -> None:
        """Note that one goes now."""
        self._sent.append(now_ns)
        if not urgent:
            self._could_wait.append(now_ns)


def _free_ns(sent: Sequence[int], most: int, span_ns: int) -> int:
    """Say when of the last `most` the first is so long ago that another may go."""
    return sent[-most] + span_ns + SPARE_NS if len(sent) >= most else 0
