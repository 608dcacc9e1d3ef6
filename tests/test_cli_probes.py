"""What the doctor looks through in earnest, against real sockets and files of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from drainwatch.cli.probes import TEST_MESSAGE, bind, body_of, load_judge, send, tools
from drainwatch.config import Channel, ChannelKind, Settings
from drainwatch.errors import DrainwatchError
from drainwatch.model import default_model_path

HOOK = Channel(name="h", kind=ChannelKind.SLACK, url_env="U")


def sent(
    channel: Channel, answer: Callable[[web.Request], web.StreamResponse], path: str = "/hook"
) -> list[Any]:
    """Send to a real server; gives the bodies that it got."""
    bodies: list[Any] = []

    async def take(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        return answer(request)

    async def run() -> None:
        application = web.Application()
        application.router.add_post("/hook", take)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            await send(channel, f"http://127.0.0.1:{port}{path}")
        finally:
            await runner.cleanup()

    try:
        asyncio.run(run())
    except DrainwatchError as error:
        bodies.append(error)
    return bodies


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (ChannelKind.SLACK, {"text": TEST_MESSAGE}),
        (ChannelKind.DISCORD, {"content": TEST_MESSAGE, "allowed_mentions": {"parse": []}}),
        (ChannelKind.TELEGRAM, {"chat_id": "-1", "text": TEST_MESSAGE}),
        (ChannelKind.WEBHOOK, {"text": TEST_MESSAGE}),
    ],
)
def test_a_message_arrives(kind: ChannelKind, body: dict[str, Any]) -> None:
    channel = Channel(name="h", kind=kind, url_env="U", chat_id="-1" if kind == "telegram" else "")
    assert body_of(channel) == body
    assert sent(channel, lambda _: web.Response(status=204)) == [body]


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500])
def test_what_isnt_taken_is_an_error_without_the_url(status: int) -> None:
    _, error = sent(HOOK, lambda _: web.Response(status=status, headers={"Location": "http://192.0.2.1/"}))
    assert str(error) == f"slack answered {status}, which isn't yes"


def test_a_server_that_hangs_up_is_an_error_without_the_url() -> None:
    def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    _, error = sent(HOOK, hang_up)
    assert isinstance(error, DrainwatchError)
    assert "127.0.0.1" not in str(error)
    assert "slack wasn't reached" in str(error)


def test_nobody_there_is_an_error_without_the_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with pytest.raises(DrainwatchError, match="slack wasn't reached") as caught:
            asyncio.run(send(HOOK, f"http://127.0.0.1:{taken.getsockname()[1]}/PlAnTeD"))
    assert "PlAnTeD" not in str(caught.value)


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
