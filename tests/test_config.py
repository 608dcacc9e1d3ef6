"""Settings: refused loudly where wrong, with the path and the nearest name."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.config import Setting, Settings, every_setting, load_settings
from drainwatch.errors import ConfigError

EVERY = list(every_setting())


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "drainwatch.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults() -> None:
    assert load_settings(None, {}) == Settings()
    assert Settings().judgement.false_alarms_per_month == 0.1
    assert Settings().incidents.quiet_hours == 6.0


def test_file_before_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "[judgement]\nfalse_alarms_per_month = 1\n")
    settings = load_settings(path, {})
    assert settings.judgement.false_alarms_per_month == 1.0
    assert isinstance(settings.judgement.false_alarms_per_month, float)
    assert settings.incidents.quiet_hours == 6.0


def test_environment_before_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[judgement]\nfalse_alarms_per_month = 1\n[incidents]\nquiet_hours = 2\n")
    env = {
        "DRAINWATCH__JUDGEMENT__FALSE_ALARMS_PER_MONTH": "0.5",
        "DRAINWATCH__INCIDENTS__QUIET_HOURS": "",  # empty is absent
        "DRAINWATCH_CONFIG": "another thing",
        "PATH": "/bin",
    }
    settings = load_settings(path, env)
    assert settings.judgement.false_alarms_per_month == 0.5
    assert settings.incidents.quiet_hours == 2.0


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAINWATCH__INCIDENTS__QUIET_HOURS", "3")
    assert load_settings().incidents.quiet_hours == 3.0


BUDGET = "expected incidents an account-month from 0.001 to 10, found "
QUIET = "expected hours from 0.1 to 168, found "
SECTION = "expected a section of `judgement`, `incidents`, found "
MEANT = "; did you mean `false_alarms_per_month`?"
SETTING = "expected a setting of `false_alarms_per_month`, found "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[judgement]\nfalse_alarm = 1",
            f"{SETTING}`false_alarm` at $.judgement.false_alarm in FILE{MEANT}",
        ),
        ("[judgment]", f"{SECTION}`judgment` at $.judgment in FILE; did you mean `judgement`?"),
        ("[zzz]", f"{SECTION}`zzz` at $.zzz in FILE"),
        ("judgement = 3", "expected a section `[judgement]`, found `3` at $.judgement in FILE"),
        (
            '[judgement]\nfalse_alarms_per_month = "often"',
            f"{BUDGET}`often` at $.judgement.false_alarms_per_month in FILE",
        ),
        ("[incidents]\nquiet_hours = -1", f"{QUIET}`-1` at $.incidents.quiet_hours in FILE"),
        ("[incidents]\nquiet_hours = nan", f"{QUIET}`nan` at $.incidents.quiet_hours in FILE"),
        ("[incidents]\nquiet_hours = true", f"{QUIET}`true` at $.incidents.quiet_hours in FILE"),
        ("[incidents]\nquiet_hours = [1]", f"{QUIET}`[1]` at $.incidents.quiet_hours in FILE"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match="^" + re.escape(said.replace("FILE", str(path))) + "$"):
        load_settings(path, {})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INCIDENTS__QUIET", "3", "`quiet` at $.incidents.quiet in VARIABLE; did you mean `quiet_hours`?"),
        ("INCIDENTS", "3", "`` at $.incidents. in VARIABLE"),
        ("QUIET_HOURS", "3", "`quiet_hours` at $.quiet_hours in VARIABLE"),
        ("INCIDENTS__QUIET_HOURS", "long", "`long` at $.incidents.quiet_hours in VARIABLE"),
    ],
)
def test_wrong_variables_are_named(name: str, value: str, said: str) -> None:
    """A variable that is misspelled and ignored leaves the owner with a budget that he didn't choose."""
    name = f"DRAINWATCH__{name}"
    said = "found " + said.replace("VARIABLE", f"the environment variable {name}")
    with pytest.raises(ConfigError, match=re.escape(said) + "$"):
        load_settings(None, {name: value})


@pytest.mark.parametrize(
    "content", [b"judgement = [", b"\xff\xfe", b"[judgement]\n[judgement]\n", b"a" + b"[" * 5_000]
)
def test_what_isnt_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"expected TOML in UTF-8 in .*x\.toml, found otherwise"):
        load_settings(path, {})


@pytest.mark.parametrize("name", ["absent.toml", ".", "\0"])
def test_unreadable_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="expected a settings file at"):
        load_settings(tmp_path / name, {})


@given(st.text(max_size=60))
def test_any_text_gives_settings_or_a_config_error(value: str) -> None:
    with contextlib.suppress(ConfigError):
        settings = load_settings(None, {"DRAINWATCH__INCIDENTS__QUIET_HOURS": value})
        assert 0.1 <= settings.incidents.quiet_hours <= 168


def test_settings_cant_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().judgement.false_alarms_per_month = 3.0  # type: ignore[misc]


def test_settings_survive_their_own_toml() -> None:
    assert msgspec.convert(msgspec.to_builtins(Settings()), Settings) == Settings()


@pytest.mark.parametrize("setting", EVERY, ids=lambda setting: setting.path)
def test_every_setting_is_documented(setting: Setting, root: Path) -> None:
    """A setting that nobody can look up isn't there."""
    page = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if f"`{setting.key}`" in line]
    for said in (
        f"{setting.default:g}",
        f"{setting.highest:g}",
        setting.unit,
        setting.text,
        setting.variable,
    ):
        assert said in row
