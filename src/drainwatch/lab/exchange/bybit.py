"""Bybit v5 on this machine: spot and linear perpetuals, the account's executions and wallet, public data.

As the venue documents it (bybit-exchange.github.io/docs/v5). Not here: orders over the wire, inverse
contracts and options; executions come some at a time, as there.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from drainwatch.lab.exchange.accounts import Account, Execution
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.bybit_rest import Rest, category_of, coin_row, execution_row, name_of, trade_id
from drainwatch.lab.exchange.carrier import carry
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.prints import Print
from drainwatch.lab.exchange.switchboard import Switchboard
from drainwatch.lab.exchange.wording import amount, encode, price

PRIVATE = frozenset({"execution", "execution.spot", "execution.linear", "wallet", "order", "position"})
SPOT_ARGS = 10
"""Most topics of a message on the spot stream."""

_CATEGORIES = ("spot", "linear", "inverse")
_Top = tuple[int, int, int, int]


class Board(Switchboard):
    """Tells what happens in Bybit's words."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._told: dict[str, _Top] = {}
        self._updates = 0

    def executed(self, account: Account, executions: list[Execution]) -> None:
        """Tell of executions: the topic of all, and those of one category."""
        by_category: dict[str, list[Execution]] = {}
        for execution in executions:
            by_category.setdefault(category_of(execution.order.book), []).append(execution)
        for kind, some in [("", executions), *((f".{name}", one) for name, one in by_category.items())]:
            name = f"execution{kind}"
            if self.heard(f"{name} {account.name}"):
                rows = [execution_row(one, in_stream=True) for one in some]
                self._private(name, account, rows)

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:
        """Tell an account what it holds, after its executions."""
        super().balances_changed(account, currencies)
        if self.heard(f"wallet {account.name}"):
            coins = [coin_row(account, name) for name in account.currencies() if name in set(currencies)]
            self._private("wallet", account, [{"accountType": "UNIFIED", "coin": coins}])

    def _private(self, topic: str, account: Account, data: list[dict[str, Any]]) -> None:
        self._updates += 1
        number, now = f"{account.name}-{self._updates}", self.exchange.clock()
        self.publish(
            f"{topic} {account.name}",
            encode({"id": number, "topic": topic, "creationTime": now, "data": data}),
        )

    def traded(self, book: Book, trade: Print) -> None:
        """Tell everybody of a print."""
        name = name_of(book)
        topic = f"publicTrade.{name}"
        key = f"{category_of(book)} {topic}"
        if self.heard(key):
            row = {
                "T": trade.ms, "s": name, "S": "Sell" if trade.buyer_made else "Buy",
                "v": amount(trade.amount), "p": price(trade.price), "L": "PlusTick",
                "i": trade_id(book, trade.id), "BT": False, "seq": trade.id,
            }  # fmt: skip
            now = self.exchange.clock()
            self.publish(key, encode({"topic": topic, "type": "snapshot", "ts": now, "data": [row]}))

    def quoted(self, book: Book) -> None:
        """Tell everybody what has changed of the best bid and ask."""
        key = f"{category_of(book)} orderbook.1.{name_of(book)}"
        if self.heard(key):
            self.publish(key, self._book(book, self._told.get(key)))
        self._told[key] = book.top()

    def snapshot(self, connection: Connection, book: Book) -> None:
        """Give a connection the book as it is."""
        self._told[f"{category_of(book)} orderbook.1.{name_of(book)}"] = book.top()
        connection.push(self._book(book, None))

    def _book(self, book: Book, told: _Top | None) -> bytes:
        now, name = self.exchange.clock(), name_of(book)
        sides = []
        for side in (0, 2):
            best, size = book.top()[side : side + 2]
            levels = [[price(best), amount(size)]] if best else []
            if told is not None and told[side] and told[side] != best:
                levels.insert(0, [price(told[side]), "0"])
            elif told is not None and told[side : side + 2] == (best, size):
                levels = []
            sides.append(levels)
        data = {"s": name, "b": sides[0], "a": sides[1], "u": book.update_id, "seq": book.update_id}
        kind = "snapshot" if told is None else "delta"
        return encode({"topic": f"orderbook.1.{name}", "type": kind, "ts": now, "data": data, "cts": now})


class Bybit(Host[Board]):
    """The server.

    Parameters
    ----------
    exchange
        What is traded on: spot markets and perpetuals with contracts of one coin.
    faults
        What goes wrong; nothing unless given.
    """

    def __init__(self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0) -> None:
        super().__init__(exchange, Board(exchange), faults, port=port)

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        router.add_get("/v5/private", self._private)
        router.add_get("/v5/public/{category}", self._public)
        router.add_route("*", "/{path:.*}", Rest(self.exchange, self.faults).answer)

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.pro.bybit`'s settings need as `urls` to come here."""
        private = f"{self.ws_url}/v5/private"
        public = {name: f"{self.ws_url}/v5/public/{name}" for name in (*_CATEGORIES, "option")}
        return {
            "api": {
                **dict.fromkeys(("spot", "futures", "v2", "public", "private"), self.url),
                "ws": {
                    "public": public,
                    "private": {
                        "spot": {"unified": private, "nonUnified": private},
                        "contract": private, "usdc": private, "trade": private,
                    },
                },
            }
        }  # fmt: skip

    async def _private(self, request: web.Request) -> web.StreamResponse:
        return await carry(request, self.hub, self.faults, "private", self._take_private)

    async def _public(self, request: web.Request) -> web.StreamResponse:
        category = request.match_info["category"]
        if category not in _CATEGORIES:
            raise web.HTTPNotFound
        return await carry(request, self.hub, self.faults, category, self._take_public)

    # --- what clients say -----------------------------------------------------------------------------

    def _take_private(self, connection: Connection, data: bytes) -> None:
        asked, op, args = _read(data)
        if op == "ping":
            now = str(self.exchange.clock())
            answer = {
                "req_id": asked.get("req_id", ""),
                "op": "pong",
                "args": [now],
                "conn_id": _id(connection),
            }
        elif op == "auth":
            answer = self._log_in(connection, args)
        elif op in {"subscribe", "unsubscribe"}:
            answer = self._subscribed(connection, op, args, asked.get("req_id", ""))
        else:
            answer = _answer(connection, op, "Invalid op", asked.get("req_id", ""))
        connection.push(encode(answer), event=False)

    def _log_in(self, connection: Connection, args: list[Any]) -> dict[str, Any]:
        if len(args) != 3:
            return _login(connection, 10001, "Params Error")
        key = self.exchange.keys.get(args[0]) if isinstance(args[0], str) else None
        if key is None or not key.is_valid(self.exchange.clock()):
            return _login(connection, 10003, "API key is invalid.")
        expires = args[1] if isinstance(args[1], int | str) else ""
        made = hmac.new(key.secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(made.encode(), str(args[2]).encode()):
            return _login(connection, 10004, "Error sign, please check your signature generation algorithm.")
        if not str(expires).isdecimal() or int(expires) <= self.exchange.clock():
            return _login(connection, 10002, "The request time exceeds the time window range.")
        connection.session = key
        return _login(connection, 0, "")

    def _subscribed(self, connection: Connection, op: str, args: list[Any], number: object) -> dict[str, Any]:
        key = connection.session
        if key is None:
            return _answer(connection, op, "Request not authorized", number)
        wrong = next((name for name in args if not isinstance(name, str) or name not in PRIVATE), None)
        if wrong is not None or not args:
            return _answer(connection, op, f"error:handler not found,topic:{wrong}", number)
        names = [f"{topic} {key.account.name}" for topic in args]
        if op == "subscribe":
            self.hub.follow(connection, names)
        else:
            self.hub.drop(connection, names)
        return _answer(connection, op, "", number)

    def _take_public(self, connection: Connection, data: bytes) -> None:
        asked, op, args = _read(data)
        number = asked.get("req_id", "")
        snapshots: list[Book] = []
        if op == "ping":
            answer = _answer(connection, op, "", number) | {"ret_msg": "pong"}
        elif op not in {"subscribe", "unsubscribe"}:
            answer = _answer(connection, op, "Invalid op", number)
        elif connection.kind == "spot" and len(args) > SPOT_ARGS:
            answer = _answer(connection, op, f"args size >{SPOT_ARGS}", number)
        else:
            books = {name_of(book): book for book in self._books(connection.kind)}
            wrong = next((name for name in args if not _is_topic(name, books)), None)
            if wrong is not None or not args:
                answer = _answer(connection, op, f"Invalid symbol :[{wrong}]", number)
            else:
                names = [f"{connection.kind} {topic}" for topic in args]
                follow = self.hub.follow if op == "subscribe" else self.hub.drop
                follow(connection, names)
                answer = _answer(connection, op, "", number)
                if op == "subscribe":
                    found = [name.partition(".")[2].partition(".") for name in args]
                    snapshots = [books[rest] for depth, _, rest in found if depth == "1"]
        connection.push(encode(answer), event=False)
        for book in snapshots:
            self.hub.snapshot(connection, book)

    def _books(self, category: str) -> list[Book]:
        return [book for book in self.exchange.books.values() if category_of(book) == category]


def _is_topic(topic: object, books: dict[str, Book]) -> bool:
    if not isinstance(topic, str):
        return False
    return any(topic in {f"publicTrade.{name}", f"orderbook.1.{name}"} for name in books)


def _read(data: bytes) -> tuple[dict[str, Any], str, list[Any]]:
    """Give a message, its operation, and what it is about."""
    try:
        asked = msgspec.json.decode(data)
    except msgspec.DecodeError:
        asked = None
    asked = asked if isinstance(asked, dict) else {}
    args = asked.get("args")
    return asked, str(asked.get("op", "")), args if isinstance(args, list) else []


def _id(connection: Connection) -> str:
    return f"{id(connection):x}"


def _answer(connection: Connection, op: str, wrong: str, number: object) -> dict[str, Any]:
    return {"success": not wrong, "ret_msg": wrong, "conn_id": _id(connection), "req_id": number, "op": op}


def _login(connection: Connection, code: int, text: str) -> dict[str, Any]:
    return {"op": "auth", "success": not code, "retCode": code, "retMsg": text, "connId": _id(connection)}
