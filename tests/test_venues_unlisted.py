from __future__ import annotations

from drainwatch.rows import Fill, Market
from drainwatch.venues.protocol import Symbols
from drainwatch.venues.unlisted import WAIT_NS, Unlisted


def fill(market: Market | None, id_: str = "1") -> Fill:
    symbol = "NEWUSDT" if market is None else market.symbol
    return Fill(exchange="x", account="a", symbol=symbol, id=id_, ts_ns=1, side="buy", price="1", amount="1")


NEW = Market(exchange="x", symbol="NEW/USDT", venue_symbol="NEWUSDT", base="NEW", quote="USDT")


def test_fills_come_back_in_order_once_their_market_is_listed() -> None:
    symbols, others = Symbols(), Symbols()
    waiting = Unlisted()
    waiting.keep("NEWUSDT", symbols, lambda market: fill(market, "1"), 0)
    waiting.keep("NEWUSDT", others, lambda market: fill(market, "other"), 0)
    waiting.keep("NEWUSDT", symbols, lambda market: fill(market, "2"), 1)
    assert waiting.found() == []
    symbols.add([NEW])
    assert [(one.id, one.symbol) for one in waiting.found()] == [("1", "NEW/USDT"), ("2", "NEW/USDT")]
    assert len(waiting) == 1
    assert waiting.found() == []


def test_fills_that_waited_too_long_come_back_under_the_venues_name() -> None:
    waiting = Unlisted()
    waiting.keep("NEWUSDT", Symbols(), lambda market: fill(market, "1"), 0)
    waiting.keep("NEWUSDT", Symbols(), lambda market: fill(market, "2"), 1)
    assert waiting.given_up(WAIT_NS - 1) == []
    assert [(one.id, one.symbol) for one in waiting.given_up(WAIT_NS)] == [("1", "NEWUSDT")]
    assert len(waiting) == 1
