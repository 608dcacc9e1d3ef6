"""Settings: refused loudly where wrong, with the path and the nearest name."""

from __future__ import annotations

import contextlib
import re
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.config import BotKind, Setting, Settings, every_setting, load_settings
from drainwatch.config.load import _convert
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
SECTION = (
    "expected a section of `judgement`, `incidents`, `watch`, `accounts`, `channels`, `inlet`, `outlet`, "
    "`health`, `bots`, `responses`, found "
)
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


LISTS = """
[[accounts]]
name = "main"
exchange = "binance"
key_env = "K"
secret_env = "S"
markets = ["ETH/BTC"]
"""


def test_lists_of_tables_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, LISTS + '[[bots]]\nkind = "freqtrade"\ndatabase = "t.sqlite"\n')
    settings = load_settings(path, {})
    (account,), (bot,) = settings.accounts, settings.bots
    assert (account.name, account.markets) == ("main", ("ETH/BTC",))
    assert bot.kind is BotKind.FREQTRADE
    assert settings.channels == ()


def test_environment_reaches_into_lists_and_adds_to_them(tmp_path: Path) -> None:
    env = {
        "DRAINWATCH__ACCOUNTS__0__MARKETS": " ETH/USDT, BTC/USDT:USDT ,",
        "DRAINWATCH__ACCOUNTS__1__NAME": "second",
        "DRAINWATCH__ACCOUNTS__1__EXCHANGE": "hyperliquid",
        "DRAINWATCH__ACCOUNTS__1__ADDRESS": "0x" + "aB" * 20,
        "DRAINWATCH__HEALTH__ENABLED": "Yes",
        "DRAINWATCH__WATCH__HOLD_BACK_MS": "500",
    }
    settings = load_settings(write(tmp_path, LISTS), env)
    assert settings.accounts[0].markets == ("ETH/USDT", "BTC/USDT:USDT")
    assert settings.accounts[0].key_env == "K"
    assert settings.accounts[1].name == "second"
    assert settings.health.enabled is True
    assert settings.watch.hold_back_ms == 500


def test_options_go_before_everything(tmp_path: Path) -> None:
    path = write(tmp_path, '[watch]\nrecord = "a"\nalive_daily = true')
    env = {"DRAINWATCH__WATCH__RECORD": "b"}
    options = {"watch.record": "c", "watch.alive_daily": None}
    settings = load_settings(path, env, options)
    assert (settings.watch.record, settings.watch.alive_daily) == ("c", True)
    with pytest.raises(ConfigError, match=r"at [$].watch.hold_back_ms in the command line"):
        load_settings(path, env, {"watch.hold_back_ms": -1})


