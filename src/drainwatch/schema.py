"""The data contract as data: the tables, their columns, how each is read and what is fit.

Columns are found by the contract's names or by the spellings of others: `takerOrMaker`, `fee.cost`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch import values
from drainwatch.events import Liquidity, OrderType
from drainwatch.values import Values


class Form(NamedTuple):
    """How values of a column are read, and which are fit."""

    read: Callable[[Any], Any]
    fits: Callable[[NDArray[Any]], NDArray[np.bool_]] | None
    expected: str
    absent: int = 0
    """What `read` gives for an absent value, where that isn't NaN or null."""


def _positive(x: NDArray[Any]) -> NDArray[np.bool_]:
    return (x > 0) & (x < np.inf)


def _not_negative(x: NDArray[Any]) -> NDArray[np.bool_]:
    return (x >= 0) & (x < np.inf)


def _lenient(of: dict[str, int]) -> Callable[[Any], Values]:
    """Read words, taking unknown ones for absent: what they say is worth less than the fill."""

    def read(array: Any) -> Values:
        found = values.choices(array, of, 0)
        return Values(found.values, np.zeros(len(found.bad), np.bool_))

    return read


_TIME = Form(values.times, None, "a time from 1970 to 2199: milliseconds since the epoch, or ISO 8601", -1)
_ID = Form(values.ids, None, "an id")
_TEXT = Form(values.ids, None, "a text")  # an account may be a number, too
_SIDE = Form(values.sides, None, "buy or sell")
_POSITIVE = Form(values.numbers, _positive, "a finite number > 0")
_NOT_NEGATIVE = Form(values.numbers, _not_negative, "a finite number >= 0")
_FINITE = Form(values.numbers, np.isfinite, "a finite number")
_SPAN = Form(values.spans, None, "a timeframe such as 1m, 4h or 1d")
_TRUTH = Form(values.truths, None, "true or false", -1)
_TYPE = Form(_lenient({"market": OrderType.MARKET, "limit": OrderType.LIMIT}), None, "market or limit")
_LIQUIDITY = Form(_lenient({"taker": Liquidity.TAKER, "maker": Liquidity.MAKER}), None, "taker or maker")

_NEEDED, _OPTIONAL = True, False

SCHEMA: dict[str, dict[str, tuple[Form, bool]]] = {
    "fills": {
        "id": (_ID, _NEEDED),
        "timestamp": (_TIME, _NEEDED),
        "symbol": (_TEXT, _NEEDED),
        "side": (_SIDE, _NEEDED),
        "price": (_POSITIVE, _NEEDED),
        "amount": (_POSITIVE, _NEEDED),
        "cost": (_NOT_NEGATIVE, _OPTIONAL),
        "account": (_TEXT, _OPTIONAL),
        "exchange": (_TEXT, _OPTIONAL),
        "order": (_ID, _OPTIONAL),
        "client_order_id": (_ID, _OPTIONAL),
        "type": (_TYPE, _OPTIONAL),
        "taker_or_maker": (_LIQUIDITY, _OPTIONAL),
        "fee_cost": (_FINITE, _OPTIONAL),
        "fee_currency": (_TEXT, _OPTIONAL),
        "counterparty": (_ID, _OPTIONAL),
        "maker_order": (_ID, _OPTIONAL),
        "taker_order": (_ID, _OPTIONAL),
        "drainwatch_mark": (_POSITIVE, _OPTIONAL),
        "drainwatch_forced": (_TRUTH, _OPTIONAL),
    },
    "trades": {
        "timestamp": (_TIME, _NEEDED),
        "symbol": (_TEXT, _NEEDED),
        "price": (_POSITIVE, _NEEDED),
        "amount": (_POSITIVE, _NEEDED),
        "id": (_ID, _OPTIONAL),
        "side": (_SIDE, _OPTIONAL),
        "exchange": (_TEXT, _OPTIONAL),
        "buyer": (_ID, _OPTIONAL),
        "seller": (_ID, _OPTIONAL),
        "maker_order": (_ID, _OPTIONAL),
        "taker_order": (_ID, _OPTIONAL),
    },
    "quotes": {
        "timestamp": (_TIME, _NEEDED),
        "symbol": (_TEXT, _NEEDED),
        "bid": (_POSITIVE, _NEEDED),
        "ask": (_POSITIVE, _NEEDED),
        "bid_size": (_NOT_NEGATIVE, _OPTIONAL),
        "ask_size": (_NOT_NEGATIVE, _OPTIONAL),
        "exchange": (_TEXT, _OPTIONAL),
    },
    "candles": {
        "timestamp": (_TIME, _NEEDED),
        "symbol": (_TEXT, _NEEDED),
        "open": (_POSITIVE, _NEEDED),
        "high": (_POSITIVE, _NEEDED),
        "low": (_POSITIVE, _NEEDED),
        "close": (_POSITIVE, _NEEDED),
        "volume": (_NOT_NEGATIVE, _NEEDED),
        "timeframe": (_SPAN, _OPTIONAL),
        "exchange": (_TEXT, _OPTIONAL),
        "drainwatch_known_at": (_TIME, _OPTIONAL),
    },
    "balances": {
        "timestamp": (_TIME, _NEEDED),
        "account": (_TEXT, _NEEDED),
        "currency": (_TEXT, _NEEDED),
        "total": (_FINITE, _NEEDED),
    },
    "orders": {
        "order": (_ID, _OPTIONAL),
        "client_order_id": (_ID, _OPTIONAL),
        "account": (_TEXT, _OPTIONAL),
        "timestamp": (_TIME, _OPTIONAL),
    },
    "markets": {
        "symbol": (_TEXT, _NEEDED),
        "contract_size": (_POSITIVE, _OPTIONAL),
        "linear": (_TRUTH, _OPTIONAL),
        "inverse": (_TRUTH, _OPTIONAL),
        "base": (_TEXT, _OPTIONAL),
        "quote": (_TEXT, _OPTIONAL),
        "settle": (_TEXT, _OPTIONAL),
        "tick_size": (_POSITIVE, _OPTIONAL),
        "exchange": (_TEXT, _OPTIONAL),
    },
}
"""The contract's tables: each column's form, and whether it is needed.

Columns that begin with `drainwatch_` are its own, written by `drainwatch journal export`: no other file has
them by chance.
"""

PARENTS = frozenset({"fee"})
"""Columns that may hold objects, whose members are columns: `fee` with `cost` and `currency`."""

_SQUASH = re.compile(r"[\s_.\-]+")


def squash(name: str) -> str:
    """Bring `takerOrMaker`, `taker_or_maker`, `Taker Or Maker` and `fee.cost` to one spelling."""
    return _SQUASH.sub("", name).casefold()


@lru_cache(4096)
def column_of(table: str, name: str) -> str | None:
    """Name the contract's column that a column of a file is, or None for one to be ignored."""
    if name in SCHEMA[table]:
        return name
    squashed = squash(name)
    if squashed == "datetime":  # ccxt's second spelling of its timestamp
        squashed = "timestamp"
    return next((column for column in SCHEMA[table] if squash(column) == squashed), None)


def missing_column(table: str, header: Iterable[str]) -> str | None:
    """Say which needed column a header lacks, or None."""
    found = {column_of(table, name) for name in header}
    if table == "orders":
        return None if found & {"order", "client_order_id"} else "order"
    return next(
        (column for column, (_, needed) in SCHEMA[table].items() if needed and column not in found), None
    )
