"""Files to pieces: every row has its number, nothing is lost, and damage has a name."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drainwatch import readers
from drainwatch.errors import InputError
from drainwatch.readers import BadRow, find, format_of, read
from drainwatch.values import numbers

PARENTS = frozenset({"fee"})
WANTED = {"a", "b", "fee.cost"}


def take(
    path: Path, wanted: set[str] | None = None
) -> tuple[list[dict[str, Any]], list[int], list[BadRow], list[str]]:
    """Read a file whole: rows as dicts, their numbers, the bad ones, and the header."""
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    bad: list[BadRow] = []
    header: list[str] = []
    of = WANTED if wanted is None else wanted
    for names, piece in read("trades", str(path), of.__contains__, PARENTS):
        header = names
        bad += piece.bad
        numbers += piece.rows.tolist()
        assert all(len(column) == piece.rows.size for column in piece.columns.values())
        columns = {name: column.to_pylist() for name, column in piece.columns.items()}
        rows += [{name: column[i] for name, column in columns.items()} for i in range(piece.rows.size)]
    return rows, numbers, bad, header


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("a.csv.gz", "csv"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson.gz", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.json", None),
        ("a.parquet.gz", None),
        ("csv", None),
        ("a.xlsx", None),
    ],
)
def test_formats(name: str, form: str | None) -> None:
    assert format_of(name) == form


def test_files_are_found(tmp_path: Path) -> None:
    for name in ("b.csv", "a.parquet", "notes.txt", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "sub.csv").mkdir()
    files = [str(tmp_path / "a.parquet"), str(tmp_path / "b.csv")]
    assert find("trades", str(tmp_path)).files == files
    assert find("trades", str(tmp_path)).ignored == [str(tmp_path / ".hidden"), str(tmp_path / "notes.txt")]
    assert find("trades", str(tmp_path / "*.csv")).files == files[1:]
    assert find("trades", files[1]).files == files[1:]
    (tmp_path / "odd[1].csv").touch()
    assert find("trades", str(tmp_path / "odd[1].csv")).files == [str(tmp_path / "odd[1].csv")]


@pytest.mark.parametrize("place", ["missing.csv", "*.csv", "only", "a.xlsx", "a\0b.csv"])
def test_what_is_not_found_has_a_reason(tmp_path: Path, place: str) -> None:
    (tmp_path / "a.xlsx").touch()
    (tmp_path / "only").mkdir()
    with pytest.raises(InputError, match=r"^trades: "):
        find("trades", str(tmp_path / place))


def test_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--trades "$TAPE"` with no such variable must not take whatever lies about for a tape."""
    put(tmp_path / "a.csv", b"a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^trades: expected a file, folder or pattern, found an empty text"):
        find("trades", "")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_csv(tmp_path: Path, name: str, bom: bytes, end: bytes, last: bool) -> None:
    lines = [b"a,c,b", b"1,x,2", b"", b'"x, ""y""",z,"line 1\nline 2"', b"1,2", b"1,2,3,4", b"5,,6"]
    rows, numbers, bad, header = take(put(tmp_path / name, bom + end.join(lines) + end * last))
    assert header == ["a", "c", "b"]
    assert rows == [{"a": "1", "b": "2"}, {"a": 'x, "y"', "b": "line 1\nline 2"}, {"a": "5", "b": "6"}]
    assert numbers == [1, 2, 5]
    assert [(row.row, row.column, row.found.strip()) for row in bad] == [
        (3, None, "1,2"),
        (4, None, "1,2,3,4"),
    ]
    assert bad[0].expected == "3 cells, as in the header"


def test_csv_in_many_pieces_numbers_rows_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_BYTES", 1000)
    lines = ["a,b"] + [f"{i}" if i % 7 == 0 else f"{i},{i}" for i in range(1, 3001)]
    rows, numbers, bad, _ = take(put(tmp_path / "t.csv", "\n".join(lines).encode()))
    assert numbers == [i for i in range(1, 3001) if i % 7]
    assert [row["a"] for row in rows] == [str(i) for i in numbers]
    assert [row.row for row in bad] == list(range(7, 3001, 7))


