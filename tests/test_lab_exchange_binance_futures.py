from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.binance_futures import KEY_MS, BinanceFutures
from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.notices import NoticeKind
from drainwatch.watch.runner import Watch
from loopback import query, until
from watching import (
    FUTURES,
    KEY,
    SECRET,
    Truth,
    all_judged,
    eventually,
    journal,
    stands,
    told,
    truths,
    watching,
)

FOLDER = "venue-messages/binance/test_data/futures"
SWAP = FUTURES.swap


class Client:
    """A plain client."""

    def __init__(self, host: BinanceFutures, session: aiohttp.ClientSession) -> None:
        self._host, self._session = host, session

    async def ask(self, method: str, path: str, *, key: str = KEY) -> tuple[int, Any]:
        """Give status and answer of a request."""
        url, headers = f"{self._host.url}/fapi/v1/{path}", {"X-MBX-APIKEY": key}
        async with self._session.request(method, url, headers=headers) as answer:
            return answer.status, await answer.json()

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """Give a websocket."""
        return await self._session.ws_connect(f"{self._host.ws_url}{path}")


def with_client(scene: Callable[[BinanceFutures, Exchange, Client], Awaitable[None]], **changes: Any) -> None:
    async def whole() -> None:
        exchange = FUTURES.exchange()
        exchange.clock = changes.get("clock", exchange.clock)
        async with BinanceFutures(exchange) as host, aiohttp.ClientSession() as session:
            await scene(host, exchange, Client(host, session))

    asyncio.run(whole())


def test_an_account_has_one_listen_key_that_is_made_prolonged_and_ended() -> None:
    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        del host, exchange
        assert await client.ask("PUT", "listenKey") == (
            400,
            {"code": -1125, "msg": "This listenKey does not exist."},
        )
        _, made = await client.ask("POST", "listenKey")
        assert (await client.ask("POST", "listenKey"))[1] == made
        assert (await client.ask("PUT", "listenKey"))[1] == made
        assert (await client.ask("DELETE", "listenKey"))[1] == {}
        assert (await client.ask("POST", "listenKey"))[1] != made
        status, refused = await client.ask("POST", "listenKey", key="other")
        assert (status, refused["code"]) == (401, -2015)

    with_client(scene)


