"""Rows of streams to the engine's events, exactly as the same rows of a table would become.

Tables go through `normalise` a hundred thousand rows at a time; a stream gives one. The rules are the
same, and a property test holds the two together.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.events import FILL, FORCED, ROW, Batch, Kind, Liquidity, MarketSpec, Names, OrderType
from drainwatch.ids import (
    NO_RANK,
    client_prefix,
    client_prefixes,
    fold,
    fold_words,
    hash_id,
    hash_ids,
    order_id,
)
from drainwatch.normalise import EXTREME, FORCED_PREFIXES
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.values import LAST_NS

NAN: Final = float("nan")
MANY: Final = 12
"""From so many rows on, columns are faster than rows."""
US: Final = 1_000
"""Times are whole microseconds: what a float64 of milliseconds can hold."""
_SIDES: Final = {"buy": 1, "sell": -1}
_TYPES: Final = {"market": int(OrderType.MARKET), "limit": int(OrderType.LIMIT)}
_LIQUIDITY: Final = {"taker": int(Liquidity.TAKER), "maker": int(Liquidity.MAKER)}
_NO_RANK: Final = int(NO_RANK)
_LEAST: Final = 1.0 / EXTREME
_WORD: Final = (1 << 64) - 1

_known_hash = lru_cache(1 << 16)(hash_id)
"""Of ids that come again and again: orders, parties."""
_known_prefix = lru_cache(1 << 14)(client_prefix)


class UnfitError(ValueError):
    """A row can't be used: says which value, and what was expected."""


def unfit(row: Row) -> str | None:
    """Say why a row can't be used, by the rules for tables; None for a good one."""
    try:
        _CHECKS[type(row)](row)
    except UnfitError as error:
        return str(error)
    return None


def _check_time(ts_ns: int) -> None:
    if not 0 <= ts_ns < LAST_NS:
        raise UnfitError(f"time: expected 1970 to 2199, found {ts_ns} ns")


def _check_fill(row: Fill) -> None:
    try:
        if (
            0 <= row.ts_ns < LAST_NS
            and row.id
            and row.symbol
            and row.side in _SIDES
            and 0.0 < float(row.price) < math.inf
            and 0.0 < float(row.amount) < math.inf
            and (row.cost is None or 0.0 <= float(row.cost) < math.inf)
            and (row.fee_cost is None or -math.inf < float(row.fee_cost) < math.inf)
            and (row.mark is None or 0.0 < float(row.mark) < math.inf)
        ):
            return
    except ValueError:
        pass
    _find_fault(row)


def _find_fault(row: Fill) -> None:
    """Say what is wrong with a fill."""
    _check_time(row.ts_ns)
    if not row.id or not row.symbol:
        raise UnfitError("fill: expected an id and a symbol, found none")
    if row.side not in _SIDES:
        raise UnfitError(f"side: expected buy or sell, found {ascii(row.side)[:40]}")
    _positive("price", row.price)
    _positive("amount", row.amount)
    if row.cost is not None and not 0.0 <= _float("cost", row.cost) < math.inf:
        raise UnfitError(f"cost: expected a finite number >= 0, found {ascii(row.cost)[:40]}")
    if row.fee_cost is not None and not math.isfinite(_float("fee_cost", row.fee_cost)):
        raise UnfitError(f"fee_cost: expected a finite number, found {ascii(row.fee_cost)[:40]}")
    if row.mark is not None:
        _positive("mark", row.mark)


def _check_trade(row: Trade) -> None:
    _check_time(row.ts_ns)
    _positive("price", row.price)
    _positive("amount", row.amount)
    if row.side is not None and row.side not in _SIDES:
        raise UnfitError(f"side: expected buy or sell, found {ascii(row.side)[:40]}")


def _check_quote(row: Quote) -> None:
    _check_time(row.ts_ns)
    _positive("bid", row.bid)
    _positive("ask", row.ask)
    for size in (row.bid_size, row.ask_size):
        if size is not None and not 0.0 <= size < math.inf:
            raise UnfitError(f"size: expected a finite number >= 0, found {size!r}")


def _check_candle(row: Candle) -> None:
    _check_time(row.ts_ns)
    for name in ("open", "high", "low", "close"):
        _positive(name, getattr(row, name))
    if not 0.0 <= row.volume < math.inf:
        raise UnfitError(f"volume: expected a finite number >= 0, found {row.volume!r}")


def _check_balance(row: Balance) -> None:
    _check_time(row.ts_ns)
    if not math.isfinite(row.total):
        raise UnfitError(f"total: expected a finite number, found {row.total!r}")


