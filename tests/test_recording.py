"""A recording played at a level says what a replay of that level's tables says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from drainwatch.engine import Engine
from drainwatch.events import Names
from drainwatch.lab import scenario, seeds
from drainwatch.model import default_model_path, load_model
from drainwatch.recording import ROWS, Recording, record
from drainwatch.tables import tables_from_frames

TABLES = {
    "fills": (),
    "candles": ("candles",),
    "trades": ("trades",),
    "quotes": ("trades", "quotes"),
    "balances": ("trades", "quotes", "balances"),
    "orders": ("trades", "quotes", "balances", "orders"),
    "candles, balances": ("candles", "balances"),
    "trades, balances": ("trades", "balances"),
}


@cache
def made() -> scenario.Scenario:
    """Return a robbed account on a venue that tells who the other side was."""
    for i in range(40, 80):
        robbed = scenario.make(seeds.TUNING.of(i), days=4.0, owner="rebalancer", thief="ping_pong")
        if robbed.discloses == "accounts":
            return robbed
    raise AssertionError("expected one of forty venues to disclose accounts")


@cache
def recorded() -> Recording:
    return record(made())


@pytest.mark.parametrize("level", list(TABLES))
def test_a_level_is_judged_as_a_replay_of_its_tables(level: str) -> None:
    model = load_model(default_model_path())
    block, incidents = recorded().play(level, model.arrays, model.card["features"])
    names = Names()
    given = {name: getattr(made(), name) for name in TABLES[level]}
    engine = Engine(model.arrays, model.card["features"], names)
    with tables_from_frames(made().fills, **given, markets=made().markets, names=names) as read:
        for batch in read.batches():
            engine.feed(batch)
    judged = np.concatenate([block.judged for block in engine.take_outputs()[0]])
    np.testing.assert_array_equal(block.judged["score"], judged["score"])
    assert [one.to_dict() for one in incidents] == [one.to_dict() for one in engine.incidents]


def test_nameless_leaves_out_who_was_on_the_other_side_and_nothing_else() -> None:
    (whole, _), (nameless, _) = recorded().at("orders"), recorded().at("nameless")
    assert whole.fills["counterparty"].any()
    assert whole.rows["buyer"].any()
    for name in ("counterparty", "maker_order", "taker_order"):
        assert not nameless.fills[name].any()
    for name in ("buyer", "seller", "maker_order", "taker_order"):
        assert not nameless.rows[name].any()
    np.testing.assert_array_equal(whole.rows["a"], nameless.rows["a"])
    np.testing.assert_array_equal(whole.fills["price"], nameless.fills["price"])
    assert recorded().rows["buyer"].any()  # untouched


def test_every_fill_is_found_again_in_the_scenarios_rows() -> None:
    model = load_model(default_model_path())
    block, _ = recorded().play("fills", model.arrays, model.card["features"])
    places = recorded().played(block)
    assert sorted(places) == list(range(len(made().fills)))
    np.testing.assert_array_equal(block.fills["price"], made().fills["price"].to_numpy()[places])
    first = made().labels.iloc[int(places[0])]
    assert recorded().place(first["symbol"], str(first["id"]), first["side"]) == places[0]


def test_levels_are_known_by_name() -> None:
    with pytest.raises(KeyError):
        recorded().at("telepathy")
    assert set(TABLES) | {"nameless"} == set(ROWS)