def test_csv_header_may_take_several_lines(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", b'\n"x\ny",a\n1,2\n3\n5,6\n')
    assert take(path)[0:2] == ([{"a": "2"}, {"a": "6"}], [1, 3])
    assert [row.row for row in take(path)[2]] == [2]


def test_csv_column_given_twice_is_taken_once(tmp_path: Path) -> None:
    assert take(put(tmp_path / "t.csv", b"a,b,a\n1,2,3\n"))[0] == [{"a": "1", "b": "2"}]


def test_csv_that_is_not_utf_8(tmp_path: Path) -> None:
    """Such bytes are shown, not guessed at; a number among them is bad later."""
    rows, numbers, bad, _ = take(put(tmp_path / "t.csv", b"a,b,c\n1,2,\xff\n\xff,\xc3\n\xc3\xa9,5\xc3,6\n"))
    assert (rows, numbers) == ([{"a": "1", "b": "2"}, {"a": "é", "b": "5\\xc3"}], [1, 3])
    assert [(row.row, row.found) for row in bad] == [(2, "\\xff,\\xc3")]


def test_csv_characters_may_lie_across_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_BYTES", 101)
    lines = ["a,b"] + [f"{'é' * (i % 9)},€{i}" for i in range(500)]
    rows = take(put(tmp_path / "t.csv", "\n".join(lines).encode()))[0]
    assert [f"{row['a']},{row['b']}" for row in rows] == lines[1:]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (b'a,b\n1,2\n"3,4\n5,6\n', 2),
        (b'a,b\n1,2\n3,"', 2),
        (b'a,b\n"', 1),
        (b'a,b\n1,2\n3\n4,5\n6,"7\n8,9\n', 4),
        (b'a,b\n1,2\n3\n4,5\n"6,7\n8,9\n', 4),
    ],
)
def test_csv_with_an_open_quote_is_refused(tmp_path: Path, text: bytes, row: int) -> None:
    """It would swallow all rows behind it."""
    with pytest.raises(InputError, match=rf"t\.csv: row {row}: a quote is opened and never closed"):
        take(put(tmp_path / "t.csv", text))


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"a": 1, "b": "x", "fee": {"cost": 0.5, "currency": "BNB"}}',
        "",
        '{"a": 2}',
        "[1]",
        "{bad",
        "null",
        '{"b": "y", "fee": null}',
        '{"b": NaN}',
        '{"a": 123456789012345678901234567890}',
        '{"a": [1]}',
    ]
    rows, numbers, bad, header = take(put(tmp_path / "t.jsonl.gz", "\r\n".join(lines).encode()))
    assert numbers == [1, 2, 6, 7, 8, 9]
    assert [row["a"] for row in rows] == ["1", "2", None, None, "123456789012345678901234567890", "[1]"]
    assert [row["fee.cost"] for row in rows] == [0.5, None, None, None, None, None]
    assert [row["b"] for row in rows] == ["x", None, "y", "", None, None]
    assert [(row.row, row.found) for row in bad] == [(3, "[1]"), (4, "{bad"), (5, "null")]
    assert {"a", "b", "fee.cost"} <= set(header)


def test_flat_and_nested_spellings_in_one_file(tmp_path: Path) -> None:
    lines = b'{"fee.cost": 1}\n{"fee": {"cost": 2}}\n{"fee": {"cost": 3}, "fee.cost": 4}\n{"fee": 5}\n'
    assert [row["fee.cost"] for row in take(put(tmp_path / "t.jsonl", lines))[0]] == [1, 2, 4, None]


def test_json_lines_in_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_BYTES", 64)
    data = "\n".join("{" if i % 10 == 0 else json.dumps({"a": i, "b": "é" * (i % 50)}) for i in range(1, 301))
    rows, numbers, bad, _ = take(put(tmp_path / "t.ndjson", b"\xef\xbb\xbf" + data.encode()))
    assert numbers == [row["a"] for row in rows] == [i for i in range(1, 301) if i % 10]
    assert [row.row for row in bad] == list(range(10, 301, 10))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_BYTES", 100)
    monkeypatch.setattr(readers, "LONGEST_LINE", 1000)
    with pytest.raises(InputError, match="row 1: expected lines of at most"):
        take(put(tmp_path / "t.jsonl", b"x" * 5000))


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_ROWS", 2)
    table = pa.table(
        {
            "a": [1, 2, 3],
            "z": [0, 0, 0],
            "b": pa.array(["x", None, "x"]).dictionary_encode(),
            "fee": [{"cost": 1.5, "currency": "B"}, None, {"cost": None, "currency": "C"}],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    rows, numbers, bad, header = take(tmp_path / "t.parquet")
    assert rows == [
        {"a": 1, "b": "x", "fee.cost": 1.5},
        {"a": 2, "b": None, "fee.cost": None},
        {"a": 3, "b": "x", "fee.cost": None},
    ]
    assert (numbers, bad) == ([1, 2, 3], [])
    assert header == ["a", "z", "b", "fee", "fee.cost", "fee.currency"]


def test_parquet_text_that_is_not_utf_8(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"]).buffers())
    pq.write_table(pa.table({"a": broken}), tmp_path / "t.parquet")
    rows, numbers, bad, _ = take(tmp_path / "t.parquet")
    assert (rows, numbers, bad) == ([{"a": "ok"}, {"a": "\\xff"}], [1, 2], [])


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.csv.gz", "t.jsonl.gz"])
def test_empty_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="the file is empty"):
        take(tmp_path / name)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz", "t.parquet"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_files_cut_short_are_refused(tmp_path: Path, name: str, part: float) -> None:
    path = tmp_path / name
    if name == "t.parquet":
        pq.write_table(pa.table({"a": np.arange(1000)}), path)
    else:
        put(path, os.urandom(3000).hex().encode())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputError, match="is it damaged or cut short"):
        take(path)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz", "t.parquet"])
def test_files_of_another_kind_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(InputError, match="is it damaged or cut short"):
        take(tmp_path / name)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(InputError, match="can't be read as csv"):
        take(tmp_path / "t.csv")


CELLS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(
    ['"', '""', ",", "\n", "\r", "\0", "1"]
)
LINES = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=8).map("\n".join)


