"""Bybit v5's REST API, and the rows that it shares with the streams."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from drainwatch.lab.exchange.accounts import Account, Execution, Key, RefusedError
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.door import Door
from drainwatch.lab.exchange.signatures import is_in_time
from drainwatch.lab.exchange.wording import amount, candles, money, price, unique, whole

_DAY_MS = 86_400_000
WEEK_MS = 7 * _DAY_MS
_PARAMETERS, _KEY, _SIGN, _TIME = 10001, 10003, 10004, 10002
_MOST, _LIMIT = 100, 50
_MOST_CANDLES, _CANDLES = 1_000, 200
_MINUTES = {"1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "D": 1_440}


def category_of(book: Book) -> str:
    """Give the category of a market."""
    return "linear" if book.listing.settle else "spot"


def name_of(book: Book) -> str:
    """Give a market's name, which is only one within its category."""
    return book.listing.base + book.listing.quote


def trade_id(book: Book, number: int) -> str:
    """Give the id of a trade, which both sides and everybody see."""
    return unique(book.symbol, number)


def execution_row(execution: Execution, *, in_stream: bool) -> dict[str, Any]:
    """Give an execution as the stream tells and REST lists it."""
    order, account = execution.order, execution.order.account
    book = order.book
    row = {
        "symbol": name_of(book),
        "orderId": unique("order", order.id),
        "orderLinkId": order.client_id,
        "side": "Buy" if order.buy else "Sell",
        "orderPrice": price(order.price),
        "orderQty": amount(order.amount),
        "leavesQty": amount(order.left),
        "createType": "CreateByUser",
        "orderType": "Market" if order.type == "MARKET" else "Limit",
        "stopOrderType": "UNKNOWN" if in_stream else "",
        "execFee": money(execution.fee),
        "execId": trade_id(book, execution.id),
        "execPrice": price(execution.price),
        "execQty": amount(execution.amount),
        "execType": "Trade",
        "execValue": money(execution.cost),
        "execTime": str(execution.ms),
        "feeCurrency": execution.fee_currency,
        "isMaker": execution.maker,
        "feeRate": f"{(account.maker_fee if execution.maker else account.taker_fee) / 1e6:g}",
        "tradeIv": "",
        "markIv": "",
        "markPrice": price(execution.mark) if execution.mark else "",
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": "0",
        "seq": execution.id,
    }
    return {"category": category_of(book), "isLeverage": "0", **row} if in_stream else row


def coin_row(account: Account, currency: str) -> dict[str, Any]:
    """Give what an account holds of a currency."""
    total, locked = account.total(currency), account.locked.get(currency, 0)
    return {
        "coin": currency,
        "equity": money(total),
        "walletBalance": money(total),
        "usdValue": "",
        "unrealisedPnl": "0",
        "cumRealisedPnl": "0",
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": "0",
        "totalPositionIM": "0",
        "totalPositionMM": "0",
        "locked": money(locked),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "spotBorrow": "0",
    }