def test_events_look_like_recorded_ones_and_end_with_the_key(shared_data: Path) -> None:
    def recorded(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((shared_data / FOLDER / name).read_text())
        return found

    order = recorded("user_data_json/order_update_trade_partial.json")

    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        _, made = await client.ask("POST", "listenKey")
        socket = await client.socket(f"/private/ws?listenKey={made['listenKey']}")
        await until(lambda: host.connections)
        exchange.place("main", SWAP, "buy", "market", 1)
        events = [await socket.receive_json(timeout=5) for _ in range(3)]
        assert [one["e"] for one in events] == ["ORDER_TRADE_UPDATE"] * 2 + ["ACCOUNT_UPDATE"]
        assert [one["o"]["x"] for one in events[:2]] == ["NEW", "TRADE"]
        for name in order["o"].keys() & events[1]["o"].keys():
            assert type(events[1]["o"][name]) is type(order["o"][name]), name
        assert {"s", "c", "S", "o", "x", "i", "l", "L", "T", "t", "m", "n", "N"} <= events[1]["o"].keys()
        host.faults.once(Fault.TERMINATED)
        host.connections[0].subscriptions[0] = exchange.keys[KEY]
        exchange.place("main", SWAP, "buy", "market", 1)
        assert (await socket.receive_json(timeout=5))["e"] == "listenKeyExpired"
        assert host.hub.listen_keys == {}

    with_client(scene)


def test_a_key_that_nobody_prolongs_ends_after_an_hour() -> None:
    now = [1_700_000_000_000]

    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        del exchange
        _, made = await client.ask("POST", "listenKey")
        socket = await client.socket(f"/private/ws?listenKey={made['listenKey']}")
        await until(lambda: host.connections)
        now[0] += KEY_MS - 1
        host.hub.tick()
        assert host.hub.listen_keys
        await client.ask("PUT", "listenKey")
        now[0] += KEY_MS - 1
        host.hub.tick()
        assert host.hub.listen_keys
        now[0] += 1
        assert (await socket.receive_json(timeout=5))["e"] == "listenKeyExpired"
        assert not host.hub.listen_keys

    with_client(scene, clock=lambda: now[0])


def test_fills_are_listed_the_oldest_first_page_by_page() -> None:
    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        del host
        await exchange.burst("main", 1_500, SWAP)
        _, last = await client.ask("GET", f"userTrades?{query({'symbol': 'BTCUSDT'}, SECRET)}")
        first = {"symbol": "BTCUSDT", "startTime": 1, "fromId": 1, "limit": 1_000}
        del first["startTime"]
        _, page = await client.ask("GET", f"userTrades?{query(first, SECRET)}")
        _, rest = await client.ask(
            "GET", f"userTrades?{query(first | {'fromId': page[-1]['id'] + 1}, SECRET)}"
        )
        made = [one.id for one in exchange.executed("main")]
        assert [row["id"] for row in page + rest] == made
        assert [row["id"] for row in last] == made[-500:]
        long = {"symbol": "BTCUSDT", "startTime": 1, "endTime": 8 * 86_400_000}
        assert (await client.ask("GET", f"userTrades?{query(long, SECRET)}"))[1]["code"] == -4165
        wrong = query({"symbol": "BTCUSDT"}, "another")
        assert (await client.ask("GET", f"userTrades?{wrong}"))[1]["code"] == -1022

    with_client(scene)


def test_public_streams_are_wrapped_and_only_known_ones_followed() -> None:
    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        del host
        socket = await client.socket("/public/stream")
        names = ["btcusdt@trade", "btcusdt@bookTicker", "xyzusdt@trade"]
        await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
        assert await socket.receive_json(timeout=5) == {"result": None, "id": 1}
        exchange.place("visitor", SWAP, "sell", "market", 1)
        trade, best = await socket.receive_json(timeout=5), await socket.receive_json(timeout=5)
        assert (trade["stream"], trade["data"]["p"], trade["data"]["m"]) == ("btcusdt@trade", "49999.9", True)
        assert (best["data"]["e"], best["data"]["B"]) == ("bookTicker", "899")
        await socket.send_str("nonsense")
        assert "error" in await socket.receive_json(timeout=5)

    with_client(scene)


def test_ccxt_reads_markets_fills_and_balances() -> None:
    rest = pytest.importorskip("ccxt.async_support")

    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        del client
        exchange.place("main", SWAP, "sell", "market", 2)
        config = {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "urls": host.ccxt_urls()}
        theirs = rest.binanceusdm(config | {"options": {"fetchCurrencies": False}})
        try:
            await theirs.load_markets()
            assert theirs.symbols == [SWAP]
            (row,) = await theirs.fetch_my_trades(SWAP)
            assert (row["side"], row["amount"], row["price"]) == ("sell", 2.0, 49999.9)
            assert set((await theirs.fetch_balance())["total"]) == {"PURR", "USDT"}
        finally:
            await theirs.close()

    with_client(scene)


def without_client(found: list[tuple[str, Truth]]) -> list[tuple[str, Truth]]:
    """Leave out what the venue's list of fills doesn't tell."""
    return sorted(((symbol, replace(one, client="")) for symbol, one in found), key=repr)


def watched(folder: Path, scene: Callable[[Watch, BinanceFutures, Exchange], Awaitable[None]]) -> None:
    """Play a scene while a real watch follows the account."""
    pytest.importorskip("ccxt")

    async def whole() -> None:
        exchange = FUTURES.exchange()
        async with BinanceFutures(exchange) as host, watching(folder, FUTURES, host) as watch:
            await stands(watch)
            await scene(watch, host, exchange)

    asyncio.run(whole())


def test_a_watch_has_every_fill_after_a_cut_and_after_its_key_has_expired(tmp_path: Path) -> None:
    async def scene(watch: Watch, host: BinanceFutures, exchange: Exchange) -> None:
        await exchange.burst("main", 200, SWAP)
        await all_judged(watch, exchange)
        for connection in host.connections:
            connection.cut()
        await exchange.burst("main", 200, SWAP)
        await eventually(lambda: len(host.connections) == 2)
        await all_judged(watch, exchange)
        (key,) = host.hub.listen_keys
        host.hub.end_key(key, told=True)
        await exchange.burst("main", 200, SWAP)
        await all_judged(watch, exchange)
        assert watch.hub.told[NoticeKind.SESSION_LOST] == 1
        await exchange.burst("main", 400, SWAP)
        await all_judged(watch, exchange)
        assert without_client(told(watch)) == without_client(truths(exchange, FUTURES))
        assert len(journal(watch)) == 1_000
        assert all(key not in notice.text for notice in watch.store.notices())

    watched(tmp_path, scene)


def test_a_watch_is_told_of_a_key_that_another_program_ended_without_a_word(tmp_path: Path) -> None:
    async def scene(watch: Watch, host: BinanceFutures, exchange: Exchange) -> None:
        await exchange.burst("main", 50, SWAP)
        await all_judged(watch, exchange)
        (key,) = host.hub.listen_keys
        host.hub.end_key(key, told=False)  # nothing more is heard, and nothing is said
        await exchange.burst("main", 50, SWAP)
        await all_judged(watch, exchange)  # the venue's list is looked at on a timer
        assert without_client(told(watch)) == without_client(truths(exchange, FUTURES))

    watched(tmp_path, scene)


def test_a_revoked_key_is_told(tmp_path: Path) -> None:
    async def scene(watch: Watch, host: BinanceFutures, exchange: Exchange) -> None:
        del host
        exchange.revoke(KEY)
        await eventually(lambda: watch.hub.told[NoticeKind.KEY_REFUSED] > 0, 20.0)

    watched(tmp_path, scene)


def test_aggregated_trades_are_listed_by_time_by_id_and_the_last() -> None:
    async def scene(host: BinanceFutures, exchange: Exchange, client: Client) -> None:
        del host
        for _ in range(3):
            await exchange.burst("main", 1, SWAP)
        symbol = SWAP.replace("/", "").partition(":")[0]
        status, rows = await client.ask("GET", f"aggTrades?symbol={symbol}")
        assert status == 200
        assert rows
        last = rows[-1]
        assert set(last) == {"a", "p", "q", "f", "l", "T", "m"}
        assert (await client.ask("GET", f"aggTrades?symbol={symbol}&fromId={last['a']}"))[1] == [last]
        assert (await client.ask("GET", f"aggTrades?symbol={symbol}&limit=1"))[1] == [last]
        span = f"startTime={last['T']}&endTime={last['T'] + 3_600_000}"
        assert (await client.ask("GET", f"aggTrades?symbol={symbol}&{span}"))[1][-1] == last
        too_long = f"startTime={last['T']}&endTime={last['T'] + 3_600_001}"
        assert (await client.ask("GET", f"aggTrades?symbol={symbol}&{too_long}"))[0] == 400
        assert (await client.ask("GET", f"aggTrades?symbol={symbol}&endTime=1"))[1] == []

    with_client(scene)
