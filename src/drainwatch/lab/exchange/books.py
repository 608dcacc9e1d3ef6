"""Order books with price-time priority: who stands first at the best price trades first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sortedcontainers import SortedDict  # type: ignore[import-untyped]  # publishes no types

from drainwatch.lab.exchange.accounts import Order
from drainwatch.lab.exchange.prints import Prints
from drainwatch.lab.exchange.units import amount_of, price_of

_CURRENCY = re.compile(r"[A-Z0-9]{1,20}")
_WHOLE = amount_of(1)


@dataclass(frozen=True, slots=True)
class Listing:
    """What is traded in a market, and in which steps (in units)."""

    base: str
    quote: str
    tick: int = price_of("0.00000001")
    lot: int = amount_of("0.00000001")
    min_notional: int = 0
    """Money of the quote that an order must be worth."""
    settle: str = ""
    """What a perpetual contract is paid in: the quote; empty for a spot market."""
    contract_size: int = amount_of(1)
    """Base that a contract is worth; amounts of a perpetual count contracts."""

    def __post_init__(self) -> None:
        """Refuse what messages couldn't carry, and what wouldn't add up to the last digit."""
        for currency in (self.base, self.quote):
            if not _CURRENCY.fullmatch(currency):
                raise ValueError(f"a currency must be capitals and digits, was {currency!a}")
        if self.tick <= 0 or self.lot <= 0:
            raise ValueError(f"tick and lot of {self.symbol} must be above 0, were {self.tick}, {self.lot}")
        if self.settle not in {"", self.quote}:
            raise ValueError(f"{self.base}/{self.quote} must be paid in {self.quote}, was {self.settle!a}")
        if self.contract_size <= 0 or self.tick * self.lot * self.contract_size % _WHOLE:
            raise ValueError(f"a lot of {self.symbol} at any price must cost a whole number of units")

    @property
    def symbol(self) -> str:
        """Unified name: `ETH/BTC`, `BTC/USDT:USDT`."""
        return f"{self.base}/{self.quote}:{self.settle}" if self.settle else f"{self.base}/{self.quote}"

    @property
    def venue_symbol(self) -> str:
        """Name in Binance spot's messages: `ETHBTC`; for a perpetual only a name to keep it by."""
        return self.symbol.replace("/", "")

    @property
    def held(self) -> str:
        """What a buyer gets: the base, or a position by the contract's own name."""
        return self.symbol if self.settle else self.base

    def cost(self, amount: int, price: int) -> int:
        """Give the money of the quote that an amount costs."""
        return amount * price * self.contract_size // _WHOLE if self.settle else amount * price


@dataclass(slots=True)
class Level:
    """The orders at one price, oldest first."""

    orders: dict[int, Order] = field(default_factory=dict)
    total: int = 0


class Book:
    """One market: its resting orders and its prints."""

    def __init__(self, listing: Listing, first_trade_id: int = 1) -> None:
        self.listing = listing
        self.symbol = listing.symbol
        self.venue_symbol = listing.venue_symbol
        self.prints = Prints()
        self.next_trade_id = first_trade_id
        self.update_id = 1
        """Rises with each change of a level."""
        self.touched: dict[tuple[bool, int], None] | None = None
        """Levels (whether bid, price) that changed since somebody emptied it; None: nobody asks."""
        self.mark = 0
        """Mark price of a perpetual; 0: as the last print."""
        self._sides: dict[bool, SortedDict[int, Level]] = {True: SortedDict(), False: SortedDict()}

    def add(self, order: Order) -> None:
        """Let an order rest behind those at its price."""
        level = self._sides[order.buy].setdefault(_rank(order.buy, order.price), Level())
        level.orders[order.id] = order
        level.total += order.left
        self._changed(order)

    def remove(self, order: Order) -> bool:
        """Take an order out; false if it doesn't rest here."""
        level = self._sides[order.buy].get(_rank(order.buy, order.price))
        if level is None or level.orders.pop(order.id, None) is None:
            return False
        level.total -= order.left
        if not level.orders:
            del self._sides[order.buy][_rank(order.buy, order.price)]
        self._changed(order)
        return True

    def reduce(self, order: Order, amount: int) -> None:
        """Note that an amount of a resting order is about to trade; a full one leaves the book."""
        if amount == order.left:
            self.remove(order)
            return
        self._sides[order.buy][_rank(order.buy, order.price)].total -= amount
        self._changed(order)

    def front(self, *, buy: bool) -> Order | None:
        """Give the order that trades next on a side; None for an empty side."""
        side = self._sides[buy]
        return next(iter(side.peekitem(0)[1].orders.values())) if side else None

    def best(self, *, buy: bool) -> tuple[int, int]:
        """Give the best price of a side and the amount there; zeros for an empty side."""
        side = self._sides[buy]
        if not side:
            return 0, 0
        rank, level = side.peekitem(0)
        return abs(rank), level.total

    def top(self) -> tuple[int, int, int, int]:
        """Give best bid and its amount, best ask and its amount."""
        return (*self.best(buy=True), *self.best(buy=False))

    def levels(self, *, buy: bool, most: int) -> list[tuple[int, int]]:
        """Give price and amount of a side's best levels, best first."""
        side = self._sides[buy]
        return [(abs(rank), level.total) for rank, level in zip(side, side.values(), strict=True)][:most]

    def level(self, *, buy: bool, price: int) -> int:
        """Give the amount at a price, 0 without orders there."""
        level = self._sides[buy].get(_rank(buy, price))
        return level.total if level else 0

    def mark_now(self) -> int:
        """Give a perpetual's mark price; 0 where there is none."""
        if not self.listing.settle:
            return 0
        return self.mark or (self.prints.last[-1].price if self.prints.last else 0)

    def opposing(self, *, buy: bool, limit: int) -> Iterator[Order]:
        """Go through the orders that one of a side could trade with, best first; `limit` 0 is no limit."""
        for rank, level in self._sides[not buy].items():
            price = abs(rank)
            if limit and (price > limit if buy else price < limit):
                return
            yield from level.orders.values()

    def _changed(self, order: Order) -> None:
        self.update_id += 1
        if self.touched is not None:
            self.touched[order.buy, order.price] = None


def _rank(buy: bool, price: int) -> int:
    """Key by which the best level of a side comes first."""
    return -price if buy else price
