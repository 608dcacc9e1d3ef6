"""A bot's database is read as it is, whatever state it is in, and left as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot_databases import FREQTRADE, make, order_of_freqtrade
from drainwatch.botlogs.database import opened, stamp
from drainwatch.errors import InputError

WRITER = """
import sqlite3, sys
bot = sqlite3.connect(sys.argv[1], isolation_level=None)
bot.execute("PRAGMA wal_autocheckpoint = 0")
for line in sys.stdin:
    bot.execute(line)
    print("done", flush=True)
"""


class Bot:
    """Another process that has the database open."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def does(self, sql: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(sql + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def adds(self, row: int) -> None:
        columns = "id, order_id, ft_trade_id, ft_order_side, ft_pair, ft_is_open, ft_amount, ft_price"
        self.does(f"INSERT INTO orders ({columns}) VALUES ({row}, 'o{row}', 1, 'buy', 'A/B', 0, 1, 1)")  # noqa: S608

    def dies(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def bot_on(path: Path) -> Iterator[Bot]:
    bot = Bot(path)
    try:
        yield bot
    finally:
        bot.dies()


def count(path: Path) -> int:
    with opened(path) as connection:
        return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])


def look(folder: Path) -> dict[str, tuple[int, ...]]:
    """Everything about the files but when they were read."""
    found: dict[str, tuple[int, ...]] = {}
    for file in folder.iterdir():
        state = file.stat()
        found[file.name] = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_mode)
    return found


@pytest.fixture(params=[False, True], ids=["rollback", "wal"])
def bots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = make(tmp_path / "bot.sqlite", FREQTRADE, wal=request.param)
    order_of_freqtrade(path, (1, "a", None), (2, "b", None))
    return path


def test_resting_database_is_read_and_nothing_is_left_beside_it(bots: Path) -> None:
    before = look(bots.parent)
    assert count(bots) == 2
    assert look(bots.parent) == before


def test_what_a_running_bot_has_just_committed_is_read(bots: Path) -> None:
    with bot_on(bots) as bot:
        for row in (3, 4, 5):
            bot.adds(row)
            before = set(look(bots.parent))
            assert count(bots) == row
            assert set(look(bots.parent)) == before


def test_reader_never_holds_up_a_bot_in_wal_mode(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE, wal=True)
    with bot_on(path) as bot:
        bot.adds(1)
        with opened(path) as connection:
            connection.execute("SELECT * FROM orders").fetchone()
            bot.adds(2)  # would wait for ever, or fail
        assert count(path) == 2


def test_what_a_bot_had_committed_when_it_died_is_read(bots: Path) -> None:
    with bot_on(bots) as bot:
        bot.adds(3)
        bot.dies()
        before = look(bots.parent)
        assert count(bots) == 3
        assert look(bots.parent) == before


def test_log_of_a_dead_bot_is_read_without_its_index(tmp_path: Path) -> None:
    """A copied or restored database has its -wal, but no -shm: SQLite would make one, of ours."""
    path = make(tmp_path / "bot.sqlite", FREQTRADE, wal=True)
    with bot_on(path) as bot:
        bot.adds(1)
        bot.adds(2)
        bot.dies()
    (tmp_path / "bot.sqlite-shm").unlink()
    before = look(tmp_path)
    assert set(before) == {"bot.sqlite", "bot.sqlite-wal"}
    assert count(path) == 2
    assert look(tmp_path) == before


def test_locked_database_is_told_soon_and_read_later(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE)
    with bot_on(path) as bot:
        bot.does("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match="database is locked; it is tried again"):
            count(path)
        bot.does("COMMIT")
        assert count(path) == 0


def test_nothing_can_be_written(bots: Path) -> None:
    with (
        pytest.raises(InputError, match="attempt to write a readonly database"),
        opened(bots) as connection,
    ):
        connection.execute("DELETE FROM orders")
    assert count(bots) == 2


def test_missing_database_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bot\.sqlite: no such file; expected the bot's database"):
        count(tmp_path / "bot.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SQLite",
        b"SQLite format 3\x00",
        b"PK\x03\x04" + b"x" * 500,
        b"SQLite format 3\x00" + b"\xff" * 600,
    ],
)
def test_other_files_are_errors_that_say_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bot.sqlite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bot\.sqlite: "):
        count(path)
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        count(tmp_path)


def test_awkward_names_are_no_queries(tmp_path: Path) -> None:
    path = make(tmp_path / "a b?mode=rwc#%41.sqlite", FREQTRADE)
    assert count(path) == 0


def test_stamp_changes_with_every_commit(bots: Path) -> None:
    with bot_on(bots) as bot:
        seen = {stamp(bots)}
        for row in (3, 4, 5):
            bot.adds(row)
            seen.add(stamp(bots))
        assert len(seen) == 4
        assert None not in seen
        assert stamp(bots) == stamp(bots)


def test_stamp_of_no_database_is_none(tmp_path: Path) -> None:
    assert stamp(tmp_path / "bot.sqlite") is None


def test_bot_that_starts_during_the_read_makes_it_void(tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", FREQTRADE, wal=True)
    with closing(sqlite3.connect(path)) as bot:
        reading = opened(path)
        reading.__enter__()
        bot.execute("INSERT INTO trades VALUES (1, 'x', 'A/B')")
        bot.commit()
        with pytest.raises(InputError, match="it is read again"):
            reading.__exit__(None, None, None)


def test_temporary_copies_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = make(tmp_path / "bot.sqlite", FREQTRADE, wal=True)
    with bot_on(path) as bot:
        bot.adds(1)
        bot.dies()
    os.unlink(f"{path}-shm")  # noqa: PTH108 - no suffix of a path
    assert count(path) == 1
    assert list(temporary.iterdir()) == []
