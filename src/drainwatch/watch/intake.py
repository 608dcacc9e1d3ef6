"""What comes in, put in the order in which it is judged; no clock, no network, no files.

A fill is judged at once. Market rows wait `hold_back`: a fill that arrives late is still judged by what
was known just before it happened, not by the book that its own order left behind. Two kinds of fills wait
a moment, too: those of an order that the bot's log doesn't have yet, as bots write their orders down after
they have placed them, and those of a market of which nothing was heard yet, while its past is asked for.

What is taken goes on in the contract's order, so that a replay of the journal as files judges the same:
by time, rows before fills, ties by what the rows say. Whatever comes too late for its own place gets the
next microsecond after what was taken already; a candle keeps its own time beside that, as the past of a
market is told late and yet belongs where it was.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from drainwatch.events import NS_PER_MS, Names
from drainwatch.rows import BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.watch.encoding import US, known_ns, order_of

HOLD_BACK_NS: Final = 2_000 * NS_PER_MS
WAIT_NS: Final = 1_500 * NS_PER_MS
"""How long a fill waits for the bot's log, or for its market's past, at most."""
MOST_HELD: Final = 200_000
"""Market rows held at most; more than this and the oldest go on."""
REMEMBERED: Final = 200_000
"""Ids of prints, and orders of a bot, that are remembered."""

ROWS_LAST: Final[tuple[str, ...]] = ("",)
"""Stands for the key of the last fill where a row was last: all fills of that time go after it."""


class Memory:
    """The last so many keys."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def add(self, key: tuple[str, ...]) -> bool:
        """Remember a key; False if it was known."""
        keys = self._keys
        if key in keys:
            return False
        keys[key] = None
        if len(keys) > self._size:
            keys.popitem(last=False)
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> list[tuple[str, ...]]:
        """All of them, the oldest first."""
        return list(self._keys)


class Waiting(NamedTuple):
    """A fill that came, in the contract's order: by time, then by key."""

    at_ns: int
    key: tuple[str, ...]
    received_ns: int
    fill: Fill


class Remembered(msgspec.Struct, frozen=True):
    """What an intake knows beside what it holds: enough for another to go on as this one would."""

    last_ns: int
    last_fill: tuple[str, ...]
    """Key of the event at that time, if it was a fill."""
    heard: list[tuple[str, str]]
    prints: list[tuple[str, ...]]
    orders: list[tuple[str, ...]]


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
        self._held: list[tuple[int, int, Row]] = []  # known at, number, row: a heap
        self._number = 0
        self._fills: list[Waiting] = []
        self._markets: list[Market] = []
        self._prints = Memory(REMEMBERED)
        self._orders = Memory(REMEMBERED)
        self._priced: set[tuple[str, str]] = set()
        self._last_ns = 0
        self._last_fill: tuple[str, ...] = ROWS_LAST  # key of the event at `_last_ns`
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

    def remembered(self) -> Remembered:
        """What is known beside the rows that wait."""
        return Remembered(
            self._last_ns, self._last_fill, sorted(self._priced), self._prints.keys(), self._orders.keys()
        )

    def resume(self, known: Remembered) -> None:
        """Go on where another was, beside what was remembered since."""
        self._last_ns, self._last_fill = known.last_ns, known.last_fill
        self._priced |= set(known.heard)
        for key in known.prints:
            self._prints.add(key)
        for key in known.orders:
            self._orders.add(key)

    def pass_by(self, ns: int) -> None:
        """Give nothing that counts before `ns` from now on, and no row at it any more."""
        if ns > self._last_ns:
            self._last_ns, self._last_fill = ns, ROWS_LAST

    def remember(self, row: Row) -> None:
        """Know what a row says of markets and orders: one that is taken, or that the journal has."""
        if isinstance(row, BotOrder):
            for key in (row.order, row.client_order_id):
                if key:
                    self._orders.add((row.account, key))
        elif isinstance(row, (Trade, Quote, Candle)):
            self._priced.add((row.exchange, row.symbol))
            if type(row) is Trade and row.id:
                self._prints.add((row.exchange, row.symbol, row.id))

    def add(self, row: Row, received_ns: int) -> None:
        """Take a row that is fit (`encoding.unfit`)."""
        if type(row) is Fill:
            at_ns = row.ts_ns - row.ts_ns % US
            self._fills.append(Waiting(at_ns, sort_key(row), received_ns, row))
            return
        if isinstance(row, Market):
            self._markets.append(row)
            return
        if type(row) is Trade and row.id and (row.exchange, row.symbol, row.id) in self._prints:
            self.duplicates += 1
            return
        self.remember(row)
        at_ns = known_ns(row)
        at_ns -= at_ns % US
        self._number += 1
        heapq.heappush(self._held, (at_ns, self._number, row))

    def next_ns(self) -> int | None:
        """When `take` will have something that it hasn't now; None: not before more comes."""
        soonest = [
            waiting.received_ns + (0 if self._is_ready(waiting.fill) else self._wait_ns)
            for waiting in self._fills
        ]
        if self._markets:
            soonest.append(0)
        if self._held:
            soonest.append(self._held[0][0] + self._hold_back_ns)
        return min(soonest, default=None)

    def take(self, now_ns: int) -> list[tuple[int, Row]]:
        """Give what counts by now, in order, with the time (ns) at which each counts."""
        out: list[tuple[int, Row]] = []
        if self._markets:
            out += [(0, market) for market in self._markets]
            self._markets.clear()
        if self._fills:
            self._take_fills(now_ns, out)
        self._take_rows(now_ns - self._hold_back_ns, out)
        while len(self._held) > MOST_HELD:
            self._take_rows(self._held[0][0], out)
        return out

    def _take_fills(self, now_ns: int, out: list[tuple[int, Row]]) -> None:
        ripe = [waiting for waiting in self._fills if self._is_ripe(waiting, now_ns)]
        if not ripe:
            return
        if len(ripe) == len(self._fills):
            self._fills.clear()
        else:
            self._fills = [waiting for waiting in self._fills if not self._is_ripe(waiting, now_ns)]
        if len(ripe) > 1:
            ripe.sort(key=_by_place)
        held = self._held
        for at_ns, key, _, fill in ripe:
            if held and held[0][0] <= at_ns:
                self._take_rows(at_ns, out)
            if at_ns <= self._last_ns:
                at_ns = self._last_ns if key > self._last_fill else self._last_ns + US  # noqa: PLW2901
            out.append((at_ns, fill))
            self._last_ns, self._last_fill = at_ns, key

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
        pop = heapq.heappop
        while held and held[0][0] <= until_ns:
            at_ns, _, row = pop(held)
            same: list[Row] | None = None
            while held and held[0][0] == at_ns:
                if same is None:
                    same = [row]
                same.append(pop(held)[2])
            if at_ns <= self._last_ns and self._last_ns > 0:
                # too late for its place: something at that time or later has been given
                at_ns = self._last_ns + US
            if same is None:
                out.append((at_ns, row))
            else:
                before: Row | None = None
                for i in order_of(self._names, same):
                    row = same[i]
                    if row != before or isinstance(row, Trade):  # prints without an id are all kept
                        out.append((at_ns, row))
                    before = row
            self._last_ns, self._last_fill = at_ns, ROWS_LAST


def _by_place(waiting: Waiting) -> tuple[int, tuple[str, ...]]:
    return waiting[:2]


def sort_key(fill: Fill) -> tuple[str, ...]:
    """How fills of one time are ordered by the contract."""
    return (fill.exchange, fill.account, fill.symbol, fill.id, fill.order or "", fill.side)
