from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.server import Server
from loopback import KEY, an_exchange, query

Ask = Callable[..., Awaitable[tuple[int, Any, Any]]]


def with_server(scene: Callable[[Server, Ask], Awaitable[None]]) -> None:
    """Run a scene against a server, with a function that asks it: status, content, headers."""

    async def whole() -> None:
        async with Server(an_exchange()) as server, aiohttp.ClientSession() as session:

            async def ask(method: str, path: str, text: str = "", body: str = "") -> tuple[int, Any, Any]:
                url = f"{server.url}{path}" + (f"?{text}" if text else "")
                headers = {"X-MBX-APIKEY": KEY}
                async with session.request(method, url, data=body or None, headers=headers) as answer:
                    raw = await answer.text()
                    content = json.loads(raw) if answer.content_type == "application/json" else raw
                    return answer.status, content, answer.headers

            await scene(server, ask)

    asyncio.run(whole())


def test_an_order_goes_in_by_post_and_its_trade_comes_out_by_get() -> None:
    async def scene(server: Server, ask: Ask) -> None:
        order = {
            "symbol": "ETHBTC", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1",
            "price": "0.0301",
        }  # fmt: skip
        status, placed, _ = await ask("POST", "/api/v3/order", "", query(order))
        assert (status, placed["status"]) == (200, "FILLED")
        status, rows, headers = await ask("GET", "/api/v3/myTrades", query({"symbol": "ETHBTC"}))
        assert (status, [row["id"] for row in rows]) == (200, [1])
        assert headers["x-mbx-used-weight-1m"] == "2"
        status, told, _ = await ask("GET", "/sapi/v1/account/apiRestrictions", query({}))
        assert (status, told["enableWithdrawals"]) == (200, False)

    with_server(scene)


@pytest.mark.parametrize(
    ("method", "path", "text", "status", "code"),
    [
        ("GET", "/api/v3/account", "timestamp=1", 400, -1102),
        ("GET", "/api/v3/depth", "", 400, -1102),
        ("GET", "/api/v3/depth", "symbol=NONE", 400, -1121),
        ("GET", "/api/v3/nothing", "", 404, -1000),
        ("DELETE", "/api/v3/ping", "", 404, -1000),
        ("GET", "/elsewhere", "", 404, -1000),
    ],
)
def test_what_is_wrong_is_told_with_code_and_status(
    method: str, path: str, text: str, status: int, code: int
) -> None:
    async def scene(_: Server, ask: Ask) -> None:
        got, content, _ = await ask(method, path, text)
        assert (got, content["code"]) == (status, code)

    with_server(scene)


def test_a_wrong_signature_is_refused() -> None:
    async def scene(_: Server, ask: Ask) -> None:
        status, content, _ = await ask("GET", "/api/v3/account", query({}, secret="wrong"))  # noqa: S106
        assert (status, content["code"]) == (400, -1022)

    with_server(scene)


def test_a_revoked_key_is_refused() -> None:
    async def scene(server: Server, ask: Ask) -> None:
        server.exchange.revoke(KEY)
        status, content, _ = await ask("GET", "/api/v3/account", query({}))
        assert (status, content["code"]) == (401, -2015)

    with_server(scene)


@pytest.mark.parametrize(
    "path", ["/sapi/v1/capital/config/getall", "/sapi/v1/margin/allPairs", "/fapi/v1/exchangeInfo"]
)
def test_what_clients_ask_for_by_themselves_is_there_and_empty(path: str) -> None:
    async def scene(_: Server, ask: Ask) -> None:
        status, content, _ = await ask("GET", path)
        assert status == 200
        assert content in ([], {"symbols": []})

    with_server(scene)


@pytest.mark.parametrize(("fault", "status"), [(Fault.RATE_LIMIT, 429), (Fault.BANNED, 418)])
def test_who_asks_too_much_is_told_when_to_come_again(fault: Fault, status: int) -> None:
    async def scene(server: Server, ask: Ask) -> None:
        server.faults.once(fault)
        got, content, headers = await ask("GET", "/api/v3/ping")
        assert (got, content["code"], headers["Retry-After"]) == (status, -1003, "1")
        assert (await ask("GET", "/api/v3/ping"))[0] == 200

    with_server(scene)


def test_a_server_error_does_nothing_and_a_lost_answer_did_it_all_the_same() -> None:
    async def scene(server: Server, ask: Ask) -> None:
        order = query({"symbol": "ETHBTC", "side": "SELL", "type": "MARKET", "quantity": "1"})
        server.faults.once(Fault.SERVER_ERROR)
        status, content, _ = await ask("POST", "/api/v3/order", "", order)
        assert status >= 500
        assert "<html>" in content
        assert not server.exchange.executed("main")
        server.faults.once(Fault.LOST_ANSWER)
        status, content, _ = await ask("POST", "/api/v3/order", "", order)
        assert (status, content["code"]) == (503, -1007)
        assert len(server.exchange.executed("main")) == 1

    with_server(scene)


def test_pages_come_short_and_bodies_cut() -> None:
    async def scene(server: Server, ask: Ask) -> None:
        await server.exchange.burst("main", 20, "ETH/BTC")
        server.faults.once(Fault.SHORT_PAGE)
        assert 1 <= len((await ask("GET", "/api/v3/myTrades", query({"symbol": "ETHBTC"})))[1]) < 20
        assert len((await ask("GET", "/api/v3/myTrades", query({"symbol": "ETHBTC"})))[1]) == 20
        server.faults.once(Fault.CUT_BODY)
        with pytest.raises(json.JSONDecodeError):
            await ask("GET", "/api/v3/myTrades", query({"symbol": "ETHBTC"}))

    with_server(scene)
