"""OKX v5's REST API, and the rows that it shares with the streams."""

from __future__ import annotations

import base64
import hashlib
import hmac
from bisect import bisect_left
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from drainwatch.lab.exchange.accounts import Account, Execution, Key, RefusedError
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.door import Door
from drainwatch.lab.exchange.signatures import is_in_time
from drainwatch.lab.exchange.wording import amount, candles, money, price, whole

WINDOW_MS = 30_000
_MOST = 100
_MOST_CANDLES = 300
_PARAMETER = 51000
_PASSPHRASE, _TIME, _EXPIRED, _KEY, _SIGN = 50105, 50112, 50102, 50111, 50113
_BARS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "4H": 240}
TYPES = frozenset({"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"})


def type_of(book: Book) -> str:
    """Give the kind of a market."""
    return "SWAP" if book.listing.settle else "SPOT"


def name_of(book: Book) -> str:
    """Give a market's name: `ETH-BTC`, `BTC-USDT-SWAP`."""
    listing = book.listing
    return f"{listing.base}-{listing.quote}" + ("-SWAP" if listing.settle else "")


def signature(secret: str, payload: str) -> str:
    """Sign a text."""
    return base64.b64encode(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()).decode()


def fits(secret: str, payload: str, given: object) -> bool:
    """Tell whether a signature is that of a text."""
    return hmac.compare_digest(signature(secret, payload).encode(), str(given).encode())


def charge(fee: int) -> str:
    """Write a fee: a charge is negative, a rebate positive."""
    return money(-fee) if fee else "0"


def fill_row(execution: Execution, bill: int) -> dict[str, Any]:
    """Give an execution as REST lists it; `bill` counts what the account has done."""
    order = execution.order
    account = order.account
    rate = account.maker_fee if execution.maker else account.taker_fee
    return {
        "instType": type_of(order.book),
        "instId": name_of(order.book),
        "tradeId": str(execution.id),
        "ordId": str(order.id),
        "clOrdId": order.client_id,
        "billId": str(bill),
        "subType": "1" if order.buy else "2",
        "tag": "",
        "fillPx": price(execution.price),
        "fillSz": amount(execution.amount),
        "fillIdxPx": "",
        "fillPnl": "0",
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillMarkPx": price(execution.mark) if execution.mark else "",
        "side": "buy" if order.buy else "sell",
        "posSide": "net",
        "execType": "M" if execution.maker else "T",
        "feeCcy": execution.fee_currency,
        "fee": charge(execution.fee),
        "feeRate": f"{-rate / 1e6:g}",
        "ts": str(execution.ms),
        "fillTime": str(execution.ms),
    }


def account_row(account: Account, currencies: list[str], now: int) -> dict[str, Any]:
    """Give what an account holds of some currencies."""
    at = str(account.updated_ms or now)
    return {
        "uTime": str(now),
        "totalEq": "",
        "adjEq": "",
        "details": [
            {
                "ccy": name,
                "eq": money(account.total(name)),
                "cashBal": money(account.total(name)),
                "availBal": money(account.free.get(name, 0)),
                "availEq": "",
                "frozenBal": money(account.locked.get(name, 0)),
                "ordFrozen": money(account.locked.get(name, 0)),
                "liab": "",
                "upl": "0",
                "uTime": at,
            }
            for name in currencies
        ],
    }


