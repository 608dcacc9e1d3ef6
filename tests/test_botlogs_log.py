"""A bot's orders are handed over once, soon, and whatever becomes of its database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_databases import FREQTRADE, make, order_of_freqtrade, run
from drainwatch.botlogs.freqtrade import FreqtradeLog
from drainwatch.botlogs.log import OVERLAP, PATIENCE_S, REREAD_S, Found, follow, text, time_ns
from drainwatch.errors import InputError, StateError
from drainwatch.events import NS_PER_MS, NS_PER_S
from drainwatch.notices import NoticeKind
from drainwatch.rows import BotOrder
from socket_fakes import Clock, Sink, until


class Watched:
    """A freqtrade log that is followed; `more` lets time pass until it was looked at again."""

    def __init__(self, path: Path) -> None:
        self.log = FreqtradeLog(path, "main")
        self.sink, self.clock = Sink(), Clock()
        self.reads = 0
        read = self.log.read

        def counted(since: Any = None) -> Found:
            self.reads += 1
            return read(since)

        self.log.read = counted  # type: ignore[method-assign]

    async def __aenter__(self) -> Watched:  # noqa: PYI034 - it is one
        self._task = asyncio.create_task(follow(self.log, self.sink, self.clock))
        await self._rest()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def more(self, seconds: float = 1.0) -> None:
        await self.clock.let_pass(seconds)
        await self._rest()

    async def _rest(self) -> None:
        await until(lambda: self.clock._sleepers or self._task.done())

    @property
    def orders(self) -> list[str | None]:
        return [row.order for row in self.sink.got if isinstance(row, BotOrder)]


def test_orders_come_once_and_as_they_are_placed(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, (1, "a", None), (2, "b", None))

    async def watch() -> None:
        async with Watched(path) as watched:
            assert watched.orders == ["a", "b"]
            order_of_freqtrade(path, (3, "c", None))
            await watched.more()
            assert watched.orders == ["a", "b", "c"]
            assert watched.sink.bads == []
            assert watched.sink.notices == []

    asyncio.run(watch())


def test_unchanged_log_is_not_read_but_now_and_then(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)

    async def watch() -> None:
        async with Watched(path) as watched:
            for _ in range(int(REREAD_S) - 1):
                await watched.more()
            assert watched.reads == 1
            await watched.more()
            assert watched.reads == 2

    asyncio.run(watch())


def test_row_numbers_used_again_hide_no_order(tmp_path: Path) -> None:
    """SQLite gives the number of a deleted last row to the next one."""
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, (1, "a", None), (2, "b", None))

    async def watch() -> None:
        async with Watched(path) as watched:
            run(path, "DELETE FROM orders WHERE id = 2")
            order_of_freqtrade(path, (None, "c", None))
            await watched.more()
            run(path, "DELETE FROM orders")
            await watched.more()
            order_of_freqtrade(path, (None, "d", None))
            await watched.more()
            assert watched.orders == ["a", "b", "c", "d"]

    asyncio.run(watch())


def test_only_new_rows_and_some_before_are_read(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, *((row, f"o{row}", None) for row in range(1, 3 * OVERLAP + 1)))
    log = FreqtradeLog(path, "main")
    first = log.read()
    assert len(first.orders) == 3 * OVERLAP
    assert len(first.cursor.recent) == OVERLAP
    run(path, f"UPDATE orders SET order_id = 'x' || id WHERE id <= {OVERLAP}")  # noqa: S608
    order_of_freqtrade(path, (None, "new", None))
    second = log.read(first.cursor)
    assert [row.order for row in second.orders] == ["new"]
    assert log.read(second.cursor).orders == []


def test_another_file_under_the_name_is_read_from_its_start(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, *((row, f"o{row}", None) for row in range(1, 5)))

    async def watch() -> None:
        async with Watched(path) as watched:
            other = make(tmp_path / "new.sqlite", FREQTRADE)
            order_of_freqtrade(other, (1, "n1", None))
            other.replace(path)
            await watched.more()
            assert watched.orders == ["o1", "o2", "o3", "o4", "n1"]

    asyncio.run(watch())


def test_orders_that_could_not_be_stored_are_read_again(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, (1, "a", None))
    log, sink, clock = FreqtradeLog(path, "main"), Sink(), Clock()
    sink.fails = StateError("the store is full")
    with pytest.raises(StateError):
        asyncio.run(follow(log, sink, clock))

    async def again() -> list[Any]:
        async with Watched(path) as watched:
            return watched.orders

    assert asyncio.run(again()) == ["a"]


def test_missing_log_is_counted_at_once_and_told_after_a_while_and_so_is_its_coming(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"

    async def watch() -> None:
        async with Watched(path) as watched:
            (bad,) = watched.sink.bads
            assert (bad.stream, bad.frame) == ("freqtrade log", b"")
            assert "no such file" in bad.reason
            await watched.more(PATIENCE_S - 1)
            assert watched.sink.notices == []
            await watched.more(2)
            await watched.more(100)
            (gone,) = watched.sink.notices
            assert (gone.kind, gone.account) == (NoticeKind.STREAM_CLOSED, "main")
            assert "no such file" in gone.text
            order_of_freqtrade(make(path, FREQTRADE), (1, "a", None))
            await watched.more()
            assert watched.orders == ["a"]
            back = watched.sink.notices[1]
            assert back.kind == NoticeKind.STREAM_BACK
            assert back.text == "The freqtrade log can be read again; 1 orders were new in it."
            assert back.since_ns == gone.since_ns
            assert len(watched.sink.bads) == 1

    asyncio.run(watch())


def test_log_that_fails_for_a_moment_is_only_counted(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)

    async def watch() -> None:
        async with Watched(path) as watched:
            hidden = path.rename(tmp_path / "hidden")
            await watched.more()
            hidden.rename(path)
            for _ in range(100):
                await watched.more()
            assert len(watched.sink.bads) == 1
            assert watched.sink.notices == []

    asyncio.run(watch())


def test_the_same_oddity_is_counted_once(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, (1, "a", "yesterday"))

    async def watch() -> None:
        async with Watched(path) as watched:
            order_of_freqtrade(path, (2, "b", None))
            await watched.more()
            assert [bad.reason for bad in watched.sink.bads] == [
                "row 1: expected a date in order_date, found 'yesterday'"
            ]
            assert watched.orders == ["a", "b"]

    asyncio.run(watch())


@pytest.mark.parametrize(
    ("value", "unit", "ns"),
    [
        ("2021-04-28 06:10:15.066000", NS_PER_S, 1_619_590_215_066_000_000),
        (b"2021-04-28 06:10:15", NS_PER_S, 1_619_590_215_000_000_000),
        ("2021-04-28T08:10:15+02:00", NS_PER_S, 1_619_590_215_000_000_000),
        (1_619_590_215_066, NS_PER_MS, 1_619_590_215_066_000_000),
        (0, NS_PER_MS, 0),
        (-1, NS_PER_MS, None),
        (float("inf"), NS_PER_S, None),
        (float("nan"), NS_PER_S, None),
        (1e300, NS_PER_S, None),
        ("1969-12-31 23:59:59", NS_PER_S, None),
        ("9999-12-31 23:59:59", NS_PER_S, None),
        ("0001-01-01T00:00:00+14:00", NS_PER_S, None),
        ("soon", NS_PER_S, None),
        (None, NS_PER_S, None),
        (b"\xff\x00", NS_PER_S, None),
    ],
)
def test_times_are_read_as_bots_write_them(value: Any, unit: int, ns: int | None) -> None:
    assert time_ns(value, unit) == ns


@given(st.integers(0, 4_000_000_000 * 10**6))
def test_every_microsecond_is_read_exactly(us: int) -> None:
    when = datetime.fromtimestamp(us // 10**6, UTC).replace(microsecond=us % 10**6, tzinfo=None)
    assert time_ns(str(when), NS_PER_S) == us * 1000


@given(st.none() | st.integers() | st.floats() | st.text() | st.binary())
def test_any_cell_is_a_text_or_absent(value: Any) -> None:
    got = text(value)
    assert got is None or (got == got.strip() and got)
    assert time_ns(value, NS_PER_S) is None or time_ns(value, NS_PER_S) >= 0  # type: ignore[operator]


def test_log_of_another_program_says_what_was_expected(tmp_path: Path) -> None:
    path = make(tmp_path / "other.sqlite", "CREATE TABLE cats (name TEXT); CREATE TABLE dogs (name TEXT)")
    with pytest.raises(InputError, match="found tables cats, dogs"):
        FreqtradeLog(path, "main").read()


def test_order_dated_after_its_first_fill_is_known_before_it(tmp_path: Path) -> None:
    """A bot's clock may be ahead, and a date may be that of the exchange's answer."""
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, (1, "a", "2026-04-28 06:10:15"), (2, "b", "1970-01-01 00:00:01"))
    first, second = FreqtradeLog(path, "main").read().orders
    filled_ns = time_ns("2026-04-28 06:09:30", NS_PER_S)
    assert filled_ns is not None
    assert 0 < first.ts_ns < filled_ns
    assert second.ts_ns == 0
