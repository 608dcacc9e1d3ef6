"""Rows of streams to the engine's events, exactly as the same rows of a table would become.

Tables go through `normalise` a hundred thousand rows at a time; a stream gives one. The rules are the
same, and a property test holds the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from drainwatch.events import FILL, FORCED, ROW, Batch, Kind, Liquidity, MarketSpec, Names, OrderType
from drainwatch.ids import NO_RANK, client_prefix, fold_words, hash_id, order_id
from drainwatch.normalise import EXTREME, FORCED_PREFIXES
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.values import LAST_NS

NAN: Final = float("nan")
US: Final = 1_000
"""Times are whole microseconds: what a float64 of milliseconds can hold."""
_SIDES: Final = {"buy": 1, "sell": -1}
_TYPES: Final = {"market": int(OrderType.MARKET), "limit": int(OrderType.LIMIT)}
_LIQUIDITY: Final = {"taker": int(Liquidity.TAKER), "maker": int(Liquidity.MAKER)}
_NO_RANK: Final = int(NO_RANK)
_WORD: Final = (1 << 64) - 1

_known_hash = lru_cache(1 << 16)(hash_id)
"""Of ids that come again and again: orders, parties."""
_known_prefix = lru_cache(1 << 14)(client_prefix)


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
    forced = row.forced or (client is not None and client.startswith(FORCED_PREFIXES))
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
        _known_hash(row.order),
        _known_hash(client),
        _known_prefix(client),
        _known_hash(row.counterparty),
        _known_hash(row.maker_order),
        _known_hash(row.taker_order),
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
                _known_hash(row.taker_order),
                _known_hash(row.maker_order),
                _known_hash(row.buyer),
                _known_hash(row.seller),
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
            close_ns = row.ts_ns + row.length_ns
            tail = (row.length_ns, close_ns if ts_ns - close_ns >= US else 0, 0, 0, 0, 0, 0)
            return ts_ns, int(Kind.CANDLE), 0, market, -1, -1, *prices4, volume, *tail
        case Balance():
            account, currency = names.account(row.account or "default"), names.currency(row.currency)
            numbers = (_number(row.total), NAN, NAN, NAN, NAN)
            return ts_ns, int(Kind.BALANCE), 0, -1, account, currency, *numbers, 0, 0, 0, 0, 0, 0, 0
        case BotOrder():
            account = names.account(row.account or "default")
            order, client = _known_hash(row.order), _known_hash(row.client_order_id)
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
    del names
    whats = [_what(row) for row in rows]
    if len(set(whats)) == len(whats):
        return sorted(range(len(rows)), key=whats.__getitem__)
    alike = {what for what, count in Counter(whats).items() if count > 1}
    keys = [
        (what, *(_rank_and_content(row) if what in alike else (0, 0)))
        for what, row in zip(whats, rows, strict=True)
    ]
    return sorted(range(len(rows)), key=keys.__getitem__)


def _what(row: Row) -> int:
    """Kind and hash of what a row is of, as `sequencer` orders by."""
    match row:
        case Quote():
            return (int(Kind.QUOTE) << 61) | (_market_hash(row.exchange, row.symbol) >> 3)
        case Trade():
            return (int(Kind.TRADE) << 61) | (_market_hash(row.exchange, row.symbol) >> 3)
        case Balance():
            return (int(Kind.BALANCE) << 61) | (_holding_hash(row.account, row.currency) >> 3)
        case Candle():
            return (int(Kind.CANDLE) << 61) | (_market_hash(row.exchange, row.symbol) >> 3)
        case BotOrder():
            return (int(Kind.ORDER) << 61) | (_known_hash(row.account or "default") >> 3)
    raise TypeError(f"expected a market, balance or order row, found {type(row).__name__}")


@lru_cache(1 << 14)
def _market_hash(exchange: str, symbol: str) -> int:
    return hash_id(f"{exchange}\0{symbol}")


@lru_cache(1 << 14)
def _holding_hash(account: str, currency: str) -> int:
    return fold_words(np.array([hash_id(currency)], np.uint64), hash_id(account or "default"))


def _rank_and_content(row: Row) -> tuple[int, int]:
    """What orders rows of one kind, thing and time, as `normalise` makes it."""
    match row:
        case Quote():
            sizes = _number(row.bid_size), _number(row.ask_size)
            return _NO_RANK, _folded((_number(row.bid), _number(row.ask), *sizes))
        case Trade():
            hashes = (
                hash_id(row.id),
                _known_hash(row.taker_order),
                _known_hash(row.maker_order),
                _known_hash(row.buyer),
                _known_hash(row.seller),
                _SIDES.get(row.side or "", 0) & _WORD,
            )
            return order_id(row.id), _folded((_number(row.price), _number(row.amount)), hashes)
        case Balance():
            return _NO_RANK, _folded((_number(row.total),))
        case Candle():
            prices = _number(row.open), _number(row.high), _number(row.low), _number(row.close)
            return _NO_RANK, _folded((*prices, _number(row.volume)), (row.length_ns,))
        case BotOrder():
            return order_id(row.order), _folded((), (hash_id(row.order), hash_id(row.client_order_id)))
    raise TypeError(f"expected a market, balance or order row, found {type(row).__name__}")


def _folded(numbers: tuple[float, ...], hashes: tuple[int, ...] = ()) -> int:
    content = fold_words(np.array(numbers, np.float64).view(np.uint64))
    return fold_words(np.array(hashes, np.uint64), content) if hashes else content
