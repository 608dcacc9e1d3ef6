"""The watch as a whole: on the loopback exchange, and with nothing but its socket in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from drainwatch.config import Settings, load_settings
from drainwatch.errors import ConfigError, StateError
from drainwatch.events import NS_PER_S
from drainwatch.lab.exchange.server import Server
from drainwatch.notices import NoticeKind
from drainwatch.response.record import State, responses_of
from drainwatch.rows import Balance, Fill, Market, Quote, Row
from drainwatch.store import open_store
from drainwatch.watch.runner import Watch, check
from loopback import KEY, SECRET, an_exchange, until

ENVIRON = {"THE_KEY": KEY, "THE_SECRET": SECRET}
PUSHED = """
[watch]
store = "sqlite:///{folder}/store.db"
[inlet]
enabled = true
port = 0
token_file = "{folder}/in.token"
account = "main"
exchange = "mine"
[outlet]
enabled = true
port = 0
token_file = "{folder}/out.token"
"""


def settings_of(folder: Path, text: str) -> Settings:
    path = folder / "settings.toml"
    path.write_text(text)
    return load_settings(path, env={})


def on_loopback(folder: Path, server: Server) -> Settings:
    return settings_of(
        folder,
        f"""
[watch]
store = "sqlite:///{folder}/store.db"
[[accounts]]
name = "main"
exchange = "binance"
key_env = "THE_KEY"
secret_env = "THE_SECRET"
url_rest = "{server.url}"
url_private = "{server.ws_api_url}"
url_public = "{server.ws_url}/stream"
allow_trading_key = true
""",
    )


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def pushed(number: int, price: float) -> str:
    return json.dumps(
        {
            "table": "fills",
            "id": str(number),
            "timestamp": 1_700_000_000_000 + 60_000 * number,
            "symbol": "ETH/BTC",
            "side": "buy",
            "price": price,
            "amount": 1,
        }
    )


def test_what_the_exchange_executed_is_in_the_journal_also_after_a_cut_and_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server:
            for round_ in (1, 2):
                watch = Watch(on_loopback(tmp_path, server), environ=ENVIRON)
                task = asyncio.create_task(watch.run())
                streams = watch.followed[0].connections
                await until(lambda w=watch: w.store.value("known until/main") is not None, 30.0)
                await until(lambda s=streams: s and all(one.counts.connected for one in s), 30.0)
                await server.exchange.burst("main", 70)
                server.connections[0].cut()
                await server.exchange.burst("main", 20)
                executed = {e.fill("binance").id for e in server.exchange.executed("main")}
                n_executed = len(executed)
                await until(lambda w=watch, n=n_executed: len(list(w.store.fills())) >= n, 30.0)
                assert {fill.id for fill in watch.store.fills()} == executed
                assert len(executed) == 120 * round_ - 30
                await stopped(task)
                await server.exchange.burst("main", 30)  # while nobody watches

    asyncio.run(scene())


def test_a_bot_pushes_its_fills_and_hears_what_came_of_them(tmp_path: Path) -> None:
    async def scene() -> None:
        watch = Watch(settings_of(tmp_path, PUSHED.format(folder=tmp_path)), environ={})
        task = asyncio.create_task(watch.run())
        await until(lambda: watch.inlet is not None and watch.outlet is not None)
        assert watch.inlet is not None
        assert watch.outlet is not None
        in_token = {"token": (tmp_path / "in.token").read_text().strip()}
        out_token = {"token": (tmp_path / "out.token").read_text().strip(), "want": "all"}
        async with (
            connect(f"ws://127.0.0.1:{watch.outlet.port}") as out,
            connect(f"ws://127.0.0.1:{watch.inlet.port}") as bot,
        ):
            await out.send(json.dumps(out_token))
            assert json.loads(await out.recv())["type"] == "hello"
            await bot.send(json.dumps(in_token))
            await bot.send(pushed(1, 0.03))
            assert json.loads(await bot.recv())["ok"] == 0  # the welcome
            assert json.loads(await bot.recv()) == {"ok": 1}
            assert [fill.id for fill in watch.store.fills()] == ["1"]
            verdict = json.loads(await out.recv())
            assert (verdict["type"], verdict["id"], verdict["fair_price"]) == ("verdict", "1", None)
        await stopped(task)

    asyncio.run(scene())


def test_health_says_whether_it_hears(tmp_path: Path) -> None:
    text = PUSHED + "\n[health]\nenabled = true\nport = 0\n"

    async def scene() -> None:
        watch = Watch(settings_of(tmp_path, text.format(folder=tmp_path)), environ={})
        task = asyncio.create_task(watch.run())
        await until(lambda: watch.health is not None)
        assert watch.health is not None
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{watch.health.port}/health") as answer:
                assert answer.status == 200
            async with session.get(f"http://127.0.0.1:{watch.health.port}/metrics") as answer:
                assert "drainwatch_fills" in await answer.text()
        await stopped(task)

    asyncio.run(scene())


def drained(now_ns: int) -> list[Row]:
    """Give what a thief does: buys at three times the price and sells at a third."""
    ns = now_ns - 70 * NS_PER_S
    at: dict[str, Any] = {"exchange": "mine", "symbol": "ETH/BTC"}
    rows: list[Row] = [
        Market(**at, venue_symbol="ETHBTC", base="ETH", quote="BTC"),
        Balance(exchange="mine", account="main", currency="BTC", ts_ns=ns, total=10.0),
        *(Quote(**at, ts_ns=ns + i * NS_PER_S, bid=0.02997, ask=0.03003) for i in range(60)),
    ]
    for i in range(8):
        price, side = ("0.09", "buy") if i % 2 == 0 else ("0.01", "sell")
        rows.append(
            Fill(
                **at,
                account="main",
                id=str(i),
                ts_ns=ns + (61 + i) * NS_PER_S,
                side=side,
                price=price,
                amount="1",
            )
        )
    return rows


def test_a_response_answers_an_incident_and_is_in_store_health_and_outbox(tmp_path: Path) -> None:
    script = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10)); print('stopped it')"
    text = (
        PUSHED
        + f"""
