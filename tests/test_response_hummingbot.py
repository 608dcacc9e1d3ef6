"""A hummingbot is stopped by hummingbot-api, whose `success` means less than it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drainwatch.response import hummingbot, web
from drainwatch.response.hook import Hook, HookError
from response_fakes import HummingbotApi, hook, incident


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.01)


def against(api: HummingbotApi, do: Callable[[Hook], Awaitable[Any]], **changes: Any) -> Any:
    async def scene() -> Any:
        async with api.running():
            return await do(hook("hummingbot", **({"address": api.url, "bot": "maker 1"} | changes)))

    return asyncio.run(scene())


def run(one: Hook) -> Awaitable[Any]:
    return hummingbot.run(one, incident())


def test_the_bot_is_stopped_and_cancels_its_orders() -> None:
    api = HummingbotApi("maker 1", "maker 2")
    api.plan = [503]
    done = against(api, run)
    assert api.told == [{"bot_name": "maker 1", "skip_order_cancellation": False, "async_backend": True}]
    assert api.bots == {"maker 1": "stopped", "maker 2": "running"}
    assert "that it obeyed isn't told" in done.text


@pytest.mark.parametrize("do", [run, hummingbot.check])
def test_a_bot_that_it_does_not_know_is_no_success(do: Callable[[Hook], Awaitable[Any]]) -> None:
    """It answers HTTP 200 and `status: success` all the same."""
    with pytest.raises(HookError, match="knows no running bot maker 3"):
        against(HummingbotApi("maker 1"), do, bot="maker 3")


def test_a_broker_that_is_away_for_a_moment_is_waited_for() -> None:
    """`success: false` without a message is all that is then said."""
    api = HummingbotApi("maker 1")
    api.away = 2
    assert "passed the order to stop on" in against(api, run).text
    assert len(api.told) == 3
    api.away = 1_000_000
    with pytest.raises(HookError, match="is its message broker"):
        against(api, run, timeout_s=0.5)


@pytest.mark.parametrize("do", [run, hummingbot.check])
def test_a_wrong_password_is_told(do: Callable[[Hook], Awaitable[Any]]) -> None:
    with pytest.raises(HookError, match="user or password") as caught:
        against(HummingbotApi("maker 1"), do, password="PlAnTeDwrong")  # noqa: S106 - opens nothing
    assert "PlAnTeD" not in str(caught.value)


def test_a_check_stops_nothing() -> None:
    api = HummingbotApi("maker 1")
    assert "would stop bot maker 1" in against(api, hummingbot.check)
    assert api.told == []
