"""Delivery against real servers on this machine, which answer well, badly, late or not at all."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import random
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import chat_services
from drainwatch.alerts import delivery, layouts, send
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.delivery import Delivery
from drainwatch.alerts.lanes import ORDERED_TRIES, Line
from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.alerts.message import ALARM, NEWS, Message
from drainwatch.alerts.pace import Pace
from drainwatch.alerts.teller import Teller
from drainwatch.errors import StateError
from drainwatch.notices import NoticeKind
from drainwatch.store import Mark, Store, open_store
from drainwatch.venues.clock import VirtualClock
from report_fakes import START_MS, incident

NS = 1_000_000_000
HOUR_NS = 3_600 * NS


class FastClock:
    """Time that goes many times faster, and can jump."""

    def __init__(self, speed: float = 200.0) -> None:
        self.speed = speed
        self.start = time.monotonic()
        self.jumped_ns = 0

    def now_ns(self) -> int:
        return int((time.monotonic() - self.start) * self.speed * NS) + self.jumped_ns

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


class Service:
    """A server that answers each channel (its path) by a plan, and keeps what it took."""

    def __init__(self) -> None:
        self.plans = defaultdict[str, deque[Any]](deque)
        """What to answer next by path; after the plan's end 200."""
        self.lane_of: Callable[[str], str] = lambda _: ""
        """What to add to the path, by what is said: a plan for each lane."""
        self.always = dict[str, Any]()
        """What to answer without end."""
        self.took = defaultdict[str, list[str]](list)
        """Texts that were answered by 2xx."""
        self.asked = defaultdict[str, list[str]](list)
        self.running = defaultdict[str, int](int)
        self.most_running = defaultdict[str, int](int)
        self.url = ""

    def channel(self, name: str, kind: str = "webhook") -> Channel:
        return Channel(name=name, kind=kind, url=f"{self.url}/{name}")

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.strip("/")
        self.running[name] += 1
        self.most_running[name] = max(self.most_running[name], self.running[name])
        try:
            text = json.loads(await request.read())["text"]
            self.asked[name].append(text)
            plans = self.plans[name + self.lane_of(text)]
            plan = plans.popleft() if plans else self.always.get(name, 200)
            if plan == "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if plan == "silence":
                await asyncio.sleep(30)
                return web.Response(status=500)
            if callable(plan):
                return await plan(request)  # type: ignore[no-any-return]
            status, headers, body = plan if isinstance(plan, tuple) else (plan, {}, b"")
            if 200 <= status < 300:
                self.took[name].append(text)
            return web.Response(status=status, headers=headers, body=body)
        finally:
            self.running[name] -= 1


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Service]:
    service = Service()
    runner = web.ServerRunner(web.Server(service.answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


@asynccontextmanager
async def delivering(
    store: Store, channels: list[Channel], clock: FastClock | None = None, **given: Any
) -> AsyncIterator[Delivery]:
    worker = Delivery(store, channels, clock or FastClock(), given.pop("session", session), **given)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        assert not task.done(), "the worker ended by itself"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 the server tells nobody
            await asyncio.sleep(0.002)


def post(store: Store, key: str, channels: list[Channel], rank: int = NEWS, now_ns: int = 0) -> None:
    body = to_bytes(Message(what="opened", text=key))
    for channel in channels:
        store.post(key, channel.name, rank, body, now_ns)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(tmp_path / "watch.db")
    yield store
    store.close()


def run(test: Callable[[Service], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with serving() as service:
            await test(service)

    asyncio.run(whole())


def test_what_waits_is_sent_by_rank_then_time_on_each_lane(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        for key, rank, now_ns in (("x", 3, 1), ("y", 0, 3), ("z", 0, 2), ("w", 1, 1), ("v", 2, 5)):
            post(store, key, channels, rank, now_ns)
        async with delivering(store, channels) as worker:
            await until(lambda: not store.waiting())
        assert [text for text in service.took["a"] if text in "zyw"] == ["z", "y", "w"]
        assert [text for text in service.took["a"] if text in "vx"] == ["v", "x"]
        assert worker.counts["a", "arrived"] == 5

    run(test)


def test_news_is_sent_at_once_when_woken(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        async with delivering(store, channels, FastClock(1.0)) as worker:
            await asyncio.sleep(0.05)
            post(store, "x", channels)
            worker.wake()
            start = asyncio.get_running_loop().time()
            await until(lambda: bool(service.took["a"]))
            assert asyncio.get_running_loop().time() - start < 1.0

    run(test)


@pytest.mark.parametrize("kind", ["slack", "discord", "webhook"])
def test_a_real_incident_arrives_as_the_service_wants_it(store: Store, kind: str) -> None:
    async def test(service: Service) -> None:
        got = list[dict[str, Any]]()

        async def keep(request: web.BaseRequest) -> web.Response:
            got.append(json.loads(await request.read()))
            return web.Response(status=204)

        channel = Channel(name="a", kind=kind, url=f"{service.url}/a")
        runner = web.ServerRunner(web.Server(keep))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        channel = Channel(name="a", kind=kind, url=f"http://127.0.0.1:{runner.addresses[0][1]}/a")
        Teller(store, [channel], [channel]).take(incident(), 0)
        async with delivering(store, [channel]):
            await until(lambda: not store.waiting())
        await runner.cleanup()
        assert "3.36 ETH gone" in str(got[0]).replace("\u2060", "")

    run(test)


@pytest.mark.parametrize(
    "trouble", [500, 502, 408, "reset", (429, {}, b""), (429, {"Retry-After": "2"}, b"")]
)
def test_trouble_is_retried_in_order(store: Store, trouble: Any) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        service.plans["a"].extend([trouble, trouble, 200, trouble])
        for key in "xyz":
            post(store, key, channels)
        async with delivering(store, channels):
            await until(lambda: not store.waiting())
        assert service.took["a"] == ["x", "y", "z"]
        assert service.asked["a"] == ["x", "x", "x", "y", "y", "z"]

    run(test)


def test_no_answer_is_retried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "TIMEOUT_S", 0.1)

    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        service.plans["a"].extend(["silence"])
        post(store, "x", channels)
        async with delivering(store, channels):
            await until(lambda: not store.waiting())
        assert service.took["a"] == ["x"]

    run(test)


@pytest.mark.parametrize(
    "limited",
    [
        (429, {"Retry-After": "100"}, b""),
        (429, {}, b'{"ok":false,"parameters":{"retry_after":100}}'),
        (429, {"Retry-After": "1"}, b'{"retry_after":100.0}'),
        (503, {"Retry-After": "100"}, b""),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "100"}, b""),
    ],
)
def test_a_service_that_wants_to_be_left_alone_is(store: Store, limited: Any) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        clock = FastClock(200.0)
        asked = list[int]()

        async def note(_request: web.BaseRequest) -> web.Response:
            asked.append(clock.now_ns())
            return web.Response(status=limited[0], headers=limited[1], body=limited[2])

        service.plans["a"].append(note)
        post(store, "x", channels, rank=NEWS)
        post(store, "y", channels, rank=NEWS)
        async with delivering(store, channels, clock) as worker:
            while not service.took["a"]:
                worker.wake()  # news must not break the peace either
                await asyncio.sleep(0.01)
            assert clock.now_ns() - asked[0] >= 100 * NS
            assert clock.now_ns() - asked[0] < 300 * NS

    run(test)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 400, 302])
def test_a_channel_that_refuses_is_given_up_and_the_others_are_told_once(store: Store, status: int) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a"), service.channel("b"), service.channel("c")]
        service.always["a"] = (status, {"Location": f"{service.url}/b"}, b"hunter2")
        for key in "xy":
            post(store, key, channels)
        async with delivering(store, channels) as worker:
            await until(lambda: not store.waiting())
        assert service.asked["a"] == ["x", "y"]
        assert worker.counts["a", "given_up"] == 2
        for name in "bc":
            assert [text for text in service.took[name] if text in "xy"] == ["x", "y"]
            (told,) = (text for text in service.took[name] if text not in "xy")
            assert told.startswith(f"Alerts don't arrive: Channel a doesn't take alerts: HTTP {status}")
        assert [n.kind for n in store.notices()] == [NoticeKind.DELIVERY_FAILED]
        reasons = [why for _, why in store.given_up()]
        assert [why.partition(":")[0] for why in reasons] == [f"HTTP {status}"] * 2
        assert not any(
            secret in str(reasons) + store.notices()[0].text for secret in ("hunter2", "127.0.0.1")
        )

    run(test)


def test_a_slow_channel_does_not_hold_the_others(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("slow"), service.channel("b")]
        service.always["slow"] = "silence"
        for key in "uvwxyz":
            post(store, key, channels, rank=NEWS)
        async with delivering(store, channels):
            await until(lambda: len(service.took["b"]) == 6)
            assert service.asked["slow"] == ["u"]
            await until(lambda: store.waiting() == {"slow": 6})

    run(test)


def test_one_message_at_a_time_is_under_way(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a"), service.channel("b")]
        for number in range(40):
            post(store, str(number), channels, rank=NEWS)
        async with delivering(store, channels) as worker:
            while store.waiting():
                worker.wake()
                await asyncio.sleep(0)
        assert dict(service.most_running) == {"a": 1, "b": 1}

    run(test)


def test_pauses_grow_are_spread_and_end(store: Store) -> None:
    async def test(service: Service) -> None:
        line = Line(service.channel("a"), Pace(()))
        for chance, spread in ((0.0, 0.5), (1.0, 1.0)):
            worker = Delivery(store, [], FastClock(), chance=lambda c=chance: c)  # type: ignore[misc]
            for lane, longest_s in zip(line.lanes, (30.0, 300.0), strict=True):
                lane.failures = 0
                pauses = [worker._back_off(lane) for _ in range(2_000)]
                assert pauses[:4] == [spread * p for p in (1.0, 2.0, 4.0, 8.0)]
                assert set(pauses[9:]) == {spread * longest_s}

    run(test)


def test_a_message_that_is_not_taken_does_not_hold_the_others_for_ever(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]

        async def choosy(request: web.BaseRequest) -> web.Response:
            text = json.loads(await request.read())["text"]
            if text != "poison":
                service.took["a"].append(text)
            return web.Response(status=500 if text == "poison" else 200)

        service.always["a"] = choosy
        post(store, "poison", channels)
        post(store, "fine", channels)
        async with delivering(store, channels):
            await until(lambda: service.took["a"] == ["fine"])
            await until(lambda: store.waiting() == {"a": 1})
        assert service.asked["a"].count("poison") >= ORDERED_TRIES

    run(test)


def test_what_waited_for_a_dead_channel_goes_at_once_when_it_is_back(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        service.always["a"] = 500
        for key in "xyz":
            post(store, key, channels)
        clock = FastClock(2_000.0)
        async with delivering(store, channels, clock):
            await until(lambda: len(service.asked["a"]) > 12)
            del service.always["a"]
            await until(lambda: not store.waiting())
        assert sorted(service.took["a"]) == ["x", "y", "z"]

    run(test)


def test_after_a_day_of_trouble_a_message_is_given_up(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a"), service.channel("b")]
        service.always["a"] = 500
        clock = FastClock(5_000.0)
        post(store, "x", channels, now_ns=clock.now_ns())
        async with delivering(store, channels, clock) as worker:
            await until(lambda: len(service.asked["a"]) >= 10)
            assert store.waiting()["a"] == 1
            clock.jumped_ns = 24 * HOUR_NS
            worker.wake()
            await until(lambda: not store.waiting())
        assert [(p.key, p.channel, why) for p, why in store.given_up()] == [
            ("x", "a", "HTTP 500: the service has trouble, for more than a day")
        ]
        assert "Channel a doesn't take alerts" in service.took["b"][1]

    run(test)


def test_a_machine_that_slept_for_a_day_still_tells(store: Store) -> None:
    """Its network is back later than its clock."""

    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        service.plans["a"].extend([500] * 6)
        clock = FastClock(5_000.0)
        clock.jumped_ns = 30 * HOUR_NS
        post(store, "x", channels, now_ns=0)
        async with delivering(store, channels, clock):
            await until(lambda: not store.waiting())
        assert service.took["a"] == ["x"]

    run(test)


def test_long_trouble_is_told_to_the_others_long_before(store: Store) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a"), service.channel("b")]
        service.always["a"] = 500
        clock = FastClock()
        post(store, "x", channels, now_ns=clock.now_ns())
        async with delivering(store, channels, clock) as worker:
            await until(lambda: len(service.asked["a"]) == 2)
            clock.jumped_ns = delivery.TROUBLE_NS
            worker.wake()
            await until(lambda: len(service.took["b"]) == 2)
            await until(lambda: store.waiting() == {"a": 1})
        assert "Channel a doesn't take alerts: HTTP 500" in service.took["b"][1]

    run(test)


def test_what_waits_for_a_channel_that_is_gone_is_told(store: Store) -> None:
    async def test(service: Service) -> None:
        post(store, "x", [service.channel("gone")])
        async with delivering(store, [service.channel("b")]):
            await until(lambda: len(service.took["b"]) == 2)
        notice = next(text for text in service.took["b"] if text != "x")
        assert "x" in service.took["b"], "it was moved on"
        assert "Channel gone doesn't take alerts" in notice
        assert [(p.key, p.channel) for p, _ in store.given_up()] == [("x", "gone")]

    run(test)


def test_without_channels_it_waits(store: Store) -> None:
    async def test(_service: Service) -> None:
        async with delivering(store, []) as worker:
            worker.wake()
            await asyncio.sleep(0.02)

    run(test)


def test_a_body_that_can_not_be_read_is_given_up(store: Store) -> None:
    async def test(service: Service) -> None:
        store.post("bad", "a", 0, b"{", 0)
        post(store, "good", [service.channel("a")])
        async with delivering(store, [service.channel("a")]):
            await until(lambda: not store.waiting())
        assert service.took["a"] == ["good"]
        assert [why for _, why in store.given_up()] == ["the message in the outbox can't be read"]

    run(test)


def test_trouble_of_the_store_sends_nothing_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        noted = store.delivered
        fails = deque([True] * 3)

        def delivered(*given: Any) -> None:
            if fails and fails.popleft():
                raise StateError("the disk is full")
            noted(*given)

        monkeypatch.setattr(store, "delivered", delivered)
        post(store, "x", channels)
        post(store, "y", channels)
        async with delivering(store, channels):
            await until(lambda: not store.waiting())
        assert service.asked["a"] == ["x", "y"]

    run(test)


def test_a_mistake_does_not_end_it_and_shows_no_secret(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        right = layouts.request_of
        wrong = deque([True, True])

        def request_of(*given: Any) -> layouts.Request:
            if wrong and wrong.popleft():
                raise KeyError("https://hooks.example/hunter2")
            return right(*given)

        monkeypatch.setattr(layouts, "request_of", request_of)
        post(store, "x", channels)
        async with delivering(store, channels):
            await until(lambda: not store.waiting())
        assert service.took["a"] == ["x"]

    with caplog.at_level(logging.DEBUG):
        run(test)
    assert caplog.text.count("KeyError in test_alerts_delivery.py") == 2
    assert "hunter2" not in caplog.text


def test_nobody_there_is_retried_without_naming_where(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def test(service: Service) -> None:
        nobody = Channel(name="a", kind="webhook", url="http://127.0.0.1:9/hunter2")
        post(store, "x", [nobody])
        async with delivering(store, [nobody]) as worker:
            await until(lambda: worker.counts["a", "later"] >= 2)
        assert service.took == {}

    with caplog.at_level(logging.DEBUG):
        run(test)
    assert "channel a: the network failed (ClientConnectorError)" in caplog.text
    assert "hunter2" not in caplog.text
    assert store.waiting() == {"a": 1}


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(store: Store, tmp_path: Path) -> None:
    """Else whoever sits between could read the channel's secret."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "tls.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")

    async def test() -> None:
        async with serving(context) as service:
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, _what: None
            )  # the server's own view
            channels = [Channel(name="a", kind="webhook", url=f"{service.url}/a")]
            post(store, "x", channels)
            async with delivering(store, channels, session=delivery.new_session) as worker:
                await until(lambda: worker.counts["a", "later"] >= 2)
            assert dict(service.asked) == {}

    asyncio.run(test())
    assert store.waiting() == {"a": 1}


def test_a_long_answer_is_not_read_to_its_end(store: Store) -> None:
    async def test(service: Service) -> None:
        sent = 0

        async def endless(request: web.BaseRequest) -> web.StreamResponse:
            nonlocal sent
            response = web.StreamResponse(status=429)
            await response.prepare(request)
            with suppress(ConnectionError, asyncio.CancelledError):
                while True:
                    await response.write(b"x" * 10_000)
                    sent += 10_000
                    await asyncio.sleep(0)
            return response

        channels = [service.channel("a")]
        service.plans["a"].append(endless)
        post(store, "x", channels)
        async with delivering(store, channels):
            await until(lambda: not store.waiting())
        assert sent < 50 * 2**20

    run(test)


@pytest.mark.parametrize("seed", range(4))
def test_everything_arrives_in_order_through_any_trouble_and_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At least once on each channel, first arrivals by rank, whatever the services and the process do."""
    monkeypatch.setattr(send, "TIMEOUT_S", 0.3)
    chance = random.Random(seed)
    troubles: list[Any] = [500, 503, "reset", "silence", (429, {"Retry-After": "1"}, b""), (429, {}, b"")]

    async def test(service: Service) -> None:
        channels = [service.channel(name) for name in "abc"]
        refused = service.channel("refused")
        service.always["refused"] = 401
        service.lane_of = lambda text: "" if text[0] in "01" else " common"
        for name in [name + lane for name in "abc" for lane in ("", " common")]:
            for _ in range(30):  # never so many in a row that a message is passed by
                bad = [chance.choice(troubles) for _ in range(chance.randrange(ORDERED_TRIES - 1))]
                service.plans[name].extend([*bad, 200])
        store = open_store(tmp_path / "watch.db")
        clock = FastClock(1_000.0)
        expected = list[str]()
        for rank, count in ((0, 5), (1, 10), (2, 15)):
            expected += [f"{rank}-{number:02}" for number in range(count)]
        for key in chance.sample(expected, len(expected)):
            post(store, key, [*channels, refused], int(key[0]), now_ns=int(key[2:]))
        while store.waiting():
            async with delivering(store, [*channels, refused], clock):
                await asyncio.sleep(chance.uniform(0.01, 0.4))
            store.close()
            store = open_store(tmp_path / "watch.db")
        for name in "abc":
            first = list(dict.fromkeys(t for t in service.took[name] if t in expected))
            assert [key for key in first if key[0] == "2"] == [key for key in expected if key[0] == "2"]
            assert sorted(first) == expected, "criticals don't wait for one that hangs"
            assert any("Channel refused doesn't take alerts" in text for text in service.took[name])
        assert {p.channel for p, _ in store.given_up()} == {"refused"}
        assert len(store.given_up()) == len(expected)
        store.close()

    run(test)


# --- what the owner sees ---------------------------------------------------------------------------


class Chats:
    """A teller and a delivery with one chat, which shows what it was sent."""

    def __init__(self, store: Store, service: chat_services.Service, clock: VirtualClock) -> None:
        self.store, self.service, self.clock = store, service, clock
        self.teller = Teller(store, [service.channel], [service.channel])

    async def tell(self, **changes: Any) -> None:
        made = incident(**changes)
        with self.store.transaction():
            self.store.save_incident(made)
            self.teller.take(made, self.clock.now_ns())
        await self.settle()

    async def settle(self, seconds: float = 5.0) -> None:
        async with delivering(self.store, [self.service.channel], self.clock):  # type: ignore[arg-type]
            await self.clock.advance(seconds)

    @property
    def titles(self) -> list[str]:
        """What each message says first, as it is now."""
        return [one.text.strip("*🔴🟠🔵 ").partition(":")[0] for one in self.service.shown]


def chatting(kind: type[chat_services.Service], store: Store, test: Callable[[Chats], Any]) -> None:
    async def whole() -> None:
        clock = VirtualClock(turns=40)
        service = kind(clock)
        async with chat_services.serving(service):
            await test(Chats(store, service, clock))

    asyncio.run(whole())


@pytest.mark.parametrize("kind", [chat_services.Discord, chat_services.Telegram])
def test_an_incident_is_one_message_that_changes(store: Store, kind: type[chat_services.Service]) -> None:
    async def test(chats: Chats) -> None:
        await chats.tell(severity="warning")
        await chats.clock.advance(60)
        await chats.tell(severity="warning", loss=9.0)
        assert chats.titles == ["WARNING, still going on"]
        await chats.tell(severity="warning", loss=9.0, escalated_at=START_MS)
        assert chats.titles == ["WARNING, still going on", "CRITICAL now"], "what got worse rings"
        store.add_mark(Mark(incident="a1", what="acknowledged", at_ns=0))
        chats.teller.turn(chats.clock.now_ns())
        await chats.settle()
        assert chats.titles[1:] == ["CRITICAL, acknowledged"]
        await chats.tell(severity="warning", loss=9.0, escalated_at=START_MS, closed_at=START_MS)
        assert chats.titles == ["WARNING, still going on", "CRITICAL, quiet now"]

    chatting(kind, store, test)


def test_where_nothing_can_be_edited_news_follow(store: Store) -> None:
    async def test(chats: Chats) -> None:
        await chats.tell()
        await chats.tell(closed_at=START_MS)
        assert chats.titles == ["CRITICAL", "CRITICAL, quiet now"]

    chatting(chat_services.Slack, store, test)


@pytest.mark.parametrize("kind", [chat_services.Discord, chat_services.Telegram])
def test_a_message_that_was_deleted_is_sent_anew(store: Store, kind: type[chat_services.Service]) -> None:
    async def test(chats: Chats) -> None:
        await chats.tell()
        chats.service.shown.clear()
        await chats.tell(closed_at=START_MS)
        assert chats.titles == ["CRITICAL, quiet now"]
        assert store.given_up() == []

    chatting(kind, store, test)


@pytest.mark.parametrize("fault", ["500", "reset", "reset after", "hang", "hang after", "429"])
def test_what_may_be_there_twice_says_so(store: Store, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_services, "FAULTS", (fault,))

    async def test(chats: Chats) -> None:
        chats.service.faults = 1.0
        with store.transaction():
            chats.teller.take(incident(), chats.clock.now_ns())
        async with delivering(store, [chats.service.channel], chats.clock):  # type: ignore[arg-type]
            await chats.clock.advance(0.2)
            chats.service.faults = 0.0
            await chats.clock.advance(15)
        assert [one.repeated for one in chats.service.shown] == {
            "reset after": [False, True],
            "hang after": [False, True],
            "429": [False],
        }.get(fault, [True])

    chatting(chat_services.Telegram, store, test)


def test_what_the_process_did_not_live_to_note_says_that_it_may_be_there_twice(store: Store) -> None:
    async def test(chats: Chats) -> None:
        with store.transaction():
            chats.teller.take(incident(), chats.clock.now_ns())
        store.begin(store.due(2**62)[0])  # and then it was killed
        await chats.settle()
        assert [one.repeated for one in chats.service.shown] == [True]

    chatting(chat_services.Discord, store, test)


def test_a_webhook_is_sent_the_same_again_under_its_key(store: Store) -> None:
    async def test(service: Service) -> None:
        channel = service.channel("a")
        service.plans["a"].extend(["reset", 500])
        post(store, "x", [channel])
        async with delivering(store, [channel]):
            await until(lambda: not store.waiting())
        assert service.asked["a"] == ["x", "x", "x"], "it tells by the key, and needs no words"

    run(test)


def test_what_one_channel_refuses_goes_to_one_that_was_not_to_have_it(store: Store) -> None:
    """A warning that only this channel gets must not be lost because its webhook was deleted."""

    async def test(service: Service) -> None:
        channels = [service.channel("a"), service.channel("b")]
        service.always["a"] = 404
        post(store, "x", channels[:1], rank=NEWS)
        async with delivering(store, channels):
            await until(lambda: not store.waiting())
        assert "x" in service.took["b"]

    run(test)


def test_the_last_channel_gives_nothing_up_for_a_day(store: Store) -> None:
    """Whoever mends the URL next morning still hears of the night."""

    async def test(service: Service) -> None:
        channels = [service.channel("a")]
        service.always["a"] = 401
        post(store, "x", channels, rank=ALARM)
        clock = FastClock(5_000.0)
        async with delivering(store, channels, clock):
            await until(lambda: len(service.asked["a"]) > 2)
            assert store.given_up() == []
            del service.always["a"]
            await until(lambda: not store.waiting())
        assert service.took["a"] == ["x"]
        post(store, "y", channels, rank=ALARM, now_ns=clock.now_ns())
        service.always["a"] = 401
        clock.jumped_ns += 25 * HOUR_NS
        async with delivering(store, channels, clock):
            await until(lambda: not store.waiting())
        assert [posted.key for posted, _ in store.given_up()] == ["y"]

    run(test)


def test_two_channels_to_one_place_have_its_pace_between_them(store: Store) -> None:
    channels = [Channel(name=name, kind="slack", url="https://chat.example/x") for name in "ab"]
    worker = Delivery(store, channels, FastClock())
    assert worker._lines["a"].pace is worker._lines["b"].pace
    other = Channel(name="c", kind="slack", url="https://chat.example/y")
    assert Delivery(store, [channels[0], other], FastClock())._lines["c"].pace is not worker._lines["a"].pace
