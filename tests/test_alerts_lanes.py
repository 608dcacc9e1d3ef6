"""What goes next on a channel: criticals past everything, and a crowd as one message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drainwatch.alerts import lanes
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.lanes import BATCH, OWN_A_MINUTE, Lane, Line
from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.alerts.message import ALARM, GRAVE, HARMLESS, NEWS, UPDATE, Message
from drainwatch.alerts.pace import Limit, Pace
from drainwatch.events import NS_PER_S as S
from drainwatch.store import Posted, Store, open_store

MINUTE = 60 * S
CHAT = Channel(name="chat", kind="discord", url="https://chat.example/x")
HOOK = Channel(name="chat", kind="webhook", url="https://hook.example/x")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(tmp_path / "watch.db")
    yield store
    store.close()


def post(store: Store, name: str, rank: int, now_ns: int = 0) -> None:
    message = Message(what="opened", text="", title="WARNING", headline=f"about {name}", incident_id=name)
    store.post(f"{name}/opened/1", "chat", rank, to_bytes(message), now_ns)


def send(store: Store, lane: Lane, now_ns: int) -> list[str]:
    """Send all that may go now; gives what."""
    sent = list[str]()
    while True:
        found = lane.next(store, now_ns)
        if isinstance(found, Posted):
            assert lane.ranks[0] <= found.rank < lane.ranks[1]
            sent.append(found.key.partition("/")[0])
            lane.line.pace.note(now_ns, urgent=lane.urgent)
            store.delivered(found, now_ns)
        elif found is None or found > now_ns:
            return sent


def line(channel: Channel = CHAT, *limits: Limit) -> Line:
    return Line(channel, Pace(limits))


def test_criticals_have_a_lane_of_their_own(store: Store) -> None:
    urgent, common = line().lanes
    for name, rank in (("a", NEWS), ("b", UPDATE), ("c", ALARM), ("d", GRAVE), ("e", HARMLESS)):
        post(store, name, rank)
    assert send(store, urgent, 0) == ["c", "d"]
    assert send(store, common, 0) == ["a", "b", "e"]


def test_what_waits_for_its_time_is_looked_at_then(store: Store) -> None:
    urgent, common = line().lanes
    assert urgent.next(store, 0) is None
    post(store, "a", ALARM)
    store.failed(store.due(0)[0], 7 * S, "no answer")
    assert urgent.next(store, 1) == 7 * S
    assert common.next(store, 1) is None
    urgent.line.paused_until_ns = 9 * S
    assert urgent.next(store, 8 * S) == 9 * S


def test_few_have_a_message_of_their_own_and_a_crowd_has_one(store: Store) -> None:
    common = line().lanes[1]
    for number in range(OWN_A_MINUTE):
        post(store, f"a{number}", NEWS)
    assert send(store, common, 0) == [f"a{number}" for number in range(OWN_A_MINUTE)]
    post(store, "b", NEWS, S)
    assert send(store, common, S) == ["b"], "one more is no crowd"
    for number in range(300):
        post(store, f"c{number}", NEWS, 2 * S)
    assert send(store, common, 2 * S) == [], "one for several a minute"
    (digest,) = send(store, common, 61 * S)
    assert digest == "digest"
    assert not store.waiting()
    assert {told.state for told in store.told("c")} == {3}


def test_a_crowd_is_put_together_in_batches_that_survive_a_kill(store: Store) -> None:
    common = line().lanes[1]
    for number in range(3 * BATCH):
        post(store, f"c{number}", NEWS, number)
    assert common.next(store, MINUTE) == MINUTE
    assert common.next(store, MINUTE) == MINUTE
    assert store.waiting() == {"chat": 2 * BATCH + 1}
    again = line().lanes[1]
    first = again.next(store, MINUTE)
    assert isinstance(first, Posted)
    assert msgspec.json.decode(first.body, type=Message).headline.startswith(f"{BATCH} incidents")
    store.delivered(first, MINUTE)
    assert send(store, again, MINUTE) == ["digest"]
    assert not store.waiting()


def test_a_digest_says_how_many_and_which_first(store: Store) -> None:
    common = line().lanes[1]
    for number in range(20):
        post(store, f"c{number}", NEWS, number)
    found = common.next(store, MINUTE)
    while not isinstance(found, Posted):
        found = common.next(store, MINUTE)
    message = msgspec.json.decode(found.body, type=Message)
    assert (message.what, message.title) == ("digest", "20 messages in one")
    assert message.reasons[0] == "WARNING: about c0"
    assert message.reasons[-1] == "and 12 more"


def test_criticals_are_never_put_together(store: Store) -> None:
    urgent = line().lanes[0]
    for number in range(100):
        post(store, f"c{number}", ALARM, number)
    assert send(store, urgent, MINUTE) == [f"c{number}" for number in range(100)]


def test_a_webhook_is_told_each(store: Store) -> None:
    """A program reads it, at whatever pace it answers."""
    common = line(HOOK).lanes[1]
    for number in range(100):
        post(store, f"c{number}", NEWS, number)
    assert len(send(store, common, MINUTE)) == 100


def test_what_only_changes_a_message_is_no_crowd_and_waits_for_none(store: Store) -> None:
    both = line()
    common = both.lanes[1]
    for number in range(30):
        post(store, f"u{number}", UPDATE, number)
        store.set_value(f"shown/chat/u{number}", b"7")
    assert len(send(store, common, MINUTE)) == 30
    for number in range(10):
        post(store, f"c{number}", NEWS, MINUTE)
    assert send(store, common, MINUTE) == ["digest"]
    for number in range(10):
        post(store, f"d{number}", NEWS, MINUTE)
    post(store, "u31", UPDATE, MINUTE)
    store.set_value("shown/chat/u31", b"7")
    assert send(store, common, MINUTE + 1) == ["u31"], "it passes those that wait to be put together"


def test_a_critical_that_waits_for_the_pace_goes_before_the_rest(store: Store) -> None:
    both = line(CHAT, Limit(1, S))
    urgent, common = both.lanes
    post(store, "a", NEWS)
    assert send(store, common, 0) == ["a"]
    post(store, "b", NEWS)
    post(store, "c", ALARM)
    ready = urgent.next(store, 1)
    assert isinstance(ready, int)
    assert common.next(store, ready) == ready + lanes.YIELD_NS
    assert send(store, urgent, ready) == ["c"]
    assert send(store, common, ready) == []
    assert send(store, common, 3 * S) == ["b"]


def test_what_can_not_be_read_is_sent_by_itself_to_be_given_up(store: Store) -> None:
    common = line().lanes[1]
    for number in range(10):
        post(store, f"c{number}", NEWS, 1)
    store.post("bad/opened/1", "chat", NEWS, b"{", 0)
    assert sorted(send(store, common, MINUTE)) == ["bad", "digest"]


def test_the_pace_and_the_order_are_remembered_through_a_restart(store: Store) -> None:
    for name, rank in (("a", ALARM), ("b", ALARM), ("c", NEWS)):
        post(store, name, rank)
    first, second, third = store.due(0)
    for posted in (first, third):
        store.delivered(posted, 10 * S)
    store.failed(second, 12 * S, "no answer")
    again = line(CHAT, Limit(3, MINUTE))
    again.resume(store, 11 * S)
    assert again.pace.ready_ns(11 * S, urgent=True) <= 11 * S
    assert again.pace.ready_ns(11 * S, urgent=False) > 11 * S
    post(store, "d", ALARM, 11 * S)
    urgent = again.lanes[0]
    urgent.resume(store, 60 * S)
    assert urgent.next(store, 11 * S) == 12 * S
    assert send(store, urgent, 12 * S) == ["b"]
    urgent.paused_until_ns = 0
    urgent.resume(store, 5 * S)
    assert urgent.paused_until_ns <= 5 * S, "a clock that was ahead doesn't stop it"
