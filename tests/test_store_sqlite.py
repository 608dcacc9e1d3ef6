"""The store as a file: whose it is, who may read it, and what happens when the disk or the bytes fail."""

from __future__ import annotations

import random
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill
from drainwatch.store import Mark, Silence, Store, open_store


def fill(number: int) -> Fill:
    return Fill(
        exchange="binance",
        account="main",
        symbol="ETH/BTC",
        id=str(number),
        ts_ns=number,
        side="buy",
        price="1",
        amount="1",
    )


def use_all(store: Store) -> None:
    """Read and write everything that there is."""
    for _ in store.fills():
        pass
    for _ in store.entries(0):
        pass
    store.snapshots()
    store.incidents()
    store.notices()
    store.waiting()
    store.given_up()
    store.marks()
    store.silences()
    store.next_due_ns()
    store.value("v")
    for posted in store.due(10):
        store.failed(posted, None, "no")
    with store.transaction():
        store.add_fills([fill(10_001)], 1)
        store.append(b"more")
        store.save_incident({"id": "a", "alerted_at": 1})
        store.add_notice("other", Notice(kind=NoticeKind.GAP, ts_ns=1, text="gap"))
        store.post("other", "chat", 0, b"b", 1)
        store.set_value("v", b"2")
        store.add_mark(Mark(incident="i", what="closed", at_ns=2))
        store.expire_silence("s", 2)
    store.save_snapshot(0, b"again")


def filled(path: Path) -> Path:
    """Make a store that holds something of everything."""
    store = open_store(path)
    store.add_fills([fill(n) for n in range(40)], 0)
    for number in range(10):
        store.append(bytes([number]) * 700)
    store.save_snapshot(2, b"s" * 3_000)
    store.save_incident({"id": "i", "alerted_at": 1, "loss": 2.5})
    store.add_notice("n", Notice(kind=NoticeKind.GAP, ts_ns=1, text="gap"))
    store.post("k", "chat", 0, b"body", 1)
    store.set_value("v", b"1")
    store.add_mark(Mark(incident="i", what="acknowledged", at_ns=1, reason="seen"))
    store.add_silence(Silence(id="s", reason="why", from_ns=1, until_ns=9))
    store.close()
    return path


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "deep" / "watch.db")
    store.append(b"x")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "deep").iterdir()}
    assert modes == {"watch.db": 0o600, "watch.db-wal": 0o600, "watch.db-shm": 0o600, "watch.db-lock": 0o600}
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700
    store.close()


def test_others_may_read_while_it_is_written(tmp_path: Path) -> None:
    store = open_store(tmp_path / "watch.db")
    store.append(b"x")
    reader = sqlite3.connect(tmp_path / "watch.db")
    assert reader.execute("SELECT COUNT(*) FROM journal").fetchall() == [(1,)]
    reader.close()
    store.close()


def test_a_kill_can_not_lose_what_was_committed(tmp_path: Path) -> None:
    """The log is handed to the system at each commit, and flushed to disk at checkpoints."""
    store = open_store(tmp_path / "watch.db")
    assert store._select("PRAGMA journal_mode") == [("wal",)]
    assert store._select("PRAGMA synchronous") == [(1,)]
    store.close()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "wallet.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE coins (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(
        StateError, match=r"another program's database at .*wallet.db: give the path of a new file"
    ):
        open_store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough " * 40, b"SQLite format 3\0" + bytes(600)]
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"notes.txt can't be used: .*damaged: go back to a copy"):
        open_store(path)
    assert path.read_bytes() == content


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="expected a file and a folder that this user may write to"):
        open_store(tmp_path)


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="expected a file and a folder"):
        open_store(tmp_path / "file" / "watch.db")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """So does one whose making was interrupted."""
    path = tmp_path / "watch.db"
    path.touch()
    store = open_store(path)
    assert store.append(b"x") == 1
    store.close()


def test_a_read_only_database_is_said_to_be_one(tmp_path: Path) -> None:
    store = open_store(tmp_path / "watch.db")
    store._select("PRAGMA query_only = ON")
    with pytest.raises(StateError, match=r"readonly database; expected a file .* this user may write to"):
        store.append(b"x")
    store._select("PRAGMA query_only = OFF")
    assert store.append(b"x") == 1
    store.close()


def test_a_full_database_keeps_what_it_has(tmp_path: Path) -> None:
    store = open_store(tmp_path / "watch.db")
    store.append(b"kept")
    store._select("PRAGMA max_page_count = 30")
    with pytest.raises(StateError, match="is full; make room, then start again"), store.transaction():
        store.append(bytes(10**6))
    assert list(store.entries(0)) == [(1, b"kept")]
    store._select("PRAGMA max_page_count = 100000")
    assert store.append(b"room again") == 2
    store.close()


def test_a_full_disk_keeps_what_it_has(tmp_path: Path) -> None:
    """The limit of a process's files stands for the disk's end: the write itself fails."""
    store = open_store(tmp_path / "watch.db")
    store.append(b"kept")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(StateError, match=r"make room|disk is full or failing"):
            store.append(bytes(10**6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(store.entries(0)) == [(1, b"kept")]
    assert store.append(b"room again") == 2
    store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a store that holds something of everything."""
    return filled(tmp_path_factory.mktemp("whole") / "watch.db").read_bytes()


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[bytes], Path]:
    """Give what writes bytes where a store is expected."""

    def write(content: bytes) -> Path:
        for path in tmp_path.iterdir():
            path.unlink()
        path = tmp_path / "watch.db"
        path.write_bytes(content)
        return path

    return write


def open_and_use(path: Path) -> None:
    """Do everything with a damaged store: it works, or it is a StateError."""
    try:
        store = open_store(path)
    except StateError:
        return
    try:
        use_all(store)
    except StateError:
        pass
    finally:
        store.close()


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 60), cut=st.booleans())
def check_damage(whole: bytes, damaged: Callable[[bytes], Path], seed: int, flips: int, cut: bool) -> None:
    """Alter random bytes, and cut off a random part."""
    chance = random.Random(seed)
    content = bytearray(whole)
    for _ in range(flips):
        content[chance.randrange(len(content))] = chance.randrange(256)
    open_and_use(damaged(bytes(content[: chance.randrange(len(content))] if cut else content)))


def test_no_damage_ends_in_anything_but_a_state_error(whole: bytes, damaged: Callable[[bytes], Path]) -> None:
    check_damage(whole, damaged)


def test_an_undamaged_store_can_be_used_whole(whole: bytes, damaged: Callable[[bytes], Path]) -> None:
    """Else the test above would show nothing."""
    store = open_store(damaged(whole))
    use_all(store)
    assert len(list(store.fills())) == 41
    store.close()
