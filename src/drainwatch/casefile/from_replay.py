"""A case file from what a replay or a rerun left, and, where given, the tables that it read."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from drainwatch import __version__
from drainwatch.casefile.case import (
    MEANING,
    Case,
    CaseFill,
    Surrounding,
    counterparties_of,
    iso,
    iso_ms,
    losses_of,
    sealed,
    timeline_of,
)
from drainwatch.errors import InputError
from drainwatch.events import NS_PER_MS
from drainwatch.replay import JUDGED_BY

AROUND_NS: Final = 60_000_000_000
"""So much before and after a fill is shown of its market."""
MOST_ROWS: Final = 200_000
COPIED: Final = (
    "price", "amount", "cost", "client_order_id", "type", "taker_or_maker", "fee_cost", "fee_currency",
    "counterparty", "maker_order", "taker_order",
)  # fmt: skip
"""Columns of a table of fills that are taken over as they stand."""
COLUMNS: Final = {
    "quotes": ("bid", "ask", "bid_size", "ask_size"),
    "trades": ("price", "amount", "side", "id"),
}


def read_incidents(folder: Path) -> list[dict[str, Any]]:
    """Read the incidents that a replay wrote.

    Raises
    ------
    InputError
        There are none to read.
    """
    path = folder / "incidents.jsonl"
    try:
        lines = path.read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines if line.strip()]
        for incident in found:
            _ = incident["id"], incident["opened_at"], incident["alerted_at"], incident["fills"]
            _ = incident["closed_at"], incident["escalated_at"], incident["account"], incident["exchange"]
    except (OSError, msgspec.DecodeError, KeyError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"expected the incidents of a replay in {path}, found none to read ({reason}): "
            "run `drainwatch replay` first"
        ) from None
    return found


def case_of(folder: Path, incident: Mapping[str, Any], now_ns: int, tables: Mapping[str, str | None]) -> Case:
    """Gather what is known of an incident.

    Parameters
    ----------
    folder
        What the replay wrote.
    incident
        As `read_incidents` gives it.
    now_ns
        The time.
    tables
        Where the replayed tables are: `fills`, `trades`, `quotes`; absent or None where not given.

    Raises
    ------
    InputError
        The scores, or a table, can't be read.
    """
    missing = ["Messages and marks: a replay has none."]
    hashes = {name: _digest(folder / name) for name in ("incidents.jsonl", "scores.parquet")}
    scored, judged_by = _scored(folder / "scores.parquet", incident)
    by_key = {(row["symbol"], row["id"], row["order"], row["side"]): row for row in scored}
    fills = [_fill(told, incident, by_key.get(_key(told))) for told in incident["fills"]]
    unscored = sum(fill.time is None for fill in fills)
    if unscored:
        missing.append(f"Of {unscored} of {len(fills)} fills the scores have no row.")
    _take_fills(fills, tables.get("fills"), missing, hashes)
    _estimate(fills)
    contracts = sum(fill.loss is None and ":" in fill.symbol for fill in fills)
    if contracts:
        missing.append(
            f"Of {contracts} fills of contracts the loss in money: what a contract holds isn't told here. "
            "The incident's loss has it."
        )
    market = _market(fills, tables, missing, hashes)
    if not judged_by:
        missing.append(
            "By which version and model it was judged: the replay is of a version that didn't say."
        )
    return sealed(
        Case(
            made_at=iso(now_ns // NS_PER_MS * NS_PER_MS),
            origin={"kind": "replay", "drainwatch": __version__, "files": hashes},
            judged_by=judged_by,
            incident=dict(incident),
            state="open" if incident["closed_at"] is None else "closed",
            timeline=timeline_of(incident, [], []),
            losses=losses_of(fills),
            fills=fills,
            counterparties=counterparties_of(fills),
            market=market,
            messages=[],
            marks=[],
            missing=missing,
            meaning=MEANING,
        )
    )


def _key(told: Mapping[str, Any]) -> tuple[Any, ...]:
    return told["symbol"], told["id"], told["order"], told["side"]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"expected what a replay writes in {path}, found none to read ({error.strerror}): "
            "run `drainwatch replay` first"
        ) from None


def _scored(path: Path, incident: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read the rows of its fills, those that were told as of the incident last, and by what was judged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = [
        "exchange", "account", "symbol", "id", "order", "side", "timestamp", "fair_price", "fair_source",
        "deviation_bps", "score", "flagged", "incident",
    ]  # fmt: skip
    try:
        with pq.ParquetFile(path) as file:
            noted = (file.metadata.metadata or {}).get(JUDGED_BY.encode(), b"{}")
            table = file.read(columns=wanted)
        ids = pa.array([told["id"] for told in incident["fills"]], pa.string())
        rows: list[dict[str, Any]] = table.filter(pc.is_in(table["id"], ids)).to_pylist()
        judged_by = msgspec.json.decode(noted, type=dict[str, Any])
    except (OSError, pa.ArrowException, msgspec.DecodeError) as error:
        raise InputError(
            f"expected the scores of a replay in {path}, found none to read ({error}): "
            "run `drainwatch replay` first"
        ) from None
    # a fill that joined by hindsight says no incident of its own
    return sorted(rows, key=lambda row: row["incident"] == incident["id"]), judged_by


def _fill(told: Mapping[str, Any], incident: Mapping[str, Any], row: Mapping[str, Any] | None) -> CaseFill:
    fill = CaseFill(exchange=incident["exchange"], account=incident["account"], **told)
    if row is not None:
        fill.exchange = row["exchange"]
        fill.time = fill.counted_at = iso_ms(row["timestamp"])
        fill.fair_price, fill.fair_source = row["fair_price"], row["fair_source"]
        fill.deviation_bps, fill.score = row["deviation_bps"], row["score"]
        fill.flagged = bool(row["flagged"])
    return fill


def _rows(table: str, place: str, hashes: dict[str, str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Read a table piece by piece: times (ns), and columns of the contract as texts."""
    from drainwatch import readers, values
    from drainwatch.normalise import sources_of
    from drainwatch.schema import PARENTS, SCHEMA, column_of

    for path in readers.find(table, place).files:
        hashes[f"{table}: {Path(path).name}"] = _digest(Path(path))
        wanted = lambda name: column_of(table, name) is not None  # noqa: E731
        for _, piece in readers.read(table, path, wanted, PARENTS):
            if not piece.rows.size:
                continue
            sources = sources_of(table, piece.columns)
            if "timestamp" not in sources or "symbol" not in sources:
                raise InputError(f"{table}: {path}: expected columns timestamp and symbol, found them not")
            times = values.times(sources["timestamp"]).values
            form = {name: SCHEMA[table][name][0] for name in sources}
            # as it stood; ids as everywhere else, or they wouldn't be found
            texts = {
                name: (values.ids if form[name].read is values.ids else values.texts)(array).to_pylist()
                for name, array in sources.items()
                if name != "timestamp"
            }
            yield times, texts


