"""Fetching: what is needed and not there yet is asked for, and put on the shelf as it comes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from drainwatch.errors import VenueError
from drainwatch.events import NS_PER_MS
from drainwatch.fetch.asking import Asking, Refused
from drainwatch.fetch.plan import Need, Plan, Times, What, plan_of
from drainwatch.fetch.shelf import SCHEMAS, Place, Shelf
from drainwatch.fetch.spans import MINUTE_MS, Span, by_day, joined, minutes, without
from drainwatch.rows import Candle, Trade
from drainwatch.venues.ports import Clock
from drainwatch.venues.rest import Rest

KEPT_ROWS: Final = 100_000
"""So many rows are held before they are put on the shelf."""

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class Fetched:
    """What became of it."""

    plan: Plan
    out: Path
    folders: dict[str, str] = field(default_factory=dict)
    """By table: where its files are, as `replay` takes it."""
    n_rows: dict[str, int] = field(default_factory=dict)
    """By table: rows that were fetched now."""
    minutes_before: int = 0
    """Minutes of all markets that were there already."""
    minutes_fetched: int = 0
    nothing: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    """By (table, symbol): where the exchange gave no row in a whole stretch."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """By (table, symbol): why the exchange won't give it."""
    n_requests: int = 0
    n_bad: int = 0
    n_crowded: int = 0


async def fetch(
    times: Times,
    exchange: str,
    out: Path,
    clock: Clock,
    *,
    what: What = What.AUTO,
    url: str = "",
    chance: random.Random | None = None,
    progress: Progress | None = None,
    kept_rows: int = KEPT_ROWS,
) -> Fetched:
    """Fetch market data around fills into a folder; what is there already isn't asked for again.

    Parameters
    ----------
    times
        When the account traded.
    exchange
        ccxt's id.
    url
        Host that stands in for the exchange's; empty for its own.
    kept_rows
        How many rows are held before they are written.

    Raises
    ------
    ConfigError
        ccxt knows no such exchange.
    InputError
        The folder can't be used.
    VenueError
        The exchange can't be reached. What was fetched so far is kept.
    """
    rest = Rest(exchange, None, clock, account="", base_url=url, options=_options(exchange, times))
    say = progress or (lambda _doing, _done, _of: None)
    try:
        say("asking for the exchange's markets", 0, None)
        markets = await rest.markets()
        asking = Asking(rest, clock, chance or random.Random())  # noqa: S311 - spreads requests, no secret
        now_ms = clock.now_ns() // NS_PER_MS // MINUTE_MS * MINUTE_MS
        plan = plan_of(times, exchange, markets, what, has_past_trades=asking.has_past_trades, now_ms=now_ms)
        shelf = Shelf(out, exchange)
        try:
            found = Fetched(plan, out)
            await _all(found, asking, shelf, say, kept_rows)
            told = {(need.label, need.symbol) for need in plan.needs}
            shelf.tell_markets(
                (label, rest.by_symbol[symbol])
                for label, symbol in sorted(told)
                if rest.by_symbol[symbol].settle
            )
            for table in (*SCHEMAS, "markets"):
                if (folder := shelf.folder_of(table)) is not None:
                    found.folders[table] = str(folder)
        finally:
            shelf.close()
        return found
    finally:
        await rest.close()


def _options(exchange: str, times: Times) -> dict[str, Any]:
    """What to have ccxt list: an export names Binance once for its spot and futures markets."""
    if exchange != "binance" or not any(":" in symbol for _, symbol in times.spans):
        return {}
    return {"fetchMarkets": {"types": ["spot", "linear", "inverse"]}}


async def _all(found: Fetched, asking: Asking, shelf: Shelf, say: Progress, kept_rows: int) -> None:
    total = sum(minutes(need.spans) for need in found.plan.needs)
    done = 0
    for need in found.plan.needs:
        for day, spans in by_day(need.spans):
            place = Place(need.table, need.label, need.symbol, day)
            missing = without(spans, shelf.covered(place))
            done += minutes(spans) - minutes(missing)
            found.minutes_before += minutes(spans) - minutes(missing)
            say("fetching, in minutes of all markets", done, total)
            for span in missing:
                if (need.table, need.symbol) not in found.refused:
                    await _span(found, asking, shelf, need, place, span, kept_rows)
                done += minutes([span])
                say("fetching, in minutes of all markets", done, total)
    found.n_requests, found.n_bad, found.n_crowded = asking.n_requests, asking.n_bad, asking.n_crowded


async def _span(
    found: Fetched, asking: Asking, shelf: Shelf, need: Need, place: Place, span: Span, kept_rows: int
) -> None:
    """Fetch one stretch; what has come of it is kept from time to time, and when it breaks off."""
    tables: list[pa.Table] = []
    begun_ms = complete_ms = span.start_ms
    held = total = 0

    def keep() -> None:
        nonlocal tables, begun_ms, held
        if complete_ms > begun_ms:
            rows = pa.concat_tables(tables) if tables else SCHEMAS[need.table].empty_table()
            # Of the last moment more may come, so that it is asked for again.
            rows = rows.filter(pc.less(rows["timestamp"], complete_ms))
            shelf.add(place, rows, [Span(begun_ms, complete_ms)])
            begun_ms = complete_ms
        tables, held = [], 0

    try:
        async for rows, up_to_ms in asking.pages(need.table, need.symbol, span):
            complete_ms = up_to_ms
            tables.append(_columns(need, rows))
            held += len(rows)
            total += len(rows)
            if held >= kept_rows and complete_ms > begun_ms:
                at_edge = pa.concat_tables(tables)
                at_edge = at_edge.filter(pc.greater_equal(at_edge["timestamp"], complete_ms))
                keep()
                tables, held = [at_edge], at_edge.num_rows
    except Refused as refusal:
        found.refused[need.table, need.symbol] = str(refusal)
        return
    except VenueError as error:
        keep()
        raise VenueError(
            f"{error}. What has come so far is kept: the same command goes on from there"
        ) from None
    keep()
    found.minutes_fetched += minutes([span])
    found.n_rows[need.table] = found.n_rows.get(need.table, 0) + total
    if not total:
        key = need.table, need.symbol
        found.nothing[key] = joined([*found.nothing.get(key, ()), span])


def _columns(need: Need, rows: Sequence[Trade | Candle]) -> pa.Table:
    """Give rows as columns of the contract."""
    size = len(rows)
    columns: dict[str, Any] = {
        "timestamp": [row.ts_ns // NS_PER_MS for row in rows],
        "exchange": [need.label or None] * size,
        "symbol": [need.symbol] * size,
    }
    if need.table == "candles":
        columns["timeframe"] = ["1m"] * size
    schema = SCHEMAS[need.table]
    for name in schema.names:
        if name not in columns:
            columns[name] = [getattr(row, name) for row in rows]
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)
