"""How fast a service takes messages, known before it complains; with room kept for what can't wait. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from drainwatch.alerts.channel import Channel
from drainwatch.events import NS_PER_S


class Limit(NamedTuple):
    """So many messages within such a time."""

    count: int
    span_ns: int

    @property
    def common(self) -> int:
        """Of these, so many for what can wait."""
        return max(self.count // 2, 1)


_SECOND: Final = Limit(1, NS_PER_S)
_LIMITS: Final = {
    "slack": (_SECOND,),
    "telegram": (_SECOND,),
    "telegram group": (_SECOND, Limit(20, 60 * NS_PER_S)),
    # two figures are about: the stricter holds at each moment; the service's own headers besides
    "discord": (Limit(5, 2 * NS_PER_S), Limit(30, 60 * NS_PER_S)),
    "apprise": (_SECOND,),
}
_SLACK_NS: Final = NS_PER_S // 20
"""So much longer we wait than need be: two clocks never agree, and a message takes its time."""


def limits_of(channel: Channel) -> tuple[Limit, ...]:
    """Give what a channel's service documents; nothing for an address of the owner's own.

    A chat of Telegram's is a group, or a channel, where its number is negative or a name.
    """
    if channel.kind == "telegram" and not channel.chat_id.isdecimal():
        return _LIMITS["telegram group"]
    return _LIMITS.get(channel.kind, ())


class Pace:
    """When the next message may go to one service's channel.

    Half of each limit is kept for what can't wait: however many warnings there are, a critical alert
    finds room. Where only one goes at a time it waits for one at most.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = tuple(limits)
        longest = max((limit.count for limit in limits), default=0)
        self._sent = deque[tuple[int, bool]](maxlen=longest or 1)
        """The last ones: when, and whether it could have waited."""

    def ready_ns(self, *, urgent: bool) -> int:
        """Say from when on the next may go; it may be past."""
        ready_ns = 0
        for count, span_ns in self._limits:
            ready_ns = max(ready_ns, self._after([at for at, _ in self._sent], count, span_ns))
            if not urgent:
                common = [at for at, could_wait in self._sent if could_wait]
                ready_ns = max(ready_ns, self._after(common, Limit(count, span_ns).common, span_ns))
        return ready_ns

    @staticmethod
    def _after(sent: Sequence[int], count: int, span_ns: int) -> int:
        return sent[-count] + span_ns + _SLACK_NS if len(sent) >= count else 0

    def note(self, now_ns: int, *, urgent: bool) -> None:
        """Note that one goes now."""
        self._sent.append((now_ns, not urgent))
