"""Bots hear what the watch says, and none of them can hold it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from drainwatch.sockets.door import POLICY, TRY_LATER, Token
from drainwatch.sockets.outlet import HEARTBEAT_S, Outlet
from socket_fakes import T0, Clock, settle, until

TOKEN = Token("correct-horse-battery-staple")
BEARER = {"Authorization": f"Bearer {TOKEN.text}"}
INCIDENT = {"id": "a1", "severity": "critical", "escalated_at": None, "kind": "ping_pong", "symbols": ["A/B"]}
OPENED = {"type": "incident", "what": "opened", "incident": INCIDENT}


class Bench:
    """An outlet with its clock."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.open: list[dict[str, Any]] = []
        self.healthy = True
        self.outlet = Outlet(
            self.clock,
            TOKEN,
            open_incidents=lambda: self.open,
            healthy=lambda: self.healthy,
            version="1.2.3",
            **options,
        )

    async def __aenter__(self) -> Self:
        await self.outlet.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.outlet.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.outlet.port}"

    @asynccontextmanager
    async def bot(self, want: str | None = None) -> AsyncIterator[ClientConnection]:
        async with connect(self.url) as client:
            await client.send(json.dumps({"token": TOKEN.text, "want": want}))
            assert (await heard(client))["type"] == "hello"
            yield client


