"""Foreign files read as tables: each recognised, converted piece by piece, and told about."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta, timezone, tzinfo
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drainwatch import readers, values
from drainwatch.errors import InputError
from drainwatch.imports.catalogue import IMPORTERS, STRANGERS
from drainwatch.imports.convert import Manner, time_ns
from drainwatch.imports.importer import Column, Match, Stranger, zone_minutes
from drainwatch.imports.plain import COLUMNS, OWN, map_match, own_match
from drainwatch.imports.recognise import listed, mapped, parse_maps, recognise
from drainwatch.imports.sheet import Pieces, Sheet, sheets
from drainwatch.imports.work import Tally, Work
from drainwatch.readers import BadRow, Piece, Source
from drainwatch.schema import PARENTS, SCHEMA, column_of

MARKET_TABLES = ("trades", "quotes", "candles", "markets")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner says of his files.

    Attributes
    ----------
    form
        The importer to use; None: told by the columns.
    maps
        Columns by the contract's name: `price` is what the file calls `Px`; `=BTC/USDT` is a value.
    zone
        Of times that name none; None: as the importer knows.
    """

    form: str | None = None
    maps: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo | None = None

    @classmethod
    def of(cls, form: str | None = None, maps: Iterable[str] = (), zone: str | None = None) -> Wish:
        """Read it as it is typed.

        Raises
        ------
        InputError
            If a mapping or a zone can't be understood.
        """
        return cls(form, parse_maps(maps, _COLUMNS), zone_of(zone) if zone else None)


def zone_of(name: str) -> tzinfo:
    """Find a zone by its name (`Europe/Berlin`) or distance (`UTC+8`, `+05:30`).

    Raises
    ------
    InputError
        If there is none of that name.
    """
    bare = name.strip()
    minutes = zone_minutes(bare if bare[:1] not in {"+", "-"} else f"UTC{bare}")
    if minutes is not None and abs(minutes) <= 14 * 60:
        return timezone(timedelta(minutes=minutes)) if minutes else UTC
    try:
        return ZoneInfo(bare)
    except (KeyError, ValueError, OSError):  # KeyError: not found; OSError: a folder
        raise InputError(f"--timezone {name}: expected a zone such as Europe/Berlin, UTC or UTC+8") from None


@dataclass(slots=True)
class Import:
    """One table of a foreign file, recognised; its tally grows as it is read."""

    sheet: Sheet
    match: Match
    zone: tzinfo | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def exchange(self) -> str:
        """The exchange that the importer names; empty where it names none."""
        return self.match.importer.exchange

    def source(self) -> Source:
        """Give it as a source of the table `fills`."""
        return Source(self.sheet.name, self._own() if self.match.importer is OWN else self._pieces())

    def _own(self) -> Pieces:
        for header, piece in self.sheet.read(lambda name: column_of("fills", name) is not None):
            self.tally.n_rows += piece.rows.size + len(piece.bad)
            yield header, piece

    def _pieces(self) -> Pieces:
        columns = {c.to: c for c in self.match.importer.columns}
        heads = {to: name for to, name in self.match.found.items() if to not in self.match.constants}
        wanted = set(self.match.found.values())
        for _, piece in self.sheet.read(wanted.__contains__):
            size = piece.rows.size
            self.tally.n_rows += size + len(piece.bad)
            if not size and not piece.bad:
                continue
            found = {to: piece.columns[name] for to, name in heads.items() if name in piece.columns}
            found |= {to: pa.array([value] * size, pa.string()) for to, value in self.match.constants.items()}
            texts = {to: values.texts(array) for to, array in found.items()}
            work = Work(piece.rows, texts, dict(self.match.found), self.tally)
            if size:
                self._convert(work, columns)
            made = work.piece()
            broken = [row for row in piece.bad if not self._is_note(row)]
            self.tally.others[_NOTE] += len(piece.bad) - len(broken)
            bad = sorted([*broken, *made.bad], key=lambda row: row.row)
            yield _COLUMNS, Piece(made.rows, made.columns, bad)

    def _is_note(self, row: BadRow) -> bool:
        """Tell a line such as `Total: 3 rows` from a row that was cut: it holds little, and no time."""
        if row.column is not None:
            return False
        cells = [cell for cell in row.found.split(self.sheet.delimiter) if cell.strip(' "')]
        return len(cells) <= _NOTE_CELLS and all(time_ns(c.strip(' "'), Manner()) is None for c in cells)

    def _convert(self, work: Work, columns: Mapping[str, Column]) -> None:
        importer = self.match.importer
        for to in list(work.columns):
            convert = columns[to].convert
            column, bad = convert.read(work.columns[to], self._manner(to))
            work.columns[to] = column
            if bad.any():
                work.reject(bad, to, convert.expected)
        essential = [work.get(to).is_null() for to in _ESSENTIAL if to in work.raw]
        if essential and not importer.part:  # a database has rows only
            empty = functools.reduce(pc.and_, essential).to_pylist()
            work.leave([_NOTE if nothing else None for nothing in empty])
        for quirk in importer.quirks:
            quirk(work)
        if importer.exchange and "exchange" not in work.columns:
            work.set("exchange", pa.array([importer.exchange] * work.rows.size, pa.string()))
        with_ids(work)

    def _manner(self, to: str) -> Manner:
        """Say how a column writes things: its name, its beginning and the owner tell."""
        heads = {to: name for to, name in self.match.found.items() if to not in self.match.constants}
        head = heads.get(to, "")
        if to in _TIMES:
            return replace(self.sheet.manner([head]), zone=self._zone(head))
        return self.sheet.manner([name for column, name in heads.items() if column in _NUMBERS])

    def _zone(self, head: str) -> tzinfo:
        """Find the zone: a column's name tells it, or the owner, the file's first lines, its name."""
        told = zone_minutes(head)
        if told is None and self.zone is not None:
            return self.zone
        for text in (self.sheet.before, Path(self.sheet.path).name):
            told = zone_minutes(text) if told is None else told
        if told is None:
            return zone_of(self.match.importer.zone)
        return timezone(timedelta(minutes=told)) if told else UTC


