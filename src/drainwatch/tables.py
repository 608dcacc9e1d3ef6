"""Tables in: everything between files, or frames, and ordered `Batch`es.

Files are read in pieces, checked and turned into numbers, and sorted through a temporary folder, so
that memory doesn't grow with the length of the tape. Small inputs never touch the disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drainwatch import readers
from drainwatch.errors import InputError
from drainwatch.events import Batch, Kind, Names
from drainwatch.normalise import Coder, market_spec, read_table
from drainwatch.readers import BadRow, Piece, Source
from drainwatch.rejects import Reject, Rejects
from drainwatch.schema import PARENTS, SCHEMA, column_of, missing_column
from drainwatch.sequencer import Sequencer
from drainwatch.sorter import RUN_BYTES

if TYPE_CHECKING:
    import pandas as pd

MOST_BAD = 0.01
"""The share of a table's rows that may be bad."""

_IN_MEMORY = 64 << 20
_KINDS = {
    "trades": Kind.TRADE,
    "quotes": Kind.QUOTE,
    "candles": Kind.CANDLE,
    "balances": Kind.BALANCE,
    "orders": Kind.ORDER,
}

Progress = Callable[[str, int], None]
"""Is told a table and how many of its rows have been read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePaths:
    """Where the tables are: a file, a folder or a pattern each; None for one that there isn't."""

    fills: str
    trades: str | None = None
    quotes: str | None = None
    candles: str | None = None
    balances: str | None = None
    orders: str | None = None
    markets: str | None = None


@dataclass(slots=True)
class Counts:
    """What became of a table's rows: `read` is those kept, `bad` and `duplicates` together."""

    read: int = 0
    bad: int = 0
    duplicates: int = 0


class _Room:
    """A temporary folder, made when it is first needed; all that is stored takes from one allowance."""

    def __init__(self, in_memory: int) -> None:
        self.left = in_memory
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._n_files = 0

    def new_file(self) -> Path:
        """Name a new file."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="drainwatch-")
        self._n_files += 1
        return Path(self._folder.name) / f"{self._n_files}.rows"

    def close(self) -> None:
        """Delete everything."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class _SpillStore:
    """Rows in memory while there is room, else in a file."""

    def __init__(self, dtype: np.dtype[np.void], room: _Room) -> None:
        self._dtype, self._room = dtype, room
        self._parts: list[NDArray[np.void]] = []
        self._starts: list[int] = [0]  # of the parts in memory, and where the file begins
        self._file: Path | None = None

    def append(self, rows: NDArray[np.void]) -> None:
        """Add rows at the end."""
        if self._file is None and rows.nbytes <= self._room.left:
            self._room.left -= rows.nbytes
            self._parts.append(rows)
            self._starts.append(self._starts[-1] + rows.size)
            return
        try:
            if self._file is None:
                self._file = self._room.new_file()
            with self._file.open("ab") as file:
                rows.tofile(file)
        except OSError as error:
            raise InputError(
                f"the tables need room for sorting in {tempfile.gettempdir()}, which failed: {error}; "
                "free some, or set TMPDIR to another folder"
            ) from error

    def read(self, start: int, stop: int) -> NDArray[np.void]:
        """Read rows of one `append`, or of the file."""
        if start >= self._starts[-1] and self._file is not None:
            offset = (start - self._starts[-1]) * self._dtype.itemsize
            return np.fromfile(self._file, self._dtype, stop - start, offset=offset)
        part = int(np.searchsorted(self._starts, start, "right")) - 1
        at = self._starts[part]
        return self._parts[part][start - at : stop - at]


