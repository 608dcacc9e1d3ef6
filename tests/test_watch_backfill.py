"""What was missed is asked for, from a time that never moves past a fill that isn't in the journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from drainwatch.engine import Engine
from drainwatch.errors import KeyRefusedError, StateError, VenueError
from drainwatch.events import NS_PER_S, Names
from drainwatch.model import default_model_path, load_model
from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill, Market, Row
from drainwatch.store.sqlite import SqliteStore
from drainwatch.venues.clock import VirtualClock
from drainwatch.watch.backfill import LATE_NS, OVERLAP_NS, Backfill
from drainwatch.watch.hub import Hub

MINUTE_NS = 60 * NS_PER_S


def market(symbol: str) -> Market:
    base, quote = symbol.split("/")
    return Market(exchange="binance", symbol=symbol, venue_symbol=base + quote, base=base, quote=quote)


MARKETS = {symbol: market(symbol) for symbol in ("ETH/BTC", "BTC/USDT", "ETH/USDT", "DOGE/BTC")}


class Venue:
    """A venue's REST that lists what it is given; fails while it has errors."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.fills: list[Fill] = []
        self.totals = {"BTC": 1.0, "ETH": 10.0, "USDT": 100.0}
        self.errors: dict[str, list[VenueError]] = {"fills": [], "balances": [], "skew": []}
        self.asked: list[tuple[tuple[str, ...], int]] = []
        self.skew_ns = 0
        self.lists_fills = True
        self.before_answer: Callable[[], None] = lambda: None

    def _fail(self, what: str) -> None:
        if self.errors[what]:
            raise self.errors[what].pop(0)

    async def my_trades(self, symbols: Collection[str], since_ns: int) -> list[Fill]:
        self.asked.append((tuple(symbols), since_ns))
        self._fail("fills")
        self.before_answer()
        return [fill for fill in self.fills if fill.symbol in symbols and fill.ts_ns >= since_ns]

    async def balances(self) -> list[Balance]:
        self._fail("balances")
        self.before_answer()
        return [
            Balance(exchange="binance", account="main", currency=name, ts_ns=self.clock.now_ns(), total=total)
            for name, total in self.totals.items()
        ]

    async def symbol_needed(self) -> bool:
        return True

    async def clock_skew_ns(self) -> int | None:
        self._fail("skew")
        return self.skew_ns


