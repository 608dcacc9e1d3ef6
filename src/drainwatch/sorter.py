"""Sorting more rows than fit in memory: runs of bounded size, merged block by block."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

RUN_BYTES = 8 << 20
"""Rows sorted at once, and rows in hand while runs are merged: little enough to be reused by malloc."""

_LEAST_BLOCK = 256


class Store(Protocol):
    """Where sorted rows of one type wait: rows are appended, and read by their position."""

    def append(self, rows: NDArray[np.void]) -> None:
        """Add rows at the end."""

    def read(self, start: int, stop: int) -> NDArray[np.void]:
        """Read the rows from `start` to before `stop`."""


class MemoryStore:
    """Rows kept as they came."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        del dtype  # the rows have it
        self._parts: list[NDArray[np.void]] = []
        self._starts: list[int] = [0]

    def append(self, rows: NDArray[np.void]) -> None:
        """Add rows at the end."""
        self._parts.append(rows)
        self._starts.append(self._starts[-1] + rows.size)

    def read(self, start: int, stop: int) -> NDArray[np.void]:
        """Read rows of one `append`: a view."""
        part = bisect_right(self._starts, start) - 1
        at = self._starts[part]
        return self._parts[part][start - at : stop - at]


def words(rows: NDArray[np.void]) -> NDArray[np.uint64]:
    """View rows as a matrix of words: numpy copies those whole, but records field by field."""
    return rows.view(np.uint64).reshape(rows.size, rows.dtype.itemsize // 8)


def joined(parts: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Join rows of one type."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([words(part) for part in parts]).reshape(-1).view(parts[0].dtype)


def picked(rows: NDArray[np.void], at: NDArray[Any]) -> NDArray[np.void]:
    """Take the rows at positions, or those where a mask is True."""
    if at.dtype == np.bool_:
        at = np.flatnonzero(at)
    return np.take(words(rows), at, axis=0).reshape(-1).view(rows.dtype)


def _ordering(rows: NDArray[np.void], keys: Sequence[str]) -> NDArray[np.intp]:
    """Order rows by `keys`; the later keys are looked at only where the first ties."""
    first = np.ascontiguousarray(rows[keys[0]])
    order = np.argsort(first, kind="stable")
    ordered = first[order]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        tied = np.zeros(order.size, np.bool_)
        tied[1:] = same
        tied[:-1] |= same
        at = order[tied]
        order[tied] = at[np.lexsort([rows[key][at] for key in reversed(keys)])]
    return order


def _sorted(rows: NDArray[np.void], keys: Sequence[str]) -> NDArray[np.void]:
    order = _ordering(rows, keys)
    return rows if np.array_equal(order, np.arange(order.size)) else picked(rows, order)


def key_at(rows: NDArray[np.void], at: int, keys: Sequence[str]) -> tuple[int, ...]:
    """Read the values that one row is sorted by."""
    return tuple(int(rows[key][at]) for key in keys)


def _count_to(rows: NDArray[np.void], bound: tuple[int, ...], keys: Sequence[str]) -> int:
    """Count the rows of a sorted block that are not after `bound`."""
    low, high = 0, rows.size
    for key, value in zip(keys, bound, strict=True):
        part = rows[key][low:high]
        wanted = part.dtype.type(value)
        high = low + int(np.searchsorted(part, wanted, "right"))
        low += int(np.searchsorted(part, wanted, "left"))
    return high


class _Run:
    """One sorted run: pieces of the store, one after the other."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, int]] = []
        self.last: tuple[int, ...] = ()


class _Cursor:
    """A place in a run while it is read; `block` is what is in hand."""

    def __init__(self, store: Store, run: _Run, size: int) -> None:
        self._store, self._size = store, size
        self._pieces = run.pieces[::-1]
        self.block = store.read(run.pieces[0][0], run.pieces[0][0])
        self.fill()

    def fill(self) -> None:
        """Take as much in hand as there is room for."""
        parts = [self.block] if self.block.size else []
        room = self._size - self.block.size
        while room and self._pieces:
            start, stop = self._pieces.pop()
            if stop - start > room:
                self._pieces.append((start + room, stop))
                stop = start + room
            parts.append(self._store.read(start, stop))
            room -= stop - start
        if parts:
            self.block = joined(parts)

    def take_to(self, bound: tuple[int, ...] | None, keys: Sequence[str]) -> NDArray[np.void]:
        """Hand out what is not after `bound`, or everything."""
        upto = self.block.size if bound is None else _count_to(self.block, bound, keys)
        taken, self.block = self.block[:upto], self.block[upto:]
        return taken

    @property
    def has_more(self) -> bool:
        """Whether rows follow those in hand."""
        return bool(self._pieces)


class Sorter:
    """Rows in any order in, rows ordered by `keys` out, in memory that doesn't grow with them."""

    def __init__(self, dtype: np.dtype[np.void], keys: Sequence[str], store: Store, run_bytes: int) -> None:
        self._keys, self._store = tuple(keys), store
        self._size = max(run_bytes // dtype.itemsize, _LEAST_BLOCK)
        self._waiting: list[NDArray[np.void]] = []
        self._n_waiting = 0
        self._runs: list[_Run] = []
        self._n_stored = 0

    def add(self, rows: NDArray[np.void]) -> None:
        """Take rows; the caller doesn't change them afterwards."""
        while rows.size:
            part = rows[: self._size - self._n_waiting]
            rows = rows[part.size :]
            self._waiting.append(part)
            self._n_waiting += part.size
            if self._n_waiting == self._size:
                self._flush()

    def _flush(self) -> None:
        """Sort what waits, and put it behind a run that ends before it, else into a new one."""
        if not self._n_waiting:
            return
        rows = _sorted(joined(self._waiting), self._keys)
        self._waiting, self._n_waiting = [], 0
        first = key_at(rows, 0, self._keys)
        before = [run for run in self._runs if run.last <= first]
        run = max(before, key=lambda run: run.last) if before else _Run()
        if not before:
            self._runs.append(run)
        self._store.append(rows)
        run.pieces.append((self._n_stored, self._n_stored + rows.size))
        run.last = key_at(rows, -1, self._keys)
        self._n_stored += rows.size

    def blocks(self) -> Iterator[NDArray[np.void]]:
        """Give all rows in order, in blocks; may be called again."""
        self._flush()
        size = max(self._size // max(len(self._runs), 1), _LEAST_BLOCK)
        cursors = [_Cursor(self._store, run, size) for run in self._runs]
        while cursors:
            bounds = [key_at(cursor.block, -1, self._keys) for cursor in cursors if cursor.has_more]
            bound = min(bounds, default=None)  # beyond it a run's next block may come in between
            parts = [cursor.take_to(bound, self._keys) for cursor in cursors]
            parts = [part for part in parts if part.size]
            yield parts[0] if len(parts) == 1 else _sorted(joined(parts), self._keys)
            for cursor in cursors:
                cursor.fill()
            cursors = [cursor for cursor in cursors if cursor.block.size]
