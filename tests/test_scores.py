"""The table of scores: the contract's columns; what isn't known stays unknown and says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch.engine import Block
from drainwatch.events import NS_PER_MS, Names
from drainwatch.fair import SOURCES
from drainwatch.features.registry import NAMES
from drainwatch.incidents import p_value
from drainwatch.scores import COLUMNS, NO_PRICE, STALE, money_and_markets, score_columns, value_unit
from streams import DAY_S, HOUR_S, START_S, Tape, new_engine, ns, random_tape, usual_names

SEEDS = st.integers(0, 2**32 - 1)
CONTRACT = [
    *("exchange", "account", "symbol", "id", "order", "side"),
    *("timestamp", "fair_price", "fair_source", "deviation_bps"),
    *("score", "p_value", "flagged", "blind", "incident"),
]
OTHER_FEATURES = [name for name in NAMES if name != "deviation_bps"]
"""A feature that the contract names itself has one column, not two."""


def blocks_of(tape: Tape, cuts: int = 1) -> tuple[Names, list[Block]]:
    """Judge a tape; its fills in so many blocks."""
    names = usual_names()
    engine = new_engine(names)
    batch = tape.batch(names)
    blocks = []
    edges = np.linspace(0, len(batch.fills), cuts + 1).astype(int)
    rows = np.searchsorted(batch.rows["ts_ns"], batch.fills["ts_ns"][edges[1:] - 1], side="right")
    rows[-1] = len(batch.rows)
    start = 0
    for first, last, end in zip(edges, edges[1:], rows, strict=False):
        piece = type(batch)(
            batch.rows[start:end], batch.fills[first:last], batch.ids[first:last], batch.orders[first:last]
        )
        engine.feed(piece)
        blocks += engine.take_outputs()[0]
        start = end
    return names, blocks


def columns_of(tape: Tape) -> dict[str, NDArray[np.object_]]:
    names, (block,) = blocks_of(tape)
    return score_columns(names, block)


# --- columns -----------------------------------------------------------------------------------------


def test_columns_are_those_of_the_contract_then_the_features() -> None:
    """Who reads `scores.parquet` by position or by name finds what the documents say."""
    assert list(COLUMNS) == [*CONTRACT, *OTHER_FEATURES]
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert tuple(columns_of(random_tape(0))) == COLUMNS


@given(SEEDS)
@settings(max_examples=15)
def test_a_row_for_every_fill_in_the_order_judged(seed: int) -> None:
    tape = random_tape(seed)
    names, (block,) = blocks_of(tape)
    table = score_columns(names, block)
    fills = sorted(tape.fills, key=lambda event: event.at)
    assert all(len(values) == len(fills) for values in table.values())
    for i, event in enumerate(fills):
        found = tuple(table[name][i] for name in CONTRACT[:6])
        side = "buy" if event.values["side"] > 0 else "sell"
        assert found == (event.exchange, event.account, event.symbol, event.fill_id, event.order, side)
    np.testing.assert_array_equal(table["timestamp"] * NS_PER_MS, [event.at for event in fills])
    for column, name in enumerate(NAMES):
        np.testing.assert_array_equal(table[name], block.features[:, column])
    assert list(table["incident"]) == block.incidents


@given(SEEDS)
@settings(max_examples=15)
def test_every_fill_has_a_finite_score_and_its_p_value(seed: int) -> None:
    """A blind fill too: a gap in the scores would be read as harmless."""
    names, (block,) = blocks_of(random_tape(seed))
    table = score_columns(names, block)
    score, chance = table["score"], table["p_value"]
    assert np.isfinite(score).all()
    assert ((chance > 0.0) & (chance <= 1.0)).all()
    np.testing.assert_allclose(chance, [p_value(value) for value in score], rtol=1e-12)
    order = np.argsort(score)
    assert (np.diff(chance[order]) <= 0.0).all(), "a higher score is less likely by chance"
    assert table["flagged"].dtype == bool
    if table["flagged"].any() and not table["flagged"].all():
        assert score[table["flagged"]].min() > score[~table["flagged"]].max()
    belongs = np.array([incident is not None for incident in table["incident"]])
    assert set(table["incident"][belongs]) <= set(block.incidents)


@given(SEEDS)
@settings(max_examples=15)
def test_blind_says_why_and_only_where_there_is_no_fair_price(seed: int) -> None:
    names, (block,) = blocks_of(random_tape(seed))
    table = score_columns(names, block)
    blind = np.isnan(table["fair_price"])
    assert [why is not None for why in table["blind"]] == blind.tolist()
    assert set(table["blind"][blind]) <= {NO_PRICE, STALE}
    assert (table["fair_source"][blind] == "none").all()
    assert set(table["fair_source"][~blind]) <= set(SOURCES[1:])
    assert np.isnan(table["deviation_bps"][blind]).all(), "not known is not 0"
    np.testing.assert_allclose(
        table["deviation_bps"][~blind],
        [
            1e4 * (1 if side == "buy" else -1) * (price - fair) / fair
            for side, price, fair in zip(
                table["side"][~blind], block.fills["price"][~blind], table["fair_price"][~blind], strict=True
            )
        ],
        rtol=1e-6,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("side", "price", "deviation"),
    [(1, 3030.0, 100.0), (1, 2970.0, -100.0), (-1, 2970.0, 100.0), (-1, 3030.0, -100.0)],
)
def test_a_deviation_is_positive_where_it_costs_the_account(
    side: int, price: float, deviation: float
) -> None:
    tape = Tape()
    for minute in range(60):
        tape.mid(60 * minute, "ETH/USDT", 3000.0)
    tape.fill(HOUR_S, "ETH/USDT", side, price)
    assert columns_of(tape)["deviation_bps"][0] == pytest.approx(deviation, abs=0.01)


# --- why blind ---------------------------------------------------------------------------------------


def test_a_market_without_any_data_says_so() -> None:
    tape = Tape()
    tape.fill(0, "NEW/USDT", 1, 1.0)
    table = columns_of(tape)
    assert table["blind"].tolist() == [NO_PRICE]
    assert np.isnan(table["fair_price"][0])
    assert np.isfinite(table["score"][0])


def test_an_earlier_fill_that_is_long_past_is_not_denied() -> None:
    """A month later nobody knows; to say that there was no earlier fill would be wrong, and was."""
    tape = Tape()
    tape.fill(0, "NEW/USDT", 1, 1.0)
    tape.fill(60, "NEW/USDT", 1, 1.0)
    tape.fill(30 * DAY_S, "NEW/USDT", 1, 1.0)
    table = columns_of(tape)
    assert table["blind"].tolist() == [NO_PRICE, None, NO_PRICE]
    assert table["fair_source"].tolist() == ["none", "own_fills", "none"]
    assert "recent enough" in NO_PRICE


def test_a_price_that_is_too_old_says_so() -> None:
    tape = Tape()
    rng = np.random.default_rng(0)
    price = 1.0
    for minute in range(0, 1440, 5):
        price *= float(np.exp(rng.normal(0.0, 0.02)))
        tape.mid(60 * minute, "WILD/USDT", price)
    tape.fill(DAY_S + 1, "WILD/USDT", 1, price)
    tape.fill(30 * DAY_S, "WILD/USDT", 1, price)
    table = columns_of(tape)
    assert table["blind"].tolist() == [None, STALE]


# --- times -------------------------------------------------------------------------------------------


def test_whole_milliseconds_are_integers() -> None:
    tape = Tape()
    tape.fill(0.001, "ETH/USDT", 1, 3000.0)
    table = columns_of(tape)
    assert table["timestamp"].dtype == np.int64
    assert table["timestamp"].tolist() == [START_S * 1000 + 1]


@given(st.lists(st.integers(0, 2 * 10**12), min_size=1, max_size=20))
def test_times_are_the_nearest_number_of_milliseconds(offsets: list[int]) -> None:
    """Down to the microsecond, as venues tell it: as ns in a float they would be off by a quarter of one."""
    names, (block,) = _one_fill()
    fills = np.repeat(block.fills, len(offsets))
    fills["ts_ns"] = ns(0) + np.array(offsets)
    n = len(offsets)
    many = Block(
        fills,
        np.repeat(block.ids, n),
        np.repeat(block.orders, n),
        np.repeat(block.judged, n),
        np.repeat(block.features, n, axis=0),
        block.incidents * n,
    )
    timestamp = score_columns(names, many)["timestamp"]
    for found, ts_ns in zip(timestamp.tolist(), fills["ts_ns"].tolist(), strict=True):
        assert abs(found - ts_ns / NS_PER_MS) <= np.spacing(ts_ns / NS_PER_MS)
        if ts_ns % NS_PER_MS == 0:
            assert found == ts_ns // NS_PER_MS


def _one_fill() -> tuple[Names, list[Block]]:
    tape = Tape()
    tape.fill(0, "ETH/USDT", 1, 3000.0)
    return blocks_of(tape)


# --- what the report draws ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbols", "unit"),
    [
        (["ETH/USDT"], "USDT"),
        (["ETH/USDT", "ETH/USD"], "USD"),
        (["ETH/USDC", "ETH/USDT"], "USDT"),
        (["ETH/USDC", "ETH/DAI"], "DAI"),
        (["USDC/EUR"], "USDC"),
        (["ETH/BTC", "ETH/EUR"], None),
        ([], None),
    ],
)
def test_values_are_told_in_a_dollar_where_one_is_traded(symbols: list[str], unit: str | None) -> None:
    """In no dollar's name where there is none: the unit of value is another coin then."""
    names = Names()
    for symbol in symbols:
        names.market("x", symbol)
    assert value_unit(names) == unit


