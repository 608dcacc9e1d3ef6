from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.lab.exchange import signatures
from drainwatch.lab.exchange.binance_ws import MOST_STREAMS
from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.server import Server
from loopback import KEY, OTHER_KEY, Api, an_exchange, now_ms, params, subscribed

Session = aiohttp.ClientSession


def with_server(scene: Callable[[Server, Session], Awaitable[None]]) -> None:
    """Run a scene against a server."""

    async def whole() -> None:
        async with Server(an_exchange()) as server, aiohttp.ClientSession() as session:
            await scene(server, session)

    asyncio.run(whole())


def test_an_order_by_websocket_is_answered_and_heard() -> None:
    async def scene(server: Server, session: Session) -> None:
        api = await subscribed(session, server)
        order = {"symbol": "ETHBTC", "side": "BUY", "type": "MARKET", "quantity": "1"}
        answer = await api.ask("order.place", params(order))
        assert (answer["status"], answer["result"]["status"]) == (200, "FILLED")
        events = await api.hear(3)
        assert [one["e"] for one in events] == [
            "executionReport",
            "executionReport",
            "outboundAccountPosition",
        ]
        assert [one.get("x") for one in events[:2]] == ["NEW", "TRADE"]
        assert (await api.ask("myTrades", params({"symbol": "ETHBTC"})))["result"][0]["id"] == 1
        await api.socket.close()

    with_server(scene)


def test_only_the_own_accounts_events_are_heard() -> None:
    async def scene(server: Server, session: Session) -> None:
        mine = await subscribed(session, server)
        await server.exchange.burst("other", 5)
        await server.exchange.burst("main", 1)
        assert len(await mine.hear(3)) == 3
        assert {one["i"] for one in mine.events[:2]} == {server.exchange.executed("main")[0].order.id}
        await mine.socket.close()

    with_server(scene)


def test_a_session_of_an_ed25519_key_needs_no_more_signatures() -> None:
    async def scene(server: Server, session: Session) -> None:
        private = Ed25519PrivateKey.generate()
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        server.exchange.add_key("main", "ed", verify=signatures.ed25519(pem))
        asked: dict[str, Any] = {"apiKey": "ed", "timestamp": now_ms()}
        signed = "&".join(f"{k}={v}" for k, v in sorted(asked.items()))
        asked["signature"] = base64.b64encode(private.sign(signed.encode())).decode()
        api = Api(await session.ws_connect(server.ws_api_url))
        assert (await api.ask("userDataStream.subscribe"))["error"]["code"] == -2015
        assert (await api.ask("session.logon", asked))["result"]["apiKey"] == "ed"
        assert (await api.ask("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
        assert (await api.ask("userDataStream.subscribe"))["error"]["code"] == -2035
        assert (await api.ask("session.subscriptions"))["result"] == [{"subscriptionId": 0}]
        order = {"symbol": "ETHBTC", "side": "SELL", "type": "MARKET", "quantity": "1", "timestamp": now_ms()}
        assert (await api.ask("order.place", order))["status"] == 200
        assert len(await api.hear(3)) == 3
        assert (await api.ask("session.logout"))["result"]["apiKey"] is None
        assert api.events[-1]["e"] == "eventStreamTerminated"
        assert (await api.ask("order.place", order))["error"]["code"] == -2014
        await api.socket.close()

    with_server(scene)


@pytest.mark.parametrize(
    ("method", "signed_with", "more", "code"),
    [
        ("session.logon", {}, {}, -4056),
        ("userDataStream.subscribe.signature", {"secret": "wrong"}, {}, -1022),
        ("userDataStream.subscribe.signature", {}, {"timestamp": 1}, -1021),
        ("userDataStream.subscribe.signature", {"key": "unknown"}, {}, -2015),
        ("userDataStream.subscribe.signature", None, {}, -2014),
        ("userDataStream.unsubscribe", None, {"subscriptionId": 3}, -2036),
        ("order.dance", None, {}, -1020),
        ("depth", None, {}, -1102),
    ],
)
def test_what_is_wrong_is_told(
    method: str, signed_with: dict[str, str] | None, more: dict[str, Any], code: int
) -> None:
    async def scene(server: Server, session: Session) -> None:
        api = Api(await session.ws_connect(server.ws_api_url))
        asked = more if signed_with is None else params(more, **signed_with)
        assert (await api.ask(method, asked))["error"]["code"] == code
        assert (await api.ask("ping"))["result"] == {}
        await api.socket.close()

    with_server(scene)


def test_a_stream_ends_when_its_key_is_revoked_or_by_fault_and_says_so() -> None:
    async def scene(server: Server, session: Session) -> None:
        one = await subscribed(session, server)
        other = await subscribed(session, server, key=OTHER_KEY)
        server.exchange.revoke(KEY)
        assert (await one.hear(1))[0]["e"] == "eventStreamTerminated"
        assert (await one.ask("userDataStream.subscribe.signature", params()))["error"]["code"] == -2015
        server.faults.once(Fault.TERMINATED)
        await server.exchange.burst("other", 1)
        assert [event["e"] for event in await other.hear(1)] == ["eventStreamTerminated"]
        again = await other.ask("userDataStream.subscribe.signature", params(key=OTHER_KEY))
        assert again["result"] == {"subscriptionId": 1}
        await other.ask("userDataStream.unsubscribe", {})
        assert [event["e"] for event in other.events] == ["eventStreamTerminated"] * 2
        await server.exchange.burst("other", 1)
        assert (await other.ask("ping"))["status"] == 200
        await one.socket.close()
        await other.socket.close()

    with_server(scene)


def test_public_streams_are_subscribed_listed_and_left() -> None:
    async def scene(server: Server, session: Session) -> None:
        socket = await session.ws_connect(f"{server.ws_url}/stream")

        async def ask(method: str, *names: Any) -> Any:
            await socket.send_json({"id": 7, "method": method, "params": list(names)})
            answer = await socket.receive_json(timeout=5)
            assert answer["id"] == 7
            return answer.get("result", answer.get("error"))

        assert await ask("SUBSCRIBE", "ethbtc@trade", "ethbtc@bookTicker") is None
        assert await ask("LIST_SUBSCRIPTIONS") == ["ethbtc@trade", "ethbtc@bookTicker"]
        server.exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.0301")
        trade, quote = [await socket.receive_json(timeout=5) for _ in range(2)]
        assert (trade["stream"], trade["data"]["p"], trade["data"]["m"]) == (
            "ethbtc@trade",
            "0.03010000",
            False,
        )
        assert "b" not in trade["data"]
        assert (quote["stream"], quote["data"]["A"]) == ("ethbtc@bookTicker", "4.00000000")
        assert await ask("UNSUBSCRIBE", "ethbtc@trade") is None
        assert await ask("LIST_SUBSCRIPTIONS") == ["ethbtc@bookTicker"]
        await socket.close()

    with_server(scene)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"id":1,"method":"SUBSCRIBE","params":["ethbtc@dance"]}', 2),
        ('{"id":1,"method":"SUBSCRIBE","params":[1]}', 2),
        ('{"id":1,"method":"DANCE"}', 2),
        ("[]", 2),
        ("{", 3),
        (json.dumps({"method": "SUBSCRIBE", "params": [f"a{n}@trade" for n in range(MOST_STREAMS + 1)]}), 2),
    ],
)
def test_what_is_no_subscription_is_refused(message: str, code: int) -> None:
    async def scene(server: Server, session: Session) -> None:
        socket = await session.ws_connect(f"{server.ws_url}/ws")
        await socket.send_str(message)
        assert (await socket.receive_json(timeout=5))["error"]["code"] == code
        await socket.close()

    with_server(scene)


