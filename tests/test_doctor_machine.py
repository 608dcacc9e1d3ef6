"""Checks of the machine: what a start of the watch would fail at is found before."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from doctor_fakes import SETTINGS, by_name, failing, tools
from drainwatch.config import Bot, BotKind, Health, Settings, Watch
from drainwatch.doctor import Check, Status
from drainwatch.doctor.machine import (
    check_bots,
    check_judge,
    check_listeners,
    check_settings_file,
    check_store,
)
from drainwatch.errors import ModelError, StateError


@pytest.mark.parametrize(("mode", "status"), [(0o600, Status.OK), (0o644, Status.OK), (0o660, Status.WARN)])
def test_settings_that_others_can_change_are_warned_of(tmp_path: Path, mode: int, status: Status) -> None:
    path = tmp_path / "d.toml"
    path.touch()
    path.chmod(mode)
    check = check_settings_file(path, SETTINGS)
    assert check.status is status
    assert ("chmod 600" in check.advice) is (status is Status.WARN)


def test_model_and_compiler_are_timed() -> None:
    assert check_judge(Settings(), tools()) == Check(
        "model", Status.OK, "loaded, and its code compiled, in 1.0 s"
    )
    check = check_judge(Settings(), tools(load_judge=failing(ModelError("hash differs"))))
    assert (check.status, check.found) == (Status.FAIL, "hash differs")


def test_a_store_that_doesnt_open_fails() -> None:
    check = by_name(list(check_store(Settings(), tools(open_store=failing(StateError("in use"))))))["store"]
    assert check.status is Status.FAIL
    assert "running now" in check.advice


def test_the_store_gets_its_password_and_nobody_else() -> None:
    opened: list[str] = []
    settings = Settings(watch=Watch(store="postgresql://me@h/d", store_password_env="P"))  # noqa: S106
    checks = list(check_store(settings, tools(open_store=opened.append, env={"P": "PlAnTeD"})))
    assert opened == ["postgresql://me:PlAnTeD@h/d"]
    assert [check.name for check in checks] == ["store"]  # whose disk isn't seen from here
    assert "PlAnTeD" not in repr(checks)


@pytest.mark.parametrize(
    ("free", "status"), [(10**7, Status.FAIL), (10**8, Status.WARN), (10**10, Status.OK)]
)
def test_room_on_the_disk(tmp_path: Path, free: int, status: Status) -> None:
    settings = Settings(watch=Watch(store=f"sqlite:///{tmp_path}/new/s.db"))
    asked: list[Path] = []

    def look(folder: Path) -> int:
        asked.append(folder)
        return free

    checks = by_name(list(check_store(settings, tools(free_bytes=look))))
    assert checks["disk of the store"].status is status
    assert asked == [tmp_path]  # the nearest folder that is there


def test_a_recording_needs_its_own_room() -> None:
    settings = Settings(watch=Watch(record="rec", record_gb=20.0))
    checks = by_name(list(check_store(settings, tools(free_bytes=lambda _: 10**10))))
    assert checks["disk of the store"].status is Status.OK
    assert checks["disk of the recording"].status is Status.WARN
    assert "20 GB are wanted" in checks["disk of the recording"].found


def test_a_disk_that_cant_be_looked_at_fails() -> None:
    denied = failing(PermissionError(errno.EACCES, "Permission denied"))
    checks = by_name(list(check_store(Settings(), tools(free_bytes=denied))))
    assert checks["disk of the store"].status is Status.FAIL


def test_databases_of_bots(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.sqlite", tmp_path / "bad.sqlite"
    good.write_bytes(b"SQLite format 3\x00" + b"\x00" * 84)
    bad.write_bytes(b"not one")
    bots = tuple(
        Bot(kind=BotKind.FREQTRADE, database=str(path)) for path in (good, bad, tmp_path / "absent", tmp_path)
    )
    statuses = [check.status for check in check_bots(Settings(bots=bots))]
    assert statuses == [Status.OK, Status.FAIL, Status.FAIL, Status.FAIL]


def test_ports() -> None:
    settings = Settings(health=Health(enabled=True))
    assert [check.status for check in check_listeners(settings, tools())] == [Status.OK]
    used = tools(bind=failing(OSError(errno.EADDRINUSE, "Address already in use")))
    (check,) = check_listeners(settings, used)
    assert check.status is Status.WARN
    assert "Address already in use" in check.found
    assert list(check_listeners(Settings(), used)) == []