def test_money_and_markets_are_what_was_known_at_each_fill() -> None:
    tape = Tape()
    tape.balance(0, "USDT", 1e5, "ann")
    for minute in range(120):
        tape.mid(60 * minute, "ETH/USDT", 3000.0 + minute)
    tape.fill(HOUR_S, "ETH/USDT", 1, 3060.0, 2.0, account="ann")
    tape.fill(HOUR_S + 60, "ETH/USDT", 1, 3061.0, 2.0, account="bob")  # bob's balances aren't known
    tape.fill(HOUR_S + 120, "NEW/USDT", 1, 1.0, 1000.0, account="ann")  # nor is the price of NEW
    tape.fill(2 * HOUR_S, "ETH/USDT", -1, 3119.0, 2.0, account="ann")
    names, blocks = blocks_of(tape, cuts=2)
    assert len(blocks) == 2
    equity, markets = money_and_markets(names, blocks)
    assert list(equity) == ["ann"]
    assert list(markets) == [("x", "ETH/USDT")]
    times = [(START_S + at) * 1000.0 for at in (HOUR_S, HOUR_S + 120, 2 * HOUR_S)]
    np.testing.assert_array_equal(equity["ann"][:, 0], times)
    assert equity["ann"][0, 1] == pytest.approx(1e5)
    assert equity["ann"][:, 1] == pytest.approx([1e5] * 3, rel=0.01)
    stood = markets["x", "ETH/USDT"]
    np.testing.assert_array_equal(stood[:, 0], [times[0], times[0] + 60_000.0, times[2]])
    assert stood[:, 1] == pytest.approx([3060.0, 3061.0, 3119.0], rel=1e-3)


def test_nothing_judged_draws_nothing() -> None:
    assert money_and_markets(Names(), []) == ({}, {})


@given(SEEDS)
@settings(max_examples=10)
def test_money_and_markets_hold_numbers_only(seed: int) -> None:
    """NaN would break a line of the report, infinity its scale."""
    names, blocks = blocks_of(random_tape(seed), cuts=3)
    equity, markets = money_and_markets(names, blocks)
    for rows in (*equity.values(), *markets.values()):
        assert rows.shape[1:] == (2,)
        assert len(rows) > 0
        assert np.isfinite(rows).all()
        assert (np.diff(rows[:, 0]) >= 0.0).all()
    known = sum(np.isfinite(block.judged["equity"]).sum() for block in blocks)
    assert sum(len(rows) for rows in equity.values()) == known
