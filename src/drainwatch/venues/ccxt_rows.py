"""What ccxt gives as rows: its unified trades, order books, balances and markets, read with suspicion.

ccxt's unified shapes hide much that matters here (client order ids, who closed the position, the sign
of a fee), so the venue's own message in `info` is read as well. Nothing raises: what can't be read is
a `BadMessage`. ccxt itself isn't needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from drainwatch.events import NS_PER_MS
from drainwatch.rows import Balance, Candle, Fill, Market, Quote, Trade
from drainwatch.venues.binance_messages import ExecutionReport
from drainwatch.venues.protocol import BadMessage

_SIDES = ("buy", "sell")
_LAST_MS = 7_258_118_400_000
_CLIENT_IDS = (
    "orderLinkId",
    "clOrdId",
    "clientOid",
    "cl_ord_id",
    "clientOrderId",
    "client_order_id",
    "cloid",
)
_MARKS = ("markPrice", "fillMarkPx", "mark_price", "indexPrice", "fillIdxPx", "index_price")
_NEGATIVE_CHARGES = frozenset({"okx", "okxus", "myokx"})
_SHORT_KEYS = ("binance", "aster")
"""Venues with Binance's one-letter keys; elsewhere `c` may be anything."""
_FORCED_VALUES = {
    "execType": {"BustTrade", "AdlTrade", "Settle", "Delivery", "SessionSettlePnL"},  # Bybit
    "category": {"full_liquidation", "partial_liquidation", "adl", "delivery"},  # OKX, orders
    "fill_type": {"liquidation", "assignee", "assignor", "unwindBankrupt"},  # Kraken Futures
    "fillType": {"liquidation", "assignee", "assignor", "unwindBankrupt"},
    "tradeType": {"liquidation", "adl", "settlement", "LIQUIDATION", "ADL", "SETTLEMENT"},  # KuCoin Futures
    "type": {"LIQUIDATED", "DELEVERAGED", "liquidation"},
    "o": {"LIQUIDATION"},  # Binance futures
    "x": {"CALCULATED"},
}
_FORCED_BITGET = ("burst_", "reduce_", "delivery_", "offset_", "adl_")
_FORCED_BINANCE = ("autoclose-", "adl_autoclose", "settlement_autoclose-", "delivery_autoclose-")
_FORCED_GATE = ("liq-", "liquidation", "auto_deleverag")


def fill_of(trade: object, exchange: str, account: str) -> Fill | BadMessage:
    """Read a unified trade of the account's own; never raises."""
    stream = f"{exchange} private"
    if not isinstance(trade, Mapping):
        return BadMessage(stream, f"expected a trade, found {type(trade).__name__}", excerpt(trade))
    symbol, ident, side = (
        _text(trade.get("symbol")),
        _text(trade.get("id")),
        _one_of(trade.get("side"), _SIDES),
    )
    price, amount = exact(trade.get("price")), exact(trade.get("amount"))
    ts_ns = _ns(trade.get("timestamp"))
    problem = None
    if symbol is None or "/" not in symbol:
        problem = f"expected a symbol such as ETH/BTC, found {ascii(symbol)[:60]}"
    elif ident is None:
        problem = "expected the trade's id, found none"
    elif side is None:
        problem = f"expected the side buy or sell, found {ascii(trade.get('side'))[:60]}"
    elif price is None or not Decimal(price) > 0:
        problem = f"expected a price above 0, found {ascii(trade.get('price'))[:60]}"
    elif amount is None or not Decimal(amount) > 0:
        problem = f"expected an amount above 0, found {ascii(trade.get('amount'))[:60]}"
    elif ts_ns is None:
        problem = f"expected a time in ms, found {ascii(trade.get('timestamp'))[:60]}"
    if (
        problem is not None
        or symbol is None
        or ident is None
        or side is None
        or price is None
        or amount is None
        or ts_ns is None
    ):
        return BadMessage(stream, problem or "", excerpt(trade))
    info = inner_info(trade.get("info"))
    if exchange.startswith(_SHORT_KEYS) and (damage := _damage(info)) is not None:
        return BadMessage(stream, damage, excerpt(trade))
    fee_cost, fee_currency = _fee(trade, info, exchange)
    role = _one_of(trade.get("takerOrMaker"), ("taker", "maker"))
    order = _text(trade.get("order"))
    counterparty, maker_order, taker_order = _other_side(info, side, role, order)
    return Fill(
        exchange=exchange,
        account=account,
        symbol=symbol,
        id=ident,
        ts_ns=ts_ns,
        side=side,
        price=price,
        amount=amount,
        cost=_cost(trade, symbol, price, amount),
        order=order,
        client_order_id=_client_id(info, exchange),
        type=_one_of(trade.get("type"), ("market", "limit")),
        taker_or_maker=role,
        fee_cost=fee_cost,
        fee_currency=fee_currency,
        counterparty=counterparty,
        maker_order=maker_order,
        taker_order=taker_order,
        mark=next((mark for key in _MARKS if (mark := _positive(info.get(key))) is not None), None),
        forced=_forced(info, exchange, role, symbol),
    )


