"""A piece on its way: what is bad, what is no fill, what is handed on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from drainwatch.imports.work import Tally, Work
from drainwatch.readers import BadRow


def work(**columns: list[str | None]) -> Work:
    """Make a piece whose rows are numbered from 11."""
    size = len(next(iter(columns.values())))
    arrays = {name: pa.array(cells, pa.string()) for name, cells in columns.items()}
    return Work(np.arange(11, 11 + size), arrays, {"price": "Px"}, Tally())


def test_bad_rows_are_told_as_the_file_has_them() -> None:
    made = work(price=["1", "x", "3"], _private=["a", "b", "c"])
    made.columns["price"] = pa.array(["1", None, "3"])
    made.reject(np.array([False, True, False]), "price", "a number")
    piece = made.piece()
    assert piece.rows.tolist() == [11, 13]
    assert piece.columns["price"].to_pylist() == ["1", "3"]
    assert list(piece.columns) == ["price"]
    assert piece.bad == [BadRow(12, "Px", "x", "a number")]


def test_a_row_that_is_no_fill_is_counted_and_never_bad() -> None:
    made = work(price=["x", "2", "3"])
    made.reject(np.array([True, False, False]), "price", "a number")
    made.leave(["deposit", None, "deposit"])
    made.reject(np.array([False, False, True]), "price", "a number")
    piece = made.piece()
    assert piece.rows.tolist() == [12]
    assert piece.bad == []
    assert made.tally.others == {"deposit": 2}


def test_a_column_is_made_from_others_and_equal_cells_are_looked_at_once() -> None:
    made = work(a=["1", "1", None], b=["x", "x", "y"])
    seen: list[tuple[str | None, str | None]] = []

    def join(a: str | None, b: str | None) -> str | None:
        seen.append((a, b))
        return f"{a}{b}" if a else None

    made.each("c", ["a", "b"], join)
    assert made.texts("c") == ["1x", "1x", None]
    assert len(seen) == 2


def test_a_column_that_isnt_there_is_absent() -> None:
    assert work(a=["1", "2"]).texts("b") == [None, None]
