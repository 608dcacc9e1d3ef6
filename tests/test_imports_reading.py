"""Files read as tables: zones, ids, rows that are no fills, several files at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from drainwatch.errors import InputError
from drainwatch.events import Names
from drainwatch.imports.reading import Import, Opened, Wish, opened, zone_of
from drainwatch.tables import TablePaths, Tables

FILES = Path(__file__).parent / "files" / "imports"
HEADER = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n"
ROW = "2024-03-05 09:14:22,BTCUSDT,BUY,64000,0.01BTC,640USDT,0.64USDT\n"
OTHER = "2024-03-05 09:15:22,BTCUSDT,SELL,64001,0.02BTC,1280.02USDT,0.64USDT\n"


def column(found: Import, name: str) -> list[Any]:
    """Read one column of an import whole."""
    cells: list[Any] = []
    for _, piece in found.source().pieces:
        cells += piece.columns[name].to_pylist()
    return cells


def of(*paths: Path, **wish: Any) -> Opened:
    """Open files."""
    return opened([str(path) for path in paths], Wish.of(**wish))


def write(path: Path, text: str) -> Path:
    """Write a file as it stands, line ends and all."""
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "head", "zone", "hour"),
    [
        ("a.csv", "Date(UTC)", None, 9),
        ("a.csv", "Date(UTC)", "Europe/Berlin", 9),
        ("a.csv", "Date(UTC+2)", None, 7),
        ("a.csv", "Time", None, 9),
        ("a.csv", "Time", "Europe/Berlin", 8),
        ("a(UTC+9).csv", "Time", None, 0),
        ("a(UTC+9).csv", "Time", "UTC", 9),
    ],
)
def test_the_zone_is_the_columns_the_owners_the_files(
    tmp_path: Path, name: str, head: str, zone: str | None, hour: int
) -> None:
    """Hours of shift put each fill beside another price."""
    path = write(tmp_path / name, HEADER.replace("Date(UTC)", head) + ROW)
    (when,) = column(of(path, zone=zone).imports[0], "timestamp")
    assert (when.hour, when.minute, str(when.tzinfo)) == (hour, 14, "UTC")


def test_a_line_before_the_header_tells_the_zone() -> None:
    (found,) = of(FILES / "okx.csv").imports
    assert column(found, "timestamp")[0].hour == 8


@pytest.mark.parametrize("name", ["Mars/Base", "", "UTC+99", "../etc", "/etc/passwd"])
def test_a_zone_that_isnt_one_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a zone such as Europe/Berlin"):
        zone_of(name)


def test_equal_rows_are_two_fills_and_overlapping_files_tell_one_twice(tmp_path: Path) -> None:
    """An export without ids must neither lose a fill that looks like another nor count one twice."""
    one = write(tmp_path / "1.csv", HEADER + ROW + ROW + OTHER)
    again = write(tmp_path / "3.csv", HEADER + ROW + ROW)
    with Tables.open(TablePaths(fills="f"), Names(), given=of(one).given({})) as tables:
        assert tables.n_fills == 3
    with Tables.open(TablePaths(fills="f"), Names(), given=of(one, again).given({})) as tables:
        assert tables.n_fills == 3
        assert tables.counts["fills"].duplicates == 2


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("tail", ["Total: 2 rows", ",,,,,,", "\nExported by,Somebody", ""])
def test_lines_at_the_end_that_are_no_rows_are_counted_not_bad(tmp_path: Path, end: str, tail: str) -> None:
    path = write(tmp_path / "a.csv", (HEADER + ROW + OTHER + tail).replace("\n", end))
    found = of(path)
    with Tables.open(TablePaths(fills="f"), Names(), strict=True, given=found.given({})) as tables:
        assert tables.counts["fills"].read == 2
    assert found.imports[0].tally.others["line that is no row"] == bool(tail)


def test_a_row_that_was_cut_is_bad(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", HEADER + ROW * 200 + ROW[:25])
    with Tables.open(TablePaths(fills="f"), Names(), given=of(path).given({})) as tables:
        (reject,) = tables.rejects
    assert reject["row"] == 201
    assert reject["found"].startswith("2024-03-05")


def test_a_bad_cell_is_told_as_the_file_has_it(tmp_path: Path) -> None:
    bad = ROW.replace("64000", "cheap")
    path = write(tmp_path / "a.csv", HEADER + ROW * 200 + bad)
    with Tables.open(TablePaths(fills="f"), Names(), given=of(path).given({})) as tables:
        (reject,) = tables.rejects
    assert (reject["row"], reject["column"], reject["found"]) == (201, "Price", "cheap")
    assert reject["expected"] == "a number"


def test_a_folder_of_all_sorts(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", HEADER + ROW)
    write(tmp_path / "b.csv", (FILES / "kraken.csv").read_text())
    write(tmp_path / "ledgers.csv", (FILES / "kraken-ledgers.csv").read_text())
    write(tmp_path / "notes.txt", "Dear diary\n")
    write(tmp_path / "c.xlsx", "PK\x03\x04")
    write(tmp_path / ".hidden", "x")
    found = of(tmp_path)
    assert [one.match.importer.name for one in found.imports] == ["binance-spot", "kraken"]
    assert len(found.notes) == 3
    with Tables.open(TablePaths(fills="f"), Names(), strict=True, given=found.given({})) as tables:
        assert tables.n_fills == 5
    with pytest.raises(InputError, match="Kraken ledger, which has no fills; export the trades"):
        of(tmp_path / "ledgers.csv")


def test_nothing_but_other_rows_is_no_silence(tmp_path: Path) -> None:
    log = (FILES / "bybit-log.csv").read_text().splitlines(keepends=True)
    path = write(tmp_path / "log.csv", "".join(log[:3]))
    with pytest.raises(InputError, match=r"no fills: .*rows that are no fills: transfer in 1"):
        Tables.open(TablePaths(fills="f"), Names(), given=of(path).given({}))


def test_an_empty_folder_and_an_unknown_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file with fills"):
        of(tmp_path)
    write(tmp_path / "x.txt", "Dear diary\n")
    with pytest.raises(InputError, match="no export that is known has its columns: Dear diary"):
        of(tmp_path)


def test_market_data_that_names_no_exchange_is_of_the_fills(tmp_path: Path) -> None:
    fills = write(tmp_path / "a.csv", HEADER + ROW)
    tape = "timestamp,symbol,price,amount{}\n2024-03-05T09:14:00Z,BTC/USDT,63990,1{}\n"
    for name, told in (
        ("t.csv", ("", "")),
        ("u.csv", (",exchange", ",")),
        ("v.csv", (",exchange", ",kraken")),
    ):
        trades = str(write(tmp_path / name, tape.format(*told)))
        names = Names()
        given = of(fills).given({"trades": trades})
        with Tables.open(TablePaths(fills="f", trades=trades), names, strict=True, given=given):
            markets = {spec.exchange for spec in names.markets}
        assert markets == ({"binance", "kraken"} if "kraken" in told[1] else {"binance"})


def test_many_rows_come_in_pieces(tmp_path: Path) -> None:
    """Two million fills must fit into memory: they are never all there at once."""
    path = write(tmp_path / "a.csv", HEADER + ROW * 80_000)
    (found,) = of(path).imports
    sizes = [piece.rows.size for _, piece in found.source().pieces]
    assert sum(sizes) == 80_000
    assert max(sizes) < 80_000
    assert found.tally.n_rows == 80_000


def test_a_column_without_any_value_is_absent() -> None:
    (found,) = of(FILES / "kraken.csv").imports
    assert pa.array(column(found, "exchange")).unique().to_pylist() == ["kraken"]
    assert np.unique(column(found, "id")).size == 4
