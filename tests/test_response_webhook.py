"""The owner's own address gets the incident, signed, and knows a second try of the same."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drainwatch.response import web, webhook
from drainwatch.response.hook import Hook, HookError
from response_fakes import Taker, hook, incident

SIGNING = "PlAnTeDsigning"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.01)


def against(taker: Taker, do: Callable[[Hook], Awaitable[Any]], path: str = "/hook/PlAnTeDhook") -> Any:
    async def scene() -> Any:
        async with taker.running():
            return await do(hook("webhook", url=taker.url + path, signing=SIGNING))

    return asyncio.run(scene())


def run(one: Hook) -> Awaitable[Any]:
    return webhook.run(one, incident())


def test_the_incident_arrives_signed() -> None:
    taker = Taker()
    assert against(taker, run).text == "the webhook took it (HTTP 204)"
    ((headers, body),) = taker.took
    told = json.loads(body)
    assert (told["version"], told["what"], told["response"]) == (1, "response", "the-hook")
    assert told["incident"] == incident()
    at, given = (part.partition("=")[2] for part in headers["Drainwatch-Signature"].split(","))
    wanted = hmac.new(SIGNING.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(given, wanted)


def test_a_second_try_has_the_same_key() -> None:
    taker = Taker()
    taker.plan = [500, None]
    against(taker, run)
    against(taker, run)
    first, second = (headers["Idempotency-Key"] for headers, _ in taker.took)
    assert first == second == "incident-1/the-hook"


@pytest.mark.parametrize(("path", "status"), [("/other", 404), ("/hook/PlAnTeDhook", 302)])
def test_an_address_that_does_not_take_it_is_told_without_the_url(path: str, status: int) -> None:
    taker = Taker()
    taker.plan = [302] if status == 302 else []
    with pytest.raises(HookError, match=f"HTTP {status}") as caught:
        against(taker, run, path)
    assert "PlAnTeD" not in str(caught.value)
    assert taker.took == []


def test_a_check_sends_nothing() -> None:
    taker = Taker()
    assert "nothing was sent" in against(taker, webhook.check)
    assert not taker.asked
