"""Sheets of what is no table of text: rows that a database or a JSON document gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from drainwatch.imports.sheet import Pieces, Sheet, with_samples
from drainwatch.imports.work import Work
from drainwatch.readers import Piece, Wanted, column

ROWS = 65_536
"""Rows in a piece."""

KIND = "_kind"
"""Column of a row that is no fill: what it is, in the singular."""

Row = tuple[int, dict[str, Any]]
"""A row's number in its file, from 1, and its values by column."""


def sheet_of(path: str, part: str, names: Sequence[str], rows: Callable[[], Iterable[Row]]) -> Sheet:
    """Make a sheet of rows.

    Parameters
    ----------
    part
        The importer's `part`.
    names
        The columns; what a row lacks is empty there.
    rows
        Reads them from the beginning, each time that it is called.
    """
    header = list(names)

    def read(wanted: Wanted) -> Pieces:
        some = [name for name in header if wanted(name)]
        yield header, Piece(np.empty(0, np.int64), {name: column([]) for name in some})
        for chunk in _chunks(rows()):
            numbers = np.array([number for number, _ in chunk], np.int64)
            cells = {name: column([row.get(name) for _, row in chunk]) for name in some}
            yield header, Piece(numbers, cells)

    return with_samples(Sheet(path, header, read, part))


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while chunk := list(islice(left, ROWS)):
        yield chunk


def leave_kinds(work: Work) -> None:
    """Quirk: leave out the rows that say that they are no fills."""
    work.leave(work.texts(KIND))
