"""The demo: what it says of a drain found and of one missed, and one real run of it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli_fakes import Replay, Summary
from drainwatch.cli import ExitCode, app, demo, shells
from drainwatch.cli.screen import Screen
from drainwatch.cli.stage import Alert, Loss
from drainwatch.report import to_text
from report_fakes import START_MS, incident

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})


def test_demo_shows_a_drain_being_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = incident(alerted_at=START_MS + 30_000)
    shell = Replay(Summary(incidents=[found], out=tmp_path))
    asked = []

    def simulate(folder: Path, thief: str, seed: int) -> shells.Simulated:
        asked.append((thief, seed))
        losses = [(START_MS, 10.0), (START_MS + 30_000, 20.0), (START_MS + 60_000, 970.0)]
        return shells.Simulated(
            {"fills": str(folder / "fills.csv")}, "a grid bot", "he takes it.", losses, 4_000.0
        )

    monkeypatch.setattr(shells, "simulate", simulate)
    monkeypatch.setattr(shells, "replay", shell)
    result = RUNNER.invoke(app, ["demo", "--out", str(tmp_path), "--seed", "3", "--thief", "slow_bleed"])
    assert result.exit_code == ExitCode.OK, result.output
    assert asked == [("slow_bleed", 3)]
    assert shell.calls[0][0] == {"fills": str(tmp_path / "tables" / "fills.csv")}
    assert to_text(found) in result.stdout
    assert str(tmp_path / "report.html") in result.stdout
    assert (
        "The truth, which only the simulator knows: the first stolen fill was on 7 Mar 2018 14:55:00 UTC; "
        "1,000 USDT would have gone, 25 % of the account. At the alert it was 30.00 USDT, 3 % of that.\n"
    ) in result.stdout
    assert "\n  drainwatch replay --fills YOUR_FILLS.csv" in result.stdout


def test_demo_admits_what_it_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = shells.Simulated({"fills": "f.csv"}, "a grid bot", "he takes it.", [(START_MS, 10.0)], 4_000.0)
    monkeypatch.setattr(shells, "simulate", lambda *_: made)
    monkeypatch.setattr(shells, "replay", Replay(Summary(out=tmp_path)))
    result = RUNNER.invoke(app, ["demo", "--out", str(tmp_path)])
    assert "There was no alert." in result.stdout


def test_demo_names_every_thief() -> None:
    """One whom the help doesn't name is never tried."""
    from drainwatch.lab.scenario import THIEVES

    shown = RUNNER.invoke(app, ["demo", "--help"]).stdout
    assert [thief for thief in THIEVES if thief not in shown] == []


@pytest.mark.parametrize("arguments", [["--view"], ["--seconds", "3"], ["--live", "--seconds", "-1"]])
def test_options_of_the_live_demo_want_it(arguments: list[str]) -> None:
    result = RUNNER.invoke(app, ["demo", *arguments])
    assert result.exit_code == ExitCode.USAGE
    assert result.stdout == ""


@pytest.mark.parametrize("thief", ["thin_perp", "leverage_max"])
def test_a_thief_in_derivatives_is_refused_by_name(thief: str) -> None:
    result = RUNNER.invoke(app, ["demo", "--live", "--thief", thief])
    assert result.exit_code == ExitCode.USAGE
    assert thief in result.stderr
    assert "--thief" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_alert_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missed(*_: Any, **__: Any) -> bool:
        return False

    monkeypatch.setattr(demo, "_live", missed)
    assert RUNNER.invoke(app, ["demo", "--live"]).exit_code == ExitCode.FAILED


STAGE: Any = SimpleNamespace(all=Loss(206, 725.97))


def test_a_miss_is_called_one() -> None:
    said = demo._end(STAGE, None, 1_334.0)
    assert said.startswith(
        "Not found: the thief had what he wanted, 725.97 USDT, 54 % of the account, in 206 fills"
    )


def test_an_alert_is_set_against_the_truth() -> None:
    alert = Alert("CRITICAL", 2_100, 0.031, Loss(2, 7.51))
    assert demo._end(STAGE, alert, 1_334.0) == (
        "The alert arrived 2.1 s after the thief's first fill, 0.03 s after his last one. The truth, which "
        "only the simulator knows: by then 7.51 USDT were gone, in 2 of his 206 fills; 725.97 USDT, 54 % of "
        "the account, would have gone."
    )


VERDICT: dict[str, Any] = {
    "symbol": "A\x1b[2J/USDT",
    "side": "sell",
    "timestamp": START_MS,
    "price": "0.5",
    "amount": "1000",
    "deviation_bps": -12.0,
    "flagged": False,
}


def test_a_fill_is_a_line_that_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    story = demo._Story(Screen(no_color=True))
    story.take_verdict(VERDICT, stolen=True)
    story.take_verdict(VERDICT | {"deviation_bps": None, "side": "buy", "flagged": True}, stolen=True)
    first, second = capsys.readouterr().out.splitlines()
    assert "\x1b" not in first
    assert re.search(r"sells 1,000 A.*/USDT at 0.5: 0.12 % better than fair$", first)
    assert re.search(r"buys 1,000 A.*: worth unknown, flagged$", second)


def test_only_the_first_stolen_fills_are_told_and_none_of_the_bots(
    capsys: pytest.CaptureFixture[str],
) -> None:
    story = demo._Story(Screen(no_color=True))
    story.take_verdict(VERDICT, stolen=False)
    assert capsys.readouterr().out == ""
    for _ in range(100):
        story.take_verdict(VERDICT, stolen=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == demo.SHOWN_FILLS + 1
    assert lines[-1] == "  ..."


def test_behind_a_picture_the_story_is_kept_for_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    story = demo._Story(Screen(no_color=True))
    story.later = True
    story.tell("first")
    story.take_message({"text": "CRITICAL: gone\nNow: revoke"})
    assert capsys.readouterr().out == ""
    story.show()
    assert capsys.readouterr().out == "first\n\nThe owner's channel gets:\n  CRITICAL: gone\n  Now: revoke\n"


def heads(text: str) -> set[str]:
    """Give how each line begins, without numbers; not those of the alert's reasons, which may differ."""
    lines = [
        re.sub(r"\d[\d.,]*", "#", line)[:14] for line in text.splitlines() if not line.startswith("    ")
    ]
    return {line for line in lines if line.strip()}


def test_the_live_demo_ends_with_an_alert_and_the_readme_shows_it(root: Path) -> None:
    """What `make demo` runs: everything in earnest but the exchange and who trades there."""
    result = RUNNER.invoke(app, ["demo", "--live"])
    assert result.exit_code == ExitCode.OK, result.output
    assert result.stderr == ""
    assert "The owner's channel gets:" in result.stdout
    assert "revoke the API key at binance" in result.stdout
    assert "The alert arrived " in result.stdout
    section = (root / "README.md").read_text(encoding="utf-8").partition("<!-- demo -->")[2]
    shown = section.partition("<!-- /demo -->")[0].replace("```text", "").replace("```", "")
    # an alert that grew from a warning is CRITICAL on a machine that is late
    severe = {line for line in heads(shown) | heads(result.stdout) if line.startswith(("  WARN", "  CRIT"))}
    assert heads(shown) - severe == heads(result.stdout) - severe
