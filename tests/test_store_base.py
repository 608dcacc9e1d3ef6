"""What a store promises, on both databases: against an oracle of plain dicts, and when it is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill
from drainwatch.store import Posted, Store, open_store
from drainwatch.store.base import SCHEMA

MakeUrl = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgres"])
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeUrl:
    """Give what makes the URL of a new, empty store."""
    if request.param == "postgres":
        make: MakeUrl = request.getfixturevalue("postgres_server")
        return make
    return lambda: str(tmp_path_factory.mktemp("store") / "watch.db")


def fill(number: int, **changes: Any) -> Fill:
    plain: dict[str, Any] = {
        "exchange": "binance",
        "account": "main",
        "symbol": "ETH/BTC",
        "id": str(number),
        "ts_ns": 1_000 + number,
        "side": "buy",
        "price": "0.0700000000000000001",
        "amount": "1.50",
    }
    return Fill(**(plain | changes))


def test_a_fill_comes_back_exactly_as_it_was(make_url: MakeUrl) -> None:
    told = fill(
        1,
        cost="0.105",
        order="o",
        client_order_id="c",
        type="limit",
        taker_or_maker="maker",
        fee_cost="-0.000",
        fee_currency="BNB",
        counterparty="0xabc",
        maker_order="m",
        taker_order="t",
        mark="0.07",
        forced=True,
    )
    url = make_url()
    store = open_store(url)
    assert store.add_fills([told], 5) == [True]
    store.close()
    store = open_store(url)
    assert list(store.fills()) == [told]
    store.close()


def test_a_fill_is_new_once_however_often_it_is_told(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    assert store.add_fills([fill(1), fill(2), fill(1, price="9")], 0) == [True, True, False]
    assert store.add_fills([fill(2), fill(3)], 0) == [False, True]
    assert store.add_fills([], 0) == []
    assert [f.price for f in store.fills()] == ["0.0700000000000000001"] * 3
    store.close()


def test_a_fill_with_an_id_of_any_length_is_kept(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    long = [fill(1, id="x" * 10**5), fill(1, id="x" * 10**5 + "y"), fill(1, symbol="\U0001f4b8" * 10**4)]
    assert store.add_fills([*long, *long], 0) == [True] * 3 + [False] * 3
    assert list(store.fills()) == long
    store.close()


@pytest.mark.parametrize("part", ["exchange", "account", "symbol", "id", "order", "side"])
def test_every_part_of_the_key_makes_another_fill(make_url: MakeUrl, part: str) -> None:
    store = open_store(make_url())
    assert store.add_fills([fill(1), fill(1, **{part: ""}), fill(1, **{part: "null"})], 0) == [True] * 3
    store.close()


@pytest.mark.parametrize(
    "odd", ["\ud800", "\0", "\\0", "\\", "\n", "é", "\U0001f4b8", "'; DROP TABLE fills", "%s?"]
)
def test_odd_texts_are_kept(make_url: MakeUrl, odd: str) -> None:
    """A venue's id can be anything, and the fill must not be lost for it."""
    store = open_store(make_url())
    told = fill(1, id=odd, symbol=odd, account=odd)
    assert store.add_fills([told, told], 0) == [True, False]
    assert list(store.fills(account=odd)) == [told]
    assert list(store.fills(account="other")) == []
    assert store.post(odd, odd, 0, b"", 0)
    assert not store.post(odd, odd, 0, b"", 0)
    assert [(p.key, p.channel) for p in store.due(0, channel=odd)] == [(odd, odd)]
    store.set_value(odd, b"x")
    assert store.value(odd) == b"x"
    store.save_incident({"id": odd, "alerted_at": 1, "symbols": [odd]})
    assert store.incidents() == [{"id": odd, "alerted_at": 1, "symbols": [odd]}]
    store.close()