@dataclass(slots=True)
class _Intake:
    """Takes pieces of tables; holds what was made of them."""

    sequencer: Sequencer
    strict: bool
    progress: Progress | None
    coder: Coder = field(default_factory=Coder)
    rejects: Rejects = field(default_factory=Rejects)
    counts: dict[str, Counts] = field(default_factory=dict)
    markets: list[dict[str, Any]] = field(default_factory=list)

    def table(self, table: str, place: str, sources: Iterable[Source]) -> None:
        """Take a table whole."""
        counts = self.counts[table] = Counts()
        for source in sources:
            header: list[str] = []
            n_parsed, broken = 0, None
            for header, piece in source.pieces:
                if not piece.rows.size and not piece.bad:
                    if header:  # told before the rows
                        self._check_header(table, source.name, header)
                    continue
                self._piece(table, source.name, piece, counts)
                n_parsed += piece.rows.size
                if broken is None and piece.bad:
                    broken = piece.bad[0]
                if self.progress is not None:
                    self.progress(table, counts.read)
            if broken is not None and not n_parsed and not header:
                # a JSON array, say: no table at all, be it one row among many of other files
                reject: Reject = {"table": table, "file": source.name, **broken._asdict()}  # type: ignore[typeddict-item]
                raise InputError(f"{_said(reject)}; no row of the file can be read")
            if n_parsed:
                self._check_header(table, source.name, header)
        if not counts.read:
            raise InputError(f"{table}: {place}: no rows; expected at least one")
        if counts.bad > MOST_BAD * counts.read:
            first = self.rejects.first[table]
            raise InputError(
                f"{_said(first)}; {counts.bad} of {counts.read} rows of {table} are bad, "
                f"more than {MOST_BAD:.0%} may not be"
            )

    def _check_header(self, table: str, file: str, header: list[str]) -> None:
        missing = missing_column(table, header)
        if missing is not None:
            shown = ", ".join(name if name.isprintable() else repr(name) for name in header)[:400] or "none"
            needed = [column for column, (_, is_needed) in SCHEMA[table].items() if is_needed]
            expected = ", ".join(needed) if needed else "order or client_order_id"
            raise InputError(
                f"{table}: {file}: column {missing} is missing; found columns {shown}; expected {expected}"
            )

    def _piece(self, table: str, name: str, piece: Piece, counts: Counts) -> None:
        counts.read += piece.rows.size + len(piece.bad)
        good, bad = (
            read_table(table, piece.columns, piece.rows.size, self.coder) if piece.rows.size else (None, [])
        )
        found = piece.bad + [BadRow(int(piece.rows[b.at]), b.column, b.found, b.expected) for b in bad]
        counts.bad += len(found)
        for row in sorted(found, key=lambda row: row.row):
            reject: Reject = {"table": table, "file": name, **row._asdict()}  # type: ignore[typeddict-item]
            self.rejects.add(reject)
            if self.strict:
                raise InputError(f"{_said(reject)}; with --strict no row may be bad")
        if good is None:
            return
        if table == "markets":
            self.markets += good
        elif table == "fills":
            self.sequencer.add_fills(good.fills, good.key, good.content, good.ids, good.orders)
        else:
            self.sequencer.add_rows(good.rows, good.name, good.rank, good.content)

    def finish(self, names: Names) -> None:
        """Give the names to `names` in an order of their own, and the markets what their table tells."""
        own = self.coder.names
        told: dict[tuple[str, str], list[dict[str, Any]]] = {}
        rows = {repr(sorted(row.items())): row for row in self.markets}
        self.counts.get("markets", Counts()).duplicates = len(self.markets) - len(rows)
        for _, row in sorted(rows.items()):
            told.setdefault((row["exchange"] or "", row["symbol"]), []).append(row)
        market = np.empty(len(own.markets), np.int32)
        for at, spec in sorted(enumerate(own.markets), key=lambda item: (item[1].exchange, item[1].symbol)):
            everywhere = told.get(("", spec.symbol), [])
            here = told.get((spec.exchange, spec.symbol), []) if spec.exchange else []
            if everywhere or here:
                market[at] = names.add_market(market_spec(spec.exchange, spec.symbol, [*everywhere, *here]))
            else:
                market[at] = names.market(spec.exchange, spec.symbol)
        account = np.empty(len(own.accounts), np.int32)
        for at, name in sorted(enumerate(own.accounts), key=lambda item: item[1]):
            account[at] = names.account(name)
        currency = np.empty(len(own.currencies), np.int32)
        for at, name in sorted(enumerate(own.currencies), key=lambda item: item[1]):
            currency[at] = names.currency(name)
        self.sequencer.seal(own, {"market": market, "account": account, "currency": currency})


def _said(reject: Reject) -> str:
    column = f", column {reject['column']}" if reject["column"] else ""
    return (
        f"{reject['table']}: {reject['file']}: row {reject['row']}{column}: "
        f"found {reject['found']!r}, expected {reject['expected']}"
    )


