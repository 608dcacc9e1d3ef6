"""Binance spot's messages, as bytes ready to be sent.

Events are written by hand: they are what has to be fast. All times are ms since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drainwatch.lab.exchange.accounts import Account, Execution, Order
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.prints import MINUTE_MS, Minute, Print
from drainwatch.lab.exchange.units import amount_text, money_text, price_text

ZERO = "0.00000000"


def execution_report(order: Order, what: str, now: int, execution: Execution | None = None) -> bytes:
    """Write an order's news; `what` is the execution type."""
    client, original = (
        (f"cx{order.id:020x}", order.client_id) if what == "CANCELED" else (order.client_id, "")
    )
    if execution is None:
        last = f'"l":"{ZERO}","z":"{amount_text(order.filled)}","L":"{ZERO}","n":"0","N":null'
        trade, maker, quote, at = -1, "false", ZERO, order.updated_ms
    else:
        last = (
            f'"l":"{amount_text(execution.amount)}","z":"{amount_text(order.filled)}",'
            f'"L":"{price_text(execution.price)}","n":"{money_text(execution.fee)}",'
            f'"N":"{execution.fee_currency}"'
        )
        trade, quote, at = execution.id, money_text(execution.cost), execution.ms
        maker = "true" if execution.maker else "false"
    works = "true" if order.is_open and order.type != "MARKET" else "false"
    return (
        f'{{"e":"executionReport","E":{now},"s":"{order.book.venue_symbol}","c":"{client}",'
        f'"S":"{order.side}","o":"{order.type}","f":"{order.time_in_force}",'
        f'"q":"{amount_text(order.amount)}","p":"{price_text(order.price)}","P":"{ZERO}","F":"{ZERO}",'
        f'"g":-1,"C":"{original}","x":"{what}","X":"{order.status}","r":"NONE","i":{order.id},{last},'
        f'"T":{at},"t":{trade},"I":{2 * order.id + 1},"w":{works},"m":{maker},"M":false,'
        f'"O":{order.created_ms},"Z":"{money_text(order.spent)}","Y":"{quote}",'
        f'"Q":"{money_text(order.budget)}","W":{order.created_ms},"V":"NONE"}}'
    ).encode()


def account_position(account: Account, currencies: Iterable[str], now: int) -> bytes:
    """Write what an account holds of some currencies."""
    rows = ",".join(
        f'{{"a":"{name}","f":"{money_text(account.free.get(name, 0))}",'
        f'"l":"{money_text(account.locked.get(name, 0))}"}}'
        for name in currencies
    )
    return (f'{{"e":"outboundAccountPosition","E":{now},"u":{account.updated_ms},"B":[{rows}]}}').encode()


def balance_update(currency: str, money: int, now: int) -> bytes:
    """Write that money came from outside, or went there (negative)."""
    return (
        f'{{"e":"balanceUpdate","E":{now},"a":"{currency}","d":"{money_text(money)}","T":{now}}}'
    ).encode()


def terminated(now: int) -> bytes:
    """Write that a user stream has ended."""
    return f'{{"e":"eventStreamTerminated","E":{now}}}'.encode()


def trade(book: Book, made: Print, now: int, *, orders: bool) -> bytes:
    """Write a print, with the ids of both orders or without."""
    ids = f'"b":{made.buy_order},"a":{made.sell_order},' if orders else ""
    return (
        f'{{"e":"trade","E":{now},"s":"{book.venue_symbol}","t":{made.id},"p":"{price_text(made.price)}",'
        f'"q":"{amount_text(made.amount)}",{ids}"T":{made.ms},'
        f'"m":{"true" if made.buyer_made else "false"},"M":true}}'
    ).encode()


def agg_trade(book: Book, made: Print, now: int) -> bytes:
    """Write a print as an aggregate of one."""
    return (
        f'{{"e":"aggTrade","E":{now},"s":"{book.venue_symbol}","a":{made.id},"p":"{price_text(made.price)}",'
        f'"q":"{amount_text(made.amount)}","f":{made.id},"l":{made.id},"T":{made.ms},'
        f'"m":{"true" if made.buyer_made else "false"},"M":true}}'
    ).encode()


def book_ticker(book: Book) -> bytes:
    """Write the best bid and ask. Binance gives no time with it."""
    bid, bid_size, ask, ask_size = book.top()
    return (
        f'{{"u":{book.update_id},"s":"{book.venue_symbol}","b":"{price_text(bid)}",'
        f'"B":"{amount_text(bid_size)}","a":"{price_text(ask)}","A":"{amount_text(ask_size)}"}}'
    ).encode()


