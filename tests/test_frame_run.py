"""What a replay of DataFrames gives beside its scores: the fills' own index, reasons with their weight."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainwatch
from drainwatch.features.registry import NAMES
from plots_fakes import found, given, nasty
from robbed import stolen_ids


def test_scores_have_the_index_of_the_fills() -> None:
    fills = given()["fills"]
    labels = pd.MultiIndex.from_arrays([fills["account"], [f"row {i}" for i in range(len(fills))]])
    seen = drainwatch.replay(fills.set_axis(labels.set_names([None, None])))
    assert seen.scores.index.equals(seen.fills.index)
    at = [label for _, label in seen.scores.index]
    assert [int(label[4:]) for label in at] == [fills.index[fills["id"] == i][0] for i in seen.scores["id"]]


def test_fills_say_what_was_understood_and_what_was_lost() -> None:
    fills = found().fills
    paid = 1.0 + fills["deviation_bps"] / 1e4 * np.where(fills["side"] == "buy", 1.0, -1.0)
    assert np.allclose(fills["fair_price"] * paid, fills["price"])
    bob = found().incident(0)
    assert bob.fills["id"].tolist() == stolen_ids("bob")
    assert bob.fills["loss_quote"].sum() == pytest.approx(bob.told["loss"])
    assert fills["counterparty"].tolist() == given()["fills"]["counterparty"].tolist()
    assert str(fills["timestamp"].dt.tz) == "UTC"


def test_reasons_weigh_what_they_say() -> None:
    reasons = found().reasons
    for told in found().incidents.to_dict("records"):
        own = reasons[reasons["incident"] == told["id"]]
        assert own["feature"].tolist() == [reason["feature"] for reason in told["reasons"]]
        assert own["nats"].is_monotonic_decreasing  # strongest first
        assert (own["nats"] > 0.0).all()


def test_market_and_equity_are_told_over_time() -> None:
    market, equity = found().market, found().equity
    assert len(market) == len(found().fills)
    assert set(market["symbol"]) == {"AB/USDT"}
    assert set(equity["account"]) == {"alice", "bob"}
    assert set(equity["currency"]) == {"USDT"}
    assert nasty().equity.empty
    assert list(nasty().equity) == ["account", "timestamp", "equity", "currency"]


def test_an_incident_is_found_by_place_or_id() -> None:
    first, last = found().incidents["id"].iloc[[0, -1]]
    assert found().incident().id == found().incident(first).id == first
    assert found().incident(-1).id == last
    for which in (2, -3, "x"):
        with pytest.raises(LookupError, match=rf"was {which!r}; there are 2: {first}, {last}"):
            found().incident(which)
    quiet = drainwatch.replay(given()["fills"].iloc[:5])
    with pytest.raises(LookupError, match="there are none"):
        quiet.incident()


def test_features_are_those_of_the_replay_in_the_order_of_the_fills() -> None:
    fills = given()["fills"].sample(frac=1.0, random_state=2).set_index("id")
    others = {name: table for name, table in given().items() if name != "fills"}
    before = fills.copy(deep=True)
    measured = drainwatch.features(fills, **others)
    assert list(measured) == list(NAMES)
    assert measured.index.equals(fills.index)
    again = found().scores.set_index("id").loc[fills.index, list(NAMES)]
    pd.testing.assert_frame_equal(measured, again, check_exact=True)
    pd.testing.assert_frame_equal(fills, before, check_exact=True)


def test_a_replay_says_in_a_line_what_it_is() -> None:
    assert repr(found()) == "<Replay: 2 incidents in 474 fills>"
