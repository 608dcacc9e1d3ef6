"""What detectors promise the benchmark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench_accounts import account
from drainwatch.bench.baselines import BASELINES
from drainwatch.bench.detectors import Detector
from drainwatch.bench.oracles import ORACLES


def test_names_are_unique() -> None:
    names = [detector.name for detector in (*BASELINES, *ORACLES)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("detector", [*BASELINES, *ORACLES], ids=lambda detector: detector.name)
def test_each_says_what_it_is_in_a_line(detector: Detector) -> None:
    assert detector.about
    assert "\n" not in detector.about
    assert len(detector.about) <= 110


def test_only_oracles_are_told_the_truth() -> None:
    assert not any(detector.needs_truth for detector in BASELINES)
    assert all(detector.needs_truth for detector in ORACLES)


def test_an_account_is_seen_at_a_level() -> None:
    seen = account(1, "grid", level="trades")
    assert set(seen.tables) == {"trades", "markets"}
    assert np.all(np.diff(seen.fills["timestamp"].to_numpy()) >= 0)


@pytest.mark.parametrize("detector", [*BASELINES, *ORACLES], ids=lambda detector: detector.name)
def test_an_account_without_fills_has_no_scores(detector: Detector) -> None:
    seen = account(1, "grid")
    assert seen.truth is not None
    empty = replace(seen, fills=seen.fills.iloc[:0], truth=seen.truth.iloc[:0])
    assert detector.fit([seen]).scores(empty).shape == (0,)
