"""Rows of streams to the engine's events, exactly as the same rows of a table would become.

Tables go through `normalise` a hundred thousand rows at a time; a stream gives one. The rules are the
same, and a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.events import FILL, FORCED, ROW, Batch, Kind, Liquidity, MarketSpec, Names, OrderType
from drainwatch.ids import NO_RANK, client_prefixes, fold, hash_id, order_ids
from drainwatch.normalise import EXTREME, FORCED_PREFIXES
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.values import LAST_NS

NAN: Final = float("nan")
_SIDES: Final = {"buy": 1, "sell": -1}
_TYPES: Final = {"market": int(OrderType.MARKET), "limit": int(OrderType.LIMIT)}
_LIQUIDITY: Final = {"taker": int(Liquidity.TAKER), "maker": int(Liquidity.MAKER)}
_NUMBERS: Final = {
    Kind.TRADE: "ab",
    Kind.QUOTE: "abcd",
    Kind.CANDLE: "abcde",
    Kind.BALANCE: "a",
    Kind.ORDER: "",
}
_HASHES: Final = {
    Kind.TRADE: ("id", "taker_order", "maker_order", "buyer", "seller"),
    Kind.ORDER: ("id", "client"),
}


class UnfitError(ValueError):
    """A row can't be used: says which value, and what was expected."""


def unfit(row: Row) -> str | None:
    """Say why a row can't be used, by the rules for tables; None for a good one."""
    try:
        _check(row)
    except UnfitError as error:
        return str(error)
    return None


def _check(row: Row) -> None:
    if not isinstance(row, Market) and not 0 <= row.ts_ns < LAST_NS:
        raise UnfitError(f"time: expected 1970 to 2199, found {row.ts_ns} ns")
    match row:
        case Fill():
            if not row.id or not row.symbol:
                raise UnfitError("fill: expected an id and a symbol, found none")
            if row.side not in _SIDES:
                raise UnfitError(f"side: expected buy or sell, found {ascii(row.side)[:40]}")
            _positive("price", row.price)
            _positive("amount", row.amount)
            if row.cost is not None and not 0.0 <= _float("cost", row.cost) < np.inf:
                raise UnfitError(f"cost: expected a finite number >= 0, found {ascii(row.cost)[:40]}")
            if row.fee_cost is not None and not np.isfinite(_float("fee_cost", row.fee_cost)):
                raise UnfitError(f"fee_cost: expected a finite number, found {ascii(row.fee_cost)[:40]}")
            if row.mark is not None:
                _positive("mark", row.mark)
        case Trade():
            _positive("price", row.price)
            _positive("amount", row.amount)
            if row.side is not None and row.side not in _SIDES:
                raise UnfitError(f"side: expected buy or sell, found {ascii(row.side)[:40]}")
        case Quote():
            _positive("bid", row.bid)
            _positive("ask", row.ask)
            for size in (row.bid_size, row.ask_size):
                if size is not None and not 0.0 <= size < np.inf:
                    raise UnfitError(f"size: expected a finite number >= 0, found {size!r}")
        case Candle():
            for name in ("open", "high", "low", "close"):
                _positive(name, getattr(row, name))
            if not 0.0 <= row.volume < np.inf:
                raise UnfitError(f"volume: expected a finite number >= 0, found {row.volume!r}")
        case Balance():
            if not np.isfinite(row.total):
                raise UnfitError(f"total: expected a finite number, found {row.total!r}")
        case BotOrder():
            if not row.order and not row.client_order_id:
                raise UnfitError("order: expected an order id or a client order id, found neither")
        case Market():
            if not row.symbol:
                raise UnfitError("symbol: expected a text, found none")