def _damage(info: Mapping[str, Any]) -> str | None:
    """Say what of an execution report isn't as Binance writes it; None: nothing, or it is none.

    Where the execution's own price or amount is absent, ccxt takes the whole order's.
    """
    if info.get("e") != "executionReport":
        return None
    try:
        msgspec.convert(info, ExecutionReport)
    except msgspec.ValidationError as error:
        return f"expected an execution report: {error}"
    return None


def trade_of(trade: object, exchange: str, symbol: str) -> Trade | BadMessage:
    """Read a unified public trade; amounts stay contracts for a derivative."""
    stream = f"{exchange} public"
    if not isinstance(trade, Mapping):
        return BadMessage(stream, f"expected a trade, found {type(trade).__name__}", excerpt(trade))
    price, amount, ts_ns = (
        _above_0(trade.get("price")),
        _above_0(trade.get("amount")),
        _ns(trade.get("timestamp")),
    )
    if price is None or amount is None or ts_ns is None:
        return BadMessage(stream, f"expected price, amount and time of a trade in {symbol}", excerpt(trade))
    info = inner_info(trade.get("info"))
    return Trade(
        exchange=exchange,
        symbol=symbol,
        ts_ns=ts_ns,
        price=price,
        amount=amount,
        id=_text(trade.get("id")),
        side=_one_of(trade.get("side"), _SIDES),
        maker_order=_first_text(info, ("maker_order_id", "makerOrderId")),
        taker_order=_first_text(info, ("taker_order_id", "takerOrderId")),
    )


def quote_of(ticker: object, exchange: str, symbol: str, now_ns: int) -> Quote | BadMessage:
    """Read best bid and ask of a unified ticker or order book; `now_ns` where the venue gives no time."""
    stream = f"{exchange} public"
    if not isinstance(ticker, Mapping):
        return BadMessage(stream, f"expected a ticker, found {type(ticker).__name__}", excerpt(ticker))
    bid, bid_size = _level(ticker, "bid", "bids")
    ask, ask_size = _level(ticker, "ask", "asks")
    if bid is None or ask is None:
        return BadMessage(stream, f"expected a best bid and ask of {symbol}", excerpt(ticker))
    ts_ns = _ns(ticker.get("timestamp")) or now_ns
    return Quote(
        exchange=exchange, symbol=symbol, ts_ns=ts_ns, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size
    )


def balances_of(reply: object, exchange: str, account: str, now_ns: int) -> list[Balance]:
    """Read a unified balance: the total of each currency that has one."""
    totals = reply.get("total") if isinstance(reply, Mapping) else None
    if not isinstance(totals, Mapping):
        return []
    rows = []
    for currency, total in totals.items():
        number = _float(total)
        if isinstance(currency, str) and currency and number is not None:
            rows.append(
                Balance(exchange=exchange, account=account, currency=currency, ts_ns=now_ns, total=number)
            )
    return rows


