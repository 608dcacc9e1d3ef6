"""What is meant where a replay has several accounts and markets."""

from __future__ import annotations

import pytest

import drainwatch
from drainwatch.errors import InputError
from drainwatch.plots.subject import one_incident, subjects
from plots_fakes import found, given


def test_an_incident_tells_account_and_market() -> None:
    it = subjects(found().incident(1))
    assert (it.account(None), it.symbol(None)) == ("alice", "AB/USDT")
    assert it.incidents["id"].tolist() == [found().incident(1).id]


def test_a_replay_means_all_its_incidents_and_what_is_named() -> None:
    it = subjects(found())
    assert len(it.incidents) == 2
    assert it.symbol(None) == "AB/USDT"  # the only one
    assert it.account("bob") == "bob"
    with pytest.raises(InputError, match="expected account= to say which to draw, found 2: alice, bob"):
        it.account(None)
    with pytest.raises(InputError, match=r"symbol: expected one that has fills \(AB/USDT\), found 'X/Y'"):
        it.symbol("X/Y")


def test_the_first_incident_stands_for_a_replay() -> None:
    assert one_incident(found()).told["id"] == found().incident(0).id
    with pytest.raises(InputError, match="expected an incident to draw, found a replay without any"):
        one_incident(drainwatch.replay(given()["fills"].iloc[:5]))
