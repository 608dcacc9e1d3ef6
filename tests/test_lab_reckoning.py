"""Cash is conserved: what the victim loses the thief and bystanders have, less fees."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from drainwatch.lab import owners, paths, tape, thieves, universe
from drainwatch.lab.desk import THIEF, Desk, run
from drainwatch.lab.reckoning import reckon
from drainwatch.lab.venue import draw_venue


@cache
def robbed(name: str, difficulty: float) -> Desk:
    rng = np.random.default_rng(61)
    needs = thieves.KINDS[name].needs
    perp = "thin" if needs == "perp" else None
    world, coins, markets = universe.build(
        rng, 5.0, regime="crash" if needs == "crash" else "calm", perp=perp
    )
    desk = Desk(rng, world, coins, markets, draw_venue(rng, by_hand=False, fees=True), difficulty)
    desk.thief_names = ["acct9001", "acct9002"]
    desk.looks.append((0, ""))
    agents = [owners.KINDS["rebalancer"](desk, 60_000.0), thieves.enter(desk, name, 150_000.0)]
    fair = {symbol: market.fair.copy() for symbol, market in markets.items()}
    run(agents, desk.end)
    assert all((market.fair == fair[symbol]).all() for symbol, market in markets.items())
    return desk


CASES = [(name, difficulty) for name in thieves.KINDS for difficulty in (0.15, 0.85)]


@pytest.mark.parametrize(("name", "difficulty"), CASES)
def test_what_the_victim_loses_the_thief_and_bystanders_gain(name: str, difficulty: float) -> None:
    desk = robbed(name, difficulty)
    found = reckon(desk)
    turnover = sum(f.price * f.amount * f.contract_size * f.quote_usdt for f in desk.fills if f.by == THIEF)
    assert found.lost == pytest.approx(found.gained + found.bystanders, abs=1e-9 * turnover)
    assert found.lost + found.fees > 0.0
    if name != "fee_churn":
        assert found.gained > 0.0


@pytest.mark.parametrize(("name", "difficulty"), CASES)
def test_the_thiefs_ledger_is_his_side_of_the_tape(name: str, difficulty: float) -> None:
    """Two records kept apart: his ledger, and the accounts that every print names."""
    desk = robbed(name, difficulty)
    kept: dict[str, float] = defaultdict(float)
    for deal in desk.thief_ledger:
        kept[deal.symbol] += deal.side * deal.amount
        kept[f"{deal.symbol} paid"] += deal.side * deal.amount * deal.price
    told: dict[str, float] = defaultdict(float)
    volume: dict[str, float] = defaultdict(float)
    for symbol, market in desk.markets.items():
        for made in market.prints:
            for who, side in ((made.taker, made.side), (made.maker, -made.side)):
                if who in desk.thief_names:
                    told[symbol] += side * made.amount
                    told[f"{symbol} paid"] += side * made.amount * made.price
                    volume[symbol] += made.amount
                    volume[f"{symbol} paid"] += made.amount * made.price
    assert set(kept) == set(told)
    for key, amount in told.items():
        assert kept[key] == pytest.approx(amount, abs=1e-9 * volume[key])


@pytest.mark.parametrize(("name", "difficulty"), CASES)
def test_the_victims_holdings_change_by_fills_fees_and_money_brought_only(
    name: str, difficulty: float
) -> None:
    """Currency by currency, over all spot fills: nothing appears, nothing is lost."""
    desk = robbed(name, difficulty)
    if any(market.spec.settle for market in desk.markets.values()):
        return  # a perpetual changes a holding only when it is closed
    flows: dict[str, float] = defaultdict(float)
    scale: dict[str, float] = defaultdict(float)
    for _, currency, change in desk.ledger:
        flows[currency] += change
        scale[currency] += abs(change)
    for fill in desk.fills:
        base, quote = fill.symbol.split("/")
        flows[base] -= fill.side * fill.amount
        flows[quote] += fill.side * fill.amount * fill.price
        flows[fill.fee_currency] += fill.fee
    brought = {currency for _, currency, change in desk.ledger if change > 0.0}
    for currency, left in flows.items():
        funded = sum(
            change for ms, name_, change in desk.ledger if name_ == currency and _from_outside(desk, ms)
        )
        assert currency in brought
        assert left == pytest.approx(funded, abs=1e-9 * scale[currency])


def _from_outside(desk: Desk, ms: int) -> bool:
    """Whether a change of a holding at `ms` is money brought in or taken out, which has a look of its own."""
    return ms < 0 or any(look == ms + 1 and of for look, of in desk.looks)


@pytest.mark.parametrize("name", ["planted_wall", "slow_bleed", "boosted_coin", "in_the_crash"])
def test_true_fair_is_the_latent_one_whatever_was_done_to_the_market(name: str) -> None:
    desk = robbed(name, 0.85)
    for fill in desk.fills:
        latent = np.exp(paths.at(desk.markets[fill.symbol].fair, fill.ms / 1000.0))
        assert fill.true_fair == pytest.approx(float(latent), rel=2e-3)


def test_moving_a_price_costs_the_thief_once_the_tape_is_drawn() -> None:
    desk = robbed.__wrapped__("boosted_coin", 0.15)  # not the one that others look at
    before = reckon(desk).poison
    for market in desk.markets.values():
        tape.strangers(desk, market)
    after = reckon(desk)
    assert after.poison > before
    assert after.gained > 0.0


def test_what_a_crowd_pays_is_not_the_thiefs_cost() -> None:
    desk = robbed.__wrapped__("coordinated_pump", 0.15)
    before = reckon(desk).poison
    for market in desk.markets.values():
        tape.strangers(desk, market)
    assert reckon(desk).poison == pytest.approx(before)
