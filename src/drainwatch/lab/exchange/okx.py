"""OKX v5 on this machine: spot and linear swaps, the account's orders and balances, public data.

As the venue documents it (okx.com/docs-v5): amounts of swaps are contracts, a fee that is charged is
negative. Not here: orders over the wire and options.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from drainwatch.lab.exchange.accounts import Account, Execution, Order
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.carrier import carry
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.okx_rest import (
    TYPES,
    WINDOW_MS,
    Rest,
    account_row,
    charge,
    fits,
    name_of,
    type_of,
)
from drainwatch.lab.exchange.prints import Print
from drainwatch.lab.exchange.signatures import is_in_time
from drainwatch.lab.exchange.switchboard import Switchboard
from drainwatch.lab.exchange.wording import amount, encode, price

_STATES = {"NEW": "live", "PARTIALLY_FILLED": "partially_filled", "FILLED": "filled"}
_PUBLIC = frozenset({"trades", "bbo-tbt"})


class Board(Switchboard):
    """Tells what happens in OKX's words."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._fees: dict[int, int] = {}

    def terminate(self, connection: Connection) -> None:
        """Say that the connection is about to end, as before an upgrade, and send no events any more."""
        self.drop(connection, list(connection.streams))
        connection.subscriptions.clear()
        notice = {
            "event": "notice", "code": "64008", "connId": ident(connection),
            "msg": "The connection will soon be closed for a service upgrade. Please reconnect.",
        }  # fmt: skip
        connection.push(encode(notice), event=False)

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:
        """Tell an account of its order, also when nothing was executed."""
        account = order.account
        if not account.remembers:
            return
        if execution is not None:
            self._fees[order.id] = self._fees.get(order.id, 0) + execution.fee
        for kind in ("ANY", type_of(order.book)):
            topic = f"orders {kind} {account.name}"
            if self.heard(topic):
                row = self._order_row(order, what, execution)
                arg = {"channel": "orders", "instType": kind, "uid": "1"}
                self.publish(topic, encode({"arg": arg, "data": [row]}))

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:
        """Tell an account what it holds."""
        topic = f"account {account.name}"
        if self.heard(topic):
            wanted = set(currencies)
            self.publish(
                topic, self.holdings(account, [one for one in account.currencies() if one in wanted])
            )

    def holdings(self, account: Account, currencies: list[str]) -> bytes:
        """Write what an account holds of some currencies."""
        row = account_row(account, currencies, self.exchange.clock())
        return encode({"arg": {"channel": "account", "uid": "1"}, "data": [row]})

    def traded(self, book: Book, trade: Print) -> None:
        """Tell everybody of a print."""
        name = name_of(book)
        if self.heard(f"trades {name}"):
            row = {
                "instId": name, "tradeId": str(trade.id), "px": price(trade.price),
                "sz": amount(trade.amount), "side": "sell" if trade.buyer_made else "buy",
                "ts": str(trade.ms), "count": "1", "source": "0", "seqId": trade.id,
            }  # fmt: skip
            arg = {"channel": "trades", "instId": name}
            self.publish(f"trades {name}", encode({"arg": arg, "data": [row]}))

    def quoted(self, book: Book) -> None:
        """Tell everybody of the best bid and ask."""
        topic = f"bbo-tbt {name_of(book)}"
        if self.heard(topic):
            self.publish(topic, self.best(book))

    def best(self, book: Book) -> bytes:
        """Write the best bid and ask."""
        bid, bid_size, ask, ask_size = book.top()
        row = {
            "asks": [[price(ask), amount(ask_size), "0", "1"]] if ask else [],
            "bids": [[price(bid), amount(bid_size), "0", "1"]] if bid else [],
            "ts": str(self.exchange.clock()), "seqId": book.update_id,
        }  # fmt: skip
        return encode({"arg": {"channel": "bbo-tbt", "instId": name_of(book)}, "data": [row]})

    def _order_row(self, order: Order, what: str, execution: Execution | None) -> dict[str, Any]:
        one, book = execution, order.book
        swap = bool(book.listing.settle)
        fee, currency = self._fees.get(order.id, 0), one.fee_currency if one is not None else ""
        if not order.is_open:
            self._fees.pop(order.id, None)
        average = ""
        if order.filled:
            per_unit = order.book.listing.cost(10**8, 1)
            average = price(order.spent * 10**8 // (order.filled * per_unit))
        return {
            "instType": type_of(book),
            "instId": name_of(book),
            "ccy": "",
            "ordId": str(order.id),
            "clOrdId": order.client_id,
            "tag": "",
            "px": price(order.price) if order.price else "",
            "sz": amount(order.amount),
            "notionalUsd": "",
            "ordType": {"MARKET": "market", "LIMIT_MAKER": "post_only"}.get(order.type, "limit"),
            "side": "buy" if order.buy else "sell",
            "posSide": "net" if swap else "",
            "tdMode": "cross" if swap else "cash",
            "tgtCcy": "",
            "fillSz": amount(one.amount) if one is not None else "0",
            "fillPx": price(one.price) if one is not None else "",
            "tradeId": str(one.id) if one is not None else "",
            "accFillSz": amount(order.filled),
            "fillNotionalUsd": "",
            "fillTime": str(one.ms) if one is not None else "",
            "fillFee": charge(one.fee) if one is not None else "0",
            "fillFeeCcy": currency,
            "fillPnl": "0",
            "fillMarkPx": price(one.mark) if one is not None and one.mark else "",
            "execType": ("M" if one.maker else "T") if one is not None else "",
            "state": "canceled" if what in {"CANCELED", "EXPIRED"} else _STATES.get(order.status, "canceled"),
            "avgPx": average,
            "lever": "1" if swap else "",
            "feeCcy": currency or book.listing.quote,
            "fee": charge(fee),
            "rebateCcy": book.listing.quote,
            "rebate": "0",
            "pnl": "0",
            "source": "",
            "cancelSource": "",
            "category": "normal",
            "uTime": str(order.updated_ms),
            "cTime": str(order.created_ms),
            "reduceOnly": "false",
            "reqId": "",
            "code": "0",
            "msg": "",
        }


class Okx(Host[Board]):
    """The server.

    Parameters
    ----------
    exchange
        What is traded on: spot markets and perpetuals.
    faults
        What goes wrong; nothing unless given.
    """

    def __init__(self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0) -> None:
        super().__init__(exchange, Board(exchange), faults, port=port)

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        router.add_get("/ws/v5/{kind:public|private|business}", self._socket)
        router.add_route("*", "/{path:.*}", Rest(self.exchange, self.faults).answer)

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.pro.okx`'s settings need as `urls` to come here."""
        return {"api": {"rest": self.url, "ws": f"{self.ws_url}/ws/v5"}}

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return await carry(request, self.hub, self.faults, request.match_info["kind"], self._take)

    # --- what clients say -----------------------------------------------------------------------------

    def _take(self, connection: Connection, data: bytes) -> None:
        if data == b"ping":
            connection.push(b"pong", event=False)
            return
        try:
            asked = msgspec.json.decode(data)
        except msgspec.DecodeError:
            asked = None
        op = asked.get("op") if isinstance(asked, dict) else None
        args = asked.get("args") if isinstance(asked, dict) else None
        if not isinstance(args, list) or not args or not all(isinstance(arg, dict) for arg in args):
            _refuse(connection, 60012, f"Invalid request: {data.decode(errors='replace')[:200]}")
        elif op == "login" and connection.kind != "public":
            self._log_in(connection, args[0])
        elif op in {"subscribe", "unsubscribe"}:
            for arg in args:
                self._subscribe(connection, op, arg)
        else:
            _refuse(connection, 60012, f"Invalid request: {data.decode(errors='replace')[:200]}")

    def _log_in(self, connection: Connection, arg: dict[str, Any]) -> None:
        text, at = arg.get("apiKey"), str(arg.get("timestamp", ""))
        key = self.exchange.keys.get(text) if isinstance(text, str) else None
        if not at.isdecimal():
            _refuse(connection, 60004, "Invalid timestamp")
        elif not is_in_time(self.exchange, int(at) * 1000, WINDOW_MS):
            _refuse(connection, 60006, "Timestamp request expired")
        elif key is None or not key.is_valid(self.exchange.clock()):
            _refuse(connection, 60005, "Invalid apiKey")
        elif arg.get("passphrase") != key.passphrase:
            _refuse(connection, 60024, "Wrong passphrase")
        elif not fits(key.secret, f"{at}GET/users/self/verify", arg.get("sign")):
            _refuse(connection, 60007, "Invalid sign")
        else:
            connection.session = key
            told = {"event": "login", "code": "0", "msg": "", "connId": ident(connection)}
            connection.push(encode(told), event=False)

    def _subscribe(self, connection: Connection, op: str, arg: dict[str, Any]) -> None:
        topic = self._topic(connection, arg)
        if topic is None:
            return
        if op == "subscribe":
            self.hub.follow(connection, [topic])
        else:
            self.hub.drop(connection, [topic])
        answer = {"event": op, "arg": arg, "connId": ident(connection)}
        connection.push(encode(answer), event=False)
        if op == "unsubscribe":
            return
        channel = arg["channel"]
        if connection.session is not None and channel in {"orders", "account"}:
            connection.subscriptions[len(connection.subscriptions)] = connection.session
            count = sum(topic in other.streams for other in self.hub.connections)
            told = {"channel": channel, "connCount": str(count), "connId": ident(connection)}
            connection.push(encode({"event": "channel-conn-count", **told}), event=False)
            account = connection.session.account
            if channel == "account":
                connection.push(self.hub.holdings(account, account.currencies()))
        elif channel == "bbo-tbt":
            book = next(one for one in self.exchange.books.values() if name_of(one) == arg["instId"])
            connection.push(self.hub.best(book))

    def _topic(self, connection: Connection, arg: dict[str, Any]) -> str | None:
        """Give what a subscription is to; None if it was refused."""
        channel, name = arg.get("channel"), arg.get("instId")
        if channel in {"orders", "account"} and connection.kind == "private":
            if connection.session is None:
                _refuse(connection, 60011, "Please log in")
                return None
            if channel == "account":
                return f"account {connection.session.account.name}"
            if arg.get("instType") in TYPES | {"ANY"}:
                return f"orders {arg['instType']} {connection.session.account.name}"
        elif (
            channel in _PUBLIC
            and connection.kind == "public"
            and any(name_of(book) == name for book in self.exchange.books.values())
        ):
            return f"{channel} {name}"
        what = ",".join(f"{key}:{value}" for key, value in arg.items())
        _refuse(connection, 60018, f"Wrong URL or {what} doesn't exist. Please use the correct URL, channel "
                "and parameters referring to API document.")  # fmt: skip
        return None


def ident(connection: Connection) -> str:
    """Give a connection's id."""
    return f"{id(connection) & 0xFFFFFFFF:08x}"


def _refuse(connection: Connection, code: int, text: str) -> None:
    told = {"event": "error", "code": str(code), "msg": text, "connId": ident(connection)}
    connection.push(encode(told), event=False)
