from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest

from drainwatch.lab.exchange.bybit import SPOT_ARGS
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from venue_clients import Socket, as_fill, executions, with_ccxt, with_socket
from watching import BYBIT, KEY, SECRET, eventually

FOLDER = "venue-messages/bybit/test_data"


def login(*, key: str = KEY, secret: str = SECRET, expires: int | None = None) -> dict[str, Any]:
    """Give a login as the venue documents it."""
    at = int(time.time() * 1000) + 5_000 if expires is None else expires
    sign = hmac.new(secret.encode(), f"GET/realtime{at}".encode(), hashlib.sha256).hexdigest()
    return {"op": "auth", "args": [key, at, sign]}


def test_ccxt_pro_hears_fills_of_both_markets_and_lists_the_same() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        await client.load_markets()
        assert sorted(client.symbols) == ["BTC/USDT:USDT", "PURR/USDT"]
        assert client.market("BTC/USDT:USDT")["contractSize"] == 1.0
        heard: list[dict[str, Any]] = []

        async def listen() -> None:
            while True:
                heard.extend(await client.watch_my_trades())

        listening = asyncio.create_task(listen())
        await eventually(lambda: any("execution main" in one.streams for one in host.connections))
        exchange.place("main", "BTC/USDT:USDT", "sell", "market", 2)
        await eventually(lambda: len(heard) == 1)
        exchange.place("main", "PURR/USDT", "buy", "market", 3, client_id="bot-1")
        await eventually(lambda: len(heard) == 2)
        listening.cancel()
        await asyncio.wait([listening])
        assert [as_fill(one) for one in heard] == executions(exchange)
        assert heard[1]["info"]["orderLinkId"] == "bot-1"
        assert heard[1]["fee"] == {"cost": 0.003, "currency": "PURR", "rate": 0.001}
        listed = [
            *await client.fetch_my_trades(None, None, None, {"type": "spot"}),
            *await client.fetch_my_trades(None, None, None, {"type": "swap"}),
        ]
        assert sorted(one["id"] for one in listed) == sorted(one["id"] for one in heard)

    with_ccxt(BYBIT, scene)


def test_ccxt_reads_balances_candles_time_and_rights() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await exchange.burst("main", 4, "PURR/USDT")
        balance = await client.fetch_balance()
        assert balance["total"]["PURR"] == 1000.03996  # four lots less a thousandth
        assert set(balance["total"]) == {"PURR", "USDT"}  # positions are no money
        (candle,) = (await client.fetch_ohlcv("PURR/USDT", "5m"))[-1:]
        assert candle[5] == pytest.approx(1.04)
        assert abs(await client.fetch_time() - time.time() * 1000) < 5_000
        assert (await client.privateGetV5UserQueryApi())["result"]["readOnly"] == 1

    with_ccxt(BYBIT, scene)


def test_fills_are_listed_page_by_page_and_a_week_at_a_time() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await exchange.burst("main", 250, "BTC/USDT:USDT")
        found: list[str] = []
        cursor = ""
        while True:
            asked = {"category": "linear", "limit": 100} | ({"cursor": cursor} if cursor else {})
            result = (await client.privateGetV5ExecutionList(asked))["result"]
            found += [row["execId"] for row in result["list"]]
            cursor = result["nextPageCursor"]
            if not cursor:
                break
        assert len(set(found)) == len(found) == 250
        day = 86_400_000
        now = int(time.time() * 1000)
        with pytest.raises(Exception, match="7 days"):
            await client.privateGetV5ExecutionList(
                {"category": "linear", "startTime": now - 8 * day, "endTime": now}
            )
        early = {"category": "linear", "startTime": now - 30 * day, "endTime": now - 24 * day}
        assert (await client.privateGetV5ExecutionList(early))["result"]["list"] == []

    with_ccxt(BYBIT, scene)


@pytest.mark.parametrize(("change", "code"), [({"secret": "s"}, 10004), ({"apiKey": "k"}, 10003)])
def test_a_key_that_is_wrong_is_refused_in_the_venues_words(change: dict[str, str], code: int) -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host, exchange
        with pytest.raises(Exception, match=str(code)) as caught:
            await client.fetch_balance()
        assert type(caught.value).__name__ == "AuthenticationError"

    with_ccxt(BYBIT, scene, **change)


