"""Our clock against the venue's: what was done can't lie ahead."""

from __future__ import annotations

from drainwatch.notices import Notice, NoticeKind

NS_PER_S = 1_000_000_000
LIMIT_NS = 1_000_000_000
"""How far a venue's time may lie ahead of ours."""
EVENTS = 3
"""So many events in a row must lie ahead before it is said ..."""
SPAN_NS = 5_000_000_000
"""... over at least this long, so that one odd event isn't enough."""


class Skew:
    """Watches the times of a stream's events; says once that our clock is slow, until that is gone.

    Only a slow clock shows: an event from the past may as well be a late message.
    """

    def __init__(self, exchange: str, stream: str) -> None:
        self._exchange = exchange
        self._stream = stream
        self._in_a_row = 0
        self._since_ns = 0
        self._said = False

    def saw(self, event_ns: int, now_ns: int) -> Notice | None:
        """Take an event's time at the venue and the time at which it was read."""
        ahead_ns = event_ns - now_ns
        if ahead_ns <= LIMIT_NS:
            self._in_a_row = 0
            self._said = False
            return None
        if not self._in_a_row:
            self._since_ns = now_ns
        self._in_a_row += 1
        if self._said or self._in_a_row < EVENTS or now_ns - self._since_ns < SPAN_NS:
            return None
        self._said = True
        return Notice(
            kind=NoticeKind.CLOCK_SKEW,
            ts_ns=now_ns,
            text=f"This computer's clock is {ahead_ns / NS_PER_S:.1f} s behind {self._exchange}'s. Fills "
            "can't be compared with prices from elsewhere, and logins may be refused: set the clock (NTP).",
            exchange=self._exchange,
            stream=self._stream,
            since_ns=self._since_ns,
        )


def refused_for_time(exchange: str, account: str, stream: str, now_ns: int) -> Notice:
    """Notice that a login was refused because of its time."""
    return Notice(
        kind=NoticeKind.CLOCK_SKEW,
        ts_ns=now_ns,
        text=f"{exchange} refused the login because its time is too far from the venue's: "
        "set this computer's clock (NTP). Until then this stream is deaf.",
        exchange=exchange,
        account=account,
        stream=stream,
    )