def _check_order(row: BotOrder) -> None:
    _check_time(row.ts_ns)
    if not row.order and not row.client_order_id:
        raise UnfitError("order: expected an order id or a client order id, found neither")


def _check_market(row: Market) -> None:
    if not row.symbol:
        raise UnfitError("symbol: expected a text, found none")


_CHECKS: Final[dict[type, Callable[[Any], None]]] = {
    Fill: _check_fill,
    Trade: _check_trade,
    Quote: _check_quote,
    Candle: _check_candle,
    Balance: _check_balance,
    BotOrder: _check_order,
    Market: _check_market,
}


def _float(name: str, text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        raise UnfitError(f"{name}: expected a number, found {ascii(text)[:40]}") from None


def _positive(name: str, text: str | float) -> None:
    if not 0.0 < _float(name, text) < math.inf:
        raise UnfitError(f"{name}: expected a finite number > 0, found {ascii(text)[:40]}")


def _number(text: str | float | None) -> float:
    """Value of a checked number; NaN where absent. What no market knows is brought within `EXTREME`."""
    if text is None:
        return NAN
    value = float(text)
    if _LEAST <= value <= EXTREME:
        return value
    value += 0.0  # -0 becomes 0
    size = abs(value)
    if size > EXTREME or 0.0 < size < _LEAST:
        return math.copysign(min(max(size, _LEAST), EXTREME), value)
    return value


def market_of(row: Market) -> MarketSpec:
    """What the engine must know of a market."""
    size = row.contract_size or NAN
    tick = row.tick_size or NAN
    return MarketSpec(row.exchange, row.symbol, row.base, row.quote, row.settle, size, row.inverse, tick)


def batch_of(names: Names, timed: Sequence[tuple[int, Row]]) -> Batch:
    """Turn good rows with the times (ns) at which they count, in order, into a batch in that order.

    Rows of `Market` are taken up in `names` and make no event.
    """
    market_rows: list[bytes] = []
    fills: list[Fill] = []
    times: list[int] = []
    for ts_ns, row in timed:
        kind = type(row)
        if kind is Fill:
            fills.append(row)  # type: ignore[arg-type]
            times.append(ts_ns)
        elif kind is Market:
            names.add_market(market_of(row))  # type: ignore[arg-type]
        else:
            market_rows.append(_PACK_ROW(*_ROWS[kind](names, ts_ns, row)))
    n = len(fills)
    ids, orders = np.empty(n, object), np.empty(n, object)
    for i, fill in enumerate(fills):
        ids[i] = fill.id
        orders[i] = fill.order or None
    if n < MANY:
        packed = [_PACK_FILL(*_fill(names, at, fill)) for at, fill in zip(times, fills, strict=True)]
        records = _records(packed, FILL)
    else:
        records = _fills(names, times, fills)
    return Batch(_records(market_rows, ROW), records, ids, orders)


def _packer(dtype: np.dtype[np.void]) -> Callable[..., bytes]:
    """What writes a record from its fields in order: a quarter of the time that numpy takes."""
    form, end = "<", 0
    for name in dtype.names or ():
        field, offset = dtype[name], int(dtype.fields[name][1])  # type: ignore[index]
        form += "x" * (offset - end) + _FORMATS[field.str[1:]]
        end = offset + field.itemsize
    return struct.Struct(form + "x" * (dtype.itemsize - end)).pack


_FORMATS: Final = {"i8": "q", "i4": "i", "i1": "b", "u1": "B", "u8": "Q", "f8": "d"}
_PACK_ROW: Final = _packer(ROW)
_PACK_FILL: Final = _packer(FILL)


def _records(packed: Sequence[bytes], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    if not packed:
        return np.empty(0, dtype)
    return np.frombuffer(bytearray(b"".join(packed)), dtype)  # writable, as the kernel was compiled for


def _fills(names: Names, times: Sequence[int], fills: Sequence[Fill]) -> NDArray[np.void]:
    """What `_fill` makes of each, column by column: a third of the time for many."""
    out = np.zeros(len(fills), FILL)
    out["ts_ns"] = times
    market, account, currency = names.market, names.account, names.currency
    out["market"] = [market(fill.exchange, fill.symbol) for fill in fills]
    out["account"] = [account(fill.account or "default") for fill in fills]
    out["fee_currency"] = [currency(fill.fee_currency) if fill.fee_currency else -1 for fill in fills]
    out["side"] = [_SIDES[fill.side] for fill in fills]
    out["type"] = [_TYPES.get(fill.type or "", 0) for fill in fills]
    out["liquidity"] = [_LIQUIDITY.get(fill.taker_or_maker or "", 0) for fill in fills]
    out["flags"] = [_flags(fill) for fill in fills]
    out["price"] = [_number(fill.price) for fill in fills]
    out["amount"] = [_number(fill.amount) for fill in fills]
    out["cost"] = [_number(fill.cost) for fill in fills]
    out["fee_cost"] = [_number(fill.fee_cost) for fill in fills]
    out["mark"] = [_number(fill.mark) for fill in fills]
    out["id"] = hash_ids([fill.id for fill in fills])
    clients = [fill.client_order_id for fill in fills]
    if any(clients):
        out["client"] = hash_ids(clients)
        out["client_prefix"] = client_prefixes(clients)
    for name in ("order", "counterparty", "maker_order", "taker_order"):
        texts = [getattr(fill, name) for fill in fills]
        if any(texts):
            out[name] = hash_ids(texts)
    return out


def _flags(fill: Fill) -> int:
    if fill.forced:
        return FORCED
    client = fill.client_order_id
    closed = client is not None and ":" in fill.symbol and client.startswith(FORCED_PREFIXES)
    return FORCED if closed else 0


def _fill(names: Names, ts_ns: int, row: Fill) -> tuple[Any, ...]:
    client = row.client_order_id
    return (
        ts_ns,
        names.market(row.exchange, row.symbol),
        names.account(row.account or "default"),
        -1 if not row.fee_currency else names.currency(row.fee_currency),
        _SIDES[row.side],
        _TYPES.get(row.type or "", 0),
        _LIQUIDITY.get(row.taker_or_maker or "", 0),
        _flags(row),
        _number(row.price),
        _number(row.amount),
        _number(row.cost),
        _number(row.fee_cost),
        _number(row.mark),
        hash_id(row.id),
        _known_hash(row.order),
        _known_hash(client),
        _known_prefix(client),
        _known_hash(row.counterparty),
        _known_hash(row.maker_order),
        _known_hash(row.taker_order),
    )


def _trade(names: Names, ts_ns: int, row: Trade) -> tuple[Any, ...]:
    return (
        ts_ns,
        _TRADE,
        _SIDES.get(row.side or "", 0),
        names.market(row.exchange, row.symbol),
        -1,
        -1,
        _number(row.price),
        _number(row.amount),
        NAN,
        NAN,
        NAN,
        0,
        hash_id(row.id),
        0,
        _known_hash(row.taker_order),
        _known_hash(row.maker_order),
        _known_hash(row.buyer),
        _known_hash(row.seller),
    )


def _quote(names: Names, ts_ns: int, row: Quote) -> tuple[Any, ...]:
    market = names.market(row.exchange, row.symbol)
    sizes = _number(row.bid_size), _number(row.ask_size)
    return (
        ts_ns, _QUOTE, 0, market, -1, -1, _number(row.bid), _number(row.ask), *sizes, NAN, 0, 0, 0, 0, 0, 0, 0
    )  # fmt: skip


def _candle(names: Names, ts_ns: int, row: Candle) -> tuple[Any, ...]:
    market = names.market(row.exchange, row.symbol)
    prices = _number(row.open), _number(row.high), _number(row.low), _number(row.close)
    close_ns = row.ts_ns + row.length_ns
    told_late = close_ns if ts_ns - close_ns >= US else 0
    volume = _number(row.volume)
    return (ts_ns, _CANDLE, 0, market, -1, -1, *prices, volume, row.length_ns, told_late, 0, 0, 0, 0, 0)


def _balance(names: Names, ts_ns: int, row: Balance) -> tuple[Any, ...]:
    account, currency = names.account(row.account or "default"), names.currency(row.currency)
    return (ts_ns, _BALANCE, 0, -1, account, currency, _number(row.total), *_NO_NUMBERS)


def _order(names: Names, ts_ns: int, row: BotOrder) -> tuple[Any, ...]:
    account = names.account(row.account or "default")
    order, client = _known_hash(row.order), _known_hash(row.client_order_id)
    return (ts_ns, _ORDER, 0, -1, account, -1, NAN, NAN, NAN, NAN, NAN, 0, order, client, 0, 0, 0, 0)


_TRADE, _QUOTE, _CANDLE, _BALANCE, _ORDER = map(int, Kind)
_NO_NUMBERS: Final = (NAN, NAN, NAN, NAN, 0, 0, 0, 0, 0, 0, 0)
_ROWS: Final[dict[type, Callable[[Names, int, Any], tuple[Any, ...]]]] = {
    Trade: _trade,
    Quote: _quote,
    Candle: _candle,
    Balance: _balance,
    BotOrder: _order,
}


def known_ns(row: Row) -> int:
    """When a row became known, ns: for a candle at its close."""
    if isinstance(row, Candle):
        return row.ts_ns + row.length_ns
    return 0 if isinstance(row, Market) else row.ts_ns


def order_of(names: Names, rows: Sequence[Row]) -> list[int]:
    """Order in which market rows known at the same time are taken, by the contract's rule: positions.

    By kind, by what they are of, by id, by content; never by what came first.
    """
    whats = [_what(row) for row in rows]
    places = range(len(rows))
    if len(set(whats)) == len(whats):
        return sorted(places, key=whats.__getitem__)
    ranked = [(what, _rank(row)) for what, row in zip(whats, rows, strict=True)]
    counts = Counter(ranked)
    if len(counts) == len(rows):  # prints with ids, as a rule: their content decides nothing
        return sorted(places, key=ranked.__getitem__)
    if len(rows) >= MANY:
        return _order_of_many(names, rows, ranked)
    keys = [
        (place, _content(names, row) if counts[place] > 1 else 0)
        for place, row in zip(ranked, rows, strict=True)
    ]
    return sorted(places, key=keys.__getitem__)


def _order_of_many(names: Names, rows: Sequence[Row], ranked: Sequence[tuple[int, int]]) -> list[int]:
    events = _records([_PACK_ROW(*_ROWS[type(row)](names, 0, row)) for row in rows], ROW)
    content = np.zeros(len(rows), np.uint64)
    for kind in np.unique(events["kind"]).tolist():
        of_kind = np.flatnonzero(events["kind"] == kind)
        content[of_kind] = _contents(events[of_kind])
    what, rank = np.array(ranked, np.uint64).T
    return [int(i) for i in np.lexsort((content, rank, what))]


_FOLDED: Final = {
    _TRADE: ("a", "b", "id", "taker_order", "maker_order", "buyer", "seller", "side"),
    _QUOTE: ("a", "b", "c", "d"),
    _CANDLE: ("a", "b", "c", "d", "e", "duration_ns"),
    _BALANCE: ("a",),
    _ORDER: ("id", "client"),
}
"""What a row's content is made of, as `normalise` folds it."""


def _contents(events: NDArray[np.void]) -> NDArray[np.uint64]:
    """Hashes of the content of rows of one kind."""
    content = np.zeros(len(events), np.uint64)
    for name in _FOLDED[int(events["kind"][0])]:
        fold(content, events[name])
    return content


def _content(names: Names, row: Row) -> int:
    """Hash of the content of one row, as `normalise` makes it."""
    if type(row) is Quote:  # the usual case
        numbers = _number(row.bid), _number(row.ask), _number(row.bid_size), _number(row.ask_size)
        return fold_words(np.array(numbers).view(np.uint64))
    event = _records([_PACK_ROW(*_ROWS[type(row)](names, 0, row))], ROW)
    return int(_contents(event)[0])


def _rank(row: Row) -> int:
    if isinstance(row, Trade):
        return order_id(row.id)
    return order_id(row.order) if isinstance(row, BotOrder) else _NO_RANK


def _what(row: Row) -> int:
    """Kind and hash of what a row is of, as `sequencer` orders by."""
    if isinstance(row, (Quote, Trade, Candle)):
        return _KIND_BITS[type(row)] | (_market_hash(row.exchange, row.symbol) >> 3)
    if isinstance(row, Balance):
        return _KIND_BITS[Balance] | (_holding_hash(row.account, row.currency) >> 3)
    if isinstance(row, BotOrder):
        return _KIND_BITS[BotOrder] | (_known_hash(row.account or "default") >> 3)
    raise TypeError(f"expected a market, balance or order row, found {type(row).__name__}")


_KIND_BITS: Final = {
    Trade: _TRADE << 61,
    Quote: _QUOTE << 61,
    Candle: _CANDLE << 61,
    Balance: _BALANCE << 61,
    BotOrder: _ORDER << 61,
}


@lru_cache(1 << 14)
def _market_hash(exchange: str, symbol: str) -> int:
    return hash_id(f"{exchange}\0{symbol}")


@lru_cache(1 << 14)
def _holding_hash(account: str, currency: str) -> int:
    return fold_words(np.array([hash_id(currency)], np.uint64), hash_id(account or "default"))
