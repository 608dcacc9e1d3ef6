"""Counterparty features against a naive look over all fills, quotes and prints so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch.events import Batch, Kind, Liquidity, Names
from drainwatch.market import BUCKET_NS
from streams import (
    HOUR_S,
    NAN,
    Outcome,
    Tape,
    begins_order,
    feed,
    halved,
    judge,
    new_engine,
    ns,
    random_tape,
    usual_names,
    values_of,
)

SEEDS = st.integers(0, 2**32 - 1)
HOUR_NS = HOUR_S * 10**9


def judged(seed: int, **how: Any) -> tuple[Names, Batch, Outcome]:
    names = usual_names()
    tape = random_tape(seed, **how)
    tape.rows = [row for row in tape.rows if row.values["kind"] != Kind.CANDLE]
    batch = tape.batch(names)
    return names, batch, feed(new_engine(names), [batch])


def same_pair(fills: NDArray[np.void], i: int) -> NDArray[np.intp]:
    """Earlier fills of the account in the market."""
    before = fills[:i]
    return np.flatnonzero(
        (before["account"] == fills["account"][i]) & (before["market"] == fills["market"][i])
    )


# --- who is on the other side ------------------------------------------------------------------------


@given(SEEDS)
@settings(max_examples=25)
def test_parties(seed: int) -> None:
    """Share of the value that went to them, fills in a row with them, both sides within the hour."""
    rng = np.random.default_rng(seed)
    tape = Tape()
    at = 0.0
    for _ in range(60):
        at += float(rng.choice((1.0, 600.0, 3000.0, 9000.0)))
        side = int(rng.choice((-1, 1)))
        party = int(rng.choice((0, 1, 2, 3, 4), p=(0.1, 0.5, 0.2, 0.1, 0.1)))
        tape.fill(at, "ETH/USDT", side, 3000.0, float(rng.uniform(0.1, 3.0)), counterparty=party)
    names = usual_names()
    batch = tape.batch(names)
    outcome = feed(new_engine(names), [batch])
    fills, values = batch.fills, values_of(names, batch.fills, outcome.judged)
    share, run, both = [], [], []
    told: list[int] = []
    for i, fill in enumerate(fills):
        if not fill["counterparty"]:
            share.append(NAN)
            run.append(NAN)
            both.append(NAN)
            continue
        told.append(i)
        parties = fills["counterparty"][told]
        weights = values[told] * halved(fill["ts_ns"] - fills["ts_ns"][told], 12 * HOUR_S)
        with_it = parties == fill["counterparty"]
        share.append(float(weights[with_it].sum() / weights.sum()) if len(told) >= 5 else 0.0)
        run.append(float(np.argmin(with_it[::-1])) if not with_it.all() else float(len(told)))
        met = [told[int(k)] for k in np.flatnonzero(with_it)]
        sides = {int(fill["side"])}
        for later, j in zip(reversed(met), reversed(met[:-1]), strict=False):
            if fills["ts_ns"][later] - fills["ts_ns"][j] > HOUR_NS:
                break
            sides.add(int(fills["side"][j]))
        both.append(float(len(sides) == 2))
    np.testing.assert_allclose(outcome.feature("party_share"), share, rtol=1e-7)
    np.testing.assert_allclose(outcome.feature("party_run"), run)
    np.testing.assert_allclose(outcome.feature("party_both_sides"), both)


@pytest.mark.parametrize(
    ("ours", "print_says", "party"),
    [
        ({"counterparty": 8, "maker_order": 9}, {"seller": 7}, 8),
        ({}, {"seller": 7, "buyer": 6}, 7),
        ({"order": 5, "maker_order": 9, "taker_order": 5}, {}, 9),
        ({"order": 5, "maker_order": 5, "taker_order": 9}, {}, 9),
        ({"order": 5}, {"maker_order": 9, "taker_order": 5}, 9),
        ({"order": 5}, {"maker_order": 5, "taker_order": 9}, 9),
        ({"order": 0, "liquidity": Liquidity.TAKER}, {"maker_order": 9, "taker_order": 5}, 9),
        ({"order": 0, "liquidity": Liquidity.MAKER}, {"maker_order": 9, "taker_order": 5}, 5),
        ({}, {}, 0),
    ],
)
def test_who_the_other_side_is(ours: dict[str, Any], print_says: dict[str, Any], party: int) -> None:
    """The fill tells, else its print; ids before orders; never the account's own order."""
    tape = Tape()
    number = tape.fill(10.0, "ETH/USDT", 1, 3000.0, 1.0, **ours)
    tape.trade(10.0, "ETH/USDT", 3000.0, 1.0, id=number, **print_says)
    outcome = judge(tape)
    account = outcome.engine._state.accounts[0]
    assert int(account["party_last"]) == party
    assert np.isnan(outcome.feature("party_run")[0]) == (party == 0)


def test_parties_beyond_memory_push_out_the_least() -> None:
    """Hundreds of strangers, one met again and again: he is remembered."""
    tape = Tape()
    for i in range(400):
        tape.fill(i, "ETH/USDT", 1, 3000.0, 1.0, counterparty=1 if i % 4 == 0 else 1000 + i)
    shares = judge(tape).feature("party_share")
    assert shares[396] == pytest.approx(0.25, abs=0.03)
    assert shares[399] < 0.02


