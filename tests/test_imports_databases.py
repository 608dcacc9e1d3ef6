"""Databases of bots: whose one is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot_databases import FREQTRADE, HUMMINGBOT, make
from drainwatch.errors import InputError
from drainwatch.imports.databases import open_sqlite


@pytest.mark.parametrize(("schema", "part"), [(FREQTRADE, "freqtrade"), (HUMMINGBOT, "hummingbot")])
def test_bots_are_told_apart_and_nothing_is_left_behind(schema: str, part: str, tmp_path: Path) -> None:
    path = make(tmp_path / "bot.sqlite", schema, wal=True)
    (sheet,) = open_sqlite(str(path))
    assert sheet.part == part
    assert list(tmp_path.iterdir()) == [path]


def test_other_databases_are_named_with_their_tables(tmp_path: Path) -> None:
    path = make(
        tmp_path / "places.sqlite", "CREATE TABLE moz_places (id INTEGER); CREATE TABLE 'a\nb' (id INTEGER);"
    )
    with pytest.raises(
        InputError, match=r"freqtrade .* or hummingbot .*, found tables a\\nb, moz_places; export"
    ):
        open_sqlite(str(path))


def test_locked_database_is_no_matter_of_trying_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 600)
    with pytest.raises(InputError, match=r"can't be read: .*; try again later"):
        open_sqlite(str(path))
