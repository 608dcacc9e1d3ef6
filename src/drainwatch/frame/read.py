"""Fills as a DataFrame of the contract's columns, read from files as a replay reads them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drainwatch import readers
from drainwatch.errors import InputError
from drainwatch.events import Liquidity, Names, OrderType
from drainwatch.imports.reading import Wish, opened
from drainwatch.normalise import parse_table
from drainwatch.schema import PARENTS, SCHEMA, column_of
from drainwatch.tables import TablePaths, Tables

if TYPE_CHECKING:
    import pandas as pd

_WORDS: Final[dict[str, dict[int, object]]] = {
    "side": {1: "buy", -1: "sell"},
    "type": {OrderType.MARKET: "market", OrderType.LIMIT: "limit"},
    "taker_or_maker": {Liquidity.TAKER: "taker", Liquidity.MAKER: "maker"},
    "drainwatch_forced": {1: True, 0: False},
}
"""What is read as a number, in the contract's words; any other number is an absent value."""


def read_fills(path: str | Path, *, zone: str | None = None, strict: bool = False) -> pd.DataFrame:
    r"""Read fills from a file or a folder that `drainwatch replay` or `drainwatch scan` reads.

    Parameters
    ----------
    path
        Where they are: CSV, JSON Lines or Parquet with the contract's columns, also as a pattern; else an
        exchange's export or a bot's database (docs/formats.md).
    zone
        Of an export's times that name none, such as `Europe/Berlin` or `UTC+8`; None: as is known of it.
    strict
        Refuse any bad row instead of up to 1 % of them.

    Returns
    -------
    DataFrame
        One row a good row of the files, in their order, with the contract's columns (docs/tables.md) under
        the contract's names, those that are there at all: `timestamp` as UTC time, ids as texts, numbers as
        float64. `drainwatch.replay` makes of it what it makes of the files; what an export tells of contract
        sizes is not in it.

    Raises
    ------
    InputError
        The files miss a needed column, have no rows or too many bad ones.

    Warns
    -----
    UserWarning
        Bad rows were left out: how many, and what is wrong with the first; or rows or files that hold no
        fills.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import drainwatch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "fills.csv"
    ...     _ = file.write_text(
    ...         "id,datetime,symbol,side,price,amount,takerOrMaker\n"
    ...         "7,2026-03-01T12:00:00Z,ETH/BTC,BUY,0.031,2,taker\n"
    ...     )
    ...     fills = drainwatch.read_fills(file)
    >>> fills.T
                                            0
    id                                      7
    timestamp       2026-03-01 12:00:00+00:00
    symbol                            ETH/BTC
    side                                  buy
    price                               0.031
    amount                                2.0
    taker_or_maker                      taker

    """
    import pandas as pd

    notes, sources = _checked(str(path), zone, strict)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    parts = [
        as_frame(parse_table("fills", piece.columns, piece.rows.size).columns)
        for source in sources
        for _, piece in source.pieces
        if piece.rows.size
    ]
    fills = pd.concat(parts, ignore_index=True)
    return fills[[name for name in SCHEMA["fills"] if fills[name].notna().any()]]


def _checked(place: str, zone: str | None, strict: bool) -> tuple[list[str], Iterable[readers.Source]]:
    """Look whether the fills can be used; gives what there is to say of them, and the files once more."""
    refused = None
    if zone is None:
        try:
            with Tables.open(TablePaths(fills=place), Names(), strict=strict) as tables:
                return _notes(tables), _own(place)
        except InputError as error:  # it may be an export
            refused = error
    wish = Wish.of(zone=zone)
    try:
        found = opened([place], wish)
    except InputError as error:
        if refused is None or not Path(place).exists():
            raise refused or error from None
        raise InputError(f"{refused}; as an export: {error}") from None
    given = found.given({})
    with Tables.open(
        TablePaths(fills=found.names), Names(), strict=strict, given={"fills": given["fills"]}
    ) as tables:
        notes = [*found.notes, *found.left_out(), *_notes(tables)]
    return notes, opened([place], wish).given({})["fills"]


def _own(place: str) -> Iterator[readers.Source]:
    for name in readers.find("fills", place).files:
        pieces = readers.read("fills", name, lambda column: column_of("fills", column) is not None, PARENTS)
        yield readers.Source(name, pieces)


def _notes(tables: Tables) -> list[str]:
    """Say what was left out."""
    counts, notes = tables.counts["fills"], [*tables.notes]
    first = next(iter(tables.rejects), None)
    if first is not None:
        column = f", column {first['column']}" if first["column"] else ""
        notes.append(
            f"{counts.bad} of {counts.read} rows left out; the first is {first['file']}, row {first['row']}"
            f"{column}: found {first['found']!r}, expected {first['expected']}"
        )
    return notes


def as_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Parsed columns of fills as a DataFrame, absent ones as well: times in UTC, words as the contract's."""
    import pandas as pd

    made: dict[str, Any] = {}
    for name in SCHEMA["fills"]:
        values = columns[name]
        if name == "timestamp":
            made[name] = pd.to_datetime(values, unit="ns", utc=True)
        elif name in _WORDS:
            words = _WORDS[name]
            made[name] = np.array([words.get(value) for value in values.tolist()], dtype=object)
        elif isinstance(values, np.ndarray):
            made[name] = values
        else:
            made[name] = np.array(values.to_pylist(), dtype=object)
    return pd.DataFrame(made)
