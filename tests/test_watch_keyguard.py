"""A watch looks at its key: refuses one that can do more than read, and tells of changes, over restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from drainwatch.config import load_settings
from drainwatch.errors import ConfigError, StateError, VenueError
from drainwatch.keys.advice import Allowed
from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.server import Server
from drainwatch.notices import Notice, NoticeKind
from drainwatch.store import Store, open_store
from drainwatch.venues.rest import Rest
from drainwatch.watch import keyguard
from drainwatch.watch.hub import Hub
from drainwatch.watch.keyguard import KeyGuard
from drainwatch.watch.runner import Watch
from loopback import KEY, SECRET, an_exchange, until
from watch_lab import HastyClock, new_watch

ENVIRON = {"LAB_KEY": KEY, "LAB_SECRET": SECRET}
RIGHTS = {
    "ipRestrict": True, "createTime": 1_698_645_219_000, "enableReading": True, "enableWithdrawals": False,
    "enableInternalTransfer": False, "enableMargin": False, "enableFutures": False,
    "permitsUniversalTransfer": False, "enableSpotAndMarginTrading": False,
}  # fmt: skip


class Asked:
    """An exchange as the guard asks it: answers, one after the other, the last again and again."""

    exchange = None

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.closed = False

    async def raw(self, method: str, params: Any, what: str) -> Any:
        assert method
        assert what
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer == "never":
            await asyncio.Event().wait()
        return answer

    async def close(self) -> None:
        self.closed = True


class Told:
    """What the guard needs of a hub."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.notices: list[Notice] = []

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def said(self) -> list[tuple[NoticeKind, str]]:
        """Give what was said since the last time."""
        said = [(notice.kind, notice.text) for notice in self.notices]
        self.notices.clear()
        return said


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer to answer than a start waits."""
    monkeypatch.setattr(keyguard, "START_S", 200.0)


@pytest.fixture
def hub(tmp_path: Path) -> Any:
    store = open_store(tmp_path / "s.db")
    yield Told(store)
    store.close()


def guard(
    hub: Told, *answers: Any, exchange: str = "binance", key: str = "k1", allowed: Allowed | None = None
) -> KeyGuard:
    rest, told = cast("Rest", Asked(*answers)), cast("Hub", hub)
    return KeyGuard("main", exchange, rest, told, HastyClock(1e6), key=key, allowed=allowed or Allowed())


def start(one: KeyGuard) -> str:
    return asyncio.run(one.start())


def look(one: KeyGuard) -> None:
    asyncio.run(one.look())


def test_a_key_that_only_reads_is_taken_in_silence(hub: Told) -> None:
    assert start(guard(hub, RIGHTS)) == ""
    assert start(guard(hub, RIGHTS)) == ""
    assert hub.said() == []


@pytest.mark.parametrize("change", [{"enableFutures": True}, {"enableWithdrawals": True}])
def test_a_key_that_can_do_more_is_refused_at_every_start(hub: Told, change: dict[str, Any]) -> None:
    for _ in range(2):
        why = start(guard(hub, RIGHTS | change))
        assert why.startswith("expected the key of account `main` to do nothing but read")
    assert hub.said() == []
    allowed = Allowed(trading=True, withdrawal=True)
    assert start(guard(hub, RIGHTS | change, allowed=allowed)) == ""
    assert start(guard(hub, RIGHTS | change)) != ""  # and when it isn't allowed any more, again


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"enableSpotAndMarginTrading": True}, "the key can now trade"),
        ({"enableWithdrawals": True}, "the key can now withdraw"),
        ({"ipRestrict": False}, "works from everywhere now"),
        ({"enableFixReadOnly": True}, "got enableFixReadOnly of its exchange's permissions"),
    ],
)
def test_a_change_between_two_starts_is_told_once(hub: Told, change: dict[str, Any], said: str) -> None:
    start(guard(hub, RIGHTS))
    assert start(guard(hub, RIGHTS | change)) == ""  # a watch that goes deaf would help who did that
    ((kind, text),) = hub.said()
    assert kind is NoticeKind.KEY_CHANGED
    assert said in text
    assert "If that wasn't you" in text
    start(guard(hub, RIGHTS | change))
    assert [kind for kind, _ in hub.said() if kind is NoticeKind.KEY_CHANGED] == []


def test_a_key_that_got_rights_is_told_of_at_each_start(hub: Told) -> None:
    start(guard(hub, RIGHTS))
    start(guard(hub, RIGHTS | {"enableFutures": True}))
    hub.said()
    assert start(guard(hub, RIGHTS | {"enableFutures": True})) == ""
    ((kind, text),) = hub.said()
    assert kind is NoticeKind.KEY_RIGHTS
    assert "The watch goes on" in text
    assert "allow_trading_key = true" in text


def test_a_key_that_is_told_of_late_is_no_better_for_it(hub: Told) -> None:
    assert start(guard(hub, {"enableReading": True})) == ""
    assert start(guard(hub, RIGHTS | {"enableFutures": True})) != ""


def test_a_trading_key_that_is_allowed_and_learns_to_withdraw_is_told_and_not_refused(hub: Told) -> None:
    trades = RIGHTS | {"enableFutures": True}
    start(guard(hub, trades, allowed=Allowed(trading=True)))
    assert start(guard(hub, trades | {"enableWithdrawals": True}, allowed=Allowed(trading=True))) == ""
    ((kind, text),) = hub.said()
    assert (kind, "can now withdraw" in text) == (NoticeKind.KEY_CHANGED, True)


def test_another_key_is_looked_at_as_if_for_the_first_time(hub: Told) -> None:
    start(guard(hub, RIGHTS))
    assert start(guard(hub, RIGHTS | {"enableFutures": True}, key="k2")) != ""
    assert hub.said() == []


def test_a_change_while_it_watches_is_told(hub: Told) -> None:
    one = guard(hub, RIGHTS, RIGHTS, RIGHTS | {"enableFutures": True})
    start(one)
    look(one)
    assert hub.said() == []
    look(one)
    ((kind, text),) = hub.said()
    assert (kind, "trade derivatives" in text) == (NoticeKind.KEY_CHANGED, True)


def test_a_new_key_in_the_account_is_told(hub: Told) -> None:
    own = {"client_id": "k1", "max_scope": "account:read trade:read wallet:read", "enabled": True}
    new = {"client_id": "k9", "client_secret": "planted", "name": "mail", "timestamp": 1_700_000_000_000}
    one = guard(hub, {"result": [own]}, {"result": [own, new]}, exchange="deribit")
    assert start(one) == ""
    hub.said()
    look(one)
    ((kind, text),) = hub.said()
    assert kind is NoticeKind.KEY_CHANGED
    assert "1 new key in the account: mail, made 14 Nov 2023 22:13:20 UTC" in text
    kept = hub.store.value("key/main")
    assert kept is not None
    assert not any(secret in kept.decode() + text for secret in ("planted", "k9", '"k1"'))


def test_a_new_agent_of_a_wallet_is_told(hub: Told) -> None:
    one = guard(
        hub, [], [{"name": "x", "address": "0x9", "validUntil": 1}], exchange="hyperliquid", key="0x1"
    )
    assert start(one) == ""
    look(one)
    ((kind, text),) = hub.said()
    assert (kind, "1 new key in the account: x" in text) == (NoticeKind.KEY_CHANGED, True)


@pytest.mark.parametrize(("exchange", "answer"), [("bitstamp", None), ("binance", {"enableReading": True})])
def test_what_isnt_told_is_said_once(hub: Told, exchange: str, answer: Any) -> None:
    one = guard(hub, answer, exchange=exchange)
    assert start(one) == ""
    ((kind, text),) = hub.said()
    assert kind is NoticeKind.KEY_RIGHTS
    assert "can trade and withdraw. Look yourself" in text
    look(one)
    start(guard(hub, answer, exchange=exchange))
    assert hub.said() == []
    start(guard(hub, answer, exchange=exchange, key="k2"))
    assert len(hub.said()) == 1


def test_an_exchange_that_doesnt_answer_holds_nothing_up(hub: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyguard, "START_S", 0.02)
    assert start(guard(hub, VenueError("binance: no"))) == ""
    assert start(guard(hub, "never")) == ""
    assert hub.said() == []


def test_who_couldnt_be_asked_at_the_start_is_asked_again_soon(hub: Told) -> None:
    async def body() -> None:
        one = guard(hub, VenueError("no"), VenueError("no"), RIGHTS | {"enableFutures": True})
        assert await one.start() == ""
        task = asyncio.create_task(one.run())
        await until(lambda: hub.notices)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(body())
    ((kind, text),) = hub.said()
    assert kind is NoticeKind.KEY_RIGHTS
    assert "The watch goes on, but: expected the key" in text
    assert start(guard(hub, RIGHTS | {"enableFutures": True})) != ""  # the next start refuses it


def test_a_store_that_fails_for_a_while_doesnt_end_the_looking(
    hub: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        one = guard(hub, RIGHTS, RIGHTS | {"enableFutures": True})
        assert await one.start() == ""
        failed: list[str] = []

        def fail(name: str) -> bytes:
            failed.append(name)
            raise StateError("disk")

        with monkeypatch.context() as patched:
            patched.setattr(hub.store, "value", fail)
            task = asyncio.create_task(one.run())
            await until(lambda: len(failed) > 1)
        await until(lambda: hub.notices)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(body())
    assert [kind for kind, _ in hub.said()] == [NoticeKind.KEY_CHANGED]


def test_a_memory_that_cant_be_read_is_none(hub: Told) -> None:
    hub.store.set_value("key/main", b"nonsense")
    assert start(guard(hub, RIGHTS | {"enableFutures": True})) != ""
    assert start(guard(hub, RIGHTS)) == ""
    assert hub.said() == []


def test_a_real_watch_refuses_a_trading_key_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "watch.toml"

    async def body() -> None:
        async with Server(an_exchange()) as server:
            new_watch(tmp_path, server).close()
            text = path.read_text().replace("allow_trading_key = true", "")
            path.write_text(text)
            watch = Watch(load_settings(path, env=ENVIRON), environ=ENVIRON)
            started: list[bool] = []
            watch.on_start = lambda: started.append(True)
            with pytest.raises(ConfigError, match="it can trade: who gets hold of it") as caught:
                await watch.run()
            assert "allow_trading_key = true" in str(caught.value)
            assert "https://www.binance.com/" in str(caught.value)
            assert KEY not in str(caught.value)
            assert not started
            assert not server.connections
            server.exchange.keys[KEY].can_trade = False
            again = Watch(load_settings(path, env=ENVIRON), environ=ENVIRON)
            again.on_start = lambda: started.append(True)
            task = asyncio.create_task(again.run())
            await until(lambda: server.connections)
            assert started
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(body())


def test_a_real_watch_tells_its_channels_of_a_change(tmp_path: Path) -> None:
    """From the exchange's own answer to a message in the outbox, over a restart."""

    async def body() -> None:
        async with Server(an_exchange()) as server:
            key = server.exchange.keys[KEY]
            key.ip_restricted = True
            more = '[[channels]]\nname = "hook"\nkind = "webhook"\nurl_env = "HOOK"\n'
            environ = ENVIRON | {"HOOK": "http://127.0.0.1:9/x"}
            told: list[str] = []
            waiting: dict[str, int] = {}
            for _ in range(2):
                watch = new_watch(tmp_path, server, more=more, environ=environ)
                started = asyncio.Event()
                watch.on_start = started.set
                task = asyncio.create_task(watch.run())
                await until(started.is_set)
                told = [n.text for n in watch.store.notices() if n.kind is NoticeKind.KEY_CHANGED]
                waiting = dict(watch.store.waiting())
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                key.ip_restricted = False
                key.can_withdraw = True
            assert len(told) == 1
            assert "the key can now withdraw; the key works from everywhere now" in told[0]
            assert waiting.get("hook", 0) >= 1

    asyncio.run(body())


def test_a_broken_exchange_doesnt_keep_a_watch_from_starting(tmp_path: Path) -> None:
    async def body() -> None:
        async with Server(an_exchange()) as server:
            server.faults.once(Fault.CUT_BODY)
            watch = new_watch(tmp_path, server)
            task = asyncio.create_task(watch.run())
            await until(lambda: watch.store.value("known until/main") is not None)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(body())