# --- what was traded ---------------------------------------------------------------------------------


@given(SEEDS)
@settings(max_examples=25)
def test_mirrored_amounts_and_repeated_levels(seed: int) -> None:
    """Counted once a fill, half forgotten after an hour; a level counts where another order took it."""
    rng = np.random.default_rng(seed)
    tape = Tape()
    at = 0.0
    for i in range(60):
        at += float(rng.choice((0.0, 1.0, 300.0, 4000.0)))
        amount, price = float(rng.choice((1.0, 1.004, 1.02, 2.0))), float(rng.choice((3000.0, 3001.0)))
        tape.fill(
            at, "ETH/USDT", int(rng.choice((-1, 1))), price, amount, order=i // int(rng.integers(1, 3)) + 1
        )
    names = usual_names()
    batch = tape.batch(names)
    outcome = feed(new_engine(names), [batch])
    fills, begins = batch.fills, begins_order(batch.fills)
    mirrored, repeated = np.zeros(len(fills)), np.zeros(len(fills))
    equal, levels = [], []
    for i, fill in enumerate(fills):
        near = fills[max(i - 16, 0) : i]
        near = near[fill["ts_ns"] - near["ts_ns"] <= HOUR_NS]
        alike = np.abs(near["amount"] - fill["amount"]) <= 0.005 * fill["amount"]
        mirrored[i] = (alike & (near["side"] != fill["side"])).any()
        repeated[i] = begins[i] and ((near["price"] == fill["price"]) & (near["side"] == fill["side"])).any()
        weights = halved(fill["ts_ns"] - fills["ts_ns"][: i + 1], HOUR_S)
        equal.append(float(np.sum(weights * mirrored[: i + 1])))
        levels.append(float(np.sum(weights * repeated[: i + 1])))
    np.testing.assert_allclose(outcome.feature("equal_amounts"), equal, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(outcome.feature("level_repeats"), levels, rtol=1e-7, atol=1e-9)


@given(SEEDS)
@settings(max_examples=25)
def test_share_of_the_tape(seed: int) -> None:
    """Own amount over the tape's in this five-minute bucket and the three before."""
    _, batch, outcome = judged(seed, n_rows=400, n_fills=60, hours=1.5)
    prints = batch.rows[batch.rows["kind"] == Kind.TRADE]
    naive = []
    for i, fill in enumerate(batch.fills):
        near = prints[(prints["market"] == fill["market"]) & (prints["ts_ns"] <= fill["ts_ns"])]
        since = fill["ts_ns"] // BUCKET_NS - 3
        tape = float(near["b"][near["ts_ns"] // BUCKET_NS >= since].sum())
        ours = batch.fills[[*same_pair(batch.fills, i).tolist(), i]]
        own = float(ours["amount"][ours["ts_ns"] // BUCKET_NS >= since].sum())
        naive.append(own / max(own, tape) if len(near) else NAN)
    np.testing.assert_allclose(outcome.feature("tape_share"), naive, rtol=1e-9)


# --- what stood there --------------------------------------------------------------------------------


@given(SEEDS)
@settings(max_examples=25)
def test_the_quote_that_was_hit(seed: int) -> None:
    """The best opposite quote strictly before the fill: how far from fair, and how long it had stood."""
    _, batch, outcome = judged(seed, n_rows=600, n_fills=60)
    fresh, distance = [], []
    for i, fill in enumerate(batch.fills):
        quotes = batch.rows[(batch.rows["kind"] == Kind.QUOTE) & (batch.rows["market"] == fill["market"])]
        quotes = quotes[quotes["ts_ns"] < fill["ts_ns"]]
        if not len(quotes):
            fresh.append(NAN)
            distance.append(NAN)
            continue
        side = quotes["b"] if fill["side"] > 0 else quotes["a"]
        best = side[-1]
        changed = np.flatnonzero(side != best)
        since = quotes["ts_ns"][changed[-1] + 1 if len(changed) else 0]
        hit = fill["side"] * (fill["price"] - best) >= 0.0 and fill["liquidity"] != Liquidity.MAKER
        age_s = 1e-9 * (fill["ts_ns"] - since)
        fresh.append(1.0 / (1.0 + age_s / 10.0) if hit else 0.0)
        distance.append(1e4 * fill["side"] * np.log(best / outcome.judged["fair"][i]))
    np.testing.assert_allclose(outcome.feature("fresh_level"), fresh, rtol=1e-9)
    np.testing.assert_allclose(outcome.feature("quote_distance_bps"), distance, rtol=1e-6, atol=1e-6)


def test_without_the_tables_that_tell_they_are_unknown_not_nought() -> None:
    tape = Tape()
    for i in range(10):
        tape.fill(i, "ETH/USDT", 1, 3000.0)
    outcome = judge(tape)
    for name in (
        "party_share",
        "party_run",
        "party_both_sides",
        "tape_share",
        "fresh_level",
        "quote_distance_bps",
    ):
        assert np.isnan(outcome.feature(name)).all(), name
    assert (outcome.feature("equal_amounts") == 0.0).all()
    assert ns(0) > 0
