"""The table of scores: a judged block as columns, in the contract's names and units. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.engine import STABLES, Block
from drainwatch.events import NS_PER_MS, Names
from drainwatch.fair import SOURCES
from drainwatch.features.registry import NAMES

KEYS: Final = ("exchange", "account", "symbol", "id", "order", "side")
_JUDGED: Final = (
    *KEYS,
    "timestamp",
    "fair_price",
    "fair_source",
    "deviation_bps",
    "score",
    "p_value",
    "flagged",
    "blind",
    "incident",
)
COLUMNS: Final = (*_JUDGED, *(name for name in NAMES if name not in _JUDGED))
"""Columns of `scores.parquet`, in order."""

NO_PRICE: Final = "no price: no market data for this market yet, and no earlier fill that is recent enough"
STALE: Final = "stale price: what is known of this market is too old or too uncertain"


def score_columns(names: Names, block: Block) -> dict[str, NDArray[Any]]:
    """Columns of a block, those of `judged_columns` and the features."""
    columns = judged_columns(names, block)
    for column, name in enumerate(NAMES):
        columns.setdefault(name, block.features[:, column])  # `deviation_bps` is there already
    return columns


def judged_columns(names: Names, block: Block) -> dict[str, NDArray[Any]]:
    """Columns of a block up to `incident`, each of shape (n_fills,); its features may be gone.

    `timestamp` is ms, an integer array unless one of its times has a fraction. NaN or None in
    `fair_price`, `deviation_bps` and features means unknown; `blind` then says why.
    """
    fills, judged = block.fills, block.judged
    symbols = np.array([spec.symbol for spec in names.markets], dtype=object)
    exchanges = np.array([spec.exchange for spec in names.markets], dtype=object)
    accounts = np.array(names.accounts, dtype=object)
    blind = np.isnan(judged["fair"])
    why = np.full(len(fills), None, dtype=object)
    why[blind] = np.where(np.isnan(judged["own_level"][blind]), NO_PRICE, STALE)
    ts_ns = fills["ts_ns"]
    whole = not (ts_ns % NS_PER_MS).any()
    return {
        "exchange": exchanges[fills["market"]],
        "account": accounts[fills["account"]],
        "symbol": symbols[fills["market"]],
        "id": block.ids,
        "order": block.orders,
        "side": np.where(fills["side"] > 0, "buy", "sell").astype(object),
        "timestamp": ts_ns // NS_PER_MS if whole else _exact_ms(ts_ns),
        "fair_price": judged["fair"],
        "fair_source": np.array(SOURCES, dtype=object)[judged["source"]],
        "deviation_bps": judged["deviation_bps"],
        "score": judged["score"],
        "p_value": -np.expm1(-(10.0 ** -judged["score"])),
        "flagged": judged["flagged"] > 0,
        "blind": why,
        "incident": np.array(block.incidents, dtype=object),
    }


def _exact_ms(ts_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """The nearest float64 to each time in ms; ns since the epoch as such are beyond its 53 bits."""
    return ts_ns // NS_PER_MS + ts_ns % NS_PER_MS / NS_PER_MS


def value_unit(names: Names) -> str | None:
    """Name of the unit that equity is told in: a dollar, where one is traded; else None."""
    dollars = sorted(set(names.currencies) & STABLES, key=lambda c: (c not in ("USD", "USDT"), c))
    return dollars[0] if dollars else None


def money_and_markets(
    names: Names, blocks: Sequence[Block]
) -> tuple[dict[str, NDArray[np.float64]], dict[tuple[str, str], NDArray[np.float64]]]:
    """What each account was worth and what each market stood at, at its fills: arrays of (ms, value) rows."""
    equity: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    market: dict[tuple[str, str], list[NDArray[np.float64]]] = defaultdict(list)
    for block in blocks:
        ms = block.fills["ts_ns"] / NS_PER_MS
        for code in np.unique(block.fills["account"]):
            at = (block.fills["account"] == code) & np.isfinite(block.judged["equity"])
            equity[names.accounts[code]].append(np.column_stack([ms[at], block.judged["equity"][at]]))
        for code in np.unique(block.fills["market"]):
            at = (block.fills["market"] == code) & np.isfinite(block.judged["own_level"])
            spec = names.markets[code]
            market[spec.exchange, spec.symbol].append(
                np.column_stack([ms[at], np.exp(block.judged["own_level"][at])])
            )
    return (
        {name: joined for name, parts in equity.items() if len(joined := np.concatenate(parts))},
        {key: joined for key, parts in market.items() if len(joined := np.concatenate(parts))},
    )
