"""Binance spot's REST API."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from drainwatch.lab.exchange import operations, signatures
from drainwatch.lab.exchange.accounts import Key, RefusedError
from drainwatch.lab.exchange.door import Door

_EMPTY = {
    "/sapi/v1/capital/config/getall": [],
    "/sapi/v1/margin/allPairs": [],
    "/sapi/v1/margin/isolated/allPairs": [],
    "/fapi/v1/exchangeInfo": {"symbols": []},
    "/dapi/v1/exchangeInfo": {"symbols": []},
}
"""What clients ask for by themselves and what isn't here: coins' networks, margin, futures."""


class Rest(Door):
    """The handlers."""

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
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

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        return {"code": error.code, "msg": str(error)}

    def too_many(self, status: int) -> Any:
        """Give what is said to who asks too often."""
        text = "Too many requests." if status == 429 else "Way too many requests; IP banned."
        return {"code": -1003, "msg": text}

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        return {
            "code": -1007,
            "msg": "Timeout waiting for response from backend server. "
            "Send status unknown; execution status unknown.",
        }

    def headers(self) -> dict[str, str]:
        """Give what each answer has on it."""
        return {"x-mbx-used-weight-1m": str(self.weight)}
