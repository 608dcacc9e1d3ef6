"""Frames of other libraries: the same replay as of pandas' own, and a word on what is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import drainwatch
from drainwatch.errors import InputError
from drainwatch.frame.taken import taken
from plots_fakes import found, given


def test_a_frame_of_pandas_is_taken_as_it_is() -> None:
    fills = given()["fills"]
    assert taken("fills", fills) is fills


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "pyarrow"])
def test_frames_of_others_give_the_same_replay(make: Any) -> None:
    frames = {name: make(table) for name, table in given().items()}
    before = {name: frame.clone() for name, frame in frames.items()} if make is pl.from_pandas else None
    seen = drainwatch.replay(**frames)
    pd.testing.assert_frame_equal(seen.scores, found().scores, check_exact=True, check_index_type=False)
    pd.testing.assert_frame_equal(seen.incidents, found().incidents, check_exact=True)
    if before is not None:
        assert all(frame.equals(before[name]) for name, frame in frames.items())


def test_categories_times_and_whole_numbers_with_gaps_are_read_to_the_last_digit() -> None:
    large = 2**53 + 1  # a float64 has no place for it
    frame = pl.DataFrame(
        {
            "id": [large, large + 2],
            "order": [None, large],
            "timestamp": pl.Series([60_000, 120_000]).cast(pl.Datetime("ms", "Asia/Tokyo")),
            "symbol": pl.Series(["A/B", "A/B"], dtype=pl.Categorical),
            "side": pl.Series(["buy", "sell"], dtype=pl.Enum(["buy", "sell"])),
            "price": [1.0, 2.0],
            "amount": [1, 1],
        }
    )
    scores = drainwatch.replay(frame).scores
    assert scores["id"].tolist() == [str(large), str(large + 2)]
    assert scores["order"].dropna().tolist() == [str(large)]
    assert scores["timestamp"].tolist() == [
        pd.Timestamp(60, unit="s", tz="UTC"),
        pd.Timestamp(120, unit="s", tz="UTC"),
    ]
    assert scores["side"].tolist() == ["buy", "sell"]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ([1, 2], "found builtins.list; give a DataFrame"),
        (None, "found builtins.NoneType; give a DataFrame"),
        ("fills.csv", "found builtins.str; for files there are `drainwatch.read_fills`"),
        (Path("fills.csv"), "for files there are `drainwatch.read_fills`"),
        (pl.LazyFrame({"id": [1]}), "found polars.LazyFrame; call its `collect()` first"),
        (pl.Series([1]), "found polars.Series; give a DataFrame"),
    ],
)
def test_what_is_no_frame_is_told(frame: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        drainwatch.replay(frame)
