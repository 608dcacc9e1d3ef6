"""Venues: fees, what they disclose, and how orders are named there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXCHANGE = "simex"
"""The venue of the account."""
OTHER_EXCHANGE = "altex"
"""Another venue, whose tape some worlds have beside it."""


@dataclass(frozen=True, slots=True)
class Venue:
    """How the venue and the owner's programs name things.

    `discloses` is what the tape tells of the two sides: `nothing`, `orders` or `accounts`.
    `fee_in` is `quote` or `received` (a buyer's fee is taken from the coin bought).
    `client` is the habit of the owner's program: `counter`, `uuid`, `time` or `none`.
    """

    exchange: str
    account: str
    taker_fee: float
    maker_fee: float
    fee_in: str
    discloses: str
    client: str
    prefix: str
    order_style: str
    mixed_feeds: bool  # quotes of related markets are recorded finely around own fills, too


def draw_venue(rng: np.random.Generator, *, by_hand: bool, fees: bool) -> Venue:
    """Draw a venue and the owner's habits on it.

    Parameters
    ----------
    rng
        Source of all chance.
    by_hand
        Whether the owner is a person, whose orders have no client id of a program.
    fees
        Whether the venue has to charge takers.
    """
    taker = float(rng.choice([0.0, 0.0002, 0.0004, 0.00075, 0.001], p=[0.08, 0.12, 0.2, 0.2, 0.4]))
    taker = max(taker, 0.0005) if fees else taker
    maker = taker * float(rng.uniform(0.2, 1.0)) if rng.random() < 0.9 else -0.0001
    prefix = str(rng.choice(["bot", "grid_", "hb-", "x7", "ft", "s1.", "agent", "algo:", "mm", "dca"]))
    client = (
        "none" if by_hand else str(rng.choice(["counter", "uuid", "time", "none"], p=[0.3, 0.4, 0.2, 0.1]))
    )
    return Venue(
        EXCHANGE,
        "main",
        taker,
        round(maker, 6),
        str(rng.choice(["quote", "received"])),
        str(rng.choice(["nothing", "orders", "accounts"], p=[0.55, 0.25, 0.2])),
        client,
        prefix,
        str(rng.choice(["number", "hex"])),
        bool(rng.random() < 0.85),
    )
