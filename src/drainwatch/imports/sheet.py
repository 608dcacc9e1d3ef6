"""A foreign file opened: what kind it is, where its header stands, how it writes numbers and dates."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drainwatch import readers, values
from drainwatch.errors import InputError
from drainwatch.imports.convert import Manner, day_first_of, decimal_of
from drainwatch.readers import Dialect, Piece, Wanted
from drainwatch.schema import PARENTS

Pieces = Iterator[tuple[list[str], Piece]]

HEAD_BYTES = 1 << 17
"""How much of a file is looked at to tell what it is."""
SAMPLE_ROWS = 5_000
"""How many rows show how numbers and dates are written."""

_DELIMITERS = ",;\t|"
_ROWS_LOOKED_AT = 50


@dataclass(slots=True)
class Sheet:
    """A table in a foreign file, not yet understood.

    Attributes
    ----------
    path, part
        The file, and the table in it where there are several.
    header
        What its columns are called.
    read
        Reads it piece by piece, as `readers.read` does: only the columns that are wanted.
    samples
        By column, some texts from its beginning.
    before
        What stands before the header, where some exports tell their zone.
    delimiter
        What stands between cells, if it is CSV.
    """

    path: str
    header: list[str]
    read: Callable[[Wanted], Pieces]
    part: str = ""
    samples: dict[str, list[str]] = field(default_factory=dict)
    before: str = ""
    delimiter: str = ","

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.path} ({self.part})" if self.part else self.path

    def manner(self, names: Sequence[str]) -> Manner:
        """Say how some columns write numbers and dates, as far as their beginning shows."""
        texts = [text for name in names for text in self.samples.get(name, ())]
        return Manner(decimal=decimal_of(texts), day_first=day_first_of(texts))


def sheets(path: str) -> list[Sheet]:
    """Open a file: most hold one table, a database several.

    Raises
    ------
    InputError
        If it is of a kind that can't be read, is empty or damaged; the message says what to do.
    """
    kind = kind_of(path)
    refused = _REFUSED.get(kind)
    if refused is not None:
        raise InputError(f"{path}: expected a table of text, found {refused}")
    return OPENERS[kind](path)


def kind_of(path: str) -> str:
    """Tell what a file is by its first bytes, not by its name.

    Raises
    ------
    InputError
        If it can't be read.
    """
    head = _head(path)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return _kind_of_zip(path) if kind == "zip" else kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return "empty"
    if b"\0" in text:
        return "binary"
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        lines = text.split(b"\n", 1)[0].rstrip().endswith(b"}") and not _ONE_OBJECT.match(text)
        return "jsonl" if lines else "json"
    if text[:1] == b"<":
        return "html"
    return "csv"


_ONE_OBJECT = re.compile(rb'\{\s*"(?:strategy|metadata)"\s*:\s*\{')
"""How the results of a backtest begin, which may stand on a single line."""

_MAGIC = (
    (b"PAR1", "parquet"),
    (b"SQLite format 3\0", "sqlite"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0", "excel"),
    (b"%PDF", "pdf"),
    (b"\x1f\x8b", "gzip"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_REFUSED = {
    "empty": "an empty file",
    "excel": "an Excel workbook; open it and save the sheet as CSV (File, Save As, CSV UTF-8), or choose CSV "
    "when you export",
    "pdf": "a PDF; export as CSV instead",
    "gzip": "compressed data; let the file's name end in .gz, or unpack it",
    "html": "a web page; was it saved in place of the export? Export again, as CSV",
    "utf-16": "text in UTF-16; save it as CSV UTF-8",
    "binary": "neither text nor a format that is known; export as CSV",
}


def _head(path: str) -> bytes:
    try:
        with gzip.open(path) if path.casefold().endswith(".gz") else Path(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except (OSError, EOFError, zlib.error, ValueError) as error:  # ValueError: a NUL byte in the path
        raise InputError(f"{path!r}: can't be read: {error}; is it damaged or cut short?") from None


def _kind_of_zip(path: str) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    if path.casefold().endswith((".xlsx", ".xlsm")):
        return "excel"
    return "excel" if any(name.startswith("xl/") for name in names) else "zip"


# --- plain tables ------------------------------------------------------------------------------------


def dialect_of(head: bytes) -> tuple[Dialect, str]:
    """Find what stands between cells, and which rows before the header.

    The header is the first row with as many cells as most rows have; what stands before it, such as the
    owner's name, has fewer.
    """
    whole = len(head) < HEAD_BYTES
    text = head.decode("utf-8-sig", "replace")
    if not whole:
        text = text[: text.rfind("\n") + 1] or text
    best, most, before = Dialect(), 0, ""
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            continue
        rows = rows[:_ROWS_LOOKED_AT]
        widths = Counter(len(row) for row in rows)
        # of widths that are equally frequent the greater one: a file may have a single row
        width = max(widths, key=lambda w: (widths[w], w), default=1)
        # a decimal comma cuts some rows in two, a delimiter nearly all
        if (width - 1) * widths[width] > most:
            most = (width - 1) * widths[width]
            at = next(at for at, row in enumerate(rows) if len(row) == width)
            best = Dialect(delimiter, at)
            before = "\n".join(" ".join(row) for row in rows[:at])
    return best, before


def _open_csv(path: str) -> list[Sheet]:
    return [_plain(path, "csv", *dialect_of(_head(path)))]


def _open_jsonl(path: str) -> list[Sheet]:
    return [_plain(path, "jsonl", Dialect())]


def _open_parquet(path: str) -> list[Sheet]:
    return [_plain(path, "parquet", Dialect())]


def _plain(path: str, form: str, dialect: Dialect, before: str = "") -> Sheet:
    def read(wanted: Wanted) -> Pieces:
        return readers.read("fills", path, wanted, PARENTS, form=form, dialect=dialect)

    return with_samples(Sheet(path, [], read, before=before, delimiter=dialect.delimiter))


def with_samples(sheet: Sheet) -> Sheet:
    """Look at a sheet's beginning for its header and samples."""
    for header, piece in sheet.read(lambda _: True):
        sheet.header = header
        if piece.rows.size:
            sheet.samples = {
                name: [text for text in values.texts(column[:SAMPLE_ROWS]).to_pylist() if text is not None]
                for name, column in piece.columns.items()
            }
            break
    return sheet


def _open_sqlite(path: str) -> list[Sheet]:
    from drainwatch.imports.databases import open_sqlite

    return open_sqlite(path)


def _open_json(path: str) -> list[Sheet]:
    from drainwatch.imports.documents import open_json

    return open_json(path)


def _open_zip(path: str) -> list[Sheet]:
    from drainwatch.imports.documents import open_zip

    return open_zip(path)


OPENERS: dict[str, Callable[[str], list[Sheet]]] = {
    "csv": _open_csv,
    "jsonl": _open_jsonl,
    "parquet": _open_parquet,
    "sqlite": _open_sqlite,
    "json": _open_json,
    "zip": _open_zip,
}
"""How each kind of file is opened."""
