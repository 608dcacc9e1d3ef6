"""A thief's tools: he pays himself, near fair where he needs strangers, at his price where he doesn't."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest

from drainwatch.lab import theft
from drainwatch.lab.desk import THIEF, Desk, run
from drainwatch.lab.universe import build
from drainwatch.lab.venue import Venue


@pytest.fixture
def desk() -> Desk:
    rng = np.random.default_rng(6)
    world, coins, markets = build(rng, 2.0, regime="calm")
    venue = Venue("v", "a", 0.001, 0.001, "quote", "accounts", "none", "", "number", mixed_feeds=True)
    made = Desk(rng, world, coins, markets, venue)
    made.thief_names = ["thief"]
    made.fund("USDT", 5_000.0)
    made.fund("ETH", 5_000.0)
    return made


def test_between_slides_from_easy_to_hard(desk: Desk) -> None:
    for difficulty, low, high in ((0.0, 1.0, 10.0), (1.0, 0.01, 0.1)):
        desk.difficulty = difficulty
        drawn = [theft.between(desk, (1.0, 10.0), (0.01, 0.1)) for _ in range(50)]
        assert low <= min(drawn) <= max(drawn) <= high
        assert 0.0 < theft.share(desk) <= 0.97
        assert theft.careful(desk) == bool(difficulty)


def test_money_is_brought_into_place_near_fair(desk: Desk) -> None:
    theft.get(desk, 100.0, "BTC", 7_000.0)
    assert desk.value("BTC", 200.0) > 6_000.0
    assert all(fill.by == THIEF for fill in desk.fills)
    assert abs(sum(theft.loss_of(fill) for fill in desk.fills)) < 100.0
    before = len(desk.fills)
    theft.get(desk, 300.0, "BTC", 1_000.0)
    assert len(desk.fills) == before  # it is there already


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("maker", [True, False])
def test_meeting_the_thief_costs_what_he_asks(desk: Desk, side: int, *, maker: bool) -> None:
    symbol = desk.of_kind("thin", quote="USDT")[0]
    desk.difficulty = 1.0  # he removes strangers first
    desk.fund(desk.markets[symbol].spec.base, 3_000.0)
    fair = desk.markets[symbol].fair_price(100.0)
    done = theft.meet(desk, 100.0, symbol, side, fair * exp(0.3 * side), 1_000.0, maker=maker, stake=inf)
    assert done
    assert all(fill.to_thief for fill in done)
    assert {fill.liquidity for fill in done} == {"maker" if maker else "taker"}
    for fill in done:
        assert side * log(fill.price / fair) == pytest.approx(0.3, abs=0.02)
        assert fill.counterparty == "thief"
    assert sum(theft.loss_of(fill) for fill in done) > 150.0


def test_a_sweep_ends_in_the_wall(desk: Desk) -> None:
    symbol = desk.of_kind("dead")[0]
    run([theft.sweep(desk, 5_000.0, symbol, 1, log(2.0), 2_000.0, 5, 30.0)], desk.end)
    assert len({fill.order for fill in desk.fills}) == 5
    assert np.mean([fill.to_thief for fill in desk.fills]) > 0.5
    assert sum(theft.loss_of(fill) for fill in desk.fills) > 500.0


def test_everything_is_sold_but_what_is_kept(desk: Desk) -> None:
    desk.fund("BTC", 3_000.0)
    run([theft.sell_everything(desk, 100.0, "USDT", "BTC")], desk.end)
    assert desk.value("ETH", 200.0) < 100.0
    assert desk.value("BTC", 200.0) > 2_900.0
    assert {fill.symbol for fill in desk.fills} == {"ETH/USDT"}


def test_a_poisoned_price_is_left_again(desk: Desk) -> None:
    symbol = desk.of_kind("thin")[0]
    theft.poison(desk, symbol, 1_000.0, 2_000.0, 3_000.0, 0.2)
    market = desk.markets[symbol]
    (push,) = market.pushes
    assert [push(t) for t in (500.0, 1_925.0, 2_500.0, 9_000.0)] == pytest.approx(
        [0.0, 0.2, 0.2, 0.0], abs=0.05
    )


def test_targets_are_small_coins_and_usual_sizes_the_owners(desk: Desk) -> None:
    for _ in range(20):
        spec = desk.markets[theft.target(desk, "thin", "dead")].spec
        assert spec.kind in {"thin", "dead"}
        assert spec.base not in {"BTC", "ETH"}
        assert desk.markets[theft.sellable(desk, 1.0, "thin", "half")].spec.base != "BTC"
    assert theft.usual_size(desk, 123.0) == 123.0
    desk.taker(50.0, "BTC/USDT", 1, 700.0)
    assert theft.usual_size(desk, 123.0) == pytest.approx(700.0, rel=0.5)


def test_a_book_too_full_to_be_emptied_makes_him_ask_for_less(desk: Desk) -> None:
    liquid, dead = "BTC/USDT", desk.of_kind("dead", quote="USDT")[0]
    for symbol in (liquid, dead):
        fair = desk.markets[symbol].fair_price(50.0)
        asked = [theft.affordable(desk, 50.0, symbol, 1, 1.5 * fair, stake) for stake in (10.0, 1e9)]
        assert asked[0] < asked[1] == pytest.approx(1.5 * fair)
        inside = desk.mid(symbol, 50.0)
        assert theft.affordable(desk, 50.0, symbol, 1, inside, 1.0) == inside
    assert theft.thinnest(desk, 50.0, [liquid, dead], 1, log(1.5), 5_000.0) == dead
    assert theft.during_refill(desk, dead, 1e9) == 1.0
    assert theft.during_refill(desk, dead, 1.0) > 1.0


def test_he_moves_a_market_that_he_cannot_empty(desk: Desk) -> None:
    desk.difficulty = 0.0
    dead = desk.of_kind("dead", quote="USDT")[0]
    assert theft.approach(desk, 50.0, dead, 1, log(1.05), 1e9, 60.0) == 50.0
    assert not desk.markets[dead].pushes
    later = theft.approach(desk, 50.0, "BTC/USDT", -1, log(1.5), 10.0, 60.0)
    assert later > 60.0
    assert desk.mid("BTC/USDT", later) < 0.85 * desk.markets["BTC/USDT"].fair_price(later)


def test_the_next_side_is_the_one_there_is_money_for(desk: Desk) -> None:
    sides = [theft.next_side(desk, "BTC/USDT", 50.0) for _ in range(40)]  # no BTC yet
    assert np.mean([side == 1 for side in sides]) > 0.8
    assert theft.own_fills(desk) == []


def test_fees_are_told_in_usdt(desk: Desk) -> None:
    (fill, *_) = desk.taker(50.0, "ETH/BTC", -1, 1_000.0)
    assert theft.fee_of(fill) == pytest.approx(0.001 * fill.price * fill.amount * fill.quote_usdt)


def test_round_trips_end_when_enough_is_lost(desk: Desk) -> None:
    thin = desk.of_kind("thin", quote="USDT")[0]
    run([theft.round_trips(desk, 100.0, thin, 0.05, 300.0, 1_500.0)], desk.end)
    lost = sum(theft.loss_of(fill) for fill in desk.fills)
    assert 300.0 < lost < 700.0
    hit = [fill.side for fill in desk.fills if fill.to_thief]
    assert {1, -1} == set(hit)
