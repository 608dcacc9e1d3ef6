"""The commented file: whatever it is made of, it loads to the same."""

# ruff: noqa: S106 - where secrets are kept isn't secret

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.config import (
    Account,
    Bot,
    BotKind,
    Channel,
    ChannelKind,
    Inlet,
    Response,
    ResponseKind,
    Settings,
    Severity,
    Watch,
    every_setting,
    load_settings,
)
from drainwatch.config.template import to_toml, toml_value

FULL = Settings(
    watch=Watch(store='sqlite:////var/lib/a b"\\.db', record="rec", alive_daily=True, alive_hour_utc=0),
    accounts=(
        Account(name="main", exchange="okx", key_env="K", secret_file="~/s", passphrase_credential="p",
                markets=("ETH/BTC", "BTC/USDT:USDT")),
        Account(name="wallet", exchange="hyperliquid", address="0x" + "aB" * 20),
    ),
    channels=(
        Channel(
            name="phone", kind=ChannelKind.TELEGRAM, url_env="U", chat_id="-1", severity=Severity.CRITICAL
        ),
    ),
    inlet=Inlet(enabled=True, port=0, account="main"),
    responses=(
        Response(name="run", kind=ResponseKind.COMMAND, command=("/bin/a", "b, 'c' \"d\""), dry_run=False),
    ),
    bots=(Bot(kind=BotKind.HUMMINGBOT, database="/b.sqlite", account="main"),),
)  # fmt: skip


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "drainwatch.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, {})


@pytest.mark.parametrize("settings", [Settings(), FULL], ids=["defaults", "full"])
def test_it_loads_to_what_it_was_made_of(tmp_path: Path, settings: Settings) -> None:
    assert load(tmp_path, to_toml(settings, "Two lines\nof a head")) == settings


def test_every_setting_is_there_with_its_default_commented_out() -> None:
    text = to_toml(Settings())
    for setting in every_setting():
        found = re.findall(rf"^# {setting.key} = (.*)$", text, flags=re.MULTILINE)
        assert found, setting.path
        if setting.default is not None:
            assert toml_value(setting.default) in found
        assert setting.text.split()[0] in text


def test_only_what_differs_is_set() -> None:
    set_lines = [line for line in to_toml(FULL).splitlines() if re.match(r"[a-z_]+ = ", line)]
    assert 'record = "rec"' in set_lines
    assert not any(line.startswith("record_gb") for line in set_lines)
    assert len([line for line in to_toml(Settings()).splitlines() if re.match(r"[a-z_]+ = ", line)]) == 0


def test_defaults_may_be_uncommented(tmp_path: Path) -> None:
    """Who takes away a `# ` gets what the comment promised."""
    text = re.sub(r"^# (?!#)", "", to_toml(Settings()), flags=re.MULTILINE)
    tables = tomllib.loads(text)
    assert set(tables) == {setting.section for setting in every_setting()}
    singles = {name: table for name, table in tables.items() if isinstance(table, dict)}
    written = "\n".join(
        f"[{name}]\n" + "\n".join(f"{key} = {toml_value(value)}" for key, value in table.items())
        for name, table in singles.items()
    )
    assert load(tmp_path, written) == Settings()


def test_lines_are_short() -> None:
    assert max(len(line) for line in to_toml(Settings()).splitlines()) <= 100


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**60), 2**60) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.text(st.characters(exclude_categories=["Cs"]))))  # fmt: skip # noqa: E501
def test_values_come_back(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value
