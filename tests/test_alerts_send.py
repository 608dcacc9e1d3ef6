"""One try to send, against real servers on this machine: whatever goes wrong is an answer without the URL."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from alert_fakes import NOW_NS, later, opened
from drainwatch.alerts import send as sending
from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.send import send

Handler = Callable[[web.BaseRequest], Any]


def tried(handler: Handler, kind: str = "discord", earlier: str | None = None, **given: Any) -> Answer:
    """Send to a server that answers as told."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        made = handler(request)
        return await made if asyncio.iscoroutine(made) else made  # type: ignore[no-any-return]

    async def whole() -> Answer:
        runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hunter2"
        channel = Channel(name="a", kind=kind, url=url, **given)
        message = opened() if earlier is None else later("grew")
        try:
            async with aiohttp.ClientSession() as session:
                return await send(session, channel, message, "k", lambda: NOW_NS, earlier)
        finally:
            await runner.cleanup()

    return asyncio.run(whole())


def test_a_message_that_arrived_has_its_id() -> None:
    seen: list[tuple[str, str]] = []

    def answer(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.path_qs))
        return web.json_response({"id": "1203"})

    assert tried(answer) == Answer(Outcome.ARRIVED, "", None, "1203")
    assert tried(answer, earlier="1203").id == "1203"
    assert seen == [("POST", "/hunter2?wait=true"), ("PATCH", "/hunter2/messages/1203")]


def test_the_body_is_what_the_layout_wrote() -> None:
    bodies: list[Any] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        bodies.append(json.loads(await request.read()))
        return web.Response(status=204)

    assert tried(answer, "webhook").outcome is Outcome.ARRIVED
    assert bodies[0]["what"] == "opened"


def test_a_bot_of_slacks_is_refused_with_status_200() -> None:
    answer = tried(
        lambda _: web.json_response({"ok": False, "error": "invalid_auth"}),
        "slack",
        token="xoxb-hunter2",  # noqa: S106
        chat_id="C1",
    )
    assert answer.outcome is Outcome.NEVER
    assert answer.id is None


def test_an_edit_of_what_is_gone_asks_for_a_new_message() -> None:
    body = {"code": 10_008, "message": "Unknown Message"}
    assert tried(lambda _: web.json_response(body, status=404), earlier="5").outcome is Outcome.GONE


def test_alerts_follow_no_redirect() -> None:
    answer = tried(lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}))
    assert answer.outcome is Outcome.NEVER
    assert "follow no redirects" in answer.reason


def hang_up(request: web.BaseRequest) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def test_a_connection_that_breaks_is_tried_again() -> None:
    answer = tried(hang_up)
    assert answer.outcome is Outcome.LATER
    assert "the network failed" in answer.reason
    assert "hunter2" not in answer.reason


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.1)

    async def silent(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    assert tried(silent).outcome is Outcome.LATER


def test_nobody_there_is_an_answer() -> None:
    async def whole() -> Answer:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/hunter2"
            async with aiohttp.ClientSession() as session:
                return await send(
                    session, Channel(name="a", kind="slack", url=url), opened(), "k", lambda: NOW_NS
                )

    answer = asyncio.run(whole())
    assert answer.outcome is Outcome.LATER
    assert "hunter2" not in answer.reason


def test_a_long_answer_is_read_in_part() -> None:
    big = b'{"id":"1","content":"' + b"x" * 200_000 + b'"}'
    assert tried(lambda _: web.Response(body=big)).outcome is Outcome.ARRIVED
