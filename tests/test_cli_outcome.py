"""What a replay found, in the words of the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_fakes import Summary
from drainwatch.cli import outcome
from drainwatch.cli.screen import Screen
from drainwatch.report import to_text
from report_fakes import incident


def shown(summary: Summary, capsys: pytest.CaptureFixture[str]) -> str:
    outcome.show(summary, Screen(no_color=True))
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_nothing_found_is_said_in_four_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(Summary(blind_reasons={"no price: none yet": 4}, rejects=2), capsys) == (
        "Read: fills 1,211; 2 bad rows left out\n"
        "Judged: 1,204 fills of 31 days in 0.25 s; 4 could not be judged (no price: 4)\n"
        "Found: nothing that looks like a drain\n"
        "\n"
        f"Look at it: {Path('out') / 'report.html'}\n"
    )


def test_a_blind_replay_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(Summary(n_fills=4, blind_reasons={"no price": 4}), capsys)
    assert "Found: nothing, being blind" in said


def test_incidents_are_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(Summary(incidents=[incident()]), capsys)
    assert "Found: 1 incident\n" in said
    assert to_text(incident()) in said


def test_many_incidents_are_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(Summary(incidents=[incident(id=f"i{n}") for n in range(30)]), capsys)
    assert said.count("CRITICAL") == outcome.MAX_PRINTED
    assert f"and 20 more in {Path('out') / 'incidents.jsonl'}" in said
