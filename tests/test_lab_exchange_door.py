from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.door import Door
from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.switchboard import Switchboard
from loopback import an_exchange


class List(Door):
    """Has one list, and refuses everything else."""

    asked = 0

    def result(self, request: web.Request, body: str) -> Any:
        """Give the list."""
        if request.path != "/list":
            raise RefusedError(7, f"no {body}", 404)
        self.asked += 1
        return list(range(50))

    def refused(self, error: RefusedError) -> Any:
        """Say why."""
        return {"code": error.code, "why": str(error)}

    def too_many(self, status: int) -> Any:
        """Say so."""
        return {"slower": status}

    def lost(self) -> Any:
        """Say so."""
        return {"who": "knows"}

    def headers(self) -> dict[str, str]:
        """Count."""
        return {"X-Asked": str(self.weight)}


def ask(fault: Fault | None = None, path: str = "/list") -> tuple[int, bytes, dict[str, str], int]:
    """Give status, body and headers of an answer, and how often it was really asked."""

    async def whole() -> tuple[int, bytes, dict[str, str], int]:
        exchange, faults = an_exchange(), Faults(1)
        if fault is not None:
            faults.once(fault)
        door = List(exchange, faults)

        class OfDoor(Host[Switchboard]):
            def routes(self, router: web.UrlDispatcher) -> None:
                router.add_route("*", "/{path:.*}", door.answer)

        async with (
            OfDoor(exchange, Switchboard(exchange)) as host,
            aiohttp.ClientSession() as session,
            session.post(f"{host.url}{path}", data="cheese") as answer,
        ):
            return answer.status, await answer.read(), dict(answer.headers), door.asked

    return asyncio.run(whole())


def test_an_answer_is_json_and_has_the_doors_headers() -> None:
    status, body, headers, _ = ask()
    assert (status, body) == (200, str(list(range(50))).replace(" ", "").encode())
    assert headers["X-Asked"] == "1"
    assert headers["Content-Type"].startswith("application/json")


def test_a_refusal_has_its_own_status_and_words() -> None:
    status, body, _, _ = ask(path="/cheese")
    assert (status, body) == (404, b'{"code":7,"why":"no cheese"}')


@pytest.mark.parametrize(("fault", "status"), [(Fault.RATE_LIMIT, 429), (Fault.BANNED, 418)])
def test_who_asks_too_often_is_told_when_to_come_again(fault: Fault, status: int) -> None:
    found, body, headers, asked = ask(fault)
    assert (found, body, asked) == (status, b'{"slower":%d}' % status, 0)
    assert headers["Retry-After"] == "1"


def test_a_lost_answer_was_done_and_a_server_error_wasnt() -> None:
    status, body, _, asked = ask(Fault.LOST_ANSWER)
    assert (status, body, asked) == (503, b'{"who":"knows"}', 1)
    status, _, _, asked = ask(Fault.SERVER_ERROR)
    assert status >= 500
    assert asked == 0


def test_a_page_may_be_short_and_a_body_cut() -> None:
    status, body, _, _ = ask(Fault.SHORT_PAGE)
    assert status == 200
    assert 0 < body.count(b",") + 1 < 50
    whole = ask()[1]
    _, cut, _, _ = ask(Fault.CUT_BODY)
    assert len(cut) < len(whole)
    assert whole.startswith(cut)
