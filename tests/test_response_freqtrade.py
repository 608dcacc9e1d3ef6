"""Freqtrade is stopped: one that answers as its documents say, and (slow) freqtrade itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from msgspec.structs import replace

import freqtrade_process
from drainwatch.lab.exchange.server import Server
from drainwatch.response import freqtrade, web
from drainwatch.response.hook import Hook, HookError
from drainwatch.response.record import State, responses_of
from drainwatch.response.switch import Switch
from drainwatch.store import open_store
from drainwatch.venues.clock import SystemClock
from loopback import an_exchange
from response_fakes import Freqtrade, basic, hook, incident

T = TypeVar("T")


def against(bot: Freqtrade, do: Callable[[Hook], Awaitable[T]], **changes: Any) -> T:
    """Do something while the bot listens."""

    async def scene() -> T:
        async with bot.running():
            return await do(hook("freqtrade", **({"address": bot.url} | changes)))

    return asyncio.run(scene())


def run(one: Hook) -> Awaitable[Any]:
    return freqtrade.run(one, incident())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(web, "LONGEST_PAUSE_S", 0.02)


def test_a_running_bot_is_stopped_and_was_seen_to_stop() -> None:
    bot = Freqtrade()
    done = against(bot, run)
    assert bot.state == "stopped"
    assert done.text == "freqtrade has stopped; it was running before"


def test_trades_that_stay_open_are_told() -> None:
    assert "2 open trades stay, and nobody looks after them now" in against(Freqtrade(n_open=2), run).text


def test_a_stopped_bot_is_left_alone() -> None:
    assert against(Freqtrade(state="stopped"), run).text == "freqtrade was stopped already"


def test_a_bot_that_takes_the_order_and_goes_on_is_no_success() -> None:
    """`stopping trader ...` is a promise: what counts is the state."""
    bot = Freqtrade()
    bot.obeys = False
    with pytest.raises(HookError, match="its state is still running"):
        against(bot, run, timeout_s=1.0)


def test_entries_alone_are_stopped() -> None:
    bot = Freqtrade(n_open=1)
    done = against(bot, run, action="stop_entries")
    assert bot.state == "paused"
    assert "opens no new trades" in done.text
    assert not bot.asked["POST /api/v1/stop"]


def test_open_trades_are_sold_before_the_stop() -> None:
    bot = Freqtrade(n_open=3)
    done = against(bot, run, action="exit_and_stop")
    assert (bot.n_open, bot.state) == (0, "stopped")
    assert "all trades are sold" in done.text


def test_it_is_stopped_though_its_trades_are_not_sold() -> None:
    bot = Freqtrade(n_open=3)
    bot.sells = False
    done = against(bot, run, action="exit_and_stop", timeout_s=1.0)
    assert bot.state == "stopped"
    assert "3 of its trades weren't sold in time and stay open" in done.text


@pytest.mark.parametrize("trouble", [[500, 503, 502], [None, None], [429]])
def test_what_passes_is_tried_again(trouble: list[int | None]) -> None:
    bot = Freqtrade()
    bot.plan = list(trouble)
    assert "has stopped" in against(bot, run).text


def test_a_wrong_password_is_told_and_not_shown() -> None:
    with pytest.raises(HookError, match="doesn't take the user or password") as caught:
        against(Freqtrade(), run, password="PlAnTeDwrong")  # noqa: S106 - opens nothing
    assert "PlAnTeD" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "no such page"), (302, "has moved"), (418, "HTTP 418"), (403, "user or password")],
)
def test_what_does_not_pass_is_told_at_once(status: int, said: str) -> None:
    bot = Freqtrade()
    bot.plan = [status]
    with pytest.raises(HookError, match=said):
        against(bot, run)
    assert bot.asked.total() == 1


def test_nobody_there_is_told_without_the_address() -> None:
    one = hook("freqtrade", address="http://127.0.0.1:9/secret", timeout_s=1.0)
    with pytest.raises(HookError, match="wasn't reached") as caught:
        asyncio.run(freqtrade.run(one, incident()))
    assert "9/secret" not in str(caught.value)


def test_a_check_changes_nothing() -> None:
    bot = Freqtrade()
    found = against(bot, freqtrade.check)
    assert found == "would stop freqtrade; the login works, and its state is running"
    assert bot.state == "running"
    assert all(asked.startswith("GET") or asked.endswith("login") for asked in bot.asked)


def test_another_program_there_is_told() -> None:
    bot = Freqtrade(state="<script>")
    with pytest.raises(HookError, match="is it freqtrade that listens there"):
        against(bot, freqtrade.check)


# --- freqtrade itself ----------------------------------------------------------------------------------


async def told(url: str, path: str) -> Any:
    """Ask freqtrade itself, not through the hook."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/{path}", headers={"Authorization": basic()}) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def order(url: str, path: str, body: Any = None) -> None:
    """Have freqtrade do something, not through the hook."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/v1/{path}", headers={"Authorization": basic()}, json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def until(url: str, path: str, true: Callable[[Any], bool]) -> Any:
    """Wait until freqtrade says something."""
    async with asyncio.timeout(90):
        while True:
            found = await told(url, path)
            if true(found):
                return found
            await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_freqtrade_itself_is_stopped(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The whole of it is real: `freqtrade trade` in dry run, with an open trade, on the loopback Binance."""
    executable = freqtrade_process.program(tmp_path_factory.getbasetemp())

    async def scene() -> None:
        exchange = an_exchange()
        exchange.place("other", "ETH/BTC", "buy", "market", "0.01")  # there is a last price
        notices: list[str] = []
        async with Server(exchange) as server, freqtrade_process.trading(executable, server, tmp_path) as url:
            assert (await told(url, "show_config"))["state"] == "running"
            one = hook("freqtrade", address=url, timeout_s=60.0)
            assert "its state is running" in await freqtrade.check(one)
            assert (await told(url, "show_config"))["state"] == "running", "a check stops nothing"

            worked = (await until(url, "health", lambda h: h["last_process_ts"]))["last_process_ts"]
            await until(url, "health", lambda h: h["last_process_ts"] > worked)

            with pytest.raises(HookError, match="user or password"):
                await freqtrade.run(replace(one, password="wrong"), incident())  # noqa: S106
            assert (await told(url, "show_config"))["state"] == "running"

            with closing(open_store(tmp_path / "watch.db")) as store:
                switch = Switch(store, [one], SystemClock(), lambda notice: notices.append(notice.text))
                switch.note(incident(), None)
                task = asyncio.create_task(switch.run())
                async with asyncio.timeout(60):
                    while not notices:  # noqa: ASYNC110 - what is waited for has no event
                        await asyncio.sleep(0.05)
                task.cancel()
                (kept,) = responses_of(store, incident()["id"])
            assert (kept.state, kept.text) == (State.DONE, "freqtrade has stopped; it was running before")
            assert (await told(url, "show_config"))["state"] == "stopped"
            # not only said: the loop that trades has come to rest
            last = (await told(url, "health"))["last_process_ts"]
            await asyncio.sleep(5)
            assert (await told(url, "health"))["last_process_ts"] <= last + 1
            assert (await freqtrade.run(one, incident())).text == "freqtrade was stopped already"

            # once more, with an open trade
            await order(url, "start")
            await until(url, "show_config", lambda config: config["state"] == "running")
            await order(url, "forceenter", {"pair": "ETH/BTC", "ordertype": "market"})
            await until(url, "count", lambda count: count["current"] == 1)
            done = await freqtrade.run(replace(one, action="stop_entries"), incident())
            assert "opens no new trades any more" in done.text
            assert (await told(url, "show_config"))["state"] == "paused"
            done = await freqtrade.run(replace(one, action="exit_and_stop"), incident())
            assert done.text == "freqtrade has stopped; it was paused before; all trades are sold"
            assert (await told(url, "show_config"))["state"] == "stopped"

    asyncio.run(scene())
