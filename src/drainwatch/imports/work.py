"""A piece of a foreign file on its way to the contract: columns, what is bad in it, what is no fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drainwatch import values
from drainwatch.readers import BadRow, Piece

_CLIP = 200


@dataclass(slots=True)
class Tally:
    """What became of a file's rows beside those that were handed on."""

    n_rows: int = 0
    others: Counter[str] = field(default_factory=Counter)
    """Rows that are no fills, by what they call themselves."""
    markets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By symbol: what the importer knows of the market, as columns of the `markets` table."""
    seen: Counter[int] = field(default_factory=Counter)
    """How often each content came up, of files whose rows have no id."""


@dataclass(slots=True)
class Work:
    """Columns of one piece, by the contract's names; those that begin with `_` are for quirks alone.

    All are texts, null where absent, until a converter makes times of them.
    """

    rows: NDArray[np.int64]
    columns: dict[str, Any]
    heads: dict[str, str]
    """How the file calls each column."""
    tally: Tally
    raw: dict[str, Any] = field(default_factory=dict)
    """The columns as they stood in the file."""
    bad: dict[int, BadRow] = field(default_factory=dict)
    left: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.left = np.zeros(self.rows.size, np.bool_)
        self.raw = dict(self.columns)

    def get(self, name: str) -> Any:
        """Give a column; all null where the file has none."""
        column = self.columns.get(name)
        return pa.nulls(self.rows.size, pa.string()) if column is None else column

    def texts(self, name: str) -> list[str | None]:
        """Give a column as a list; None where absent."""
        found: list[str | None] = self.get(name).to_pylist()
        return found

    def set(self, name: str, cells: Any) -> None:
        """Put a column; a list is one of texts."""
        self.columns[name] = pa.array(cells, pa.string()) if isinstance(cells, list) else cells

    def each(self, to: str, names: Sequence[str], make: Callable[..., str | None]) -> None:
        """Make a column from others, row by row; equal cells are looked at once."""
        known: dict[tuple[str | None, ...], str | None] = {}
        cells: list[str | None] = []
        for row in zip(*(self.texts(name) for name in names), strict=True):
            if row not in known:
                known[row] = make(*row)
            cells.append(known[row])
        self.set(to, cells)

    def reject(self, which: NDArray[np.bool_], name: str, expected: str) -> None:
        """Take rows for bad, because of what stands in a column."""
        which = which & ~self.left
        source = self.raw.get(name)
        for at in np.flatnonzero(which).tolist():
            found = "" if source is None else values.text_of(source[at].as_py())[:_CLIP]
            row = int(self.rows[at])
            self.bad.setdefault(at, BadRow(row, self.heads.get(name, name), found, expected))

    def leave(self, kinds: Sequence[str | None]) -> None:
        """Leave out rows that are no fills: those with a kind, counted by it."""
        for at, kind in enumerate(kinds):
            if kind is not None and not self.left[at]:
                self.left[at] = True
                self.bad.pop(at, None)
                self.tally.others[kind] += 1

    def piece(self) -> Piece:
        """Give what is left as a piece in the contract's names."""
        keep = ~self.left
        keep[list(self.bad)] = False
        names = [name for name in self.columns if not name.startswith("_")]
        columns = {name: self.columns[name] for name in names}
        if not keep.all():
            mask = pa.array(keep)
            columns = {name: column.filter(mask) for name, column in columns.items()}
        bad = [self.bad[at] for at in sorted(self.bad)]
        return Piece(self.rows[keep], columns, bad)
