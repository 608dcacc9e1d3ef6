"""`drainwatch alerts test`: what came back from each channel, and 1 where one didn't take it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drainwatch.cli import ExitCode, app

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})
FILE = """
[[accounts]]
name = "main"
exchange = "okx"
key_env = "K"
secret_env = "K"
passphrase_env = "K"

[[channels]]
name = "ops"
kind = "slack"
url_env = "OPS"

[[channels]]
name = "phone"
kind = "telegram"
url_env = "PHONE"
chat_id = "12"
"""


@contextmanager
def serving(statuses: dict[str, int]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Answer each path by a status; gives the address and the bodies by path."""
    got: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(statuses.get(self.path, 200))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "d.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


def run(config: Path, url: str, *words: str) -> Any:
    env = {"OPS": f"{url}/PlAnTeD", "PHONE": f"{url}/botPlAnTeD"}
    return RUNNER.invoke(app, ["alerts", "test", "--config", str(config), *words], env=env)


def test_each_channel_gets_a_sample_and_says_what_came_back(config: Path) -> None:
    with serving({}) as (url, got):
        result = run(config, url)
    assert result.exit_code == ExitCode.OK, result.output
    first, second, *rest = result.stdout.splitlines()
    assert first.startswith("ok      ops (slack): taken in ")
    assert first.endswith(" s; updates will come as new messages")
    assert second.startswith("ok      phone (telegram): taken in ")
    assert second.endswith(" s; updates will change the message")
    assert rest[-1].startswith("Look whether you see it")
    assert b"TEST: CRITICAL" in got["/PlAnTeD"]
    assert b"https://www.okx.com/account/my-api" in got["/botPlAnTeD/sendMessage"]


def test_a_channel_that_refuses_is_a_failure(config: Path) -> None:
    with serving({"/botPlAnTeD/sendMessage": 403}) as (url, _):
        result = run(config, url)
    assert result.exit_code == ExitCode.FAILED
    assert "ok      ops (slack)" in result.stdout
    assert "fail    phone (telegram): HTTP 403: the bot may not write there" in result.stdout
    assert "1 of 2 didn't take the sample" in result.stdout
    assert "PlAnTeD" not in result.output


def test_one_channel_alone(config: Path) -> None:
    with serving({"/PlAnTeD": 500}) as (url, got):
        result = run(config, url, "--channel", "phone")
    assert result.exit_code == ExitCode.OK
    assert list(got) == ["/botPlAnTeD/sendMessage"]


def test_a_secret_that_isnt_there_is_a_failure_of_that_channel_alone(config: Path) -> None:
    with serving({}) as (url, _):
        words = ["alerts", "test", "--config", str(config)]
        result = RUNNER.invoke(app, words, env={"OPS": f"{url}/x", "PHONE": ""})
    assert result.exit_code == ExitCode.FAILED
    assert "ok      ops (slack)" in result.stdout
    assert "fail    phone (telegram): expected a secret in the environment variable" in result.stdout


def test_unknown_names_and_no_channels_at_all_are_told(config: Path) -> None:
    result = run(config, "http://127.0.0.1:1", "--channel", "pager")
    assert result.exit_code == ExitCode.USAGE
    assert "expected --channel to be one of ops, phone, found 'pager'" in result.stderr
    config.write_text(FILE[: FILE.index("[[channels]]")])
    result = run(config, "http://127.0.0.1:1")
    assert result.exit_code == ExitCode.USAGE
    assert "expected [[channels]] in the settings, found none" in result.stderr


def test_all_are_tried_at_once(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes its time must not make the others wait."""
    from drainwatch.alerts.answer import Answer, Outcome
    from drainwatch.cli import probes

    both = asyncio.Barrier(2)

    async def send(*_: object) -> Answer:
        async with asyncio.timeout(20):
            await both.wait()
        return Answer(Outcome.ARRIVED, "")

    monkeypatch.setattr(probes, "send", send)
    assert run(config, "http://127.0.0.1:1").exit_code == ExitCode.OK
