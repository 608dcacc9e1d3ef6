"""JSON documents and ZIP archives: lists of objects, and the results of freqtrade's backtests.

A long list stays as it is in the file, mapped into memory, and its objects are read a piece at a time.
"""

from __future__ import annotations

import gzip
import json
import mmap
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from drainwatch.errors import InputError
from drainwatch.imports import backtest
from drainwatch.imports.records import ROWS, sheet_of
from drainwatch.imports.sheet import Pieces, Sheet, with_samples
from drainwatch.readers import BadRow, Piece, Wanted, column, columns_of
from drainwatch.schema import PARENTS

LARGEST: Final = 2 << 30
"""Bytes that are unpacked from an archive at most."""

_CLIP: Final = 200
_BROKEN: Final = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    ValueError,
)
"""What damaged archives raise; RuntimeError where a password is asked for."""


def open_json(path: str) -> list[Sheet]:
    """Open a JSON document: a list of objects, or the results of a backtest.

    Raises
    ------
    InputError
        If it is neither, or damaged.
    """
    data = _bytes_of(path)
    if bytes(data[:_CLIP]).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
        return [with_samples(Sheet(path, [], partial(_list, path)))]
    return [_backtest(path, data, None)]


def open_zip(path: str) -> list[Sheet]:
    """Open an archive as freqtrade's backtests make them.

    Raises
    ------
    InputError
        If it is another one, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = backtest.member_of(archive.namelist())
            if name is None:
                raise InputError(
                    f"{path}: expected a table of text, found a ZIP archive; unpack it and name the files "
                    "in it"
                )
            data = _unpacked(path, archive, name)
            config = backtest.config_of(archive.namelist(), name)
            exchange = backtest.exchange_of(_unpacked(path, archive, config)) if config else None
    except _BROKEN as error:
        raise InputError(
            f"{path}: expected a table of text, found a ZIP archive; unpack it and name the files in it "
            f"(what it holds can't be read here: {error})"
        ) from error
    return [_backtest(path, data, exchange)]


def _unpacked(path: str, archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise InputError(
            f"{path}: {name}: expected at most {LARGEST >> 30} GB unpacked; export a shorter period"
        )
    return data


def _backtest(path: str, data: Any, exchange: str | None) -> Sheet:
    results = backtest.results_of(path, data)
    return sheet_of(path, backtest.PART, backtest.HEADER, partial(backtest.rows_of, results, exchange))


def _bytes_of(path: str) -> Any:
    """Give a file's bytes, mapped where they can be."""
    try:
        if path.casefold().endswith(".gz"):
            with gzip.open(path) as packed:
                return packed.read()
        with Path(path).open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except _BROKEN as error:
        raise InputError(f"{path}: can't be read: {error}; is it damaged or cut short?") from error


def _list(path: str, wanted: Wanted) -> Pieces:
    decoder = msgspec.json.Decoder()
    known: dict[str, None] = {}
    for start, items in _items(path):
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        bad: list[BadRow] = []
        for number, item in enumerate(items, start):
            row = decoder.decode(item) if isinstance(item, msgspec.Raw) else item
            if isinstance(row, dict):
                rows.append(row)
                numbers.append(number)
            else:
                bad.append(BadRow(number, None, json.dumps(row)[:_CLIP], "a JSON object"))
        cells = columns_of(rows, wanted, PARENTS, known)
        yield list(known), Piece(np.array(numbers, np.int64), {n: column(c) for n, c in cells.items()}, bad)


def _items(path: str) -> Iterator[tuple[int, list[Any]]]:
    """Give a list's items piece by piece, with the number of the first, from 1."""
    data = _bytes_of(path)
    if bytes(data[:3]) == b"\xef\xbb\xbf":
        data = data[3:]
    try:
        items: list[Any] = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        items = _leniently(path, data)
    for start in range(0, len(items), ROWS):
        yield start + 1, items[start : start + ROWS]


def _leniently(path: str, data: Any) -> list[Any]:
    """Read a list also with the NaN and Infinity that Python writes."""
    try:
        items = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"{path}: can't be read as JSON; is it damaged or cut short? ({said})") from error
    return items if isinstance(items, list) else [items]
