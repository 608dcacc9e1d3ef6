"""Which given row a judged fill is: by all that makes it one, however the rows lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import drainwatch
from drainwatch.frame.match import rows_of
from plots_fakes import given


def test_each_fill_finds_its_row_whatever_the_order() -> None:
    fills = given()["fills"].sample(frac=1.0, random_state=3)
    scores = drainwatch.replay(fills).scores
    of = fills.loc[scores.index]
    assert of["id"].tolist() == scores["id"].tolist()
    assert of["account"].tolist() == scores["account"].tolist()
    assert scores["timestamp"].is_monotonic_increasing


def test_of_duplicates_the_first_is_found_and_of_two_versions_the_one_judged() -> None:
    fills = given()["fills"].iloc[:20]
    later = fills.iloc[[4]].assign(timestamp=fills["timestamp"].iloc[4] + 5_000, price=1.0)
    twice = pd.concat([later, fills, fills]).set_axis(range(41))
    scores = drainwatch.replay(twice).scores
    assert sorted(scores.index) == list(range(1, 21))


def test_a_fill_that_was_never_given_is_a_mistake_of_ours() -> None:
    judged: dict[str, Any] = {
        name: np.array(["x"], dtype=object) for name in ("exchange", "account", "symbol", "id", "order")
    }
    judged |= {"side": np.array(["buy"]), "ts_ns": np.array([1]), "price": np.ones(1), "amount": np.ones(1)}
    with pytest.raises(AssertionError, match="expected every judged fill among those given"):
        rows_of(given()["fills"], judged)
