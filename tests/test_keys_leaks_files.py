"""The walk: every file once, and what isn't looked at is counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drainwatch.keys.leaks.files import File, Repository, walk
from drainwatch.keys.leaks.tally import Skipped, Tally


def walked(top: Path, **changes: object) -> tuple[list[str], Tally]:
    tally = Tally()
    options = {"max_bytes": 1_000, **changes}
    found = walk(top, tally, **options)  # type: ignore[arg-type]
    return [item.path for item in found if isinstance(item, File)], tally


def test_files_come_in_order_hidden_ones_too(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", ".env", "c/d/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    paths, tally = walked(tmp_path)
    assert paths == [".env", "a.txt", "b/1.txt", "b/2.txt", "c/d/e.txt"]
    assert not tally.skipped


def test_a_single_file_is_a_walk_of_one(tmp_path: Path) -> None:
    (tmp_path / ".bash_history").write_text("x")
    assert walked(tmp_path / ".bash_history")[0] == [".bash_history"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A loop would never end, and a link out of the folder leads to what nobody asked about."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_text("x")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "out").symlink_to("/etc/passwd")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    paths, tally = walked(tmp_path)
    assert paths == ["a/f"]
    assert tally.skipped == {Skipped.LINK: 3}


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    paths, tally = walked(tmp_path)
    assert paths == []
    assert tally.skipped == {Skipped.SPECIAL: 1}
    assert walked(tmp_path / "pipe")[1].skipped == {Skipped.SPECIAL: 1}


def test_binary_large_and_unreadable_ones_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0\0\0")
    (tmp_path / "large.log").write_text("x" * 1_001)
    (tmp_path / "just.log").write_text("x" * 1_000)
    paths, tally = walked(tmp_path)
    assert paths == ["just.log"]
    assert tally.skipped == {Skipped.BINARY: 1, Skipped.LARGE: 1}
    assert tally.examples[Skipped.LARGE] == ["large.log"]


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs Linux's /proc: a file whose reading fails"
)
def test_a_file_that_fails_to_be_read_is_counted() -> None:
    paths, tally = walked(Path("/proc/self/mem"))
    assert paths == []
    assert tally.skipped == {Skipped.UNREADABLE: 1}
    assert not tally.complete


def test_installed_packages_are_left_out_and_told(tmp_path: Path) -> None:
    for name in ("node_modules/x/a.js", "env/pyvenv.cfg", "env/lib/a.py", "src/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    paths, tally = walked(tmp_path)
    assert paths == ["src/a.py"]
    assert tally.skipped == {Skipped.FOREIGN: 2}
    assert len(walked(tmp_path, everything=True)[0]) == 4


def test_patterns_leave_out_by_path_and_by_name(tmp_path: Path) -> None:
    for name in ("data/a.csv", "data/b.txt", "deep/data.csv", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    paths, tally = walked(tmp_path, exclude=("data/*.txt", "*.csv"))
    assert paths == ["c.txt"]
    assert tally.skipped == {Skipped.EXCLUDED: 3}


def test_repositories_are_told_and_not_walked_into(tmp_path: Path) -> None:
    (tmp_path / "work" / ".git" / "objects").mkdir(parents=True)
    (tmp_path / "work" / ".git" / "config").write_text("x")
    (tmp_path / "work" / "a").write_text("x")
    bare = tmp_path / "bare.git"
    for name in ("objects", "refs"):
        (bare / name).mkdir(parents=True)
    for name in ("HEAD", "config"):
        (bare / name).write_text("x")
    items = list(walk(tmp_path, Tally(), max_bytes=100))
    assert [item.path for item in items if isinstance(item, Repository)] == ["bare.git", "work"]
    assert [item.path for item in items if isinstance(item, File)] == ["work/a"]


def test_a_name_of_any_bytes_can_be_written(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (path,), _ = walked(tmp_path)
    path.encode()


def test_the_walk_stops_when_the_time_is_up(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}").write_text("x")
    tally = Tally(0.0, lambda: 1.0)
    assert list(walk(tmp_path, tally, max_bytes=10)) == []
    assert tally.stopped