def market_of(market: object, exchange: str, *, ticks: bool) -> Market | None:
    """Read a unified market; None if it lacks a name or a currency.

    `ticks` says that the venue's precisions are steps rather than numbers of digits.
    """
    if not isinstance(market, Mapping):
        return None
    symbol, ident = _text(market.get("symbol")), _text(market.get("id"))
    if exchange == "hyperliquid" and market.get("swap") is True:
        ident = _text(market.get("baseName"))  # its messages name the coin; its id is a number in a list
    base, quote = _text(market.get("base")), _text(market.get("quote"))
    if symbol is None or ident is None or base is None or quote is None or "/" not in symbol:
        return None
    precision = market.get("precision")
    step = _above_0(precision.get("price")) if isinstance(precision, Mapping) else None
    return Market(
        exchange=exchange,
        symbol=symbol,
        venue_symbol=ident,
        base=base,
        quote=quote,
        settle=_text(market.get("settle")) or "",
        contract_size=_above_0(market.get("contractSize")) if market.get("contract") is True else None,
        inverse=market.get("inverse") is True,
        tick_size=step if ticks else None,
    )


def candle_of(candle: object, exchange: str, symbol: str, length_ns: int) -> Candle | None:
    """Read a unified candle, `[ms, open, high, low, close, volume]`; None for anything else."""
    if not isinstance(candle, Sequence) or isinstance(candle, str) or len(candle) < 6:
        return None
    ts_ns, volume = _ns(candle[0]), _float(candle[5])
    prices = [price for value in candle[1:5] if (price := _above_0(value)) is not None]
    if ts_ns is None or len(prices) < 4 or volume is None or volume < 0:
        return None
    first, high, low, last = prices
    return Candle(
        exchange=exchange,
        symbol=symbol,
        ts_ns=ts_ns,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=volume,
        length_ns=length_ns,
    )


