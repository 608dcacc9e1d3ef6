"""What a thief does beforehand: silence, a first trade, money brought over, odd sales."""

from __future__ import annotations

import numpy as np
import pytest

from drainwatch.lab import precursors
from drainwatch.lab.desk import MANUAL, THIEF, Desk
from drainwatch.lab.theft import loss_of
from drainwatch.lab.universe import build
from drainwatch.lab.venue import Venue


def desk(seed: int = 6) -> Desk:
    rng = np.random.default_rng(seed)
    world, coins, markets = build(rng, 3.0, regime="calm")
    venue = Venue("v", "a", 0.001, 0.001, "quote", "accounts", "none", "", "number", mixed_feeds=False)
    made = Desk(rng, world, coins, markets, venue)
    made.thief_names = ["thief"]
    made.fund("USDT", 5_000.0)
    made.fund("ETH", 5_000.0)
    made.fund("BTC", 80.0)
    return made


def _all_of(steps: precursors.Preparation, times: list[float]) -> float:
    """Go through all steps, noting their times; returns the value at the end."""
    while True:
        try:
            times.append(next(steps))
        except StopIteration as over:
            return float(over.value)


def test_a_theft_begins_by_the_time_it_has_to_and_is_often_not_prepared() -> None:
    acts = []
    for seed in range(40):
        victim = desk(seed)
        times: list[float] = []
        begun = _all_of(precursors.prepare(victim, 10_000.0, 30_000.0), times)
        assert times == sorted(times)
        assert begun == times[-1]
        assert 10_000.0 <= begun <= 30_000.0 + 600.0
        acts.append((bool(victim.silences), len(victim.fills), len(times)))
    assert 2 <= sum(silent for silent, _, _ in acts) <= 20
    assert 5 <= sum(fills > 0 for _, fills, _ in acts) <= 35
    assert sum(steps == 1 for _, _, steps in acts) >= 5


def test_a_probe_is_a_few_usdt_near_fair() -> None:
    for seed in range(8):
        victim = desk(seed)
        precursors.probe(victim, 500.0)
        assert victim.fills
        assert all(fill.by == THIEF for fill in victim.fills)
        assert sum(fill.price * fill.amount * fill.quote_usdt for fill in victim.fills) < 20.0
        assert abs(sum(loss_of(fill) for fill in victim.fills)) < 0.2


def test_money_brought_over_shows_in_the_balances_only() -> None:
    victim = desk()
    victim.looks.append((0, ""))
    before = victim.equity(500.0)
    precursors.bring_over(victim, 500.0)
    assert victim.equity(500.0) > 1.02 * before
    assert not victim.fills
    rows = [row for row in victim.balance_rows() if row[0] == 500_000]
    assert len(rows) == 1


def test_the_smallest_holding_is_sold() -> None:
    victim = desk()
    precursors.sell_smallest(victim, 500.0)
    assert {fill.symbol for fill in victim.fills} == {"BTC/USDT"}
    assert victim.value("BTC", 500.0) < 5.0


def test_a_silenced_program_places_nothing_while_others_do() -> None:
    victim = desk()
    victim.silences.append((100.0, 200.0))
    assert victim.taker(150.0, "ETH/USDT", 1, 100.0) == []
    price = victim.mid("ETH/USDT", 150.0)
    assert victim.maker(150.0, "ETH/USDT", 1, price, 100.0) == []
    assert victim.taker(150.0, "ETH/USDT", 1, 100.0, by=MANUAL)
    assert victim.taker(200.0, "ETH/USDT", 1, 100.0)


@pytest.mark.parametrize("nets", [False, True])
def test_a_loan_is_no_gain_and_shows_as_the_venue_writes_it(*, nets: bool) -> None:
    victim = desk()
    victim.nets_debts = nets
    victim.looks.append((0, ""))
    before = victim.equity(500.0)
    victim.borrow("USDT", 7_000.0, 500.0)
    assert victim.equity(500.0) == pytest.approx(before)
    assert victim.held("USDT") == pytest.approx(12_000.0)
    shown = {(ms, name): total for ms, name, total in victim.balance_rows()}
    assert shown[500_000, "USDT"] == pytest.approx(5_000.0 if nets else 12_000.0)
