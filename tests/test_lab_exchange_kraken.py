"""Kraken's door: its documented signature is checked, and somebody else's client gets through."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.kraken import Kraken, signature
from drainwatch.venues.ccxt_table import library
from keys_lab import KEY, SECRET, Place, place

PATH = "/0/private/GetApiKeyInfo"


def test_the_signature_is_that_of_the_documents() -> None:
    """The example on docs.kraken.com/api/docs/guides/spot-rest-auth."""
    secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="  # noqa: S105
    form = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    assert signature(secret, "/0/private/AddOrder", "1616492376594", form) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )
    with pytest.raises(ValueError, match="in base64"):
        signature("a", "/", "1", "")


def answers(one: Place, *requests: dict[str, str], path: str = PATH) -> list[Any]:
    """Send forms as they are, each with the headers that go with them."""

    async def body() -> list[Any]:
        async with Kraken(one.exchange, one.faults) as host, aiohttp.ClientSession() as session:
            found = []
            for given in requests:
                form = f"nonce={given.get('nonce', '1')}"
                sign = given.get("sign") or signature(
                    given.get("secret", SECRET), path, given.get("nonce", "1"), form
                )
                headers = {"API-Key": given.get("key", KEY), "API-Sign": sign}
                async with session.post(host.url + path, data=form, headers=headers) as answer:
                    assert answer.status == 200  # whatever is wrong
                    found.append(await answer.json())
            return found

    return asyncio.run(body())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": "other"}, "EAPI:Invalid key"),
        ({"secret": base64.b64encode(b"other").decode()}, "EAPI:Invalid signature"),
        ({"sign": "nonsense"}, "EAPI:Invalid signature"),
        ({"nonce": "soon"}, "EAPI:Invalid nonce"),
    ],
)
def test_what_is_wrong_is_refused_in_the_venues_words(given: dict[str, str], said: str) -> None:
    assert answers(place("kraken"), given) == [{"error": [said]}]


def test_a_nonce_must_grow() -> None:
    first, again, more = answers(place("kraken"), {"nonce": "5"}, {"nonce": "5"}, {"nonce": "6"})
    assert first["error"] == more["error"] == []
    assert again == {"error": ["EAPI:Invalid nonce"]}


def test_the_answer_has_all_that_the_documents_show() -> None:
    (told,) = answers(place("kraken", can_trade=True, can_withdraw=True), {"nonce": "1"})
    assert set(told["result"]) == {
        "apiKeyName", "apiKey", "nonce", "nonceWindow", "permissions", "iban", "validUntil", "queryFrom",
        "queryTo", "createdTime", "modifiedTime", "ipAllowlist", "lastUsed",
    }  # fmt: skip
    assert {"modify-trades", "withdraw-funds"} < set(told["result"]["permissions"])


def test_a_key_that_was_revoked_or_has_expired_is_unknown() -> None:
    for one in (place("kraken", revoked=True), place("kraken", expires_ms=1)):
        assert answers(one, {}) == [{"error": ["EAPI:Invalid key"]}]


def test_what_isnt_here_is_said() -> None:
    assert answers(place("kraken"), {}, path="/0/private/AddOrder") == [
        {"error": ["EGeneral:Unknown method"]}
    ]


def test_ccxt_gets_through_and_is_told_when_it_asks_too_often() -> None:
    async def body() -> None:
        one = place("kraken")
        faults = Faults()
        async with Kraken(one.exchange, faults) as host:
            client = library()[0].kraken(
                {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "urls": host.ccxt_urls()}
            )
            try:
                assert abs(await client.fetch_time() - one.exchange.clock()) < 60_000
                told = await client.privatePostGetApiKeyInfo()
                assert told["result"]["ipAllowlist"] == ["127.0.0.1"]
                for fault in (Fault.RATE_LIMIT, Fault.LOST_ANSWER):  # which passes, and is tried again
                    faults.once(fault)
                    with pytest.raises(Exception, match=r"EAPI:Rate|EService") as caught:
                        await client.privatePostGetApiKeyInfo()
                    assert "NetworkError" in {cls.__name__ for cls in type(caught.value).__mro__}
            finally:
                await client.close()

    asyncio.run(body())