@given(LINES.map(str.encode) | st.binary(max_size=60))
@example(b"\r")
@example(b"a\0,b\n1,2\n")
def test_any_csv_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = put(tmp_path_factory.mktemp("fuzz") / "t.csv", b"a,b\n" + data)
    try:
        _, numbers, bad, _ = take(path)
    except InputError:
        return
    # each row is read or bad, once
    assert sorted(numbers + [row.row for row in bad]) == list(range(1, len(numbers) + len(bad) + 1))


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n'), max_size=8)


@given(st.lists(PLAIN, max_size=12), st.integers(40, 200))
def test_no_line_of_a_csv_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], piece_bytes: int
) -> None:
    path = put(tmp_path_factory.mktemp("fuzz") / "t.csv", "\n".join(["a,b", *lines]).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "PIECE_BYTES", piece_bytes)
        rows, numbers, bad, _ = take(path)
    filled = [line for line in lines if line]
    assert sorted(numbers + [row.row for row in bad]) == list(range(1, len(filled) + 1))
    assert {n: f"{row['a']},{row['b']}" for n, row in zip(numbers, rows, strict=True)} == {
        n: line for n, line in enumerate(filled, 1) if line.count(",") == 1
    }


@given(st.binary(max_size=60))
def test_any_csv_header_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = put(tmp_path_factory.mktemp("fuzz") / "t.csv", data)
    with contextlib.suppress(InputError):
        take(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["cost", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "fee", "fee.cost", "z"]), VALUES, max_size=4)


@given(st.lists(st.one_of(OBJECTS.map(json.dumps), VALUES.map(json.dumps), st.text(max_size=9)), max_size=8))
@example(['{"a":' + "[" * 5000])
@example(['{"a": "\\ud800"}'])
@example(['{"a": 1e999}', '{"a": ' + "9" * 5000 + "}"])
def test_any_json_lines_are_read_or_bad(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    path = put(tmp_path_factory.mktemp("fuzz") / "t.jsonl", data)
    try:
        _, numbers, bad, _ = take(path)
    except InputError:
        assert not data
        return
    count = sum(1 for line in data.split(b"\n") if line.strip())
    assert sorted(numbers + [row.row for row in bad]) == list(range(1, count + 1))


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_any_piece_of_a_parquet_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    pq.write_table(pa.table({"a": np.arange(200), "b": ["x"] * 200}), folder / "t.parquet")
    data = (folder / "t.parquet").read_bytes()
    part = data[start : start + length]
    if part == data:
        return
    (folder / "t.parquet").write_bytes(part)
    with pytest.raises(InputError):
        take(folder / "t.parquet")


@pytest.mark.parametrize("others", [[], [1], [1.5], [1.5, None], ["x"], [[1]]])
def test_truth_is_never_a_number_whatever_stands_beside_it(others: list[Any]) -> None:
    """Arrow makes 1.0 of true in a column of floats; a price of `true` was then taken for 1."""
    bad = numbers(readers.column([*others, True])).bad
    assert bad[-1]


def test_a_csv_file_of_another_dialect(tmp_path: Path) -> None:
    """A quote that is never closed is noticed whatever stands between cells."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"Of Somebody\n\nprice;amount\n1;2\n3\n4;5\n")
    dialect = readers.Dialect(";", 1)
    pieces = list(readers.read("fills", str(path), lambda _: True, frozenset(), form="csv", dialect=dialect))
    assert pieces[0][0] == ["price", "amount"]
    assert [text for _, piece in pieces for text in piece.columns.get("price", pa.array([])).to_pylist()] == [
        "1",
        "4",
    ]
    assert [row.row for _, piece in pieces for row in piece.bad] == [2]
    path.write_bytes(b'a\nprice;amount\n"1;2\n')
    with pytest.raises(InputError, match="a quote is opened and never closed"):
        list(readers.read("fills", str(path), lambda _: True, frozenset(), form="csv", dialect=dialect))
