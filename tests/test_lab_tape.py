"""The strangers' tape fits the book that the agents met, and candles fit the tape."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from drainwatch.lab import likeness, tape
from drainwatch.lab.scenario import Scenario, make
from drainwatch.lab.venue import EXCHANGE, OTHER_EXCHANGE


@cache
def week() -> Scenario:
    return make(31, days=5.0, owner="twap", thief="planted_wall", difficulty=0.8)


def test_prints_are_at_the_quotes() -> None:
    made = week()
    rows = pd.merge_asof(
        made.trades, made.quotes, on="timestamp", by=["exchange", "symbol"], direction="backward"
    ).dropna(subset=["bid"])
    mid = (rows["bid"] + rows["ask"]) / 2.0
    side = np.where(rows["side"] == "buy", 1.0, -1.0)
    beyond = side * (rows["price"] - np.where(side > 0, rows["ask"], rows["bid"])) / mid
    assert float(np.abs(beyond).median()) < 2e-4
    assert float((beyond < -0.02).mean()) < 0.01


def test_liquid_pairs_print_often_and_thin_ones_seldom() -> None:
    made = week()
    hours = 24.0 * 5.0
    rates = made.trades.groupby("symbol").size() / hours
    assert 5.0 < rates["BTC/USDT"] < 120.0
    assert rates.min() < 12.0
    spread = (made.quotes["ask"] / made.quotes["bid"] - 1.0).groupby(made.quotes["symbol"]).median() * 1e4
    assert spread["BTC/USDT"] < 15.0
    assert spread.max() > 40.0


def test_a_months_tape_is_of_moderate_length() -> None:
    made = make(2, days=30.0, owner="dca")
    assert 50_000 < len(made.trades) + len(made.quotes) < 600_000


def test_a_wall_is_seen_in_the_quotes() -> None:
    made = make(12, days=3.0, owner="dca", thief="planted_wall", difficulty=0.0)
    drain = made.fills[made.labels["to_thief"]].iloc[0]
    near = made.quotes[
        (made.quotes["symbol"] == drain["symbol"])
        & (made.quotes["timestamp"] - drain["timestamp"]).abs().lt(120_000)
    ]
    side = "ask" if drain["side"] == "buy" else "bid"
    assert (near[side] / drain["price"] - 1.0).abs().min() < 0.2


def test_ids_rise_with_time() -> None:
    made = week()
    for _, rows in made.trades.groupby(["exchange", "symbol"]):
        ids = rows["id"].astype("int64").to_numpy()
        assert (np.diff(ids) > 0).all()


def test_candles_are_the_tapes_minutes() -> None:
    trades = pd.DataFrame(
        {
            "timestamp": [60_000, 61_000, 119_999, 120_000, 60_500],
            "symbol": ["A", "A", "A", "A", "B"],
            "price": [1.0, 3.0, 2.0, 5.0, 9.0],
            "amount": [1.0, 1.0, 2.0, 4.0, 7.0],
        }
    )
    bars = tape.candles(trades)
    assert bars["timestamp"].tolist() == [60_000, 60_000, 120_000]
    assert bars["symbol"].tolist() == ["A", "B", "A"]
    assert bars[["open", "high", "low"]].to_numpy().tolist() == [[1, 3, 1], [9, 9, 9], [5, 5, 5]]
    assert bars["volume"].tolist() == [4.0, 7.0, 4.0]
    assert bars["close"].tolist() == [2.0, 9.0, 5.0]
    assert tape.candles(trades.iloc[:0]).empty
    made = week()
    volume = made.candles.groupby("symbol")["volume"].sum()
    here = made.trades["exchange"] == EXCHANGE
    expected = made.trades[here].groupby("symbol")["amount"].sum()
    np.testing.assert_allclose(volume.to_numpy(), expected.to_numpy())


def test_strangers_come_in_bursts_and_on_one_side() -> None:
    made = make(31, days=5.0, owner="twap")
    rows = made.trades[(made.trades["symbol"] == "BTC/USDT") & (made.trades["exchange"] == EXCHANGE)]
    figures = likeness.measure("BTC/USDT", rows)
    assert figures.wait_spread > 1.5
    assert figures.count_memory[0] > 0.15
    assert figures.sign_memory[0] > 0.2
    assert figures.sign_memory[0] > figures.sign_memory[3]
    assert figures.size_tail < 2.2


def test_the_other_venues_tape_is_sparser_and_tells_nothing_of_the_two_sides() -> None:
    made = next(
        made
        for seed in range(40, 80)
        if (made := make(seed, days=1.0, owner="dca")).discloses == "accounts"
        and OTHER_EXCHANGE in set(made.trades["exchange"])
    )
    there = made.trades[made.trades["exchange"] == OTHER_EXCHANGE]
    assert there["buyer"].isna().all()
    here = made.trades[made.trades["exchange"] == EXCHANGE]
    assert here["buyer"].notna().all()
    assert set(there["symbol"]) < set(here["symbol"])
    for symbol in set(there["symbol"]):
        assert (there["symbol"] == symbol).sum() < (here["symbol"] == symbol).sum()
    assert not made.trades.duplicated(["symbol", "id"]).any()
