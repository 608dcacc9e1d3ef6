"""Messages in the outbox: each once a channel, the newer in place of what still waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drainwatch.alerts import outbox
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import ALARM, NEWS, UPDATE, Message, message_of
from drainwatch.notices import Notice, NoticeKind
from drainwatch.store import Store, open_store
from report_fakes import fills, incident

CHANNELS = (
    Channel(name="chat", kind="slack", url="https://slack.example/hunter2"),
    Channel(name="hook", kind="webhook", url="https://hook.example/hunter2"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(tmp_path / "watch.db")
    yield store
    store.close()


def keys(store: Store) -> list[tuple[str, str, int]]:
    return [(p.key, p.channel, p.rank) for p in store.due(2**62)]


def whats(store: Store) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for posted in store.due(2**62):
        said.setdefault(posted.channel, []).append(msgspec.json.decode(posted.body, type=Message).what)
    return said


def test_a_message_is_posted_to_every_channel_once(store: Store) -> None:
    for _ in range(2):
        outbox.post(store, CHANNELS, "a1/opened/1", message_of(incident(), "opened"), ALARM, 5)
    assert keys(store) == [("a1/opened/1", "chat", ALARM), ("a1/opened/1", "hook", ALARM)]


def test_chats_are_spared_the_thousands_of_fills(store: Store) -> None:
    outbox.post(store, CHANNELS, "k", message_of(incident(fills(3_000)), "opened"), ALARM, 0)
    bodies = {posted.channel: posted.body for posted in store.due(0)}
    assert len(bodies["chat"]) < 5_000 < len(bodies["hook"])
    chat, hook = (msgspec.json.decode(bodies[name], type=Message) for name in ("chat", "hook"))
    assert hook.incident == incident(fills(3_000))
    assert hook.text == chat.text


def test_what_still_waits_is_replaced_by_what_is_newer(store: Store) -> None:
    """A channel that was away for an hour is told how it stands, not how it came about."""
    outbox.post(store, CHANNELS, "a1/opened/1", message_of(incident(), "opened"), NEWS, 0)
    (chat, hook) = store.due(0)
    store.begin(chat)
    store.delivered(chat, 1)
    grew = message_of(incident(loss=9.0), "grew")
    outbox.post(store, CHANNELS, "a1/grew/2", grew, UPDATE, 2, instead=["a1/opened/1"])
    assert whats(store) == {"chat": ["grew"], "hook": ["grew"]}
    assert keys(store) == [("a1/opened/1", "hook", NEWS), ("a1/grew/2", "chat", UPDATE)]
    escalated = message_of(incident(loss=9.0), "escalated")
    outbox.post(store, CHANNELS, "a1/escalated/3", escalated, ALARM, 3, instead=["a1/opened/1", "a1/grew/2"])
    assert [rank for _, _, rank in keys(store)] == [ALARM, ALARM], "as urgent as the more urgent of both"
    assert hook.rank == NEWS


def test_what_may_have_arrived_is_not_replaced(store: Store) -> None:
    """A webhook that has it under this key would take nothing else under it."""
    outbox.post(store, CHANNELS[1:], "a1/opened/1", message_of(incident(), "opened"), NEWS, 0)
    (hook,) = store.due(0)
    store.begin(hook)
    grew = message_of(incident(loss=9.0), "grew")
    outbox.post(store, CHANNELS[1:], "a1/grew/2", grew, UPDATE, 2, instead=["a1/opened/1"])
    assert whats(store) == {"hook": ["opened", "grew"]}
    store.failed(hook, 5, "refused", 5, refused=True)
    outbox.post(store, CHANNELS[1:], "a1/grew/3", grew, UPDATE, 2, instead=["a1/opened/1"])
    assert whats(store) == {"hook": ["grew", "grew"]}


def test_no_secret_gets_into_the_store(store: Store, tmp_path: Path) -> None:
    outbox.post(store, CHANNELS, "a1/opened/1", message_of(incident(), "opened"), ALARM, 0)
    store.close()
    assert b"a1/opened/1" in (tmp_path / "watch.db").read_bytes()
    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_notice_is_kept_and_posted_once(store: Store) -> None:
    notice = Notice(kind=NoticeKind.GAP, ts_ns=1, text="fills may be missing")
    assert outbox.post_notice(store, CHANNELS, "gap/1", notice, 5)
    assert not outbox.post_notice(store, CHANNELS, "gap/1", notice, 6)
    assert store.notices() == [notice]
    assert keys(store) == [("notice/gap/1", "chat", NEWS), ("notice/gap/1", "hook", NEWS)]
