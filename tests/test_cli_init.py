"""`drainwatch init`: what is asked, what is written, and what is never written or shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drainwatch.cli import ExitCode, app
from drainwatch.cli.init import place
from drainwatch.config import ChannelKind, load_settings
from drainwatch.errors import ConfigError

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})


def test_yes_writes_a_file_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "new" / "d.toml"
    result = RUNNER.invoke(app, ["init", "--yes", "--config", str(path)])
    assert result.exit_code == ExitCode.OK, result.output
    settings = load_settings(path, {})
    (account,) = settings.accounts
    assert (account.name, account.exchange, account.key_env, account.secret_env) == (
        "main",
        "binance",
        "BINANCE_KEY",
        "BINANCE_SECRET",
    )
    assert settings.watch.store == f"sqlite:///{path.parent / 'drainwatch.db'}"
    assert f"drainwatch doctor --send --config {path}" in result.stdout
    assert "# quiet_hours = 6.0" in path.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="no such rights there")
@pytest.mark.parametrize("there", [False, True])
def test_the_file_is_its_owners_alone(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "d.toml"
    if there:
        path.write_text("")
        path.chmod(0o644)
    before = os.umask(0)
    try:
        assert RUNNER.invoke(app, ["init", "--yes", "--force", "--config", str(path)]).exit_code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.toml"]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text("mine")
    result = RUNNER.invoke(app, ["init", "--yes", "--config", str(path)])
    assert result.exit_code == ExitCode.USAGE
    assert "--force" in result.stderr
    assert path.read_text() == "mine"


def test_answers_are_asked_for_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    answers = ["okx", "", "~/k", "credential:okx-secret", "", "telegram", "BOT", "-1001", "sqlite:///x.db"]
    result = RUNNER.invoke(app, ["init", "--config", str(path)], input="\n".join(answers) + "\n")
    assert result.exit_code == ExitCode.OK, result.output
    settings = load_settings(path, {})
    (account,), (channel,) = settings.accounts, settings.channels
    assert account.key_file == "~/k"
    assert account.secret_credential == "okx-secret"  # noqa: S105
    assert account.passphrase_env == "OKX_PASSPHRASE"  # noqa: S105
    assert (channel.kind, channel.url_env, channel.chat_id) == (ChannelKind.TELEGRAM, "BOT", "-1001")
    assert settings.watch.store == "sqlite:///x.db"
    assert "Make one that only reads" in result.stderr
    assert "exchange [binance]: " in result.stderr
    assert result.stdout.startswith("Written: ")


def test_hyperliquid_needs_an_address_and_no_key(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    address = "0x" + "aB" * 20
    words = ["init", "--yes", "--exchange", "hyperliquid", "--address", address, "--config", str(path)]
    assert RUNNER.invoke(app, words).exit_code == 0
    (account,) = load_settings(path, {}).accounts
    assert (account.address, account.key_env) == (address, "")
    path.unlink()
    missing = RUNNER.invoke(app, ["init", "--yes", "--exchange", "hyperliquid", "--config", str(path)])
    assert missing.exit_code == ExitCode.USAGE
    assert "$.accounts[0].address in your answers" in missing.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--channel", "carrier-pigeon"], "expected one of `slack`, `discord`, `telegram`, `webhook`"),
        (["--channel", "telegram"], "expected the chat's number at $.channels[0].chat_id in your answers"),
        (["--account", "[red]"], "expected a name of 1 to 40"),
        (["--store", "mysql://x"], "at $.watch.store in your answers"),
        (["--exchange", "Bin ance"], "at $.accounts[0].exchange in your answers"),
    ],
)
def test_wrong_answers_write_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    path = tmp_path / "d.toml"
    result = RUNNER.invoke(app, ["init", "--yes", "--config", str(path), *words])
    assert result.exit_code == ExitCode.USAGE
    assert said in result.stderr
    assert not path.exists()


def test_the_end_of_the_input_is_no_answer(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["init", "--config", str(tmp_path / "d.toml")], input="okx\n")
    assert result.exit_code == ExitCode.USAGE
    assert "expected an answer to `account`" in result.stderr


@pytest.mark.parametrize(
    "planted", ["vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "ab/cd+ef==", "a-b-c", ""]
)
def test_a_key_given_for_its_place_is_neither_shown_nor_written(tmp_path: Path, planted: str) -> None:
    path = tmp_path / "d.toml"
    result = RUNNER.invoke(app, ["init", "--yes", "--config", str(path), "--key", planted])
    assert result.exit_code == ExitCode.USAGE
    assert "not shown" in result.stderr
    assert not planted or planted not in result.output
    assert not path.exists()


def test_places_are_told_apart() -> None:
    assert place("a", "NAME_1", "key") == {"a_env": "NAME_1"}
    assert place("a", "credential:x", "key") == {"a_credential": "x"}
    for path in ("./k", "/run/k", "~/k", "../k", r"C:\k"):
        assert place("a", path, "key") == {"a_file": path}
    with pytest.raises(ConfigError, match="not shown"):
        place("a", "/", "key")
