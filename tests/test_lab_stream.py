"""The stream has every row once, in order, with market rows before fills."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pandas as pd

from drainwatch.lab.scenario import TABLES, Scenario, make
from drainwatch.lab.stream import CANDLE_MS, ORDER, Row, rows, timed_rows


@cache
def account() -> Scenario:
    return make(6, days=1.0, owner="grid", thief="planted_wall", difficulty=0.3)


@cache
def streamed() -> list[tuple[int, Row]]:
    return list(timed_rows(account()))


def test_every_row_comes_once_with_its_values() -> None:
    assert set(ORDER) == set(TABLES)
    counts = Counter(row["table"] for _, row in streamed())
    assert counts == {table: len(getattr(account(), table)) for table in TABLES}
    for table in TABLES:
        mine = [
            {name: row[name] for name in row if name != "table"}
            for _, row in streamed()
            if row["table"] == table
        ]
        frame: pd.DataFrame = getattr(account(), table)
        back = pd.DataFrame(mine, columns=frame.columns)
        assert back.notna().sum().to_dict() == frame.notna().sum().to_dict()
        keys = [
            name
            for name in ("timestamp", "symbol", "id", "order", "price", "currency", "total", "bid")
            if name in frame
        ]
        wanted = frame[keys].sort_values(keys, ignore_index=True)
        pd.testing.assert_frame_equal(
            back[keys].sort_values(keys, ignore_index=True), wanted, check_dtype=False
        )


def test_rows_are_in_order_and_the_markets_come_before_fills_at_equal_times() -> None:
    keys = [(ms, ORDER.index(row["table"])) for ms, row in streamed()]
    assert keys == sorted(keys)
    assert ORDER[-1] == "fills"
    tied = {ms for ms, row in streamed() if row["table"] == "fills"}
    assert any(row["table"] == "trades" and ms in tied for ms, row in streamed())


def test_a_candle_comes_when_it_has_closed() -> None:
    candles = [(ms, row["timestamp"]) for ms, row in streamed() if row["table"] == "candles"]
    assert candles
    assert all(ms == opened + CANDLE_MS for ms, opened in candles)


def test_fills_keep_the_order_of_their_table() -> None:
    ids = [row["id"] for _, row in streamed() if row["table"] == "fills"]
    assert ids == account().fills["id"].tolist()


def test_values_are_plain_and_absent_ones_are_left_out() -> None:
    for _, row in streamed()[:5000]:
        assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_tables_can_be_left_out() -> None:
    assert {row["table"] for row in rows(account(), ("fills", "trades"))} == {"fills", "trades"}
    assert list(rows(account(), ())) == []
