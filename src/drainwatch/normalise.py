"""Tables as others write them, turned into rows of `events`: units, names, what is bad and why.

A row is bad as a whole when any of its values is: nothing is half taken. Absent optional values are
NaN, 0 or -1 as `events` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drainwatch import values
from drainwatch.events import FILL, FORCED, NS_PER_S, ROW, Kind, MarketSpec, Names, spec_from_symbol
from drainwatch.ids import NO_RANK, client_prefixes, fold, hash_id, hash_ids, order_ids
from drainwatch.schema import SCHEMA, Form, column_of, squash
from drainwatch.values import Values

FORCED_PREFIXES = ("autoclose-", "adl_autoclose", "settlement_autoclose-", "delivery_autoclose-")
"""How Binance names the orders with which it closes a position itself. On spot, where there are no positions,
anybody may name an order so: there it says nothing."""

EXTREME = 1e40
"""What lies beyond it, or is nearer to 0 than 1 / it, is taken for it: products of three must be finite."""

CLIP = 200
"""Longest text of a bad value that is handed on."""


class Bad(NamedTuple):
    """A row that can't be used: its position in the piece (from 0), and why."""

    at: int
    column: str | None
    found: str
    expected: str


@dataclass(slots=True)
class Coder:
    """Codes of markets, accounts and currencies as they come, with hashes of the names themselves.

    The hashes, not the codes, decide order and identity, so that neither depends on what came first.
    """

    names: Names = field(default_factory=Names)
    _market_hashes: list[int] = field(default_factory=list)
    _account_hashes: list[int] = field(default_factory=list)
    _currency_hashes: list[int] = field(default_factory=list)

    def markets(self, exchanges: Any, symbols: Any) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Code and hash each (exchange, symbol)."""
        ex, sy = exchanges.dictionary_encode(), symbols.dictionary_encode()
        width = max(len(sy.dictionary), 1)
        pair = ex.indices.to_numpy().astype(np.int64) * width + sy.indices.to_numpy()
        pairs, at = np.unique(pair, return_inverse=True) if width * len(ex.dictionary) > 1 else _same(pair)
        ex_names, sy_names = ex.dictionary.to_pylist(), sy.dictionary.to_pylist()
        codes = [self.names.market(ex_names[p // width], sy_names[p % width]) for p in pairs.tolist()]
        for spec in self.names.markets[len(self._market_hashes) :]:
            self._market_hashes.append(hash_id(f"{spec.exchange}\0{spec.symbol}"))
        return _pick(codes, self._market_hashes, at)

    def accounts(self, names: Any) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Code and hash each account."""
        encoded = names.dictionary_encode()
        codes = [self.names.account(name) for name in encoded.dictionary.to_pylist()]
        for name in self.names.accounts[len(self._account_hashes) :]:
            self._account_hashes.append(hash_id(name))
        return _pick(codes, self._account_hashes, encoded.indices.to_numpy())

    def currencies(self, names: Any) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Code and hash each currency; -1 and 0 where absent."""
        encoded = names.dictionary_encode()
        codes = [self.names.currency(name) for name in encoded.dictionary.to_pylist()]
        for name in self.names.currencies[len(self._currency_hashes) :]:
            self._currency_hashes.append(hash_id(name))
        at = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        code, hashed = _pick([*codes, 0], [*self._currency_hashes, 0], at)
        code[at < 0] = -1
        hashed[at < 0] = 0
        return code, hashed


def _same(pair: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.zeros(min(1, pair.size), np.int64), np.zeros(pair.size, np.int64)


def _pick(
    codes: list[int], hashes: list[int], at: NDArray[Any]
) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
    code = np.array(codes, np.int32)
    hashed = np.array(hashes, np.uint64)[code] if codes else np.empty(0, np.uint64)
    return code[at], hashed[at]


@dataclass(slots=True)
class Rows:
    """Market, balance or order rows with what puts them in order.

    `name` is a hash of what the row is of, `rank` orders its id, `content` is a hash of all the rest.
    """

    rows: NDArray[np.void]  # ROW
    name: NDArray[np.uint64]
    rank: NDArray[np.uint64]
    content: NDArray[np.uint64]


@dataclass(slots=True)
class Fills:
    """Fills with a hash of their key, one of all the rest, and the strings that name them."""

    fills: NDArray[np.void]  # FILL
    key: NDArray[np.uint64]
    content: NDArray[np.uint64]
    ids: Any  # pyarrow string arrays; null where absent
    orders: Any


def read_table(table: str, columns: Mapping[str, Any], size: int, coder: Coder) -> tuple[Any, list[Bad]]:
    """Read a piece of a table.

    Parameters
    ----------
    table
        A key of `SCHEMA`.
    columns
        pyarrow arrays by the names that the file gives them.
    size
        How many rows there are: the arrays' length, should there be any.
    coder
        Takes the names of the good rows.

    Returns
    -------
    good
        `Fills`, `Rows`, or for markets a list of dicts; of the good rows in the order of the piece.
    bad
        One for each row left out.
    """
    read = parse_table(table, columns, size)
    return _BUILD[table](read.columns, size - len(read.bad), coder), read.bad


class Parsed(NamedTuple):
    """A piece of a table, read and checked.

    `columns` holds every column of the contract, of the good rows; `kept` says of each row of the piece
    whether it is good.
    """

    columns: dict[str, Any]
    bad: list[Bad]
    kept: NDArray[np.bool_]


def parse_table(table: str, columns: Mapping[str, Any], size: int) -> Parsed:
    """Read and check a piece of a table, as `read_table` does, before names become numbers."""
    sources = sources_of(table, columns)
    parsed: dict[str, Any] = {}
    bad = np.zeros(size, np.bool_)
    found: list[Bad] = []
    for column, (form, needed) in SCHEMA[table].items():
        value, unfit = _read_column(form, needed, sources.get(column), size)
        parsed[column] = value
        unfit &= ~bad
        if unfit.any():
            bad |= unfit
            found += [
                Bad(int(at), column, _found(sources.get(column), int(at)), form.expected)
                for at in np.flatnonzero(unfit)
            ]
    late = _unfit_rows(table, parsed, bad)
    if late.any():
        bad |= late
        expected = "an order id or a client order id" if table == "orders" else "not both linear and inverse"
        column = "order" if table == "orders" else "inverse"
        found += [
            Bad(int(at), column, _found(sources.get(column), int(at)), expected)
            for at in np.flatnonzero(late)
        ]
    if found:
        found.sort()
        keep = pa.array(~bad)
        parsed = {
            name: value.filter(keep) if isinstance(value, pa.Array) else value[~bad]
            for name, value in parsed.items()
        }
    return Parsed(parsed, found, ~bad)


def sources_of(table: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Find each column of the contract; of several spellings the contract's own goes first, row by row."""
    spelled: dict[str, list[str]] = {}
    for name in columns:
        column = column_of(table, name)
        if column is not None:
            spelled.setdefault(column, []).append(name)
    sources = {}
    for column, names in spelled.items():
        names.sort(key=lambda name: (name != column, squash(name) != squash(column), name))
        arrays = [columns[name] for name in names]
        sources[column] = arrays[0] if len(arrays) == 1 else pc.coalesce(*[values.texts(a) for a in arrays])
    return sources


