"""Which orders are freqtrade's is read from databases of every version since 2021."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_databases import FREQTRADE, make, order_of_freqtrade, run
from drainwatch.botlogs.freqtrade import FreqtradeLog
from drainwatch.botlogs.log import SLACK_NS
from drainwatch.errors import InputError
from drainwatch.rows import BotOrder


def test_real_database_of_2021_is_read(shared_data: Path) -> None:
    path = shared_data / "bot-databases" / "tradesv3.sqlite"
    found = FreqtradeLog(path, "main").read()
    assert len(found.orders) == 50
    assert found.orders[0] == BotOrder(
        account="main", order="127083791", ts_ns=1_619_590_215_066_000_000 - SLACK_NS
    )
    assert found.notes == []
    assert all(1_619_000_000_000_000_000 < order.ts_ns < 1_650_000_000_000_000_000 for order in found.orders)


def test_orders_of_a_dry_run_are_nobodys(shared_data: Path) -> None:
    found = FreqtradeLog(shared_data / "bot-databases" / "tradesv3.dryrun.sqlite", "main").read()
    assert found.orders == []
    assert len(found.notes) == 1
    assert "dry run" in found.notes[0]


@pytest.mark.parametrize("wal", [False, True])
def test_database_of_today_is_read(tmp_path: Path, *, wal: bool) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE, wal=wal)
    order_of_freqtrade(
        path,
        (1, "127083791", "2026-04-28 06:10:15.066000"),
        (2, "dry_run_buy_1615384514.807421", "2026-04-28 06:10:16"),
        (3, "0b1-uuid", None),
        (4, 5, "2026-04-28 06:10:17.000001"),
    )
    found = FreqtradeLog(path, "main").read()
    assert found.notes == []
    assert found.orders == [
        BotOrder(account="main", order="127083791", ts_ns=1_777_356_615_066_000_000 - SLACK_NS),
        BotOrder(account="main", order="0b1-uuid", ts_ns=0),
        BotOrder(account="main", order="5", ts_ns=1_777_356_617_000_001_000 - SLACK_NS),
    ]


def test_order_of_an_unreadable_date_is_known_from_the_start(tmp_path: Path) -> None:
    """Whatever its date, the order is the bot's; without it, its fills would look like a thief's."""
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    order_of_freqtrade(path, (1, "a", "28.4.2026"))
    found = FreqtradeLog(path, "main").read()
    assert found.orders == [BotOrder(account="main", order="a")]
    assert found.notes == ["row 1: expected a date in order_date, found '28.4.2026'"]


def test_table_without_dates_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_id TEXT)")
    run(path, "INSERT INTO orders (order_id) VALUES ('a'), (NULL), ('')")
    found = FreqtradeLog(path, "main").read()
    assert found.orders == [BotOrder(account="main", order="a")]
    assert len(found.notes) == 2


def test_orders_of_one_id_on_two_pairs_are_one(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_id TEXT)")
    run(path, "INSERT INTO orders (order_id) VALUES ('7'), ('7')")
    assert len(FreqtradeLog(path, "main").read().orders) == 1


def test_database_before_there_were_orders_says_what_was_expected(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", "CREATE TABLE trades (id INTEGER PRIMARY KEY, open_order_id TEXT)")
    with pytest.raises(
        InputError, match="expected freqtrade's table orders with a column order_id, found tables trades"
    ):
        FreqtradeLog(path, "main").read()


def test_whatever_is_in_the_cells_is_an_order_or_noted(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_id, order_date)")
    cells = (
        st.none()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.text(max_size=8)
        | st.binary(max_size=8)
    )

    @settings(max_examples=30)
    @given(st.lists(st.tuples(cells, cells), max_size=5))
    def read(rows: list[tuple[object, object]]) -> None:
        kept = []
        for order_id, order_date in rows:
            try:
                str(order_id).encode(), str(order_date).encode()
            except UnicodeEncodeError:
                continue
            kept.append((order_id, order_date))
        run(path, "DELETE FROM orders")
        run(path, "INSERT INTO orders (order_id, order_date) VALUES (?, ?)", *kept) if kept else None
        found = FreqtradeLog(path, "main").read()
        assert len(found.orders) <= len(kept)
        assert len({order.order for order in found.orders}) == len(found.orders)

    read()


def test_damaged_database_is_an_error_and_never_a_crash(tmp_path: Path) -> None:
    good = make(tmp_path / "good.sqlite", FREQTRADE)
    order_of_freqtrade(good, *((row, f"o{row}", "2026-04-28 06:10:15") for row in range(1, 40)))
    data = good.read_bytes()
    path = tmp_path / "bad.sqlite"
    outcomes = set()

    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), min_size=1, max_size=40))
    def read(changes: list[tuple[int, int]]) -> None:
        damaged = bytearray(data)
        for at, byte in changes:
            damaged[at] = byte
        path.write_bytes(damaged)
        try:
            outcomes.add(len(FreqtradeLog(path, "main").read().orders) > 0)
        except InputError as error:
            outcomes.add(str(path) in str(error))

    read()
    assert True in outcomes


def test_reading_leaves_the_file_as_it_was(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "tradesv3.sqlite"
    shutil.copyfile(shared_data / "bot-databases" / "tradesv3.sqlite", path)
    before = path.read_bytes()
    FreqtradeLog(path, "main").read()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with closing(sqlite3.connect(path)) as bot:
        assert bot.execute("SELECT count(*) FROM orders").fetchone() == (50,)
