"""Hyperliquid's `info` requests, and the rows that they share with the streams."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from drainwatch.lab.exchange.accounts import Account, Execution, RefusedError
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.door import Door
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.wording import amount, candles, money, pointed, price

MOST = 2_000
"""How many fills a request gives."""

_BAD = 422
_INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
_ZERO = "0.0"
_YEAR_MS = 365 * 86_400_000


def address_of(exchange: Exchange, name: str) -> str:
    """Give an account's address: the first of its keys that is one, else one made of its name."""
    for text, key in exchange.keys.items():
        if key.account.name == name and text.startswith("0x"):
            return text.lower()
    return f"0x{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def account_of(exchange: Exchange, address: object) -> Account | None:
    """Give the account of an address; None for one that never traded."""
    wanted = str(address).lower()
    for name, account in exchange.accounts.items():
        if address_of(exchange, name) == wanted:
            return account
    return None


def spot_books(exchange: Exchange) -> list[Book]:
    """Give the spot markets; their place among them is their number."""
    return [book for book in exchange.books.values() if not book.listing.settle]


def coin_of(exchange: Exchange, book: Book) -> str:
    """Give a market's name: `BTC` for a perpetual, `PURR/USDC` or `@1` for spot."""
    if book.listing.settle:
        return book.listing.base
    if book.listing.base == "PURR":
        return book.symbol
    return f"@{spot_books(exchange).index(book)}"


def fill_row(exchange: Exchange, execution: Execution) -> dict[str, Any]:
    """Give an execution as the stream tells and REST lists it."""
    order, book = execution.order, execution.order.book
    client = order.client_id
    return {
        "coin": coin_of(exchange, book),
        "px": pointed(price(execution.price)),
        "sz": pointed(amount(execution.amount)),
        "side": "B" if order.buy else "A",
        "time": execution.ms,
        "startPosition": _ZERO,
        "dir": ("Open Long" if order.buy else "Open Short")
        if book.listing.settle
        else ("Buy" if order.buy else "Sell"),
        "closedPnl": _ZERO,
        "hash": f"0x{execution.id:064x}",
        "oid": order.id,
        "crossed": not execution.maker,
        "fee": pointed(money(execution.fee)),
        "tid": execution.id,
        **({"cloid": client} if client.startswith("0x") else {}),
        "feeToken": execution.fee_currency,
        "twapId": None,
    }


