"""The teller: one message an incident, reminders, marks and silences, through restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.decide import Reason
from drainwatch.alerts.message import ALARM, GRAVE, NEWS, UPDATE, Message
from drainwatch.alerts.teller import LOOK_NS, Teller
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S as S
from drainwatch.store import Mark, Silence, Store, open_store
from drainwatch.store.marks import What
from report_fakes import START_MS, fill, incident

MINUTE = 60 * S
ALL = Channel(name="all", kind="webhook", url="https://hook.example/x")
GRAVE_ONLY = Channel(name="grave", kind="webhook", url="https://hook.example/y")
WARNING: dict[str, Any] = {"severity": "warning", "equity_share": 0.001}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(tmp_path / "watch.db")
    yield store
    store.close()


def new_teller(store: Store, now_ns: int = 0) -> Teller:
    """Begin as after a start of the process."""
    made = Teller(store, [ALL], [ALL, GRAVE_ONLY])
    made.resume(store.incidents(), now_ns)
    return made


def take(store: Store, teller: Teller, now_ns: int, **changes: Any) -> Reason:
    """Have an incident change, as the watch does it."""
    made = incident(**changes)
    with store.transaction():
        store.save_incident(made)
        return teller.take(made, now_ns).reason


def sent(store: Store, now_ns: int = 0) -> list[tuple[str, str, int]]:
    """Take out what waits: what it is, where it goes, its rank."""
    found = []
    for posted in store.due(2**62, limit=10_000):
        message = msgspec.json.decode(posted.body, type=Message)
        found.append((f"{message.incident_id} {message.what}".strip(), posted.channel, posted.rank))
        store.delivered(posted, now_ns)
    return found


def mark(store: Store, what: What, name: str = "a1") -> None:
    store.add_mark(Mark(incident=name, what=what, at_ns=0))


def test_each_news_goes_to_whom_it_concerns(store: Store) -> None:
    teller = new_teller(store)
    assert take(store, teller, 0, **WARNING) is Reason.OPENED
    assert sent(store) == [("a1 opened", "all", NEWS)]
    assert take(store, teller, MINUTE, **WARNING | {"loss": 9.0}) is Reason.GREW
    assert sent(store) == [("a1 grew", "all", UPDATE)]
    grave = WARNING | {"loss": 9.0, "escalated_at": START_MS}
    assert take(store, teller, MINUTE, **grave) is Reason.ESCALATED
    assert sent(store) == [("a1 escalated", "all", ALARM), ("a1 escalated", "grave", ALARM)]
    assert take(store, teller, MINUTE, **grave | {"closed_at": START_MS}) is Reason.CLOSED
    assert sent(store) == [("a1 closed", "all", UPDATE), ("a1 closed", "grave", UPDATE)]
    assert take(store, teller, MINUTE, **grave | {"closed_at": START_MS}) is Reason.NOTHING_NEW
    assert sent(store) == []


def test_a_rollback_forgets_nothing_and_a_restart_repeats_nothing(store: Store) -> None:
    teller = new_teller(store)
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012 undone whole
        teller.take(incident(), 0)
        raise KeyError
    assert sent(store) == []
    assert take(store, teller, 0) is Reason.OPENED
    assert take(store, new_teller(store), 1) is Reason.NOTHING_NEW
    assert len(sent(store)) == 2


def test_reminders_come_live_and_through_restarts_until_acknowledged(store: Store) -> None:
    teller = new_teller(store)
    take(store, teller, 0)
    assert not teller.turn(LOOK_NS)
    sent(store)
    assert not teller.turn(15 * MINUTE - S)
    assert teller.turn(15 * MINUTE + 2 * S)
    assert sent(store) == [("a1 reminder", "all", GRAVE), ("a1 reminder", "grave", GRAVE)]
    teller = new_teller(store, 16 * MINUTE)
    assert not teller.turn(17 * MINUTE)
    assert teller.turn(46 * MINUTE)
    assert len(sent(store)) == 2
    mark(store, "acknowledged")
    assert teller.turn(47 * MINUTE)
    assert sent(store) == [("a1 acknowledged", "all", UPDATE), ("a1 acknowledged", "grave", UPDATE)]
    for day in range(1, 9):
        assert not teller.turn(day * 24 * 60 * MINUTE)
    assert not new_teller(store, 10**16).turn(10**16)


def test_a_critical_one_that_is_over_is_reminded_of_and_after_a_restart_too(store: Store) -> None:
    teller = new_teller(store)
    take(store, teller, 0)
    take(store, teller, S, closed_at=START_MS)
    sent(store)
    assert new_teller(store, MINUTE).turn(20 * MINUTE)
    assert [what for what, _, _ in sent(store)] == ["a1 reminder"] * 2


def test_what_was_never_sent_is_not_reminded_of(store: Store) -> None:
    teller = new_teller(store)
    take(store, teller, 0)
    teller.turn(16 * MINUTE)
    assert [what for what, _, _ in sent(store)] == ["a1 opened"] * 2


def test_reminders_of_many_are_one_message(store: Store) -> None:
    """A farm of accounts that is drained must not ring five hundred times every quarter of an hour."""
    teller = new_teller(store)
    for number in range(150):
        take(store, teller, number * S, id=f"i{number}", loss=1.0 + number, equity_share=number / 150)
    assert len(sent(store)) == 300
    rung = 0
    for minute in range(4, 60 * 24):
        rung += teller.turn(minute * MINUTE)
        for what, _, rank in sent(store):
            assert what.endswith(("digest", "reminder"))
            assert rank == GRAVE
    assert 5 <= rung <= 9


def test_a_digest_of_reminders_names_the_worst_first(store: Store) -> None:
    teller = new_teller(store)
    for number in range(3):
        take(store, teller, 0, id=f"i{number}", account=f"acc{number}", equity_share=(0.1, 0.9, None)[number])
    sent(store)
    assert teller.turn(15 * MINUTE)
    (posted, _) = store.due(2**62)
    message = msgspec.json.decode(posted.body, type=Message)
    assert [reason.partition("account ")[2][:4] for reason in message.reasons] == ["acc1", "acc0", "acc2"]
    assert message.headline == "3 incidents, and nobody has acknowledged them"


def test_a_silence_is_kept_and_ends(store: Store) -> None:
    store.add_silence(Silence(id="s", account="main", reason="moving", from_ns=0, until_ns=60 * MINUTE))
    teller = new_teller(store)
    assert take(store, teller, 0, **WARNING) is Reason.SILENCED
    assert take(store, teller, 0, id="b", severity="critical") is Reason.OPENED
    assert [what for what, _, _ in sent(store)] == ["b opened"] * 2
    assert not teller.turn(10 * MINUTE)
    assert teller.turn(60 * MINUTE)
    assert ("a1 opened", "all", NEWS) in sent(store)


def test_a_silence_that_is_ended_early_is_seen(store: Store) -> None:
    store.add_silence(Silence(id="s", account="main", reason="moving", from_ns=0, until_ns=60 * MINUTE))
    teller = new_teller(store)
    take(store, teller, 0, **WARNING)
    assert not teller.turn(MINUTE)
    store.expire_silence("s", MINUTE)
    assert teller.turn(2 * MINUTE)
    assert sent(store) == [("a1 opened", "all", NEWS)]


def test_what_is_over_before_the_silence_is_stays_untold(store: Store) -> None:
    store.add_silence(Silence(id="s", account="main", reason="moving", from_ns=0, until_ns=60 * MINUTE))
    teller = new_teller(store)
    take(store, teller, 0, **WARNING)
    take(store, teller, MINUTE, **WARNING | {"closed_at": START_MS})
    assert not teller.turn(61 * MINUTE)
    assert sent(store) == []


def test_a_false_alarm_spares_the_owner_the_next_one_like_it_for_a_month(store: Store) -> None:
    teller = new_teller(store)
    take(store, teller, 0, **WARNING)
    mark(store, "false_alarm")
    assert teller.turn(MINUTE)
    take(store, teller, MINUTE, **WARNING | {"closed_at": START_MS})
    sent(store)
    # nobody hears of what came after the mark: the owner didn't mean it
    like = WARNING | {"id": "b", "loss": 2.0}
    assert take(store, teller, 2 * MINUTE, **like) is Reason.LIKE_A_FALSE_ALARM
    assert take(store, teller, 3 * MINUTE, **like | {"loss": 3.0}) is Reason.LIKE_A_FALSE_ALARM
    teller = new_teller(store, 3 * MINUTE)
    assert take(store, teller, 4 * MINUTE, **WARNING | {"id": "c", "loss": 0.5}) is Reason.OPENED
    assert take(store, teller, 4 * MINUTE, **like | {"loss": 3.5}) is Reason.OPENED, "more than was marked"
    later = 40 * 24 * 60 * MINUTE
    assert take(store, teller, later, **WARNING | {"id": "d"}) is Reason.LIKE_A_FALSE_ALARM
    assert take(store, teller, later, id="e") is Reason.OPENED, "a critical one always"
    grave = WARNING | {"id": "d", "escalated_at": START_MS}
    assert take(store, teller, later, **grave) is Reason.OPENED


def test_growth_and_end_of_what_was_kept_back_that_come_at_once_are_told(store: Store) -> None:
    """As when the watch was down for a night, and reads in one go what happened meanwhile."""
    teller = new_teller(store)
    take(store, teller, 0, **WARNING)
    mark(store, "false_alarm")
    teller.turn(MINUTE)
    sent(store)
    like = WARNING | {"id": "b", "loss": 0.1}
    assert take(store, teller, 2 * MINUTE, **like) is Reason.LIKE_A_FALSE_ALARM
    assert take(store, teller, 3 * MINUTE, **like | {"loss": 50.0, "closed_at": START_MS}) is Reason.OPENED
    teller.turn(4 * MINUTE)
    assert sent(store) == [("b closed", "all", NEWS)], "one message, which says that it is over"


def test_what_grows_after_the_mark_was_not_called_harmless(store: Store) -> None:
    teller = new_teller(store)
    take(store, teller, 0, **WARNING)
    mark(store, "false_alarm")
    assert take(store, teller, MINUTE, **WARNING | {"loss": 6.0}) is Reason.ACKNOWLEDGED
    teller.turn(2 * MINUTE)
    sent(store)
    assert take(store, teller, 3 * MINUTE, **WARNING | {"loss": 300.0}) is Reason.GREW
    assert sent(store) == [("a1 grew", "all", NEWS)], "a message of its own: he thought that it was nothing"
    like = WARNING | {"id": "b", "loss": 7.0}
    assert take(store, teller, 4 * MINUTE, **like) is Reason.OPENED


def test_a_changed_message_still_shows_the_worst_fills_after_a_restart(store: Store) -> None:
    rows = [fill(number, loss=float(number)) | {"order": f"o{number}"} for number in range(9)]
    teller = Teller(store, [ALL], [ALL], lambda _: rows)
    take(store, teller, 0)
    take(store, new_teller(store), MINUTE, loss=9.0)
    for posted in store.due(2**62):
        message = msgspec.json.decode(posted.body, type=Message)
        assert [shown.id for shown in message.fills] == ["f4", "f5", "f6", "f7", "f8"]


def test_trouble_of_the_store_loses_no_reminder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    teller = new_teller(store)
    take(store, teller, 0)
    sent(store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "post", lambda *_: (_ for _ in ()).throw(StateError("the disk is full")))
        with pytest.raises(StateError):
            teller.turn(15 * MINUTE)
    assert teller.turn(15 * MINUTE + 1)
    assert len(sent(store)) == 2


def test_what_an_earlier_version_told_is_gone_on_from(store: Store) -> None:
    store.save_incident(incident())
    store.set_value("told/a1", b'{"count":2,"loss":3.36,"at_ns":5}')
    teller = new_teller(store, MINUTE)
    assert not teller.turn(60 * MINUTE)
    assert take(store, teller, 60 * MINUTE, loss=9.0) is Reason.GREW


def test_damage_to_what_was_told_is_said(store: Store) -> None:
    store.set_value("told/a1", b"{")
    with pytest.raises(StateError, match="expected what was told of an incident"):
        new_teller(store).take(incident(), 0)
