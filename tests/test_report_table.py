"""The table of fills, however it comes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from drainwatch.report.table import FillTable, count_rows

ROWS: list[dict[str, Any]] = [
    {"id": "2", "timestamp": 20, "price": 1.5, "symbol": "A/B", "flagged": True, "incident": "x"},
    {"id": "1", "timestamp": 10, "price": None, "symbol": "A/B", "flagged": False, "incident": "x"},
    {"id": "3", "timestamp": 30, "price": 2.5, "symbol": "C/D", "flagged": False, "incident": None},
]
COLUMNS = {name: np.array([row[name] for row in ROWS], dtype=object) for name in ROWS[0]}


@pytest.mark.parametrize("given", [ROWS, COLUMNS, {n: c.tolist() for n, c in COLUMNS.items()}])
def test_rows_and_columns_are_the_same_table(given: Any) -> None:
    table = FillTable(given)
    assert len(table) == 3
    assert table.of_incident("x").tolist() == [1, 0]  # by time
    assert table.floats("price").tolist()[::2] == [1.5, 2.5]
    assert math.isnan(table.floats("price")[1])
    assert table.flagged.tolist() == [True, False, False]
    assert table.symbols(np.arange(3)) == ["A/B", "C/D"]
    assert table.counts("symbol") == [("A/B", 2), ("C/D", 1)]


def test_what_isnt_there_is_absent() -> None:
    table = FillTable(ROWS)
    assert table.value("fair_price", 0) is None
    assert table.text("order", 0) == ""
    assert np.isnan(table.floats("fair_price")).all()
    assert table.of_incident("y").tolist() == []
    assert table.counts("blind") == []


@pytest.mark.parametrize("empty", [None, [], {}])
def test_empty_table(empty: Any) -> None:
    table = FillTable(empty)
    assert len(table) == 0
    assert table.floats("price").shape == (0,)
    assert not table.flagged.any()


def test_nan_is_no_incident() -> None:
    """A frame turns None into NaN: it must not become an incident named nan."""
    assert FillTable({"incident": [math.nan, "", None], "timestamp": [1, 2, 3]}).of_incident("nan").size == 0


def test_near_takes_one_market_of_one_account() -> None:
    rows = [
        {"account": a, "symbol": s, "timestamp": t}
        for t, (a, s) in enumerate([("a", "X"), ("b", "X"), ("a", "Y"), ("a", "X")])
    ]
    table = FillTable(rows)
    assert table.near(0, 0, 3).tolist() == [0, 3]
    assert table.near(0, 0, 2).tolist() == [0]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of one length"):
        FillTable({"id": ["1"], "price": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (7, (7, 0, 0)),
        ({"rows": 7, "rejected": 1, "duplicates": 2}, (7, 1, 2)),
        ({"read": 7, "bad": 1}, (7, 1, 0)),
        ({}, (0, 0, 0)),
    ],
)
def test_counts_of_rows(count: Any, rows: tuple[int, int, int]) -> None:
    assert count_rows(count) == rows
