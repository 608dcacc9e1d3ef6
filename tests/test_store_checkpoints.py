"""The log is moved into the file beside the writer, doesn't grow for ever, and nothing is lost by it."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from drainwatch.errors import StateError
from drainwatch.store import checkpoints, open_store
from drainwatch.store.sqlite import SqliteStore


def test_the_log_is_moved_into_the_file_without_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PERIOD_S", 0.01)
    monkeypatch.setattr(checkpoints, "SHORT_LOG_BYTES", 50_000)
    path = tmp_path / "watch.db"
    store = open_store(path)
    store.append(bytes(100_000))
    for _ in range(1_000):
        if path.stat().st_size > 100_000:
            break
        time.sleep(0.01)
    assert path.stat().st_size > 100_000
    store.close()


def test_a_short_log_is_flushed_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PERIOD_S", 0.002)
    flushed = threading.Event()
    flush = checkpoints.Checkpoints._flush

    def noted(beside: checkpoints.Checkpoints) -> None:
        flush(beside)
        flushed.set()

    monkeypatch.setattr(checkpoints.Checkpoints, "_flush", noted)
    store = open_store(tmp_path / "watch.db")
    log = tmp_path / "watch.db-wal"
    before = log.stat().st_size
    for i in range(20):
        flushed.clear()
        store.append(b"x")
        assert flushed.wait(60.0)
        # had it been moved, the next entry would begin it anew, and wait for the disk
        assert log.stat().st_size > before, i
        before = log.stat().st_size
    store.close()


def test_the_log_stays_short_though_writes_never_cease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PERIOD_S", 0.002)
    monkeypatch.setattr(checkpoints, "LONGEST_LOG", 200)
    store = open_store(tmp_path / "watch.db")
    log = tmp_path / "watch.db-wal"
    n_written = 0
    until = time.monotonic() + 60.0  # it is moved beside the writer, whenever the machine lets it
    while n_written < 1_000 or (2 * log.stat().st_size > 4_000 * n_written and time.monotonic() < until):
        store.append(bytes(4_000))
        n_written += 1
    assert 2 * log.stat().st_size <= 4_000 * n_written
    assert [number for number, _ in store.entries(0)] == list(range(1, n_written + 1))
    store.close()


def test_a_long_reader_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "PERIOD_S", 0.002)
    monkeypatch.setattr(checkpoints, "LONGEST_LOG", 10)
    store = open_store(tmp_path / "watch.db")
    store.append(b"seen")
    reader = sqlite3.connect(tmp_path / "watch.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM journal").fetchone() == (1,)
    for _ in range(200):
        store.append(bytes(4_000))
    assert reader.execute("SELECT COUNT(*) FROM journal").fetchone() == (1,)
    reader.close()
    assert len(list(store.entries(0))) == 201
    store.close()


def test_trouble_is_handed_to_the_writer_who_says_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "watch.db")
    assert isinstance(store, SqliteStore)
    store.append(b"x")
    assert store._checkpoints is not None
    store._checkpoints.close()

    def broken(*_: object) -> None:
        raise StateError("the disk fails")

    store._checkpoints.wants_help = True
    store._select = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(StateError, match="the disk fails"):
        store.append(b"y")
    del store._select
    assert list(store.entries(0)) == [(1, b"x"), (2, b"y")]
    store.close()


def test_a_file_that_can_not_be_opened_asks_for_help_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PERIOD_S", 0.002)
    beside = checkpoints.Checkpoints(tmp_path / "no folder" / "watch.db")
    for _ in range(3):
        beside.wants_help = False
        beside.written = True
        for _ in range(1_000):
            if beside.wants_help:
                break
            time.sleep(0.01)
        assert beside.wants_help
    beside.close()


def test_closing_ends_the_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = open_store(tmp_path / "watch.db")
    (thread,) = (one for one in threading.enumerate() if one not in before)
    assert thread.name == "drainwatch-checkpoints"
    store.close()
    assert not thread.is_alive()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["watch.db", "watch.db-lock"]
