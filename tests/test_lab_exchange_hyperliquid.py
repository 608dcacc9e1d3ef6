from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.hyperliquid_rest import address_of
from drainwatch.lab.exchange.matching import Exchange
from venue_clients import Socket, as_fill, executions, with_ccxt, with_socket
from watching import ADDRESS, HYPERLIQUID

FOLDER = "venue-messages/hyperliquid/test_data"


def subscribe(kind: str, **more: str) -> dict[str, Any]:
    return {"method": "subscribe", "subscription": {"type": kind, **more}}


def test_ccxt_lists_fills_of_an_address_without_a_key() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await client.load_markets()
        assert sorted(client.symbols) == ["BTC/USDC:USDC", "PURR/USDC"]
        exchange.place("main", "BTC/USDC:USDC", "sell", "market", "0.5")
        exchange.place("main", "PURR/USDC", "buy", "market", 3, client_id="0x" + "ab" * 16)
        listed = await client.fetch_my_trades(None, exchange.executed("main")[0].ms)
        assert [as_fill(one) for one in listed] == executions(exchange)
        assert listed[1]["info"]["cloid"] == "0x" + "ab" * 16
        assert listed[1]["fee"]["cost"] == 0.003
        assert listed[1]["fee"]["currency"] == "PURR"
        newest = await client.publicPostInfo({"type": "userFills", "user": ADDRESS})
        assert [row["coin"] for row in newest] == ["PURR/USDC", "BTC"]
        assert await client.publicPostInfo({"type": "userFills", "user": "0x" + "0" * 40}) == []

    with_ccxt(HYPERLIQUID, scene)


def test_ccxt_reads_balances_candles_and_time() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await exchange.burst("main", 4, "BTC/USDC:USDC")
        swap = await client.fetch_balance()
        assert swap["total"]["USDC"] == 9_999_799.7995996  # four lots, paid for in full, and the fee
        spot = await client.fetch_balance({"type": "spot"})
        assert set(spot["total"]) == {"PURR", "USDC"}
        (candle,) = (await client.fetch_ohlcv("BTC/USDC:USDC", "5m"))[-1:]
        assert candle[1:] == [50000.1, 50000.1, 50000.1, 50000.1, 1.004]
        assert (await client.fetch_time()) == pytest.approx(exchange.clock(), abs=5_000)

    with_ccxt(HYPERLIQUID, scene)


def test_fills_since_a_time_come_the_oldest_first_and_no_more_than_fit() -> None:
    async def scene(host: Host[Any], exchange: Exchange, client: Any) -> None:
        del host
        await exchange.burst("main", 2_100, "BTC/USDC:USDC")
        since = {"type": "userFillsByTime", "user": ADDRESS, "startTime": 0}
        found = [row["tid"] for row in await client.publicPostInfo(since)]
        assert [int(one) for one in found] == [one.id for one in exchange.executed("main")][:2_000]

    with_ccxt(HYPERLIQUID, scene)


def test_what_isnt_understood_is_refused() -> None:
    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host, exchange
        for wrong in ("not json", "[]", {"method": "post"}, {"method": "subscribe"}):
            assert (await socket.ask(wrong))["channel"] == "error"
        for kind, more in (("userFills", {"user": "0x1"}), ("trades", {"coin": "XYZ"}), ("new", {})):
            refused = await socket.ask(subscribe(kind, **more))
            assert refused["data"].startswith("Invalid subscription")
        assert await socket.ask({"method": "ping"}) == {"channel": "pong"}
        assert (await socket.ask(subscribe("trades", coin="BTC")))["channel"] == "subscriptionResponse"
        again = await socket.ask(subscribe("trades", coin="BTC"))
        assert again["data"].startswith("Already subscribed")
        ended = {"method": "unsubscribe", "subscription": {"type": "trades", "coin": "BTC"}}
        assert (await socket.ask(ended))["data"]["method"] == "unsubscribe"

    with_socket(HYPERLIQUID, "/ws", scene)


def test_the_past_comes_first_and_prints_name_both_sides(shared_data: Path) -> None:
    recorded = json.loads((shared_data / FOLDER / "http_recent_trades_btc.json").read_text())[0]
    fill = json.loads((shared_data / FOLDER / "ws_user_fill_liquidation.json").read_text())
    expected = fill["data"]["fills"][0].keys() - {"liquidation"}

    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host
        exchange.place("main", "BTC/USDC:USDC", "buy", "market", 1, client_id="0x" + "ab" * 16)
        await socket.ask(subscribe("userFills", user=ADDRESS.upper().replace("0X", "0x")))
        past = (await socket.hear())["data"]
        assert (past["isSnapshot"], past["user"], len(past["fills"])) == (True, ADDRESS, 1)
        assert past["fills"][0].keys() == expected
        for name in expected:
            assert type(past["fills"][0][name]) is type(fill["data"]["fills"][0][name]), name
        await socket.ask(subscribe("trades", coin="BTC"))
        exchange.place("visitor", "BTC/USDC:USDC", "sell", "market", 2)
        (trade,) = (await socket.hear())["data"]
        assert trade.keys() == recorded.keys()
        assert trade["users"] == [address_of(exchange, "house"), address_of(exchange, "visitor")]
        exchange.strangers("BTC/USDC:USDC", "buy", 50_000 * 10**12, 10**8)
        (trade,) = (await socket.hear())["data"]
        assert ADDRESS not in trade["users"]
        assert len(set(trade["users"])) == 2

    with_socket(HYPERLIQUID, "/ws", scene)


def test_best_quotes_come_at_once_and_an_empty_side_is_null() -> None:
    async def scene(host: Host[Any], exchange: Exchange, socket: Socket) -> None:
        del host
        await socket.ask(subscribe("bbo", coin="PURR/USDC"))
        best = (await socket.hear())["data"]
        assert best["bbo"] == [
            {"px": "19.99", "sz": "900.0", "n": 1},
            {"px": "20.01", "sz": "899.0", "n": 1},
        ]
        exchange.place("main", "PURR/USDC", "sell", "market", 900)
        assert (await socket.hear())["data"]["bbo"][0] is None

    with_socket(HYPERLIQUID, "/ws", scene)