def _float(name: str, text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        raise UnfitError(f"{name}: expected a number, found {ascii(text)[:40]}") from None


def _positive(name: str, text: str | float) -> None:
    if not 0.0 < _float(name, text) < np.inf:
        raise UnfitError(f"{name}: expected a finite number > 0, found {ascii(text)[:40]}")


def _number(text: str | float | None) -> float:
    """Value of a checked number; NaN where absent. What no market knows is brought within `EXTREME`."""
    if text is None:
        return NAN
    value = float(text) + 0.0  # -0 becomes 0
    size = abs(value)
    if size > EXTREME or 0.0 < size < 1.0 / EXTREME:
        return float(np.copysign(min(max(size, 1.0 / EXTREME), EXTREME), value))
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
    market_rows: list[tuple[Any, ...]] = []
    fills: list[tuple[Any, ...]] = []
    ids: list[str] = []
    orders: list[str | None] = []
    for ts_ns, row in timed:
        match row:
            case Fill():
                fills.append(_fill(names, ts_ns, row))
                ids.append(row.id)
                orders.append(row.order or None)
            case Market():
                names.add_market(market_of(row))
            case _:
                market_rows.append(_row(names, ts_ns, row))
    return Batch(
        np.array(market_rows, ROW), np.array(fills, FILL), np.array(ids, object), np.array(orders, object)
    )


def _fill(names: Names, ts_ns: int, row: Fill) -> tuple[Any, ...]:
    client = row.client_order_id
    forced = row.forced or (":" in row.symbol and (client or "").startswith(FORCED_PREFIXES))
    return (
        ts_ns,
        names.market(row.exchange, row.symbol),
        names.account(row.account or "default"),
        -1 if not row.fee_currency else names.currency(row.fee_currency),
        _SIDES[row.side],
        _TYPES.get(row.type or "", 0),
        _LIQUIDITY.get(row.taker_or_maker or "", 0),
        FORCED if forced else 0,
        _number(row.price),
        _number(row.amount),
        _number(row.cost),
        _number(row.fee_cost),
        _number(row.mark),
        hash_id(row.id),
        hash_id(row.order),
        hash_id(client),
        int(client_prefixes([client])[0]) if client else 0,
        hash_id(row.counterparty),
        hash_id(row.maker_order),
        hash_id(row.taker_order),
    )


def _row(names: Names, ts_ns: int, row: Row) -> tuple[Any, ...]:
    match row:
        case Trade():
            return (
                ts_ns,
                int(Kind.TRADE),
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
                hash_id(row.taker_order),
                hash_id(row.maker_order),
                hash_id(row.buyer),
                hash_id(row.seller),
            )
        case Quote():
            market = names.market(row.exchange, row.symbol)
            sizes = _number(row.bid_size), _number(row.ask_size)
            prices = _number(row.bid), _number(row.ask)
            return ts_ns, int(Kind.QUOTE), 0, market, -1, -1, *prices, *sizes, NAN, 0, 0, 0, 0, 0, 0, 0
        case Candle():
            market = names.market(row.exchange, row.symbol)
            prices4 = _number(row.open), _number(row.high), _number(row.low), _number(row.close)
            volume = _number(row.volume)
            tail = (row.length_ns, 0, 0, 0, 0, 0, 0)
            return ts_ns, int(Kind.CANDLE), 0, market, -1, -1, *prices4, volume, *tail
        case Balance():
            account, currency = names.account(row.account or "default"), names.currency(row.currency)
            numbers = (_number(row.total), NAN, NAN, NAN, NAN)
            return ts_ns, int(Kind.BALANCE), 0, -1, account, currency, *numbers, 0, 0, 0, 0, 0, 0, 0
        case BotOrder():
            account = names.account(row.account or "default")
            order, client = hash_id(row.order), hash_id(row.client_order_id)
            return (
                ts_ns,
                int(Kind.ORDER),
                0,
                -1,
                account,
                -1,
                NAN,
                NAN,
                NAN,
                NAN,
                NAN,
                0,
                order,
                client,
                0,
                0,
                0,
                0,
            )
    raise TypeError(f"expected a market, balance or order row, found {type(row).__name__}")


def known_ns(row: Row) -> int:
    """When a row became known, ns: for a candle at its close."""
    if isinstance(row, Candle):
        return row.ts_ns + row.length_ns
    return 0 if isinstance(row, Market) else row.ts_ns


def order_of(names: Names, rows: Sequence[Row]) -> list[int]:
    """Order in which market rows known at the same time are taken, by the contract's rule: positions.

    By kind, by what they are of, by id, by content; never by what came first.
    """
    events = np.array([_row(names, 0, row) for row in rows], ROW)
    name = np.array([_name_hash(row) for row in rows], np.uint64)
    rank = np.full(len(rows), NO_RANK)
    with_id = [i for i, row in enumerate(rows) if isinstance(row, (Trade, BotOrder))]
    if with_id:
        ids = [row.id if isinstance(row, Trade) else row.order for row in map(rows.__getitem__, with_id)]  # type: ignore[union-attr]
        hashes = np.array([hash_id(text) for text in ids], np.uint64)
        rank[with_id] = order_ids(ids, hashes)
    content = np.array([_content(event) for event in events], np.uint64)
    what = (events["kind"].astype(np.uint64) << np.uint64(61)) | (name >> np.uint64(3))
    return [int(i) for i in np.lexsort((content, rank, what))]


def _name_hash(row: Row) -> int:
    if isinstance(row, Balance):
        name = np.array([hash_id(row.account or "default")], np.uint64)
        fold(name, np.array([hash_id(row.currency)], np.uint64))
        return int(name[0])
    if isinstance(row, BotOrder):
        return hash_id(row.account or "default")
    return hash_id(f"{row.exchange}\0{row.symbol}")


def _content(event: np.void) -> int:
    """Hash of a row's content as `normalise` makes it."""
    kind = Kind(int(event["kind"]))
    content: NDArray[np.uint64] = np.zeros(1, np.uint64)
    for name in (*_NUMBERS[kind], *_HASHES.get(kind, ())):
        fold(content, event[name].reshape(1))
    if kind == Kind.TRADE:
        fold(content, event["side"].reshape(1))
    if kind == Kind.CANDLE:
        fold(content, event["duration_ns"].reshape(1))
    return int(content[0])
