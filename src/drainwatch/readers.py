"""Files to pieces: CSV, JSON Lines and Parquet, compressed or not, as pyarrow columns of bounded size.

Nothing is interpreted here but the syntax: values come as they stand in the file, each row with its
number. A row that has no right syntax is handed on as bad; a file that has none raises `InputError`.
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from drainwatch.errors import InputError
from drainwatch.values import text_of

PIECE_ROWS = 131_072
PIECE_BYTES = 4 << 20
LONGEST_LINE = 64 << 20
"""A longer line is taken for a file of another kind."""

FORMATS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".parquet": "parquet",
}
"""How a file is read, by its ending."""

_CLIP = 200
_BOM = b"\xef\xbb\xbf"
_END = "drainwatch-end-of-file"
_BROKEN = (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeError, MemoryError, OverflowError)

Wanted = Callable[[str], bool]
"""Says of a column's name whether it is read."""


class BadRow(NamedTuple):
    """A row without the right syntax."""

    row: int
    column: str | None
    found: str
    expected: str


@dataclass(slots=True)
class Piece:
    """Some rows of one file.

    `rows` numbers them from 1, without the header and blank lines; `columns` have their length.
    """

    rows: NDArray[np.int64]
    columns: dict[str, Any]
    bad: list[BadRow] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """One file or frame of a table."""

    name: str
    pieces: Iterator[tuple[list[str], Piece]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file departs from the usual: what stands between cells, and before the header."""

    delimiter: str = ","
    rows_before: int = 0
    """Rows before the header, blank lines not counted."""


CSV = Dialect()


class Found(NamedTuple):
    """The files of a table, and those left aside."""

    files: list[str]
    ignored: list[str]


def format_of(path: str) -> str | None:
    """Say how a file is read, or None for an unknown ending."""
    name = Path(path).name.casefold()
    return next((form for ending, form in FORMATS.items() if name.endswith(ending)), None)


def find(table: str, place: str) -> Found:
    """Find the files of a table: a file, a folder, or a pattern.

    Raises
    ------
    InputError
        If there is none, or none of a known ending.
    """
    path = Path(place)
    endings = ", ".join(FORMATS)
    if not place:  # to Path it would be the current folder; most likely a variable that is not set
        raise InputError(f"{table}: expected a file, folder or pattern, found an empty text; name one")
    try:
        if path.is_dir():
            names = sorted(str(file) for file in path.iterdir() if file.is_file())
        elif path.exists():
            if format_of(place) is None:
                raise InputError(f"{table}: {place}: expected a file that ends in one of {endings}")
            return Found([place], [])
        elif glob.has_magic(place):
            names = sorted(name for name in glob.glob(place, recursive=True) if Path(name).is_file())  # noqa: PTH207 - any pattern
        else:
            raise InputError(f"{table}: {place}: no such file or folder; check the path")
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise InputError(f"{table}: {place!r}: can't be looked at: {error}") from error
    files = [name for name in names if format_of(name) is not None]
    if not files:
        found = f"found only {Path(names[0]).name} and the like" if names else "found no file"
        raise InputError(f"{table}: {place}: {found}; expected files that end in one of {endings}")
    return Found(files, [name for name in names if format_of(name) is None])


def read(
    table: str,
    path: str,
    wanted: Wanted,
    parents: frozenset[str],
    *,
    form: str | None = None,
    dialect: Dialect = CSV,
) -> Iterator[tuple[list[str], Piece]]:
    """Read a file piece by piece.

    Parameters
    ----------
    table, path
        What the file is for, and where it is.
    wanted
        Which columns to read.
    parents
        Columns whose objects are taken apart: their members become columns `parent.member`.
    form, dialect
        How to read it: `csv`, `jsonl` or `parquet`, by default as its ending says; and if CSV, which.

    Yields
    ------
    names
        All the columns known of the file so far, wanted or not.
    piece
        The next rows.

    Raises
    ------
    InputError
        If the file is empty, damaged, or not of the kind that its ending says.
    """
    form = form or format_of(path) or "csv"
    where = f"{table}: {path}"
    try:
        if Path(path).stat().st_size == 0:
            raise InputError(f"{where}: the file is empty; expected at least one row")
        if form == "csv":
            yield from _read_csv(where, path, wanted, dialect)
        else:
            pieces = {"jsonl": _read_jsonl, "parquet": _read_parquet}[form]
            yield from pieces(where, path, wanted, parents)
    except _BROKEN as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{where}: can't be read as {form}; is it damaged or cut short? ({said})") from error


def _open(path: str) -> IO[bytes]:
    return gzip.open(path, "rb") if path.casefold().endswith(".gz") else Path(path).open("rb")  # type: ignore[return-value]


# --- CSV -----------------------------------------------------------------------------------------


class _Ended(io.RawIOBase):
    r"""A file as UTF-8, with one more line behind it.

    Bytes that are not UTF-8 become the text `\xff`. The line has a cell too many, so the parser reports
    it: if it does not, then an open quote has swallowed it, and with it an unknown number of rows.
    """

    def __init__(self, file: IO[bytes], last: bytes) -> None:
        self._file, self._last = file, last
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("backslashreplace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read exactly `size` bytes, except at the end: Arrow takes a short block without a newline ill."""
        parts, n_ready = [self._ready], len(self._ready)
        while self._last and (size < 0 or n_ready < size):
            raw = self._file.read(size)
            parts.append(self._decoder.decode(raw, not raw).encode())
            if not raw:
                parts.append(self._last)
                self._last = b""
            n_ready += len(parts[-1])
        data = b"".join(parts)
        if size < 0:
            size = len(data)
        data, self._ready = data[:size], data[size:]
        return data


def _header(where: str, path: str, dialect: Dialect) -> tuple[list[str], int]:
    """Read the header: its cells, and how many lines it takes."""
    with _open(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        head = text.read(LONGEST_LINE // 64)
    lines = csv.reader(io.StringIO(head, newline=""), delimiter=dialect.delimiter)
    left = dialect.rows_before
    try:
        for cells in lines:
            if cells and not left:
                return cells, lines.line_num
            left -= bool(cells)
    except csv.Error as error:
        raise InputError(f"{where}: row 0 (the header): can't be read as CSV ({error})") from error
    raise InputError(f"{where}: the file is empty; expected a header and rows")


def _read_csv(where: str, path: str, wanted: Wanted, dialect: Dialect) -> Iterator[tuple[list[str], Piece]]:
    names, skip = _header(where, path, dialect)
    width = len(names)
    places = {f"c{i}": name for i, name in enumerate(names) if wanted(name) and name not in names[:i]}
    yield names, _empty(names)
    bad: list[BadRow] = []
    ended = False

    def on_bad(row: Any) -> str:
        nonlocal ended
        if row.actual_columns == width + 1 and row.text.startswith(_END):
            ended = True
        else:
            bad.append(BadRow(row.number - skip, None, row.text[:_CLIP], f"{width} cells, as in the header"))
        return "skip"

    with _open(path) as file:
        stream = _Ended(file, f"\n{_END}{dialect.delimiter * width}\n".encode())
        reader = pa_csv.open_csv(
            pa.PythonFile(stream, "r"),
            read_options=pa_csv.ReadOptions(
                use_threads=False,  # else bad rows have no numbers
                column_names=[f"c{i}" for i in range(width)],
                skip_rows=skip,
                block_size=PIECE_BYTES,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=on_bad
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()),
                include_columns=list(places) or ["c0"],  # none would mean all
                strings_can_be_null=False,
            ),
        )
        n_good = n_bad = 0
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            # the parser is ahead of the rows it hands out: a bad row counts for those behind it only
            before = np.array([row.row - 1 - i for i, row in enumerate(bad, n_bad)], np.int64)
            place = np.arange(n_good, n_good + batch.num_rows)
            passed = np.searchsorted(before, place, "right")
            done = int(np.searchsorted(before, n_good + batch.num_rows, "left"))
            columns = {name: batch.column(at) for at, name in places.items()}
            yield names, Piece(place + 1 + n_bad + passed, columns, bad[:done])
            n_good += batch.num_rows
            n_bad += done
            del bad[:done]
        if not ended:
            row = n_good + n_bad + len(bad)  # what was swallowed is the last row
            raise InputError(
                f"{where}: row {row}: a quote is opened and never closed; expected a closing quote"
            )
        yield names, Piece(np.empty(0, np.int64), {}, bad)


def _empty(names: list[str]) -> Piece:
    return Piece(np.empty(0, np.int64), {name: pa.array([], pa.string()) for name in names})


# --- JSON Lines ------------------------------------------------------------------------------------


def _read_jsonl(
    where: str, path: str, wanted: Wanted, parents: frozenset[str]
) -> Iterator[tuple[list[str], Piece]]:
    decoder = msgspec.json.Decoder()
    known: dict[str, None] = {}
    number, rest = 1, b""
    with _open(path) as file:
        if file.read(3) != _BOM:
            file.seek(0)
        while True:
            data = file.read(PIECE_BYTES)
            block = rest + data
            if data:
                end = block.rfind(b"\n") + 1
                block, rest = block[:end], block[end:]
                if len(rest) > LONGEST_LINE:
                    raise InputError(
                        f"{where}: row {number}: expected lines of at most {LONGEST_LINE >> 20} MB"
                    )
            if block:
                piece, number = _lines(block, number, decoder, wanted, parents, known)
                yield list(known), piece
            if not data:
                return


def _lines(
    block: bytes,
    number: int,
    decoder: msgspec.json.Decoder[Any],
    wanted: Wanted,
    parents: frozenset[str],
    known: dict[str, None],
) -> tuple[Piece, int]:
    """Read whole lines into a piece; also gives the number of the next row."""
    bad: list[BadRow] = []
    try:
        rows = decoder.decode_lines(block)
        fits = all(type(row) is dict for row in rows)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        rows, fits = [], False
    numbers = np.arange(number, number + len(rows))
    if not fits:
        rows, places = [], []
        for line in block.split(b"\n"):
            line = line.strip()  # noqa: PLW2901
            if not line:
                continue
            row = _object(line, decoder)
            if row is None:
                bad.append(
                    BadRow(
                        number,
                        None,
                        line[:_CLIP].decode("utf-8", "backslashreplace")[:_CLIP],
                        "a JSON object",
                    )
                )
            else:
                rows.append(row)
                places.append(number)
            number += 1
        numbers = np.array(places, np.int64)
    else:
        number += len(rows)
    columns = columns_of(rows, wanted, parents, known)
    return Piece(numbers, {name: column(cells) for name, cells in columns.items()}, bad), number


def columns_of(
    rows: list[dict[str, Any]], wanted: Wanted, parents: frozenset[str], known: dict[str, None]
) -> dict[str, list[Any]]:
    """Turn objects into columns of cells, None where absent; adds to `known` what they are called."""
    for row in rows:
        if not row.keys() <= known.keys():
            known.update(dict.fromkeys(row))
    columns = {name: [row.get(name) for row in rows] for name in known if wanted(name)}
    for parent in parents & known.keys():
        for at, row in enumerate(rows):
            members = row.get(parent)
            for member, value in members.items() if type(members) is dict else ():
                dotted = f"{parent}.{member}"
                if wanted(dotted):
                    known.setdefault(dotted)
                    cells = columns.setdefault(dotted, [None] * len(rows))
                    if cells[at] is None:
                        cells[at] = value
    return columns


def _object(line: bytes, decoder: msgspec.json.Decoder[Any]) -> dict[str, Any] | None:
    """Read one line that holds an object, also with the NaN and Infinity that Python writes; else None."""
    try:
        row = decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return row if isinstance(row, dict) else None


def column(values: list[Any]) -> Any:
    """Make a column of values of any kind; of mixed kinds, of their texts."""
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        array = None
    # among floats Arrow takes true for 1, which it isn't where it stands alone
    truth = array is not None and pa.types.is_floating(array.type) and bool in set(map(type, values))
    if array is None or truth or pa.types.is_nested(array.type):
        return pa.array([_json_text(value) for value in values], pa.string())
    return array


def _json_text(value: object) -> str | None:
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    return None if value is None else text_of(value)


# --- Parquet ---------------------------------------------------------------------------------------


def _read_parquet(
    where: str, path: str, wanted: Wanted, parents: frozenset[str]
) -> Iterator[tuple[list[str], Piece]]:
    del where
    # without pre-buffering a row group of any size is read page by page
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        names = list(file.schema_arrow.names)
        known = [*names]
        for column in file.schema_arrow:
            if column.name in parents and pa.types.is_struct(column.type):
                known += [f"{column.name}.{member.name}" for member in column.type]
        yield known, _empty(known)
        some = list(dict.fromkeys(name for name in names if name in parents or wanted(name)))
        number = 1
        for batch in file.iter_batches(PIECE_ROWS, columns=some, use_threads=False):
            columns = flatten(dict(zip(batch.schema.names, batch.columns, strict=True)), wanted, parents)
            columns = {name: _checked(array) for name, array in columns.items()}
            yield known, Piece(np.arange(number, number + batch.num_rows), columns)
            number += batch.num_rows


def _checked(array: Any) -> Any:
    r"""Make sure of UTF-8, which Parquet files promise and nobody checks; other bytes become `\xff`."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    raw = array.cast(pa.large_binary())
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([None if value is None else text_of(value) for value in raw.to_pylist()], pa.string())


def flatten(columns: dict[str, Any], wanted: Wanted, parents: frozenset[str]) -> dict[str, Any]:
    """Take the parents' objects apart, and leave out what is not wanted."""
    out: dict[str, Any] = {}
    for name, array in columns.items():
        if name in parents and pa.types.is_struct(array.type):
            for i, member in enumerate(array.type):
                if wanted(f"{name}.{member.name}"):
                    out.setdefault(f"{name}.{member.name}", pc.struct_field(array, [i]))
        elif wanted(name):
            out[name] = column(array.to_pylist()) if pa.types.is_nested(array.type) else array
    return out
