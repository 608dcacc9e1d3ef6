"""The journal comes out as the contract's tables, each row at the time at which it counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drainwatch.errors import InputError, StateError
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.schema import SCHEMA
from drainwatch.store import Store, open_store
from drainwatch.watch.journal import TABLES, columns_of, export_journal

T0 = 1_760_000_000_000_000_000
MARKET = Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B", tick_size=0.01)
QUOTE = Quote(exchange="x", symbol="A/B", ts_ns=T0, bid=1.0, ask=1.5, bid_size=0.0)
TRADE = Trade(exchange="x", symbol="A/B", ts_ns=T0, price=1.0, amount=2.0, id="7", side="buy")
CANDLE = Candle(
    exchange="x", symbol="A/B", ts_ns=T0, open=1.0, high=2.0, low=0.5, close=1.5, volume=0.0,
    length_ns=300_000_000_000,
)  # fmt: skip
BALANCE = Balance(exchange="x", account="a", currency="B", ts_ns=T0, total=0.0)
ORDER = BotOrder(account="a", client_order_id="bot-1")
FILL = Fill(
    exchange="x", account="a", symbol="A/B", id="7", ts_ns=T0, side="sell", price="1.10", amount="2",
    mark="1.2", forced=True,
)  # fmt: skip
EVERY: list[Row] = [MARKET, QUOTE, TRADE, CANDLE, BALANCE, ORDER, FILL]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'journal.db'}")) as opened:
        yield opened


def keep(store: Store, *entries: Any) -> None:
    for entry in entries:
        store.append(msgspec.msgpack.encode(entry))


def lines(out: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / f"{table}.jsonl").read_text().splitlines()]


def test_each_row_is_a_row_of_its_table_with_what_is_known_of_it(store: Store, tmp_path: Path) -> None:
    late_ns = T0 + 3_000  # microseconds matter: what was judged before what
    keep(store, [(0 if row in (MARKET, ORDER) else late_ns, row) for row in EVERY], late_ns + 10**9)
    told: list[int] = []
    exported = export_journal(store, tmp_path / "out", progress=told.append)
    assert exported.whole
    assert exported.rows == dict.fromkeys(TABLES.values(), 1)
    at = late_ns / 1e6
    assert lines(tmp_path / "out", "fills") == [
        {"exchange": "x", "account": "a", "symbol": "A/B", "id": "7", "side": "sell", "price": "1.10",
         "amount": "2", "drainwatch_mark": "1.2", "drainwatch_forced": True, "timestamp": at}
    ]  # fmt: skip
    assert lines(tmp_path / "out", "quotes") == [
        {"exchange": "x", "symbol": "A/B", "bid": 1.0, "ask": 1.5, "bid_size": 0.0, "timestamp": at}
    ]
    assert lines(tmp_path / "out", "balances")[0]["total"] == 0.0
    assert lines(tmp_path / "out", "orders") == [
        {"account": "a", "client_order_id": "bot-1", "timestamp": 0.0}
    ]
    assert lines(tmp_path / "out", "markets") == [
        {"exchange": "x", "symbol": "A/B", "base": "A", "quote": "B", "tick_size": 0.01}
    ]
    for table in TABLES.values():
        (row,) = lines(tmp_path / "out", table)
        assert set(row) <= set(SCHEMA[table]), table


def test_a_candle_keeps_its_own_time_and_says_when_it_was_told() -> None:
    close_ns = T0 + CANDLE.length_ns
    assert "drainwatch_known_at" not in columns_of(close_ns, CANDLE)
    late = columns_of(close_ns + 1_000, CANDLE)
    assert (late["timestamp"], late["timeframe"]) == (T0 / 1e6, "300s")
    assert late["drainwatch_known_at"] == (close_ns + 1_000) / 1e6


def test_of_what_a_market_was_said_to_be_only_what_mattered_is_told(store: Store, tmp_path: Path) -> None:
    before = msgspec.structs.replace(MARKET, tick_size=0.02)
    after = msgspec.structs.replace(MARKET, tick_size=0.5)
    keep(store, [(0, before)], [(0, MARKET), (T0, QUOTE)], [(0, after)])
    export_journal(store, tmp_path / "out")
    assert [row["tick_size"] for row in lines(tmp_path / "out", "markets")] == [0.01]


def test_a_journal_whose_beginning_was_dropped_says_so(store: Store, tmp_path: Path) -> None:
    keep(store, [(T0, QUOTE)], [(T0 + 1_000, QUOTE)], [(T0 + 2_000, QUOTE)])
    for number in (1, 2):
        store.save_snapshot(number, b"state")
    exported = export_journal(store, tmp_path / "out")
    assert not exported.whole
    assert exported.rows["quotes"] == 2


def test_no_journal_and_no_room_are_errors_in_words(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="expected a journal, found an empty one"):
        export_journal(store, tmp_path / "out")
    keep(store, [(T0, QUOTE)])
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="choose another --out"):
        export_journal(store, tmp_path / "taken")
