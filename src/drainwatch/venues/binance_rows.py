"""What Binance's messages mean as rows."""

from __future__ import annotations

import re
from typing import Final

from msgspec import ValidationError

from drainwatch.rows import Balance, Fill, Quote, Trade
from drainwatch.venues.binance_messages import (
    HUGE,
    AggregateTrade,
    BookTicker,
    ExecutionReport,
    FuturesOrder,
    PublicTrade,
)

MS: Final = 1_000_000
"""Nanoseconds in one of Binance's milliseconds."""

_DECIMAL: Final = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][-+]?[0-9]{1,3})?").fullmatch

SIDES: Final = {"BUY": "buy", "SELL": "sell"}

SPOT_TYPES: Final = {
    "MARKET": "market",
    "STOP_LOSS": "market",
    "TAKE_PROFIT": "market",
    "LIMIT": "limit",
    "LIMIT_MAKER": "limit",
    "STOP_LOSS_LIMIT": "limit",
    "TAKE_PROFIT_LIMIT": "limit",
}
FUTURES_TYPES: Final = {
    "MARKET": "market",
    "STOP_MARKET": "market",
    "TAKE_PROFIT_MARKET": "market",
    "TRAILING_STOP_MARKET": "market",
    "LIMIT": "limit",
    "STOP": "limit",
    "TAKE_PROFIT": "limit",
}

FORCED_PREFIXES: Final = ("autoclose-", "adl_autoclose", "settlement_autoclose-", "delivery_autoclose-")
"""Client ids that Binance gives to orders by which it closes a futures position itself."""


def number(text: str, what: str, above: float = -HUGE) -> str:
    """Give an exact decimal string back after a look at its value, which must be greater than `above`.

    Raises
    ------
    ValidationError
        It is no number, or none in the range; the text names `what`.
    """
    # Nearly all are plain digits, which is seen ten times sooner than by the expression.
    plain = len(text) < 80 and text.isascii() and text.replace(".", "", 1).isdigit()
    if not (plain or _DECIMAL(text)) or not above < float(text) < HUGE:
        raise ValidationError(f"{what} must be a decimal number above {above:g}, was {text[:40]!a}")
    return text


def _all_plain(price: str, amount: str, cost: str | None, fee: str | None) -> bool:
    """Say by one look whether all four are as they nearly always are; else `number` looks at each."""
    together = f"{price}{amount}{cost or ''}{fee or ''}"
    if not (len(together) < 160 and together.isascii() and together.replace(".", "").isdigit()):
        return False
    try:
        return (
            0.0 < float(price) < HUGE
            and 0.0 < float(amount) < HUGE
            and (cost is None or 0.0 < float(cost) < HUGE)
            and (fee is None or float(fee) < HUGE)
        )
    except ValueError:
        return False


def fill(
    report: ExecutionReport | FuturesOrder,
    types: dict[str, str],
    exchange: str,
    account: str,
    symbol: str,
    *,
    forced: bool,
) -> Fill:
    """Row of an execution.

    Raises
    ------
    ValidationError
        A number in it is none, or it has no trade id.
    """
    if report.trade < 0 or (report.trade == 0 and isinstance(report, FuturesOrder)):
        raise ValidationError(f"an execution must have a trade id, was {report.trade}")
    cost, original = None, ""
    if isinstance(report, ExecutionReport):
        cost, original = report.cost, report.original
    charged = report.fee if report.fee and report.fee_currency else None
    if not _all_plain(report.price, report.amount, cost, charged):
        number(report.price, "price (L)", 0)
        number(report.amount, "amount (l)", 0)
        if cost is not None and float(number(cost, "cost (Y)")) <= 0:
            cost = None  # rounded away: price times amount says more
        if charged is not None:
            number(charged, "fee (n)")
    return Fill(
        exchange=exchange,
        account=account,
        symbol=symbol,
        id=str(report.trade),
        ts_ns=report.time_ms * MS,
        side=SIDES[report.side],
        price=report.price,
        amount=report.amount,
        cost=cost,
        order=str(report.order),
        client_order_id=original or report.client or None,
        type=types.get(report.type),
        taker_or_maker="maker" if report.maker else "taker",
        fee_cost=charged,
        fee_currency=None if charged is None else report.fee_currency,
        forced=forced,
    )


def balance(exchange: str, account: str, currency: str, time_ms: int, total: float) -> Balance:
    """Row of a holding after what happened at `time_ms`."""
    # Told with a fill of the same millisecond, it holds that fill already; as rows of one time go before
    # fills, the fill would be counted twice without the one ns.
    return Balance(exchange=exchange, account=account, currency=currency, ts_ns=time_ms * MS + 1, total=total)


def print_(trade: PublicTrade, exchange: str, symbol: str) -> Trade | None:
    """Row of a public trade; None for what is no trade of the market."""
    if trade.kind != "MARKET" or not trade.price or not trade.amount:
        return None
    buyer = None if trade.buyer_order is None else str(trade.buyer_order)
    seller = None if trade.seller_order is None else str(trade.seller_order)
    sells = trade.buyer_is_maker
    return Trade(
        exchange=exchange,
        symbol=symbol,
        ts_ns=trade.time_ms * MS,
        price=trade.price,
        amount=trade.amount,
        id=str(trade.trade),
        side="sell" if sells else "buy",
        maker_order=buyer if sells else seller,
        taker_order=seller if sells else buyer,
    )


def aggregate(trade: AggregateTrade, exchange: str, symbol: str) -> Trade | None:
    """Row of an aggregated trade; None if nothing was traded."""
    if not trade.price or not trade.amount:
        return None
    return Trade(
        exchange=exchange,
        symbol=symbol,
        ts_ns=trade.time_ms * MS,
        price=trade.price,
        amount=trade.amount,
        # An aggregate of several has no id in the namespace of fills.
        id=str(trade.first) if trade.first == trade.last else None,
        side="sell" if trade.buyer_is_maker else "buy",
    )


def quote(ticker: BookTicker, exchange: str, symbol: str, now_ns: int) -> Quote | None:
    """Row of a best bid and ask; None while a side of the book is empty."""
    if not ticker.bid or not ticker.ask:
        return None
    return Quote(
        exchange=exchange,
        symbol=symbol,
        ts_ns=now_ns if ticker.time_ms is None else ticker.time_ms * MS,
        bid=ticker.bid,
        ask=ticker.ask,
        bid_size=ticker.bid_size,
        ask_size=ticker.ask_size,
    )
