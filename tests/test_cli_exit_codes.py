"""Exit codes: what scripts rely on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drainwatch.cli import ExitCode
from drainwatch.cli.exit_codes import exit_code_of
from drainwatch.errors import ConfigError, DrainwatchError, InputError, ModelError, StateError, VenueError


def test_documented_table_is_the_enum(root: Path) -> None:
    page = (root / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, flags=re.MULTILINE)
    assert rows == [(str(code.value), code.meaning) for code in ExitCode]


def test_codes_never_change() -> None:
    """A script in somebody's crontab can't be told that 3 means something else now."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "INPUT": 3,
        "INTERNAL": 70,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), ExitCode.INPUT),
        (PermissionError(13, "denied", "out"), ExitCode.INPUT),
        (ConfigError("x"), ExitCode.USAGE),
        (ModelError("x"), ExitCode.USAGE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (StateError("x"), ExitCode.FAILED),
        (VenueError("x"), ExitCode.FAILED),
        (DrainwatchError("x"), ExitCode.INTERNAL),
        (ValueError("x"), ExitCode.INTERNAL),
        (MemoryError(), ExitCode.INTERNAL),
    ],
)
def test_every_error_has_its_code(error: BaseException, code: ExitCode) -> None:
    assert exit_code_of(error) is code
