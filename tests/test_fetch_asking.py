"""Pages of an exchange's past, of venues that differ in how they give them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from drainwatch.errors import VenueError
from drainwatch.fetch.asking import LONGEST_WAIT_S, TRIES, Asking, Refused
from drainwatch.fetch.spans import MINUTE_MS, Span
from drainwatch.rows import Trade
from drainwatch.venues.rest import Rest
from fetch_lab import QuickClock

Listing = Callable[[int, Any], list[Any]]
"""Gives what there is from a time on, up to another (or None)."""


class BadSymbol(Exception):  # noqa: N818 - named as ccxt's
    pass


class FakeVenue:
    """What `Asking` needs of a ccxt object."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.has = {"fetchTrades": True, "fetchOHLCV": True}
        self.last_json_response: Any = None
        self.last_response_headers: dict[str, str] | None = None
        self.asked: list[int] = []

    async def fetch_trades(self, symbol: str, since: int, limit: int, params: dict[str, int]) -> Any:
        self.asked.append(since)
        self.last_json_response = []
        return self.listing(since, params.get("until"))[:limit]

    async def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> Any:
        assert timeframe == "1m"
        self.asked.append(since)
        self.last_json_response = []
        return self.listing(since, None)[:limit]


def asking(listing: Listing, exchange: str = "binance") -> tuple[Asking, FakeVenue, QuickClock]:
    clock, venue = QuickClock(), FakeVenue(listing)
    rest = Rest(exchange, None, clock, account="")
    rest._made = venue
    return Asking(rest, clock, random.Random(0)), venue, clock


