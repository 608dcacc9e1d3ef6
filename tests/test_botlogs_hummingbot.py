"""Which orders are hummingbot's: its own ids, and the venue's where it wrote them down."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot_databases import HUMMINGBOT, fill_of_hummingbot, make, order_of_hummingbot, run
from drainwatch.botlogs.hummingbot import HummingbotLog
from drainwatch.botlogs.log import SLACK_NS
from drainwatch.errors import InputError
from drainwatch.rows import BotOrder

T0 = 1_777_356_615_066
"""Ms."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "conf_pure_mm.sqlite", HUMMINGBOT)


def order(client: str | None, venue: str | None = None, ms: int = T0) -> BotOrder:
    return BotOrder(
        account="main", order=venue, client_order_id=client, ts_ns=max(0, ms * 1_000_000 - SLACK_NS)
    )


def test_both_ids_of_an_order_are_read(path: Path) -> None:
    order_of_hummingbot(path, ("binance", "x-XEKWYICXBEHBC61", "4481203311", T0))
    found = HummingbotLog(path, "main").read()
    assert found.orders == [order("x-XEKWYICXBEHBC61", "4481203311")]
    assert found.notes == []


def test_order_whose_fill_was_written_first_is_known_by_its_own_id(path: Path) -> None:
    log = HummingbotLog(path, "main")
    fill_of_hummingbot(path, ("binance", "HBOT-1", T0 + 5))
    first = log.read()
    assert first.orders == [order("HBOT-1", ms=T0 + 5)]
    order_of_hummingbot(path, ("binance", "HBOT-1", "99", T0))
    second = log.read(first.cursor)
    assert second.orders == [order("HBOT-1", "99")]
    assert log.read(second.cursor).orders == []


def test_fill_of_a_known_order_adds_nothing(path: Path) -> None:
    order_of_hummingbot(path, ("binance", "HBOT-1", "99", T0))
    fill_of_hummingbot(path, ("binance", "HBOT-1", T0 + 5))
    log = HummingbotLog(path, "main")
    first = log.read()
    assert first.orders == [order("HBOT-1", "99")]
    fill_of_hummingbot(path, ("okx", "HBOT-1", T0 + 6))
    assert log.read(first.cursor).orders == []


def test_venues_id_that_comes_later_is_read(path: Path) -> None:
    order_of_hummingbot(path, ("binance", "HBOT-1", None, T0))
    log = HummingbotLog(path, "main")
    first = log.read()
    run(path, "UPDATE \"Order\" SET exchange_order_id = '99'")
    assert log.read(first.cursor).orders == [order("HBOT-1", "99")]


def test_paper_trading_is_left_out(path: Path) -> None:
    order_of_hummingbot(
        path,
        ("binance_paper_trade", "HBOT-1", None, T0),
        ("binance", "buy://ETH-BTC/8f1", None, T0),
        ("binance", "HBOT-2", "7", T0),
    )
    assert HummingbotLog(path, "main").read().orders == [order("HBOT-2", "7")]


def test_orders_of_other_markets_are_another_accounts(path: Path) -> None:
    order_of_hummingbot(path, ("binance", "HBOT-1", "1", T0), ("okx", "HBOT-2", "2", T0))
    assert HummingbotLog(path, "main", "okx").read().orders == [order("HBOT-2", "2")]
    assert len(HummingbotLog(path, "main").read().orders) == 2


def test_rows_numbered_anew_hide_no_order(path: Path) -> None:
    """VACUUM numbers the rows of a table without a number of its own anew."""
    log = HummingbotLog(path, "main")
    order_of_hummingbot(path, *(("binance", f"HBOT-{n}", None, T0) for n in range(2500)))
    since = log.read().cursor
    run(path, "DELETE FROM \"Order\" WHERE id < 'HBOT-24'")
    run(path, "VACUUM")
    order_of_hummingbot(path, ("binance", "HBOT-new", None, T0))
    assert order("HBOT-new") in log.read(since).orders


def test_older_table_without_the_venues_id_is_read(tmp_path: Path) -> None:
    path = make(
        tmp_path / "old.sqlite", 'CREATE TABLE "Order" (id TEXT PRIMARY KEY, market TEXT, creation_timestamp)'
    )
    run(
        path, 'INSERT INTO "Order" VALUES (?, ?, ?)', ("HBOT-1", "binance", T0), ("HBOT-2", "binance", "soon")
    )
    run(path, 'INSERT INTO "Order" VALUES (?, ?, ?)', (None, "binance", T0))
    found = HummingbotLog(path, "main").read()
    assert found.orders == [order("HBOT-1"), order("HBOT-2", ms=0)]
    assert found.notes == [
        "Order, row 2: expected a time in ms, found 'soon'",
        "Order, row 3: expected the id of an order, found none",
    ]


def test_other_database_says_what_was_expected(tmp_path: Path) -> None:
    path = make(tmp_path / "other.sqlite", "CREATE TABLE orders (order_id TEXT)")
    with pytest.raises(InputError, match=r"expected hummingbot's table Order with .*, found tables orders"):
        HummingbotLog(path, "main").read()
