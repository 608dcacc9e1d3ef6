"""The list of settings: complete, and each with its words."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import pytest

from drainwatch.config import Kind, Setting, Settings, every_setting, heading, sections
from drainwatch.config.template import toml_value

EVERY = list(every_setting())


def test_every_field_of_every_section_is_listed_once() -> None:
    listed = [(setting.section, setting.key) for setting in EVERY]
    there = [
        (section, field.name)
        for section, (struct, _) in sections().items()
        for field in msgspec.structs.fields(struct)
    ]
    assert listed == there
    assert [field.name for field in msgspec.structs.fields(Settings)] == list(sections())


@pytest.mark.parametrize("setting", EVERY, ids=lambda setting: setting.path)
def test_every_setting_has_what_people_need(setting: Setting) -> None:
    assert setting.text.endswith(".")
    assert setting.allowed
    assert setting.variable == setting.variable.upper()
    if setting.kind in {Kind.NUMBER, Kind.WHOLE}:
        assert setting.lowest < setting.highest
        assert setting.default is None or setting.lowest <= setting.default <= setting.highest
        assert math.isfinite(setting.highest)
    if setting.kind is Kind.CHOICE:
        assert setting.choices
    if setting.pattern and setting.kind is Kind.TEXT and setting.default is not None:
        assert re.search(setting.pattern, setting.default)


def test_where_secrets_are_kept_is_never_shown() -> None:
    """Somebody will write the key itself there."""
    for setting in EVERY:
        if re.search(r"_(env|file|credential)$|^url_|^store$", setting.key) and setting.key != "token_file":
            assert setting.hidden, setting.path


def test_paths_and_variables_tell_lists_from_single_tables() -> None:
    by_path = {setting.path: setting for setting in EVERY}
    assert by_path["$.watch.store"].variable == "DRAINWATCH__WATCH__STORE"
    assert by_path["$.accounts[].name"].variable == "DRAINWATCH__ACCOUNTS__N__NAME"
    assert by_path["$.accounts[].name"].default is None
    assert by_path["$.accounts[].markets"].kind is Kind.LIST
    assert by_path["$.channels[].severity"].choices == ("warning", "critical")


def test_headings_are_single_lines() -> None:
    assert heading("inlet") == "The socket in: a bot or another process pushes rows."
    assert all(heading(section).endswith(".") for section in sections())


@pytest.mark.parametrize("setting", EVERY, ids=lambda setting: setting.path)
def test_every_setting_is_documented(setting: Setting, root: Path) -> None:
    """A setting that nobody can look up isn't there."""
    page = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if f"`{setting.variable}`" in line]
    assert row.startswith(f"| `{setting.key}` | ")
    assert setting.text
    assert setting.text in row
    assert setting.allowed in row
    if setting.default is None:
        assert "| needed |" in row
    elif setting.default not in {"", ()}:
        assert f"`{toml_value(setting.default)}`" in row
