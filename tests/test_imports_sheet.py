"""Files opened: what they are by their bytes, where the header is, what can't be read and what to do then."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drainwatch.errors import InputError
from drainwatch.imports.convert import Manner
from drainwatch.imports.sheet import dialect_of, kind_of, sheets
from drainwatch.readers import Dialect

ROWS = [["time", "price", "note"], ["2024-01-01", "1.5", "a, b"], ["2024-01-02", "2.5", ""]]


def text(delimiter: str = ",", end: str = "\n") -> str:
    """Write the rows; all cells in quotes."""
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + end for row in ROWS)


def read(path: Path) -> dict[str, list[str]]:
    """Read a file's only table whole."""
    (sheet,) = sheets(str(path))
    columns: dict[str, list[str]] = {name: [] for name in sheet.header}
    for _, piece in sheet.read(lambda _: True):
        for name, array in piece.columns.items():
            columns[name] += array.to_pylist()
    return columns


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", "\ufeff", "Report of Somebody\n\nAll times,UTC+2\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_plain_tables_of_any_make(tmp_path: Path, delimiter: str, end: str, before: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((before + text(delimiter, end)).encode())
    assert read(path) == {
        "time": ["2024-01-01", "2024-01-02"],
        "price": ["1.5", "2.5"],
        "note": ["a, b", ""],
    }


def test_the_header_is_found_behind_what_stands_before_it() -> None:
    dialect, before = dialect_of(b"UID: 1,Time Zone:UTC+3\na;b;c\n1;2;3\n4;5;6\n")
    assert dialect == Dialect(";", 1)
    assert "UTC+3" in before


def test_packed_lines_and_parquet(tmp_path: Path) -> None:
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(text().encode()))
    lines = tmp_path / "a.json"
    lines.write_text('{"time": "2024-01-01", "price": 1.5}\n{"time": "2024-01-02", "price": 2.5}\n')
    table = tmp_path / "a.data"
    pq.write_table(pa.table({"time": ["2024-01-01", "2024-01-02"], "price": [1.5, 2.5]}), table)
    for path in (packed, lines, table):
        assert read(path)["time"] == ["2024-01-01", "2024-01-02"]


def workbook(path: Path) -> None:
    """Write a file that has what tells a workbook."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf \n", "an empty file"),
        (b"PK\x03\x04 no archive", "a ZIP archive; unpack it"),
        (b"\xd0\xcf\x11\xe0 old Excel", "an Excel workbook; open it and save the sheet as CSV"),
        (b"%PDF-1.7", "a PDF; export as CSV"),
        (b"\x1f\x8b\x08", "compressed data; let the file's name end in .gz"),
        ("time,price\n".encode("utf-16"), "text in UTF-16; save it as CSV UTF-8"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x00\x01\x02", "neither text nor a format that is known"),
    ],
)
def test_what_cant_be_read_is_told_with_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        sheets(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_workbook_is_known_by_what_is_in_it_or_by_its_name(tmp_path: Path) -> None:
    workbook(tmp_path / "a.csv")
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 cut")
    for name in ("a.csv", "b.xlsx"):
        assert kind_of(str(tmp_path / name)) == "excel"


def test_no_file_and_no_path() -> None:
    with pytest.raises(InputError, match=r"no such file; check the path"):
        sheets("nowhere.csv")
    with pytest.raises(InputError, match=r"can't be read"):
        sheets("a\0b")


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        for sheet in sheets(str(path)):
            for _ in sheet.read(lambda _: True):
                pass
    except InputError:
        pass


def test_a_sheet_shows_how_it_writes_numbers_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("when;price\n25/12/2024;1.234,5\n01/02/2024;0,5\n")
    (sheet,) = sheets(str(path))
    assert sheet.manner(["when"]) == Manner(day_first=True)
    assert sheet.manner(["price"]) == Manner(decimal=",")
