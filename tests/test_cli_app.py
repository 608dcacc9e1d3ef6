"""The verbs: options in, shells called, results and codes out. The shells themselves are stood in for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli_fakes import Replay, Summary
from drainwatch.cli import ExitCode, app, shells
from drainwatch.config import Settings
from drainwatch.errors import ConfigError, InputError, ModelError
from drainwatch.features import FEATURES, markdown
from drainwatch.model import Model, save_model
from report_fakes import fills, incident

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})
VERBS = [
    "demo",
    "replay",
    "explain",
    "train",
    "features",
    "model show",
    "lab make",
    "lab kinds",
    "lab stream",
    "init",
    "doctor",
    "incidents list",
    "incidents show",
    "incidents ack",
    "incidents close",
    "incidents false-alarm",
    "incidents export",
    "silence add",
    "silence list",
    "silence expire",
]


def replay(
    monkeypatch: pytest.MonkeyPatch, outcome: Any, *arguments: str
) -> tuple[Any, list[tuple[dict[str, Any], Path, dict[str, Any]]]]:
    """Run `drainwatch replay` with a shell that ends as told."""
    shell = Replay(outcome)
    monkeypatch.setattr(shells, "replay", shell)
    return RUNNER.invoke(app, ["replay", "--fills", "f.csv", "--out", "out", *arguments]), shell.calls


def test_replay_hands_on_every_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[incidents]\nquiet_hours = 2\n")
    others = ["trades", "quotes", "candles", "balances", "orders", "markets"]
    arguments = [word for name in others for word in (f"--{name}", f"{name}/*.csv")]
    arguments += ["--model", "m", "--config", str(config), "--strict"]
    result, calls = replay(monkeypatch, Summary(), *arguments)
    assert result.exit_code == ExitCode.OK, result.output
    assert result.exit_code == ExitCode.OK, result.output
    ((tables, out, options),) = calls
    assert tables == {"fills": "f.csv"} | {name: f"{name}/*.csv" for name in others}
    assert out == Path("out")
    assert options.pop("progress") is None
    settings = options.pop("settings")
    assert settings.incidents.quiet_hours == 2.0
    assert options == {"model": Path("m"), "strict": True}


def test_replay_needs_only_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = replay(monkeypatch, Summary())
    assert result.exit_code == ExitCode.OK
    ((tables, _, options),) = calls
    assert [name for name, path in tables.items() if path] == ["fills"]
    assert options["settings"] == Settings()
    assert options["model"] is None
    assert options["strict"] is False


@pytest.mark.parametrize(
    ("found", "arguments", "code"),
    [(1, ["--exit-code", "10"], 10), (1, [], 0), (0, ["--exit-code", "10"], 0), (1, ["--exit-code", "0"], 0)],
)
def test_exit_code_when_there_is_an_incident(
    monkeypatch: pytest.MonkeyPatch, found: int, arguments: list[str], code: int
) -> None:
    result, _ = replay(monkeypatch, Summary(incidents=[incident()] * found), *arguments)
    assert result.exit_code == code


def test_quiet_prints_nothing_and_keeps_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = replay(monkeypatch, Summary(incidents=[incident()]), "-q", "--exit-code", "9")
    assert (result.exit_code, result.output) == (9, "")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("f.csv row 2: bad"), 3, "drainwatch: f.csv row 2: bad\n"),
        (ModelError("hash differs"), 2, "drainwatch: hash differs\n"),
        (ConfigError("$.x"), 2, "drainwatch: $.x\n"),
        (KeyboardInterrupt(), 130, "drainwatch: interrupted\n"),
        (RuntimeError("boom"), 70, "drainwatch: internal error: RuntimeError: boom\n"),
    ],
)
def test_errors_end_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    result, _ = replay(monkeypatch, error)
    assert result.exit_code == code
    assert result.stderr.startswith(said)
    assert result.stdout == ""
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "--out", "out"],
        ["replay", "--fills", "f.csv"],
        ["replay", "--fills", "f.csv", "--out", "out", "--exit-code", "256"],
        ["replay", "--fills", "f.csv", "--out", "out", "--frills"],
        ["explain"],
        ["train"],
        ["train", "--out", "m", "--trades", "t.csv"],
    ],
)
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == ExitCode.USAGE
    assert "Error: " in result.stderr
    assert result.stdout == ""


def test_wrong_setting_is_code_2(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[judgement]\nfalse_alarm = 1\n")
    result = RUNNER.invoke(app, ["replay", "--fills", "f", "--out", "o", "--config", str(config)])
    assert result.exit_code == ExitCode.USAGE
    assert "did you mean `false_alarms_per_month`?" in result.stderr


def test_config_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[incidents]\nquiet_hours = 2\n")
    monkeypatch.setenv("DRAINWATCH_CONFIG", str(config))
    monkeypatch.setenv("DRAINWATCH__JUDGEMENT__FALSE_ALARMS_PER_MONTH", "3")
    _, calls = replay(monkeypatch, Summary())
    settings = calls[0][2]["settings"]
    assert (settings.incidents.quiet_hours, settings.judgement.false_alarms_per_month) == (2.0, 3.0)


def test_train_hands_on_its_options_and_shows_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def train(tables: dict[str, Any], out: Path, **options: Any) -> dict[str, Any]:
        calls.append((tables, out, options))
        return {"name": "own", "metrics": {"recall": 0.5}, "arrays": {"a": 1, "b": 2}}

    monkeypatch.setattr(shells, "train", train)
    result = RUNNER.invoke(
        app, ["train", "--out", "models/own", "--from-lab", "3", "--seed", "5", "--fills", "f.csv"]
    )
    assert result.exit_code == ExitCode.OK, result.output
    assert result.exit_code == ExitCode.OK, result.output
    ((tables, out, options),) = calls
    assert (tables["fills"], tables["trades"], out) == ("f.csv", None, Path("models/own"))
    assert options == {"months": 3, "seed": 5, "progress": None}
    assert "metrics.recall  0.5\n" in result.stdout
    assert "arrays          2\n" in result.stdout
    assert "drainwatch replay --model models/own" in result.stdout


def test_features_lists_the_registry() -> None:
    result = RUNNER.invoke(app, ["features"])
    assert result.exit_code == ExitCode.OK
    lines = result.stdout.splitlines()
    assert len(lines) == len(FEATURES) + 1
    assert lines[1].startswith(FEATURES[0].name)
    assert RUNNER.invoke(app, ["features", "--markdown"]).stdout == markdown()


def test_model_show_prints_the_card(tmp_path: Path) -> None:
    save_model(
        Model({"a": np.zeros(3)}, {"name": "mine", "trained_on": {"months": 7}, "rules": ["x", "y"]}),
        tmp_path,
    )
    result = RUNNER.invoke(app, ["model", "show", str(tmp_path)])
    assert result.exit_code == ExitCode.OK, result.output
    assert result.exit_code == ExitCode.OK, result.output
    assert "its hash matches" in result.stdout
    for line in ("trained_on.months  7", "rules              x, y", "arrays             1"):
        assert line in result.stdout


def test_model_show_prints_the_figures_as_a_table(tmp_path: Path) -> None:
    """A hundred lines of `metrics.fills.thieves.ping_pong.found` compare nothing."""

    def level(found: float) -> dict[str, Any]:
        return {
            "false_incidents_a_month": 0.2,
            "thieves": {"ping_pong": {"found": found, "gone_at_alert": 0.076}},
        }

    card = {"levels": ["fills", "orders"], "metrics": {"orders": level(1.0), "fills": level(0.5)}}
    save_model(Model({"a": np.zeros(3)}, card), tmp_path)
    shown = RUNNER.invoke(app, ["model", "show", str(tmp_path)]).stdout
    assert "metrics.fills.false_incidents_a_month" in shown
    assert "metrics.fills.thieves" not in shown
    assert shown.endswith("thief      fills     orders\nping_pong  50% / 8%  100% / 8%\n")


def test_damaged_model_is_refused(tmp_path: Path) -> None:
    save_model(Model({"a": np.zeros(3)}, {"name": "mine"}), tmp_path)
    (tmp_path / "arrays.npz").write_bytes(b"PK")
    result = RUNNER.invoke(app, ["model", "show", str(tmp_path)])
    assert result.exit_code == ExitCode.USAGE
    assert "sha256" in result.stderr


def test_explain_explains_a_fill(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.Table.from_pylist([row | {"deviation_bps": 1_200.0, "unlogged": None} for row in fills()])
    parquet.write_table(table, tmp_path / "scores.parquet")
    result = RUNNER.invoke(app, ["explain", "f3", "--out", str(tmp_path)])
    assert result.exit_code == ExitCode.OK, result.output
    assert result.exit_code == ExitCode.OK, result.output
    assert result.stdout.startswith("Fill f3 of order o3: sell XRP/ETH, account main at binance")
    again = RUNNER.invoke(app, ["explain", "f3", "--scores", str(tmp_path / "scores.parquet")])
    assert again.stdout == result.stdout


def test_explain_without_a_replay_says_what_to_do(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["explain", "f3", "--out", str(tmp_path)])
    assert result.exit_code == ExitCode.INPUT
    assert "run `drainwatch replay` first" in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_is_explained(verb: str) -> None:
    """An option without a sentence, a unit and a default is a riddle."""
    command = get_command(app)
    for word in verb.split():
        command = command.commands[word]  # type: ignore[attr-defined]
    for parameter in command.params:
        said = str(getattr(parameter, "help", ""))
        assert said.partition("  [")[0].endswith((".", ":")), (verb, parameter.name)
    shown = RUNNER.invoke(app, [*verb.split(), "--help"])
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