async def heard(client: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        return json.loads(await client.recv())


async def to_the_end(client: ClientConnection) -> None:
    while True:
        await client.recv()


def verdict(number: int, *, flagged: bool) -> dict[str, Any]:
    return {"type": "verdict", "id": str(number), "flagged": flagged, "score": float(number)}


def test_hello_tells_the_version_and_what_is_open() -> None:
    async def run() -> None:
        async with Bench() as bench:
            bench.open = [INCIDENT]
            async with connect(bench.url, additional_headers=BEARER) as client:
                assert await heard(client) == {
                    "type": "hello",
                    "version": "1.2.3",
                    "heartbeat_s": 15.0,
                    "ok": True,
                    "incidents": [INCIDENT],
                }

    asyncio.run(run())


def test_everybody_hears_incidents_and_notices_and_flagged_verdicts() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as one, bench.bot("all") as two:
            said = [OPENED, verdict(1, flagged=True), {"type": "notice", "kind": "gap", "text": "t"}]
            for message in said:
                bench.outlet.publish(message)
            assert [await heard(one) for _ in said] == said
            assert [await heard(two) for _ in said] == said

    asyncio.run(run())


def test_unflagged_verdicts_only_go_to_those_who_want_all() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as one:
            async with bench.bot("all") as two:
                assert bench.outlet.wants_all
                bench.outlet.publish(verdict(1, flagged=False))
                bench.outlet.publish(OPENED)
                assert (await heard(one))["type"] == "incident"
                assert (await heard(two))["id"] == "1"
            await until(lambda: not bench.outlet.wants_all)

    asyncio.run(run())


def test_want_can_be_changed_later() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            await bot.send('{"want": "all"}')
            await until(lambda: bench.outlet.wants_all)
            await bot.send('{"want": ""}')
            await until(lambda: not bench.outlet.wants_all)

    asyncio.run(run())


@pytest.mark.parametrize("frame", ['{"want": "everything"}', "{", "[]", '"all"', '{"want": null}', b"\xff"])
def test_a_wish_that_is_none_ends_the_connection_with_a_reason(frame: str | bytes) -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            await bot.send(frame)
            with pytest.raises(ConnectionClosed):
                await bot.recv()
            assert bot.close_code == POLICY
            assert bot.close_reason == 'expected {"want": "all"} or {"want": ""}'

    asyncio.run(run())


def test_unknown_want_in_the_first_message_is_refused() -> None:
    async def run() -> None:
        async with Bench() as bench, connect(bench.url) as bot:
            await bot.send(json.dumps({"token": TOKEN.text, "want": "some"}))
            with pytest.raises(ConnectionClosed):
                await bot.recv()
            assert (bot.close_code, bot.close_reason) == (
                POLICY,
                "want: expected \"all\" or nothing, was 'some'",
            )

    asyncio.run(run())


def test_stranger_hears_nothing() -> None:
    async def run() -> None:
        async with Bench() as bench, connect(bench.url) as bot:
            await settle()
            bench.outlet.publish(OPENED)
            await bot.send('{"token": "wrong"}')
            with pytest.raises(ConnectionClosed):
                await bot.recv()
            assert bot.close_code == POLICY

    asyncio.run(run())


def test_heartbeat_tells_a_dead_watch_from_a_quiet_and_a_deaf_one() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            await bench.clock.let_pass(HEARTBEAT_S)
            assert await heard(bot) == {"type": "heartbeat", "timestamp": T0 + 15_000, "ok": True}
            bench.healthy = False
            await bench.clock.let_pass(HEARTBEAT_S)
            assert await heard(bot) == {"type": "heartbeat", "timestamp": T0 + 30_000, "ok": False}

    asyncio.run(run())


def test_slow_client_is_cut_with_a_reason_and_slows_nobody() -> None:
    async def run() -> None:
        async with Bench(max_waiting=10) as bench, bench.bot() as quick:
            # a client that never reads: its buffers fill, then the server's, then its queue
            slow = socket.create_connection(("127.0.0.1", bench.outlet.port))
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(
                slow,
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                b"Authorization: Bearer " + TOKEN.text.encode() + b"\r\n\r\n",
            )
            await until(lambda: bench.outlet.n_clients == 2)
            long = OPENED | {"text": "x" * 200_000}
            for _ in range(200):
                bench.outlet.publish(long)
                assert (await heard(quick))["what"] == "opened"
                if bench.outlet.n_cut:
                    break
            assert bench.outlet.n_cut == 1
            await until(lambda: bench.outlet.n_clients == 1)
            with contextlib.suppress(ConnectionResetError):  # it ends, one way or the other
                while await loop.sock_recv(slow, 1 << 20):
                    pass
            slow.close()
            bench.outlet.publish(OPENED)
            assert await heard(quick) == OPENED

    asyncio.run(run())


def test_client_that_lags_but_reads_on_sees_why_it_was_cut() -> None:
    async def run() -> None:
        async with Bench(max_waiting=3) as bench, bench.bot() as bot:
            for number in range(10):  # at one stretch: nothing is sent meanwhile
                bench.outlet.publish(verdict(number, flagged=True))
            with pytest.raises(ConnectionClosed):
                await to_the_end(bot)
            assert bot.close_code == TRY_LATER
            assert bot.close_reason == "too slow: 3 messages wait"
            assert bench.outlet.n_cut == 1

    asyncio.run(run())


def test_publishing_never_waits_and_needs_no_client() -> None:
    async def run() -> None:
        async with Bench() as bench:
            bench.outlet.publish(OPENED)
            async with bench.bot() as bot:
                bench.outlet.publish(verdict(1, flagged=True))
                assert (await heard(bot))["id"] == "1"

    asyncio.run(run())


def test_figures_of_numpy_are_numbers_and_unknown_ones_null() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            bench.outlet.publish(
                {
                    "type": "verdict",
                    "flagged": np.True_,
                    "score": np.float64(1.5),
                    "n": np.int64(3),
                    "f": np.nan,
                }
            )
            assert await heard(bot) == {"type": "verdict", "flagged": True, "score": 1.5, "n": 3, "f": None}

    asyncio.run(run())


def test_what_json_does_not_know_is_an_error_of_the_caller() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot():
            with pytest.raises(TypeError, match="expected what JSON knows, was object"):
                bench.outlet.publish({"type": "notice", "x": object()})

    asyncio.run(run())


def test_more_clients_than_wanted_are_sent_away() -> None:
    async def run() -> None:
        async with Bench(max_clients=1) as bench, bench.bot(), connect(bench.url) as second:
            with pytest.raises(ConnectionClosed):
                await second.recv()
            assert second.close_code == TRY_LATER

    asyncio.run(run())


def test_end_of_the_watch_is_told() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench, bench.bot() as bot:
            await bench.outlet.close()
            with pytest.raises(ConnectionClosed):
                await bot.recv()
            assert (bot.close_code, bot.close_reason) == (1001, "the watch ends")

    asyncio.run(run())


def guard_of(root: Path) -> Any:
    """The client that the documents show."""
    text = (root / "docs" / "sockets.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - our own document
    return space["guard"]


@pytest.mark.parametrize("early", [True, False])
def test_documented_client_stops_its_bot(root: Path, tmp_path: Path, *, early: bool) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN.text + "\n")
    stops: list[str] = []

    async def run() -> None:
        async with Bench() as bench:
            if early:
                bench.open = [INCIDENT]
            task = asyncio.create_task(guard_of(root)(bench.url, str(token_file), stops.append))
            await until(lambda: bench.outlet.n_clients or stops)
            if not early:
                bench.outlet.publish(OPENED | {"incident": INCIDENT | {"severity": "warning"}})
                bench.outlet.publish({"type": "notice", "kind": "gap"})
                assert stops == []
                bench.outlet.publish(OPENED | {"what": "escalated"})
            await task

    asyncio.run(run())
    assert stops == ["ping_pong on ['A/B']: a1"]
