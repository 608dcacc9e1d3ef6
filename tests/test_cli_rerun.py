"""`drainwatch rerun` and `drainwatch journal export` as a user meets them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from drainwatch.cli.app import app
from drainwatch.config import Settings
from drainwatch.events import NS_PER_S
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import new_engine
from drainwatch.rows import Balance, Fill, Quote, Row
from drainwatch.store import open_store
from drainwatch.tape import BEGAN, ROWS, TURN, FrameRecorder
from drainwatch.watch.core import Core
from drainwatch.watch.hub import TAPED, TapedOrigin
from drainwatch.watch.rerun import NothingKept

T0 = 1_760_000_000 * NS_PER_S
MODEL = load_model(default_model_path())
RUNNER = CliRunner()


def rows(*, stolen: bool = False) -> list[Row]:
    """An owner's fills at the market's price; then a thief's at three times and a third of it."""
    out: list[Row] = [Balance(exchange="x", account="a", currency="B", ts_ns=T0, total=10.0)]
    prices = [("1", "buy")] * 4 + [("3", "buy"), ("0.3", "sell")] * (4 if stolen else 0)
    for i, (price, side) in enumerate(prices, 1):
        at_ns = T0 + i * NS_PER_S
        out.append(Quote(exchange="x", symbol="A/B", ts_ns=at_ns - 1_000, bid=0.99, ask=1.01))
        out.append(
            Fill(
                exchange="x", account="a", symbol="A/B", id=str(i), order=str(i), ts_ns=at_ns, side=side,
                price=price, amount="1",
            )
        )  # fmt: skip
    return out


def recorded(folder: Path, *, stolen: bool = False) -> Path:
    core = Core(lambda names: new_engine(MODEL, names, Settings()), NothingKept())
    judged_by = {"model": MODEL.card["arrays_sha256"], "false_alarms_per_month": 0.1, "quiet_hours": 6.0}
    recorder = FrameRecorder(folder / "tape")
    recorder.record(TAPED, T0, msgspec.json.encode(TapedOrigin(core.origin(), judged_by)), BEGAN)
    recorder.record(TAPED, T0, msgspec.json.encode(rows(stolen=stolen)), ROWS)
    for minutes in (1, 180):
        recorder.record(TAPED, T0 + minutes * 60 * NS_PER_S, b"[]", TURN)
    recorder.close()
    return folder / "tape"


def test_a_tape_is_judged_and_its_outcome_told(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["rerun", str(recorded(tmp_path)), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "Judged: 4 fills" in result.stdout
    assert "nothing that looks like a drain" in result.stdout
    for name in ("incidents.jsonl", "scores.parquet", "report.html"):
        assert (tmp_path / "out" / name).exists()


def test_other_settings_can_be_tried_on_it(tmp_path: Path) -> None:
    config = tmp_path / "s.toml"
    config.write_text("[incidents]\nquiet_hours = 1\n")
    tape = recorded(tmp_path, stolen=True)
    closed = []
    for number, options in enumerate(([], ["--config", str(config)])):
        out = tmp_path / f"out{number}"
        result = RUNNER.invoke(app, ["rerun", str(tape), "--out", str(out), *options])
        assert result.exit_code == 0, result.output
        assert "Found: 1 incident" in result.stdout
        closed.append(json.loads((out / "incidents.jsonl").read_text())["closed_at"] is not None)
    assert closed == [False, True]


def test_no_tape_is_said_in_words(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["rerun", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code not in {0, 70}
    assert "recorded frames" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_journal_is_exported_and_the_command_that_replays_it_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    with closing(open_store(url)) as store:
        core = Core(lambda names: new_engine(MODEL, names, Settings()), store)
        for row in rows():
            core.add(row, T0)
        core.judge(T0 + 60 * NS_PER_S)
    out = tmp_path / "tables"
    result = RUNNER.invoke(app, ["journal", "export", "--store", url, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "beginning was dropped" not in result.stderr
    said = result.stdout.split("Judge it: drainwatch ")[1].split()
    assert said[:3] == ["replay", "--balances", str(out / "balances.jsonl")]
    said[said.index("--out") + 1] = str(tmp_path / "out")
    replayed = RUNNER.invoke(app, said)
    assert replayed.exit_code == 0, replayed.output
    assert "Judged: 4 fills" in replayed.stdout


def test_a_store_without_a_journal_is_said_in_words(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    result = RUNNER.invoke(app, ["journal", "export", "--store", url, "--out", str(tmp_path / "tables")])
    assert result.exit_code not in {0, 70}
    assert "nothing was watched yet" in result.stderr
