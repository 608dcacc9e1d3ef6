"""The table of fills that a report is made of: columns, absent values and all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drainwatch.report.words import as_float, clean

Fills = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Columns by name (arrays or lists of one length), or one mapping a row."""


class FillTable:
    """Fills as columns; a column that isn't there reads as absent in every row.

    Parameters
    ----------
    fills
        Key columns (`exchange`, `account`, `symbol`, `id`, `order`, `side`), `timestamp` (ms),
        `price`, `amount`, `fair_price`, `fair_source`, `deviation_bps` (positive is worse),
        `score`, `p_value`, `flagged`, `blind`, `incident`, and optionally `loss`. None is an
        empty table.

    Raises
    ------
    ValueError
        Where columns differ in length.
    """

    def __init__(self, fills: Fills | None) -> None:
        columns: dict[str, Any] = {}
        if isinstance(fills, Mapping):
            columns = dict(fills)
        elif fills:
            names = dict.fromkeys(name for row in fills for name in row)
            columns = {name: [row.get(name) for row in fills] for name in names}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"expected columns of one length in the table of fills, found {sorted(lengths)}")
        self._columns = columns
        self._floats: dict[str, NDArray[np.float64]] = {}
        self._length = lengths.pop() if lengths else 0

    def __len__(self) -> int:
        return self._length

    def raw(self, name: str) -> Any:
        """Column as given, or None where there is none."""
        return self._columns.get(name)

    def value(self, name: str, row: int) -> Any:
        """One cell; None where absent."""
        column = self._columns.get(name)
        return None if column is None else column[row]

    def text(self, name: str, row: int) -> str:
        """One cell, safe to print; empty where absent."""
        return clean(self.value(name, row))

    def floats(self, name: str) -> NDArray[np.float64]:
        """Column as float64, shape (rows,), NaN where absent."""
        if name not in self._floats:
            column = self._columns.get(name)
            if column is None:
                made = np.full(self._length, np.nan)
            else:
                array = np.asarray(column)
                if array.dtype.kind in "fiub":
                    made = array.astype(np.float64)
                else:
                    made = np.fromiter((as_float(x) for x in column), np.float64, self._length)
            self._floats[name] = made
        return self._floats[name]

    @cached_property
    def flagged(self) -> NDArray[np.bool_]:
        """Whether each fill was flagged, shape (rows,); absent is not."""
        return self.floats("flagged") > 0

    @cached_property
    def _of_incident(self) -> dict[str, NDArray[np.int64]]:
        found: dict[str, list[int]] = {}
        for row, name in enumerate(_listed(self._columns.get("incident"))):
            if name is not None and name == name and name != "":  # noqa: PLR0124 - NaN is absent
                found.setdefault(str(name), []).append(row)
        return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}

    def of_incident(self, incident_id: object) -> NDArray[np.int64]:
        """Rows of one incident, by time."""
        rows = self._of_incident.get(str(incident_id), np.empty(0, np.int64))
        return self.by_time(rows)

    def by_time(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put rows in order of time; those of one time stay as they are."""
        return rows[np.argsort(self.floats("timestamp")[rows], kind="stable")]

    @cached_property
    def _pair_codes(self) -> NDArray[np.int64]:
        """Number of each row's exchange, account and symbol, shape (rows,)."""
        nothing = [None] * self._length
        names = [_listed(self._columns.get(n)) or nothing for n in ("exchange", "account", "symbol")]
        codes: dict[tuple[Any, ...], int] = {}
        found = (codes.setdefault(key, len(codes)) for key in zip(*names, strict=True))
        return np.fromiter(found, np.int64, self._length)

    def near(self, like: int, first_ms: float, last_ms: float) -> NDArray[np.int64]:
        """Rows of the same exchange, account and symbol as row `like`, within both times, by time."""
        times, codes = self.floats("timestamp"), self._pair_codes
        return self.by_time(np.flatnonzero((times >= first_ms) & (times <= last_ms) & (codes == codes[like])))

    def symbols(self, rows: NDArray[np.int64]) -> list[str]:
        """Symbols of some rows as they came, the one with most fills first."""
        count = Counter(str(self.value("symbol", int(row))) for row in rows)
        return [name for name, _ in count.most_common()]

    def counts(self, name: str) -> list[tuple[str, int]]:
        """How often each value of a text column occurs, most often first; absent ones are left out."""
        seen = Counter(x for x in _listed(self._columns.get(name)) if isinstance(x, str) and x)
        return sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))


def _listed(column: Any) -> list[Any]:
    """List a column as Python values."""
    if column is None:
        return []
    return list(column.tolist() if isinstance(column, np.ndarray) else column)


def count_rows(count: Mapping[str, Any] | int) -> tuple[int, int, int]:
    """Read what became of a table's rows: how many were read, rejected, and left out as duplicates.

    A plain number is of rows read; so is `rows` or `read`, and `bad` is another word for rejected.
    """
    if isinstance(count, int):
        return count, 0, 0
    rows = count.get("rows", count.get("read", 0))
    return int(rows), int(count.get("rejected", count.get("bad", 0))), int(count.get("duplicates", 0))
