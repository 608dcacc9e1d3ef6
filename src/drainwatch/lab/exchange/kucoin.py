"""KuCoin on this machine, as far as it tells of keys: the time, and what a key may do.

As the venue documents it (kucoin.com/docs-new/authentication): `KC-API-SIGN` is HMAC-SHA256 in base64 of
time, method, path and body; the passphrase is signed with the secret, too; a time more than 5 s off is
refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from aiohttp import web

from drainwatch.lab.exchange.accounts import Key, RefusedError
from drainwatch.lab.exchange.door import Door
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.signatures import is_in_time
from drainwatch.lab.exchange.switchboard import Switchboard

WINDOW_MS = 5_000
_TIME, _KEY, _PASSPHRASE, _SIGN = 400002, 400003, 400004, 400005


def signature(secret: str, text: str) -> str:
    """Sign a text."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


class Rest(Door):
    """The handlers."""

    def result(self, request: web.Request, body: str) -> Any:
        """Give the whole answer."""
        if request.path == "/api/v1/timestamp":
            return {"code": "200000", "data": self._exchange.clock()}
        if request.path == "/api/v1/user/api-key" and request.method == "GET":
            return {"code": "200000", "data": self._info(self._key(request, body))}
        raise RefusedError(404000, "Url Not Found", 404)

    def refused(self, error: RefusedError) -> Any:
        """Give what is said of a request that isn't done."""
        return {"code": str(error.code), "msg": str(error)}

    def too_many(self, status: int) -> Any:  # noqa: ARG002 - it says the same of both
        """Give what is said to who asks too often."""
        return {"code": "429000", "msg": "Too many requests in a short period of time, please retry later"}

    def lost(self) -> Any:
        """Give what is said when nobody knows whether it was done."""
        return {"code": "500000", "msg": "Internal Server Error"}

    def page(self, result: Any) -> list[Any] | None:  # noqa: ARG002 - nothing here is a list
        """Give nothing."""
        return None

    def _key(self, request: web.Request, body: str) -> Key:
        """Give the key that signed a request."""
        headers = request.headers
        key = self._exchange.keys.get(headers.get("KC-API-KEY", ""))
        if key is None or not key.is_valid(self._exchange.clock()):
            raise RefusedError(_KEY, "KC-API-KEY not exists", 401)
        at = headers.get("KC-API-TIMESTAMP", "")
        if not at.isdecimal() or not is_in_time(self._exchange, int(at), WINDOW_MS):
            raise RefusedError(_TIME, "KC-API-TIMESTAMP Invalid -- Time differs from server time "
                               "by more than 5 seconds")  # fmt: skip
        plain = headers.get("KC-API-KEY-VERSION", "1") == "1"
        passphrase = key.passphrase if plain else signature(key.secret, key.passphrase)
        if not hmac.compare_digest(passphrase.encode(), headers.get("KC-API-PASSPHRASE", "").encode()):
            raise RefusedError(_PASSPHRASE, "KC-API-PASSPHRASE error", 401)
        query = request.rel_url.raw_query_string
        target = f"{request.path}?{query}" if query else request.path
        made = signature(key.secret, f"{at}{request.method}{target}{body}")
        if not hmac.compare_digest(made.encode(), headers.get("KC-API-SIGN", "").encode()):
            raise RefusedError(_SIGN, "Signature error", 401)
        return key

    def _info(self, key: Key) -> dict[str, Any]:
        granted = ["General"]
        granted += ["Spot", "Margin", "Futures"] if key.can_trade else []
        granted += ["InnerTransfer"] if key.can_transfer else []
        granted += ["Withdrawal"] if key.can_withdraw else []
        listed = {"ipWhitelist": "127.0.0.1"} if key.ip_restricted else {}
        return {
            "remark": "watch", "apiKey": key.text, "apiVersion": 3, "permission": ",".join(granted), **listed,
            "createdAt": key.created_ms, "uid": 165111215, "isMaster": True,
        }  # fmt: skip


class Kucoin(Host[Switchboard]):
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
        """Give what `ccxt.kucoin`'s settings need as `urls` to come here."""
        return {"api": {"public": self.url, "private": self.url}}
