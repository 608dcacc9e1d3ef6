"""What comes in, put in the order in which it is judged; no clock, no network, no files.

A fill is judged at once. Market rows wait `hold_back`: a fill that arrives late is still judged by what
was known just before it happened, not by the book that its own order left behind. Two kinds of fills wait
a moment, too: those of an order that the bot's log doesn't have yet, as bots write their orders down after
they have placed them, and those of a market of which nothing was heard yet, while its past is asked for.

What is taken goes on in the contract's order, so that a replay of the journal as files judges the same:
by time, rows before fills, ties by what the rows say. Whatever comes too late for its own place gets the
next microsecond after what was taken already.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drainwatch.events import NS_PER_MS, Names
from drainwatch.rows import BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.watch.encoding import known_ns, order_of

US: Final = 1_000
"""Times are whole microseconds: what a float64 of milliseconds can hold."""
HOLD_BACK_NS: Final = 2_000 * NS_PER_MS
WAIT_NS: Final = 1_500 * NS_PER_MS
"""How long a fill waits for the bot's log, or for its market's past, at most."""
MOST_HELD: Final = 200_000
"""Market rows held at most; more than this and the oldest go on."""
REMEMBERED: Final = 200_000
"""Ids of prints, and orders of a bot, that are remembered."""


class _Memory:
    """The last so many keys."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[object, None] = OrderedDict()

    def add(self, key: object) -> bool:
        """Remember a key; False if it was known."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._size:
            self._keys.popitem(last=False)
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._keys


@dataclass(slots=True)
class Waiting:
    """A fill with the time at which it came."""

    fill: Fill
    received_ns: int


class Intake:
    """Takes rows as they arrive; gives them in the order in which they count.

    Parameters
    ----------
    names
        Registry whose markets break ties; it may grow.
    logged
        Accounts whose bot's order log is followed.
    followed
        Exchanges whose market data are followed: the past of a market that turns up is asked for.
    """

    def __init__(
        self,
        names: Names,
        *,
        logged: Iterable[str] = (),
        followed: Iterable[str] = (),
        hold_back_ns: int = HOLD_BACK_NS,
        wait_ns: int = WAIT_NS,
    ) -> None:
        self._names = names
        self._logged = frozenset(logged)
        self._followed = frozenset(followed)
        self._hold_back_ns = hold_back_ns
        self._wait_ns = wait_ns
        self._held: list[tuple[int, int, int, Row]] = []  # known at, number, received, row: a heap
        self._number = 0
        self._fills: list[Waiting] = []
        self._markets: list[Market] = []
        self._prints = _Memory(REMEMBERED)
        self._orders = _Memory(REMEMBERED)
        self._priced: set[tuple[str, str]] = set()
        self._started: set[tuple[str, str]] = set()
        self._past: list[Candle] = []
        self._last_ns = 0
        self._last_fill: tuple[str, ...] | None = None  # key of the last event at `_last_ns`, if a fill
        self.duplicates = 0
        """Prints left out because their id had been told."""

    @property
    def last_ns(self) -> int:
        """Time of the last event given, ns."""
        return self._last_ns

    @property
    def n_held(self) -> int:
        """Market rows that wait."""
        return len(self._held)

    @property
    def n_fills(self) -> int:
        """Fills that wait to be taken."""
        return len(self._fills)

    def oldest_fill_ns(self, account: str) -> int | None:
        """Time of the oldest fill of an account that waits; None: none does."""
        return min((w.fill.ts_ns for w in self._fills if w.fill.account == account), default=None)

    def resume(self, last_ns: int, heard: Iterable[tuple[str, str]] = ()) -> None:
        """Go on after an event at `last_ns`, with nothing at that time, knowing which markets were heard."""
        self._last_ns = max(self._last_ns, last_ns + US)
        self._last_fill = None
        self._started |= set(heard)
        self._priced |= self._started

    def remember(self, row: Row) -> None:
        """Know what a row says of markets and orders: one that is taken, or that the journal has."""
        if isinstance(row, BotOrder):
            for key in (row.order, row.client_order_id):
                if key:
                    self._orders.add((row.account, key))
        elif isinstance(row, (Trade, Quote, Candle)):
            self._priced.add((row.exchange, row.symbol))
            if not isinstance(row, Candle):
                self._started.add((row.exchange, row.symbol))

    def add(self, row: Row, received_ns: int) -> None:
        """Take a row that is fit (`encoding.unfit`)."""
        if isinstance(row, Fill):
            self._fills.append(Waiting(row, received_ns))
            return
        if isinstance(row, Market):
            self._markets.append(row)
            return
        if isinstance(row, Trade) and row.id and not self._prints.add((row.exchange, row.symbol, row.id)):
            self.duplicates += 1
            return
        if isinstance(row, Candle) and (row.exchange, row.symbol) not in self._started:
            self._past.append(row)
            self._priced.add((row.exchange, row.symbol))
            return
        self.remember(row)
        at_ns = known_ns(row)
        at_ns -= at_ns % US
        self._number += 1
        heapq.heappush(self._held, (at_ns, self._number, received_ns, row))

    def next_ns(self) -> int | None:
        """When `take` will have something that it hasn't now; None: not before more comes."""
        soonest = [
            waiting.received_ns + (0 if self._is_ready(waiting.fill) else self._wait_ns)
            for waiting in self._fills
        ]
        if self._past or self._markets:
            soonest.append(0)
        if self._held:
            soonest.append(self._held[0][0] + self._hold_back_ns)
        return min(soonest, default=None)

    def take(self, now_ns: int) -> list[tuple[int, Row]]:
        """Give what counts by now, in order, with the time (ns) at which each counts."""
        out: list[tuple[int, Row]] = [(0, market) for market in self._markets]
        self._markets.clear()
        out += self._take_past()
        ripe = [w for w in self._fills if self._is_ripe(w, now_ns)]
        if ripe:
            if len(ripe) == len(self._fills):
                self._fills.clear()
            else:
                self._fills = [w for w in self._fills if not self._is_ripe(w, now_ns)]
            ripe.sort(key=lambda w: (w.fill.ts_ns, _sort_key(w.fill)))
            for waiting in ripe:
                at_ns = waiting.fill.ts_ns - waiting.fill.ts_ns % US
                self._take_rows(at_ns, out)
                self._give_fill(at_ns, waiting.fill, out)
        self._take_rows(now_ns - self._hold_back_ns, out)
        while len(self._held) > MOST_HELD:
            self._take_rows(self._held[0][0], out)
        return out

    def _take_past(self) -> list[tuple[int, Row]]:
        """Give the past of markets that begin, at its own times: nothing of theirs was before it."""
        past: list[tuple[int, Row]] = [(known_ns(row), row) for row in self._past]
        past.sort(key=lambda item: item[0])
        self._started |= {(row.exchange, row.symbol) for row in self._past}
        self._past.clear()
        return past

    def _is_ripe(self, waiting: Waiting, now_ns: int) -> bool:
        return now_ns >= waiting.received_ns + self._wait_ns or self._is_ready(waiting.fill)

    def _is_ready(self, fill: Fill) -> bool:
        """Whether there is nothing to wait for."""
        if fill.exchange in self._followed and (fill.exchange, fill.symbol) not in self._priced:
            return False
        if fill.account not in self._logged:
            return True
        orders = self._orders
        return (fill.account, fill.order) in orders or (fill.account, fill.client_order_id) in orders

    def _take_rows(self, until_ns: int, out: list[tuple[int, Row]]) -> None:
        """Give held rows known at `until_ns` at the latest."""
        held = self._held
        while held and held[0][0] <= until_ns:
            at_ns = held[0][0]
            same = [heapq.heappop(held)[3]]
            while held and held[0][0] == at_ns:
                same.append(heapq.heappop(held)[3])
            if at_ns < self._last_ns or (at_ns == self._last_ns and self._last_ns > 0):
                # too late for its place: something at that time or later has been given
                at_ns = self._last_ns + US
            if len(same) > 1:
                same = [same[i] for i in order_of(self._names, same)]
            before: Row | None = None
            for row in same:
                if row != before or isinstance(row, Trade):  # prints without an id are all kept
                    out.append((at_ns, row))
                before = row
            self._last_ns, self._last_fill = at_ns, None

    def _give_fill(self, at_ns: int, fill: Fill, out: list[tuple[int, Row]]) -> None:
        key = _sort_key(fill)
        at_ns = max(at_ns, self._last_ns)
        if at_ns == self._last_ns and self._last_fill is not None and key <= self._last_fill:
            at_ns += US
        out.append((at_ns, fill))
        self._last_ns, self._last_fill = at_ns, key


def _sort_key(fill: Fill) -> tuple[str, ...]:
    """How fills of one time are ordered by the contract."""
    return (fill.exchange, fill.account, fill.symbol, fill.id, fill.order or "", fill.side)
