"""Likeness: figures that tell how a market's tape behaves, to set real tapes beside simulated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9, 0.99)
"""Quantiles of spreads, waiting times and trade sizes."""
LAGS = (1, 2, 5, 10, 20, 50)
"""Lags of the autocorrelations: bins for counts and returns, trades for signs."""
LATER_MS = (1_000, 10_000, 60_000)
"""How long after a taker order the mid is looked at."""
TAIL_SHARE = 0.05
"""Share of the largest values from which a tail index is taken."""
LEAST = 30
"""Fewer values than this give NaN instead of a figure."""
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Likeness:
    """Figures of one tape; a tuple goes with `QUANTILES` or `LAGS`, NaN is unknown.

    Prices move from bin to bin of `bin_s` seconds, held where nothing happened. Returns are of the mid
    where there are quotes, of the last print else (then the bounce between bid and ask is in them).
    """

    name: str
    bin_s: float
    hours: float
    trades: int
    waits_s: tuple[float, ...]  # from one taker order to the next
    wait_spread: float  # standard deviation of the waits over their mean: 1 if at random
    quiet: float  # share of bins without a trade
    count_memory: tuple[float, ...]  # autocorrelation of the number of trades in a bin
    volatility_bps: float  # standard deviation of a bin's return
    kurtosis: float  # excess, 0 of a normal distribution
    tail: float  # Hill index of absolute returns: the smaller the fatter
    return_memory: tuple[float, ...]
    absolute_memory: tuple[float, ...]  # of absolute returns: how volatility clusters
    sign_memory: tuple[float, ...]  # of the takers' sides
    sizes: tuple[float, ...]  # of a taker order, over its median
    size_tail: float  # Hill index
    spread_bps: tuple[float, ...]
    depth_to_size: float  # median size at the best price over the median taker order
    response_bps: tuple[float, ...]  # signed move of the mid 1, 10, 60 s after a taker order, mean


def hill(values: Floats, share: float = TAIL_SHARE) -> float:
    """Tail index of positive values from their largest `share`; NaN for too few.

    A distribution with index a has P(value > x) falling like x to the power -a.
    """
    positive = np.sort(values[values > 0.0])
    k = int(share * len(positive))
    if k < 5 or len(positive) < LEAST:
        return NAN
    logs = np.log(positive[-k - 1 :])
    mean = float(np.mean(logs[1:] - logs[0]))
    return 1.0 / mean if mean > 0.0 else NAN


def memory(values: Floats, lags: tuple[int, ...] = LAGS) -> tuple[float, ...]:
    """Autocorrelations at some lags; NaN where the series is too short or doesn't vary."""
    centred = values - values.mean() if len(values) else values
    power = float(centred @ centred)
    return tuple(
        float(centred[:-lag] @ centred[lag:]) / power if power > 0.0 and len(values) >= LEAST + lag else NAN
        for lag in lags
    )


def excess_kurtosis(values: Floats) -> float:
    """Fourth moment over the squared second, less 3; NaN for too few values or none that varies."""
    if len(values) < LEAST or values.std() == 0.0:
        return NAN
    return float(np.mean((values - values.mean()) ** 4) / values.var() ** 2 - 3.0)


def quantiles(values: Floats) -> tuple[float, ...]:
    """`QUANTILES` of the values, NaN for too few."""
    if len(values) < LEAST:
        return (NAN,) * len(QUANTILES)
    return tuple(np.quantile(values, QUANTILES).tolist())


def taker_orders(trades: pd.DataFrame) -> pd.DataFrame:
    """Join the prints of one taker order (same instant, same side) to one row; prices are the last."""
    sign = np.where(trades["side"].to_numpy() == "buy", 1, -1)
    ms = trades["timestamp"].to_numpy()
    new = (
        np.concatenate([[True], (np.diff(ms) != 0) | (np.diff(sign) != 0)]) if len(ms) else np.zeros(0, bool)
    )
    first = np.flatnonzero(new)
    last = np.concatenate([first[1:], [len(ms)]]) - 1 if len(first) else first
    amount = np.add.reduceat(trades["amount"].to_numpy(), first) if len(first) else np.zeros(0)
    return pd.DataFrame(
        {"ms": ms[first], "sign": sign[first], "amount": amount, "price": trades["price"].to_numpy()[last]}
    )


