"""Binance spot's websockets: the API with sessions and user streams, and the public streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from drainwatch.lab.exchange import operations, signatures
from drainwatch.lab.exchange.accounts import Key, RefusedError
from drainwatch.lab.exchange.carrier import carry
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.hub import STREAM, Hub
from drainwatch.lab.exchange.operations import Parameters, whole

MOST_STREAMS = 1_024
MOST_A_SECOND = 5
"""Messages that a client may send to the public streams."""

_PUBLIC = {
    "ping": operations.ping,
    "time": operations.server_time,
    "exchangeInfo": operations.exchange_info,
    "depth": operations.depth,
    "trades.recent": operations.trades,
    "trades.aggregate": operations.agg_trades,
    "klines": operations.klines,
    "ticker.book": operations.book_ticker,
}
_SIGNED = {
    "order.place": operations.place_order,
    "order.status": operations.order_status,
    "order.cancel": operations.cancel_order,
    "openOrders.status": operations.open_orders,
    "openOrders.cancelAll": operations.cancel_orders,
    "allOrders": operations.all_orders,
    "myTrades": operations.my_trades,
    "account.status": operations.account_status,
}


class Websockets:
    """The handlers.

    Parameters
    ----------
    hub
        Who hears what.
    faults
        What goes wrong on new connections.
    """

    def __init__(self, hub: Hub, faults: Faults) -> None:
        self._hub = hub
        self._exchange = hub.exchange
        self._faults = faults
        self._own: dict[str, Callable[[Connection, Parameters], Any]] = {
            "session.logon": self._log_on,
            "session.status": self._status,
            "session.logout": self._log_out,
            "session.subscriptions": self._list,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    async def api(self, request: web.Request) -> web.StreamResponse:
        """Speak the websocket API."""
        return await carry(request, self._hub, self._faults, "api", self._answer)

    async def streams(self, request: web.Request) -> web.StreamResponse:
        """Speak the public streams, which may be named in the address already."""
        named = request.match_info.get("names") or request.query.get("streams", "")
        # Like Binance: a name in the address that is no stream is let pass (ccxt writes `/ws/0`).
        names = [name for name in named.split("/") if STREAM.fullmatch(name)]
        return await carry(
            request, self._hub, self._faults, "stream", self._control, names=names,
            most_a_second=MOST_A_SECOND,
        )  # fmt: skip

    # --- the API --------------------------------------------------------------------------------------

    def _answer(self, connection: Connection, data: bytes) -> None:
        """Answer a request."""
        asked: Any = None
        try:
            asked = msgspec.json.decode(data)
            answer = {"status": 200, "result": self._do(connection, asked)}
        except msgspec.DecodeError:
            answer = _error(RefusedError(-1135, "Invalid JSON."))
        except RefusedError as error:
            answer = _error(error)
        number = asked.get("id") if isinstance(asked, dict) else None
        limits = [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
                "count": 1,
            }
        ]
        connection.push(msgspec.json.encode({"id": number, **answer, "rateLimits": limits}), event=False)

    def _do(self, connection: Connection, asked: Any) -> Any:
        method = asked.get("method") if isinstance(asked, dict) else None
        params = asked.get("params") or {} if isinstance(asked, dict) else {}
        if not isinstance(method, str) or not isinstance(params, dict):
            raise RefusedError(-1135, "Invalid request: a method and its params were expected.")
        for name, value in params.items():
            if isinstance(value, list | dict):
                raise RefusedError(-1100, f"Illegal characters found in parameter '{name[:40]}'.")
        if (own := self._own.get(method)) is not None:
            return own(connection, params)
        if (public := _PUBLIC.get(method)) is not None:
            return public(self._exchange, params)
        if (signed := _SIGNED.get(method)) is not None:
            return signed(self._exchange, self._key(connection, params), params)
        raise RefusedError(-1020, "This operation is not supported.")

    def _key(self, connection: Connection, params: Parameters) -> Key:
        """Give the key of a request: its own, else the session's."""
        if "apiKey" not in params and "signature" not in params and connection.session is not None:
            signatures.check_time(self._exchange, params)
            return signatures.known_key(self._exchange, connection.session.text)
        return signatures.check_params(self._exchange, params)

    def _log_on(self, connection: Connection, params: Parameters) -> Any:
        key = signatures.check_params(self._exchange, params)
        if key.verify is None:
            raise RefusedError(-4056, "HMAC_SHA256 API key is not supported.")
        connection.session = key
        return self._status(connection, params)

    def _log_out(self, connection: Connection, params: Parameters) -> Any:
        for number, key in list(connection.subscriptions.items()):
            if key is connection.session:
                self._hub.end(connection, number)
        connection.session = None
        return self._status(connection, params)

    def _status(self, connection: Connection, _params: Parameters) -> Any:
        now, session = self._exchange.clock(), connection.session
        return {
            "apiKey": session.text if session else None,
            "authorizedSince": now if session else None,
            "connectedSince": now,
            "returnRateLimits": True,
            "serverTime": now,
            "userDataStream": bool(connection.subscriptions),
        }

    def _list(self, connection: Connection, _params: Parameters) -> Any:
        return [{"subscriptionId": number} for number in connection.subscriptions]

    def _subscribe(self, connection: Connection, _params: Parameters) -> Any:
        if connection.session is None:
            raise RefusedError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return self._subscribed(connection, connection.session)

    def _subscribe_signed(self, connection: Connection, params: Parameters) -> Any:
        return self._subscribed(connection, signatures.check_params(self._exchange, params))

    def _subscribed(self, connection: Connection, key: Key) -> Any:
        if any(used.account is key.account for used in connection.subscriptions.values()):
            raise RefusedError(-2035, "Subscription already active for this account.")
        return {"subscriptionId": self._hub.subscribe(connection, key)}

    def _unsubscribe(self, connection: Connection, params: Parameters) -> Any:
        number = whole(params, "subscriptionId")
        if number is not None and number not in connection.subscriptions:
            raise RefusedError(-2036, "Subscription not active.")
        for one in list(connection.subscriptions) if number is None else [number]:
            self._hub.end(connection, one)
        return {}

    # --- public streams -------------------------------------------------------------------------------

    def _control(self, connection: Connection, data: bytes) -> None:
        """Do what a client wants of its public streams."""
        try:
            asked = msgspec.json.decode(data)
        except msgspec.DecodeError:
            answer: dict[str, Any] = {"error": {"code": 3, "msg": "Invalid JSON: expected value"}}
        else:
            answer = self._controlled(connection, asked if isinstance(asked, dict) else {})
        connection.push(msgspec.json.encode(answer), event=False)

    def _controlled(self, connection: Connection, asked: Mapping[str, Any]) -> dict[str, Any]:
        number, params, method = asked.get("id"), asked.get("params") or [], asked.get("method")
        result: Any = None
        if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            if not isinstance(params, list) or not all(
                isinstance(name, str) and STREAM.fullmatch(name) for name in params
            ):
                return {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": number}
            if method == "UNSUBSCRIBE":
                self._hub.drop(connection, params)
            elif len({*connection.streams, *params}) > MOST_STREAMS:
                return {"error": {"code": 2, "msg": "Invalid request: too many streams"}, "id": number}
            else:
                self._hub.follow(connection, params)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(connection.streams)
        elif method == "SET_PROPERTY" and params[:1] == ["combined"] and isinstance(params[-1], bool):
            connection.combined = params[-1]
        elif method == "GET_PROPERTY" and params == ["combined"]:
            result = connection.combined
        else:
            return {"error": {"code": 2, "msg": "Invalid request: unknown variant"}, "id": number}
        return {"result": result, "id": number}


def _error(error: RefusedError) -> dict[str, Any]:
    return {"status": error.status, "error": {"code": error.code, "msg": str(error)}}
