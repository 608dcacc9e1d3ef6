"""What REST gives: everything since a moment, each fill once, and errors that tell no secret."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ccxt_fakes import KEYS, FakeBinance, RealClock
from drainwatch.errors import ConfigError, KeyRefusedError, VenueError
from drainwatch.rows import Fill
from drainwatch.venues.protocol import BadMessage
from drainwatch.venues.rest import Rest

HOUR_NS = 3600 * 10**9


class QuickClock(RealClock):
    """Real time that doesn't wait, and keeps what it was asked to."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def asking(venue: FakeBinance, exchange_id: str = "binance") -> AsyncIterator[tuple[Rest, QuickClock]]:
    clock = QuickClock()
    rest = Rest(exchange_id, KEYS, clock, account="main", urls=venue.urls)
    try:
        yield rest, clock
    finally:
        await rest.close()


class ListedVenue:
    """What `Rest` needs of a ccxt object whose fills are listed by a function."""

    def __init__(self, listing: Callable[..., list[dict[str, Any]]], features: dict[str, Any]) -> None:
        self.listing, self.features = listing, {"spot": {"fetchMyTrades": features}}
        self.options: dict[str, Any] = {}
        self.markets: dict[str, dict[str, Any]] = {
            "ETH/BTC": {"symbol": "ETH/BTC", "id": "e", "base": "ETH", "quote": "BTC", "type": "spot"}
        }
        self.precisionMode = 4
        self.number: Any = float
        self.has = {"fetchMyTrades": True}
        self.calls: list[tuple[Any, ...]] = []

    async def load_markets(self, _reload: bool) -> dict[str, Any]:
        return self.markets

    async def fetch_my_trades(self, symbol: Any, since: int, limit: Any, params: dict[str, Any]) -> Any:
        self.calls.append((symbol, since, limit, dict(params), self.options.get("defaultType")))
        return self.listing(symbol, since, limit, params.get("until"))

    async def close(self) -> None:
        pass


def made_of(listing: Callable[..., list[dict[str, Any]]], **features: Any) -> tuple[Rest, ListedVenue]:
    rest = Rest("kraken", KEYS, QuickClock(), account="main")
    venue = ListedVenue(listing, features)
    rest._made = venue
    return rest, venue


def listed(ident: int, ms: int) -> dict[str, Any]:
    return {
        "id": str(ident),
        "symbol": "ETH/BTC",
        "side": "buy",
        "price": "0.06",
        "amount": "1",
        "timestamp": ms,
        "info": {},
    }


def test_markets_say_what_the_venue_calls_them() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, asking(venue) as (rest, _):
            market = {m.symbol: m for m in await rest.markets()}["QTUM/BTC"]
            assert (market.exchange, market.venue_symbol, market.base, market.quote) == (
                "binance",
                "QTUMBTC",
                "QTUM",
                "BTC",
            )
            assert market.tick_size == 0.00001
            assert market.contract_size is None
            assert venue.requests == ["/api/v3/exchangeInfo"]

    asyncio.run(body())


