"""`drainwatch watch` as a user meets it: what is wrong is said, and Ctrl-C ends it well."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drainwatch.cli.app import app

INLET = """
[watch]
store = "sqlite:///{folder}/s.db"
[inlet]
enabled = true
port = 0
token_file = "{folder}/t"
"""


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """The verb sets up logging for its process; here others share it."""
    root, ours = logging.getLogger(), logging.getLogger("drainwatch")
    handlers, level = list(root.handlers), ours.level
    yield
    root.handlers[:] = handlers
    ours.setLevel(level)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["watch", *arguments], env={"DRAINWATCH_CONFIG": ""})
    return result.exit_code, " ".join(result.stderr.split())


def test_without_anything_to_watch_it_says_how_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("")
    code, said = run("--config", str(path))
    assert code == 2
    assert "nothing to watch" in said
    assert "drainwatch init" in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[watch]\nstroe = 'x'\n", "$.watch.stroe"),
        (
            "[[accounts]]\nname = 'a'\nexchange = 'binance'\nkey_env = 'NO_SUCH'\nsecret_env = 'NONE'\n",
            "key_env",
        ),
        ("[watch]\nstore = 'sqlite:////dev/null/s.db'\n[inlet]\nenabled = true\nport = 0\n", "/dev/null"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    code, said = run("--config", str(path))
    assert code in {1, 2}
    assert named in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "s.toml"
    path.write_text(INLET.format(folder=tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "drainwatch", "watch", "--config", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Watching")
        time.sleep(0.5)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Stopped" in out
    assert "Traceback" not in err