SEVERAL = "expected a name of 1 to 40 letters, digits, _ . -, found "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[accounts]", "expected a section `[[accounts]]`, found another value at $.accounts in FILE"),
        ("accounts = [3]", "expected a section `[[accounts]]`, found another value at $.accounts in FILE"),
        ("[[watch]]", "expected a section `[watch]`, found another value at $.watch in FILE"),
        ('[[accounts]]\nexchange = "okx"', "_ . - at $.accounts[0].name in FILE, found nothing there"),
        (LISTS + '[[accounts]]\nname = ""', f"{SEVERAL}`` at $.accounts[1].name in FILE"),
        (LISTS + "[[accounts]]\nnam = 3", "`nam` at $.accounts[1].nam in FILE; did you mean `name`?"),
        ('[[channels]]\nname = "a"\nkind="slak"', "at $.channels[0].kind in FILE; did you mean `slack`?"),
        ("[watch]\nhold_back_ms = 1.5", "from 0 to 60000 (ms), found `1.5` at $.watch.hold_back_ms in FILE"),
        ("[watch]\nalive_daily = 1", "expected true or false, found `1` at $.watch.alive_daily in FILE"),
        ("[watch]\nrecord = [1]", "expected a path, found `[1]` at $.watch.record in FILE"),
        (LISTS.replace("ETH/BTC", "ETHBTC"), "found `['ETHBTC']` at $.accounts[0].markets in FILE"),
    ],
)  # fmt: skip
def test_wrong_settings_of_the_live_part_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(said.replace("FILE", str(path))) + "$"):
        load_settings(path, {})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ACCOUNTS", "expected a number and a key, as in DRAINWATCH__ACCOUNTS__0__NAME"),
        ("ACCOUNTS__0", "expected a number and a key"),
        ("ACCOUNTS__MAIN__NAME", "expected a number and a key"),
        ("ACCOUNTS__-1__NAME", "expected a number and a key"),
        ("ACCOUNTS__99999__NAME", "expected a number and a key"),
        ("ACCOUNTS__1__NAME", "ACCOUNTS__1__NAME, but no $.accounts[0]"),
        ("ACCOUNTS__0__NAM", "`nam` at $.accounts[0].nam in the environment variable"),
        ("ACCOUNTS__0__EXCHANGE", "at $.accounts[0].name in the environment, found nothing there"),
    ],
)  # fmt: skip
def test_wrong_variables_for_lists_are_named(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_settings(None, {f"DRAINWATCH__{name}": "okx"})


PLANTED = "PlAnTeD/secret:0123456789abcdefXYZ=="


@pytest.mark.parametrize(
    "text",
    [
        f'[[accounts]]\nkey = "{PLANTED}"',
        f'[[accounts]]\napiKey = "{PLANTED}"',
        f'[[accounts]]\nsecret = "{PLANTED}"',
        f'[[accounts]]\npassword = "{PLANTED}"',
        f'[[accounts]]\nkey_env = "{PLANTED}"',
        f'[[accounts]]\nsecret_credential = "{PLANTED}"',
        f'[[accounts]]\nurl_rest = "https://user:{PLANTED}@host"',
        f'[[channels]]\nurl = "https://hooks.example/{PLANTED}"',
        f'[[channels]]\nbot_token = "{PLANTED}"',
        f'accounts = "{PLANTED}"',
        f'accounts = ["{PLANTED}"]',
        f'[watch]\nstore = "postgresql://user:{PLANTED}@host/db"',
        f'[watch]\nstore = "postgresql://user@host/db?password={PLANTED}"',
        f'[watch]\nstore_password = "{PLANTED}"',
        f'[[accounts]]\nkey = "{PLANTED}',
        f"[[accounts]]\nkey = {PLANTED}",
        f'[[accounts]]\nkey = "{PLANTED}" "{PLANTED}"',
        f'[[accounts]]\nsecret = "\\{PLANTED}"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(tmp_path: Path, text: str) -> None:
    """An error message is what people paste first when they ask for help."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, text), {})
    shown = "".join(traceback.format_exception(caught.value))
    assert PLANTED not in shown
    assert "0123456789abcdef" not in shown


def test_how_to_keep_a_secret_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"`key_env`, `key_file`, `key_credential` or `key_keyring`.*chmod 600.*key_file ="
    ):
        load_settings(write(tmp_path, '[[accounts]]\nkey = "x"'), {})
    with pytest.raises(ConfigError, match="`secret_env`"):
        load_settings(None, {"DRAINWATCH__ACCOUNTS__0__SECRET": "x"})


@given(st.sampled_from(EVERY), st.text(max_size=80) | st.integers().map(str) | st.floats().map(str))
def test_any_text_in_any_variable_gives_settings_or_a_config_error(setting: Setting, value: str) -> None:
    variable = setting.variable.replace("__N__", "__0__")
    with contextlib.suppress(ConfigError):
        load_settings(None, {variable: value})


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([s.section for s in EVERY]) | st.text(max_size=5), st.dictionaries(st.sampled_from([s.key for s in EVERY]), VALUES, max_size=4) | st.lists(st.dictionaries(st.sampled_from([s.key for s in EVERY]), VALUES, max_size=4), max_size=2) | VALUES, max_size=3))  # fmt: skip # noqa: E501
def test_any_file_gives_settings_or_a_config_error(given_tables: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(_convert(given_tables, {}, "FILE"), Settings)
