"""The journal as the contract's tables: a replay of them judges as the live watch did.

Each row has the time at which it counted, to the microsecond: what came late is where it was judged by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from drainwatch.errors import InputError, StateError
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.schema import SCHEMA
from drainwatch.store import Store
from drainwatch.watch.encoding import US
from drainwatch.watch.entries import read_entry

TABLES: Final = {
    Fill: "fills",
    Trade: "trades",
    Quote: "quotes",
    Candle: "candles",
    Balance: "balances",
    BotOrder: "orders",
    Market: "markets",
}
"""The contract's table of each row."""
SAY_EVERY: Final = 1_000


@dataclass(slots=True)
class Exported:
    """What was written."""

    rows: Counter[str] = field(default_factory=Counter)
    """By table."""
    whole: bool = True
    """Whether the journal was there from its beginning: else what was known before isn't in the tables."""


def export_journal(store: Store, out: Path, *, progress: Callable[[int], None] | None = None) -> Exported:
    """Write the journal into `out` as JSON Lines, a file a table: `fills.jsonl` and so on.

    Parameters
    ----------
    progress
        Is told how many entries have been read, now and then.

    Raises
    ------
    InputError
        `out` can't be written.
    StateError
        The store can't be read, or has no journal.
    """
    exported = Exported()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as open_:
            _write(store, _Writers(out, open_), exported, progress)
        for table in exported.rows:
            _part(out, table).replace(out / f"{table}.jsonl")
    except OSError as error:
        raise InputError(f"can't write to {out}: {error.strerror}; choose another --out") from None
    return exported


def _part(out: Path, table: str) -> Path:
    return out / f".{table}.jsonl.part"


class _Writers:
    """A file for each table, begun with its first row."""

    def __init__(self, out: Path, open_: ExitStack) -> None:
        self._out, self._open = out, open_
        self._files: dict[str, IO[bytes]] = {}
        self._encode = msgspec.json.Encoder().encode

    def write(self, table: str, columns: dict[str, Any]) -> None:
        """Append a row."""
        file = self._files.get(table)
        if file is None:
            file = self._files[table] = self._open.enter_context(_part(self._out, table).open("wb"))
        file.write(self._encode(columns) + b"\n")


def _write(
    store: Store, writers: _Writers, exported: Exported, progress: Callable[[int], None] | None
) -> None:
    told: dict[tuple[str, str], Market] = {}
    begun: set[tuple[str, str]] = set()
    count = 0
    for number, content in store.entries():
        count += 1
        exported.whole = exported.whole and number == count
        if progress is not None and count % SAY_EVERY == 0:
            progress(count)
        entry = read_entry(content)
        if isinstance(entry, int):
            continue  # time that passed shows in what came after it
        for at_ns, row in entry:
            if isinstance(row, Market):
                if (row.exchange, row.symbol) not in begun:  # later it changes nothing
                    told[row.exchange, row.symbol] = row
                continue
            if isinstance(row, (Trade, Quote, Candle)):
                begun.add((row.exchange, row.symbol))
            writers.write(TABLES[type(row)], columns_of(at_ns, row))
            exported.rows[TABLES[type(row)]] += 1
    if count == 0:
        raise StateError(f"expected a journal, found an empty one in {store.where}: nothing was watched yet")
    for market in told.values():
        writers.write("markets", columns_of(0, market))
        exported.rows["markets"] += 1


OWN: Final = {"mark": "drainwatch_mark", "forced": "drainwatch_forced"}
"""Fields that no column of the contract has, and the columns of our own that they are kept in."""


def _is_absent(value: Any) -> bool:
    return value is None or value is False or value == ""


def columns_of(at_ns: int, row: Row) -> dict[str, Any]:
    """A row as its table has it; `at_ns` is the time at which it counts."""
    known = SCHEMA[TABLES[type(row)]]
    columns = {
        column: value
        for name in row.__struct_fields__
        if (column := OWN.get(name, name)) in known and not _is_absent(value := getattr(row, name))
    }
    if isinstance(row, Candle):
        columns["timestamp"] = row.ts_ns / 1e6
        columns["timeframe"] = f"{row.length_ns // 1_000_000_000}s"
        if at_ns - (row.ts_ns + row.length_ns) >= US:
            columns["drainwatch_known_at"] = at_ns / 1e6
    elif not isinstance(row, Market):
        columns["timestamp"] = at_ns / 1e6
    return columns
