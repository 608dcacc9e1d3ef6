"""What Binance's REST and its websocket API both do: parameters in, plain answers out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from drainwatch.lab.exchange import messages
from drainwatch.lab.exchange.accounts import Account, Execution, Key, Order, RefusedError
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.filters import missing
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.prints import MINUTE_MS
from drainwatch.lab.exchange.units import amount_text, price_text

Parameters = Mapping[str, Any]

LIMIT = 500
MOST = 1_000
DAY_MS = 86_400_000
INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
"""Lengths of candles, minutes."""


def whole(parameters: Parameters, name: str) -> int | None:
    """Give a parameter as a whole number; None if it is absent."""
    value = parameters.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise RefusedError(-1100, f"Illegal characters found in parameter '{name}'.") from None


def _limit(parameters: Parameters, most: int = MOST) -> int:
    wanted = whole(parameters, "limit")
    if wanted is not None and wanted < 1:
        raise RefusedError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(LIMIT if wanted is None else wanted, most)


def _book(exchange: Exchange, parameters: Parameters) -> Book:
    symbol = parameters.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise missing("symbol")
    return exchange.book(symbol)


# --- what anybody may ask -----------------------------------------------------------------------


def ping(_exchange: Exchange, _parameters: Parameters) -> Any:
    """Answer nothing."""
    return {}


def server_time(exchange: Exchange, _parameters: Parameters) -> Any:
    """Give the exchange's time."""
    return {"serverTime": exchange.clock()}


def exchange_info(exchange: Exchange, parameters: Parameters) -> Any:
    """Give the markets, or one."""
    books = [_book(exchange, parameters)] if "symbol" in parameters else exchange.books.values()
    return {
        "timezone": "UTC",
        "serverTime": exchange.clock(),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
        ],
        "exchangeFilters": [],
        "symbols": [messages.market_row(book) for book in books],
    }


def depth(exchange: Exchange, parameters: Parameters) -> Any:
    """Give a book."""
    book, most = _book(exchange, parameters), min(whole(parameters, "limit") or 100, 5_000)
    bids, asks = (
        [[price_text(price), amount_text(amount)] for price, amount in book.levels(buy=buy, most=most)]
        for buy in (True, False)
    )
    return {"lastUpdateId": book.update_id, "bids": bids, "asks": asks}


def trades(exchange: Exchange, parameters: Parameters) -> Any:
    """Give the last prints of a market, oldest first."""
    last = _book(exchange, parameters).prints.last
    return [messages.trade_row(one) for one in islice(last, max(len(last) - _limit(parameters), 0), None)]


def agg_trades(exchange: Exchange, parameters: Parameters) -> Any:
    """Give prints from an id or a time on, else the last."""
    last = _book(exchange, parameters).prints.last
    first, start, end = (whole(parameters, name) for name in ("fromId", "startTime", "endTime"))
    fit = [
        one
        for one in last
        if (first is None or one.id >= first)
        and (start is None or one.ms >= start)
        and (end is None or one.ms <= end)
    ]
    limit = _limit(parameters)
    return [
        messages.agg_trade_row(one)
        for one in (fit[-limit:] if first is None and start is None else fit[:limit])
    ]


def klines(exchange: Exchange, parameters: Parameters) -> Any:
    """Give candles."""
    minutes = INTERVALS.get(str(parameters.get("interval")))
    if minutes is None:
        raise RefusedError(-1120, "Invalid interval.")
    length_ms = minutes * MINUTE_MS
    start, end = whole(parameters, "startTime"), whole(parameters, "endTime")
    fit = [
        one
        for one in _book(exchange, parameters).prints.candles(length_ms)
        if (start is None or one.ms >= start) and (end is None or one.ms <= end)
    ]
    limit = _limit(parameters)
    chosen = fit[-limit:] if start is None else fit[:limit]
    return [messages.candle_row(one, length_ms) for one in chosen]


def book_ticker(exchange: Exchange, parameters: Parameters) -> Any:
    """Give best bid and ask, of one market or of all."""

    def row(book: Book) -> dict[str, str]:
        bid, bid_size, ask, ask_size = book.top()
        return {
            "symbol": book.venue_symbol,
            "bidPrice": price_text(bid),
            "bidQty": amount_text(bid_size),
            "askPrice": price_text(ask),
            "askQty": amount_text(ask_size),
        }

    if "symbol" in parameters:
        return row(_book(exchange, parameters))
    return [row(book) for book in exchange.books.values()]


PUBLIC: dict[str, Callable[[Exchange, Parameters], Any]] = {
    "ping": ping,
    "time": server_time,
    "exchangeInfo": exchange_info,
    "depth": depth,
    "trades": trades,
    "aggTrades": agg_trades,
    "klines": klines,
    "ticker/bookTicker": book_ticker,
}
"""By their name in the REST API."""


# --- what the holder of a key may ask -------------------------------------------------------------