def test_streams_named_in_the_address_come_plain_or_wrapped() -> None:
    async def scene(server: Server, session: Session) -> None:
        plain = await session.ws_connect(f"{server.ws_url}/ws/ethbtc@trade")
        wrapped = await session.ws_connect(f"{server.ws_url}/stream?streams=ethbtc@trade/ethbtc@aggTrade")
        await plain.send_json({"id": 1, "method": "GET_PROPERTY", "params": ["combined"]})
        assert (await plain.receive_json(timeout=5))["result"] is False
        await server.exchange.burst("main", 1, "ETH/BTC")
        assert (await plain.receive_json(timeout=5))["e"] == "trade"
        assert [(await wrapped.receive_json(timeout=5))["data"]["e"] for _ in range(2)] == [
            "trade",
            "aggTrade",
        ]
        await plain.send_json({"id": 1, "method": "SET_PROPERTY", "params": ["combined", True]})
        await plain.receive_json(timeout=5)
        await server.exchange.burst("main", 1, "ETH/BTC")
        assert (await plain.receive_json(timeout=5))["stream"] == "ethbtc@trade"
        await plain.close()
        await wrapped.close()

    with_server(scene)


def test_who_says_too_much_to_the_public_streams_is_thrown_out() -> None:
    async def scene(server: Server, session: Session) -> None:
        socket = await session.ws_connect(f"{server.ws_url}/ws")
        for _ in range(7):
            await socket.send_json({"id": 1, "method": "LIST_SUBSCRIPTIONS"})
        async with asyncio.timeout(5):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert socket.close_code == 1008

    with_server(scene)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
METHODS = st.sampled_from(
    ("order.place", "myTrades", "klines", "session.logon", "userDataStream.unsubscribe", "SUBSCRIBE", "depth")
)


@settings(max_examples=15)
@given(st.lists(st.tuples(METHODS, JSON, st.dictionaries(st.sampled_from(
    ("symbol", "limit", "fromId", "timestamp", "apiKey", "signature", "interval", "subscriptionId")), JSON
)), min_size=1, max_size=5))  # fmt: skip
def test_whatever_is_asked_is_answered(asked: list[tuple[str, Any, dict[str, Any]]]) -> None:
    async def scene(server: Server, session: Session) -> None:
        api = await session.ws_connect(server.ws_api_url)
        public = await session.ws_connect(f"{server.ws_url}/ws")
        for method, odd, parameters in asked:
            for message in (
                {"id": 1, "method": method, "params": parameters},
                {"id": odd, "method": odd, "params": odd},
                odd,
            ):
                text = json.dumps(message)
                await api.send_str(text)
                assert json.loads(await api.receive_str(timeout=5)).keys() >= {"id", "status"}
            await public.send_str(json.dumps({"id": 1, "method": method, "params": odd}))
            assert await public.receive_str(timeout=5)
        await api.close()
        await public.close()

    with_server(scene)
