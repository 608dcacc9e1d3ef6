"""Venues differ in fees, names and in what they disclose."""

from __future__ import annotations

import numpy as np

from drainwatch.lab.venue import draw_venue


def test_venues_differ() -> None:
    rng = np.random.default_rng(1)
    venues = [draw_venue(rng, by_hand=False, fees=False) for _ in range(200)]
    assert {venue.discloses for venue in venues} == {"nothing", "orders", "accounts"}
    assert {venue.fee_in for venue in venues} == {"quote", "received"}
    assert {venue.client for venue in venues} == {"counter", "uuid", "time", "none"}
    assert min(venue.taker_fee for venue in venues) == 0.0
    assert max(venue.taker_fee for venue in venues) <= 0.001
    assert min(venue.maker_fee for venue in venues) < 0.0  # a rebate


def test_a_persons_orders_have_no_programs_name_and_fees_can_be_had() -> None:
    rng = np.random.default_rng(2)
    venues = [draw_venue(rng, by_hand=True, fees=True) for _ in range(50)]
    assert {venue.client for venue in venues} == {"none"}
    assert min(venue.taker_fee for venue in venues) >= 0.0005
