"""Binance USD-M futures on this machine: listen keys, the account's orders and balances, public data.

As the venue documents it (developers.binance.com, derivatives). Not here: orders over the wire.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from drainwatch.lab.exchange import operations, signatures
from drainwatch.lab.exchange.accounts import Account, Execution, Key, Order, RefusedError
from drainwatch.lab.exchange.binance_rest import Rest as SpotRest
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.carrier import carry
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.operations import Parameters, whole
from drainwatch.lab.exchange.prints import MINUTE_MS, Print
from drainwatch.lab.exchange.switchboard import Switchboard
from drainwatch.lab.exchange.wording import amount, candles, encode, money, price

KEY_MS = 60 * MINUTE_MS
"""How long a listen key lives without being prolonged."""

_HOUR_MS = 60 * MINUTE_MS
_WEEK_MS = 7 * 86_400_000
_MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
_KINDS = ("trade", "bookTicker")


def name_of(book: Book) -> str:
    """Give a market's name: `BTCUSDT`."""
    return book.listing.base + book.listing.quote


class Board(Switchboard):
    """Tells what happens in Binance's words, and keeps the listen keys."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.listen_keys: dict[str, tuple[Key, int]] = {}
        """By their text: whose, and until when (ms)."""

    # --- listen keys ----------------------------------------------------------------------------------

    def listen_key(self, key: Key) -> str | None:
        """Give the account's listen key; None if it has none."""
        return next(
            (text for text, (known, _) in self.listen_keys.items() if known.account is key.account), None
        )

    def make_key(self, key: Key) -> str:
        """Give the account's listen key, a new one if it has none, for an hour from now."""
        text = self.listen_key(key) or secrets.token_urlsafe(48)
        self.listen_keys[text] = key, self.exchange.clock() + KEY_MS
        return text

    def end_key(self, text: str, *, told: bool) -> None:
        """End a listen key: nothing comes on its connections any more."""
        del self.listen_keys[text]
        now = self.exchange.clock()
        topic = f"key {text}"
        if told:
            self.publish(topic, encode({"e": "listenKeyExpired", "E": now, "listenKey": text}))
        for connection in list(self.connections):
            if topic in connection.streams:
                self.drop(connection, [topic])

    def terminate(self, connection: Connection) -> None:
        """Let the listen key of a connection expire."""
        connection.subscriptions.clear()
        for topic in list(connection.streams):
            text = topic.removeprefix("key ")
            if text in self.listen_keys:
                expired = {"e": "listenKeyExpired", "E": self.exchange.clock(), "listenKey": text}
                connection.push(encode(expired), event=False)
                self.end_key(text, told=False)

    def revoked(self, key: Key) -> None:
        """End the key's listen keys."""
        for text, (known, _) in list(self.listen_keys.items()):
            if known is key:
                self.end_key(text, told=True)

    def tick(self) -> None:
        """End the listen keys that nobody prolonged."""
        now = self.exchange.clock()
        for text, (_, until) in list(self.listen_keys.items()):
            if now >= until:
                self.end_key(text, told=True)

    # --- what happens ---------------------------------------------------------------------------------

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:
        """Tell an account of its order."""
        self._tell(order.account, lambda: self._order_update(order, what, execution))

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:
        """Tell an account what it holds."""
        wanted = set(currencies)
        self._tell(account, lambda: self._account_update(account, wanted))

    def traded(self, book: Book, trade: Print) -> None:
        """Tell everybody of a print."""
        name, now = name_of(book), self.exchange.clock()
        row = {
            "e": "trade", "E": now, "T": trade.ms, "s": name, "t": trade.id, "p": price(trade.price),
            "q": amount(trade.amount), "X": "MARKET", "m": trade.buyer_made,
        }  # fmt: skip
        self._broadcast(f"{name.lower()}@trade", row)

    def quoted(self, book: Book) -> None:
        """Tell everybody of the best bid and ask."""
        name, now = name_of(book), self.exchange.clock()
        bid, bid_size, ask, ask_size = book.top()
        row = {
            "e": "bookTicker", "u": book.update_id, "s": name, "b": price(bid), "B": amount(bid_size),
            "a": price(ask), "A": amount(ask_size), "T": now, "E": now,
        }  # fmt: skip
        self._broadcast(f"{name.lower()}@bookTicker", row)

    def _broadcast(self, topic: str, row: dict[str, Any]) -> None:
        if self.heard(topic):
            self.publish(topic, encode({"stream": topic, "data": row}))

    def _tell(self, account: Account, write: Callable[[], bytes]) -> None:
        for text, (key, _) in self.listen_keys.items():
            if key.account is account and self.heard(f"key {text}"):
                self.publish(f"key {text}", write())

    def _order_update(self, order: Order, what: str, one: Execution | None) -> bytes:
        row: dict[str, Any] = {
            "s": name_of(order.book), "c": order.client_id, "S": order.side, "o": order.type,
            "f": order.time_in_force, "q": amount(order.amount), "p": price(order.price), "ap": "0",
            "sp": "0", "x": what, "X": order.status, "i": order.id, "l": "0", "z": amount(order.filled),
            "L": "0", "n": "0", "N": None, "T": order.updated_ms, "t": 0, "b": "0", "a": "0", "m": False,
            "R": False, "wt": "CONTRACT_PRICE", "ot": order.type, "ps": "BOTH", "cp": False, "rp": "0",
            "pP": False, "si": 0, "ss": 0, "V": "NONE", "pm": "NONE", "gtd": 0,
        }  # fmt: skip
        if one is not None:
            row |= {
                "l": amount(one.amount), "L": price(one.price), "n": money(one.fee), "N": one.fee_currency,
                "T": one.ms, "t": one.id, "m": one.maker,
            }  # fmt: skip
        at = row["T"]
        return encode({"e": "ORDER_TRADE_UPDATE", "E": self.exchange.clock(), "T": at, "o": row})

    def _account_update(self, account: Account, currencies: set[str]) -> bytes:
        now = self.exchange.clock()
        held = [name for name in account.currencies() if name in currencies]
        holdings = [
            {"a": name, "wb": money(account.total(name)), "cw": money(account.total(name)), "bc": "0"}
            for name in held
        ]
        return encode(
            {"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": {"m": "ORDER", "B": holdings, "P": []}}
        )


