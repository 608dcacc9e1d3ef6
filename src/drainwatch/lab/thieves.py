"""Thieves: how money leaves an account by trades alone; which kinds there are, and how each comes in.

Each is a generator that acts on the victim's desk from `start` on. `desk.difficulty` goes from 0, a
blatant thief in a hurry, to 1, one who moves the price for hours beforehand, keeps to the owner's
sizes and hours, forges his client ids and uses many orders and accounts of his own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from drainwatch.lab import bleeders, churners, pumpers, sweepers
from drainwatch.lab.desk import Agent, Desk
from drainwatch.lab.draws import HOUR_S, log_uniform
from drainwatch.lab.precursors import prepare

Thief = Callable[[Desk, float], Agent]


class Kind(NamedTuple):
    """One kind of thief.

    `family` is the attack it belongs to: `F1` to `F17` of what is known or feared, `A1` to `A3` of those
    who adapt to a watcher. `incident` is the incident kind of the contract that fits best. `needs` is
    what a world must have for him: `perp` (a thin perpetual), `crash`, `weeks` (he has to start early).
    A `quiet` one does nothing beforehand that an owner would notice at once.
    """

    family: str
    incident: str
    make: Thief
    held_out: bool = False
    needs: str = ""
    quiet: bool = False


KINDS: dict[str, Kind] = {
    "planted_wall": Kind("F1", "planted_wall", sweepers.planted_wall),
    "ping_pong": Kind("F3", "ping_pong", churners.ping_pong),
    "slow_bleed": Kind("F4", "slow_bleed", bleeders.slow_bleed),
    "liquidate_then_pump": Kind("F5", "liquidate_then_buy", pumpers.liquidate_then_pump),
    "dump_into_bids": Kind("F7", "planted_wall", sweepers.dump_into_bids),
    "off_market_maker": Kind("F8", "off_market_maker", sweepers.off_market_maker),
    "boosted_coin": Kind("F10", "boosted_coin", pumpers.boosted_coin),
    "leverage_max": Kind("F11", "leverage", sweepers.leverage_max, needs="perp"),
    "mimicry": Kind("F12", "slow_bleed", bleeders.mimicry, quiet=True),
    "stable_skim": Kind("F14", "stable_pair", churners.stable_skim),
    "fee_churn": Kind("F15", "fee_churn", churners.fee_churn),
    "crumbs": Kind("A1", "ping_pong", sweepers.crumbs),
    "far_quote": Kind("F2", "far_quote", sweepers.far_quote, held_out=True),
    "coordinated_pump": Kind("F6", "coordinated_pump", pumpers.coordinated_pump, held_out=True),
    "wall_suppression": Kind("F9", "price_pressure", pumpers.wall_suppression, held_out=True),
    "twin_skim": Kind("F13", "cross_pair", churners.twin_skim, held_out=True),
    "triangle": Kind("F13", "cross_pair", churners.triangle, held_out=True),
    "iceberg": Kind("F16", "planted_wall", sweepers.iceberg, held_out=True),
    "thin_perp": Kind("F17", "thin_perp", churners.thin_perp, held_out=True, needs="perp"),
    "trainer": Kind("A2", "slow_bleed", bleeders.trainer, held_out=True, needs="weeks", quiet=True),
    "in_the_crash": Kind("A3", "planted_wall", sweepers.in_the_crash, held_out=True, needs="crash"),
}
"""Each kind of thief, those that may be trained on first."""

HELD_OUT = tuple(name for name, kind in KINDS.items() if kind.held_out)
"""Kinds that are for testing only: nothing may be trained or calibrated on them or their family."""


def enter(desk: Desk, name: str, start: float) -> Agent:
    """Bring a thief of a kind in at about `start`, with what he does before (`precursors`).

    One who waits for a crash comes with it; one who needs weeks comes earlier than `start` if there
    wouldn't be enough of them left.
    """
    kind = KINDS[name]
    latest = start + 0.1 * (desk.end - start)
    if kind.needs == "weeks":
        start = min(start, 0.3 * desk.end)
        latest = start + 0.1 * (desk.end - start)
    elif kind.needs == "crash":
        latest = sweepers.moment_of_crash(desk, start)
        start = max(latest - HOUR_S * log_uniform(desk.rng, 0.2, 24.0), 600.0)
    begun = yield from prepare(desk, start, latest, quiet=kind.quiet)
    yield from kind.make(desk, begun)


def difficulty_band(difficulty: float) -> str:
    """Return in which third a difficulty lies: `easy`, `medium` or `hard`."""
    if not 0.0 <= difficulty <= 1.0:
        raise ValueError(f"difficulty must be from 0 to 1, was {difficulty}")
    return "easy" if difficulty < 1.0 / 3.0 else "medium" if difficulty < 2.0 / 3.0 else "hard"
