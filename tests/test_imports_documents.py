"""JSON documents and ZIP archives."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import foreign
from drainwatch.errors import InputError
from drainwatch.imports import documents
from drainwatch.imports.documents import open_json, open_zip

TRADE: dict[str, Any] = {
    "id": "1",
    "timestamp": 1710768043123,
    "datetime": "2024-03-18T13:20:43.123Z",
    "symbol": "BTC/USDT",
    "side": "buy",
    "price": 2.0,
    "amount": 3.0,
}


def test_long_lists_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "ROWS", 2)
    path = tmp_path / "trades.json"
    path.write_text(json.dumps([TRADE | {"id": str(n)} for n in range(5)]))
    (sheet,) = open_json(str(path))
    assert [piece.rows.tolist() for _, piece in sheet.read(lambda name: name == "id")] == [
        [1, 2],
        [3, 4],
        [5],
    ]
    assert [row["id"] for row in foreign.read(path).rows] == ["0", "1", "2", "3", "4"]


def test_compressed_lists_and_marks_of_byte_order_are_read(tmp_path: Path) -> None:
    path = tmp_path / "trades.json.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps([TRADE]).encode()))
    assert [row["id"] for row in foreign.read(path).rows] == ["1"]


def test_nan_as_python_writes_it_is_an_absent_value(tmp_path: Path) -> None:
    path = tmp_path / "trades.json"
    path.write_text(json.dumps([TRADE | {"cost": float("nan")}]))
    (row,) = foreign.read(path).rows
    assert "cost" not in row


def test_what_is_no_object_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trades.json"
    path.write_text(json.dumps([TRADE, [1, 2, 3]]))
    got = foreign.read(path)
    assert [row["id"] for row in got.rows] == ["1"]
    assert [(bad.row, bad.found, bad.expected) for bad in got.bad] == [(2, "[1, 2, 3]", "a JSON object")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"id": 1}, {"id"', "can't be read as JSON; is it damaged or cut short"),
        ('{\n"a": 1}', "expected a list of objects, or the results of a freqtrade backtest"),
        ('{"strategy": {"S": {"trades": [{"pair": 3}]}}}', "found another JSON document"),
        ('{"strategy": {"S": ', "found another JSON document"),
        ("[" * 5000, "can't be read as JSON"),
    ],
)
def test_other_documents_are_errors_that_say_so(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        foreign.read(path)


def test_other_archives_are_errors_that_say_so(tmp_path: Path) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trades.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match="found a ZIP archive; unpack it"):
        open_zip(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"unpack it .*can't be read here"):
        open_zip(str(path))


def test_archives_do_not_unpack_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LARGEST", 1000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("backtest-result-1.json", b" " * 100_000)
    with pytest.raises(InputError, match="expected at most"):
        open_zip(str(path))