def all_of(one: Asking, table: str, span: Span) -> list[Any]:
    async def scene() -> list[Any]:
        up_to = span.start_ms
        rows = []
        async for page, until_ms in one.pages(table, "ETH/BTC", span):
            assert all(row.ts_ns // 1_000_000 >= up_to for row in page)
            assert until_ms >= up_to
            rows += page
            up_to = until_ms
        assert up_to == span.end_ms
        return rows

    return asyncio.run(scene())


def a_trade(ms: int, ident: str | None = None, **info: Any) -> dict[str, Any]:
    return {"id": ident, "timestamp": ms, "price": 2.0, "amount": 6.0, "side": "sell", "info": info}


@pytest.mark.parametrize("exchange", ["binance", "bitfinex", "kraken"])
@pytest.mark.parametrize("seed", range(4))
def test_every_trade_comes_once_in_order(exchange: str, seed: int) -> None:
    chance = random.Random(seed)
    span = Span(10_000_000, 10_000_000 + 5 * 3_600_000)
    at = sorted(
        chance.randrange(span.start_ms - 10**6, span.end_ms + 10**6, 1 + 499 * (seed % 2))
        for _ in range(4_000)
    )
    trades = [a_trade(ms, str(i)) for i, ms in enumerate(at)]
    grain = 1_000 if exchange == "kraken" else 1

    def listing(since: int, until: Any) -> list[Any]:
        if exchange == "binance":
            assert until is not None
            assert until - since < 3_600_000
        found = [
            t
            for t in trades
            if t["timestamp"] >= since // grain * grain and (until is None or t["timestamp"] <= until)
        ]
        return [t for t in found[:1_000] if t["timestamp"] >= since]  # so does ccxt

    one, venue, _ = asking(listing, exchange)
    rows = all_of(one, "trades", span)
    assert [row.id for row in rows] == [
        str(i) for i, ms in enumerate(at) if span.start_ms <= ms < span.end_ms
    ]
    assert one.n_crowded == 0
    assert len(venue.asked) < 40


def test_more_in_one_moment_than_a_page_holds_is_told() -> None:
    trades = [a_trade(5, str(at)) for at in range(1_500)] + [a_trade(9, "last")]
    one, _, _ = asking(lambda since, _until: [t for t in trades if t["timestamp"] >= since])
    rows = all_of(one, "trades", Span(0, 60_000))
    assert len(rows) == 1_001
    assert one.n_crowded == 1


def test_an_aggregate_becomes_the_prints_that_it_is_of() -> None:
    """An account's own print must be known by its id, or a fill would be proven fair by itself."""
    found = [a_trade(5, "77", a="77", f="200", l="202"), a_trade(6, "78", a=78, f=203, l=203)]
    one, _, _ = asking(lambda since, _until: [t for t in found if t["timestamp"] >= since])
    rows: list[Trade] = all_of(one, "trades", Span(0, 60_000))
    assert [(row.id, row.amount) for row in rows] == [("200", 2.0), ("201", 2.0), ("202", 2.0), ("203", 6.0)]
    assert {row.ts_ns for row in rows[:3]} == {5_000_000}


@pytest.mark.parametrize(
    ("first", "last"), [("9", "2"), ("1", "999999999999"), ("", "2"), ("x", "3"), (None, "1")]
)
def test_an_aggregate_with_odd_ids_is_one_print(first: Any, last: Any) -> None:
    one, _, _ = asking(
        lambda since, _until: [a_trade(5, "77", a="77", f=first, l=last)] if since <= 5 else []
    )
    assert [(row.id, row.amount) for row in all_of(one, "trades", Span(0, 60_000))] == [(None, 6.0)]


def test_candles_of_an_exchange_that_leaves_out_quiet_minutes() -> None:
    at = [1, 2, 3, 1_700, 2_999]
    candles = [[minute * MINUTE_MS, 1.0, 2.0, 0.5, 1.5, 9.0] for minute in at]

    def listing(since: int, _until: Any) -> list[Any]:
        return [c for c in candles if since <= c[0] < since + 500 * MINUTE_MS]

    one, venue, _ = asking(listing, "kucoin")
    rows = all_of(one, "candles", Span(MINUTE_MS, 3_000 * MINUTE_MS))
    assert [row.ts_ns // 1_000_000 // MINUTE_MS for row in rows] == at
    assert len(venue.asked) <= 12


def test_an_exchange_that_gives_only_the_latest_is_not_asked_for_ever() -> None:
    latest = [[10**12, 1.0, 2.0, 0.5, 1.5, 9.0]]
    one, venue, _ = asking(lambda _since, _until: latest, "kraken")
    assert all_of(one, "candles", Span(0, 10_000 * MINUTE_MS)) == []
    assert len(venue.asked) == 1


def test_an_exchange_that_gives_only_what_is_older_is_not_asked_for_ever() -> None:
    one, venue, _ = asking(lambda _since, _until: [[5, 1.0, 2.0, 0.5, 1.5, 9.0]])
    assert all_of(one, "candles", Span(MINUTE_MS, 1_001 * MINUTE_MS)) == []
    assert len(venue.asked) == 2


def test_rows_that_cannot_be_read_are_counted() -> None:
    found = [a_trade(5, "1"), {**a_trade(6, "2"), "price": "abc"}, None]
    one, _, _ = asking(lambda since, _until: found if since <= 5 else [])
    assert [row.id for row in all_of(one, "trades", Span(0, 60_000))] == ["1"]
    assert one.n_bad >= 2


def test_old_trades_are_not_asked_of_who_has_none() -> None:
    one, venue, _ = asking(lambda _since, _until: [], "okx")
    with pytest.raises(Refused, match="gives no old trades"):
        all_of(one, "trades", Span(0, 60_000))
    assert venue.asked == []


def test_what_is_hopeless_is_asked_once() -> None:
    def listing(_since: int, _until: Any) -> list[Any]:
        raise BadSymbol("https://x.example/?signature=secret")

    one, venue, _ = asking(listing)
    with pytest.raises(Refused) as refused:
        all_of(one, "trades", Span(0, 60_000))
    assert len(venue.asked) == 1
    assert "secret" not in str(refused.value)


def test_waits_grow_up_to_a_limit_and_end() -> None:
    def listing(_since: int, _until: Any) -> list[Any]:
        raise OSError("no route")

    one, venue, clock = asking(listing)
    with pytest.raises(VenueError):
        all_of(one, "trades", Span(0, 60_000))
    assert len(venue.asked) == TRIES
    assert len(clock.slept) == TRIES - 1
    assert all(2.0**at / 2 <= waited <= min(LONGEST_WAIT_S, 2.0**at) for at, waited in enumerate(clock.slept))


def test_who_is_told_to_stay_away_for_long_goes() -> None:
    one, venue, clock = asking(lambda _since, _until: [])

    def listing(_since: int, _until: Any) -> list[Any]:
        venue.last_response_headers = {"retry-after": "7200"}
        raise OSError("418")

    venue.listing = listing
    with pytest.raises(VenueError, match="left alone for 7,200 s"):
        all_of(one, "trades", Span(0, 60_000))
    assert clock.slept == []
