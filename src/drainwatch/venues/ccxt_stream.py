"""An account's fills from any venue that ccxt.pro streams: the breadth, with its traps closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from typing import Any

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.events import NS_PER_S
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Balance, Fill, Market
from drainwatch.venues.ccxt_errors import error_of, named
from drainwatch.venues.ccxt_public import CcxtPublic
from drainwatch.venues.ccxt_rows import exact, fill_of
from drainwatch.venues.ccxt_table import Coverage, coverage_of
from drainwatch.venues.ccxt_tap import Tap
from drainwatch.venues.discovery import candidates, changed, explained
from drainwatch.venues.order_fills import OrderFills
from drainwatch.venues.ports import Clock, Sink
from drainwatch.venues.protocol import BadMessage
from drainwatch.venues.rest import OVERLAP_NS, Rest

_MOST_SEEN = 200_000
_MOST_WAITING = 20_000
_TAKEN_AT_ONCE = 1_000
_TOLD_LATE_NS = 30 * NS_PER_S
"""A fill older than this that only the back-fill found wasn't told by the stream at all."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds."""

    backfill_s: float = 300.0
    """Missed fills and balances are asked for so often."""
    settle_s: float = 1.0
    """So long after connecting, a subscription is taken to stand; fills are asked for then, and again."""
    again_s: float = 15.0
    """When that is: for what came while the subscription wasn't confirmed yet."""
    quiet_s: float = 1_800.0
    """A private connection without a message for so long is made anew."""
    retry_s: float = 1.0
    retry_most_s: float = 60.0
    refused_s: float = 300.0
    """A refused key is tried again so late."""


