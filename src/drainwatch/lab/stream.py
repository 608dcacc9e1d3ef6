"""A scenario as a stream: the rows of all its tables, in the order in which they become known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from drainwatch.lab.scenario import Scenario

Row = dict[str, Any]
"""A row of a table by column, absent values left out, with `table` in front."""

ORDER = ("markets", "trades", "quotes", "candles", "balances", "orders", "fills")
"""Which table's row goes first at equal times: market rows come before fills."""

CANDLE_MS = 60_000
"""The lab's candles are of a minute: one is known when it has closed."""

_CHUNK = 4096


def rows(scenario: Scenario, tables: tuple[str, ...] = ORDER) -> Iterator[Row]:
    """Give every row of a scenario's tables once, in order of time.

    Parameters
    ----------
    scenario
        Where from.
    tables
        Which tables to take.
    """
    for _, row in timed_rows(scenario, tables):
        yield row


def timed_rows(scenario: Scenario, tables: tuple[str, ...] = ORDER) -> Iterator[tuple[int, Row]]:
    """Give every row with the time at which it is known, in ms since the epoch.

    That is its `timestamp`, for a candle a minute later, for rows of `markets` the first time of all.
    """
    frames: list[tuple[str, pd.DataFrame]] = [
        (name, frame) for name in ORDER if name in tables and len(frame := getattr(scenario, name))
    ]
    if not frames:
        return
    known = [_known_ms(name, frame) for name, frame in frames]
    first = min((int(ms.min()) for ms in known if ms.size), default=0)
    known = [
        ms if ms.size else np.full(len(frame), first) for ms, (_, frame) in zip(known, frames, strict=True)
    ]
    at = np.concatenate(known)
    of = np.repeat(np.arange(len(frames)), [len(frame) for _, frame in frames])
    place = np.concatenate([np.arange(len(frame)) for _, frame in frames])
    order = np.lexsort((place, of, at))
    cursors = [
        records(frame.iloc[np.argsort(ms, kind="stable")])
        for ms, (_, frame) in zip(known, frames, strict=True)
    ]
    for ms, table in zip(at[order].tolist(), of[order].tolist(), strict=True):
        yield ms, {"table": frames[table][0], **next(cursors[table])}


def _known_ms(name: str, frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Times of a table's rows, none for a table without."""
    if "timestamp" not in frame:
        return np.empty(0, dtype=np.int64)
    ms = frame["timestamp"].to_numpy(dtype=np.int64)
    return ms + CANDLE_MS if name == "candles" else ms


def records(frame: pd.DataFrame) -> Iterator[Row]:
    """Give a table's rows as dicts of plain values, absent ones left out."""
    columns = [str(column) for column in frame.columns]
    for start in range(0, len(frame), _CHUNK):  # by the thousand: a month has hundreds of thousands
        part = frame.iloc[start : start + _CHUNK]
        lists = [_plain(part[name]) for name in columns]
        for values in zip(*lists, strict=True):
            row = dict(zip(columns, values, strict=True))
            yield {name: value for name, value in row.items() if value is not None} if None in values else row


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Values of a column, None for what is absent."""
    values, gone = column.tolist(), column.isna()
    if not gone.any():
        return values
    return [None if is_gone else value for value, is_gone in zip(values, gone.tolist(), strict=True)]