def test_who_logs_in_is_checked() -> None:
    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host, exchange
        assert (await socket.ask(login(key="other")))["retCode"] == 10003
        assert (await socket.ask(login(secret=KEY)))["retCode"] == 10004
        assert (await socket.ask(login(expires=1)))["retCode"] == 10002
        assert (await socket.ask({"op": "auth", "args": []}))["retCode"] == 10001
        refused = await socket.ask({"op": "subscribe", "args": ["execution"]})
        assert (refused["success"], refused["ret_msg"]) == (False, "Request not authorized")
        assert (await socket.ask(login()))["success"] is True
        assert (await socket.ask({"op": "subscribe", "args": ["orders"]}))["success"] is False
        assert (await socket.ask({"op": "subscribe", "args": ["execution"]}))["success"] is True
        assert (await socket.ask({"op": "ping", "req_id": "7"}))["op"] == "pong"
        assert (await socket.ask("not json"))["success"] is False

    with_socket(BYBIT, "/v5/private", scene)


def test_executions_come_together_and_look_like_recorded_ones(shared_data: Path) -> None:
    recorded = json.loads((shared_data / FOLDER / "ws_account_execution.json").read_text())
    wallet = json.loads((shared_data / FOLDER / "ws_account_wallet.json").read_text())

    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host
        await socket.ask(login())
        await socket.ask({"op": "subscribe", "args": ["execution", "wallet"]})
        await exchange.burst("main", 30, "BTC/USDT:USDT")
        first, second = await socket.hear(), await socket.hear()
        assert [len(first["data"]), len(second["data"])] == [20, 10]
        assert recorded.keys() <= first.keys()
        assert recorded["data"][0].keys() <= first["data"][0].keys()
        for name, value in recorded["data"][0].items():
            assert type(first["data"][0][name]) is type(value), name
        told = await socket.hear()
        assert told["topic"] == "wallet"
        (coin,) = told["data"][0]["coin"]
        assert wallet["data"][0]["coin"][0].keys() <= coin.keys()

    with_socket(BYBIT, "/v5/private", scene)


def test_public_data_look_like_recorded_ones_and_books_change(shared_data: Path) -> None:
    prints = json.loads((shared_data / FOLDER / "ws_public_trade.json").read_text())
    book = json.loads((shared_data / FOLDER / "ws_orderbook_snapshot.json").read_text())

    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host
        asked = {"op": "subscribe", "args": ["publicTrade.BTCUSDT", "orderbook.1.BTCUSDT"]}
        assert (await socket.ask(asked))["success"] is True
        snapshot = await socket.hear()
        assert snapshot["type"] == "snapshot"
        assert book.keys() <= snapshot.keys()
        assert snapshot["data"]["b"] == [["49999.9", "900"]]
        exchange.place("main", "BTC/USDT:USDT", "buy", "limit", 1, "50000")
        change = await socket.hear()
        assert (change["type"], change["data"]["a"]) == ("delta", [])
        assert change["data"]["b"] == [["49999.9", "0"], ["50000", "1"]]
        exchange.place("visitor", "BTC/USDT:USDT", "sell", "market", 1)
        trade = await socket.hear()
        assert prints["data"][0].keys() <= trade["data"][0].keys()
        assert (trade["data"][0]["S"], trade["data"][0]["p"], trade["data"][0]["v"]) == ("Sell", "50000", "1")
        assert (await socket.hear())["data"]["b"] == [["50000", "0"], ["49999.9", "900"]]
        assert (await socket.ask({"op": "subscribe", "args": ["publicTrade.ETHUSDT"]}))["success"] is False
        assert (await socket.ask({"op": "ping"}))["ret_msg"] == "pong"

    with_socket(BYBIT, "/v5/public/linear", scene)


def test_the_spot_stream_takes_only_a_few_topics_at_once_and_knows_no_perpetuals() -> None:
    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host, exchange
        many = ["publicTrade.PURRUSDT"] * (SPOT_ARGS + 1)
        assert (await socket.ask({"op": "subscribe", "args": many}))["success"] is False
        assert (await socket.ask({"op": "subscribe", "args": ["publicTrade.BTCUSDT"]}))["success"] is False
        assert (await socket.ask({"op": "subscribe", "args": ["publicTrade.PURRUSDT"]}))["success"] is True

    with_socket(BYBIT, "/v5/public/spot", scene)
