"""The files of what was fetched: whole, the same however they came, and nobody else's overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.errors import InputError
from drainwatch.fetch.shelf import SCHEMAS, Place, Shelf
from drainwatch.fetch.spans import Span, joined
from drainwatch.schema import SCHEMA
from fetch_lab import files_of

DAY = Place("trades", "", "QTUM/BTC", "2025-06-16")


def prints(*ms: int) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {"timestamp": at, "symbol": "QTUM/BTC", "price": 1.0, "amount": 2.0, "side": "buy", "id": f"t{at}"}
        for at in ms
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["trades"])


@pytest.mark.parametrize("table", SCHEMAS)
def test_columns_are_those_of_the_contract(table: str) -> None:
    needed = {name for name, (_, is_needed) in SCHEMA[table].items() if is_needed}
    assert needed <= set(SCHEMAS[table].names) <= set(SCHEMA[table])


@given(st.permutations([Span(0, 10), Span(10, 30), Span(40, 50)]))
def test_the_order_in_which_it_came_cannot_be_seen(
    tmp_path_factory: pytest.TempPathFactory, spans: list[Span]
) -> None:
    out = tmp_path_factory.mktemp("shelf")
    rows = {Span(0, 10): prints(1, 5), Span(10, 30): prints(), Span(40, 50): prints(40, 49)}
    shelf = Shelf(out / "steps", "binance")
    for span in spans:
        shelf.add(DAY, rows[span], [span])
    shelf.close()
    whole = Shelf(out / "whole", "binance")
    whole.add(DAY, pa.concat_tables(rows.values()), joined(spans))
    assert whole.covered(DAY) == [Span(0, 30), Span(40, 50)]
    whole.close()
    assert files_of(out / "steps") == files_of(out / "whole")
    assert [*files_of(out / "steps")] == ["trades/QTUM%2FBTC.2025-06-16.parquet"]


def test_that_there_was_nothing_is_remembered_where_no_replay_finds_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "binance")
    shelf.add(DAY, prints(), [Span(0, 10)])
    assert shelf.covered(DAY) == [Span(0, 10)]
    assert shelf.folder_of("trades") is None


def test_a_file_that_was_half_made_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".made").mkdir()
    (tmp_path / ".made" / DAY.name).write_bytes(b"PAR1 and no more")
    shelf = Shelf(tmp_path, "binance")
    assert shelf.covered(DAY) == []
    shelf.close()
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"mine", b"PAR1" * 1000])
def test_what_is_not_ours_stays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trades" / DAY.name
    path.parent.mkdir()
    path.write_bytes(content)
    shelf = Shelf(tmp_path, "binance")
    with pytest.raises(InputError, match="move it away"):
        shelf.add(DAY, prints(1), [Span(0, 10)])
    assert path.read_bytes() == content


def test_rows_of_another_exchange_are_told(tmp_path: Path) -> None:
    Shelf(tmp_path, "kraken").add(DAY, prints(1), [Span(0, 10)])
    with pytest.raises(InputError, match="expected rows of binance, found some of 'kraken'"):
        Shelf(tmp_path, "binance").covered(DAY)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="choose another --out"):
        Shelf(tmp_path / "file", "binance")


@given(st.text(max_size=30), st.text(min_size=1, max_size=30))
def test_no_name_leads_out_of_the_folder(label: str, symbol: str) -> None:
    name = Place("trades", label, symbol, "2025-06-16").name
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert name.endswith(".2025-06-16.parquet")
    assert name.count(".") == (3 if label else 2), "a point of its own could make one market's name another's"
