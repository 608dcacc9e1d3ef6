"""`drainwatch keys check` against five exchanges on this machine: a table, JSON, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drainwatch.cli import ExitCode, app
from drainwatch.lab.exchange.faults import Fault
from drainwatch.venues import rest
from keys_lab import DAY_MS, ENV, HOSTS, KEY, PASSPHRASE, SECRET, Place, place, serving, write


def run(config: Path, *words: str, env: dict[str, str] | None = None) -> Any:
    runner = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100", **(ENV if env is None else env)})
    return runner.invoke(app, ["keys", "check", "--config", str(config), *words])


def checked(folder: Path, *places: Place, more: str = "") -> dict[str, dict[str, Any]]:
    """Give what `--json` says, by account and subject."""
    with serving(*places):
        result = run(write(folder, *places, more=more), "--json")
    told = json.loads(result.stdout)
    assert told["ok"] is (result.exit_code == ExitCode.OK)
    assert not any(secret in result.output for secret in (KEY, SECRET, PASSPHRASE))
    return {
        one["account"]: {finding["subject"]: finding for finding in one["findings"]}
        for one in told["accounts"]
    }


def test_five_keys_that_only_read_are_fine(tmp_path: Path) -> None:
    places = [place(venue) for venue in HOSTS]
    with serving(*places):
        result = run(write(tmp_path, *places))
    assert result.exit_code == ExitCode.OK, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["account", "looked", "at", "state", "found"]
    for venue in HOSTS:
        at = next(number for number, line in enumerate(lines) if line.startswith(f"{venue} at {venue}"))
        assert [line.split()[-1] for line in lines[at : at + 3]] == ["yes", "no", "no"]
    assert lines[-1] == "Nothing bad is known; look yourself at what isn't told."
    assert "  binance at binance, other facts: Look at https://" in result.stdout
    assert not any(secret in result.output for secret in (KEY, SECRET, PASSPHRASE))


def test_a_key_that_can_trade_and_withdraw_from_everywhere_is_bad_at_each(tmp_path: Path) -> None:
    places = [place(venue, can_trade=True, can_withdraw=True, ip_restricted=False) for venue in HOSTS]
    found = checked(tmp_path, *places)
    for venue in HOSTS:
        for subject in ("trading", "withdrawal", "addresses"):
            assert found[venue][subject]["state"] == "bad", (venue, subject)
            assert found[venue][subject]["advice"]


def test_what_the_settings_allow_is_no_longer_bad(tmp_path: Path) -> None:
    able = place("kucoin", can_trade=True, can_withdraw=True)
    found = checked(tmp_path, able, more="allow_trading_key = true\nallow_withdrawal_key = true")
    assert {found["kucoin"][subject]["state"] for subject in ("trading", "withdrawal")} == {"warn"}


def test_age_and_end_are_told(tmp_path: Path) -> None:
    old, soon = place("kucoin"), place("bybit")
    old.key.created_ms -= 400 * DAY_MS
    soon.key.expires_ms = soon.exchange.clock() + 3 * DAY_MS
    found = checked(tmp_path, old, soon)
    assert found["kucoin"]["age"]["state"] == "warn"
    assert found["kucoin"]["age"]["found"] == "407 days"
    assert (found["bybit"]["end"]["state"], found["bybit"]["end"]["found"]) == ("warn", "in 2 days")


@pytest.mark.parametrize("venue", HOSTS)
def test_a_key_that_isnt_taken_any_more_is_bad(tmp_path: Path, venue: str) -> None:
    (finding,) = checked(tmp_path, place(venue, revoked=True))[venue].values()
    assert finding["state"] == "bad"
    assert "has it expired" in finding["advice"]


def test_an_exchange_that_doesnt_answer_is_no_good_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_TRIES", 1)
    broken = place("bybit")
    broken.faults.set({Fault.SERVER_ERROR: 1.0})
    (finding,) = checked(tmp_path, broken)["bybit"].values()
    assert finding["state"] == "bad"
    assert "bybit: asking what the key may do failed" in finding["found"]


def test_one_account_can_be_chosen(tmp_path: Path) -> None:
    places = [place("binance"), place("okx")]
    with serving(*places):
        config = write(tmp_path, *places)
        result = run(config, "--account", "okx", "--json")
        wrong = run(config, "--account", "okk")
    assert [one["account"] for one in json.loads(result.stdout)["accounts"]] == ["okx"]
    assert wrong.exit_code == ExitCode.USAGE
    assert "there is binance and okx" in wrong.stderr


def test_a_key_that_isnt_there_is_said_without_a_network(tmp_path: Path) -> None:
    result = run(write(tmp_path, place("binance")), env={"LAB_KEY": "", "LAB_SECRET": ""})
    assert result.exit_code == ExitCode.FAILED
    assert "expected a secret in the environment variable that key_env names" in result.stdout
    assert result.stdout.endswith("Something is bad: change that first.\n")


def test_without_accounts_it_says_how_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    result = run(path)
    assert result.exit_code == ExitCode.USAGE
    assert "drainwatch init" in result.stderr