class Desk:
    """A backfill with all around it."""

    def __init__(
        self, store: SqliteStore, clock: VirtualClock, venue: Venue, exchange: str = "binance"
    ) -> None:
        model = load_model(default_model_path())

        def engine(names: Names) -> Engine:
            return Engine(model.arrays, model.card.get("features", ()), names)

        self.store, self.clock, self.venue = store, clock, venue
        self.hub = Hub(engine, store, clock)
        self.hub.resume()
        self.traded = {"ETH/BTC"}
        self.deaf: list[str] = []
        self.relisted = 0
        self.backfill = Backfill(
            "main",
            exchange,
            venue,  # type: ignore[arg-type]
            self.hub,
            clock,
            deliver=self.deliver,
            traded=self.traded,
            markets=MARKETS,
            relist=self.relist,
            deaf=self.deaf.append,
        )

    async def deliver(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if isinstance(row, Fill):
                self.backfill.told(row)
                self.traded.add(row.symbol)
        await self.hub.rows(rows, self.clock.now_ns())

    async def relist(self) -> None:
        self.relisted += 1

    def fill(self, number: int, symbol: str = "ETH/BTC", ago_s: float = 1.0) -> Fill:
        return Fill(
            exchange="binance", account="main", symbol=symbol, id=str(number), side="sell", price="0.03",
            ts_ns=self.clock.now_ns() - round(ago_s * NS_PER_S), amount="1", cost="0.03", order=str(number),
        )  # fmt: skip

    @property
    def cursor_ns(self) -> int:
        value = self.store.value("known until/main")
        assert value is not None
        return int(value.split()[0])

    def journalled(self) -> list[str]:
        return sorted(fill.id for fill in self.store.fills())

    def told(self, kind: NoticeKind) -> list[Any]:
        return [notice for notice in self.store.notices() if notice.kind is kind]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = SqliteStore(tmp_path / "watch.db")
    clock = VirtualClock()
    yield Desk(store, clock, Venue(clock))
    store.close()


def again(desk: Desk, exchange: str = "binance") -> Desk:
    """Begin anew with the same store, as after a restart."""
    return Desk(desk.store, desk.clock, desk.venue, exchange)


def stand(desk: Desk) -> None:
    asyncio.run(desk.backfill.stands())


def look(desk: Desk) -> int:
    return asyncio.run(desk.backfill.look(again=True))


async def passing(desk: Desk, seconds: float) -> None:
    await desk.clock.advance(seconds)


def wait(desk: Desk, seconds: float) -> None:
    asyncio.run(passing(desk, seconds))


def test_the_first_start_does_not_ask_for_what_was_before(desk: Desk) -> None:
    desk.venue.fills = [desk.fill(1)]
    stand(desk)
    assert desk.journalled() == []
    assert desk.cursor_ns == desk.clock.now_ns()


def test_a_watch_that_dies_during_its_first_questions_has_begun_nevertheless(desk: Desk) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    desk.venue.before_answer = die
    with pytest.raises(KeyboardInterrupt):
        stand(desk)
    desk.venue.before_answer = lambda: None
    desk.venue.fills = [desk.fill(1, ago_s=0.0)]
    wait(desk, 600)
    later = again(desk)
    stand(later)
    assert later.journalled() == ["1"]


def test_fills_of_a_time_away_are_found(desk: Desk) -> None:
    stand(desk)
    wait(desk, 3_600)
    desk.venue.fills = [desk.fill(1, ago_s=3_599.0), desk.fill(2)]
    stand(desk)
    assert desk.journalled() == ["1", "2"]


def test_fills_that_the_venue_lists_late_are_found(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    late = desk.fill(1)
    stand(desk)
    assert desk.cursor_ns > late.ts_ns
    wait(desk, 300)
    desk.venue.fills = [late]
    assert late.ts_ns > desk.cursor_ns - OVERLAP_NS
    stand(desk)
    assert desk.journalled() == ["1"]


def test_a_fill_that_happens_while_is_asked_is_known_the_next_time(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    begun_ns = desk.clock.now_ns()

    def time_passes() -> None:
        desk.clock._now_ns += 600 * NS_PER_S

    desk.venue.before_answer = time_passes
    stand(desk)
    assert desk.cursor_ns == begun_ns, "when it was asked, not when it was answered"


def test_the_cursor_waits_for_a_fill_that_is_not_journalled_yet(tmp_path: Path) -> None:
    store, clock = SqliteStore(tmp_path / "watch.db"), VirtualClock()
    desk = Desk(store, clock, Venue(clock))
    # Nothing was heard of the market, so that its first fill waits for the market's past.
    desk.hub.core.intake._followed = frozenset({"binance"})
    stand(desk)
    wait(desk, 3_600)
    desk.venue.fills = [desk.fill(1, ago_s=1_800.0)]
    stand(desk)
    assert desk.journalled() == []
    assert desk.cursor_ns == desk.venue.fills[0].ts_ns
    wait(desk, 2)
    desk.hub.judge()
    assert desk.journalled() == ["1"]
    look(desk)
    assert desk.cursor_ns == desk.clock.now_ns()
    store.close()


def test_a_clock_ahead_of_the_venues_does_not_move_the_cursor_past_its_time(desk: Desk) -> None:
    desk.venue.skew_ns = -10 * MINUTE_NS
    stand(desk)
    stand(desk)
    assert desk.cursor_ns == desk.clock.now_ns() - 10 * MINUTE_NS
    wait(desk, 60)
    desk.venue.fills = [desk.fill(1, ago_s=600.0)]
    stand(desk)
    assert desk.journalled() == ["1"]


def test_a_clock_that_was_set_back_asks_from_its_new_time(desk: Desk) -> None:
    stand(desk)
    desk.clock._now_ns -= 3_600 * NS_PER_S
    desk.venue.fills = [desk.fill(1)]
    stand(desk)
    assert desk.journalled() == ["1"]


def test_an_account_that_moved_to_another_exchange_begins_anew(desk: Desk) -> None:
    stand(desk)
    wait(desk, 86_400)
    moved = again(desk, "okx")
    desk.venue.fills = [desk.fill(1, ago_s=3_600.0)]
    stand(moved)
    assert moved.journalled() == []
    assert moved.cursor_ns == desk.clock.now_ns()


def test_what_is_not_answered_is_asked_again_and_told_once(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    before_ns = desk.cursor_ns
    desk.venue.fills = [desk.fill(1)]
    desk.venue.errors["fills"] = [VenueError("binance: no answer")] * 5

    async def run() -> None:
        standing = asyncio.create_task(desk.backfill.stands())
        await desk.clock.advance(20)
        assert desk.cursor_ns == before_ns
        assert len(desk.told(NoticeKind.GAP)) == 1
        assert desk.told(NoticeKind.GAP)[0].since_ns == before_ns
        await desk.clock.advance(120)
        await standing

    asyncio.run(run())
    assert len(desk.told(NoticeKind.GAP)) == 1
    assert len(desk.told(NoticeKind.STREAM_BACK)) == 1
    assert desk.journalled() == ["1"]


def test_a_refused_key_is_told(desk: Desk) -> None:
    stand(desk)
    desk.venue.errors["fills"] = [KeyRefusedError("binance: the key isn't taken")]

    async def run() -> None:
        standing = asyncio.create_task(desk.backfill.stands())
        await desk.clock.advance(5)
        await standing

    asyncio.run(run())
    assert len(desk.told(NoticeKind.KEY_REFUSED)) == 1


def test_a_venue_that_lists_no_fills_makes_each_reconnect_a_gap_but_not_each_look(desk: Desk) -> None:
    desk.venue.lists_fills = False
    stand(desk)
    assert desk.told(NoticeKind.GAP) == []
    wait(desk, 300)
    look(desk)
    assert desk.told(NoticeKind.GAP) == []
    stood_ns = desk.clock.now_ns()
    wait(desk, 300)
    stand(desk)
    (gap,) = desk.told(NoticeKind.GAP)
    assert (gap.since_ns, gap.until_ns) == (stood_ns, desk.clock.now_ns())


def test_a_store_that_fails_holds_the_cursor_up_but_not_the_watch(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand(desk)
    before_ns = desk.cursor_ns
    wait(desk, 300)
    keep, fails = desk.store.set_value, [StateError("full")] * 3

    def set_value(name: str, value: bytes) -> None:
        if fails:
            raise fails.pop()
        keep(name, value)

    monkeypatch.setattr(desk.store, "set_value", set_value)

    async def run() -> None:
        standing = asyncio.create_task(desk.backfill.stands())
        await asyncio.sleep(0.01)
        assert desk.cursor_ns == before_ns
        await desk.clock.advance(10)
        await standing

    asyncio.run(run())
    assert desk.cursor_ns > before_ns


# --- deaf streams ---------------------------------------------------------------------------------------


def test_a_stream_that_stands_and_does_not_tell_of_fills_is_found_deaf(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    desk.venue.fills = [desk.fill(1, ago_s=LATE_NS / NS_PER_S + 1)]
    assert look(desk) == 1
    assert len(desk.deaf) == 1
    assert desk.journalled() == ["1"]
    wait(desk, 60)
    assert look(desk) == 0
    assert len(desk.deaf) == 1


@pytest.mark.parametrize("why", ["told", "just now", "before it stood", "not understood"])
def test_a_stream_is_not_deaf_where_it(why: str, desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    if why == "before it stood":
        desk.backfill._stood_ns = desk.clock.now_ns() - NS_PER_S
    fill = desk.fill(1, ago_s=5.0 if why == "just now" else 100.0)
    desk.venue.fills = [fill]
    if why == "told":
        asyncio.run(desk.deliver([fill]))
    if why == "not understood":
        desk.backfill.doubt()
    look(desk)
    assert desk.deaf == []
    assert desk.journalled() == ["1"]


def test_a_doubt_is_looked_into_soon_and_doubts_without_end_ever_later(desk: Desk) -> None:
    stand(desk)
    asked = len(desk.venue.asked)

    async def run() -> None:
        running = asyncio.create_task(desk.backfill.run(3_600.0))
        await desk.clock.advance(60)
        assert len(desk.venue.asked) == asked
        desk.backfill.doubt()
        await desk.clock.advance(2)
        assert len(desk.venue.asked) == asked + 1
        desk.venue.before_answer = desk.backfill.doubt  # there is always another
        desk.backfill.doubt()
        await desk.clock.advance(600)
        assert 15 < len(desk.venue.asked) - asked < 40
        running.cancel()

    asyncio.run(run())


# --- markets that nobody thought of ---------------------------------------------------------------------


def test_a_trade_in_a_market_never_seen_is_found_by_what_the_balances_did(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    desk.venue.fills = [desk.fill(1, "DOGE/BTC")]
    desk.venue.totals |= {"DOGE": 5.0, "BTC": 0.9}
    stand(desk)
    assert desk.journalled() == ["1"]


def test_it_is_found_though_the_watch_did_not_run_meanwhile(desk: Desk) -> None:
    stand(desk)
    wait(desk, 30_000)
    desk.venue.fills = [desk.fill(1, "DOGE/BTC", ago_s=20_000.0)]
    desk.venue.totals |= {"DOGE": 5.0, "BTC": 0.9}
    later = again(desk)
    stand(later)
    assert later.journalled() == ["1"]


def test_it_is_found_though_the_bot_moved_the_same_currencies_elsewhere(desk: Desk) -> None:
    desk.traded |= {"BTC/USDT"}
    stand(desk)
    wait(desk, 300)
    desk.venue.fills = [desk.fill(1, "ETH/BTC"), desk.fill(2, "BTC/USDT"), desk.fill(3, "ETH/USDT")]
    desk.venue.totals = {"BTC": 1.1, "ETH": 8.0, "USDT": 130.0}
    stand(desk)
    assert desk.journalled() == ["1", "2", "3"]


def test_it_is_found_though_the_balances_could_not_be_had_for_a_while(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    desk.venue.fills = [desk.fill(1, "DOGE/BTC")]
    desk.venue.totals |= {"DOGE": 5.0, "BTC": 0.9}
    desk.venue.errors["balances"] = [VenueError("down")] * 2
    stand(desk)
    (gap,) = desk.told(NoticeKind.GAP)
    assert "new to it" in gap.text
    wait(desk, 1_000)
    look(desk)
    assert desk.journalled() == []
    wait(desk, 1_000)
    look(desk)
    assert desk.journalled() == ["1"]
    assert len(desk.told(NoticeKind.GAP)) == 1


def test_it_is_asked_for_again_where_the_question_failed(desk: Desk) -> None:
    stand(desk)
    wait(desk, 300)
    desk.traded.clear()
    desk.venue.fills = [desk.fill(1, "DOGE/BTC")]
    desk.venue.totals |= {"DOGE": 5.0, "BTC": 0.9}
    answer, fails = desk.venue.my_trades, [VenueError("down")] * 2

    async def my_trades(symbols: Collection[str], since_ns: int) -> list[Fill]:
        if symbols and fails:
            raise fails.pop()
        return await answer(symbols, since_ns)

    desk.venue.my_trades = my_trades  # type: ignore[method-assign]
    for _ in range(3):
        look(desk)
        wait(desk, 300)
    assert desk.journalled() == ["1"]
    assert len(desk.told(NoticeKind.GAP)) == 1


def test_a_coin_that_is_not_listed_makes_the_list_be_read_anew_once(desk: Desk) -> None:
    stand(desk)
    desk.venue.totals["NEW"] = 1.0
    look(desk)
    desk.venue.totals["NEW"] = 2.0
    look(desk)
    assert desk.relisted == 1


def test_what_is_remembered_is_of_this_exchange(desk: Desk) -> None:
    stand(desk)
    value = desk.store.value("balances/main")
    assert value is not None
    assert json.loads(value)[0] == "binance"
    assert again(desk, "okx").backfill._looked is None
    assert again(desk).backfill._looked is not None