class CcxtStream:
    """One account at one venue: its fills, and public data of what it trades.

    Own trades are taken where ccxt files them (`Tap`), each connection is a fresh ccxt object so that
    nothing of a dead one lives on, and what REST tells after every connect and on a timer fills in
    what was missed. Fills already told are told again only after `_MOST_SEEN` others.

    Parameters
    ----------
    rest
        The venue, with the key.
    symbols
        Markets that the account is known to trade.
    since_ns
        Fills from then on are wanted; now if None.
    """

    def __init__(
        self,
        rest: Rest,
        sink: Sink,
        clock: Clock,
        *,
        symbols: Collection[str] = (),
        since_ns: int | None = None,
        pace: Pace | None = None,
        public: bool = True,
    ) -> None:
        self._rest, self._sink, self._clock = rest, sink, clock
        self._pace = pace or Pace()
        self.exchange, self.account = rest.exchange_id, rest.account
        self.stream = f"{rest.exchange_id} private"
        self.known: set[str] = set(symbols)
        """Symbols that fills are asked for of, where the venue wants one named."""
        self._public = CcxtPublic(rest, sink, clock) if public else None
        self._since_ns = clock.now_ns() if since_ns is None else since_ns
        self._from_ns = self._since_ns - OVERLAP_NS
        self._seen: OrderedDict[tuple[str, str, str], set[str | None]] = OrderedDict()
        self._waiting: deque[tuple[Fill, int]] = deque()
        self._arrived, self._asked, self._new_symbols = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._filling = asyncio.Lock()
        self._order_fills = OrderFills(self.exchange, self.account)
        self._coverage = Coverage.NONE
        self._by_symbol = False
        self._tap: Tap | None = None
        self._connected_ns: int | None = None
        self._down_ns: int | None = None
        self._connected_before = False
        self._totals: dict[str, float] | None = None
        self._looked_ns = self._since_ns
        self._moved: set[str] = set()
        self._refused = False
        self._lack_told: NoticeKind | None = None
        self._unlisted_tried: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether the stream stands."""
        return self._connected_ns is not None

    async def want(self, symbols: Collection[str]) -> None:
        """Have the public data of further symbols."""
        if self._public is not None:
            await self._public.want(symbols)

    async def run(self) -> None:
        """Stream until cancelled.

        Raises
        ------
        VenueError
            The venue can't be watched at all: ccxt has neither its fills nor its orders.
        """
        await self._start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_over())
            group.create_task(self._fill_in_on_time())
            if self._coverage is not Coverage.POLLED:
                group.create_task(self._stay_connected())
            if self._public is not None:
                group.create_task(self._public.run())

    async def _start(self) -> None:
        markets: list[Market] = []
        delay_s = self._pace.retry_s
        while not markets:
            try:
                markets = await self._rest.markets()
            except VenueError as error:
                self._note_down(str(error), refused=isinstance(error, KeyRefusedError))
                await self._clock.sleep(delay_s)
                delay_s = min(self._pace.retry_most_s, 2 * delay_s)
        await self._sink.rows(markets, self._clock.now_ns())
        self._coverage = self._reachable()
        if self._coverage is Coverage.NONE:
            raise VenueError(
                f"{self.exchange}: expected a venue whose fills or orders ccxt can give, but it has neither; "
                "push the fills in over the local socket instead"
            )
        await self.want(self.known)

    def _reachable(self) -> Coverage:
        probe = self._rest.exchange
        with contextlib.suppress(Exception):  # no streaming class: what REST can do remains
            probe = self._rest.new(streams=True)
        return coverage_of(probe.has)

    # --- the connection ------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        delay_s = self._pace.retry_s
        while True:
            began_ns = self._clock.now_ns()
            why, refused = await self._connection()
            self._connected_ns = None
            self._note_down(why, refused=refused)
            lasted_s = (self._clock.now_ns() - began_ns) / NS_PER_S
            delay_s = self._pace.retry_s if lasted_s > 60 else min(self._pace.retry_most_s, 2 * delay_s)
            await self._clock.sleep(self._pace.refused_s if refused else delay_s)

    async def _connection(self) -> tuple[str, bool]:
        """Hold one connection to its end; give why it ended, and whether the key is refused."""
        exchange = self._rest.new(streams=True)
        exchange.set_markets_from_exchange(self._rest.exchange)
        exchange.number = str
        orders = self._coverage is not Coverage.FILLS
        tap = self._tap = Tap(
            exchange,
            on_trouble=self._trouble,
            on_trade=None if orders else self._take_trade,
            on_order=self._take_order if orders else None,
            behind=lambda: len(self._waiting) > _MOST_WAITING,
        )
        subscribed = asyncio.create_task(self._subscribe(tap))
        ended = asyncio.create_task(tap.ended.wait())
        others = [asyncio.create_task(self._on_standing(tap)), asyncio.create_task(self._end_if_quiet(tap))]
        try:
            await asyncio.wait({subscribed, ended}, return_when=asyncio.FIRST_COMPLETED)
            # What broke the connection reaches who waits on it a moment later, and says more.
            await asyncio.wait({subscribed}, timeout=0.05)
            failure = None
            if subscribed.done() and not subscribed.cancelled():
                failure = subscribed.exception()
        finally:
            self._tap = None
            for task in (subscribed, ended, *others):
                task.cancel()
            await asyncio.gather(subscribed, ended, *others, return_exceptions=True)
            await tap.close()
        if tap.session_lost:
            self._notice(NoticeKind.SESSION_LOST, f"{self.stream}: {tap.why}; connecting anew")
        if failure is None:
            return tap.why or "the stream ended", False
        return await self._reason(failure, tap.why)

    async def _reason(self, failure: BaseException, why: str) -> tuple[str, bool]:
        error = error_of(failure, self.exchange, "streaming")
        if isinstance(error, KeyRefusedError):
            return str(error), True
        if named(failure, "NetworkError"):
            return why or str(error), False
        # ccxt's own code may trip over a refusal (KeyError of Binance's): REST says it properly.
        try:
            await self._rest.balances()
        except KeyRefusedError as refusal:
            return str(refusal), True
        except VenueError as other:
            return str(other), False
        return str(error), False

    async def _subscribe(self, tap: Tap) -> None:
        """Keep ccxt subscribed; the rows are taken by the tap. Raises what ccxt raises."""
        if not self._by_symbol:
            try:
                await self._watch(tap, None)
            except Exception as error:
                if not named(error, "ArgumentsRequired"):
                    raise
                self._by_symbol = True
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while not tap.ended.is_set():
                self._new_symbols.clear()
                for symbol in self.known & self._rest.by_symbol.keys() - tasks.keys():
                    tasks[symbol] = asyncio.create_task(self._watch(tap, symbol))
                changed_task = asyncio.create_task(self._new_symbols.wait())
                done, _ = await asyncio.wait(
                    {changed_task, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED
                )
                changed_task.cancel()
                for task in done - {changed_task}:
                    task.result()
                    return
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _watch(self, tap: Tap, symbol: str | None) -> None:
        exchange = tap.exchange
        call = exchange.watch_my_trades if self._coverage is Coverage.FILLS else exchange.watch_orders
        while not tap.ended.is_set():
            try:
                await call(symbol)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # ccxt cancels who waits for a client that it closes.
                tap.end("ccxt gave the connection up")
                return
            # A venue whose call returns at once must not starve the others.
            await asyncio.sleep(0)

    async def _on_standing(self, tap: Tap) -> None:
        while not tap.connected:
            await self._clock.sleep(min(0.05, self._pace.settle_s))
        await self._clock.sleep(self._pace.settle_s)
        await self._fill_in()
        self._connected_ns = self._clock.now_ns()
        first, self._connected_before = not self._connected_before, True
        await self._sink.ready(self.stream, first=first)
        if self._down_ns is not None:
            since_ns, self._down_ns, self._refused = self._down_ns, None, False
            self._notice(
                NoticeKind.STREAM_BACK,
                f"{self.stream} is back; what was missed has been asked for.",
                since_ns=since_ns,
            )
        await self._clock.sleep(self._pace.again_s)
        self._asked.set()

    async def _end_if_quiet(self, tap: Tap) -> None:
        while True:
            heard = tap.heard
            await self._clock.sleep(self._pace.quiet_s)
            if tap.heard == heard:
                tap.end(f"nothing was heard for {self._pace.quiet_s:g} s")

    # --- what comes in -------------------------------------------------------------------------

    def _take_trade(self, trade: Any) -> None:
        row = fill_of(trade, self.exchange, self.account)
        if isinstance(row, BadMessage):
            self._sink.bad(row)
            self._asked.set()
        elif row.ts_ns >= self._from_ns:
            # Some venues begin with the last fills, however old.
            self._tell(row)

    def _take_order(self, order: Any) -> None:
        if self._coverage is Coverage.ORDERS:
            # The venue's own list has each fill with its id and price: the update only says when to look.
            filled = exact(order.get("filled")) if isinstance(order, dict) else None
            if filled is not None and float(filled) > 0:
                self._asked.set()
            return
        row = self._order_fills.take(order)
        if isinstance(row, Fill):
            self._tell(row)
        elif row is not None:
            self._sink.bad(row)

    def _tell(self, fill: Fill) -> bool:
        """Queue a fill unless it was told before; say whether it is new."""
        key = (fill.symbol, fill.id, fill.side)
        orders = self._seen.get(key)
        if orders is not None and (fill.order in orders or None in orders or fill.order is None):
            return False
        if orders is None:
            orders = self._seen[key] = set()
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
        orders.add(fill.order)
        self._moved |= explained([fill], self._rest.by_symbol)
        if fill.symbol not in self.known:
            self.known.add(fill.symbol)
            self._new_symbols.set()
            self._sink.seen(self.exchange, {fill.symbol})
        self._waiting.append((fill, self._clock.now_ns()))
        self._arrived.set()
        return True

    async def _hand_over(self) -> None:
        while True:
            self._arrived.clear()
            while self._waiting:
                count = min(len(self._waiting), _TAKEN_AT_ONCE)
                batch = [self._waiting.popleft() for _ in range(count)]
                await self._sink.rows([fill for fill, _ in batch], batch[0][1])
                if self._tap is not None and len(self._waiting) < _MOST_WAITING // 2:
                    self._tap.resume()
            await self._arrived.wait()

    def _trouble(self, reason: str, frame: bytes) -> None:
        self._sink.bad(BadMessage(self.stream, reason, frame))
        # A fill may have been in it.
        self._asked.set()

    # --- what was missed -----------------------------------------------------------------------

    async def _fill_in_on_time(self) -> None:
        pause_s = least_s = min(1.0, self._pace.backfill_s)
        while True:
            await _first(self._asked.wait(), self._clock.sleep(self._pace.backfill_s))
            by_timer = not self._asked.is_set()
            self._asked.clear()
            late = await self._fill_in()
            # Since when it stands now: one made anew meanwhile has told of nothing yet.
            stood_ns = self._connected_ns
            if by_timer and stood_ns is not None and self._tap is not None:
                untold = [
                    fill for fill in late if stood_ns < fill.ts_ns < self._clock.now_ns() - _TOLD_LATE_NS
                ]
                if untold:
                    self._notice(
                        NoticeKind.SILENCE,
                        f"{self.stream} did not tell of {len(untold)} fills that the exchange lists; they "
                        "have been filled in, and the connection is made anew.",
                        since_ns=min(fill.ts_ns for fill in untold),
                    )
                    self._tap.end("it did not tell of fills")
            # Messages that can't be read may come by the hundred, and most hold no fill.
            pause_s = least_s if late or by_timer else min(30.0, 2 * pause_s)
            await self._clock.sleep(pause_s)

    async def _fill_in(self) -> list[Fill]:
        """Ask for what may have been missed; give the fills that were."""
        async with self._filling:
            began_ns = self._clock.now_ns()
            found: list[Fill] = []
            try:
                if self._rest.lists_fills:
                    fills = await self._rest.my_trades(self.known, self._since_ns)
                    found = [fill for fill in fills if self._tell(fill)]
                    self._since_ns = max(self._since_ns, began_ns)
                await self._look_at_balances(found)
            except VenueError as error:
                kind = NoticeKind.KEY_REFUSED if isinstance(error, KeyRefusedError) else NoticeKind.GAP
                if kind is not self._lack_told:
                    self._lack_told = kind
                    self._notice(
                        kind,
                        f"{error}. Fills since then may be missing until it works again.",
                        since_ns=self._since_ns,
                        until_ns=began_ns,
                    )
                if kind is NoticeKind.GAP:
                    self._asked.set()  # soon: on time may be minutes away
            else:
                self._lack_told = None
            return found

    async def _look_at_balances(self, found: list[Fill]) -> None:
        """Hand balances on, and find markets that nobody knew of by what moved."""
        if not self._rest.exchange.has.get("fetchBalance"):
            return
        rows: list[Balance] = await self._rest.balances()
        if rows:
            await self._sink.rows(rows, self._clock.now_ns())
        totals = {row.currency: row.total for row in rows}
        before, self._totals = self._totals, totals
        looked_ns, self._looked_ns = self._looked_ns, self._clock.now_ns()
        known_to_move, self._moved = self._moved, set()
        if before is None or not self._rest.lists_fills or not await self._rest.symbol_needed():
            return
        moved = changed(before, totals)
        if not moved:
            return
        listed = {
            currency for m in self._rest.by_symbol.values() for currency in (m.base, m.quote)
        } | self._unlisted_tried
        if not moved <= listed:
            # A coin listed since the markets were loaded.
            self._unlisted_tried |= moved - listed
            await self._sink.rows(await self._rest.markets(reload=True), self._clock.now_ns())
        symbols = candidates(moved, self.known, self._rest.by_symbol.values(), explained=known_to_move)
        if symbols:
            # Since the look before: `_since_ns` has moved on already.
            fills = await self._rest.my_trades(symbols, looked_ns)
            found += [fill for fill in fills if self._tell(fill)]

    # --- what is said of it --------------------------------------------------------------------

    def _note_down(self, why: str, *, refused: bool) -> None:
        """Say once that the stream is down, and once that the key is refused."""
        if refused and not self._refused:
            self._refused = True
            self._notice(
                NoticeKind.KEY_REFUSED,
                f"{why}. Nothing of this account is seen until the exchange takes the key again.",
            )
        elif self._down_ns is None:
            self._notice(
                NoticeKind.STREAM_CLOSED,
                f"{self.stream} ended: {why}. Fills are seen again when it is back; trying on.",
            )
        if self._down_ns is None:
            self._down_ns = self._clock.now_ns()

    def _notice(
        self, kind: NoticeKind, text: str, since_ns: int | None = None, until_ns: int | None = None
    ) -> None:
        self._sink.notice(
            Notice(
                kind=kind,
                ts_ns=self._clock.now_ns(),
                text=text,
                exchange=self.exchange,
                account=self.account,
                stream=self.stream,
                since_ns=since_ns,
                until_ns=until_ns,
            )
        )


async def _first(*waits: Awaitable[Any]) -> None:
    """Wait for the first of these, and let the others go."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
