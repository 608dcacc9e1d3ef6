"""What a stream may have missed, asked for of the venue: after every connect, on a timer, and in doubt.

A stream tells what happens while it stands, if it isn't deaf. So the venue's own list of fills is read
again and again, from the last time up to which all fills are known. That time is kept in the store, and
never moves past a fill that isn't in the journal. What can't be filled in is said.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from drainwatch.errors import KeyRefusedError, StateError, VenueError
from drainwatch.events import NS_PER_S
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill, Market, Row
from drainwatch.venues.discovery import candidates, changed, explained
from drainwatch.venues.ports import Clock
from drainwatch.venues.rest import Rest
from drainwatch.watch.hub import Hub

OVERLAP_NS: Final = 60 * NS_PER_S
"""What is asked for again: fills are listed a little after they happen."""
RETRY_S: Final = 2.0
LAST_RETRY_S: Final = 120.0
TOLD_AFTER_S: Final = 10.0
DOUBT_S: Final = 1.0
"""After a private message that isn't understood, the venue's list is looked at so soon ..."""
LAST_DOUBT_S: Final = 30.0
"""... and later, up to this, the more often nothing is found."""
LATE_NS: Final = 30 * NS_PER_S
"""A fill that only the venue's list tells of, so long after it happened, wasn't told by the stream at all."""
SETTLED_NS: Final = NS_PER_S
"""So long after a stream stands, it tells of everything."""
SKEW_EVERY_NS: Final = 3_600 * NS_PER_S
MOST_TOLD: Final = 200_000

T = TypeVar("T")


@dataclass(slots=True)
class _Looked:
    """What the account held when its balances were last looked at."""

    at_ns: int
    totals: dict[str, float]


class Backfill:
    """Fills in what the streams of one account missed.

    Parameters
    ----------
    name, exchange
        The account's name in the settings, and the exchange's id.
    rest, hub, clock
        REST of the venue with the account's key, where notices and balances go, and the time.
    deliver
        Takes the fills that are found, and tells of them in turn (`told`).
    traded
        Unified symbols that the account trades; grows elsewhere.
    markets
        All that the venue lists by unified symbol; grows elsewhere.
    relist
        Reads the venue's list of markets anew.
    deaf
        Called with what to say of it when the stream is found not to tell of fills.
    """

    def __init__(
        self,
        name: str,
        exchange: str,
        rest: Rest,
        hub: Hub,
        clock: Clock,
        *,
        deliver: Callable[[Sequence[Row]], Awaitable[None]],
        traded: set[str],
        markets: Mapping[str, Market],
        relist: Callable[[], Awaitable[None]],
        deaf: Callable[[str], None],
    ) -> None:
        self.name, self.exchange = name, exchange
        self._rest, self._hub, self._clock = rest, hub, clock
        self._deliver, self._relist, self._deaf = deliver, relist, deaf
        self._traded, self._markets = traded, markets
        self._one = asyncio.Lock()
        self._doubted = asyncio.Event()
        self._told: OrderedDict[tuple[str, str, str, str, str | None, str], int] = OrderedDict()
        self._explained: set[str] = set()
        self._explained_by: set[tuple[str, str | None]] = set()
        """Symbols and fee currencies whose fills are in it already."""
        self._looked = self._remembered_look()
        self._unlisted_tried: set[str] = set()
        self._undiscovered_told = False
        self._stood_ns: int | None = None
        self._bad = 0
        self._skew_ns = 0
        self._skew_asked_ns: int | None = None

    # --- what the streams say --------------------------------------------------------------------------

    def told(self, fill: Fill) -> None:
        """Know a fill that is on its way to the journal, whoever told of it."""
        key = fill.key
        if key not in self._told:
            self._told[key] = fill.ts_ns
            moved = fill.symbol, fill.fee_currency
            if moved not in self._explained_by:
                self._explained |= explained([fill], self._markets)
                if fill.symbol in self._markets:
                    self._explained_by.add(moved)
            if len(self._told) > MOST_TOLD:
                self._told.popitem(last=False)

    def doubt(self) -> None:
        """Look soon: a private message wasn't understood, and it may have been a fill."""
        self._bad += 1
        self._doubted.set()

    def begin(self) -> int:
        """Watch from now on if it wasn't watched before; gives since when all fills are wanted."""
        since_ns = self._cursor_ns()
        if since_ns is None:
            since_ns = self._clock.now_ns()
            self._hub.store.set_value(*self._cursor(since_ns))
        return since_ns

    # --- life ----------------------------------------------------------------------------------------

    async def run(self, every_s: float) -> None:
        """Look every so many seconds, and soon after a doubt, until cancelled."""
        pause_s = DOUBT_S
        while True:
            timer = asyncio.ensure_future(self._clock.sleep(every_s))
            doubt = asyncio.ensure_future(self._doubted.wait())
            try:
                await asyncio.wait({timer, doubt}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                doubt.cancel()
            if self._doubted.is_set():
                await self._clock.sleep(pause_s)  # one damaged message seldom comes alone
                self._doubted.clear()
            found = await self.look(again=True)
            pause_s = DOUBT_S if found or not self._doubted.is_set() else min(2.0 * pause_s, LAST_DOUBT_S)

    async def stands(self) -> None:
        """A stream stands: fill in what was missed until it did."""
        self._stood_ns = self._clock.now_ns()
        await self.look(again=False)

    async def look(self, *, again: bool) -> int:
        """Ask for fills since the last time that all were known; returns how many weren't.

        Parameters
        ----------
        again
            The stream stands, as far as is known: whatever it should have told and didn't shows that
            it is deaf.
        """
        async with self._one:
            asked_ns = self._clock.now_ns()
            since_ns = self._cursor_ns()
            if since_ns is None:  # the first start: what was before isn't watched
                await self._keep(asked_ns)  # before all else: after a kill it isn't the first any more
                await self._discover(None)
                await self._keep(asked_ns)
                return 0
            if not self._rest.lists_fills:
                if not again:
                    self._gap(since_ns, asked_ns, "the venue lists no fills")
                await self._discover(None)
                await self._keep(asked_ns)
                return 0
            bad, self._bad = self._bad, 0
            untold = await self._fetch(since_ns)
            untold += await self._discover(None if again else since_ns)
            known_ns = await self._keep(await self._venue_ns(asked_ns))
            if again:
                self._hub.counts["found late"] += len(untold)
                self._check_hearing(untold, bad, asked_ns)
            self._forget(known_ns - 3 * OVERLAP_NS)
            return len(untold)

    async def _fetch(self, since_ns: int) -> list[Fill]:
        """Ask for fills since then, until there is an answer; gives those that nobody had told of."""
        since_ns = min(since_ns, self._clock.now_ns())  # a clock that was set back
        fills = await self.persist(
            "asking for fills that may have been missed",
            lambda: self._rest.my_trades(sorted(self._traded), since_ns - OVERLAP_NS),
            since_ns=since_ns,
        )
        untold = [fill for fill in fills if fill.key not in self._told]
        await self._deliver(untold)
        return untold

    async def _venue_ns(self, ns: int) -> int:
        """Give a time of ours by the venue's clock, if ours is ahead; fills are listed by the venue's."""
        if self._skew_asked_ns is None or abs(ns - self._skew_asked_ns) > SKEW_EVERY_NS:
            try:
                self._skew_ns = await self._rest.clock_skew_ns() or 0
                self._skew_asked_ns = ns
            except VenueError:
                pass  # it is asked again the next time; until then the overlap must do
        return ns + min(self._skew_ns, 0)

    def _check_hearing(self, untold: Sequence[Fill], bad: int, now_ns: int) -> None:
        """Have a stream made anew that stood all the while and didn't tell of fills."""
        stood_ns = self._stood_ns
        if stood_ns is None:
            return
        late = [fill.ts_ns for fill in untold if stood_ns + SETTLED_NS < fill.ts_ns < now_ns - LATE_NS]
        if len(late) > bad:  # each message that wasn't understood may have been one
            self._deaf(
                f"the stream didn't tell of {len(late)} fills that the exchange lists, the first of "
                f"{_time(min(late))}; they have been filled in, and the connection is made anew"
            )

    def _forget(self, before_ns: int) -> None:
        """Forget fills that aren't asked for again."""
        while self._told and next(iter(self._told.values())) < before_ns:
            self._told.popitem(last=False)

    # --- markets that nobody thought of -----------------------------------------------------------------

    async def _discover(self, away_ns: int | None) -> list[Fill]:
        """Ask for fills of markets that only the balances tell of; gives those found.

        Parameters
        ----------
        away_ns
            Since when the stream may have been away; None: it wasn't.
        """
        now_ns = self._clock.now_ns()
        totals = await self.take_balances()
        if totals is None:  # what was looked at before stays: the next look finds what moved since then
            await self._note_undiscovered(away_ns, "its balances can't be had")
            return []
        before, known_to_move = self._looked, self._explained
        fills: list[Fill] = []
        if before is None:
            await self._note_undiscovered(away_ns, "its balances of before aren't known")
        elif self._rest.lists_fills:
            moved = changed(before.totals, totals)
            try:
                fills = await self._fills_of(moved, known_to_move, min(before.at_ns, now_ns))
            except VenueError as error:
                await self._note_undiscovered(before.at_ns, str(error))
                return []
        self._undiscovered_told = False
        self._looked, self._explained = _Looked(now_ns, totals), set()
        self._explained_by.clear()
        if fills:
            await self._deliver(fills)
        return fills

    async def _note_undiscovered(self, since_ns: int | None, why: str) -> None:
        """Say once that trades in markets that nobody knows of may be missing."""
        if since_ns is None or self._undiscovered_told or not await self._needs_symbol():
            return
        self._undiscovered_told = True
        self._gap(since_ns, self._clock.now_ns(), f"{why}, so trades in markets new to it can't be found")

    async def _needs_symbol(self) -> bool:
        try:
            return await self._rest.symbol_needed()
        except VenueError:
            return True

    async def _fills_of(self, moved: set[str], known_to_move: set[str], since_ns: int) -> list[Fill]:
        if not moved or not await self._rest.symbol_needed():
            return []
        listed = {currency for m in self._markets.values() for currency in (m.base, m.quote)}
        strange = moved - listed - self._unlisted_tried
        if strange:  # a coin listed since the markets were read
            self._unlisted_tried |= strange
            await self._relist()
        maybe = candidates(moved, self._traded, self._markets.values(), explained=known_to_move)
        if not maybe:
            return []
        found = await self._rest.my_trades(sorted(maybe), since_ns - OVERLAP_NS)
        return [fill for fill in found if fill.key not in self._told]

    async def take_balances(self) -> dict[str, float] | None:
        """Ask for balances and pass them on; None where there is no answer."""
        try:
            balances = await self._rest.balances()
        except VenueError:
            return None  # the key's own check tells; without balances shares of equity are unknown
        await self._hub.rows(balances, self._clock.now_ns())
        return {row.currency: row.total for row in balances}

    # --- patience --------------------------------------------------------------------------------------

    async def persist(self, doing: str, ask: Callable[[], Awaitable[T]], *, since_ns: int | None = None) -> T:
        """Ask until there is an answer; say so once it takes long."""
        began_ns = self._clock.now_ns()
        wait_s = RETRY_S
        told = refused = False
        while True:
            try:
                answer = await ask()
            except VenueError as error:
                now_ns = self._clock.now_ns()
                if isinstance(error, KeyRefusedError) and not refused:
                    refused = True
                    self.say(NoticeKind.KEY_REFUSED, f"{doing}: {error}", since_ns)
                elif not told and now_ns - began_ns >= TOLD_AFTER_S * NS_PER_S:
                    told = True
                    self._gap(began_ns if since_ns is None else since_ns, None, f"{doing}: {error}")
                await self._clock.sleep(wait_s)
                wait_s = min(2.0 * wait_s, LAST_RETRY_S)
                continue
            if told or refused:
                self.say(NoticeKind.STREAM_BACK, f"{doing}: the venue answers again", None)
            return answer

    def _gap(self, since_ns: int, until_ns: int | None, why: str) -> None:
        until = "now" if until_ns is None else _time(until_ns)
        self._hub.notice(
            Notice(
                kind=NoticeKind.GAP,
                ts_ns=self._clock.now_ns(),
                exchange=self.exchange,
                account=self.name,
                since_ns=since_ns,
                until_ns=until_ns,
                text=f"Fills of {self.name} at {self.exchange} from {_time(since_ns)} to {until} may be "
                f"missing: {why}. Look at the exchange's own list.",
            )
        )

    def say(self, kind: NoticeKind, text: str, since_ns: int | None) -> None:
        """Have something told of this account."""
        self._hub.notice(
            Notice(
                kind=kind,
                ts_ns=self._clock.now_ns(),
                exchange=self.exchange,
                account=self.name,
                since_ns=since_ns,
                text=f"{self.name} at {self.exchange}: {text}.",
            )
        )

    # --- what is remembered --------------------------------------------------------------------------

    def _cursor(self, until_ns: int) -> tuple[str, bytes]:
        return f"known until/{self.name}", f"{until_ns} {self.exchange}".encode()

    def _cursor_ns(self) -> int | None:
        value = self._hub.store.value(f"known until/{self.name}")
        if value is None:
            return None
        ns, _, exchange = value.decode().partition(" ")
        # An account of this name that was at another exchange before is another account.
        return int(ns) if exchange in {"", self.exchange} else None

    def _remembered_look(self) -> _Looked | None:
        value = self._hub.store.value(f"balances/{self.name}")
        if value is None:
            return None
        exchange, at_ns, totals = json.loads(value)
        return _Looked(at_ns, totals) if exchange == self.exchange else None

    async def _keep(self, until_ns: int) -> int:
        """Remember that all fills until then are known; only until the first that waits to be journalled.

        Returns the time that is remembered.
        """
        store = self._hub.store
        while True:
            waiting_ns = self._hub.core.oldest_unkept_ns(self.name)
            if waiting_ns is not None:
                until_ns = min(until_ns, waiting_ns)
            try:
                with store.transaction():
                    store.set_value(*self._cursor(until_ns))
                    store.set_value(f"traded/{self.name}", json.dumps(sorted(self._traded)).encode())
                    if self._looked is not None:
                        look = [self.exchange, self._looked.at_ns, self._looked.totals]
                        store.set_value(f"balances/{self.name}", json.dumps(look).encode())
            except StateError:
                await self._clock.sleep(RETRY_S)  # the next fill finds the store failing, and says so
            else:
                return until_ns


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
