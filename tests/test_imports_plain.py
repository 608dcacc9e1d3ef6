"""Tables of no exchange: our own names, ccxt's, and what the owner maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from drainwatch.errors import InputError
from drainwatch.events import Names
from drainwatch.imports.plain import OWN, any_symbol, map_match, own_match
from drainwatch.imports.reading import Wish, opened
from drainwatch.imports.work import Tally, Work
from drainwatch.tables import TablePaths, Tables

CCXT = {
    "info": {"x": 1},
    "id": "17",
    "timestamp": 1_709_630_062_000,
    "datetime": "2024-03-05T09:14:22.000Z",
    "symbol": "BTC/USDT:USDT",
    "side": "buy",
    "price": 64_000.5,
    "amount": 0.25,
    "takerOrMaker": "taker",
    "fee": {"cost": 0.1, "currency": "USDT"},
}


def test_ccxts_lines_are_read_as_replay_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "trades.jsonl"
    path.write_text(json.dumps(CCXT) + "\n")
    found = opened([str(path)], Wish(form="drainwatch") if not own_match(CCXT) else Wish())
    names = Names()
    with Tables.open(TablePaths(fills="f"), names, strict=True, given=found.given({})) as tables:
        (fill,) = (fill for batch in tables.batches() for fill in batch.fills)
        assert (fill["price"], fill["fee_cost"]) == (64_000.5, 0.1)
    assert names.markets[0].symbol == "BTC/USDT:USDT"


def test_our_own_table_needs_all_of_its_columns() -> None:
    header = ["id", "timestamp", "symbol", "side", "price", "amount"]
    found = own_match(header)
    assert found is not None
    assert found.importer is OWN
    assert own_match(header[1:]) is None


def test_symbols_are_named_where_they_can_be_read() -> None:
    texts = ["BTCUSDT", "btc-usd", "BTC/USDT:USDT", "???", None]
    work = Work(np.arange(5), {"symbol": pa.array(texts)}, {}, Tally())
    any_symbol(work)
    assert work.texts("symbol") == ["BTC/USDT", "BTC/USD", "BTC/USDT:USDT", "???", None]


def test_what_is_called_as_one_expects_need_not_be_mapped() -> None:
    found = map_match(["Time", "Pair", "Side", "Px", "Qty"], ["price"])
    assert found.found == {"timestamp": "Time", "symbol": "Pair", "side": "Side", "amount": "Qty"}
    assert [column.to for column in found.missing] == ["price"]


def test_any_table_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "When;Px;Qty;Dir\n25/04/2024 10:00;1.234,5;0,5;Kauf\n26/04/2024 10:00;1.234;0,25;Verkauf\n"
    )
    maps = ["timestamp=When", "price=px", "amount=Qty", "side=Dir", "symbol==BTCEUR"]
    found = opened([str(path)], Wish.of(maps=maps, zone="Europe/Berlin"))
    names = Names()
    with Tables.open(TablePaths(fills="f"), names, strict=True, given=found.given({})) as tables:
        fills = np.concatenate([batch.fills for batch in tables.batches()])
    assert names.markets[0].symbol == "BTC/EUR"
    assert fills["price"].tolist() == [1234.5, 1234.0]
    assert fills["amount"].tolist() == [0.5, 0.25]
    assert fills["side"].tolist() == [1, -1]
    assert fills["ts_ns"][0] == np.datetime64("2024-04-25T08:00:00", "ns").astype(np.int64)


def test_a_mapping_that_is_not_enough_says_what_lacks(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("When,Px\n2024-04-25,1\n")
    with pytest.raises(InputError, match=r"no column for symbol, side or amount: say --map symbol=COLUMN"):
        opened([str(path)], Wish.of(maps=["timestamp=When", "price=Px"]))
