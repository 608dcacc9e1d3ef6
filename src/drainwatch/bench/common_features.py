"""Features that a careful stranger would give a generic detector: scale-free, causal, no secrets of ours."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drainwatch.bench.detectors import Floats, Seen

FEATURES: Final = (
    "adverse_bps",  # against the last market price, in asinh(bps): as it is when small, a log when large
    "log_size",  # cost against the account's median cost so far in that quote currency
    "log_gap",  # seconds since its last fill
    "log_gap_in_symbol",
    "symbol_is_new",
    "hour_sin",
    "hour_cos",
    "log_side_run",  # fills of the same side in a row, this one included
    "log_turnover",  # of the hour up to here, against the account's own median of it so far
    "is_taker",
    "is_logged",  # the owner's order log has the order
)
"""Columns of `feature_rows`."""

MOST_ROWS: Final = 2_000
"""Fills that one account gives to a pooled fit at most, so that the busiest don't speak for all."""

_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_HOUR_MS: Final = 3_600_000
_TIME_BITS: Final = 44  # milliseconds until the year 2527 fit below the symbol's number

Ints = NDArray[np.int64]
_Rows = tuple[pd.Series, Ints, Floats]


def sides(fills: pd.DataFrame) -> Floats:
    """Sign of each fill, 1 for a buy and -1 for a sell."""
    return np.where(fills["side"].to_numpy() == "buy", 1.0, -1.0)


def times(table: pd.DataFrame) -> Ints:
    """Timestamps in milliseconds."""
    return table["timestamp"].to_numpy(dtype=np.int64)


def last_market_price(seen: Seen) -> Floats:
    """Last price known before each fill, NaN where there is none.

    The mid of the last quote strictly before it; where the market has none the last trade before it,
    else the close of the last candle that was complete, else the account's own last fill there at an
    earlier time. However old: this is what a simple rule goes by.
    """
    fills = seen.fills
    price = np.full(len(fills), np.nan)
    for symbols, at, values in _price_tables(seen):
        unknown = np.isnan(price)
        if not unknown.any():
            break
        price[unknown] = _last_before(symbols, at, values, fills[unknown])
    return price


def _price_tables(seen: Seen) -> list[_Rows]:
    """Symbols, times and prices of the tables that tell a price, the best first."""
    tables, fills = seen.tables, seen.fills
    out: list[_Rows] = []
    if "quotes" in tables:
        quotes = tables["quotes"]
        mid = 0.5 * (quotes["bid"].to_numpy(dtype=np.float64) + quotes["ask"].to_numpy(dtype=np.float64))
        out.append((quotes["symbol"], times(quotes), mid))
    if "trades" in tables:
        trades = tables["trades"]
        out.append((trades["symbol"], times(trades), trades["price"].to_numpy(dtype=np.float64)))
    if "candles" in tables:
        candles = tables["candles"]
        length = candles["timeframe"].map(_length_ms) if "timeframe" in candles else _MS["m"]
        # A candle that closes with the fill's millisecond is complete: its prices are from before.
        known = times(candles) + np.asarray(length, dtype=np.int64) - 1
        out.append((candles["symbol"], known, candles["close"].to_numpy(dtype=np.float64)))
    out.append((fills["symbol"], times(fills), fills["price"].to_numpy(dtype=np.float64)))
    return out


def _length_ms(timeframe: str) -> int:
    return int(timeframe[:-1]) * _MS[timeframe[-1]]


def _last_before(symbols: pd.Series, at: Ints, values: Floats, fills: pd.DataFrame) -> Floats:
    """Value of the last row of the fill's symbol at an earlier time, NaN where there is none."""
    names = pd.Index(fills["symbol"].unique())
    of_row = names.get_indexer(pd.Index(symbols))
    usable = (of_row >= 0) & np.isfinite(values) & (values > 0.0)
    keys = (of_row[usable].astype(np.int64) << _TIME_BITS) | at[usable]
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[usable][order]
    of_fill = names.get_indexer(pd.Index(fills["symbol"])).astype(np.int64)
    place = np.searchsorted(keys, (of_fill << _TIME_BITS) | times(fills), side="left") - 1
    found = place >= 0
    found[found] = keys[place[found]] >> _TIME_BITS == of_fill[found]
    out = np.full(len(fills), np.nan)
    out[found] = values[place[found]]
    return out


def adverse_deviation(fills: pd.DataFrame, price: Floats) -> Floats:
    """Relative deviation of each fill from a price; positive is worse for the account, 0.05 is 5 %."""
    deviation: Floats = sides(fills) * (fills["price"].to_numpy(dtype=np.float64) / price - 1.0)
    return deviation


def costs(seen: Seen) -> Floats:
    """Value of each fill in its quote currency: as told, else price x amount x contract size."""
    fills = seen.fills
    worth: Floats = fills["price"].to_numpy(dtype=np.float64) * fills["amount"].to_numpy(dtype=np.float64)
    markets = seen.tables.get("markets")
    if markets is not None and "contract_size" in markets:
        size = fills["symbol"].map(markets.drop_duplicates("symbol").set_index("symbol")["contract_size"])
        worth = worth * size.fillna(1.0).to_numpy(dtype=np.float64)
    if "cost" not in fills:
        return worth
    told = fills["cost"].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(told), told, worth)


