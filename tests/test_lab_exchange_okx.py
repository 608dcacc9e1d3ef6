from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest

from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.matching import Exchange
from venue_clients import Socket, as_fill, executions, with_ccxt, with_socket
from watching import KEY, OKX, PASSPHRASE, SECRET, eventually

FOLDER = "venue-messages/okx/test_data"


def login(
    *, key: str = KEY, secret: str = SECRET, passphrase: str = PASSPHRASE, at: str | None = None
) -> dict[str, Any]:
    """Give a login as the venue documents it."""
    seconds = str(int(time.time())) if at is None else at
    digest = hmac.new(secret.encode(), f"{seconds}GET/users/self/verify".encode(), hashlib.sha256).digest()
    arg = {"apiKey": key, "passphrase": passphrase, "timestamp": seconds}
    return {"op": "login", "args": [arg | {"sign": base64.b64encode(digest).decode()}]}


def subscribe(*args: dict[str, str]) -> dict[str, Any]:
    return {"op": "subscribe", "args": list(args)}


def test_ccxt_pro_hears_fills_of_both_markets_and_lists_the_same() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        await client.load_markets()
        assert sorted(client.symbols) == ["BTC/USDT:USDT", "PURR/USDT"]
        assert client.market("BTC/USDT:USDT")["contractSize"] == 0.01
        heard: list[dict[str, Any]] = []

        async def listen() -> None:
            while True:
                heard.extend(await client.watch_my_trades())

        listening = asyncio.create_task(listen())
        await eventually(lambda: any("orders ANY main" in one.streams for one in host.connections))
        exchange.place("main", "BTC/USDT:USDT", "sell", "market", "2.5")
        await eventually(lambda: len(heard) == 1)
        exchange.place("main", "PURR/USDT", "buy", "market", 3, client_id="bot1")
        await eventually(lambda: len(heard) == 2)
        listening.cancel()
        await asyncio.wait([listening])
        assert [as_fill(one) for one in heard] == executions(exchange)
        assert heard[1]["info"]["clOrdId"] == "bot1"
        listed = [
            *await client.fetch_my_trades(None, None, None, {"type": "swap"}),
            *await client.fetch_my_trades(None, None, None, {"type": "spot"}),
        ]
        assert [as_fill(one) for one in listed] == executions(exchange)
        assert listed[0]["fee"] == {"cost": pytest.approx(1.2499975), "currency": "USDT"}

    with_ccxt(OKX, scene)


def test_ccxt_reads_balances_candles_time_and_rights() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await exchange.burst("main", 4, "BTC/USDT:USDT")
        balance = await client.fetch_balance()
        assert set(balance["total"]) == {"PURR", "USDT"}  # positions are no money
        (candle,) = (await client.fetch_ohlcv("BTC/USDT:USDT", "5m"))[-1:]
        assert candle[1:5] == [50000.1] * 4
        (raw,) = (await client.publicGetMarketCandles({"instId": "BTC-USDT-SWAP", "bar": "5m"}))["data"][:1]
        assert raw[5:8] == ["1.004", "0.01004", "502.001004"]  # contracts, base, quote
        assert abs(await client.fetch_time() - time.time() * 1000) < 5_000
        assert (await client.privateGetAccountConfig())["data"][0]["perm"] == "read_only"

    with_ccxt(OKX, scene)


def test_fills_are_listed_the_newest_first_a_hundred_at_a_time() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await exchange.burst("main", 250, "BTC/USDT:USDT")
        found: list[int] = []
        asked = {"instType": "SWAP"}
        while rows := (await client.privateGetTradeFillsHistory(asked))["data"]:
            found += [int(row["tradeId"]) for row in rows]
            asked = {"instType": "SWAP", "after": rows[-1]["billId"]}
        assert found == [one.id for one in reversed(exchange.executed("main"))]
        (newer,) = (await client.privateGetTradeFills({"instType": "SWAP", "before": "249"}))["data"]
        assert newer["billId"] == "250"
        assert (await client.privateGetTradeFills({"instType": "SWAP", "end": "1"}))["data"] == []

    with_ccxt(OKX, scene)


@pytest.mark.parametrize(
    ("change", "code"), [({"secret": "s"}, 50113), ({"apiKey": "k"}, 50111), ({"password": "p"}, 50105)]
)
def test_a_key_that_is_wrong_is_refused_in_the_venues_words(change: dict[str, str], code: int) -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host, exchange
        with pytest.raises(Exception, match=str(code)) as caught:
            await client.fetch_balance()
        assert type(caught.value).__name__ == "AuthenticationError"

    with_ccxt(OKX, scene, **change)


