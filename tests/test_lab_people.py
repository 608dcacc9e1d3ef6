"""People trade by hand, bring and take money, and their books are kept daily."""

from __future__ import annotations

import numpy as np

from drainwatch.lab import people
from drainwatch.lab.desk import MANUAL, Desk, run
from drainwatch.lab.paths import DAY_S, Episode
from drainwatch.lab.universe import build
from drainwatch.lab.venue import Venue


def desk(days: float, *, crash: bool = False) -> Desk:
    rng = np.random.default_rng(8)
    world, coins, markets = build(rng, days, regime="crash" if crash else "calm")
    venue = Venue("v", "a", 0.001, 0.001, "quote", "nothing", "none", "", "number", mixed_feeds=True)
    return Desk(rng, world, coins, markets, venue)


def test_hands_trade_beside_the_program_without_its_log() -> None:
    acting = desk(30.0)
    acting.fund("USDT", 10_000.0)
    run([people.hands(acting, 10_000.0)], acting.end)
    assert acting.fills
    assert {fill.by for fill in acting.fills} == {MANUAL}
    assert acting.own_orders == []


def test_some_people_panic_in_a_crash() -> None:
    acting = desk(8.0, crash=True)
    crash = next(episode for episode in acting.world.episodes if episode.kind == "crash")
    notes = set()
    for _ in range(4):  # half of them do
        run([people.human(acting, 10_000.0)], acting.end)
        notes |= {fill.note for fill in acting.fills if fill.ms / 1000.0 > crash.start_s}
    assert "own_bad_fill" in notes


def test_some_people_chase_what_has_risen_and_let_it_go_later() -> None:
    acting = desk(8.0)
    coin = acting.coins["H"].name
    start = 3.0 * DAY_S
    acting.world.episodes.append(Episode("pump", coin, start, start + 10_800.0, 0.8))
    assert people.risers(acting, "pump") == [(start, start + 10_800.0, f"{coin}/USDT")]
    assert people.risers(acting, "listing") == []
    bought, greedy = [], 0
    for _ in range(25):
        acting.fills.clear()
        acting.fund("USDT", 10_000.0)
        run([people.human(acting, 10_000.0)], acting.end)
        chased = [
            fill
            for fill in acting.fills
            if fill.symbol == f"{coin}/USDT" and fill.side > 0 and start < fill.ms / 1000.0 < start + 11_100.0
        ]
        greedy += any(fill.note == "own_bad_fill" for fill in chased)
        bought += chased
    assert len({fill.order for fill in bought}) >= 4
    assert {fill.liquidity for fill in bought} >= {"taker"}
    assert greedy >= 1


def test_a_night_owl_trades_at_hours_when_he_usually_sleeps() -> None:
    """A person's quiet hours hold few fills, but over months not none."""
    shares = []
    for _ in range(4):
        acting = desk(60.0)
        run([people.human(acting, 10_000.0)], acting.end)
        hours = np.array([fill.ms / 3_600_000.0 % 24.0 for fill in acting.fills])
        night = [int((((hours - start) % 24.0) < 6.0).sum()) for start in range(24)]
        shares.append(min(night) / len(hours))
    assert max(shares) > 0.0
    assert max(shares) < 0.15


def test_a_wrong_digit_in_the_price_takes_the_book_and_rests_with_what_is_left() -> None:
    acting = desk(4.0)
    acting.fund("USDT", 1e7)
    symbol = f"{acting.coins['D'].name}/USDT"
    fair = acting.mid(symbol, 5000.0)
    done = people.wrong_price(acting, 5000.0, symbol, 1, 500.0 * acting.markets[symbol].spec.depth, MANUAL)
    assert {fill.note for fill in done} == {"own_bad_fill"}
    takes, rests = ([fill for fill in done if fill.liquidity == kind] for kind in ("taker", "maker"))
    assert takes
    assert rests
    worst = rests[0].price
    assert worst > 1.05 * fair
    assert max(fill.price for fill in takes) <= worst * (1.0 + 1e-9)
    assert not rests[0].to_thief
    assert acting.own_orders == []  # no program placed it


def test_a_wrong_digit_in_the_amount_buys_far_more() -> None:
    acting = desk(4.0)
    acting.fund("USDT", 1e6)
    symbol = f"{acting.coins['A'].name}/USDT"
    done = people.wrong_amount(acting, 5000.0, symbol, 1, 100.0, MANUAL)
    spent = sum(fill.price * fill.amount for fill in done)
    assert 190.0 < spent < 1010.0
    assert {(fill.note, fill.type) for fill in done} == {("own_bad_fill", "market")}


def test_money_comes_and_goes_with_a_row_for_each() -> None:
    acting = desk(40.0)
    acting.fund("USDT", 10_000.0)
    run([people.banking(acting, 10_000.0) for _ in range(4)], acting.end)
    rows = acting.balance_rows()
    assert len(rows) >= 2
    assert {name for _, name, _ in rows} == {"USDT"}
    assert len({total for _, _, total in rows}) == len(rows)
    assert min(total for _, _, total in rows) >= 0.0


def test_books_are_kept_about_daily() -> None:
    acting = desk(10.0)
    acting.fund("USDT", 10_000.0)
    run([people.bookkeeping(acting)], acting.end)
    assert 8 <= len(acting.balance_rows()) <= 11