def place_order(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Place an order."""
    if not key.can_trade:
        raise RefusedError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    book = _book(exchange, parameters)
    for name in ("side", "type"):
        if not parameters.get(name):
            raise missing(name)
    if parameters["type"] == "LIMIT" and not parameters.get("timeInForce"):
        raise missing("timeInForce")
    account, symbol = key.account, book.symbol
    before = len(account.by_symbol.get(symbol, ()))
    order = exchange.place(
        account,
        symbol,
        str(parameters["side"]),
        str(parameters["type"]),
        parameters.get("quantity"),
        parameters.get("price"),
        time_in_force=str(parameters.get("timeInForce") or "GTC"),
        client_id=parameters.get("newClientOrderId"),
        quote_amount=parameters.get("quoteOrderQty"),
    )
    made = account.by_symbol.get(symbol, ())[before:]
    return messages.placed_row(order, [one for one in made if one.order is order])


def cancel_order(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Cancel an order."""
    book, number = _book(exchange, parameters), whole(parameters, "orderId")
    which = parameters.get("origClientOrderId") if number is None else number
    if which is None:
        raise missing("orderId")
    return messages.cancelled_row(exchange.cancel(key.account, book.symbol, which))


def cancel_orders(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Cancel all open orders of a market."""
    book = _book(exchange, parameters)
    found = _open(key.account, book)
    if not found:
        raise RefusedError(-2011, "Unknown order sent.")
    return [messages.cancelled_row(exchange.cancel(key.account, book.symbol, one.id)) for one in found]


def order_status(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Tell of one order."""
    book, number = _book(exchange, parameters), whole(parameters, "orderId")
    name, account = parameters.get("origClientOrderId"), key.account
    order = account.orders.get(number) if number is not None else account.by_client_id.get(str(name))
    if order is None or order.book is not book:
        raise RefusedError(-2013, "Order does not exist.")
    return messages.order_row(order)


def open_orders(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Tell of the orders that can still trade."""
    book = _book(exchange, parameters) if "symbol" in parameters else None
    return [messages.order_row(order) for order in _open(key.account, book)]


def all_orders(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Tell of all orders of a market, oldest first."""
    book, first = _book(exchange, parameters), whole(parameters, "orderId")
    found = [
        order
        for order in key.account.orders.values()
        if order.book is book and (first is None or order.id >= first)
    ]
    limit = _limit(parameters)
    return [messages.order_row(order) for order in (found[-limit:] if first is None else found[:limit])]


def my_trades(exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Tell of executions in a market: from an id or a time on, else the last; oldest first."""
    book = _book(exchange, parameters)
    made: list[Execution] = key.account.by_symbol.get(book.symbol, [])
    limit, order = _limit(parameters), whole(parameters, "orderId")
    first, start, end = (whole(parameters, name) for name in ("fromId", "startTime", "endTime"))
    if start is not None and end is not None and end - start > DAY_MS:
        raise RefusedError(-1127, "More than 24 hours between startTime and endTime.")
    if order is not None:
        made = [one for one in made if one.order.id == order]
    low = 0
    if first is not None:
        low = bisect_left(made, first, key=lambda one: one.id)
    if start is not None:
        low = max(low, bisect_left(made, start, key=lambda one: one.ms))
    high = len(made) if end is None else bisect_left(made, end + 1, key=lambda one: one.ms)
    if first is None and start is None:
        low = max(high - limit, 0)
    return [messages.my_trade_row(one) for one in made[low : min(high, low + limit)]]


def account_status(_exchange: Exchange, key: Key, parameters: Parameters) -> Any:
    """Tell what the account holds."""
    row = messages.account_row(key.account)
    if str(parameters.get("omitZeroBalances", "")).lower() == "true":
        row["balances"] = [one for one in row["balances"] if float(one["free"]) or float(one["locked"])]
    return row


def restrictions(_exchange: Exchange, key: Key, _parameters: Parameters) -> Any:
    """Tell what the key may do."""
    return {
        "ipRestrict": key.ip_restricted,
        "createTime": key.created_ms,
        "enableReading": True,
        "enableSpotAndMarginTrading": key.can_trade,
        "enableWithdrawals": key.can_withdraw,
        "enableInternalTransfer": key.can_transfer,
        "permitsUniversalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }


def _open(account: Account, book: Book | None) -> list[Order]:
    return [
        order for order in account.orders.values() if order.is_open and (book is None or order.book is book)
    ]


SIGNED: dict[tuple[str, str], Callable[[Exchange, Key, Parameters], Any]] = {
    ("POST", "order"): place_order,
    ("GET", "order"): order_status,
    ("DELETE", "order"): cancel_order,
    ("GET", "openOrders"): open_orders,
    ("DELETE", "openOrders"): cancel_orders,
    ("GET", "allOrders"): all_orders,
    ("GET", "myTrades"): my_trades,
    ("GET", "account"): account_status,
}
"""By method and name in the REST API."""