def test_times_that_no_database_holds_do_no_harm(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    wild = [fill(1, ts_ns=-(2**70)), fill(2), fill(3, ts_ns=2**70)]
    assert store.add_fills(wild[::-1], 2**70) == [True] * 3
    assert list(store.fills()) == wild
    assert list(store.fills(since_ns=0)) == wild[1:]
    store.close()


def test_fills_are_read_by_time_over_many_pages_while_others_are_written(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    store.add_fills([fill(n, ts_ns=n // 3) for n in range(1_300)], 0)
    seen = list[Fill]()
    for told in store.fills(since_ns=10):
        seen.append(told)
        if len(seen) % 400 == 0:
            store.append(b"meanwhile")
    assert [int(f.id) for f in seen] == list(range(30, 1_300))
    store.close()


def test_entries_are_numbered_without_a_hole_also_after_a_rollback(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    assert store.append(b"a") == 1
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012 undone whole
        assert store.append(b"b") == 2
        raise KeyError
    assert store.append(b"c") == 2
    assert list(store.entries(0)) == [(1, b"a"), (2, b"c")]
    store.close()


def test_numbers_go_on_when_the_whole_journal_was_pruned(make_url: MakeUrl) -> None:
    url = make_url()
    store = open_store(url)
    for _ in range(3):
        store.append(b"x")
    store.save_snapshot(3, b"old")
    store.append(b"y")
    store.save_snapshot(4, b"new")
    store.append(b"z")
    store.save_snapshot(5, b"newer")
    assert store.snapshots() == [(5, b"newer"), (4, b"new")]
    assert list(store.entries(0)) == [(5, b"z")]
    store.close()
    store = open_store(url)
    assert store.append(b"next") == 6
    store.close()


def test_a_snapshot_needs_its_entry(make_url: MakeUrl) -> None:
    """Else the numbers of entries to come would be taken for covered, and pruned."""
    store = open_store(make_url())
    store.save_snapshot(0, b"empty")
    with pytest.raises(ValueError, match="expected the number of an entry"):
        store.save_snapshot(1, b"from the future")
    assert store.snapshots() == [(0, b"empty")]
    store.close()


def test_transactions_are_kept_whole_or_not_at_all(make_url: MakeUrl) -> None:
    url = make_url()
    store = open_store(url)
    with store.transaction():
        store.add_fills([fill(1)], 0)
        store.append(b"1")
        store.post("k", "chat", 0, b"b", 0)
    with pytest.raises(ZeroDivisionError), store.transaction():  # noqa: PT012 undone whole
        store.add_fills([fill(2)], 0)
        store.append(b"2")
        store.post("k2", "chat", 0, b"b", 0)
        store.set_value("v", b"1")
        store.save_incident({"id": "i", "alerted_at": 1})
        store.add_notice("n", Notice(kind=NoticeKind.GAP, ts_ns=1, text="a gap"))
        _ = 1 / 0
    store.close()
    store = open_store(url)
    assert list(store.fills()) == [fill(1)]
    assert list(store.entries(0)) == [(1, b"1")]
    assert [p.key for p in store.due(0)] == ["k"]
    assert (store.value("v"), store.incidents(), store.notices()) == (None, [], [])
    store.close()


def test_a_nested_transaction_is_refused_and_undoes_the_outer_one(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    with pytest.raises(RuntimeError, match="can't be nested"), store.transaction():  # noqa: PT012 undone whole
        store.append(b"x")
        with store.transaction():
            pass
    assert list(store.entries(0)) == []
    assert store.append(b"y") == 1
    store.close()


def test_a_swallowed_failure_does_not_keep_half_of_a_transaction(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    with pytest.raises(StateError, match="a part of it had failed"), store.transaction():  # noqa: PT012 undone whole
        store.append(b"x")
        with pytest.raises(StateError, match="can't be used"):
            store._change("INSERT INTO journal (number, content) VALUES (?, ?)", 1, b"again")
    assert list(store.entries(0)) == []
    store.close()


def test_a_second_writer_is_refused_until_the_first_is_gone(
    make_url: MakeUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drainwatch.store.postgres.LOCK_WAIT_S", 0.2)
    url = make_url()
    store = open_store(url)
    with pytest.raises(StateError, match="another drainwatch using it: stop that one"):
        open_store(url)
    assert store.append(b"undisturbed") == 1
    store.close()
    store.close()
    with pytest.raises(StateError, match="is closed"):
        store.append(b"too late")
    again = open_store(url)
    assert list(again.entries(0)) == [(1, b"undisturbed")]
    again.close()


@pytest.mark.parametrize(
    ("version", "remedy"), [(str(SCHEMA + 1), "newer drainwatch"), ("0", "can't read it"), ("x", "can't")]
)
def test_another_version_is_refused(make_url: MakeUrl, version: str, remedy: str) -> None:
    url = make_url()
    store = open_store(url)
    with store.transaction():
        store._change("UPDATE about SET content = ?", version)
    store.close()
    with pytest.raises(StateError, match=f"expected a store of schema {SCHEMA}, found '{version}'.*{remedy}"):
        open_store(url)


def test_incidents_are_replaced_and_come_in_order_of_their_alerts(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    store.save_incident({"id": "b", "alerted_at": 2, "loss": 1.5})
    store.save_incident({"id": "a", "alerted_at": 2.5, "loss": None})
    store.save_incident({"id": "c", "alerted_at": 1, "fills": [{"id": "é"}]})
    store.save_incident({"id": "b", "alerted_at": 2, "loss": 3.0})
    assert [(i["id"], i.get("loss")) for i in store.incidents()] == [("c", None), ("b", 3.0), ("a", None)]
    store.close()


def test_a_notice_is_kept_once(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    first = Notice(kind=NoticeKind.SILENCE, ts_ns=1, text="nothing heard", stream="binance private")
    assert store.add_notice("k", first)
    assert not store.add_notice("k", Notice(kind=NoticeKind.GAP, ts_ns=2, text="other"))
    assert store.notices() == [first]
    store.close()


def test_the_outbox_gives_rank_then_time_and_waits_for_retries(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    for key, rank, now_ns in (("late", 1, 30), ("early", 1, 10), ("urgent", 0, 40), ("early2", 1, 10)):
        assert store.post(key, "chat", rank, key.encode(), now_ns)
    store.post("early", "hook", 1, b"h", 5)
    assert [p.key for p in store.due(40, channel="chat")] == ["urgent", "early", "early2", "late"]
    assert [(p.channel, p.key) for p in store.due(20)] == [
        ("hook", "early"),
        ("chat", "early"),
        ("chat", "early2"),
    ]
    assert len(store.due(40, limit=2)) == 2
    urgent = store.due(40)[0]
    store.failed(urgent, 100, "no answer")
    assert "urgent" not in [p.key for p in store.due(99)]
    (again,) = [p for p in store.due(100) if p.key == "urgent"]
    assert (again.attempts, again.posted_ns, again.body) == (1, 40, b"urgent")
    store.hurry("chat", 50)
    assert store.due(50)[0].key == "urgent"
    store.delivered(again, 60)
    assert (store.next_due_ns(), store.next_due_ns("chat"), store.next_due_ns("nobody")) == (5, 10, None)
    for posted in store.due(1_000):
        store.failed(posted, None, "HTTP 404", now_ns=70)
    assert store.next_due_ns() is None
    assert store.waiting() == {}
    assert ("late", "HTTP 404") in [(p.key, why) for p, why in store.given_up()]
    assert not store.post("urgent", "chat", 0, b"again", 99), "what was delivered is never sent again"
    store.close()


# --- against an oracle ---------------------------------------------------------------------------


class Oracle:
    """The same, slowly: plain containers, copied before each transaction."""

    def __init__(self) -> None:
        self.fills = dict[Any, Fill]()
        self.entries = dict[int, bytes]()
        self.last = 0
        self.snapshots = dict[int, bytes]()
        self.incidents = dict[str, dict[str, Any]]()
        self.notices = dict[str, Notice]()
        self.outbox = dict[tuple[str, str], list[Any]]()  # rank, posted, due, attempts, waiting, body
        self.values = dict[str, bytes]()

    def copy(self) -> Oracle:
        other = Oracle()
        for name, value in vars(self).items():
            kept = (
                {k: list(v) if isinstance(v, list) else v for k, v in value.items()}
                if name != "last"
                else value
            )
            setattr(other, name, kept)
        return other

    def add_fills(self, fills: list[Fill]) -> list[bool]:
        new = list[bool]()
        for told in fills:
            new.append(told.key not in self.fills)
            self.fills.setdefault(told.key, told)
        return new

    def append(self, entry: bytes) -> int:
        self.last += 1
        self.entries[self.last] = entry
        return self.last

    def save_snapshot(self, number: int, content: bytes) -> None:
        self.snapshots[number] = content
        kept = sorted(self.snapshots)[-2:]
        self.snapshots = {n: self.snapshots[n] for n in kept}
        if len(kept) == 2:
            self.entries = {n: e for n, e in self.entries.items() if n > kept[0]}

    def due(self, now_ns: int) -> list[tuple[str, str]]:
        waiting = [
            (box[0], box[1], place, key)
            for place, (key, box) in enumerate(self.outbox.items())
            if box[4] and box[2] <= now_ns
        ]
        return [key for *_, key in sorted(waiting)]


class Abandoned(Exception):  # noqa: N818 raised on purpose
    """Ends a transaction."""


SMALL = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(
        st.just("fills"), st.lists(st.tuples(SMALL, st.sampled_from(["a", "", None]), SMALL), max_size=4)
    ),
    st.tuples(st.just("append"), st.binary(max_size=5)),
    st.tuples(st.just("snapshot"), SMALL),
    st.tuples(st.just("incident"), SMALL, SMALL),
    st.tuples(st.just("notice"), SMALL),
    st.tuples(st.just("post"), SMALL, st.sampled_from(["x", "y"]), st.integers(0, 2), SMALL),
    st.tuples(st.just("delivered"), SMALL),
    st.tuples(st.just("failed"), SMALL, st.none() | st.integers(0, 9)),
    st.tuples(st.just("value"), SMALL, st.binary(max_size=3)),
    st.tuples(st.just("hurry"), st.sampled_from(["x", "y"]), SMALL),
)
PLAN = st.lists(
    st.tuples(st.sampled_from(["each", "together", "abandoned", "reopened"]), st.lists(STEP, max_size=6))
)


def do(store: Store, oracle: Oracle, step: tuple[Any, ...]) -> None:
    """Do one thing to both and compare what is said at once."""
    match step:
        case ("fills", told):
            fills = [fill(n, order=order, price=str(price)) for n, order, price in told]
            assert store.add_fills(fills, 7) == oracle.add_fills(fills)
        case ("append", entry):
            assert store.append(entry) == oracle.append(entry)
        case ("snapshot", back) if back <= oracle.last:
            number = oracle.last - back
            store.save_snapshot(number, bytes([back]))
            oracle.save_snapshot(number, bytes([back]))
        case ("incident", name, at):
            incident = {"id": str(name), "alerted_at": at, "score": at / 3}
            store.save_incident(incident)
            oracle.incidents[str(name)] = incident
        case ("notice", name):
            notice = Notice(kind=NoticeKind.GAP, ts_ns=name, text="gap")
            assert store.add_notice(str(name), notice) == (str(name) not in oracle.notices)
            oracle.notices.setdefault(str(name), notice)
        case ("post", name, channel, rank, now_ns):
            place = (str(name), channel)
            assert store.post(*place, rank, b"body", now_ns) == (place not in oracle.outbox)
            oracle.outbox.setdefault(place, [rank, now_ns, now_ns, 0, True, b"body"])
        case ("delivered", place):
            for posted in store.due(10)[place : place + 1]:
                store.delivered(posted, 11)
                oracle.outbox[posted.key, posted.channel][4] = False
        case ("failed", place, retry_ns):
            for posted in store.due(10)[place : place + 1]:
                store.failed(posted, retry_ns, "why")
                box = oracle.outbox[posted.key, posted.channel]
                box[3] += 1
                box[2] = box[2] if retry_ns is None else retry_ns
                box[4] = retry_ns is not None
        case ("value", name, content):
            store.set_value(str(name), content)
            oracle.values[str(name)] = content
        case ("hurry", channel, now_ns):
            store.hurry(channel, now_ns)
            for (_, one), box in oracle.outbox.items():
                if one == channel and box[4]:
                    box[2] = min(box[2], now_ns)


def same(store: Store, oracle: Oracle) -> None:
    """Compare everything that both say."""
    by_time = sorted(oracle.fills.values(), key=lambda told: told.ts_ns)
    assert list(store.fills()) == by_time
    assert list(store.fills("binance", "main", 1_003)) == [f for f in by_time if f.ts_ns >= 1_003]
    assert list(store.entries(0)) == sorted(oracle.entries.items())
    assert list(store.entries(2)) == [(n, e) for n, e in sorted(oracle.entries.items()) if n > 2]
    assert store.snapshots() == sorted(oracle.snapshots.items(), reverse=True)
    assert [i["alerted_at"] for i in store.incidents()] == sorted(
        i["alerted_at"] for i in oracle.incidents.values()
    )
    assert {i["id"]: i for i in store.incidents()} == oracle.incidents
    assert store.notices() == list(oracle.notices.values())
    for now_ns in (0, 3, 10):
        assert [(p.key, p.channel) for p in store.due(now_ns)] == oracle.due(now_ns)
    for posted in store.due(10):
        box = oracle.outbox[posted.key, posted.channel]
        assert (posted.rank, posted.posted_ns, posted.attempts, posted.body) == (
            box[0],
            box[1],
            box[3],
            box[5],
        )
    assert store.next_due_ns() == min((box[2] for box in oracle.outbox.values() if box[4]), default=None)
    assert {n: v for n in map(str, range(6)) if (v := store.value(n)) is not None} == oracle.values


@settings(max_examples=25)
@given(plan=PLAN)
def check_against_oracle(make_url: MakeUrl, plan: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
    """Do a random plan to a store and to the oracle."""
    url = make_url()
    oracle = Oracle()
    with ExitStack() as stack:
        store = open_store(url)
        stack.callback(lambda: store.close())  # noqa: PLW0108 whichever is open then
        for how, steps in plan:
            before = oracle.copy()
            if how == "reopened":
                store.close()
                store = open_store(url)
            if how in ("each", "reopened"):
                for step in steps:
                    do(store, oracle, step)
            elif how == "together":
                with store.transaction():
                    for step in steps:
                        do(store, oracle, step)
            else:
                with pytest.raises(Abandoned), store.transaction():  # noqa: PT012 undone whole
                    for step in steps:
                        do(store, oracle, step)
                    raise Abandoned
                oracle = before
            same(store, oracle)


def test_random_operations_do_what_plain_containers_do(make_url: MakeUrl) -> None:
    check_against_oracle(make_url)


# --- killed --------------------------------------------------------------------------------------

WRITER = """
import sys
from drainwatch.rows import Fill
from drainwatch.store import open_store

store = open_store(sys.argv[1])
first = store.append(b"start")
print(first, flush=True)
number = first
while True:
    with store.transaction():
        fills = [
            Fill(exchange="x", account="a", symbol="A/B", id=f"{number + 1}-{part}", ts_ns=number, side="buy",
                 price="1", amount="1")
            for part in range(3)
        ]
        assert store.add_fills(fills, 0) == [True] * 3
        number = store.append(b"entry")
        store.post(f"{number}", "chat", 0, b"body", number)
        store.set_value("last", str(number).encode())
        if number % 50 == 0:
            store.save_snapshot(number, b"x" * 20_000)
    print(number, flush=True)
"""


def kill_and_look(url: str, rounds: int, seed: int) -> None:
    """Kill a writer at random moments; each time look that all it had said is there, and nothing in part."""
    chance = random.Random(seed)
    for _ in range(rounds):
        run = [sys.executable, "-c", textwrap.dedent(WRITER), url]
        with subprocess.Popen(run, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "src"}) as writer:
            assert writer.stdout is not None
            told = writer.stdout.readline()
            assert told, "the writer could not open the store"
            time.sleep(chance.uniform(0.0, 0.15))
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.read()
        said = int(told.rpartition(b"\n")[0].rpartition(b"\n")[2])
        store = open_store(url)
        entries = list(store.entries(0))
        last = store._newest_entry()
        assert last >= said, "what was committed is gone"
        assert last <= said + 1
        assert entries == [] or [n for n, _ in entries] == list(range(entries[0][0], last + 1))
        parts = Counter(told_fill.id.partition("-")[0] for told_fill in store.fills())
        assert set(parts.values()) <= {3}, "a transaction was kept in part"
        posted = {p.key for p in store.due(2**62, limit=10**6)}
        assert set(parts) == posted
        assert store.value("last") == (max(parts, key=int).encode() if parts else None)
        for number, content in entries:
            assert (content == b"entry") == (str(number) in parts)
        store.close()


def test_a_kill_loses_nothing_committed_and_keeps_nothing_in_part(make_url: MakeUrl, root: Path) -> None:
    kill_and_look(make_url(), 4, seed=random.randrange(2**32))


@pytest.mark.slow
def test_twenty_kills_lose_nothing_either(make_url: MakeUrl, root: Path) -> None:
    kill_and_look(make_url(), 20, seed=random.randrange(2**32))


def test_a_posted_message_shows_no_body() -> None:
    """It may end in a log."""
    assert "secret" not in repr(Posted(1, "k", "chat", 0, b"secret", 0))
