"""Replay of files: tables in, incidents, scores and a report out."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from drainwatch import __version__
from drainwatch.config import Settings
from drainwatch.engine import Block, Engine
from drainwatch.errors import InputError
from drainwatch.events import NS_PER_MS, Kind, Names
from drainwatch.model import Model, default_model_path, load_model
from drainwatch.readers import Source
from drainwatch.rejects import Reject
from drainwatch.report import to_html
from drainwatch.report.diary import Diary
from drainwatch.report.table import FillTable
from drainwatch.scores import COLUMNS, KEYS, judged_columns, money_and_markets, score_columns, value_unit
from drainwatch.tables import TablePaths, Tables

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

RESULTS: Final = ("rejected.jsonl", "scores.parquet", "report.html", "incidents.jsonl")
"""What a replay writes, in the order in which it is put in place."""
REPORTED_FILLS: Final = 50_000
"""With more fills than this the report shows only those around incidents."""
JUDGED_BY: Final = "drainwatch_judged_by"
"""Key of the scores' metadata under which it says by which version, model and settings."""
AROUND_NS: Final = 6 * 3600 * 1_000_000_000
REPORT_COLUMNS: Final = COLUMNS[: COLUMNS.index("incident") + 1]

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much is done, and of how much (None: unknown)."""


@dataclass(slots=True)
class Judged:
    """What came out of judging all tables once."""

    names: Names
    incidents: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `incidents.jsonl`."""
    n_fills: int = 0
    blind_reasons: Counter[str] = field(default_factory=Counter)
    fair_sources: Counter[str] = field(default_factory=Counter)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """By table: rows read, rejected and duplicates among them."""
    bad_rows: list[Reject] = field(default_factory=list)
    """The first rejected row of each table."""
    diary: Diary = field(default_factory=Diary)
    """What was seen day by day, of all fills."""
    first_ns: int = 0
    last_ns: int = 0
    engine_seconds: float = 0.0
    """CPU time of the engine alone."""
    kept: list[Block] = field(default_factory=list)
    """What a report may show: all fills while they are few, else those near incidents."""

    @property
    def span_ms(self) -> tuple[int, int] | None:
        """First fill's and last event's time; None without a fill."""
        return (self.first_ns // NS_PER_MS, self.last_ns // NS_PER_MS) if self.n_fills else None

    @property
    def n_rejected(self) -> int:
        """Rows of all tables that could not be read."""
        return sum(count["rejected"] for count in self.counts.values())


@dataclass(frozen=True, slots=True)
class Page:
    """All that a report is made of (`report.to_html`)."""

    incidents: list[dict[str, Any]]
    fills: dict[str, Any]
    about: dict[str, Any]
    equity: dict[str, NDArray[np.float64]]
    market: dict[tuple[str, str], NDArray[np.float64]]

    def html(self) -> str:
        """The report as one page."""
        return to_html(self.incidents, self.fills, self.about, equity=self.equity, market=self.market)


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay of files found."""

    n_fills: int
    incidents: list[dict[str, Any]]
    """Rows of `incidents.jsonl`."""
    blind_reasons: dict[str, int]
    fair_sources: dict[str, int]
    counts: dict[str, dict[str, int]]
    rejects: int
    out: Path
    engine_seconds: float
    span_ms: tuple[int, int] | None
    fills: dict[str, Any]
    """Columns of the fills that the report shows."""
    notes: list[str]
    """What else the owner should know: files that were left aside."""

    @property
    def n_incidents(self) -> int:
        """How many incidents."""
        return len(self.incidents)

    @property
    def n_blind(self) -> int:
        """How many fills could not be judged."""
        return sum(self.blind_reasons.values())


def replay_tables(
    paths: TablePaths,
    out: Path,
    *,
    model: Path | None = None,
    settings: Settings | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    given: Mapping[str, Iterable[Source]] | None = None,
) -> ReplaySummary:
    """Replay tables into `out`: `incidents.jsonl`, `scores.parquet`, `report.html`, `rejected.jsonl`.

    Nothing is written before the replay has ended well. Tables in `given` are read already, as
    `Tables.open` says.

    Raises
    ------
    InputError
        A table can't be used, or `out` can't be written.
    ModelError
        The model can't be used.

    """
    loaded = load_model(model if model is not None else default_model_path())
    settings = settings or Settings()
    say = progress or (lambda _doing, _done, _of: None)
    names = Names()

    def reading(table: str, rows: int) -> None:
        say(f"reading {table}", rows, None)

    with (
        Tables.open(paths, names, strict=strict, progress=reading, given=given) as tables,
        results(out) as made,
    ):
        judged = judge(tables, new_engine(loaded, names, settings), names, made.scores, say)
        return made.publish(judged, loaded, settings, tables.rejects, tables.notes)


class Results:
    """Makes what a replay writes, in a folder aside; `publish` puts it all in place at once."""

    def __init__(self, made: Path, out: Path, writer: _ScoreWriter) -> None:
        self._made, self._out, self._writer = made, out, writer

    def scores(self, columns: dict[str, Any]) -> None:
        """Append a block's columns to the scores."""
        self._writer.write(columns)

    def publish(
        self,
        judged: Judged,
        model: Model,
        settings: Settings,
        rejects: Iterable[Mapping[str, Any]] = (),
        notes: Iterable[str] = (),
    ) -> ReplaySummary:
        """Write the rest, put all in place and sum it up."""
        page = page_of(judged, model, settings)
        self._writer.note(
            {
                "drainwatch": __version__,
                "model": model.card.get("arrays_sha256"),
                "false_alarms_per_month": settings.judgement.false_alarms_per_month,
                "quiet_hours": settings.incidents.quiet_hours,
            }
        )
        self._writer.close()
        _write_lines(self._made / "incidents.jsonl", judged.incidents)
        _write_lines(self._made / "rejected.jsonl", rejects)
        (self._made / "report.html").write_text(page.html(), encoding="utf-8")
        _publish(self._made, self._out)
        return ReplaySummary(
            n_fills=judged.n_fills,
            incidents=judged.incidents,
            blind_reasons=dict(judged.blind_reasons),
            fair_sources=dict(judged.fair_sources),
            counts=judged.counts,
            rejects=judged.n_rejected,
            out=self._out,
            engine_seconds=judged.engine_seconds,
            span_ms=judged.span_ms,
            fills=page.fills,
            notes=list(notes),
        )


@contextmanager
def results(out: Path) -> Iterator[Results]:
    """Prepare what goes into `out`; nothing is left there unless it is published.

    Raises
    ------
    InputError
        `out` can't be written.
    """
    with _staging(out) as made, _ScoreWriter(made / "scores.parquet") as writer:
        yield Results(made, out, writer)


def new_engine(model: Model, names: Names, settings: Settings) -> Engine:
    """An engine with a model and settings."""
    return Engine(
        model.arrays,
        model.card.get("features", ()),
        names,
        false_alarms_per_month=settings.judgement.false_alarms_per_month,
        quiet_hours=settings.incidents.quiet_hours,
    )


def judge(
    tables: Tables,
    engine: Engine,
    names: Names,
    take_scores: Callable[[dict[str, NDArray[Any]]], None],
    say: Progress,
    see: Callable[[Block], None] = lambda _: None,
) -> Judged:
    """Send all tables through the engine; `take_scores` gets each block's columns, `see` the block."""
    found = Judged(names)
    for batch in tables.batches():
        for events in (batch.rows, batch.fills):
            if len(events):
                found.last_ns = max(found.last_ns, int(events["ts_ns"][-1]))
        prices = batch.rows[batch.rows["kind"] <= Kind.CANDLE]
        found.diary.take_market(prices["ts_ns"] // NS_PER_MS)
        if found.n_fills == 0:  # the first batch of a version waits for the compiler: say for what
            say("judging fills", 0, tables.n_fills)
        started = time.process_time()
        engine.feed(batch)
        blocks, _ = engine.take_outputs()
        found.engine_seconds += time.process_time() - started
        for block in blocks:
            take_block(found, block, engine, take_scores)
            see(block)
        say("judging fills", found.n_fills, tables.n_fills)
    engine.advance(found.last_ns)
    found.incidents = [incident.to_dict() for incident in engine.incidents]
    found.counts = {
        table: {"rows": counts.read, "rejected": counts.bad, "duplicates": counts.duplicates}
        for table, counts in tables.counts.items()
    }
    found.bad_rows = list(tables.rejects.first.values())
    return found


def take_block(
    found: Judged, block: Block, engine: Engine, take_scores: Callable[[dict[str, NDArray[Any]]], None]
) -> None:
    """Take what was judged into `found`, and its columns to where scores are written."""
    if found.n_fills == 0:
        found.first_ns = int(block.fills["ts_ns"][0])
    found.n_fills += len(block.fills)
    columns = score_columns(found.names, block)
    take_scores(columns)
    found.blind_reasons.update(why for why in columns["blind"] if why is not None)
    found.fair_sources.update(columns["fair_source"].tolist())
    told = FillTable({name: columns[name] for name in REPORT_COLUMNS})
    found.diary.take(told, block.judged["equity"])
    _keep(found, block, engine)


def page_of(judged: Judged, model: Model, settings: Settings) -> Page:
    """Gather what the report shows."""
    unit = value_unit(judged.names)
    about = {
        "n_fills": judged.n_fills,
        "counts": judged.counts,
        "rejects": judged.n_rejected,
        "blind_reasons": dict(judged.blind_reasons),
        "fair_sources": dict(judged.fair_sources),
        "span_ms": judged.span_ms,
        "false_alarms_per_month": settings.judgement.false_alarms_per_month,
        "model": model.card.get("name"),
        "version": __version__,
        "equity_currency": unit,
        "bad_rows": judged.bad_rows,
        "diary": judged.diary,
    }
    fills = _shown(judged)
    equity, market = money_and_markets(judged.names, judged.kept) if unit else ({}, {})
    return Page(judged.incidents, fills, about, equity, market)


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder in which the results are made; it is gone at the end, and `out` too if left empty.

    It lies in `out`, which may be a mount or a link into another file system: only there can files be
    moved into place at once, and only there is it sure that one may write.
    """
    _check_free(out)
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".drainwatch-", dir=out))
    except OSError as error:
        _remove_empty(new)
        raise InputError(f"can't write to {out}: {error.strerror}; choose another --out") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        _remove_empty(new)


def _check_free(out: Path) -> None:
    """Look whether something that isn't ours stands where results are to go."""
    try:
        if out.exists() and not out.is_dir():
            raise InputError(f"expected a folder to write to at {out}, found a file: choose another --out")
        for name in RESULTS:
            if (out / name).is_dir():
                raise InputError(
                    f"expected a file or nothing at {out / name}, found a folder: "
                    "move it away or choose another --out"
                )
    except OSError as error:
        raise InputError(f"can't write to {out}: {error.strerror}; choose another --out") from None


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that hold nothing, the innermost first."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # it holds something, or was never made
            return


def _publish(made: Path, out: Path) -> None:
    """Move results into place, the incidents last: who finds them finds all.

    Should a move fail, the results that were there before are put back: never some old, some new.
    """
    kept = made / "before"
    done: list[str] = []
    try:
        kept.mkdir()
        for name in RESULTS:
            if (out / name).exists():
                _keep_copy(out / name, kept / name)
        for name in RESULTS:
            (made / name).replace(out / name)
            done.append(name)
    except OSError as error:
        for name in done:
            if (kept / name).exists():
                (kept / name).replace(out / name)
            else:
                (out / name).unlink()
        raise InputError(f"can't write to {out}: {error.strerror}; choose another --out") from None


def _keep_copy(file: Path, at: Path) -> None:
    """Keep a file under a second name; copied only where the file system knows no links."""
    try:
        at.hardlink_to(file)
    except OSError:
        shutil.copy2(file, at)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _keep(found: Judged, block: Block, engine: Engine) -> None:
    """Keep what the report may show, and no more: of two million fills, not two gigabytes."""
    found.kept.append(replace(block, features=np.empty((len(block.fills), 0))))
    if found.n_fills <= REPORTED_FILLS:
        return
    windows = [
        (i.opened_ns - AROUND_NS, (i.closed_ns or i.last_flagged_ns) + AROUND_NS)
        for i in engine.incidents[:50]
    ]
    # An incident may yet begin, or go on, near the last two blocks: these stay whole until they are old.
    old = (_within(one, windows) for one in found.kept[:-2])
    found.kept[:-2] = [one for one in old if one is not None]


def _within(block: Block, windows: Sequence[tuple[int, int]]) -> Block | None:
    """Leave of a block only what lies in one of some windows; None if that is nothing."""
    ts_ns = block.fills["ts_ns"]
    keep = np.zeros(len(ts_ns), np.bool_)
    for first_ns, last_ns in windows:
        keep[np.searchsorted(ts_ns, first_ns, "left") : np.searchsorted(ts_ns, last_ns, "right")] = True
    if keep.all() or not keep.any():
        return block if keep.any() else None
    return Block(
        block.fills[keep],
        block.ids[keep],
        block.orders[keep],
        block.judged[keep],
        block.features[keep],
        [name for name, kept in zip(block.incidents, keep.tolist(), strict=True) if kept],
    )


def _shown(judged: Judged) -> dict[str, Any]:
    """Columns for the report; here a fill belongs to its incident from before the alert on."""
    parts = []
    for block in judged.kept:
        columns = judged_columns(judged.names, block)
        part = {name: columns[name] for name in REPORT_COLUMNS}
        part["price"] = block.fills["price"]
        part["amount"] = block.fills["amount"]
        part["loss"] = block.judged["loss_quote"]
        parts.append(part)
    if not parts:
        return {}
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    member = {
        (incident["account"], fill["symbol"], fill["id"], fill["order"], fill["side"]): incident["id"]
        for incident in judged.incidents
        for fill in incident["fills"]
    }
    if member:
        keys = zip(*(table[name] for name in ("account", "symbol", "id", "order", "side")), strict=True)
        table["incident"] = np.array([member.get(key) for key in keys], dtype=object)
    return table


class _ScoreWriter:
    """Writes `scores.parquet` piece by piece."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, columns: dict[str, Any]) -> None:
        """Append a block's columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table([_array(name, values) for name, values in columns.items()], names=list(columns))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        elif table.schema != self._writer.schema:
            if table["timestamp"].type == pa.float64():
                self._widen(table.schema)
            table = table.cast(self._writer.schema)
        self._writer.write_table(table)

    def note(self, judged_by: Mapping[str, Any]) -> None:
        """Say in the file by what was judged: a reader that doesn't look for it sees none of it."""
        if self._writer is not None:
            self._writer.add_key_value_metadata({JUDGED_BY: json.dumps(judged_by)})

    def _widen(self, schema: pa.Schema) -> None:
        """A time with a fraction of a millisecond came up: all times become float64."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        writer = self._writer
        if writer is None:
            return
        writer.close()
        place = schema.get_field_index("timestamp")
        wide = schema.set(place, pa.field("timestamp", pa.float64()))
        before = self._path.with_suffix(".narrow")
        self._path.replace(before)
        self._writer = pq.ParquetWriter(self._path, wide, compression="zstd")
        with pq.ParquetFile(before) as file:
            for piece in file.iter_batches():
                self._writer.write_table(pa.Table.from_batches([piece]).cast(wide))
        before.unlink()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the file; a second time does nothing."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _array(name: str, values: Any) -> pa.Array:
    """A column as Arrow's; NaN is null."""
    import pyarrow as pa

    if name == "timestamp":
        return pa.array(values)
    if name in KEYS or values.dtype == object:
        return pa.array(values, type=pa.string())
    if values.dtype == bool:
        return pa.array(values)
    return pa.array(values, type=pa.float64(), mask=np.isnan(values))
