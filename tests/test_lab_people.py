"""People trade by hand, bring and take money, and their books are kept daily."""

from __future__ import annotations

import numpy as np

from drainwatch.lab import people
from drainwatch.lab.desk import MANUAL, Desk, run
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
