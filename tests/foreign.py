"""Foreign files read as `drainwatch scan` reads them, down to rows of the contract."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drainwatch.imports.reading import Import, Wish, opened
from drainwatch.normalise import parse_table
from drainwatch.readers import BadRow

FILES = Path(__file__).parent / "files" / "imports"
GOLDEN = Path(__file__).parent / "golden" / "imports"

NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Outcome:
    """What came of a file."""

    importer: str
    rows: list[dict[str, Any]]
    """Fills with the contract's columns, as judged; absent ones left out."""
    bad: list[BadRow]
    others: dict[str, int]
    """Rows that are no fills, by kind."""
    markets: list[dict[str, Any]]
    note: str


def read(path: Path, **wish: Any) -> Outcome:
    """Read a file that holds one table."""
    (found,) = opened([str(path)], Wish.of(**wish)).imports
    return outcome(found)


def outcome(found: Import) -> Outcome:
    """Read a table."""
    rows: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    for _, piece in found.source().pieces:
        bad += piece.bad
        if piece.rows.size:
            parsed = parse_table("fills", piece.columns, piece.rows.size)
            bad += [BadRow(int(piece.rows[b.at]), b.column, b.found, b.expected) for b in parsed.bad]
            rows += _rows(parsed.columns)
    importer = found.match.importer
    return Outcome(
        importer.name, rows, bad, dict(+found.tally.others), list(found.tally.markets.values()), importer.note
    )


_WORDS: dict[str, dict[int, str | None]] = {
    "side": {1: "buy", -1: "sell"},
    "type": {0: None, 1: "market", 2: "limit"},
    "taker_or_maker": {0: None, 1: "taker", 2: "maker"},
    "drainwatch_forced": {-1: None, 0: "false", 1: "true"},
}


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    cells = {}
    for name, column in columns.items():
        values = column.to_pylist() if hasattr(column, "to_pylist") else column.tolist()
        if name in _WORDS:
            values = [_WORDS[name][value] for value in values]
        if name == "timestamp":
            values = [value / NS_PER_MS for value in values]
        cells[name] = values
    return [
        {name: value for name, value in zip(cells, row, strict=True) if value is not None and value == value}  # noqa: PLR0124 - NaN
        for row in zip(*cells.values(), strict=True)
    ]


def golden(name: str) -> list[dict[str, Any]]:
    """Read the rows that a database gives, which were looked at once and found right."""
    rows: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))["rows"]
    return rows