class Tables:
    """All tables of a replay, read and in order. Close it, or use it in a `with`, to delete its files.

    Attributes
    ----------
    names
        What the codes in the batches mean.
    rejects
        The bad rows, each a dict with `table`, `file`, `row`, `column`, `found`, `expected`.
    notes
        What else the owner should know: files that were left aside.
    """

    def __init__(self, names: Names, intake: _Intake, room: _Room, notes: list[str]) -> None:
        self.names = names
        self.rejects = intake.rejects
        self.notes = notes
        self._sequencer = intake.sequencer
        self._counts = intake.counts
        self._room = room

    @classmethod
    def open(
        cls,
        paths: TablePaths,
        names: Names,
        *,
        strict: bool = False,
        progress: Progress | None = None,
        in_memory: int = _IN_MEMORY,
        run_bytes: int = RUN_BYTES,
        given: Mapping[str, Iterable[Source]] | None = None,
    ) -> Tables:
        """Read all tables.

        Parameters
        ----------
        paths
            Where they are.
        names
            Takes the names of markets, accounts and currencies, in their own order.
        strict
            Whether any bad row is an error.
        progress
            Is told how far the reading is, about each hundred thousand rows.
        in_memory, run_bytes
            Bytes of sorted rows to keep before files are used; bytes sorted at once.
        given
            Tables that are read already, in the contract's names: then their path is only what they are
            called in messages. They are drawn in the order of `TablePaths`.

        Raises
        ------
        InputError
            If a table can't be used: no such file, empty or damaged, a needed column missing, more
            than 1 % of its rows bad, or any with `strict`. The message says where, what was found and
            what was expected.
        """
        notes: list[str] = []
        ready = given or {}

        def sources() -> Iterator[tuple[str, str, Iterable[Source]]]:
            found = {
                table: (place, readers.Found([], []) if table in ready else readers.find(table, place))
                for table, place in asdict(paths).items()
                if place is not None
            }
            for table, (place, files) in found.items():
                if table in ready:
                    yield table, place, ready[table]
                    continue
                if files.ignored:
                    few = ", ".join(Path(name).name for name in files.ignored[:5])
                    more = " and others" if len(files.ignored) > 5 else ""
                    notes.append(f"{table}: {place}: left aside {few}{more}: no table by their ending")
                yield table, place, _file_sources(table, files.files)

        return cls._make(names, sources(), notes, strict, progress, in_memory, run_bytes)

    @classmethod
    def _make(
        cls,
        names: Names,
        sources: Iterator[tuple[str, str, Iterable[Source]]],
        notes: list[str],
        strict: bool,
        progress: Progress | None,
        in_memory: int,
        run_bytes: int,
    ) -> Tables:
        room = _Room(in_memory)
        intake = _Intake(Sequencer(lambda dtype: _SpillStore(dtype, room), run_bytes), strict, progress)
        try:
            for table, place, files in sources:
                intake.table(table, place, files)
            intake.finish(names)
        except BaseException:
            intake.rejects.close()
            room.close()
            raise
        return cls(names, intake, room, notes)

    def batches(self, max_rows: int = 200_000, until_ns: int | None = None) -> Iterator[Batch]:
        """Give all events in order, or those up to and at `until_ns`; may be called again.

        Each batch's events come before the next one's. It holds at most `max_rows` rows and as many
        fills, and may end anywhere, also between events of one time.
        """
        return self._sequencer.batches(max_rows, until_ns)

    @property
    def n_fills(self) -> int:
        """How many different fills there are."""
        return self._sequencer.n_fills

    @property
    def counts(self) -> dict[str, Counts]:
        """What became of each table's rows.

        Duplicates of other tables than fills and markets are found while batches are drawn, so they
        are all known once these have been drawn to the end.
        """
        for table, counts in self._counts.items():
            if table == "fills":
                counts.duplicates = self._sequencer.n_duplicate_fills
            elif table in _KINDS:
                counts.duplicates = self._sequencer.duplicates[_KINDS[table]]
        return self._counts

    def close(self) -> None:
        """Delete the temporary files."""
        self.rejects.close()
        self._room.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _wanted(table: str) -> Callable[[str], bool]:
    return lambda name: column_of(table, name) is not None


def _file_sources(table: str, files: list[str]) -> Iterator[Source]:
    for name in files:
        yield Source(name, readers.read(table, name, _wanted(table), PARENTS))


def tables_from_frames(
    fills: pd.DataFrame,
    trades: pd.DataFrame | None = None,
    quotes: pd.DataFrame | None = None,
    candles: pd.DataFrame | None = None,
    balances: pd.DataFrame | None = None,
    orders: pd.DataFrame | None = None,
    markets: pd.DataFrame | None = None,
    *,
    names: Names | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Tables:
    """Take DataFrames for tables: the same columns, checks and order as for files.

    An index with a name is a column. Rows are numbered from 1 by position; rejects name the file
    `DataFrame`.

    Raises
    ------
    InputError
        As `Tables.open` does.
    """
    frames = {
        "fills": fills,
        "trades": trades,
        "quotes": quotes,
        "candles": candles,
        "balances": balances,
        "orders": orders,
        "markets": markets,
    }
    sources = (
        (table, "DataFrame", iter([Source("DataFrame", frame_pieces(table, frame))]))
        for table, frame in frames.items()
        if frame is not None
    )
    # frames are in memory already, so their sorted rows may be, too
    return Tables._make(names or Names(), sources, [], strict, progress, 1 << 62, RUN_BYTES)


def frame_pieces(table: str, frame: pd.DataFrame) -> Iterator[tuple[list[str], Piece]]:
    """Cut a frame into pieces as those of files: the names of its columns, then rows numbered from 1."""
    named = [name for name in frame.index.names if name is not None]
    if named:
        frame = frame.reset_index(level=named)
    wanted = _wanted(table)
    header = [str(name) for name in frame.columns]
    some = [at for at, name in enumerate(header) if wanted(name) or name in PARENTS]
    yield header, Piece(np.empty(0, np.int64), {})  # tells the header before the rows
    for start in range(0, len(frame), readers.PIECE_ROWS):
        part = frame.iloc[start : start + readers.PIECE_ROWS]
        columns: Mapping[str, Any] = {header[at]: _series(part.iloc[:, at]) for at in reversed(some)}
        flat = readers.flatten(dict(columns), wanted, PARENTS)
        yield header, Piece(np.arange(start + 1, start + 1 + len(part)), flat)


def _series(series: pd.Series[Any]) -> Any:
    """Turn a frame's column into an array; a missing value of any make is null."""
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        return readers.column(
            [None if missing else x for x, missing in zip(series, series.isna(), strict=True)]
        )
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