def test_who_logs_in_is_checked() -> None:
    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host, exchange
        orders = {"channel": "orders", "instType": "ANY"}
        assert (await socket.ask(login(key="other")))["code"] == "60005"
        assert (await socket.ask(login(secret=KEY)))["code"] == "60007"
        assert (await socket.ask(login(passphrase=KEY)))["code"] == "60024"
        assert (await socket.ask(login(at="1")))["code"] == "60006"
        assert (await socket.ask(login(at="now")))["code"] == "60004"
        assert (await socket.ask(subscribe(orders)))["code"] == "60011"
        assert (await socket.ask({"op": "order"}))["code"] == "60012"
        assert await socket.ask("ping") == "pong"
        assert (await socket.ask(login()))["event"] == "login"
        assert (await socket.ask(subscribe(orders)))["event"] == "subscribe"
        count = await socket.hear()
        assert (count["event"], count["connCount"]) == ("channel-conn-count", "1")
        assert (await socket.ask(subscribe({"channel": "trades", "instId": "PURR-USDT"})))["code"] == "60018"

    with_socket(OKX, "/ws/v5/private", scene)


def test_orders_and_balances_look_like_recorded_ones(shared_data: Path) -> None:
    recorded = json.loads((shared_data / FOLDER / "ws_orders.json").read_text())["data"][0]
    account = json.loads((shared_data / FOLDER / "ws_account.json").read_text())["data"][0]
    known = ("linkedAlgoOrd", "attachAlgoOrds")  # of orders that aren't here

    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host
        await socket.ask(login())
        told = await socket.ask(subscribe({"channel": "account"}))
        assert told["event"] == "subscribe"
        assert (await socket.hear())["event"] == "channel-conn-count"
        (held,) = (await socket.hear())["data"]
        assert {one["ccy"] for one in held["details"]} == {"PURR", "USDT"}
        assert {"ccy", "cashBal", "eq", "availBal", "frozenBal", "uTime"} <= held["details"][0].keys()
        assert held.keys() & account.keys() >= {"uTime", "details", "totalEq"}
        await socket.ask(subscribe({"channel": "orders", "instType": "SWAP"}))
        await socket.hear()
        exchange.place("main", "PURR/USDT", "buy", "market", 1)  # of another kind: only the balance is told
        assert (await socket.hear())["arg"]["channel"] == "account"
        exchange.place("main", "BTC/USDT:USDT", "buy", "market", "0.03")
        (new,) = (await socket.hear())["data"]
        assert (new["state"], new["tradeId"], new["fillSz"], new["fillTime"]) == ("live", "", "0", "")
        (row,) = (await socket.hear())["data"]
        assert (row["state"], row["tradeId"], row["fillSz"]) == ("filled", "2", "0.03")
        assert (row["fillFee"], row["fillFeeCcy"], row["avgPx"]) == ("-0.01500003", "USDT", "50000.1")
        for name in recorded.keys() & row.keys():
            if name not in known:
                assert type(row[name]) is type(recorded[name]), name
        assert {"fillMarkPx", "execType", "category", "fee", "feeCcy", "accFillSz"} <= row.keys()

    with_socket(OKX, "/ws/v5/private", scene)


def test_public_data_look_like_recorded_ones(shared_data: Path) -> None:
    prints = json.loads((shared_data / FOLDER / "ws_trades.json").read_text())
    quotes = json.loads((shared_data / FOLDER / "ws_bbo_tbt.json").read_text())

    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host
        name = {"instId": "BTC-USDT-SWAP"}
        await socket.ask(subscribe({"channel": "trades", **name}, {"channel": "bbo-tbt", **name}))
        assert (await socket.hear())["event"] == "subscribe"
        best = await socket.hear()
        assert quotes["data"][0].keys() == best["data"][0].keys()
        assert best["data"][0]["bids"] == [["49999.9", "900", "0", "1"]]
        exchange.place("visitor", "BTC/USDT:USDT", "buy", "market", 900)  # all that is offered
        trade = await socket.hear()
        assert prints["data"][0].keys() <= trade["data"][0].keys()
        assert (trade["data"][0]["sz"], trade["data"][0]["side"]) == ("899", "buy")
        assert (await socket.hear())["data"][0]["asks"] == []

    with_socket(OKX, "/ws/v5/public", scene)


def test_an_ending_for_an_upgrade_is_announced() -> None:
    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        await socket.ask(login())
        await socket.ask(subscribe({"channel": "orders", "instType": "ANY"}))
        await socket.hear()
        host.faults.once(Fault.TERMINATED)
        exchange.place("main", "PURR/USDT", "buy", "market", 1)
        notice = await socket.hear()
        assert (notice["event"], notice["code"]) == ("notice", "64008")

    with_socket(OKX, "/ws/v5/private", scene)
