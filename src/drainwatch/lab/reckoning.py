"""Reckoning: who lost what to whom in a theft, so that no cash appears or goes astray."""

from __future__ import annotations

from typing import NamedTuple

from drainwatch.lab.desk import THIEF, Desk
from drainwatch.lab.theft import fee_of, loss_of


class Reckoning(NamedTuple):
    """Sums in USDT beyond fair value; each is positive where it is to the thief's purpose.

    `lost` is the victim's, on all that the thief ordered and where the owner's own orders met him,
    without `fees`; `gained` is the thief's part of it, before his fees; `bystanders` the strangers',
    who had quotes in the way. `poison` is what he paid strangers to clear books and to move prices; the
    part for moving them is known once the tape has been drawn.
    """

    lost: float
    fees: float
    gained: float
    bystanders: float
    poison: float


def reckon(desk: Desk) -> Reckoning:
    """Reckon a theft up; `lost` equals `gained` plus `bystanders` to rounding."""
    robbed = [fill for fill in desk.fills if fill.by == THIEF or fill.to_thief]
    return Reckoning(
        lost=sum(loss_of(fill) for fill in robbed),
        fees=sum(fee_of(fill) for fill in robbed),
        gained=sum(deal.gain for deal in desk.thief_ledger if deal.other == "victim"),
        bystanders=sum(loss_of(fill) for fill in robbed if not fill.to_thief),
        poison=-sum(deal.gain for deal in desk.thief_ledger if deal.other == "stranger"),
    )