def exact(value: object) -> str | None:
    """Write a number exactly as it came; None if it is none, or not finite."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        value = repr(value)
    elif isinstance(value, int | Decimal):
        value = str(value)
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip()
    if not text.isascii() or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Beyond these float64 is 0 or infinite, and a product of two could be.
    return text if number.is_finite() and abs(number.adjusted()) < 100 else None


def excerpt(value: object) -> bytes:
    """Give the first 500 bytes of anything, for a `BadMessage`."""
    if isinstance(value, bytes):
        return value[:500]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace")[:500]
    try:
        return json.dumps(value, default=repr).encode()[:500]
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__.encode()


def inner_info(info: object) -> Mapping[str, Any]:
    """Give the venue's own message of a unified row; empty if it is a list or absent.

    Futures venues wrap the row once more (Binance's `o`); its keys count beside the outer ones.
    """
    if not isinstance(info, Mapping):
        return {}
    inner = info.get("o")
    return {**info, **inner} if isinstance(inner, Mapping) else info


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).encode("utf-8", "backslashreplace").decode().strip()
    return text[:300] or None


def _one_of(value: object, words: tuple[str, ...]) -> str | None:
    return value if isinstance(value, str) and value in words else None


def _first_text(info: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    return next((text for key in keys if (text := _text(info.get(key))) is not None), None)


def _float(value: object) -> float | None:
    text = exact(value)
    number = float(text) if text is not None else math.nan
    return number if math.isfinite(number) else None


def _above_0(value: object) -> float | None:
    number = _float(value)
    return number if number is not None and number > 0 else None


def _positive(value: object) -> str | None:
    text = exact(value)
    return text if text is not None and Decimal(text) > 0 else None


def _ns(value: object) -> int | None:
    number = _float(value)
    if number is None or not 0 < number < _LAST_MS:
        return None
    return int(value) * NS_PER_MS if isinstance(value, int) else round(number) * NS_PER_MS


def _level(ticker: Mapping[str, Any], name: str, book: str) -> tuple[float | None, float | None]:
    price, size = _above_0(ticker.get(name)), _above_0(ticker.get(f"{name}Volume"))
    levels = ticker.get(book)
    if price is None and isinstance(levels, Sequence) and not isinstance(levels, str | bytes) and len(levels):
        best = levels[0]
        if isinstance(best, Sequence) and not isinstance(best, str | bytes) and len(best) > 1:
            price, size = _above_0(best[0]), _above_0(best[1])
    return price, size


def _cost(trade: Mapping[str, Any], symbol: str, price: str, amount: str) -> str | None:
    """Give the cost if it is in the quote currency and of this fill for sure."""
    cost = _positive(trade.get("cost"))
    # Of a derivative it is in the base coin for some venues, and not scaled for others.
    if cost is None or ":" in symbol:
        return None
    # OKX's stream has the whole order's so far.
    product = float(price) * float(amount)
    return cost if abs(float(cost) - product) <= 0.01 * product else None


def _fee(trade: Mapping[str, Any], info: Mapping[str, Any], exchange: str) -> tuple[str | None, str | None]:
    fee, fees = trade.get("fee"), trade.get("fees")
    parts = [fee] if isinstance(fee, Mapping) and exact(fee.get("cost")) is not None else []
    if not parts and isinstance(fees, Sequence) and not isinstance(fees, str | bytes):
        parts = [part for part in fees if isinstance(part, Mapping) and exact(part.get("cost")) is not None]
    if not parts:
        return None, None
    # A row has one fee: of several coins, the first that was charged at all.
    main = next((part for part in parts if Decimal(exact(part["cost"]) or 0)), parts[0])
    currency = _text(main.get("currency"))
    costs = [exact(part["cost"]) or "0" for part in parts if _text(part.get("currency")) == currency]
    cost = costs[0] if len(costs) == 1 else str(sum(map(Decimal, costs)))
    if exchange in _NEGATIVE_CHARGES:
        # ccxt turns the sign in what comes by REST, and not in what comes by websocket; the venue's own
        # figure is always negative for a charge.
        raw = exact(info.get("fillFee")) or exact(info.get("fee"))
        if raw is not None:
            number = -Decimal(raw)
            cost = f"{number:f}" if number else "0"
    return cost, currency


def _client_id(info: Mapping[str, Any], exchange: str) -> str | None:
    keys = ("c", *_CLIENT_IDS) if exchange.startswith(_SHORT_KEYS) else _CLIENT_IDS
    found = _first_text(info, keys)
    if found is None and exchange.startswith("gate"):
        text = _text(info.get("text"))
        # Gate writes there who made the order, too; what a user chose begins so.
        return text if text is not None and text.startswith("t-") else None
    return found


def _other_side(
    info: Mapping[str, Any], side: object, role: str | None, order: str | None
) -> tuple[str | None, str | None, str | None]:
    party = _first_text(info, ("counterpartyId",))
    if party is None and "ask_account_id" in info and "bid_account_id" in info:
        party = _text(info["bid_account_id" if side == "sell" else "ask_account_id"])
    maker, taker = _first_text(info, ("maker_order_id",)), _first_text(info, ("taker_order_id",))
    other = _first_text(info, ("counterOrderId",))
    if other is not None and role is not None and maker is None and taker is None:
        maker, taker = (other, order) if role == "taker" else (order, other)
    return party, maker, taker


def _forced(info: Mapping[str, Any], exchange: str, role: str | None, symbol: str) -> bool:
    for key, values in _FORCED_VALUES.items():
        value = info.get(key)
        if isinstance(value, str) and value in values:
            return True
    if exchange.startswith(_SHORT_KEYS) and ":" in symbol:  # on spot anybody may name an order so
        name = _first_text(info, ("c", "clientOrderId"))
        return name is not None and name.startswith(_FORCED_BINANCE)
    if exchange.startswith("bitget"):
        side = info.get("tradeSide")
        return isinstance(side, str) and side.startswith(_FORCED_BITGET)
    if exchange.startswith("gate"):
        text = info.get("text")
        return isinstance(text, str) and text.startswith(_FORCED_GATE)
    if exchange == "deribit":
        # Which side was liquidated: maker, taker, or both.
        mark = info.get("liquidation")
        return mark == "MT" or (mark == "M" and role == "maker") or (mark == "T" and role == "taker")
    return False
