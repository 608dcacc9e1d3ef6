"""Whether this machine's clock and a venue's agree."""

from __future__ import annotations

from typing import Final

from drainwatch.notices import Notice, NoticeKind

LIMIT_NS: Final = 1_000_000_000
"""Binance refuses a request stamped more than a second ahead of its own clock."""
SPAN_NS: Final = 30_000_000_000
SAMPLES: Final = 3
"""So many events over so long are looked at together: the one that agrees best counts."""


class Skew:
    """Compares a venue's time stamps with the local clock.

    Of each stretch of at least 30 s and three stamps only the one that agrees best counts, so that a
    slow network or a single odd stamp says nothing. One `Skew` goes with a stream through all its
    connections: it speaks once, and again only after the clocks have agreed.
    """

    def __init__(self, exchange: str, stream: str, account: str = "") -> None:
        self.exchange = exchange
        self.account = account
        self.stream = stream
        self.told = False
        self.behind_ns: int | None = None
        """Local minus venue's time in the last stretch; None before the first one is over."""
        self._since_ns = 0
        self._samples = 0
        self._best_ns = 0

    def saw(self, venue_ns: int, now_ns: int) -> Notice | None:
        """Take a stamp that the venue set just before `now_ns`; give the notice that is due, or None."""
        offset = now_ns - venue_ns
        if self._samples == 0:
            self._since_ns = now_ns
            self._best_ns = offset
        elif abs(offset) < abs(self._best_ns):
            self._best_ns = offset
        self._samples += 1
        if self._samples < SAMPLES or now_ns - self._since_ns < SPAN_NS:
            return None
        self._samples = 0
        self.behind_ns = self._best_ns
        if abs(self._best_ns) <= LIMIT_NS:
            self.told = False
            return None
        return self.tell(self._best_ns, now_ns)

    def tell(self, offset_ns: int | None, now_ns: int) -> Notice | None:
        """Give the notice of an offset (local minus venue's time; None: unknown), unless it was given."""
        if self.told:
            return None
        self.told = True
        if offset_ns is None:
            found = "The venue refuses this machine's time stamps"
        elif offset_ns < 0:
            found = f"This machine's clock is {-offset_ns / 1e9:.1f} s behind the venue's"
        else:
            ahead = f"{offset_ns / 1e9:.1f} s"
            found = f"This machine's clock is {ahead} ahead of the venue's, or its messages come so late"
        return Notice(
            kind=NoticeKind.CLOCK_SKEW,
            ts_ns=now_ns,
            text=(
                f"{found}. Logins may be refused, and fills are judged against the wrong moment: "
                "set the clock by NTP (timedatectl set-ntp true)."
            ),
            exchange=self.exchange,
            account=self.account,
            stream=self.stream,
        )


def refused_for_time(exchange: str, account: str, stream: str, now_ns: int) -> Notice:
    """Notice that a login was refused because of its time."""
    notice = Skew(exchange, stream, account).tell(None, now_ns)
    assert notice is not None  # noqa: S101
    return notice
