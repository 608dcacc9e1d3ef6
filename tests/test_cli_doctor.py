"""`drainwatch doctor`: a table for people, JSON for programs, 1 where something failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from doctor_fakes import KEY, RIGHTS, SECRET, URL, FakeVenue, failing, tools
from drainwatch.cli import ExitCode, app, probes
from drainwatch.errors import StateError, VenueError

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})
FILE = """
[[accounts]]
name = "main"
exchange = "binance"
key_env = "K"
secret_env = "S"
markets = ["ETH/BTC"]

[[channels]]
name = "hook"
kind = "slack"
url_env = "U"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "d.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


def run(monkeypatch: pytest.MonkeyPatch, config: Path, *words: str, **changes: Any) -> Any:
    monkeypatch.setattr(probes, "tools", lambda: tools(**changes))
    return RUNNER.invoke(app, ["doctor", "--config", str(config), *words])


def test_all_is_well(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, "--send")
    assert result.exit_code == ExitCode.OK, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"ok      settings: {config}: accounts 1, channels 1"
    assert lines[-1] == "Ready: 17 ok, 1 skipped."
    told = [line for line in lines[:-2] if not line.startswith("        ")]
    assert [line for line in told if not line.startswith("ok      ")] == [
        "skipped main at binance: key's other facts: end, last use and which other keys there are"
    ]
    assert not any(secret in result.output for secret in (KEY, SECRET, URL))


def test_a_warning_is_no_failure(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, venue=FakeVenue({"rights": RIGHTS | {"ipRestrict": False}}))
    assert result.exit_code == ExitCode.OK
    assert "warn    main at binance: key's addresses: it works from everywhere\n        Bind it to" in (
        result.stdout
    )
    assert result.stdout.endswith("It would run: 15 ok, 1 warn, 2 skipped. Look at the warnings.\n")


def test_a_failure_is_code_1(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, venue=FakeVenue({"markets": VenueError("binance: no route")}))
    assert result.exit_code == ExitCode.FAILED
    assert "fail    main at binance: exchange: binance: no route\n" in result.stdout
    assert "Not ready: " in result.stdout


def test_json_for_programs(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, "--json", open_store=failing(StateError("in use")))
    assert result.exit_code == ExitCode.FAILED
    told = json.loads(result.stdout)
    assert told["ok"] is False
    failed = [check for check in told["checks"] if check["status"] == "fail"]
    assert [(check["name"], check["found"]) for check in failed] == [("store", "in use")]
    assert json.loads(run(monkeypatch, config, "--json").stdout)["ok"] is True


def test_wrong_settings_are_the_only_check(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    config.write_text("[wacht]")
    result = run(monkeypatch, config)
    assert result.exit_code == ExitCode.FAILED
    assert "found `wacht` at $.wacht" in result.stdout
    assert "did you mean `watch`?" in result.stdout
    assert "drainwatch init" in result.stdout


def test_a_streamless_doctor_says_so(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, hear=None)
    assert "skipped main at binance: streams: not listened to here" in result.stdout
