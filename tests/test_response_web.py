"""A server that answers badly, never, or without end holds a hook no longer than its time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web as server

from drainwatch.response import web
from drainwatch.response.hook import HookError, PassingError
from response_fakes import Server


class Odd(Server):
    """Answers with what it is given."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def routes(self) -> list[server.RouteDef]:
        async def answer(_request: server.Request) -> server.StreamResponse:
            return server.Response(body=self.body)

        async def endless(request: server.Request) -> server.StreamResponse:
            response = server.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"x" * 65_536)

        return [server.get("/odd", answer), server.get("/endless", endless)]


def asked(odd: Odd, path: str = "/odd", **headers: str) -> web.Answer:
    async def scene() -> web.Answer:
        async with odd.running(), web.new_session() as session:
            return await web.ask(session, "GET", odd.url + path, "it", headers=headers)

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b'{"a": {"b": 1}}', {"a": {"b": 1}}),
        (b"", None),
        (b"<html>", None),
        (b"\xff", None),
        (b"[" * 50_000, None),
    ],
)
def test_json_is_read_and_what_is_none_is_none(body: bytes, content: Any) -> None:
    assert asked(Odd(body)).content == content


def test_fields_that_are_not_there_are_none() -> None:
    answer = web.Answer(200, {"a": {"b": 1}})
    assert answer.field("a", "b") == 1
    assert answer.field("a", "b", "c") is None
    assert answer.field("x") is None
    assert web.Answer(200, [1]).field("a") is None


def test_an_answer_without_end_is_read_to_a_limit() -> None:
    assert asked(Odd(b""), "/endless").content is None


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_trouble_of_the_server_passes(status: int) -> None:
    odd = Odd(b"{}")
    odd.plan = [status]
    with pytest.raises(PassingError, match=f"HTTP {status}"):
        asked(odd)


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "ANSWER_S", 0.2)
    odd = Odd(b"{}")
    odd.plan = [-1]
    with pytest.raises(PassingError, match="no answer within"):
        asked(odd)


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999/", "http://[::1/", "file:///etc/passwd"])
def test_what_is_no_address_is_told_without_it(url: str) -> None:
    async def scene() -> None:
        async with web.new_session() as session:
            await web.ask(session, "GET", url, "it")

    with pytest.raises(HookError) as caught:
        asyncio.run(scene())
    assert url not in str(caught.value)


def test_what_passes_is_tried_until_time_is_up_and_what_does_not_once() -> None:
    tries = []

    async def fails(error: HookError) -> None:
        tries.append(error)
        raise error

    with pytest.raises(PassingError, match="later"):
        asyncio.run(web.persist(lambda: fails(PassingError("later")), 1.0))
    assert len(tries) >= 2
    tries.clear()
    with pytest.raises(HookError, match="never"):
        asyncio.run(web.persist(lambda: fails(HookError("never")), 1.0))
    assert len(tries) == 1