def test_fills_of_days_are_all_given_once_with_exact_figures() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, asking(venue) as (rest, clock):
            venue.page = 25
            now_ms = clock.now_ns() // 1_000_000
            start_ms = now_ms - 70 * 3_600_000
            for i in range(200):
                # Some share a millisecond; a quiet day lies in between.
                at_ms = start_ms + (i // 2) * 60_000 + (0 if i < 100 else 48 * 3_600_000)
                venue.execute(time=at_ms, price="0.06000010", qty="123.45678901")
            fills = await rest.my_trades(["ETH/BTC", "QTUM/BTC", "NO/SUCH"], start_ms * 1_000_000)
            assert [fill.id for fill in fills] == [str(i) for i in range(1, 201)]
            assert {(fill.price, fill.amount) for fill in fills} == {("0.06000010", "123.45678901")}
            assert await rest.my_trades([], start_ms * 1_000_000) == []

    asyncio.run(body())


def test_a_minute_before_is_asked_for_too_and_nothing_older_is_given() -> None:
    async def body() -> None:
        rest, venue = made_of(lambda *_: [listed(1, 900_000), listed(2, 950_000), listed(3, 1_010_000)])
        fills = await rest.my_trades([], 1_000_000 * 10**6)
        assert [fill.id for fill in fills] == ["2", "3"]
        assert venue.calls[0][1] == 940_000

    asyncio.run(body())


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("cap", [20, 50, 300])
def test_pages_are_read_to_their_end_whichever_end_the_venue_gives(cap: int, newest_first: bool) -> None:
    rows = [listed(i, 1_000_000 + 10 * (i // 3)) for i in range(200)]

    def listing(_symbol: Any, since: int, _limit: Any, until: int | None) -> list[dict[str, Any]]:
        found = [row for row in rows if since <= row["timestamp"] <= (until or 10**15)]
        return found[-cap:] if newest_first else found[:cap]

    async def body() -> None:
        rest, _ = made_of(listing)
        fills = await rest.my_trades([], 1_000_000 * 10**6)
        assert sorted(int(fill.id) for fill in fills) == list(range(200))

    asyncio.run(body())


def test_a_venue_that_never_comes_to_an_end_is_an_error() -> None:
    count = iter(range(10**9))

    async def body() -> None:
        rest, _ = made_of(lambda *_: [listed(next(count), 2_000_000)])
        with pytest.raises(VenueError, match="expected an end"):
            await rest.my_trades([], 1_000_000 * 10**6)

    asyncio.run(body())


def test_every_kind_of_market_is_asked_for_and_the_options_stay_as_they_were() -> None:
    async def body() -> None:
        rest, venue = made_of(lambda *_: [listed(1, 2_000_000)])
        venue.markets["ETH/USDT:USDT"] = {
            **venue.markets["ETH/BTC"],
            "symbol": "ETH/USDT:USDT",
            "type": "swap",
            "inverse": False,
        }
        venue.options["defaultType"] = "spot"
        assert len(await rest.my_trades([], 1_000_000 * 10**6)) == 1
        assert {call[4] for call in venue.calls} == {"spot", "swap"}
        assert venue.options["defaultType"] == "spot"

    asyncio.run(body())


def test_what_cannot_be_read_in_a_list_is_counted_and_the_rest_is_given() -> None:
    bad: list[BadMessage] = []

    async def body() -> None:
        rest, _ = made_of(lambda *_: [listed(1, 2_000_000), {"id": None}, None, listed(2, 2_000_000)])
        rest._on_bad = bad.append
        assert len(await rest.my_trades([], 1_000_000 * 10**6)) == 2
        assert bad

    asyncio.run(body())


def test_a_venue_that_ccxt_computes_numbers_for_is_asked_with_floats() -> None:
    async def body() -> None:
        rest, venue = made_of(lambda *_: [])

        def listing(*_: Any) -> list[dict[str, Any]]:
            if venue.number is str:
                raise TypeError("can't multiply sequence by non-int")
            return [{**listed(1, 2_000_000), "price": 0.1}]

        venue.listing = listing
        fills = await rest.my_trades([], 1_000_000 * 10**6)
        assert [fill.price for fill in fills] == ["0.1"]

    asyncio.run(body())


def test_a_limit_on_requests_is_waited_for() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, asking(venue) as (rest, clock):
            await rest.markets()
            venue.failures = [
                (429, {"code": -1003, "msg": "Too many requests"}),
                (503, {"code": 0, "msg": "x"}),
            ]
            assert await rest.balances()
            assert clock.slept == [0.5, 1.0]

    asyncio.run(body())


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (401, {"code": -2014, "msg": "planted-key is no key"}, True),
        (400, {"code": -1022, "msg": "signature=planted"}, True),
        (403, {"code": -1, "msg": "planted-secret"}, False),
        (400, {"code": -1121, "msg": "Invalid symbol planted"}, False),
    ],
)
def test_errors_are_plain_and_hold_nothing_secret(status: int, body: dict[str, Any], refused: bool) -> None:
    async def run() -> None:
        async with FakeBinance() as venue, asking(venue) as (rest, _):
            await rest.markets()
            venue.failures = [(status, body)] * 9
            with pytest.raises(KeyRefusedError if refused else VenueError) as caught:
                await rest.balances()
            told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
            assert "planted" not in told
            assert "signature=" not in told
            assert caught.value.__context__ is None
            assert "binance: asking for balances failed" in str(caught.value)

    asyncio.run(run())


def test_a_key_revoked_after_it_worked_is_refused_not_too_frequent() -> None:
    async def body() -> None:
        async with FakeBinance() as venue, asking(venue) as (rest, _):
            await rest.balances()
            await rest.my_trades(["ETH/BTC"], rest._clock.now_ns())
            rest.exchange.options["hasAlreadyAuthenticatedSuccessfully"] = True
            venue.key_works = False
            with pytest.raises(KeyRefusedError, match="revoked"):
                await rest.balances()

    asyncio.run(body())


def test_an_exchange_that_is_not_there_is_an_error_without_its_address() -> None:
    async def body() -> None:
        async with FakeBinance() as venue:
            urls = venue.urls
        rest = Rest("binance", KEYS, QuickClock(), account="main", urls=urls)
        with pytest.raises(VenueError, match="can't be reached") as caught:
            await rest.markets()
        assert "127.0.0.1" not in str(caught.value)
        await rest.close()

    asyncio.run(body())


def test_balances_clock_raw_replies_and_listen_keys_are_asked_for() -> None:
    async def body() -> None:
        async with FakeBinance() as venue:
            async with asking(venue) as (rest, _):
                totals = {row.currency: row.total for row in await rest.balances()}
                assert totals["BTC"] == 10.0
                skew_ns = await rest.clock_skew_ns()
                assert skew_ns is not None
                assert abs(skew_ns) < 2 * 10**9
                reply = await rest.raw("sapiGetAccountApiRestrictions", {}, "asking")
                assert reply["enableWithdrawals"] is False
                with pytest.raises(VenueError, match="expected ccxt to know sapiGetNothing"):
                    await rest.raw("sapiGetNothing", {}, "asking")
            async with asking(venue, "binanceusdm") as (futures, _):
                assert await futures.listen_key("POST") == "planted-listen-key"
                assert await futures.listen_key("PUT", "planted-listen-key")
                with pytest.raises(ValueError, match="POST, PUT or DELETE"):
                    await futures.listen_key("GET")

    asyncio.run(body())


def test_nothing_secret_is_logged_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        async with FakeBinance() as venue, asking(venue) as (rest, _):
            await rest.balances()
            assert "planted" not in repr(rest)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(body())
    assert "planted" not in caplog.text
    assert "signature" not in caplog.text


def test_an_unknown_exchange_is_a_wrong_setting() -> None:
    rest = Rest("mtgox", None, QuickClock(), account="main")
    with pytest.raises(ConfigError, match="mtgox"):
        _ = rest.exchange


def test_fills_have_the_venues_id_and_account() -> None:
    async def body() -> None:
        rest, _ = made_of(lambda *_: [listed(1, 2_000_000)])
        (fill,) = await rest.my_trades([], 1_000_000 * 10**6)
        assert isinstance(fill, Fill)
        assert (fill.exchange, fill.account) == ("kraken", "main")

    asyncio.run(body())