def _take_fills(fills: list[CaseFill], place: str | None, missing: list[str], hashes: dict[str, str]) -> None:
    """Take over what the table of fills says of them."""
    if place is None:
        missing.append(
            "Prices and amounts as the exchange wrote them, fees and counterparties: give the replayed table "
            "(--fills). The price here is reckoned from fair price and deviation."
        )
        return
    by_key = {(f.exchange, f.account, f.symbol, f.id, f.order, f.side): f for f in fills}
    for _, texts in _rows("fills", place, hashes):
        ids = texts["id"]
        nothing: list[str | None] = [None] * len(ids)
        for at, fill_id in enumerate(ids):
            cell = {name: texts.get(name, nothing)[at] for name in (*COPIED, "exchange", "account", "order")}
            side = (texts["side"][at] or "").lower()
            key = (
                cell["exchange"] or "",
                cell["account"] or "default",
                texts["symbol"][at],
                fill_id,
                cell["order"],
                side,
            )
            fill = by_key.get(key)
            if fill is None or fill.exact:  # of one key the first is kept
                continue
            for name in COPIED:
                setattr(fill, name, cell[name])
            fill.exact = True
    lost = sum(not fill.exact for fill in fills)
    if lost:
        missing.append(f"Of {lost} of {len(fills)} fills the given table has no row.")


def _estimate(fills: list[CaseFill]) -> None:
    """Reckon loss, and price where it isn't known, from fair price and deviation."""
    for fill in fills:
        fair, off_bps = fill.fair_price, fill.deviation_bps
        if fair is None or off_bps is None:
            continue
        side = 1 if fill.side == "buy" else -1
        if fill.price is None:
            fill.price = repr(fair * (1 + side * off_bps / 1e4))
        if fill.amount is not None and ":" not in fill.symbol:  # of a contract its size isn't known here
            fill.loss = fair * float(fill.amount) * off_bps / 1e4
            fill.quote_currency = fill.symbol.partition("/")[2]


def _market(
    fills: list[CaseFill], tables: Mapping[str, str | None], missing: list[str], hashes: dict[str, str]
) -> list[Surrounding]:
    """Give what the given tables show of the markets around the fills."""
    given = [table for table in COLUMNS if tables.get(table)]
    if not given:
        missing.append("Market data around the fills: give the replayed tables (--quotes, --trades).")
        return []
    windows: dict[str, list[tuple[int, int, Surrounding]]] = defaultdict(list)
    moments: dict[tuple[str, str], list[int]] = defaultdict(list)
    for fill in fills:
        if fill.counted_at is not None:
            moments[fill.exchange, fill.symbol].append(_ns(fill.counted_at))
    for (exchange, symbol), times in moments.items():
        for first, last in _spans(times):
            around = Surrounding(
                exchange=exchange, symbol=symbol, start=iso(first), end=iso(last), kept="whole"
            )
            windows[symbol].append((first, last, around))
    left = MOST_ROWS
    for table in given:
        for times, texts in _rows(table, tables[table] or "", hashes):
            exchanges = texts.get("exchange")
            for at, symbol in enumerate(texts["symbol"]):
                for first, last, around in windows.get(symbol, ()):
                    at_ns = int(times[at])
                    elsewhere = exchanges is not None and (exchanges[at] or "") not in ("", around.exchange)
                    if left <= 0 or not first <= at_ns <= last or elsewhere:
                        continue
                    left -= 1
                    cells = [texts[name][at] if name in texts else None for name in COLUMNS[table]]
                    (around.quotes if table == "quotes" else around.prints).append([iso(at_ns), *cells])
    if left <= 0:
        missing.append(
            f"More than {MOST_ROWS:,} rows of market data lie around the fills: the rest was left out."
        )
    every = [around for some in windows.values() for _, _, around in some]
    for around in every:
        around.quotes.sort(key=lambda row: row[0])
        around.prints.sort(key=lambda row: row[0])
    return every


def _ns(text: str) -> int:
    """Read what `case.iso` wrote."""
    from datetime import UTC, datetime

    seconds, _, rest = text.removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp()
    return int(whole) * 1_000_000_000 + int(rest.ljust(9, "0"))


def _spans(times: list[int]) -> list[tuple[int, int]]:
    from drainwatch.watch.around import spans

    return spans((at - AROUND_NS, at + AROUND_NS) for at in times)