class Rest(Door):
    """The handler of `POST /info`; other requests are refused."""

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
        try:
            asked = msgspec.json.decode(body)
        except msgspec.DecodeError:
            asked = None
        kind = asked.get("type") if isinstance(asked, dict) else None
        if request.method != "POST" or request.path != "/info" or not isinstance(asked, dict):
            raise RefusedError(0, "Failed to deserialize the JSON body into the target type", _BAD)
        public: dict[object, Callable[[], Any]] = {
            "meta": self._meta,
            "metaAndAssetCtxs": lambda: [self._meta(), self._contexts(perpetuals=True)],
            "spotMeta": self._spot_meta,
            "spotMetaAndAssetCtxs": lambda: [self._spot_meta(), self._contexts(perpetuals=False)],
            "perpDexs": lambda: [None],
            "exchangeStatus": lambda: {"time": self._exchange.clock(), "specialStatuses": None},
        }
        of_user: dict[object, Callable[[Account | None, dict[str, Any]], Any]] = {
            "userFills": self._fills,
            "userFillsByTime": self._fills,
            "clearinghouseState": self._margin,
            "spotClearinghouseState": self._balances,
            "userAbstraction": lambda _account, _asked: "default",
            "extraAgents": self._agents,
        }
        if kind in public:
            return public[kind]()
        if kind in of_user:
            user = asked.get("user")
            if not isinstance(user, str) or len(user) != 42 or not user.startswith("0x"):
                raise RefusedError(0, "Failed to deserialize the JSON body into the target type", _BAD)
            return of_user[kind](account_of(self._exchange, user), asked)
        if kind == "candleSnapshot" and isinstance(asked.get("req"), dict):
            return self._candles(asked["req"])
        raise RefusedError(0, "Failed to deserialize the JSON body into the target type", _BAD)

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        return str(error)

    def too_many(self, status: int) -> Any:  # noqa: ARG002 - it says the same of both
        """Give what is said to who asks too often."""
        return None

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        return None

    def _agents(self, account: Account | None, asked: dict[str, Any]) -> Any:
        """List the wallets that may sign for an account: its keys beside its own address."""
        now = self._exchange.clock()
        return [
            {"name": f"agent {number}", "address": key.text, "validUntil": key.expires_ms or now + _YEAR_MS}
            for number, key in enumerate(self._exchange.keys.values())
            if key.account is account and key.text.lower() != asked["user"].lower() and key.is_valid(now)
        ]

    # --- markets ------------------------------------------------------------------------------------

    def _meta(self) -> dict[str, Any]:
        books = [book for book in self._exchange.books.values() if book.listing.settle]
        universe = [
            {"name": book.listing.base, "szDecimals": _decimals(book), "maxLeverage": 40, "marginTableId": 1}
            for book in books
        ]
        return {"universe": universe, "marginTables": [], "collateralToken": 0}

    def _contexts(self, *, perpetuals: bool) -> list[Any]:
        rows = []
        for book in self._exchange.books.values():
            if bool(book.listing.settle) is perpetuals:
                last = pointed(price(book.prints.last[-1].price)) if book.prints.last else "1.0"
                rows.append({"markPx": last, "midPx": last, "coin": coin_of(self._exchange, book)})
        return rows

    def _tokens(self) -> list[str]:
        names = {"USDC": None}
        for book in spot_books(self._exchange):
            names |= {book.listing.base: None, book.listing.quote: None}
        return list(names)

    def _spot_meta(self) -> dict[str, Any]:
        tokens, books = self._tokens(), spot_books(self._exchange)
        lots = {book.listing.base: _decimals(book) for book in books}
        return {
            "tokens": [
                {
                    "name": name, "szDecimals": lots.get(name, 8), "weiDecimals": 8, "index": number,
                    "tokenId": f"0x{number:032x}", "isCanonical": True,
                }
                for number, name in enumerate(tokens)
            ],
            "universe": [
                {
                    "name": coin_of(self._exchange, book), "index": number, "isCanonical": number == 0,
                    "tokens": [tokens.index(book.listing.base), tokens.index(book.listing.quote)],
                }
                for number, book in enumerate(books)
            ],
        }  # fmt: skip

    def _candles(self, asked: dict[str, Any]) -> list[Any]:
        books = {coin_of(self._exchange, book): book for book in self._exchange.books.values()}
        book, minutes = books.get(str(asked.get("coin"))), _INTERVALS.get(str(asked.get("interval")))
        start, end = asked.get("startTime", 0), asked.get("endTime", 1 << 62)
        if book is None or minutes is None or not isinstance(start, int) or not isinstance(end, int):
            raise RefusedError(0, "Failed to deserialize the JSON body into the target type", _BAD)
        length = minutes * 60_000
        return [
            {
                "t": one.ms, "T": one.ms + length - 1, "s": str(asked["coin"]), "i": str(asked["interval"]),
                "o": pointed(price(one.open)), "c": pointed(price(one.close)),
                "h": pointed(price(one.high)), "l": pointed(price(one.low)),
                "v": pointed(amount(one.amount)), "n": one.count,
            }
            for one in candles(book.prints, length)
            if one.ms + length > start and one.ms <= end
        ]  # fmt: skip

    # --- accounts -----------------------------------------------------------------------------------

    def _fills(self, account: Account | None, asked: dict[str, Any]) -> list[Any]:
        """List executions: the last, newest first; or from a time on, oldest first."""
        made = [] if account is None else account.executions
        if asked["type"] == "userFills":
            return [fill_row(self._exchange, one) for one in made[: -MOST - 1 : -1]]
        start, end = asked.get("startTime"), asked.get("endTime")
        if not isinstance(start, int):
            raise RefusedError(0, "Failed to deserialize the JSON body into the target type", _BAD)
        fit = [one for one in made if one.ms >= start and (end is None or one.ms <= end)]
        return [fill_row(self._exchange, one) for one in fit[:MOST]]

    def _margin(self, account: Account | None, _asked: dict[str, Any]) -> dict[str, Any]:
        held = _ZERO if account is None else pointed(money(account.total("USDC")))
        summary = {"accountValue": held, "totalNtlPos": _ZERO, "totalRawUsd": held, "totalMarginUsed": _ZERO}
        return {
            "marginSummary": summary, "crossMarginSummary": summary, "withdrawable": held,
            "assetPositions": [], "time": self._exchange.clock(),
        }  # fmt: skip

    def _balances(self, account: Account | None, _asked: dict[str, Any]) -> dict[str, Any]:
        tokens = self._tokens()
        names = [] if account is None else [name for name in account.currencies() if name in tokens]
        return {
            "balances": [
                {
                    "coin": name, "token": tokens.index(name), "entryNtl": _ZERO,
                    "total": pointed(money(account.total(name))) if account else _ZERO,
                    "hold": pointed(money(account.locked.get(name, 0))) if account else _ZERO,
                }
                for name in names
            ]
        }  # fmt: skip


def _decimals(book: Book) -> int:
    """Count the decimals of a lot."""
    return len(amount(book.listing.lot).partition(".")[2])
