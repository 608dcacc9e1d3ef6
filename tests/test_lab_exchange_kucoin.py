"""KuCoin's door: its documented signature is checked, and somebody else's client gets through."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.kucoin import Kucoin
from drainwatch.venues.ccxt_table import library
from keys_lab import KEY, PASSPHRASE, SECRET, Place, place

PATH = "/api/v1/user/api-key"


def signed(secret: str, text: str) -> str:
    """Sign as kucoin.com/docs-new/authentication says."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def answer(one: Place, path: str = PATH, **given: str) -> tuple[int, Any]:
    """Ask with the headers that go with a request, but for what is given."""

    async def body() -> tuple[int, Any]:
        async with Kucoin(one.exchange, one.faults) as host, aiohttp.ClientSession() as session:
            at = given.get("at", str(time.time_ns() // 1_000_000))
            version = given.get("version", "3")
            passphrase = given.get("passphrase", PASSPHRASE)
            headers = {
                "KC-API-KEY": given.get("key", KEY),
                "KC-API-TIMESTAMP": at,
                "KC-API-SIGN": signed(given.get("secret", SECRET), f"{at}GET{path}"),
                "KC-API-PASSPHRASE": passphrase if version == "1" else signed(SECRET, passphrase),
                "KC-API-KEY-VERSION": version,
            }
            async with session.get(host.url + path, headers=headers) as found:
                return found.status, await found.json()

    return asyncio.run(body())


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_every_version_of_a_key_is_taken(version: str) -> None:
    status, told = answer(place("kucoin"), version=version)
    assert (status, told["code"]) == (200, "200000")
    assert told["data"]["permission"] == "General"
    assert told["data"]["ipWhitelist"] == "127.0.0.1"


def test_what_is_asked_for_is_signed_with_its_query() -> None:
    status, _ = answer(place("kucoin"), f"{PATH}?a=b")
    assert status == 200


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"key": "other"}, "400003"), ({"secret": "other"}, "400005"), ({"passphrase": "other"}, "400004"),
        ({"at": "1700000000000"}, "400002"), ({"at": "now"}, "400002"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_the_venues_words(given: dict[str, str], code: str) -> None:
    status, told = answer(place("kucoin"), **given)
    assert status in {400, 401}
    assert told["code"] == code


def test_a_key_that_was_revoked_or_has_expired_is_unknown() -> None:
    for one in (place("kucoin", revoked=True), place("kucoin", expires_ms=1)):
        assert answer(one)[1]["code"] == "400003"


def test_what_a_key_may_do_is_told() -> None:
    _, told = answer(
        place("kucoin", can_trade=True, can_withdraw=True, can_transfer=True, ip_restricted=False)
    )
    assert told["data"]["permission"] == "General,Spot,Margin,Futures,InnerTransfer,Withdrawal"
    assert "ipWhitelist" not in told["data"]


def test_what_isnt_here_is_said() -> None:
    assert answer(place("kucoin"), "/api/v1/orders") == (404, {"code": "404000", "msg": "Url Not Found"})


def test_ccxt_gets_through_and_is_told_when_it_asks_too_often() -> None:
    async def body() -> None:
        one = place("kucoin")
        faults = Faults()
        async with Kucoin(one.exchange, faults) as host:
            client = library()[0].kucoin(
                {
                    "apiKey": KEY, "secret": SECRET, "password": PASSPHRASE, "enableRateLimit": False,
                    "urls": host.ccxt_urls(),
                }
            )  # fmt: skip
            try:
                assert abs(await client.fetch_time() - one.exchange.clock()) < 60_000
                assert (await client.privateGetUserApiKey())["data"]["isMaster"] is True
                for fault, name in (
                    (Fault.RATE_LIMIT, "RateLimitExceeded"),
                    (Fault.LOST_ANSWER, "ExchangeNotAvailable"),
                ):
                    faults.once(fault)
                    with pytest.raises(Exception, match="kucoin") as caught:
                        await client.privateGetUserApiKey()
                    assert name in {cls.__name__ for cls in type(caught.value).__mro__}
            finally:
                await client.close()

    asyncio.run(body())