def depth_update(book: Book, first_id: int, touched: Iterable[tuple[bool, int]], now: int) -> bytes:
    """Write the amounts now at the prices of some levels (whether bid, price)."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    for bid, price in touched:
        sides[bid].append(f'["{price_text(price)}","{amount_text(book.level(buy=bid, price=price))}"]')
    return (
        f'{{"e":"depthUpdate","E":{now},"s":"{book.venue_symbol}","U":{first_id},"u":{book.update_id},'
        f'"b":[{",".join(sides[True])}],"a":[{",".join(sides[False])}]}}'
    ).encode()


def kline(book: Book, minute: Minute, now: int) -> bytes:
    """Write a candle as far as it has come."""
    closed = "true" if now >= minute.ms + MINUTE_MS else "false"
    return (
        f'{{"e":"kline","E":{now},"s":"{book.venue_symbol}","k":{{"t":{minute.ms},'
        f'"T":{minute.ms + MINUTE_MS - 1},"s":"{book.venue_symbol}","i":"1m","f":{minute.first_id},'
        f'"L":{minute.last_id},"o":"{price_text(minute.open)}","c":"{price_text(minute.close)}",'
        f'"h":"{price_text(minute.high)}","l":"{price_text(minute.low)}","v":"{amount_text(minute.amount)}",'
        f'"n":{minute.count},"x":{closed},"q":"{money_text(minute.quote)}",'
        f'"V":"{amount_text(minute.taker_amount)}","Q":"{money_text(minute.taker_quote)}","B":"0"}}}}'
    ).encode()


# --- answers of REST and of the websocket API -------------------------------------------------------


def candle_row(minute: Minute, length_ms: int = MINUTE_MS) -> list[Any]:
    """Give a candle of a length as `klines` lists it."""
    return [
        minute.ms, price_text(minute.open), price_text(minute.high), price_text(minute.low),
        price_text(minute.close), amount_text(minute.amount), minute.ms + length_ms - 1,
        money_text(minute.quote), minute.count, amount_text(minute.taker_amount),
        money_text(minute.taker_quote), "0",
    ]  # fmt: skip


def trade_row(made: Print) -> dict[str, Any]:
    """Give a print as `trades` lists it."""
    return {
        "id": made.id,
        "price": price_text(made.price),
        "qty": amount_text(made.amount),
        "quoteQty": money_text(made.price * made.amount),
        "time": made.ms,
        "isBuyerMaker": made.buyer_made,
        "isBestMatch": True,
    }


def agg_trade_row(made: Print) -> dict[str, Any]:
    """Give a print as `aggTrades` lists it."""
    return {
        "a": made.id, "p": price_text(made.price), "q": amount_text(made.amount), "f": made.id, "l": made.id,
        "T": made.ms, "m": made.buyer_made, "M": True,
    }  # fmt: skip


def my_trade_row(execution: Execution) -> dict[str, Any]:
    """Give an execution as `myTrades` lists it."""
    order = execution.order
    return {
        "symbol": order.book.venue_symbol,
        "id": execution.id,
        "orderId": order.id,
        "orderListId": -1,
        "price": price_text(execution.price),
        "qty": amount_text(execution.amount),
        "quoteQty": money_text(execution.cost),
        "commission": money_text(execution.fee),
        "commissionAsset": execution.fee_currency,
        "time": execution.ms,
        "isBuyer": order.buy,
        "isMaker": execution.maker,
        "isBestMatch": True,
    }


def order_row(order: Order) -> dict[str, Any]:
    """Give an order as `order` and `openOrders` tell it."""
    return {
        "symbol": order.book.venue_symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": price_text(order.price),
        "origQty": amount_text(order.amount),
        "executedQty": amount_text(order.filled),
        "cummulativeQuoteQty": money_text(order.spent),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_open,
        "workingTime": order.created_ms,
        "origQuoteOrderQty": money_text(order.budget),
        "selfTradePreventionMode": "NONE",
    }


def placed_row(order: Order, executions: Iterable[Execution]) -> dict[str, Any]:
    """Give the full answer to a new order."""
    row = order_row(order)
    for name in ("stopPrice", "icebergQty", "time", "updateTime", "isWorking"):
        del row[name]
    return row | {
        "transactTime": order.updated_ms,
        "fills": [
            {
                "price": price_text(one.price),
                "qty": amount_text(one.amount),
                "commission": money_text(one.fee),
                "commissionAsset": one.fee_currency,
                "tradeId": one.id,
            }
            for one in executions
        ],
    }


def cancelled_row(order: Order) -> dict[str, Any]:
    """Give the answer to a cancelled order."""
    row = placed_row(order, ())
    del row["fills"]
    return row | {"origClientOrderId": order.client_id, "clientOrderId": f"cx{order.id:020x}"}


def account_row(account: Account) -> dict[str, Any]:
    """Give what an account holds and pays, as `account` tells it."""
    maker, taker = (f"{rate / 1e6:.8f}" for rate in (account.maker_fee, account.taker_fee))
    return {
        "makerCommission": account.maker_fee // 100,
        "takerCommission": account.taker_fee // 100,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": maker, "taker": taker, "buyer": ZERO, "seller": ZERO},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.updated_ms,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": name,
                "free": money_text(account.free.get(name, 0)),
                "locked": money_text(account.locked.get(name, 0)),
            }
            for name in account.currencies()
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def market_row(book: Book) -> dict[str, Any]:
    """Give a market as `exchangeInfo` lists it."""
    listing = book.listing
    tick, lot = price_text(listing.tick), amount_text(listing.lot)
    return {
        "symbol": listing.venue_symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": "1000000.00000000",
                "tickSize": tick,
            },
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000000.00000000", "stepSize": lot},
            {
                "filterType": "NOTIONAL",
                "minNotional": money_text(listing.min_notional),
                "applyMinToMarket": False,
                "maxNotional": "9000000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }
