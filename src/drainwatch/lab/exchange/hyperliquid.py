"""Hyperliquid on this machine: anybody's fills by address, prints that name both sides, best quotes.

As the venue documents it (hyperliquid.gitbook.io). Not here: orders over the wire, and positions'
profits.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from drainwatch.lab.exchange.accounts import Account, Execution, Order
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.carrier import carry
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.hyperliquid_rest import MOST, Rest, account_of, address_of, coin_of, fill_row
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.prints import Print
from drainwatch.lab.exchange.switchboard import Switchboard
from drainwatch.lab.exchange.wording import amount, encode, pointed, price


class Board(Switchboard):
    """Tells what happens in Hyperliquid's words."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._sides: dict[bool, str] = {}

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:
        """Gather executions, and remember both sides until the print that follows."""
        if execution is not None:
            self._sides[order.buy] = order.account.name
        super().reported(order, what, execution)

    def executed(self, account: Account, executions: list[Execution]) -> None:
        """Tell of executions."""
        address = address_of(self.exchange, account.name)
        if self.heard(f"userFills {address}"):
            self.publish(f"userFills {address}", self.fills(address, executions))

    def fills(self, address: str, executions: list[Execution], *, snapshot: bool = False) -> bytes:
        """Write executions of an address."""
        data: dict[str, Any] = {"isSnapshot": True} if snapshot else {}
        data["user"] = address
        data["fills"] = [fill_row(self.exchange, one) for one in executions]
        return encode({"channel": "userFills", "data": data})

    def traded(self, book: Book, trade: Print) -> None:
        """Tell everybody of a print, with who bought and who sold."""
        sides, self._sides = self._sides, {}
        coin = coin_of(self.exchange, book)
        if not self.heard(f"trades {coin}"):
            return
        orders = {True: trade.buy_order, False: trade.sell_order}
        users = [
            address_of(self.exchange, sides.get(buy, f"stranger of order {orders[buy]}"))
            for buy in (True, False)
        ]
        row = {
            "coin": coin, "side": "A" if trade.buyer_made else "B", "px": pointed(price(trade.price)),
            "sz": pointed(amount(trade.amount)), "time": trade.ms, "hash": f"0x{trade.id:064x}",
            "tid": trade.id, "users": users,
        }  # fmt: skip
        self.publish(f"trades {coin}", encode({"channel": "trades", "data": [row]}))

    def quoted(self, book: Book) -> None:
        """Tell everybody of the best bid and ask."""
        topic = f"bbo {coin_of(self.exchange, book)}"
        if self.heard(topic):
            self.publish(topic, self.best(book))

    def best(self, book: Book) -> bytes:
        """Write the best bid and ask, each null where there is none."""
        bid, bid_size, ask, ask_size = book.top()
        levels = [
            {"px": pointed(price(best)), "sz": pointed(amount(size)), "n": 1} if best else None
            for best, size in ((bid, bid_size), (ask, ask_size))
        ]
        data = {"coin": coin_of(self.exchange, book), "time": self.exchange.clock(), "bbo": levels}
        return encode({"channel": "bbo", "data": data})


class Hyperliquid(Host[Board]):
    """The server.

    Parameters
    ----------
    exchange
        What is traded on: perpetuals and spot markets in USDC. A key of an account is its address.
    faults
        What goes wrong; nothing unless given.
    """

    def __init__(self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0) -> None:
        super().__init__(exchange, Board(exchange), faults, port=port)

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        router.add_get("/ws", self._socket)
        router.add_route("*", "/{path:.*}", Rest(self.exchange, self.faults).answer)

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.pro.hyperliquid`'s settings need as `urls` to come here."""
        return {"api": {"public": self.url, "private": self.url, "ws": {"public": f"{self.ws_url}/ws"}}}

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return await carry(request, self.hub, self.faults, "ws", self._take)

    def _take(self, connection: Connection, data: bytes) -> None:
        try:
            asked = msgspec.json.decode(data)
        except msgspec.DecodeError:
            asked = None
        method = asked.get("method") if isinstance(asked, dict) else None
        wanted = asked.get("subscription") if isinstance(asked, dict) else None
        if method == "ping":
            connection.push(encode({"channel": "pong"}), event=False)
        elif method in {"subscribe", "unsubscribe"} and isinstance(wanted, dict):
            self._subscribe(connection, method, wanted)
        else:
            _refuse(connection, f"Error parsing JSON into valid websocket request: {_shown(data)}")

    def _subscribe(self, connection: Connection, method: str, wanted: dict[str, Any]) -> None:
        kind, shown = wanted.get("type"), _shown(encode(wanted))
        books = {coin_of(self.exchange, book): book for book in self.exchange.books.values()}
        if kind == "userFills" and _is_address(wanted.get("user")):
            topic = f"userFills {str(wanted['user']).lower()}"
        elif kind in {"trades", "bbo"} and wanted.get("coin") in books:
            topic = f"{kind} {wanted['coin']}"
        else:
            _refuse(connection, f"Invalid subscription {shown}")
            return
        if method == "unsubscribe":
            self.hub.drop(connection, [topic])
        elif topic in connection.streams:
            _refuse(connection, f"Already subscribed: {shown}")
            return
        else:
            self.hub.follow(connection, [topic])
        answer = {"channel": "subscriptionResponse", "data": {"method": method, "subscription": wanted}}
        connection.push(encode(answer), event=False)
        if method == "subscribe" and kind == "userFills":
            account = account_of(self.exchange, wanted["user"])
            last = account.executions[: -MOST - 1 : -1] if account is not None else []
            connection.push(self.hub.fills(str(wanted["user"]).lower(), last, snapshot=True))
        elif method == "subscribe" and kind == "bbo":
            connection.push(self.hub.best(books[wanted["coin"]]))


def _is_address(text: object) -> bool:
    return isinstance(text, str) and len(text) == 42 and text.startswith("0x")


def _shown(data: bytes) -> str:
    return data.decode(errors="replace")[:200]


def _refuse(connection: Connection, text: str) -> None:
    connection.push(encode({"channel": "error", "data": text}), event=False)