class Rest(Door):
    """The handlers."""

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
        query = request.rel_url.raw_query_string
        given = dict(parse_qsl(query, keep_blank_values=True))
        path = request.path.removeprefix("/api/v5/")
        public = {
            "public/time": self._time,
            "public/instruments": self._markets,
            "market/candles": self._candles,
            "market/history-candles": self._candles,
        }
        private = {
            "trade/fills": self._fills,
            "trade/fills-history": self._fills,
            "account/balance": self._balance,
            "account/config": self._config,
            "asset/currencies": self._currencies,
        }
        if request.method == "GET" and path in public:
            found = public[path](given)
        elif request.method == "GET" and path in private:
            target = f"{request.path}?{query}" if query else request.path
            found = private[path](self._key(request, target + body), given)
        else:
            raise RefusedError(50404, "There is no such endpoint here.", 404)
        return {"code": "0", "msg": "", "data": found}

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        return {"code": str(error.code), "msg": str(error), "data": []}

    def too_many(self, status: int) -> Any:  # noqa: ARG002 - it says the same of both
        """Give what is said to who asks too often."""
        return {"code": "50011", "msg": "Too Many Requests", "data": []}

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        return {
            "code": "50004", "msg": "API endpoint request timeout (does not mean that the request failed)",
            "data": [],
        }  # fmt: skip

    def page(self, result: Any) -> list[Any] | None:
        """Give the list in an answer."""
        found: list[Any] = result["data"]
        return found

    def _key(self, request: web.Request, signed: str) -> Key:
        """Give the key that signed a request."""
        headers = request.headers
        key = self._exchange.keys.get(headers.get("OK-ACCESS-KEY", ""))
        if key is None or not key.is_valid(self._exchange.clock()):
            raise RefusedError(_KEY, "Invalid OK-ACCESS-KEY", 401)
        at = headers.get("OK-ACCESS-TIMESTAMP", "")
        try:
            at_ms = round(datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1000)
        except ValueError:
            raise RefusedError(_TIME, "Invalid OK-ACCESS-TIMESTAMP", 401) from None
        if not is_in_time(self._exchange, at_ms, WINDOW_MS):
            raise RefusedError(_EXPIRED, "Timestamp request expired", 401)
        if headers.get("OK-ACCESS-PASSPHRASE") != key.passphrase:
            raise RefusedError(_PASSPHRASE, "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
        if not fits(key.secret, f"{at}{request.method}{signed}", headers.get("OK-ACCESS-SIGN", "")):
            raise RefusedError(_SIGN, "Invalid Sign", 401)
        return key

    # --- what anybody may ask -----------------------------------------------------------------------

    def _time(self, _given: dict[str, str]) -> list[Any]:
        return [{"ts": str(self._exchange.clock())}]

    def _markets(self, given: dict[str, str]) -> list[Any]:
        kind = given.get("instType")
        if kind not in TYPES:
            raise RefusedError(_PARAMETER, "Parameter instType error", 400)
        return [_market_row(book) for book in self._exchange.books.values() if type_of(book) == kind]

    def _candles(self, given: dict[str, str]) -> list[Any]:
        books = {name_of(book): book for book in self._exchange.books.values()}
        book, minutes = books.get(given.get("instId", "")), _BARS.get(given.get("bar", "1m"))
        if book is None:
            raise RefusedError(51001, "Instrument ID doesn't exist.", 400)
        if minutes is None:
            raise RefusedError(_PARAMETER, "Parameter bar error", 400)
        before, after, limit = (
            whole(given.get(name), name, _PARAMETER) for name in ("before", "after", "limit")
        )
        now, length = self._exchange.clock(), minutes * 60_000
        fit = [
            one
            for one in candles(book.prints, length)
            if (before is None or one.ms > before) and (after is None or one.ms < after)
        ][-min(limit or 100, _MOST_CANDLES) :]
        size = book.listing.contract_size
        rows = []
        for one in reversed(fit):
            base = one.amount * size // 10**8 if book.listing.settle else one.amount
            quote = one.quote * size // 10**8 if book.listing.settle else one.quote
            done = "1" if one.ms + length <= now else "0"
            prices = [price(part) for part in (one.open, one.high, one.low, one.close)]
            rows.append([str(one.ms), *prices, amount(one.amount), amount(base), money(quote), done])
        return rows

    # --- what the holder of a key may ask -----------------------------------------------------------

    def _fills(self, key: Key, given: dict[str, str]) -> list[Any]:
        """List executions, the newest first: from a time on the last that there are room for."""
        kind = given.get("instType")
        if kind not in TYPES | {None}:
            raise RefusedError(_PARAMETER, "Parameter instType error", 400)
        begin, end, after, before, limit = (
            whole(given.get(name), name, _PARAMETER) for name in ("begin", "end", "after", "before", "limit")
        )
        made = key.account.executions
        low = 0 if begin is None else bisect_left(made, begin, key=lambda one: one.ms)
        high = len(made) if end is None else bisect_left(made, end + 1, key=lambda one: one.ms)
        low = low if before is None else max(low, before)
        high = high if after is None else min(high, after - 1)
        rows: list[Any] = []
        for number in range(high - 1, low - 1, -1):
            one = made[number]
            if kind in {None, type_of(one.order.book)} and given.get("instId") in {
                None,
                name_of(one.order.book),
            }:
                rows.append(fill_row(one, number + 1))
            if len(rows) == min(limit or _MOST, _MOST):
                break
        return rows

    def _balance(self, key: Key, _given: dict[str, str]) -> list[Any]:
        return [account_row(key.account, key.account.currencies(), self._exchange.clock())]

    def _config(self, key: Key, _given: dict[str, str]) -> list[Any]:
        granted = {"read_only": True, "trade": key.can_trade, "withdraw": key.can_withdraw}
        return [
            {
                "uid": "1", "mainUid": "1", "acctLv": "2", "posMode": "net_mode", "level": "Lv1",
                "perm": ",".join(name for name, may in granted.items() if may), "label": "",
                "ip": "127.0.0.1" if key.ip_restricted else "", "kycLv": "2", "roleType": "0", "type": "0",
            }
        ]  # fmt: skip

    def _currencies(self, _key: Key, _given: dict[str, str]) -> list[Any]:
        return []


def _market_row(book: Book) -> dict[str, Any]:
    """Give a market as `instruments` lists it."""
    listing, swap = book.listing, bool(book.listing.settle)
    lot = amount(listing.lot)
    return {
        "instType": type_of(book), "instId": name_of(book), "state": "live",
        "baseCcy": "" if swap else listing.base, "quoteCcy": "" if swap else listing.quote,
        "settleCcy": listing.settle, "uly": f"{listing.base}-{listing.quote}" if swap else "",
        "instFamily": f"{listing.base}-{listing.quote}" if swap else "",
        "ctType": "linear" if swap else "", "ctVal": amount(listing.contract_size) if swap else "",
        "ctValCcy": listing.base if swap else "", "ctMult": "1" if swap else "",
        "tickSz": price(listing.tick), "lotSz": lot, "minSz": lot, "maxLmtSz": "100000000",
        "maxMktSz": "1000000", "lever": "100" if swap else "", "listTime": "1573557408000", "expTime": "",
        "category": "1", "alias": "", "stk": "", "optType": "", "ruleType": "normal",
    }  # fmt: skip