def _held(times: NDArray[np.int64], values: Floats, at: NDArray[np.int64]) -> Floats:
    """Return the last value known before each time; NaN before the first."""
    i = np.searchsorted(times, at, side="left") - 1
    return np.where(i >= 0, values[np.maximum(i, 0)], NAN)


def returns(trades: pd.DataFrame, quotes: pd.DataFrame | None = None, *, bin_s: float = 60.0) -> Floats:
    """Log returns from bin to bin: of the mid where there are quotes, of the last print else."""
    ms = trades["timestamp"].to_numpy().astype(np.int64)
    step = round(bin_s * 1000.0)
    edges = np.arange(int(ms[0]), int(ms[-1]) + step, step, dtype=np.int64)
    if quotes is not None and len(quotes):
        mid = (quotes["bid"].to_numpy(dtype=np.float64) + quotes["ask"].to_numpy(dtype=np.float64)) / 2.0
        logs = _held(quotes["timestamp"].to_numpy().astype(np.int64), np.log(mid), edges)
    else:
        logs = _held(ms, np.log(trades["price"].to_numpy(dtype=np.float64)), edges)
    out: Floats = np.diff(logs[np.isfinite(logs)])
    return out


def measure(
    name: str, trades: pd.DataFrame, quotes: pd.DataFrame | None = None, *, bin_s: float = 60.0
) -> Likeness:
    """Take the figures of one market's tape.

    Parameters
    ----------
    name
        What to call it.
    trades
        `timestamp` in ms (rising), `price`, `amount`, `side`; at least one row.
    quotes
        `timestamp`, `bid`, `ask`, `bid_size`, `ask_size`, rising in time; None where there are none.
    bin_s
        Length of the bins in which trades are counted and returns are taken.
    """
    orders = taker_orders(trades)
    ms = orders["ms"].to_numpy().astype(np.int64)
    step = round(bin_s * 1000.0)
    first, last = int(ms[0]), int(ms[-1])
    edges = np.arange(first, last + step, step, dtype=np.int64)
    counts = np.histogram(ms, edges)[0].astype(np.float64) if len(edges) > 1 else np.zeros(0)
    waits = np.diff(ms) / 1000.0
    sizes = orders["amount"].to_numpy(dtype=np.float64)
    usual = float(np.median(sizes))
    spread, depth = (NAN,) * len(QUANTILES), NAN
    response: tuple[float, ...] = (NAN,) * len(LATER_MS)
    if quotes is not None and len(quotes):
        bid, ask = quotes["bid"].to_numpy(dtype=np.float64), quotes["ask"].to_numpy(dtype=np.float64)
        times, mid = quotes["timestamp"].to_numpy().astype(np.int64), (bid + ask) / 2.0
        spread = quantiles((ask - bid) / mid * 1e4)
        depth = float(np.median(quotes["bid_size"] + quotes["ask_size"])) / 2.0 / usual
        logs, sign = np.log(mid), orders["sign"].to_numpy()
        before = _held(times, logs, ms)
        moves = [sign * (_held(times, logs, ms + later) - before) for later in LATER_MS]
        response = tuple(float(np.nanmean(move)) * 1e4 for move in moves)
    moved = returns(trades, quotes, bin_s=bin_s)
    return Likeness(
        name,
        bin_s,
        (last - first) / 3.6e6,
        len(trades),
        quantiles(waits),
        float(waits.std() / waits.mean()) if len(waits) >= LEAST else NAN,
        float(np.mean(counts == 0.0)) if len(counts) else NAN,
        memory(counts),
        float(moved.std()) * 1e4 if len(moved) >= LEAST else NAN,
        excess_kurtosis(moved),
        hill(np.abs(moved)),
        memory(moved),
        memory(np.abs(moved)),
        memory(orders["sign"].to_numpy(dtype=np.float64)),
        quantiles(sizes / usual),
        hill(sizes),
        spread,
        depth,
        response,
    )
