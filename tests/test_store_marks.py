"""Marks and silences, on both databases, written beside a running watch; stores of before they were."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drainwatch.errors import StateError
from drainwatch.rows import Fill
from drainwatch.store import Mark, Silence, open_store

MakeUrl = Callable[[], str]
GOLDEN = Path(__file__).parent / "golden" / "store-schema-1.sql"


@pytest.fixture(params=["sqlite", "postgres"])
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeUrl:
    """Give what makes the URL of a new, empty store."""
    if request.param == "postgres":
        make: MakeUrl = request.getfixturevalue("postgres_server")
        return make
    return lambda: str(tmp_path_factory.mktemp("store") / "watch.db")


def silence(**changes: Any) -> Silence:
    plain: dict[str, Any] = {"id": "s", "reason": "maintenance", "from_ns": 10, "until_ns": 20}
    return Silence(**(plain | changes))


def incident(**changes: Any) -> dict[str, Any]:
    plain = {"account": "main", "exchange": "binance", "symbols": ["ETH/BTC"], "kind_now": "ping_pong"}
    return plain | changes


@pytest.mark.parametrize("odd", ["\ud800", "\0", "\\0", "é'; DROP TABLE marks", "%s?"])
def test_what_was_said_comes_back_exactly(make_url: MakeUrl, odd: str) -> None:
    url = make_url()
    store = open_store(url)
    marks = [
        Mark(incident=odd, what="acknowledged", at_ns=1, reason=odd),
        Mark(incident="other", what="closed", at_ns=2**70, reason=""),
        Mark(incident=odd, what="false_alarm", at_ns=0, reason="mine"),
    ]
    for mark in marks:
        store.add_mark(mark)
    kept = silence(id=odd, account=odd, exchange=odd, symbol=odd, kind=odd, reason=odd, forced=True)
    store.add_silence(kept)
    store.close()
    store = open_store(url)
    assert store.marks(odd) == [marks[0], marks[2]]
    assert [mark.incident for mark in store.marks()] == [odd, "other", odd]
    assert store.silences() == [kept]
    store.close()


def test_a_silence_holds_from_its_beginning_to_just_before_its_end(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    store.add_silence(silence())
    store.add_silence(silence(id="later", from_ns=19, until_ns=30))
    assert [[s.id for s in store.silences(now)] for now in (9, 10, 19, 20, 30)] == [
        [],
        ["s"],
        ["s", "later"],
        ["later"],
        [],
    ]
    for now in (9, 10, 19, 20):
        assert silence().in_force(now) == any(s.id == "s" for s in store.silences(now))
    assert len(store.silences()) == 2
    store.close()


def test_an_expired_silence_ends_now_and_stays_on_record(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    store.add_silence(silence())
    assert store.expire_silence("s", 15)
    assert store.silences(15) == []
    assert store.silences() == [silence(until_ns=15)]
    assert not store.expire_silence("s", 15)
    assert not store.expire_silence("unknown", 15)
    store.close()


def test_two_silences_of_one_id_are_refused(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    store.add_silence(silence())
    with pytest.raises(StateError):
        store.add_silence(silence(reason="other"))
    assert store.silences() == [silence()]
    store.close()


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        ({}, True),
        ({"account": "main", "exchange": "binance", "symbol": "ETH/BTC", "kind": "ping_pong"}, True),
        ({"account": "other"}, False),
        ({"exchange": "okx"}, False),
        ({"symbol": "BTC/USDT"}, False),
        ({"kind": "slow_bleed"}, False),
    ],
)
def test_a_silence_covers_what_is_of_its_form(wanted: dict[str, str], covered: bool) -> None:
    assert silence(**wanted).covers(incident()) is covered


def test_a_silence_of_one_symbol_does_not_hide_what_happens_on_another() -> None:
    """A thief could else hide a drain by touching a silenced market first."""
    assert not silence(symbol="ETH/BTC").covers(incident(symbols=["ETH/BTC", "XRP/BTC"]))


BESIDE = """
import sys
from drainwatch.store import Mark, Silence, open_store