class Rest(SpotRest):
    """The handlers; what is refused is refused as on spot."""

    def __init__(self, board: Board, faults: Faults) -> None:
        super().__init__(board.exchange, faults)
        self._board = board

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
        query = request.rel_url.raw_query_string
        given = dict(parse_qsl(query, keep_blank_values=True)) | dict(parse_qsl(body, keep_blank_values=True))
        text = request.headers.get("X-MBX-APIKEY")
        name = request.path.removeprefix("/fapi/").partition("/")[2]
        if request.path.startswith("/sapi/"):  # what is asked of the key is asked of spot
            return super().result(request, body)
        if not request.path.startswith("/fapi/"):
            raise RefusedError(-1000, f"There is no {request.path} here.", 404)
        if name == "listenKey":
            # Not signed: the key alone is enough, as there.
            return self._listen(request.method, signatures.known_key(self._exchange, text))
        public = {
            "ping": operations.ping, "time": operations.server_time, "exchangeInfo": self._markets,
            "klines": self._candles, "aggTrades": self._aggregates,
        }  # fmt: skip
        private = {"userTrades": self._trades, "account": self._account, "balance": self._balance}
        if request.method == "GET" and name in public:
            return public[name](self._exchange, given)
        if request.method == "GET" and name in private:
            return private[name](signatures.check_query(self._exchange, text, query, body, given), given)
        raise RefusedError(-1000, f"There is no {request.path} here.", 404)

    def _listen(self, method: str, key: Key) -> dict[str, Any]:
        known = self._board.listen_key(key)
        if method == "POST" or (method == "PUT" and known is not None):
            return {"listenKey": self._board.make_key(key)}
        if method == "DELETE" and known is not None:
            self._board.end_key(known, told=False)
            return {}
        raise RefusedError(-1125, "This listenKey does not exist.")

    def _book(self, given: Parameters) -> Book:
        for book in self._exchange.books.values():
            if book.listing.settle and name_of(book) == given.get("symbol"):
                return book
        raise RefusedError(-1121, "Invalid symbol.")

    def _markets(self, exchange: Exchange, _given: Parameters) -> dict[str, Any]:
        books = [book for book in exchange.books.values() if book.listing.settle]
        return {
            "timezone": "UTC",
            "serverTime": exchange.clock(),
            "symbols": [_market_row(one) for one in books],
        }

    def _candles(self, _exchange: Exchange, given: Parameters) -> list[Any]:
        book, minutes = self._book(given), _MINUTES.get(str(given.get("interval")))
        if minutes is None:
            raise RefusedError(-1120, "Invalid interval.")
        start, end, limit = (whole(given, name) for name in ("startTime", "endTime", "limit"))
        length = minutes * MINUTE_MS
        fit = [
            one
            for one in candles(book.prints, length)
            if (start is None or one.ms >= start) and (end is None or one.ms <= end)
        ]
        fit = fit[-(limit or 500) :] if start is None else fit[: limit or 500]
        return [
            [
                one.ms, price(one.open), price(one.high), price(one.low), price(one.close),
                amount(one.amount), one.ms + length - 1, money(one.quote), one.count, "0", "0", "0",
            ]
            for one in fit
        ]  # fmt: skip

    def _aggregates(self, _exchange: Exchange, given: Parameters) -> list[Any]:
        """List prints from an id or a time on, the oldest first; else the last."""
        prints = self._book(given).prints.last
        first, start, end = (whole(given, name) for name in ("fromId", "startTime", "endTime"))
        if start is not None and end is not None and end - start > _HOUR_MS:
            raise RefusedError(-1127, "More than 1 hours between startTime and endTime.")
        fit = [
            one
            for one in prints
            if (first is None or one.id >= first)
            and (start is None or one.ms >= start)
            and (end is None or one.ms <= end)
        ]
        most = min(whole(given, "limit") or 500, 1_000)
        return [
            {
                "a": one.id, "p": price(one.price), "q": amount(one.amount), "f": one.id, "l": one.id,
                "T": one.ms, "m": one.buyer_made,
            }
            for one in (fit[-most:] if first is None and start is None else fit[:most])
        ]  # fmt: skip

    def _trades(self, key: Key, given: Parameters) -> list[Any]:
        """List executions of a market, the oldest first; of the last week unless a time is given."""
        book = self._book(given)
        start, end, limit, first = (
            whole(given, name) for name in ("startTime", "endTime", "limit", "fromId")
        )
        if start is not None and end is not None and end - start > _WEEK_MS:
            raise RefusedError(-4165, "Maximum time interval is 7 days.")
        if start is None and first is None:
            start = (self._exchange.clock() if end is None else end) - _WEEK_MS
        if end is None and start is not None:
            end = start + _WEEK_MS
        most = min(limit or 500, 1_000)
        fit = [
            one
            for one in key.account.by_symbol.get(book.symbol, [])
            if (start is None or one.ms >= start)
            and (end is None or one.ms <= end)
            and (first is None or one.id >= first)
        ]
        fit = fit[:most] if given.get("startTime") or first is not None else fit[-most:]
        return [
            {
                "symbol": name_of(book), "id": one.id, "orderId": one.order.id, "side": one.order.side,
                "price": price(one.price), "qty": amount(one.amount), "quoteQty": money(one.cost),
                "commission": money(one.fee), "commissionAsset": one.fee_currency, "time": one.ms,
                "positionSide": "BOTH", "buyer": one.order.buy, "maker": one.maker, "realizedPnl": "0",
            }
            for one in fit
        ]  # fmt: skip

    def _account(self, key: Key, given: Parameters) -> dict[str, Any]:
        return {"assets": self._balance(key, given), "positions": []}

    def _balance(self, key: Key, _given: Parameters) -> list[Any]:
        account = key.account
        total = {name: money(account.total(name)) for name in account.currencies()}
        return [
            {
                "asset": name, "balance": total[name], "walletBalance": total[name],
                "marginBalance": total[name], "initialMargin": money(account.locked.get(name, 0)),
                "availableBalance": money(account.free.get(name, 0)), "maintMargin": "0",
                "maxWithdrawAmount": money(account.free.get(name, 0)), "crossWalletBalance": "0",
            }
            for name in total
        ]  # fmt: skip


