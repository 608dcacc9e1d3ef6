"""What the doctor looks through in earnest, against real sockets and files of this machine."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from aiohttp import web

from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel
from drainwatch.cli.probes import bind, load_judge, send, tools
from drainwatch.config import Settings
from drainwatch.model import default_model_path


def sent(status: int, kind: str = "slack", **given: str) -> tuple[Answer, list[Any]]:
    """Send to a real server; gives what is made of its answer, and the bodies that it got."""
    bodies: list[Any] = []

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        bodies.append(json.loads(await request.read()))
        return web.Response(status=status)

    async def run() -> Answer:
        runner = web.ServerRunner(web.Server(take))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/PlAnTeD"
            return await send(Channel(name="h", kind=kind, url=url, **given), "okx")
        finally:
            await runner.cleanup()

    return asyncio.run(run()), bodies


@pytest.mark.parametrize("kind", ["slack", "discord", "telegram", "webhook"])
def test_a_sample_arrives(kind: str) -> None:
    given = {"chat_id": "-1"} if kind == "telegram" else {}
    answer, (body,) = sent(204, kind, **given)
    assert answer.outcome is Outcome.ARRIVED
    assert "TEST: CRITICAL" in str(body)
    assert "https://www.okx.com/account/my-api" in str(body)


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500])
def test_what_isnt_taken_is_said_without_the_url(status: int) -> None:
    answer, _ = sent(status)
    assert answer.outcome is not Outcome.ARRIVED
    assert f"HTTP {status}" in answer.reason
    assert "PlAnTeD" not in answer.reason


def test_a_port_is_free_or_not() -> None:
    bind("127.0.0.1", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", taken.getsockname()[1])


@pytest.mark.skipif(not (default_model_path() / "card.json").is_file(), reason="no model is shipped yet")
def test_the_judge_is_really_loaded() -> None:
    load_judge(Settings())


def test_tools_look_at_this_machine(tmp_path: Any) -> None:
    assert tools().free_bytes(tmp_path) > 0
