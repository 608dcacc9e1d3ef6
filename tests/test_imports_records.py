"""Rows of databases and documents as sheets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drainwatch.imports import records
from drainwatch.imports.records import Row, sheet_of


def test_rows_become_pieces_with_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ROWS", 2)
    opened = 0

    def rows() -> Iterator[Row]:
        nonlocal opened
        opened += 1
        for number in range(1, 6):
            yield number * 10, {"a": f"x{number}", "b": number if number != 3 else None}

    sheet = sheet_of("somewhere", "a part", ("a", "b", "c"), rows)
    assert (sheet.name, sheet.header, sheet.part) == ("somewhere (a part)", ["a", "b", "c"], "a part")
    assert sheet.samples["a"] == ["x1", "x2"]
    pieces = [piece for _, piece in sheet.read(lambda name: name != "c")]
    assert [piece.rows.tolist() for piece in pieces] == [[], [10, 20], [30, 40], [50]]
    assert pieces[2].columns["a"].to_pylist() == ["x3", "x4"]
    assert pieces[2].columns["b"].to_pylist() == [None, 4]
    assert set(pieces[2].columns) == {"a", "b"}
    assert opened == 2  # for the samples, and for the rows
