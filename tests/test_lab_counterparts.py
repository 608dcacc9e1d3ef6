"""A simulated tape is as busy as asked for, and like the real one that it is set beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drainwatch.lab import counterparts, likeness, realtape


def test_the_same_seed_gives_the_same_tape_at_the_rate_asked_for() -> None:
    first, second = (counterparts.draw(3, "half", 24.0, wait_s=30.0) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)
    _, quotes = first
    assert (quotes["bid"] < quotes["ask"]).all()
    rates = [
        len(likeness.taker_orders(counterparts.draw(k, "half", 24.0, wait_s=30.0)[0])) for k in range(12)
    ]
    assert float(np.mean(rates)) == pytest.approx(24 * 3600 / 30.0, rel=0.35)


def test_kinds_differ_in_spread_and_rate() -> None:
    rows = {}
    for kind in ("liquid", "half", "thin", "dead"):
        trades, quotes = counterparts.draw(5, kind, 240.0)
        rows[kind] = len(trades), likeness.measure(kind, trades, quotes).spread_bps[1]
    assert rows["liquid"][0] > rows["half"][0] > rows["dead"][0]
    assert rows["liquid"][1] < rows["half"][1] < rows["dead"][1]


def test_bursts_sides_sizes_and_tails_are_like_those_of_a_real_tape(shared_data: Path) -> None:
    real = realtape.xrp_eth(shared_data).trades
    figures = likeness.measure("real", real)
    wait_s = figures.hours * 3600.0 / len(likeness.taker_orders(real))
    drawn = [
        likeness.measure(kind, counterparts.draw(seed, kind, figures.hours, wait_s=wait_s)[0])
        for seed, kind in enumerate(["liquid", "half"] * 3)
    ]

    def middle(name: str) -> likeness.Floats:
        out: likeness.Floats = np.median(np.array([getattr(one, name) for one in drawn]), axis=0)
        return out

    assert middle("wait_spread") == pytest.approx(figures.wait_spread, rel=0.4)
    assert middle("quiet") == pytest.approx(figures.quiet, abs=0.12)
    assert middle("size_tail") == pytest.approx(figures.size_tail, rel=0.3)
    assert middle("tail") == pytest.approx(figures.tail, rel=0.4)
    for name, near in (("count_memory", 0.15), ("absolute_memory", 0.1), ("sign_memory", 0.12)):
        np.testing.assert_allclose(middle(name), getattr(figures, name), atol=near)
