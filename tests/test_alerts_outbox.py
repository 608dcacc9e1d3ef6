"""Incidents and notices in the outbox: each news once a channel, whenever the process ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drainwatch.alerts import outbox
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import Message
from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.store import Store, open_store
from report_fakes import START_MS, fills, incident

S = 1_000_000_000
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


def test_an_incident_is_posted_to_every_channel_once(store: Store) -> None:
    assert outbox.post_incident(store, CHANNELS, incident(), 0) == "opened"
    assert outbox.post_incident(store, CHANNELS, incident(), 0) is None
    assert keys(store) == [("a1/opened/1", "chat", 0), ("a1/opened/1", "hook", 0)]


def test_each_news_has_a_key_of_its_own(store: Store) -> None:
    news: tuple[dict[str, Any], ...] = (
        {},
        {"loss": 9.0},
        {"loss": 30.0},
        {"loss": 30.0, "escalated_at": START_MS},
        {"loss": 30.0, "escalated_at": START_MS, "closed_at": START_MS},
        {"loss": 99.0, "escalated_at": START_MS, "closed_at": START_MS},
    )
    said = [
        outbox.post_incident(store, CHANNELS[:1], incident(severity="warning", **changes), number * 60 * S)
        for number, changes in enumerate(news)
    ]
    assert said == ["opened", "grew", "grew", "escalated", "closed", None]
    assert [key for key, _, _ in keys(store)] == [
        "a1/opened/1",
        "a1/escalated/4",
        "a1/grew/2",
        "a1/grew/3",
        "a1/closed/5",
    ]


def test_a_restart_repeats_nothing_and_a_rollback_forgets_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "watch.db")
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012 undone whole
        outbox.post_incident(store, CHANNELS, incident(), 0)
        raise KeyError
    assert keys(store) == []
    with store.transaction():
        assert outbox.post_incident(store, CHANNELS, incident(), 0) == "opened"
    store.close()
    store = open_store(tmp_path / "watch.db")
    assert outbox.post_incident(store, CHANNELS, incident(), 0) is None
    assert len(keys(store)) == 2
    store.close()


def test_chats_are_spared_the_thousands_of_fills(store: Store) -> None:
    outbox.post_incident(store, CHANNELS, incident(fills(3_000)), 0)
    size = {posted.channel: len(posted.body) for posted in store.due(0)}
    assert size["chat"] < 3_000 < size["hook"]
    bodies = {p.channel: msgspec.json.decode(p.body, type=Message) for p in store.due(0)}
    assert bodies["hook"].incident == incident(fills(3_000))
    assert bodies["hook"].text == bodies["chat"].text


def test_no_secret_gets_into_the_store(store: Store, tmp_path: Path) -> None:
    outbox.post_incident(store, CHANNELS, incident(), 0)
    store.close()
    assert b"a1/opened/1" in (tmp_path / "watch.db").read_bytes()
    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_notice_is_kept_and_posted_once(store: Store) -> None:
    notice = Notice(kind=NoticeKind.GAP, ts_ns=1, text="fills may be missing")
    assert outbox.post_notice(store, CHANNELS, "gap/1", notice, 5)
    assert not outbox.post_notice(store, CHANNELS, "gap/1", notice, 6)
    assert store.notices() == [notice]
    assert keys(store) == [("notice/gap/1", "chat", 1), ("notice/gap/1", "hook", 1)]


def test_damage_to_what_was_told_is_said(store: Store) -> None:
    store.set_value("told/a1", b"{")
    with pytest.raises(StateError, match="expected what was told of an incident"):
        outbox.post_incident(store, CHANNELS, incident(), 0)
