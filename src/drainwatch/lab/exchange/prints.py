"""What a market has traded: its last prints, and candles of a minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

MINUTE_MS = 60_000
KEPT = 20_000
"""How many prints are remembered, and candles."""


class Print(Struct, frozen=True, gc=False):
    """A trade as everybody sees it, in units."""

    id: int
    ms: int
    price: int
    amount: int
    buyer_made: bool
    """Whether the buyer's order was the one that rested."""
    buy_order: int
    sell_order: int


class Minute(Struct, gc=False):
    """A candle, of a minute unless made of several, in units; `quote` is money."""

    ms: int
    open: int
    high: int
    low: int
    close: int
    amount: int = 0
    quote: int = 0
    taker_amount: int = 0
    """Of `amount`, what takers bought."""
    taker_quote: int = 0
    first_id: int = 0
    last_id: int = 0
    count: int = 0


class Prints:
    """Prints and candles of a market, the latest of each."""

    def __init__(self) -> None:
        self.last: deque[Print] = deque(maxlen=KEPT)
        self.minutes: deque[Minute] = deque(maxlen=KEPT)

    def add(self, trade: Print) -> None:
        """Add a print."""
        self.last.append(trade)
        start = trade.ms - trade.ms % MINUTE_MS
        price = trade.price
        if not self.minutes or self.minutes[-1].ms < start:
            self.minutes.append(Minute(start, price, price, price, price, first_id=trade.id))
        minute = self.minutes[-1]
        minute.high, minute.low = max(minute.high, price), min(minute.low, price)
        minute.close = price
        minute.amount += trade.amount
        minute.quote += trade.amount * price
        minute.last_id = trade.id
        minute.count += 1
        if not trade.buyer_made:
            minute.taker_amount += trade.amount
            minute.taker_quote += trade.amount * price

    def candles(self, length_ms: int = MINUTE_MS) -> Iterator[Minute]:
        """Give the candles of a length (whole minutes), the oldest first; none where nothing was traded."""
        made: Minute | None = None
        for minute in self.minutes:
            start = minute.ms - minute.ms % length_ms
            if made is None or made.ms != start:
                if made is not None:
                    yield made
                made = replace(minute, ms=start)
                continue
            made.high, made.low = max(made.high, minute.high), min(made.low, minute.low)
            made.close, made.last_id = minute.close, minute.last_id
            made.amount += minute.amount
            made.quote += minute.quote
            made.taker_amount += minute.taker_amount
            made.taker_quote += minute.taker_quote
            made.count += minute.count
        if made is not None:
            yield made
