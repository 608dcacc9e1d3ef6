"""Kraken spot on this machine, as far as it tells of keys: the time, and what a key may do.

As the venue documents it (docs.kraken.com): a private request is a form with a `nonce` that must grow, and
`API-Sign` is HMAC-SHA512, by the decoded secret, of the path and SHA-256 of nonce and form. Errors come
with status 200.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from drainwatch.lab.exchange.accounts import Key, RefusedError
from drainwatch.lab.exchange.door import Door
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.switchboard import Switchboard

_READS = ["query-funds", "query-open-trades", "query-closed-trades", "query-ledger"]


def signature(secret: str, path: str, nonce: str, form: str) -> str:
    """Sign a private request; `secret` is in base64."""
    digest = hashlib.sha256(f"{nonce}{form}".encode()).digest()
    try:
        key = base64.b64decode(secret)
    except binascii.Error:
        raise ValueError("expected a secret in base64, as Kraken gives them, found otherwise") from None
    return base64.b64encode(hmac.new(key, path.encode() + digest, hashlib.sha512).digest()).decode()


class Rest(Door):
    """The handlers."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        super().__init__(exchange, faults)
        self._nonces: dict[str, int] = {}

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
        path = request.path
        if path == "/0/public/Time":
            now_s = self._exchange.clock() // 1000
            return {"error": [], "result": {"unixtime": now_s, "rfc1123": ""}}
        if path == "/0/private/GetApiKeyInfo" and request.method == "POST":
            return {"error": [], "result": self._info(self._key(request, body))}
        raise RefusedError(0, "EGeneral:Unknown method", 200)

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        return {"error": [str(error)]}

    def too_many(self, status: int) -> Any:  # noqa: ARG002 - it says the same of both
        """Give what is said to who asks too often."""
        return {"error": ["EAPI:Rate limit exceeded"]}

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        return {"error": ["EService:Unavailable"]}

    def page(self, result: Any) -> list[Any] | None:  # noqa: ARG002 - nothing here is a list
        """Give nothing."""
        return None

    def _key(self, request: web.Request, body: str) -> Key:
        """Give the key that signed a request."""
        key = self._exchange.keys.get(request.headers.get("API-Key", ""))
        if key is None or not key.is_valid(self._exchange.clock()):
            raise RefusedError(0, "EAPI:Invalid key", 200)
        nonce = dict(parse_qsl(body)).get("nonce", "")
        made = signature(key.secret, request.path, nonce, body)
        if not hmac.compare_digest(made.encode(), request.headers.get("API-Sign", "").encode()):
            raise RefusedError(0, "EAPI:Invalid signature", 200)
        if not nonce.isdecimal() or int(nonce) <= self._nonces.get(key.text, 0):
            raise RefusedError(0, "EAPI:Invalid nonce", 200)
        self._nonces[key.text] = int(nonce)
        key.used_ms = self._exchange.clock()
        return key

    def _info(self, key: Key) -> dict[str, Any]:
        granted = [*_READS]
        granted += ["modify-trades", "close-trades"] if key.can_trade else []
        granted += ["withdraw-funds"] if key.can_withdraw else []
        granted += ["earn-funds"] if key.can_transfer else []
        return {
            "apiKeyName": "watch", "apiKey": key.text, "nonce": str(self._nonces[key.text]), "nonceWindow": 0,
            "permissions": granted, "iban": "AA88 N84G WOAK NMOI", "validUntil": str(key.expires_ms // 1000),
            "queryFrom": "0", "queryTo": "0", "createdTime": str(key.created_ms // 1000),
            "modifiedTime": str(key.created_ms // 1000), "lastUsed": str(key.used_ms // 1000),
            "ipAllowlist": ["127.0.0.1"] if key.ip_restricted else [],
        }  # fmt: skip


class Kraken(Host[Switchboard]):
    """The server.

    Parameters
    ----------
    exchange
        Whose keys count.
    faults
        What goes wrong; nothing unless given.
    """

    def __init__(self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0) -> None:
        super().__init__(exchange, Switchboard(exchange), faults, port=port)

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        router.add_route("*", "/{path:.*}", Rest(self.exchange, self.faults).answer)

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.kraken`'s settings need as `urls` to come here."""
        return {"api": {"public": self.url, "private": self.url}}