def quote_currencies(fills: pd.DataFrame) -> pd.Series:
    """Quote currency of each fill, from the unified symbol."""
    return fills["symbol"].str.split("/").str[-1].str.split(":").str[0]


def past_medians(values: Floats, groups: Sequence[object] | None = None) -> Floats:
    """Median of the group's earlier values at each row, NaN where there are none; NaN isn't learned."""
    out = np.full(len(values), np.nan)
    kept: dict[object, list[float]] = {}
    for i, (value, group) in enumerate(zip(values.tolist(), groups or [None] * len(values), strict=True)):
        past = kept.setdefault(group, [])
        if past:
            half = len(past) // 2
            out[i] = past[half] if len(past) % 2 else 0.5 * (past[half - 1] + past[half])
        if np.isfinite(value):
            insort(past, value)
    return out


def logged(seen: Seen) -> Floats:
    """1 where the owner's log had the fill's order by then, 0 where not, NaN before its first row."""
    fills, log = seen.fills, seen.tables.get("orders")
    if log is None or log.empty:
        return np.full(len(fills), np.nan)
    known = np.zeros(len(fills), dtype=bool)
    for name in ("order", "client_order_id"):
        if name in log and name in fills:
            named = log.loc[log[name].notna(), [name, "timestamp"]]
            first = fills[name].map(named.groupby(name)["timestamp"].min()).to_numpy(dtype=np.float64)
            known |= first <= times(fills)
    return np.where(times(fills) >= times(log).min(), known.astype(np.float64), np.nan)


def takers(fills: pd.DataFrame) -> Floats:
    """1 for a taker, 0 for a maker, NaN where the table doesn't say."""
    out = np.full(len(fills), np.nan)
    if "taker_or_maker" in fills:
        role = fills["taker_or_maker"].to_numpy()
        out[role == "taker"] = 1.0
        out[role == "maker"] = 0.0
    return out


def feature_rows(seen: Seen) -> Floats:
    """Features of each fill, shape (n_fills, len(FEATURES)); NaN where it can't be known."""
    fills = seen.fills
    at = times(fills)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = costs(seen)
        size = cost / past_medians(cost, quote_currencies(fills).tolist())
        turnover = _turnover(at, size)
        in_symbol = fills.groupby("symbol", sort=False)["timestamp"].diff().to_numpy(dtype=np.float64)
        gap = np.diff(at.astype(np.float64), prepend=np.nan)
        day = 2.0 * np.pi * (at % _MS["d"]) / _MS["d"]
        columns = (
            np.arcsinh(1e4 * adverse_deviation(fills, last_market_price(seen))),
            np.log(size),
            np.log1p(gap / 1e3),
            np.log1p(in_symbol / 1e3),
            (~fills["symbol"].duplicated()).to_numpy(dtype=np.float64),
            np.sin(day),
            np.cos(day),
            np.log(_runs(sides(fills))),
            np.log(turnover / past_medians(turnover)),
            takers(fills),
            logged(seen),
        )
    rows = np.column_stack(columns)
    rows[~np.isfinite(rows)] = np.nan
    return rows


def _turnover(at: Ints, size: Floats) -> Floats:
    """Sizes summed over the hour up to each fill; a fill of unknown size counts as a usual one."""
    total = np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(size), size, 1.0))])
    start = np.searchsorted(at, at - _HOUR_MS, side="right")
    last_hour: Floats = total[1:] - total[start]
    return last_hour


def _runs(side: Floats) -> Floats:
    """Length of the run of equal sides that ends at each fill."""
    out = np.ones(len(side))
    for i, (before, now) in enumerate(pairwise(side.tolist()), start=1):
        if before == now:
            out[i] = out[i - 1] + 1.0
    return out


@dataclass(frozen=True, slots=True)
class Filled:
    """Feature rows without NaN: the honest median stands in, and a mask column says that it does.

    Columns that are the same in all honest rows are left out. `medians` has one for each feature;
    `masked` are features that have a mask; `kept` are columns of both together.
    """

    medians: Floats
    masked: Ints
    kept: Ints

    @classmethod
    def of(cls, rows: Floats) -> Self:
        """Learn medians, masks and columns from honest rows."""
        known = np.isfinite(rows)
        medians = np.array(
            [
                np.median(column[here]) if here.any() else 0.0
                for column, here in zip(rows.T, known.T, strict=True)
            ]
        )
        masked = np.flatnonzero(~known.all(axis=0))
        everything = cls(medians, masked, np.arange(rows.shape[1] + len(masked)))
        return cls(medians, masked, np.flatnonzero(np.ptp(everything(rows), axis=0) > 0.0))

    def __call__(self, rows: Floats) -> Floats:
        """Fill in rows; shape (n, number of kept columns)."""
        unknown = ~np.isfinite(rows)
        full = np.where(unknown, self.medians, rows)
        return np.hstack([full, unknown[:, self.masked].astype(np.float64)])[:, self.kept]


def pooled_rows(honest: Sequence[Seen]) -> Floats:
    """Feature rows of honest months under one another, at most `MOST_ROWS` of each, evenly spread."""
    parts = []
    for seen in honest:
        rows = feature_rows(seen)
        step = max(1, -(-len(rows) // MOST_ROWS))
        parts.append(rows[::step])
    return np.concatenate(parts)
