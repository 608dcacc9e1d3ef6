"""Real tapes keep every real print; the account on them is made up of real prints and of the drain."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drainwatch.errors import InputError
from drainwatch.lab.realtape import (
    RealTape,
    bitstamp_2015,
    draw_owner,
    insert_ping_pong,
    insert_planted_wall,
    xrp_eth,
)

READ = {"binance": cache(xrp_eth), "bitstamp": cache(bitstamp_2015)}


@pytest.fixture(params=list(READ))
def real(request: pytest.FixtureRequest, shared_data: Path) -> RealTape:
    return READ[request.param](shared_data)


@pytest.fixture
def owned(real: RealTape) -> RealTape:
    return draw_owner(real, np.random.default_rng(1))


def test_the_tapes_are_what_their_sources_say(shared_data: Path) -> None:
    binance = READ["binance"](shared_data)
    assert len(binance.trades) == 12_477
    assert binance.symbol == "XRP/ETH"
    assert len(binance.candles) == 2_469
    assert binance.candles["timestamp"].iloc[0] == 1_570_752_000_000
    bitstamp = READ["bitstamp"](shared_data)
    assert len(bitstamp.trades) == 575
    assert bitstamp.trades["taker_order"].notna().mean() > 0.85
    assert (bitstamp.quotes["bid"] < bitstamp.quotes["ask"]).all()
    assert bitstamp.quotes["timestamp"].is_monotonic_increasing


def test_the_rebuilt_quotes_are_the_venues_own(shared_data: Path) -> None:
    """The log holds the venue's own books as well, which the rebuilding doesn't look at."""
    quotes = READ["bitstamp"](shared_data).quotes
    times, best = quotes["timestamp"].to_numpy(), quotes[["bid", "ask"]].to_numpy()
    seen = right = 0
    with lzma.open(shared_data / "bitstamp-l3" / "2015-05-01.log.xz", "rt") as lines:
        for line in lines:
            ms, kind, body = line.split(" ", 2)
            i = int(np.searchsorted(times, int(ms)))
            if kind == "order_book" and i > 0:
                book = json.loads(body)
                told = [float(book["bids"][0][0]), float(book["asks"][0][0])]
                seen += 1
                right += bool((best[max(i - 6, 0) : i + 4] == told).all(axis=1).any())
    assert seen > 4_000
    assert right > 0.97 * seen


def test_an_owners_fills_are_real_prints(owned: RealTape) -> None:
    both = owned.fills.merge(owned.trades, on=["symbol", "id"], suffixes=("", "_tape"))
    assert len(both) == len(owned.fills) >= 5
    for name in ("timestamp", "price", "amount", "side"):
        assert (both[name] == both[f"{name}_tape"]).all()
    assert set(owned.fills["order"]) == set(owned.orders["order"])
    assert not owned.labels["is_drain"].any()
    if "taker_order" in owned.fills:
        known = owned.fills["taker_order"].notna()
        assert (owned.fills["order"] == owned.fills["taker_order"])[known].all()
    hours = (owned.trades["timestamp"].iloc[-1] - owned.trades["timestamp"].iloc[0]) / 3.6e6
    assert 0.5 < owned.fills["order"].nunique() / hours < 3.5
    assert draw_owner(owned, np.random.default_rng(1), log=False).orders.empty


def test_the_owner_spends_what_he_has(owned: RealTape) -> None:
    base, quote = owned.balances["total"].tolist()
    fills = owned.fills
    sign = np.where(fills["side"] == "buy", 1.0, -1.0)
    assert (base + (sign * fills["amount"]).cumsum() > 0.0).all()
    assert (quote - (sign * fills["cost"] + fills["fee_cost"]).cumsum() > 0.0).all()


@pytest.mark.parametrize("insert", [insert_ping_pong, insert_planted_wall])
def test_a_drain_leaves_every_other_row_as_it_was(owned: RealTape, insert: object) -> None:
    at = int(owned.trades["timestamp"].quantile(0.6))
    robbed = insert(owned, np.random.default_rng(2), at)  # type: ignore[operator]
    drain = robbed.labels["is_drain"]
    ids = set(robbed.labels["id"][drain])
    assert len(ids) == drain.sum() > 1
    assert robbed.trades["id"].is_unique
    rest = robbed.trades[~robbed.trades["id"].isin(ids)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, owned.trades)
    pd.testing.assert_frame_equal(robbed.fills[~drain].reset_index(drop=True), owned.fills, check_dtype=False)
    both = robbed.fills[drain].merge(robbed.trades, on=["symbol", "id"], suffixes=("", "_tape"))
    assert (both["price"] == both["price_tape"]).all()
    assert (both["timestamp"] == both["timestamp_tape"]).all()
    assert (robbed.labels["id"] == robbed.fills["id"]).all()
    assert robbed.trades["timestamp"].is_monotonic_increasing
    assert robbed.fills["timestamp"].is_monotonic_increasing
    assert robbed.labels["loss"][drain].sum() > 0.0
    assert robbed.fills["timestamp"][drain].min() >= at
    assert not set(robbed.fills["order"][drain]) & set(robbed.orders["order"])
    if len(robbed.quotes):
        kept = robbed.quotes.merge(owned.quotes.drop_duplicates(), how="inner")
        assert len(kept.drop_duplicates()) == len(owned.quotes.drop_duplicates())
        assert (robbed.quotes["bid"] < robbed.quotes["ask"]).all()
    if len(robbed.candles):
        extra = robbed.fills["amount"][drain].sum()
        assert robbed.candles["timestamp"].is_unique
        assert robbed.candles["volume"].sum() == pytest.approx(
            owned.candles["volume"].sum() + extra, rel=1e-3
        )


def test_both_drains_fit_on_one_tape(owned: RealTape) -> None:
    first = int(owned.trades["timestamp"].quantile(0.5))
    both = insert_planted_wall(
        insert_ping_pong(owned, np.random.default_rng(3), first, round_trips=10, cost=0.03),
        np.random.default_rng(4),
        first + 3_600_000,
        markup=0.2,
        fills=4,
    )
    by = both.labels[both.labels["is_drain"]].groupby("family")
    assert by.size().to_dict() == {"ping_pong": 20, "planted_wall": 4}
    assert both.trades["id"].is_unique
    wall = both.labels[both.labels["family"] == "planted_wall"]
    price = both.fills["price"][wall.index]
    np.testing.assert_allclose(price / wall["true_fair"], 1.2, rtol=0.01)


def test_absent_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a file at .*XRP_ETH-trades.parquet"):
        xrp_eth(tmp_path)
    with pytest.raises(InputError, match=r"expected a file at .*2015-05-01.log.xz"):
        bitstamp_2015(tmp_path)