def _read_column(form: Form, needed: bool, source: Any, size: int) -> tuple[Any, NDArray[np.bool_]]:
    """Read a column, and say which of its rows are unfit."""
    if source is None:
        source = pa.nulls(size, pa.string())
    got = form.read(source)
    if not isinstance(got, Values):  # strings
        unfit = ~got.is_valid().to_numpy(zero_copy_only=False) if needed else np.zeros(size, np.bool_)
        return got, unfit
    value, bad = got
    if form.fits is not None:
        bad = bad | ~(form.fits(value) | np.isnan(value))
        absent = np.isnan(value)
        value = _tamed(value)
    else:
        absent = value == form.absent
    return value, bad | absent if needed else bad.copy()


def _tamed(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring numbers that no market knows within `EXTREME`; 0 and NaN stay."""
    size = np.abs(value)
    wild = (size > EXTREME) | ((size < 1.0 / EXTREME) & (size > 0.0))
    if not wild.any():
        return value
    return np.where(wild, np.copysign(np.clip(size, 1.0 / EXTREME, EXTREME), value), value)


def _found(source: Any, at: int) -> str:
    if source is None:
        return ""
    if pa.types.is_temporal(source.type):  # Python's own can't hold every time
        source, at = values.texts(source.slice(at, 1)), 0
    value = source[at].as_py()
    if isinstance(value, float) and math.isnan(value):  # absent as a number, but it is what stands there
        return "nan"
    return values.text_of(value)[:CLIP]


def _unfit_rows(table: str, parsed: dict[str, Any], bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which rows are bad though each of their values is good."""
    if table == "orders":
        nothing = pc.and_(parsed["order"].is_null(), parsed["client_order_id"].is_null())
        return np.asarray(nothing.to_numpy(zero_copy_only=False) & ~bad)
    if table == "markets":
        both = (parsed["linear"] == 1) & (parsed["inverse"] == 1)
        return np.asarray(both & ~bad)
    return np.zeros(bad.size, np.bool_)


def _hash_column(parsed: dict[str, Any], column: str) -> NDArray[np.uint64] | None:
    """Hashes of an id column; None where it is absent altogether."""
    array = parsed[column]
    return None if array.null_count == len(array) else hash_ids(array)


def _fills(parsed: dict[str, Any], size: int, coder: Coder) -> Fills:
    fills = np.zeros(size, FILL)
    key = np.zeros(size, np.uint64)
    fills["ts_ns"] = parsed["timestamp"]
    fills["market"], market = coder.markets(parsed["exchange"].fill_null(""), parsed["symbol"])
    fills["account"], account = coder.accounts(parsed["account"].fill_null("default"))
    fills["fee_currency"], fee_currency = coder.currencies(parsed["fee_currency"])
    fills["side"] = parsed["side"]
    fills["type"] = parsed["type"]
    fills["liquidity"] = parsed["taker_or_maker"]
    for name in ("price", "amount", "cost", "fee_cost"):
        fills[name] = parsed[name]
    fills["mark"] = parsed["drainwatch_mark"]
    for name in ("id", "order", "counterparty", "maker_order", "taker_order"):
        hashed = _hash_column(parsed, name)
        if hashed is not None:
            fills[name] = hashed
    client = parsed["client_order_id"]
    if client.null_count < size:
        fills["client"] = hash_ids(client)
        fills["client_prefix"] = client_prefixes(client)
        forced = np.zeros(size, np.bool_)
        for prefix in FORCED_PREFIXES:
            forced |= pc.starts_with(client, prefix).fill_null(False).to_numpy(zero_copy_only=False)
        derivative = pc.match_substring(parsed["symbol"], ":").to_numpy(zero_copy_only=False)
        fills["flags"] = (forced & derivative) * FORCED
    fills["flags"] |= (parsed["drainwatch_forced"] == 1).astype(np.uint8) * np.uint8(FORCED)
    for part in (market, account, fills["id"], fills["order"], fills["side"]):
        fold(key, part)
    content = fee_currency.copy()
    for name in ("type", "liquidity", "price", "amount", "cost", "fee_cost", "client", "counterparty"):
        fold(content, fills[name])
    fold(content, fills["maker_order"])
    fold(content, fills["taker_order"])
    for told, values_told in (
        (~np.isnan(fills["mark"]), fills["mark"]),
        (parsed["drainwatch_forced"] == 1, fills["flags"]),
    ):
        if told.any():  # few have them: those that don't keep the hash that they always had
            more = content[told]
            fold(more, values_told[told])
            content[told] = more
    return Fills(fills, key, content, parsed["id"], parsed["order"])


def _market_rows(
    kind: Kind,
    numbers: dict[str, str],
    hashes: tuple[str, ...] = (),
) -> Callable[[dict[str, Any], int, Coder], Rows]:
    """Make the builder of trades, quotes or candles: numbers from columns, hashes of ids."""

    def build(parsed: dict[str, Any], size: int, coder: Coder) -> Rows:
        rows = np.zeros(size, ROW)
        content = np.zeros(size, np.uint64)
        rank = np.full(size, NO_RANK)
        rows["ts_ns"] = parsed["timestamp"]
        rows["kind"] = kind
        rows["market"], name = coder.markets(parsed["exchange"].fill_null(""), parsed["symbol"])
        rows["account"] = rows["currency"] = -1
        for letter in "abcde":
            if letter in numbers:
                fold(content, parsed[numbers[letter]])
                rows[letter] = parsed[numbers[letter]]
            else:
                rows[letter] = np.nan
        for column in hashes:
            hashed = _hash_column(parsed, column)
            fold(content, np.zeros(size, np.uint64) if hashed is None else hashed)
            if hashed is not None:
                rows[column] = hashed
                if column == "id":
                    rank = order_ids(parsed["id"], hashed)
        if kind == Kind.TRADE:
            rows["side"] = parsed["side"]
            fold(content, parsed["side"])
        if kind == Kind.CANDLE:
            length = np.where(parsed["timeframe"] > 0, parsed["timeframe"], 60 * NS_PER_S)
            rows["duration_ns"] = length
            close_ns = rows["ts_ns"] + length
            fold(content, length)
            late = parsed["drainwatch_known_at"] > close_ns  # -1 where absent
            rows["ts_ns"] = np.where(late, parsed["drainwatch_known_at"], close_ns)
            rows["id"] = np.where(late, close_ns, 0)
            # told all at once, they go by their own time
            rank = np.where(late, close_ns.astype(np.uint64), NO_RANK)
        return Rows(rows, name, rank, content)

    return build


def _balances(parsed: dict[str, Any], size: int, coder: Coder) -> Rows:
    rows = np.zeros(size, ROW)
    rows["ts_ns"] = parsed["timestamp"]
    rows["kind"] = Kind.BALANCE
    rows["market"] = -1
    rows["account"], name = coder.accounts(parsed["account"])
    rows["currency"], currency = coder.currencies(parsed["currency"])
    rows["a"] = parsed["total"]
    for letter in "bcde":
        rows[letter] = np.nan
    fold(name, currency)
    content = np.zeros(size, np.uint64)
    fold(content, parsed["total"])
    return Rows(rows, name, np.full(size, NO_RANK), content)


def _orders(parsed: dict[str, Any], size: int, coder: Coder) -> Rows:
    rows = np.zeros(size, ROW)
    rows["ts_ns"] = np.maximum(parsed["timestamp"], 0)  # known from the start where absent
    rows["kind"] = Kind.ORDER
    rows["market"] = rows["currency"] = -1
    rows["account"], name = coder.accounts(parsed["account"].fill_null("default"))
    for letter in "abcde":
        rows[letter] = np.nan
    rows["id"] = hash_ids(parsed["order"])
    rows["client"] = hash_ids(parsed["client_order_id"])
    content = np.zeros(size, np.uint64)
    fold(content, rows["id"])
    fold(content, rows["client"])
    return Rows(rows, name, order_ids(parsed["order"], hash_ids(parsed["order"])), content)


def _markets(parsed: dict[str, Any], size: int, coder: Coder) -> list[dict[str, Any]]:
    del coder  # a market's row alone makes no market
    columns = {
        name: value.to_pylist() if isinstance(value, pa.Array) else value.tolist()
        for name, value in parsed.items()
    }
    return [{name: column[i] for name, column in columns.items()} for i in range(size)]


_BUILD: dict[str, Callable[[dict[str, Any], int, Coder], Any]] = {
    "fills": _fills,
    "trades": _market_rows(
        Kind.TRADE,
        {"a": "price", "b": "amount"},
        ("id", "taker_order", "maker_order", "buyer", "seller"),
    ),
    "quotes": _market_rows(Kind.QUOTE, {"a": "bid", "b": "ask", "c": "bid_size", "d": "ask_size"}),
    "candles": _market_rows(Kind.CANDLE, {"a": "open", "b": "high", "c": "low", "d": "close", "e": "volume"}),
    "balances": _balances,
    "orders": _orders,
    "markets": _markets,
}


def market_spec(exchange: str, symbol: str, rows: Iterable[Mapping[str, Any]]) -> MarketSpec:
    """Read a market from its symbol, overlaid by rows of the markets table, later ones over earlier.

    A market that is only said not to be linear is inverse if it is a derivative.
    """
    spec = spec_from_symbol(exchange, symbol)
    for row in rows:
        told = {name: row[name] for name in ("base", "quote", "settle") if row[name] is not None}
        told |= {name: row[name] for name in ("contract_size", "tick_size") if row[name] == row[name]}
        spec = spec._replace(**told)
        if row["inverse"] >= 0:
            spec = spec._replace(inverse=row["inverse"] == 1)
        elif row["linear"] >= 0:
            spec = spec._replace(inverse=row["linear"] == 0 and spec.is_derivative)
    return spec