class Rest(Door):
    """The handlers."""

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
        query = request.rel_url.raw_query_string
        given = dict(parse_qsl(query, keep_blank_values=True))
        path = request.path
        public = {
            "/v5/market/time": self._time,
            "/v5/market/instruments-info": self._markets,
            "/v5/market/kline": self._candles,
        }
        private = {
            "/v5/execution/list": self._executions,
            "/v5/account/wallet-balance": self._wallet,
            "/v5/account/info": self._account,
            "/v5/user/query-api": self._rights,
            "/v5/asset/coin/query-info": self._coins,
        }
        if request.method == "GET" and path in public:
            found = public[path](given)
        elif request.method == "GET" and path in private:
            found = private[path](self._key(request, query + body), given)
        else:
            raise RefusedError(_PARAMETERS, "There is no such endpoint here.", 404)
        return self._said(0, "OK", found)

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        return self._said(error.code, str(error), {})

    def too_many(self, status: int) -> Any:  # noqa: ARG002 - it says the same of both
        """Give what is said to who asks too often."""
        return self._said(10006, "Too many visits. Exceeded the API Rate Limit.", {})

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        return self._said(10016, "Server error.", {})

    def page(self, result: Any) -> list[Any] | None:
        """Give the list in an answer, if there is one."""
        found = result["result"].get("list")
        return found if isinstance(found, list) else None

    def _said(self, code: int, text: str, found: dict[str, Any]) -> dict[str, Any]:
        return {
            "retCode": code, "retMsg": text, "result": found, "retExtInfo": {},
            "time": self._exchange.clock(),
        }  # fmt: skip

    def _key(self, request: web.Request, signed: str) -> Key:
        """Give the key that signed a request."""
        headers = request.headers
        text, at = headers.get("X-BAPI-API-KEY", ""), headers.get("X-BAPI-TIMESTAMP", "")
        window = headers.get("X-BAPI-RECV-WINDOW", "5000")
        key = self._exchange.keys.get(text)
        if key is None or not key.is_valid(self._exchange.clock()):
            raise RefusedError(_KEY, "API key is invalid.")
        if (
            not at.isdecimal()
            or not window.isdecimal()
            or not is_in_time(self._exchange, int(at), int(window))
        ):
            raise RefusedError(
                _TIME, "invalid request, please check your server timestamp or recv_window param"
            )
        made = hmac.new(
            key.secret.encode(), f"{at}{text}{window}{signed}".encode(), hashlib.sha256
        ).hexdigest()
        if not hmac.compare_digest(made.encode(), headers.get("X-BAPI-SIGN", "").encode()):
            raise RefusedError(_SIGN, "error sign! please check your signature generation algorithm.")
        return key

    # --- what anybody may ask -----------------------------------------------------------------------

    def _time(self, _given: dict[str, str]) -> dict[str, Any]:
        now = self._exchange.clock()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def _markets(self, given: dict[str, str]) -> dict[str, Any]:
        category = given.get("category", "")
        if category not in {"spot", "linear", "inverse", "option"}:
            raise RefusedError(_PARAMETERS, "params error: Category is invalid")
        listed = [] if given.get("status") == "PreLaunch" else list(self._exchange.books.values())
        rows = [_market_row(book) for book in listed if category_of(book) == category]
        return {"category": category, "list": rows, "nextPageCursor": ""}

    def _candles(self, given: dict[str, str]) -> dict[str, Any]:
        book = self._book(given)
        minutes = _MINUTES.get(given.get("interval", ""))
        if minutes is None:
            raise RefusedError(_PARAMETERS, "Invalid period!")
        start, end = (whole(given.get(name), name, _PARAMETERS) for name in ("start", "end"))
        limit = min(whole(given.get("limit"), "limit", _PARAMETERS) or _CANDLES, _MOST_CANDLES)
        fit = [
            one
            for one in candles(book.prints, minutes * 60_000)
            if (start is None or one.ms >= start) and (end is None or one.ms <= end)
        ]
        fit = fit[-limit:] if start is None else fit[:limit]
        rows = [
            [
                str(one.ms), price(one.open), price(one.high), price(one.low), price(one.close),
                amount(one.amount), money(one.quote),
            ]
            for one in reversed(fit)
        ]  # fmt: skip
        return {"category": category_of(book), "symbol": name_of(book), "list": rows}

    def _book(self, given: dict[str, str]) -> Book:
        category, symbol = given.get("category", ""), given.get("symbol", "")
        for book in self._exchange.books.values():
            if category_of(book) == category and name_of(book) == symbol:
                return book
        raise RefusedError(_PARAMETERS, "Not supported symbols")

    # --- what the holder of a key may ask -----------------------------------------------------------

    def _executions(self, key: Key, given: dict[str, str]) -> dict[str, Any]:
        category = given.get("category", "")
        if category not in {"spot", "linear", "inverse", "option"}:
            raise RefusedError(_PARAMETERS, "params error: Category is invalid")
        start, end, cursor, limit = (
            whole(given.get(name), name, _PARAMETERS) for name in ("startTime", "endTime", "cursor", "limit")
        )
        limit = _LIMIT if limit is None else limit
        if not 1 <= limit <= _MOST:
            raise RefusedError(_PARAMETERS, "limit should be in the range of [1,100]")
        if start is not None and end is not None and end - start > WEEK_MS:
            raise RefusedError(
                _PARAMETERS, "The time range between startTime and endTime cannot exceed 7 days"
            )
        if start is None:
            start = (self._exchange.clock() if end is None else end) - WEEK_MS
        end = start + WEEK_MS if end is None else end
        fit = [
            one
            for one in reversed(key.account.executions)
            if start <= one.ms <= end
            and category_of(one.order.book) == category
            and given.get("symbol", name_of(one.order.book)) == name_of(one.order.book)
            and given.get("execType", "Trade") == "Trade"
        ]
        first = cursor or 0
        more = str(first + limit) if first + limit < len(fit) else ""
        rows = [execution_row(one, in_stream=False) for one in fit[first : first + limit]]
        return {"category": category, "list": rows, "nextPageCursor": more}

    def _wallet(self, key: Key, given: dict[str, str]) -> dict[str, Any]:
        if given.get("accountType") != "UNIFIED":
            raise RefusedError(_PARAMETERS, "accountType only support UNIFIED.")
        coins = [coin_row(key.account, name) for name in key.account.currencies()]
        return {"list": [{"accountType": "UNIFIED", "totalEquity": "", "coin": coins}]}

    def _account(self, key: Key, _given: dict[str, str]) -> dict[str, Any]:
        return {
            "marginMode": "REGULAR_MARGIN", "updatedTime": str(key.account.updated_ms),
            "unifiedMarginStatus": 6, "isMasterTrader": False, "spotHedgingStatus": "OFF",
        }  # fmt: skip

    def _rights(self, key: Key, _given: dict[str, str]) -> dict[str, Any]:
        writes = key.can_trade or key.can_withdraw or key.can_transfer
        wallet = ["AccountTransfer", "SubMemberTransfer"] if key.can_transfer else []
        wallet += ["Withdraw"] if key.can_withdraw else []
        trades = key.can_trade or not writes  # a key that only reads lists what it may look at
        left = (key.expires_ms - self._exchange.clock()) // _DAY_MS if key.expires_ms else 0
        return {
            "id": "1", "note": "", "apiKey": key.text, "readOnly": 0 if writes else 1, "secret": "",
            "permissions": {
                "Spot": ["SpotTrade"] if trades else [],
                "ContractTrade": ["Order", "Position"] if trades else [], "Wallet": wallet,
            },
            "ips": ["127.0.0.1"] if key.ip_restricted else ["*"], "type": 1, "deadlineDay": left,
            "expiredAt": _written(key.expires_ms) if key.expires_ms else "",
            "createdAt": _written(key.created_ms), "unified": 0, "uta": 1, "userID": 1,
            "isMaster": True, "parentUid": "0",
        }  # fmt: skip

    def _coins(self, _key: Key, _given: dict[str, str]) -> dict[str, Any]:
        return {"rows": []}


def _written(ms: int) -> str:
    """Write a time as the venue does here: `2025-10-13T03:20:45Z`."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _market_row(book: Book) -> dict[str, Any]:
    """Give a market as `instruments-info` lists it."""
    listing = book.listing
    tick, lot = price(listing.tick), amount(listing.lot)
    row = {
        "symbol": name_of(book), "baseCoin": listing.base, "quoteCoin": listing.quote, "status": "Trading",
        "priceFilter": {"tickSize": tick},
    }  # fmt: skip
    if not listing.settle:
        return row | {
            "innovation": "0", "marginTrading": "none",
            "lotSizeFilter": {
                "basePrecision": lot, "quotePrecision": "0.00000001", "minOrderQty": lot,
                "maxOrderQty": "1000000", "minOrderAmt": "1", "maxOrderAmt": "4000000",
            },
        }  # fmt: skip
    return row | {
        "contractType": "LinearPerpetual", "launchTime": "1585526400000", "deliveryTime": "0",
        "deliveryFeeRate": "", "priceScale": "2", "settleCoin": listing.settle, "fundingInterval": 480,
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {
            "minNotionalValue": "5", "maxOrderQty": "1190", "minOrderQty": lot, "qtyStep": lot,
        },
    }  # fmt: skip
