"""A real order book, rebuilt from the events of its orders."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

GHOST_MS = 2_000
"""How long a book may be crossed before the older of the two orders is taken for a ghost: matching
takes some milliseconds, an order whose deletion was never published stays for hours."""


@dataclass(slots=True)
class Order:
    """A resting order: `side` +1 bids, -1 asks; `seen_ms` is when it was last heard of."""

    price: float
    amount: float
    side: int  # +1 bid, -1 ask
    seen_ms: int


class Book:
    """Order-by-order book; sides are sorted lists of (side-signed price, id), best first."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.sides: dict[int, list[tuple[float, int]]] = {1: [], -1: []}
        self.crossed_since: int | None = None

    def remove(self, number: int) -> None:
        """Forget an order; one that isn't known is let be."""
        order = self.orders.pop(number, None)
        if order is not None:
            levels = self.sides[order.side]
            del levels[bisect_left(levels, (-order.side * order.price, number))]

    def put(self, number: int, order: Order) -> None:
        """Add an order, or replace what was known of it."""
        self.remove(number)
        self.orders[number] = order
        insort(self.sides[order.side], (-order.side * order.price, number))

    def best(self, side: int) -> tuple[float, float]:
        """Return price and size of the best level, (0, 0) of an empty side."""
        levels = self.sides[side]
        if not levels:
            return 0.0, 0.0
        size = 0.0
        for key, number in levels:
            if key != levels[0][0]:
                break
            size += self.orders[number].amount
        return -side * levels[0][0], size

    def quote(self, ms: int) -> tuple[float, float, float, float] | None:
        """Best (bid, ask, bid size, ask size), or None while the book is one-sided or crossed."""
        while self.sides[1] and self.sides[-1]:
            (bid, bid_size), (ask, ask_size) = self.best(1), self.best(-1)
            if bid < ask:
                self.crossed_since = None
                return bid, ask, bid_size, ask_size
            if self.crossed_since is None:
                self.crossed_since = ms
            if ms - self.crossed_since < GHOST_MS:
                return None
            pair = self.sides[1][0][1], self.sides[-1][0][1]
            self.remove(min(pair, key=lambda number: self.orders[number].seen_ms))
        return None