_NOTE = "line that is no row"
_NOTE_CELLS = 2
_ESSENTIAL = ("timestamp", "side", "price")
"""A row without any of them says nothing of a fill."""
_TIMES = frozenset({"timestamp"})
_NUMBERS = frozenset({"price", "amount", "cost", "fee_cost"})
_COLUMNS = [name for name in SCHEMA["fills"] if not name.startswith("drainwatch_")]


def with_ids(work: Work) -> None:
    """Give rows without an id one made of what they say, and of how often a row has said just that.

    So two equal rows of one file are two fills, and a row that two overlapping exports hold is one.
    """
    ids = work.get("id")
    lacking = ids.is_null().to_numpy(zero_copy_only=False)
    if not lacking.any():
        return
    names = [name for name in _CONTENT if name in work.columns]
    said = zip(*(work.columns[name].cast(pa.string()).to_pylist() for name in names), strict=True)
    cells = ids.to_pylist()
    places = np.flatnonzero(lacking & ~work.left)
    rows = list(said)
    keys = np.array([_content_key(rows[at]) for at in places.tolist()], np.uint64)
    numbers = work.tally.seen.number(keys)
    for at, key, number in zip(places.tolist(), keys.tolist(), numbers.tolist(), strict=True):
        cells[at] = f"row-{key:016x}-{number}"
    work.set("id", cells)


def _content_key(cells: Iterable[str | None]) -> int:
    """Hash what a row says to 64 bits."""
    text = "\0".join("" if cell is None else cell for cell in cells)
    return int.from_bytes(blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest(), "big")


_CONTENT = ("timestamp", "symbol", "side", "price", "amount", "cost", "order", "fee_cost")


@dataclass(frozen=True, slots=True)
class Opened:
    """All files of a scan, told apart."""

    imports: list[Import]
    notes: list[str]
    """Files that were left aside, and why."""

    @property
    def names(self) -> str:
        """What the files are called in messages."""
        return listed(found.sheet.name for found in self.imports)

    def given(self, tables: Mapping[str, str | None]) -> dict[str, Iterable[Source]]:
        """Give what `Tables.open` takes: the fills, and the market tables as rows of the fills' exchange.

        An export names its exchange, market data often don't: rows without one are of it, should all
        files be of one exchange.
        """
        exchanges = {found.exchange for found in self.imports}
        one = exchanges.pop() if len(exchanges) == 1 else ""
        given: dict[str, Iterable[Source]] = {"fills": self._fills()}
        for table in MARKET_TABLES:
            place = tables.get(table)
            if place is not None and (one or table == "markets"):
                given[table] = _of_exchange(table, place, one)
        markets = given.get("markets", ())
        if markets or any(found.match.importer.tells_markets for found in self.imports):
            given["markets"] = self._markets(markets)
        return given

    def _fills(self) -> Iterator[Source]:
        for found in self.imports:
            yield found.source()
        if all(found.tally.n_rows == sum(found.tally.others.values()) for found in self.imports):
            raise InputError(f"no fills: {'; '.join(self.left_out()) or 'the files have no rows'}")

    def _markets(self, told: Iterable[Source]) -> Iterator[Source]:
        """Give what the importers know of markets, then what the owner's own table says."""
        for found in self.imports:
            rows = list(found.tally.markets.values())
            if rows:
                names = list(dict.fromkeys(name for row in rows for name in row))
                cells = {name: readers.column([row.get(name) for row in rows]) for name in names}
                cells["exchange"] = pa.array([found.exchange] * len(rows), pa.string())
                yield Source(found.sheet.name, iter([([*cells], Piece(np.arange(1, len(rows) + 1), cells))]))
        yield from told

    def left_out(self) -> list[str]:
        """Say of each file which rows are no fills."""
        said = []
        for found in self.imports:
            others = +found.tally.others
            if others:
                kinds = ", ".join(f"{kind} {n:,}" for kind, n in others.most_common(8))
                more = ", ..." if len(others) > 8 else ""
                said.append(f"{found.sheet.name}: rows that are no fills: {kinds}{more}")
        return said


