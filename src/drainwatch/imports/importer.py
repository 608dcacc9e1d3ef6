"""An importer is a small table: which columns an export has, what each becomes, and its quirks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from drainwatch.imports.convert import AS_IT_IS, Converter
from drainwatch.imports.work import Work

Quirk = Callable[[Work], None]
"""What a table can't say: changes a piece after its columns are converted."""

_ZONE = re.compile(r"(?<![a-z])(?:utc|gmt) *(?:([+-]) *(\d{1,2})(?::?(\d\d))?)?(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an export.

    Attributes
    ----------
    to
        The contract's column; `_` and a name for one that only quirks use.
    names
        How the export has called it over the years, in any language; see `plain`.
    convert
        How its texts are read.
    needed
        Whether a file without it is no such export.
    """

    to: str
    names: tuple[str, ...]
    convert: Converter = AS_IT_IS
    needed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """How one kind of export is told from others, and read.

    Attributes
    ----------
    name, title
        What it is called with `--format`, and for people.
    exchange
        ccxt's name of the exchange; empty where a column tells it or nobody does.
    where
        How to get such a file.
    columns
        What is read of it.
    others
        Columns that it has beside: known, so that they speak for this importer, but not read.
    marks
        Columns, of either kind, without any of which it isn't recognised.
    quirks
        Done to each piece, in order, after the columns are converted.
    zone
        Of times where neither they nor the file nor the owner tell one.
    part
        The table in a file that holds several, such as a database; empty for all others.
    note
        What the owner should know of whatever comes out of such a file.
    tells_markets
        Whether its quirks put what they know of markets, such as contract sizes, into the tally.
    """

    name: str
    title: str
    exchange: str = ""
    where: str = ""
    columns: tuple[Column, ...]
    others: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    zone: str = "UTC"
    part: str = ""
    note: str = ""
    tells_markets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A known export that holds no fills, and which one does."""

    title: str
    columns: tuple[str, ...]
    """All of them have to be there."""
    instead: str


@dataclass(frozen=True, slots=True)
class Match:
    """How far a file's columns are those of an importer."""

    importer: Importer
    found: Mapping[str, str]
    """By the column's `to`: what the file calls it."""
    missing: tuple[Column, ...]
    unknown: tuple[str, ...]
    """What the file has that the importer doesn't know."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Columns that hold one value in all rows, as the owner told."""


def plain(name: str) -> str:
    """Bring a column's name to letters and digits, without case or zone: `Date(UTC+8)` is `date`."""
    name = unicodedata.normalize("NFKC", name)
    return "".join(c for c in _ZONE.sub(" ", name).casefold() if c.isalnum())


def zone_minutes(name: str) -> int | None:
    """Read the zone in a column's name as minutes east of UTC; None where it names none."""
    found = _ZONE.search(unicodedata.normalize("NFKC", name))
    if found is None:
        return None
    minutes = int(found[2] or 0) * 60 + int(found[3] or 0)
    return -minutes if found[1] == "-" else minutes


def match(importer: Importer, header: Iterable[str]) -> Match:
    """Look for an importer's columns in a header; of two of a kind the first counts."""
    heads: dict[str, str] = {}
    for head in header:
        heads.setdefault(plain(head), head)
    found: dict[str, str] = {}
    used: set[str] = set()
    for column in importer.columns:
        name = next((name for name in map(plain, column.names) if name in heads), None)
        if name is not None:
            found[column.to] = heads[name]
            used.add(name)
    missing = tuple(c for c in importer.columns if c.needed and c.to not in found)
    if importer.marks and not any(plain(mark) in heads for mark in importer.marks):
        missing += (Column("_mark", importer.marks),)
    known = used | {plain(name) for name in importer.others}
    unknown = tuple(head for name, head in heads.items() if name not in known and name)
    return Match(importer, found, missing, unknown)