class BinanceFutures(Host[Board]):
    """The server.

    Parameters
    ----------
    exchange
        What is traded on: its perpetuals with contracts of one coin.
    faults
        What goes wrong; nothing unless given.
    """

    def __init__(self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0) -> None:
        super().__init__(exchange, Board(exchange), faults, port=port)

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        router.add_get("/private/ws", self._private)
        router.add_get("/public/stream", self._public)
        router.add_route("*", "/{path:.*}", Rest(self.hub, self.faults).answer)

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.binanceusdm`'s settings need as `urls` to come here."""
        kinds = [f"fapi{kind}" for kind in ("Public", "Private", "Data")]
        urls = {f"{kind}{end}": f"{self.url}/fapi/v1" for kind in kinds for end in ("", "V2", "V3")}
        return {
            "api": {
                name: url.replace("v1", name[-2:].lower()) if name[-2] == "V" else url
                for name, url in urls.items()
            }
        }

    async def _private(self, request: web.Request) -> web.StreamResponse:
        text = request.query.get("listenKey", "")
        known = self.hub.listen_keys.get(text)

        def take(connection: Connection, data: bytes) -> None:
            """Take nothing: the address has said it all."""

        # Who comes with a key that isn't one is let in and hears nothing.
        names = [f"key {text}"] if known is not None else []
        return await carry(request, self.hub, self.faults, "private", take, names=names)

    async def _public(self, request: web.Request) -> web.StreamResponse:
        return await carry(request, self.hub, self.faults, "public", self._take)

    def _take(self, connection: Connection, data: bytes) -> None:
        try:
            asked = msgspec.json.decode(data)
        except msgspec.DecodeError:
            asked = None
        asked = asked if isinstance(asked, dict) else {}
        params = asked.get("params")
        known = {
            f"{name_of(book).lower()}@{kind}" for book in self.exchange.books.values() for kind in _KINDS
        }
        follow = {"SUBSCRIBE": self.hub.follow, "UNSUBSCRIBE": self.hub.drop}.get(str(asked.get("method")))
        if follow is None or not isinstance(params, list) or not all(isinstance(one, str) for one in params):
            answer: dict[str, Any] = {"error": {"code": 2, "msg": "Invalid request"}, "id": asked.get("id")}
        else:
            follow(connection, [name for name in params if name in known])
            answer = {"result": None, "id": asked.get("id")}
        connection.push(encode(answer), event=False)


def _market_row(book: Book) -> dict[str, Any]:
    """Give a market as `exchangeInfo` lists it."""
    listing, tick, lot = book.listing, price(book.listing.tick), amount(book.listing.lot)
    return {
        "symbol": name_of(book), "pair": name_of(book), "contractType": "PERPETUAL", "status": "TRADING",
        "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "baseAsset": listing.base,
        "quoteAsset": listing.quote, "marginAsset": listing.settle, "pricePrecision": 8,
        "quantityPrecision": 8, "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "1000000", "stepSize": lot},
        ],
    }  # fmt: skip