[health]
enabled = true
port = 0
[[channels]]
name = "phone"
kind = "webhook"
url_env = "HOOK"
[[responses]]
name = "stop it"
kind = "command"
command = {json.dumps([sys.executable, "-c", script, str(tmp_path / "ran")])}
dry_run = false
[[responses]]
name = "say it"
kind = "command"
command = {json.dumps([sys.executable])}
"""
    )

    async def scene() -> None:
        watch = Watch(
            settings_of(tmp_path, text.format(folder=tmp_path)), environ={"HOOK": "http://127.0.0.1:9/"}
        )
        task = asyncio.create_task(watch.run())
        await until(lambda: watch.health is not None)
        assert watch.health is not None
        now_ns = watch.clock.now_ns()
        await watch.hub.rows(drained(now_ns), now_ns)
        await until(lambda: watch.switch.counts.total() == 2)
        ((incident_id, incident),) = watch.hub.open.items()
        kept = {one.name: one for one in responses_of(watch.store, incident_id)}
        assert (kept["stop it"].state, kept["stop it"].output) == (State.DONE, "stopped it\n")
        assert kept["say it"].state is State.WOULD
        (line,) = (tmp_path / "ran").read_text().splitlines()
        assert json.loads(line)["id"] == incident["id"]
        await until(lambda: watch.hub.told["response"] == 2)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{watch.health.port}/health") as answer,
        ):
            told = {one["name"]: one["last"] for one in (await answer.json())["responses"]}
        assert told == {"stop it": "done", "say it": "would"}
        await stopped(task)

    asyncio.run(scene())
    with closing(open_store(tmp_path / "store.db")) as store:
        texts = [notice.text for notice in store.notices() if notice.kind == "response"]
    assert any(said.startswith("stop it: done: the command ended with status 0.") for said in texts)


def test_a_response_whose_secret_is_not_there_ends_the_start(tmp_path: Path) -> None:
    """A switch that can't work is found by day, not in the night of the theft."""
    text = (
        PUSHED
        + """
[[responses]]
name = "stop"
kind = "freqtrade"
address = "http://127.0.0.1:8080"
user = "me"
password_env = "ABSENT"
"""
    )
    with pytest.raises(ConfigError, match="password_env"):
        Watch(settings_of(tmp_path, text.format(folder=tmp_path)), environ={})


def test_a_store_that_is_full_is_told_by_health_and_systemd_at_once_and_costs_no_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(str(tmp_path / "notify"))
    systemd.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    told: list[str] = []

    def hears(word: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            told.append(systemd.recv(10_000).decode())
        return any(word in line for line in told)

    async def scene() -> None:
        text = PUSHED + "\n[health]\nenabled = true\nport = 0\n"
        watch = Watch(settings_of(tmp_path, text.format(folder=tmp_path)), environ={})
        task = asyncio.create_task(watch.run())
        await until(lambda: hears("READY=1\nSTATUS=watching 0 accounts"))
        assert watch.health is not None
        assert watch.inlet is not None
        store = watch.store
        (pages,) = store._select("PRAGMA page_count")[0]
        store._select(f"PRAGMA max_page_count = {pages}")
        async with (
            aiohttp.ClientSession() as session,
            connect(f"ws://127.0.0.1:{watch.inlet.port}") as bot,
        ):
            await bot.send(json.dumps({"token": (tmp_path / "in.token").read_text().strip()}))
            assert json.loads(await bot.recv())["ok"] == 0  # the welcome
            n_sent = 0
            while watch.hub.failing is None:
                n_sent += 1
                await bot.send(pushed(n_sent, 0.03))
                await asyncio.sleep(0)
            await until(lambda: hears("STATUS=not judging: the store doesn't take rows"))
            async with session.get(f"http://127.0.0.1:{watch.health.port}/health") as answer:
                assert answer.status == 503
                told_by_health = await answer.json()
            assert not told_by_health["store_ok"]
            assert "make room" in told_by_health["reasons"][0]
            store._select("PRAGMA max_page_count = 1000000")
            told.clear()
            await until(lambda: hears("STATUS=watching 0 accounts"))
            for _ in range(n_sent):
                assert json.loads(await bot.recv()) == {"ok": 1}
        assert len(list(store.fills())) == n_sent
        kinds = [notice.kind for notice in store.notices()]
        assert kinds[:2] == [NoticeKind.STALLED, NoticeKind.STREAM_BACK]
        await stopped(task)

    try:
        asyncio.run(scene())
    finally:
        systemd.close()


def test_nothing_to_watch_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to watch"):
        check(settings_of(tmp_path, "[judgement]\nfalse_alarms_per_month = 0.1\n"))


def test_a_store_has_one_watch_at_a_time(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, PUSHED.format(folder=tmp_path))
    first = Watch(settings, environ={})
    with pytest.raises(StateError):
        Watch(settings, environ={})
    first.close()
    Watch(settings, environ={}).close()
