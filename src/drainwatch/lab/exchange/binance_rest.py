"""Binance spot's REST API."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from drainwatch.lab.exchange import operations, signatures
from drainwatch.lab.exchange.accounts import Key, RefusedError
from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.matching import Exchange

_EMPTY = {
    "/sapi/v1/capital/config/getall": [],
    "/sapi/v1/margin/allPairs": [],
    "/sapi/v1/margin/isolated/allPairs": [],
    "/fapi/v1/exchangeInfo": {"symbols": []},
    "/dapi/v1/exchangeInfo": {"symbols": []},
}
"""What clients ask for by themselves and what isn't here: coins' networks, margin, futures."""


class Rest:
    """The handlers.

    Parameters
    ----------
    exchange
        What is traded on.
    faults
        What goes wrong with requests.
    """

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange = exchange
        self._faults = faults
        self.weight = 0
        """Requests so far."""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request, or let it go wrong."""
        self.weight += 1
        fault = self._faults.on_request()
        if fault in {Fault.RATE_LIMIT, Fault.BANNED}:
            return self._too_many(429 if fault is Fault.RATE_LIMIT else 418)
        if fault is Fault.SERVER_ERROR:
            return web.Response(
                status=self._faults.status(), text="<html><body>Bad Gateway</body></html>",
                content_type="text/html",
            )  # fmt: skip
        try:
            result = self._result(request, (await request.read()).decode(errors="replace"))
        except RefusedError as error:
            return self._json({"code": error.code, "msg": str(error)}, error.status)
        if fault is Fault.LOST_ANSWER:
            return self._json(
                {
                    "code": -1007,
                    "msg": "Timeout waiting for response from backend server. "
                    "Send status unknown; execution status unknown.",
                },
                503,
            )
        if fault is Fault.SHORT_PAGE and isinstance(result, list):
            result = self._faults.shortened(result)
        response = self._json(result, 200)
        if fault is Fault.CUT_BODY and isinstance(response.body, bytes):
            response.body = self._faults.cut(response.body)
        return response

    def _result(self, request: web.Request, body: str) -> Any:
        query = request.rel_url.raw_query_string
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        parameters |= dict(parse_qsl(body, keep_blank_values=True))

        def key() -> Key:
            text = request.headers.get("X-MBX-APIKEY")
            return signatures.check_query(self._exchange, text, query, body, parameters)

        path = request.path
        if path.startswith("/api/v3/"):
            name = path.removeprefix("/api/v3/")
            if (signed := operations.SIGNED.get((request.method, name))) is not None:
                return signed(self._exchange, key(), parameters)
            if request.method == "GET" and (public := operations.PUBLIC.get(name)) is not None:
                return public(self._exchange, parameters)
        elif path == "/sapi/v1/account/apiRestrictions":
            return operations.restrictions(self._exchange, key(), parameters)
        elif path in _EMPTY:
            return _EMPTY[path]
        raise RefusedError(-1000, "There is no such endpoint here.", 404)

    def _too_many(self, status: int) -> web.Response:
        text = "Too many requests." if status == 429 else "Way too many requests; IP banned."
        response = self._json({"code": -1003, "msg": text}, status)
        response.headers["Retry-After"] = str(self._faults.retry_after_s)
        return response

    def _json(self, content: Any, status: int) -> web.Response:
        return web.Response(
            body=msgspec.json.encode(content), status=status, content_type="application/json",
            headers={"x-mbx-used-weight-1m": str(self.weight)},
        )  # fmt: skip
