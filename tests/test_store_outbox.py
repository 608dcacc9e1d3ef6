"""The outbox: what was tried and not answered, what was replaced, and what was put together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drainwatch.store import Posted, Store, open_store
from drainwatch.store.outbox import DELIVERED, GIVEN_UP, PUT_TOGETHER, WAITING


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    url = str(tmp_path / "watch.db")
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server")()
    store = open_store(url)
    yield store
    store.close()


def only(store: Store, key: str) -> Posted:
    (found,) = [posted for posted in store.due(2**62) if posted.key == key]
    return found


def test_a_try_is_in_doubt_until_it_is_answered(store: Store) -> None:
    store.post("k", "chat", 0, b"b", 0)
    assert only(store, "k").unanswered == 0
    store.begin(only(store, "k"))
    assert only(store, "k").unanswered == 1, "as a kill would leave it"
    store.failed(only(store, "k"), 5, "refused", 1, refused=True)
    assert only(store, "k").unanswered == 0
    store.begin(only(store, "k"))
    store.failed(only(store, "k"), 5, "no answer", 1)
    found = only(store, "k")
    assert (found.unanswered, found.attempts, found.due_ns) == (1, 2, 5)
    store.delivered(found, 6)
    assert store.told("k")[0].state == DELIVERED


def test_what_waits_is_replaced_and_what_was_tried_is_not(store: Store) -> None:
    store.post("k1", "chat", 3, b"old", 0)
    assert not store.replace([], "chat", 1, b"new")
    assert not store.replace(["k1"], "other", 1, b"new")
    assert store.replace(["k0", "k1"], "chat", 1, b"new")
    assert (only(store, "k1").body, only(store, "k1").rank) == (b"new", 1)
    assert store.replace(["k1"], "chat", 2, b"newer")
    assert (only(store, "k1").body, only(store, "k1").rank) == (b"newer", 1)
    store.begin(only(store, "k1"))
    assert not store.replace(["k1"], "chat", 0, b"newest")
    assert store.waits(["k0", "k1"], "chat")
    assert not store.waits(["k1"], "other")
    assert not store.waits([], "chat")


def test_ranks_are_asked_for_from_the_first_to_below_the_second(store: Store) -> None:
    for rank in range(5):
        store.post(f"k{rank}", "chat", rank, b"b", rank)
    assert [posted.rank for posted in store.due(9, ranks=(1, 3))] == [1, 2]
    assert [posted.rank for posted in store.due(9, channel="chat", ranks=(4, 9))] == [4]
    assert store.next_due_ns("chat", ranks=(3, 9)) == 3
    assert store.next_due_ns("chat", ranks=(7, 9)) is None


def test_several_are_put_together_and_settled_by_it(store: Store) -> None:
    for number in range(4):
        store.post(f"k{number}", "chat", 2, b"b", number)
    due = store.due(9)
    store.put_together(due[:2], "digest/1", 2, b"two", 5)
    assert [posted.key for posted in store.due(9)] == ["digest/1", "k2", "k3"]
    store.put_together(due[2:], "digest/1", 2, b"four", 6)
    assert [(posted.key, posted.body) for posted in store.due(9)] == [("digest/1", b"four")]
    assert [(one.state, one.reason) for one in store.told("k")] == [(PUT_TOGETHER, "digest/1")] * 4
    assert store.waiting() == {"chat": 1}


def test_it_is_known_what_no_other_channel_has(store: Store) -> None:
    for channel in ("a", "b"):
        store.post("k", channel, 0, b"b", 0)
    (here, there) = store.due(0)
    assert not store.only_here(here)
    store.failed(there, None, "no", 1)
    assert store.only_here(here)
    assert not store.only_here(there)


def test_what_was_put_together_is_had_elsewhere_where_each_part_is(store: Store) -> None:
    for number in range(2):
        for channel in ("a", "b"):
            store.post(f"k{number}", channel, 2, b"b", 0)
    store.put_together(store.due(0, channel="a"), "digest/a", 2, b"both", 1)
    digest = only(store, "digest/a")
    assert not store.only_here(digest)
    store.failed(store.due(0, channel="b")[0], None, "no", 1)
    assert store.only_here(digest)


def test_what_arrived_lately_is_known_with_its_rank(store: Store) -> None:
    for number in range(3):
        store.post(f"k{number}", "chat", number, b"b", 0)
    first, second, third = store.due(0)
    store.delivered(second, 30)
    store.delivered(first, 20)
    store.failed(third, None, "no", 25)
    assert store.sent_ns("chat", 20) == [(20, 0), (30, 1)]
    assert store.sent_ns("chat", 21) == [(30, 1)]
    assert store.sent_ns("other", 0) == []


def test_what_became_of_each_is_told(store: Store) -> None:
    for key in ("a1/opened/1", "a1/closed/2", "a11/opened/1"):
        store.post(key, "chat", 0, b"b", 7)
    store.failed(only(store, "a1/opened/1"), None, "HTTP 404", 8)
    told = store.told("a1/")
    assert [(one.key, one.state, one.settled_ns, one.reason) for one in told] == [
        ("a1/opened/1", GIVEN_UP, 8, "HTTP 404"),
        ("a1/closed/2", WAITING, None, ""),
    ]
