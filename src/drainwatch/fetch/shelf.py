"""Where fetched rows are kept: a Parquet file a market and UTC day, which says what it covers.

A file is made beside its place and moved there at once, so whoever is killed leaves whole files, of which
each says up to where it goes. The same rows give the same bytes, in however many steps they came.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from drainwatch.errors import InputError
from drainwatch.fetch.spans import Span, joined
from drainwatch.rows import Market

COVERED: Final = b"drainwatch_covered"
EXCHANGE: Final = b"drainwatch_exchange"
SCHEMAS: Final = {
    "trades": pa.schema(
        [
            ("timestamp", pa.int64()),
            ("exchange", pa.string()),
            ("symbol", pa.string()),
            ("price", pa.float64()),
            ("amount", pa.float64()),
            ("side", pa.string()),
            ("id", pa.string()),
        ]
    ),
    "candles": pa.schema(
        [
            ("timestamp", pa.int64()),
            ("exchange", pa.string()),
            ("symbol", pa.string()),
            ("open", pa.float64()),
            ("high", pa.float64()),
            ("low", pa.float64()),
            ("close", pa.float64()),
            ("volume", pa.float64()),
            ("timeframe", pa.string()),
        ]
    ),
}
_GROUP_ROWS: Final = 65_536
_MADE: Final = ".made"
_EMPTY: Final = ".empty"
_BROKEN: Final = (pa.ArrowException, ValueError, TypeError, KeyError)


class Place(NamedTuple):
    """A market's day."""

    table: str
    label: str
    symbol: str
    day: str

    @property
    def name(self) -> str:
        """Name of its file; no two places share one, and none leads out of the folder."""
        parts = [quote(part, safe="").replace(".", "%2E") for part in (self.label, self.symbol) if part]
        return ".".join([*parts, self.day, "parquet"])


class Shelf:
    """A folder of fetched rows: `trades/`, `candles/`, and out of sight what there was nothing of.

    One process at a time may put something there.

    Raises
    ------
    InputError
        The folder can't be written, or holds something else where rows should go.
    """

    def __init__(self, folder: Path, exchange: str) -> None:
        self._folder, self._exchange = folder, exchange
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder / _MADE, ignore_errors=True)  # of one who was killed
            (folder / _MADE).mkdir(exist_ok=True)

    def close(self) -> None:
        """Leave nothing behind but rows."""
        shutil.rmtree(self._folder / _MADE, ignore_errors=True)

    def folder_of(self, table: str) -> Path | None:
        """Give the folder of a table's files; None while there is none."""
        folder = self._folder / table
        return folder if folder.is_dir() else None

    def covered(self, place: Place) -> list[Span]:
        """Give the spans of a day that are there, whether or not anything happened in them."""
        return joined([*self._covered(self._path(place)), *self._covered(self._path(place, empty=True))])

    def add(self, place: Place, rows: pa.Table, spans: Iterable[Span]) -> None:
        """Put rows there, which are all there are of these spans."""
        path, empty = self._path(place), self._path(place, empty=True)
        covered = joined([*self.covered(place), *spans])
        parts = [rows.cast(SCHEMAS[place.table])]
        if path.exists():
            with self._reading(path):
                parts.insert(0, pq.read_table(path, schema=SCHEMAS[place.table]))
        table = pa.concat_tables(parts)
        if table.num_rows:
            table = table.sort_by("timestamp")  # stable: rows of one time stay as the exchange gave them
        self._write(path if table.num_rows else empty, table, covered)
        if table.num_rows:
            with self._writing():
                empty.unlink(missing_ok=True)

    def tell_markets(self, rows: Iterable[tuple[str, Market]]) -> Path | None:
        """Write the `markets` table of some markets, by the name that the fills give the exchange."""
        table = pa.Table.from_pylist([_market_row(label, market) for label, market in rows])
        if not table.num_rows:
            return None
        path = self._folder / "markets" / "markets.parquet"
        self._write(path, table, [])
        return path.parent

    def _path(self, place: Place, *, empty: bool = False) -> Path:
        return self._folder / (_EMPTY if empty else "") / place.table / place.name

    def _covered(self, path: Path) -> list[Span]:
        if not path.exists():
            return []
        with self._reading(path):
            said = pq.read_schema(path).metadata or {}
            if said[EXCHANGE].decode() != self._exchange:
                raise InputError(
                    f"{path}: expected rows of {self._exchange}, found some of "
                    f"{said[EXCHANGE].decode()!a}: choose another --out"
                )
            return [Span(int(start), int(end)) for start, end in json.loads(said[COVERED])]

    def _write(self, path: Path, table: pa.Table, covered: Iterable[Span]) -> None:
        said = {EXCHANGE: self._exchange.encode(), COVERED: json.dumps(list(covered)).encode()}
        made = self._folder / _MADE / path.name
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            with made.open("wb") as file:
                pq.write_table(
                    table.replace_schema_metadata(said).combine_chunks(),
                    file,
                    compression="zstd",
                    row_group_size=_GROUP_ROWS,
                )
                file.flush()
                os.fsync(file.fileno())
            made.replace(path)

    @contextlib.contextmanager
    def _writing(self) -> Any:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"can't write to {self._folder}: {error.strerror}; choose another --out"
            ) from error

    @contextlib.contextmanager
    def _reading(self, path: Path) -> Any:
        try:
            yield
        except (*_BROKEN, OSError) as error:
            raise InputError(
                f"{path}: expected a file that drainwatch fetch made, found another or a damaged one: "
                "move it away, and its day is fetched anew"
            ) from error


def _market_row(label: str, market: Market) -> dict[str, Any]:
    return {
        "exchange": label,
        "symbol": market.symbol,
        "contract_size": market.contract_size,
        "linear": bool(market.settle) and not market.inverse,
        "inverse": market.inverse,
        "base": market.base,
        "quote": market.quote,
        "settle": market.settle or None,
        "tick_size": market.tick_size,
    }
