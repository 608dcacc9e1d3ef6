"""What a response came to, in a line that nobody can misread."""

from __future__ import annotations

from typing import Any

import pytest

from drainwatch.report.responses import words_of
from drainwatch.report.text import to_text
from report_fakes import incident


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"state": "done", "text": "freqtrade has stopped"}, "stop-bot: done: freqtrade has stopped"),
        ({"state": "would", "text": "would stop"}, "stop-bot: dry run, nothing was done: would stop"),
        ({"state": "failed", "text": "no answer"}, "stop-bot: FAILED: no answer"),
        (
            {"state": "failed", "text": "no answer", "dry_run": True},
            "stop-bot: dry run, and in earnest it would have FAILED: no answer",
        ),
        ({"state": "unknown", "text": "cut off"}, "stop-bot: UNKNOWN OUTCOME: cut off"),
        ({"state": "running"}, "stop-bot: is running"),
        ({"state": "due", "text": ""}, "stop-bot: is about to run"),
        ({"state": "skipped", "text": "silenced"}, "stop-bot: not run: silenced"),
    ],
)
def test_each_state_has_its_words(result: dict[str, Any], line: str) -> None:
    assert words_of([{"name": "stop-bot"} | result]) == [line]


def test_texts_hold_no_control_characters_and_have_an_end() -> None:
    (line,) = words_of([{"name": "a\x1b[31m", "state": "\n", "text": "x\n\u202e" * 10_000}])
    assert line.isprintable()
    assert len(line) < 600


def test_the_text_of_an_incident_has_a_line_for_each_response() -> None:
    results = [{"name": "a", "state": "done", "text": "x"}, {"name": "b", "state": "failed", "text": "y"}]
    lines = to_text(incident(drainwatch_responses=results)).splitlines()
    assert [line for line in lines if line.startswith("Response")] == [
        "Response: a: done: x",
        "Response: b: FAILED: y",
    ]
    assert "Response" not in to_text(incident())
