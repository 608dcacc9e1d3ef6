"""The desk executes what was ordered within what is held, and keeps books that add up."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np
import pytest

from drainwatch.lab.desk import MANUAL, THIEF, Desk, run
from drainwatch.lab.universe import build
from drainwatch.lab.venue import Venue


def desk(*, fee_in: str = "quote", discloses: str = "nothing", perp: str | None = None) -> Desk:
    rng = np.random.default_rng(5)
    world, coins, markets = build(rng, 1.0, regime="calm", perp=perp)
    venue = Venue("v", "a", 0.001, 0.0005, fee_in, discloses, "counter", "bot", "number", mixed_feeds=True)
    made = Desk(rng, world, coins, markets, venue)
    made.thief_names = ["thief"]
    made.fund("USDT", 10_000.0)
    return made


@pytest.mark.parametrize("fee_in", ["quote", "received"])
def test_money_is_neither_made_nor_lost(fee_in: str) -> None:
    acting = desk(fee_in=fee_in)
    bought = acting.taker(100.0, "BTC/USDT", 1, 4_000.0)
    sold = acting.taker(200.0, "BTC/USDT", -1, 1_000.0)
    rested = acting.maker(300.0, "ETH/USDT", 1, 0.999 * acting.mid("ETH/USDT", 300.0), 500.0, parts=3)
    fills = [*bought, *sold, *rested]
    spent = sum(fill.side * fill.price * fill.amount for fill in fills)
    fees = sum(fill.fee for fill in fills if fill.fee_currency == "USDT")
    assert acting.held("USDT") == pytest.approx(10_000.0 - spent - fees)
    coins = sum(fill.side * fill.amount for fill in [*bought, *sold])
    paid = sum(fill.fee for fill in [*bought, *sold] if fill.fee_currency == "BTC")
    assert acting.held("BTC") == pytest.approx(coins - paid)
    assert (paid > 0.0) == (fee_in == "received")
    assert {fill.liquidity for fill in rested} == {"maker"}


def test_orders_are_clipped_to_the_holdings() -> None:
    acting = desk()
    acting.taker(100.0, "BTC/USDT", 1, inf)
    assert 0.0 <= acting.held("USDT") < 20.0
    assert acting.taker(200.0, "BTC/USDT", 1, inf) == [] or acting.held("USDT") >= 0.0
    acting.taker(300.0, "BTC/USDT", -1, inf)
    assert 0.0 <= acting.value("BTC", 300.0) < 2.0
    assert acting.taker(400.0, "ETH/USDT", -1, 500.0) == []


def test_balance_rows_hold_what_earlier_fills_left() -> None:
    acting = desk()
    acting.looks.append((0, ""))
    first = acting.taker(100.0, "BTC/USDT", 1, 1_000.0)
    acting.snapshot(150.0)
    acting.fund("USDT", 77.0, 160.0)
    acting.taker(200.0, "BTC/USDT", 1, 1_000.0)
    rows = acting.balance_rows()
    spent = sum(fill.price * fill.amount + fill.fee for fill in first)
    assert rows[0] == (0, "USDT", 10_000.0)
    assert (150_000, "BTC", sum(fill.amount for fill in first)) in rows
    usdt = {ms: total for ms, name, total in rows if name == "USDT"}
    assert usdt[150_000] == pytest.approx(10_000.0 - spent)
    assert usdt[160_000] == pytest.approx(10_077.0 - spent)


def test_only_the_program_logs_its_orders_and_names_them() -> None:
    acting = desk()
    acting.taker(100.0, "BTC/USDT", 1, 100.0)
    acting.taker(110.0, "BTC/USDT", 1, 100.0, by=MANUAL)
    acting.taker(120.0, "BTC/USDT", 1, 100.0, by=THIEF)
    assert [client for _, _, client in acting.own_orders] == ["bot1"]
    acting.forged = True
    assert acting.taker(130.0, "BTC/USDT", 1, 100.0, by=THIEF)[0].client == "bot2"
    assert len(acting.own_orders) == 1


def test_quotes_stand_before_and_after_an_order() -> None:
    acting = desk()
    ((ms, *_),) = {(fill.ms, fill.order) for fill in acting.taker(100.0, "BTC/USDT", 1, 5_000.0)}
    times = [quote[0] for quote in acting.markets["BTC/USDT"].quotes]
    assert times[0] < ms < times[-1]
    assert acting.markets["ETH/USDT"].looks == []
    acting.taker(200.0, "ETH/BTC", 1, 100.0)
    assert acting.markets["ETH/BTC"].looks == []


def test_markets_that_price_a_pair_are_looked_at_with_it() -> None:
    acting = desk()
    thin = next(s for s in acting.of_kind("thin") if acting.markets[s].spec.quote == "BTC")
    acting.taker(50.0, "BTC/USDT", 1, 1_000.0)
    acting.taker(100.0, thin, 1, 100.0)
    for related in (f"{acting.markets[thin].spec.base}/USDT", "BTC/USDT"):
        assert all(99.0 <= look < 100.0 for look in acting.markets[related].looks[-1:])
        assert acting.markets[related].looks


def test_meeting_a_wall_is_trading_with_the_thief() -> None:
    acting = desk(discloses="accounts")
    thin = acting.of_kind("thin", quote="USDT")[0]
    fair = acting.markets[thin].fair_price(100.0)
    acting.clear(99.9, thin, 1, 2.0 * fair)
    wall = acting.wall(99.95, thin, -1, 2.0 * fair, 5_000.0, until=200.0)
    (fill,) = acting.taker(100.0, thin, 1, 1_000.0, by=THIEF)
    assert fill.to_thief
    assert fill.price == wall.price
    assert fill.counterparty == "thief"
    assert fill.true_fair == pytest.approx(fair, rel=1e-3)


def test_a_perpetuals_profit_is_settled_when_it_closes() -> None:
    acting = desk(perp="liquid")
    symbol = "ETH/USDT:USDT"
    opened = acting.taker(100.0, symbol, 1, 3_000.0)
    fees = sum(fill.fee for fill in opened)
    assert acting.held("USDT") == pytest.approx(10_000.0 - fees)
    contracts = sum(fill.amount for fill in opened)
    assert acting.positions[symbol][0] == contracts
    closed = acting.taker(
        40_000.0, symbol, -1, 1.001 * contracts * acting.mid(symbol, 40_000.0) * opened[0].contract_size
    )
    gain = sum(-fill.side * fill.price * fill.amount * fill.contract_size for fill in [*opened, *closed])
    fees += sum(fill.fee for fill in closed)
    if acting.positions[symbol][0] == 0.0:
        assert acting.held("USDT") == pytest.approx(10_000.0 + gain - fees)
    assert acting.equity(40_000.0) == pytest.approx(acting.held("USDT"), rel=0.05)


@pytest.mark.parametrize("side", [1, -1])
def test_an_inverse_perpetual_pays_in_its_coin_and_nothing_is_lost(side: int) -> None:
    acting = desk(perp="inverse")
    acting.fund("BTC", 20_000.0)
    symbol, before = "BTC/USD:BTC", acting.held("BTC")
    opened = [*acting.taker(100.0, symbol, side, 3_000.0), *acting.taker(9_000.0, symbol, side, 2_000.0)]
    assert {fill.fee_currency for fill in opened} == {"BTC"}
    contracts = sum(fill.amount for fill in opened)
    assert contracts == pytest.approx(50.0)  # of 100 dollars each, whatever the price
    assert sum(fill.cost for fill in opened) == pytest.approx(100.0 * contracts)
    assert acting.exposure(symbol, 10_000.0) == pytest.approx(5_000.0)
    for t in (40_000.0, 41_000.0, 42_000.0):  # the last one only closes what is left
        acting.taker(t, symbol, -side, min(2_000.0, acting.exposure(symbol, t)))
    assert acting.positions[symbol][0] == 0.0
    fills = [fill for fill in acting.fills if fill.symbol == symbol]
    gain = sum(fill.side * fill.amount * 100.0 / fill.price for fill in fills)
    fees = sum(fill.fee for fill in fills)
    assert fees == pytest.approx(sum(100.0 * fill.amount / fill.price for fill in fills) * 0.001)
    assert acting.held("BTC") - before == pytest.approx(gain - fees, abs=1e-12)
    assert acting.equity(42_001.0) == pytest.approx(
        acting.value("BTC", 42_001.0) + acting.held("USDT"), rel=1e-9
    )


def test_what_an_inverse_fill_lost_is_what_it_would_cost_to_undo_it_at_fair() -> None:
    acting = desk(perp="inverse")
    acting.fund("BTC", 20_000.0)
    fair = acting.markets["BTC/USD:BTC"].fair_price(100.0)
    acting.clear(99.9, "BTC/USD:BTC", 1, 1.25 * fair)
    acting.wall(99.95, "BTC/USD:BTC", -1, 1.25 * fair, 9_000.0, until=200.0)
    (fill,) = acting.taker(100.0, "BTC/USD:BTC", 1, 1_000.0, by=THIEF)
    btc = fill.amount * 100.0 * (1.0 / fill.true_fair - 1.0 / fill.price)
    assert fill.lost == pytest.approx(btc * fill.true_fair)
    assert fill.lost == pytest.approx(1_000.0 * (1.0 - 1.0 / 1.25), rel=0.01)


def test_agents_are_woken_in_order_of_time() -> None:
    seen: list[tuple[float, str]] = []

    def agent(name: str, times: list[float]) -> Iterator[float]:
        for t in times:
            yield t
            seen.append((t, name))

    run([agent("a", [5.0, 30.0, 99.0]), agent("b", [10.0, 20.0]), agent("c", [])], 50.0)
    assert seen == [(5.0, "a"), (10.0, "b"), (20.0, "b"), (30.0, "a")]
