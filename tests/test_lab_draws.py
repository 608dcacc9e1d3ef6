"""The draws keep to their bounds."""

from __future__ import annotations

import numpy as np

from drainwatch.lab.draws import choose, log_uniform, parts, pick


def test_draws_keep_to_their_bounds() -> None:
    rng = np.random.default_rng(1)
    drawn = [log_uniform(rng, 0.01, 100.0) for _ in range(500)]
    assert 0.01 <= min(drawn) < 0.05
    assert 20.0 < max(drawn) <= 100.0
    assert 0.3 < float(np.median(drawn)) < 3.0  # as many below one as above
    assert {parts(rng) for _ in range(500)} == {1, 2, 3, 4, 5, 6}


def test_chosen_names_differ() -> None:
    rng = np.random.default_rng(2)
    for n in range(6):
        chosen = choose(rng, ["a", "b", "c"], n)
        assert len(chosen) == len(set(chosen)) == min(n, 3)


def test_each_name_is_picked() -> None:
    rng = np.random.default_rng(3)
    assert {pick(rng, ["a", "b", "c"]) for _ in range(50)} == {"a", "b", "c"}
