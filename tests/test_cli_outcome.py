"""What came out of a replay is told in a few words; a replay that was blind is not called harmless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drainwatch.cli.outcome import show
from drainwatch.cli.screen import Screen
from drainwatch.replay import ReplaySummary


def summary(**other: Any) -> ReplaySummary:
    values: dict[str, Any] = {
        "n_fills": 3,
        "incidents": [],
        "blind_reasons": {},
        "fair_sources": {},
        "counts": {"fills": {"rows": 3, "rejected": 0, "duplicates": 0}},
        "rejects": 0,
        "out": Path("out"),
        "engine_seconds": 0.5,
        "span_ms": (1_760_000_000_000, 1_760_003_600_000),
        "fills": {},
        "notes": [],
    }
    return ReplaySummary(**(values | other))


@pytest.mark.parametrize(
    ("blind", "said"),
    [({}, "Found: nothing that looks like a drain"), ({"no_price": 3}, "Found: nothing, being blind")],
)
def test_nothing_found_is_not_the_same_as_nothing_seen(
    capsys: pytest.CaptureFixture[str], blind: dict[str, int], said: str
) -> None:
    with Screen(no_color=True) as screen:
        show(summary(blind_reasons=blind), screen)
    out = " ".join(capsys.readouterr().out.split())
    assert said in out
    assert "Read: fills 3" in out
    assert "Judged: 3 fills of 1 h" in out
    assert "report.html" in out