def _of_exchange(table: str, place: str, exchange: str) -> Iterator[Source]:
    for path in readers.find(table, place).files:
        pieces = readers.read(table, path, lambda name: column_of(table, name) is not None, PARENTS)
        yield Source(path, _with_exchange(pieces, table, exchange))


def _with_exchange(pieces: Pieces, table: str, exchange: str) -> Pieces:
    for header, piece in pieces:
        if exchange and piece.rows.size:
            name = next((n for n in piece.columns if column_of(table, n) == "exchange"), "exchange")
            told = piece.columns.get(name)
            filled = pa.array([exchange] * piece.rows.size, pa.string())
            piece.columns[name] = filled if told is None else pc.coalesce(values.texts(told), filled)
        yield header, piece


def opened(paths: Iterable[str], wish: Wish) -> Opened:
    """Open files and tell what each is.

    A folder stands for the files in it; those in a folder that are nothing known are left aside and noted.

    Raises
    ------
    InputError
        If a file that is named can't be read or told, or none holds fills.
    """
    imports: list[Import] = []
    notes: list[str] = []
    for path in paths:
        names, named = _files(path)
        for name in names:
            try:
                found, strange = _told(name, wish)
            except InputError as error:
                if named:
                    raise
                notes.append(f"left aside {error}")
                continue
            imports += found
            for sheet, stranger in strange:
                said = f"{sheet.name}: {stranger.title}, which has no fills; {stranger.instead}"
                if named and not found:
                    raise InputError(said)
                notes.append(f"left aside {said}")
    if not imports:
        raise InputError(
            notes[0]
            if len(notes) == 1
            else f"no file with fills among {listed(paths)}" + "".join(f"\n  {note}" for note in notes[:10])
        )
    return Opened(imports, notes)


def _files(path: str) -> tuple[list[str], bool]:
    """Give the files of a path, and whether it names one."""
    try:
        if path and Path(path).is_dir():
            return sorted(str(f) for f in Path(path).iterdir() if f.is_file() and f.name[:1] != "."), False
    except (OSError, ValueError):
        pass
    return [path], True


def _told(path: str, wish: Wish) -> tuple[list[Import], list[tuple[Sheet, Stranger]]]:
    """Tell the tables of one file; of several, those that nobody knows are passed over."""
    found: list[Import] = []
    strange: list[tuple[Sheet, Stranger]] = []
    unknown: InputError | None = None
    for sheet in sheets(path):
        try:
            match = _match(sheet, wish)
        except InputError as error:
            unknown = unknown or error
            continue
        if isinstance(match, Stranger):
            strange.append((sheet, match))
        else:
            found.append(Import(sheet, match, wish.zone))
    if unknown is not None and not found and not strange:
        raise unknown
    return found, strange


def _match(sheet: Sheet, wish: Wish) -> Match | Stranger:
    match: Match | Stranger | None = None
    try:
        match = None if wish.form == "mapped" else recognise(sheet, IMPORTERS, STRANGERS, only=wish.form)
    except InputError:
        match = own_match(sheet.header)
        if match is None and not wish.maps:
            raise
    if isinstance(match, Stranger) and not wish.maps:
        return match
    if match is None or isinstance(match, Stranger) or (wish.maps and match.importer is OWN):
        match = map_match(sheet.header, wish.maps)
    if wish.maps:
        match = mapped(match, wish.maps, sheet, COLUMNS)
    if match.missing:
        lacking = listed((c.to for c in match.missing), "or")
        raise InputError(
            f"{sheet.name}: no column for {lacking}: say --map {match.missing[0].to}=COLUMN; "
            f"found columns {listed(sheet.header)}"
        )
    return match
