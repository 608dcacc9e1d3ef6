"""`drainwatch silence`: never endless, never of everything, never of criticals by mistake."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from drainwatch.cli.app import app
from drainwatch.store import Silence, Store, open_store

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200", "DRAINWATCH_CONFIG": ""})
HOUR_NS = 3_600 * 10**9


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Store]:
    """A watch's store, opened by the watch."""
    with closing(open_store(tmp_path / "watch.db")) as store:
        yield store


def run(tmp_path: Path, *words: str) -> Result:
    return RUNNER.invoke(app, ["silence", *words, "--store", f"sqlite:///{tmp_path / 'watch.db'}"])


def test_a_silence_is_kept_with_its_end_and_said_whole(watch: Store, tmp_path: Path) -> None:
    before_ns = time.time_ns()
    result = run(
        tmp_path, "add", "--reason", " tests ", "--for", "2h", "--account", "main", "--exchange", "binance",
        "--symbol", "ETH/BTC", "--kind", "slow bleed",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (made,) = watch.silences(time.time_ns())
    assert (made.account, made.exchange, made.symbol) == ("main", "binance", "ETH/BTC")
    assert (made.kind, made.reason, made.forced) == ("slow_bleed", "tests", False)
    assert before_ns <= made.from_ns == made.until_ns - 2 * HOUR_NS <= time.time_ns()
    said = "holds back warnings of kind slow bleed of account main at binance on ETH/BTC alone until"
    assert result.stdout.startswith(f"Silence {made.id} {said}")
    assert "Criticals are told all the same." in result.stdout
    assert f"drainwatch silence expire {made.id}" in result.stdout


def test_criticals_are_held_back_only_on_demand_and_loudly(watch: Store, tmp_path: Path) -> None:
    result = run(tmp_path, "add", "--reason", "x", "--for", "1h", "--account", "a", "--even-critical")
    assert "CRITICALS ARE HELD BACK, TOO" in result.stdout
    assert watch.silences()[0].forced


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "a"], "expected either --for (as 2h) or --until"),
        (["--account", "a", "--for", "1h", "--until", "2100-01-01"], "found both"),
        (["--account", "a", "--until", "2020-01-01"], "expected an end in the future"),
        (["--account", "a", "--until", "2100-01-01"], "expected an end within 30 days"),
        (["--account", "a", "--for", "31d"], "expected an end within 30 days"),
        (["--account", "a", "--for", "soon"], "expected a length of time"),
        (["--for", "1h"], "a silence of everything is like no watch at all"),
        (["--for", "1h", "--kind", "theft"], "expected a kind of planted_wall, "),
        (["--for", "1h", "--account", "a", "--reason", " "], "expected why in --reason"),
    ],
)
def test_what_would_hide_too_much_is_refused(
    watch: Store, tmp_path: Path, options: list[str], said: str
) -> None:
    result = run(tmp_path, "add", "--reason", "x", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert watch.silences() == []


def test_a_reason_is_needed(watch: Store, tmp_path: Path) -> None:
    result = run(tmp_path, "add", "--for", "1h", "--account", "a")
    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_a_name_that_nothing_has_is_doubted(watch: Store, tmp_path: Path) -> None:
    """A typo would silence nothing, and its author wouldn't know."""
    config = tmp_path / "watch.toml"
    config.write_text('[[accounts]]\nname = "main"\nexchange = "binance"\nkey_env = "K"\nsecret_env = "S"\n')
    options = ["add", "--reason", "x", "--for", "1h", "--config", str(config), "--account"]
    assert "no account 'mian' is in the settings, which have main" in run(tmp_path, *options, "mian").stderr
    assert run(tmp_path, *options, "main").stderr == ""
    assert len(watch.silences()) == 2


def test_those_that_hold_are_listed_and_the_others_on_demand(watch: Store, tmp_path: Path) -> None:
    assert run(tmp_path, "list").stdout == "No silence holds now.\n"
    assert run(tmp_path, "list", "--all").stdout == "No silence.\n"
    now_ns = time.time_ns()
    watch.add_silence(Silence(id="old", account="a", reason="was", from_ns=1, until_ns=2))
    watch.add_silence(
        Silence(
            id="new", account="b\x1b", reason="is\u202e", from_ns=1, until_ns=now_ns + HOUR_NS, forced=True
        )
    )
    listed = run(tmp_path, "list").stdout
    assert "new  warnings and criticals of account b\ufffd  yes" in listed
    assert "over" not in listed
    assert "\u202e" not in listed
    assert "over   was" in run(tmp_path, "list", "--all").stdout
    (plain,) = json.loads(run(tmp_path, "list", "--json").stdout)["silences"]
    assert (plain["id"], plain["exchange"], plain["even_critical"], plain["in_force"]) == (
        "new", None, True, True,
    )  # fmt: skip


def test_a_silence_is_ended(watch: Store, tmp_path: Path) -> None:
    watch.add_silence(Silence(id="abcd", account="a", reason="x", from_ns=1, until_ns=2**62))
    assert (
        run(tmp_path, "expire", "ab").stdout
        == "Silence abcd is over: warnings of account a are told again.\n"
    )
    assert watch.silences(time.time_ns()) == []
    assert run(tmp_path, "expire", "ab").stdout == "Nothing to do: silence abcd is over already.\n"
    result = run(tmp_path, "expire", "zz")
    assert result.exit_code == 2
    assert "which none has: see `drainwatch silence list`" in result.stderr