store = open_store(sys.argv[1], beside=True)
store.add_mark(Mark(incident="i", what="acknowledged", at_ns=7, reason="seen"))
store.add_silence(Silence(id="s", reason="why", from_ns=1, until_ns=2))
print([entry for entry in store.entries()])
store.close()
"""


def test_another_process_marks_beside_the_one_that_watches(make_url: MakeUrl) -> None:
    url = make_url()
    watch = open_store(url)
    watch.append(b"before")
    run = subprocess.run(
        [sys.executable, "-c", BESIDE, url], check=True, capture_output=True, text=True, timeout=60
    )
    assert run.stdout.strip() == "[(1, b'before')]"
    assert [mark.reason for mark in watch.marks("i")] == ["seen"]
    assert [s.reason for s in watch.silences()] == ["why"]
    assert watch.append(b"after") == 2
    with watch.transaction():
        watch.append(b"within")
        assert len(watch.marks("i")) == 1
    watch.close()


def test_a_store_is_not_made_beside(make_url: MakeUrl, tmp_path: Path) -> None:
    url = make_url()
    with pytest.raises(StateError, match=r"expected the store of a watch, found none .*--config"):
        open_store(url, beside=True)
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(StateError, match="expected the store of a watch, found none"):
        open_store(empty, beside=True)
    assert empty.stat().st_size == 0


def check_all_kept(url: str, *, beside: bool) -> None:
    """What `golden/store-schema-1.sql` holds, read and written on by this version."""
    store = open_store(url, beside=beside)
    assert [fill.id for fill in store.fills()] == ["1", "2"]
    told = Fill(
        exchange="binance",
        account="main",
        symbol="ETH/BTC",
        id="1",
        ts_ns=1,
        side="buy",
        price="0.070",
        amount="1.50",
    )
    assert next(store.fills()) == told
    assert list(store.entries()) == [(n + 1, b"entry %d" % n) for n in range(3)]
    assert store.snapshots() == [(2, b"state")]
    assert store.incidents() == [{"id": "i", "alerted_at": 1, "loss": 2.5}]
    assert [notice.text for notice in store.notices()] == ["gap"]
    assert [posted.key for posted in store.due(9)] == ["k2"]
    assert not store.post("k", "chat", 0, b"", 9)
    assert store.value("v") == b"1"
    assert not store.marks()
    assert not store.silences()
    store.add_mark(Mark(incident="i", what="closed", at_ns=1))
    store.close()
    store = open_store(url)
    assert store.append(b"more") == 4
    assert [mark.what for mark in store.marks()] == ["closed"]
    store.close()


@pytest.mark.parametrize("beside", [False, True])
def test_a_store_of_schema_1_is_taken_over_with_all_that_it_holds(tmp_path: Path, beside: bool) -> None:
    """The file was written by the version before: an update mustn't cost the owner his history."""
    path = tmp_path / "watch.db"
    database = sqlite3.connect(path)
    database.executescript(GOLDEN.read_text())
    database.close()
    check_all_kept(str(path), beside=beside)


@pytest.mark.parametrize("beside", [False, True])
def test_a_server_of_schema_1_is_taken_over_with_all_that_it_holds(
    postgres_server: MakeUrl, beside: bool
) -> None:
    url = postgres_server()
    store = open_store(url)
    with store.transaction():
        store.add_fills(
            [
                Fill(
                    exchange="binance",
                    account="main",
                    symbol="ETH/BTC",
                    id=str(n),
                    ts_ns=n,
                    side="buy",
                    price="0.070",
                    amount="1.50",
                )
                for n in (1, 2)
            ],
            5,
        )
        for n in range(3):
            store.append(b"entry %d" % n)
        store.save_snapshot(2, b"state")
        store.save_incident({"id": "i", "alerted_at": 1, "loss": 2.5})
        store._change(
            "INSERT INTO notices (key, content) VALUES ('n', ?)", '{"kind":"gap","ts_ns":1,"text":"gap"}'
        )
        for key in ("k", "k2"):
            store.post(key, "chat", 0, b"body", 1)
        store.delivered(store.due(9)[0], 3)
        store.set_value("v", b"1")
        for table in ("marks", "silences", "judgements", "stretches"):
            store._change(f"DROP TABLE {table}")
        store._change("ALTER TABLE outbox DROP COLUMN unanswered")
        store._change("UPDATE about SET content = '1'")
    store.close()
    check_all_kept(url, beside=beside)


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    database = sqlite3.connect(path)
    database.executescript(GOLDEN.read_text())
    database.execute("CREATE TABLE silences (mine TEXT)")  # in the way
    database.close()
    with pytest.raises(StateError, match="silences"):
        open_store(path)
    database = sqlite3.connect(path)
    assert database.execute("SELECT content FROM about").fetchall() == [("1",)]
    assert not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'marks'").fetchall()
    database.close()


def test_an_altered_mark_is_said_to_be_one(tmp_path: Path) -> None:
    store = open_store(tmp_path / "watch.db")
    with store.transaction():
        store._change("INSERT INTO marks (incident, what, at_ns, reason) VALUES ('i', 'stolen', 1, '')")
    with pytest.raises(StateError, match="expected a Mark in the store, found otherwise"):
        store.marks()
    store.close()
