"""Asking an exchange about a key: which of its methods, in which order. Only ever reads."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from drainwatch.errors import VenueError
from drainwatch.keys.facts import Facts, mark_of
from drainwatch.keys.readers import read_reply
from drainwatch.keys.values import bound, unwrapped, words

WHAT = "asking what the key may do"

_METHODS = {
    **dict.fromkeys(("binance", "binancecoinm", "binanceus", "binanceusdm"), "sapiGetAccountApiRestrictions"),
    "bingx": "accountV1PrivateGetAccountApiPermissions",
    "bitfinex": "privatePostAuthRPermissions",
    "bitflyer": "privateGetGetpermissions",
    "bitget": "privateSpotGetV2SpotAccountInfo",
    "bithumb": "privateGetV1ApiKeys",
    "blofin": "privateGetUserQueryApikey",
    **dict.fromkeys(("bybit", "bybiteu", "bybitid"), "privateGetV5UserQueryApi"),
    "coinbase": "v3PrivateGetBrokerageKeyPermissions",
    "deribit": "privateGetListApiKeys",
    **dict.fromkeys(("gate", "gateeu"), "privateAccountGetMainKeys"),
    "htx": "v2PrivateGetUserApiKey",
    "hyperliquid": "publicPostInfo",
    "kraken": "privatePostGetApiKeyInfo",
    **dict.fromkeys(("kucoin", "kucoinfutures"), "privateGetUserApiKey"),
    **dict.fromkeys(("okx", "okxus", "myokx"), "privateGetAccountConfig"),
    "upbit": "privateGetApiKeys",
}
"""ccxt's method that asks, by ccxt's id of the exchange."""

ASKED = frozenset(_METHODS)
"""Exchanges that can be asked, by ccxt's ids."""


class Asked(Protocol):
    """An exchange as it can be asked; `venues.rest.Rest` is one."""

    async def raw(self, method: str, params: Mapping[str, Any], what: str) -> Any:
        """Give its own reply to one of ccxt's methods; raises `VenueError`."""


async def ask(exchange: str, venue: Asked, key: str) -> Facts | None:
    """Ask what a key may do.

    Parameters
    ----------
    exchange
        ccxt's id.
    key
        The key, or for Hyperliquid the account's address.

    Returns
    -------
    Facts | None
        None: this exchange has nothing to ask by.

    Raises
    ------
    KeyRefusedError
        It doesn't take the key: revoked, expired, or not from this address.
    VenueError
        It can't be reached, or answers nonsense.
    """
    method = _METHODS.get(exchange)
    if method is None:
        return None
    reply = await venue.raw(method, await _params(exchange, venue, key), WHAT)
    facts = read_reply(exchange, reply, key)
    if exchange in {"gate", "gateeu"} and facts.read is None:
        facts = await _gate_detail(venue, facts)
    return replace(facts, mark=mark_of(key))


async def _params(exchange: str, venue: Asked, key: str) -> dict[str, Any]:
    """Give what the method wants to be told."""
    if exchange == "hyperliquid":
        return {"type": "extraAgents", "user": key}
    if exchange == "htx":  # which lists the keys of a user, by his number
        reply = await venue.raw("v2PrivateGetUserUid", {}, WHAT)
        user = reply.get("data") if isinstance(reply, Mapping) else None
        return {"uid": user} if isinstance(user, str | int) else {}
    return {}


async def _gate_detail(venue: Asked, facts: Facts) -> Facts:
    """Ask Gate about the key itself, where it isn't in the list, as that of a sub-account isn't."""
    with contextlib.suppress(VenueError):  # then that much isn't told
        reply = unwrapped(await venue.raw("privateAccountGetDetail", {}, WHAT))
        if isinstance(reply, Mapping):
            markets = reply.get("currency_pairs")
            return replace(
                facts,
                read=True,
                markets=tuple(sorted(words(markets))) if isinstance(markets, list) else None,
                **bound(reply.get("ip_whitelist")),
            )
    return facts
