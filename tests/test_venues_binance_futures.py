"""Binance futures' private stream: its listen key, and what it makes of what it is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_frames import NOW_NS, SECOND_NS, frame, silent, usdm_markets
from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill
from drainwatch.venues.binance_futures import BinanceFuturesPrivate, BinanceFuturesPrivateSource
from drainwatch.venues.binance_messages import FUTURES_IGNORED
from drainwatch.venues.protocol import StreamProtocol

KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"

ORDER: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "bot-1",
    "S": "SELL",
    "o": "LIMIT",
    "f": "GTC",
    "q": "0.002",
    "p": "42000.00",
    "ap": "42000.10",
    "sp": "0",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "i": 8886774,
    "l": "0.001",
    "z": "0.001",
    "L": "42000.10",
    "N": "USDT",
    "n": "0.01680004",
    "T": 1709654401000,
    "t": 12345678,
    "m": True,
    "R": False,
    "ps": "LONG",
    "rp": "12.34",
}


class Rest:
    """Gives listen keys as Binance does: the same one until it is deleted."""

    def __init__(self) -> None:
        self.key = KEY
        self.deleted = False
        self.refuses = False
        self.asked: list[str] = []

    async def listen_key(self, method: str) -> str:
        self.asked.append(method)
        if self.refuses:
            raise KeyRefusedError("revoked")
        if method == "PUT":
            if self.deleted:
                raise VenueError("-1125 This listenKey does not exist.")
            return ""
        return self.key


def update(order: dict[str, Any]) -> bytes:
    return frame({"e": "ORDER_TRADE_UPDATE", "T": 1709654401000, "E": 1709654401001, "o": order})


def make(rest: Rest | None = None) -> BinanceFuturesPrivate:
    source = BinanceFuturesPrivateSource((rest or Rest()).listen_key, usdm_markets(), account="main")
    protocol = asyncio.run(source.start())
    assert isinstance(protocol, BinanceFuturesPrivate)
    return protocol


# --- the listen key --------------------------------------------------------------------------------


def test_it_connects_with_the_listen_key_and_stands_at_once() -> None:
    rest = Rest()
    protocol: StreamProtocol = make(rest)
    assert rest.asked == ["POST"]
    assert protocol.url == f"wss://fstream.binance.com/private/ws?listenKey={KEY}"
    reading = protocol.opened(NOW_NS)
    assert reading.ready
    assert silent(reading, {"ready"})


def test_a_listen_key_cant_change_the_address() -> None:
    rest = Rest()
    rest.key = "a/../b?c=d&e"
    assert make(rest).url.endswith("?listenKey=a%2F..%2Fb%3Fc%3Dd%26e")


def test_no_listen_key_is_an_error() -> None:
    rest = Rest()
    rest.key = ""
    with pytest.raises(VenueError, match="listen key"):
        make(rest)


def test_it_asks_for_a_renewal_well_before_the_hour_is_over() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    renewals = []
    now = NOW_NS
    while now < NOW_NS + 3600 * SECOND_NS:
        assert protocol.next_tick_ns is not None
        assert protocol.next_tick_ns > now
        now = protocol.next_tick_ns
        reading = protocol.tick(now)
        assert reading.close is None
        if reading.renew:
            renewals.append((now - NOW_NS) // SECOND_NS)
    assert renewals == [600, 1200, 1800, 2400, 3000, 3600]


def test_a_renewal_prolongs_the_key_and_nothing_else() -> None:
    rest = Rest()
    source = BinanceFuturesPrivateSource(rest.listen_key, usdm_markets())

    async def run() -> StreamProtocol:
        protocol = await source.start()
        await source.renew()
        return protocol

    protocol = asyncio.run(run())
    assert rest.asked == ["POST", "PUT"]
    protocol.opened(NOW_NS)
    assert silent(protocol.tick(NOW_NS + 60 * SECOND_NS))


@pytest.mark.parametrize("replaced", [True, False])
def test_a_deleted_key_ends_the_connection_if_there_is_another_by_now(replaced: bool) -> None:
    rest = Rest()
    source = BinanceFuturesPrivateSource(rest.listen_key, usdm_markets())

    async def run() -> StreamProtocol:
        protocol = await source.start()
        rest.deleted = True
        if replaced:
            rest.key = "another"
        await source.renew()
        return protocol

    protocol = asyncio.run(run())
    assert rest.asked == ["POST", "PUT", "POST"]
    protocol.opened(NOW_NS)
    reading = protocol.tick(NOW_NS + 60 * SECOND_NS)
    assert (reading.close is not None) is replaced
    assert [notice.kind for notice in reading.notices] == [NoticeKind.SESSION_LOST] * replaced


def test_a_revoked_api_key_passes_through_a_renewal() -> None:
    rest = Rest()
    source = BinanceFuturesPrivateSource(rest.listen_key, usdm_markets())

    async def run() -> None:
        await source.start()
        rest.refuses = True
        await source.renew()

    with pytest.raises(KeyRefusedError):
        asyncio.run(run())
    assert rest.asked == ["POST", "PUT"]


def test_an_expired_key_is_told_and_the_connection_made_anew() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    reading = protocol.take(frame({"e": "listenKeyExpired", "E": 1709654401001, "listenKey": KEY}), NOW_NS)
    assert reading.close == "the listen key expired"
    (notice,) = reading.notices
    assert notice.kind is NoticeKind.SESSION_LOST
    assert KEY not in repr(notice)


def test_the_listen_key_is_never_shown() -> None:
    protocol = make()
    reading = protocol.take(frame({"stream": KEY, "data": {"e": KEY}}), NOW_NS)
    assert len(reading.bad) == 1
    assert KEY not in repr(reading) + repr(protocol)


# --- events ----------------------------------------------------------------------------------------


def test_an_execution_is_a_fill() -> None:
    reading = make().take(update(ORDER), NOW_NS)
    assert reading.rows == [
        Fill(
            exchange="binanceusdm",
            account="main",
            symbol="BTC/USDT:USDT",
            id="12345678",
            ts_ns=1709654401000000000,
            side="sell",
            price="42000.10",
            amount="0.001",
            order="8886774",
            client_order_id="bot-1",
            type="limit",
            taker_or_maker="maker",
            fee_cost="0.01680004",
            fee_currency="USDT",
        )
    ]
    assert reading.symbols == {"BTC/USDT:USDT"}
    assert silent(reading, {"rows", "symbols"})


def test_an_event_in_an_envelope_is_the_same() -> None:
    bare = json.loads(update(ORDER))
    reading = make().take(frame({"stream": "x", "data": bare}), NOW_NS)
    assert reading.rows == make().take(update(ORDER), NOW_NS).rows


@pytest.mark.parametrize(
    "change",
    [
        {"x": "CALCULATED", "c": "whatever"},
        {"o": "LIQUIDATION"},
        {"c": "autoclose-123"},
        {"c": "adl_autoclose"},
        {"c": "settlement_autoclose-1"},
        {"c": "delivery_autoclose-1"},
    ],
)
def test_what_the_venue_closed_itself_is_forced(change: dict[str, str]) -> None:
    (fill,) = make().take(update(ORDER | change), NOW_NS).rows
    assert isinstance(fill, Fill)
    assert fill.forced


@pytest.mark.parametrize("kind", ["NEW", "CANCELED", "EXPIRED", "AMENDMENT"])
def test_updates_that_arent_executions_say_nothing(kind: str) -> None:
    assert silent(make().take(update(ORDER | {"x": kind, "t": 0, "l": "0", "L": "0"}), NOW_NS))


def test_an_announced_liquidation_is_no_fill_yet() -> None:
    protocol = make()
    announced = ORDER | {"x": "CALCULATED", "X": "NEW", "t": 0, "l": "0", "L": "0"}
    assert silent(protocol.take(update(announced), NOW_NS))
    assert protocol.ignored == 1


@pytest.mark.parametrize(
    "change", [{"L": "abc"}, {"l": "0"}, {"t": 0}, {"S": 1}, {"x": "SOMETHING"}, {"T": -1}, {"s": None}]
)
def test_an_update_that_cant_be_a_fill_is_bad(change: dict[str, Any]) -> None:
    reading = make().take(update(ORDER | change), NOW_NS)
    assert reading.rows == []
    assert len(reading.bad) == 1


@pytest.mark.parametrize(
    ("venue_symbol", "symbol"),
    [("NEWUSDT", "NEW/USDT:USDT"), ("BTCUSDT_270326", "BTC/USDT:USDT-270326"), ("WHAT", "WHAT")],
)
def test_a_fill_in_an_unlisted_market_is_told_under_its_likely_name(venue_symbol: str, symbol: str) -> None:
    reading = make().take(update(ORDER | {"s": venue_symbol}), NOW_NS)
    (fill,) = reading.rows
    assert isinstance(fill, Fill)
    assert fill.symbol == symbol
    assert reading.unlisted == {venue_symbol}


def test_an_account_update_tells_the_wallets() -> None:
    told = {
        "e": "ACCOUNT_UPDATE",
        "T": 1709654401000,
        "E": 1709654401001,
        "a": {"m": "ORDER", "B": [{"a": "USDT", "wb": "-113.29772855", "cw": "0", "bc": "0"}], "P": []},
    }
    assert make().take(frame(told), NOW_NS).rows == [
        Balance(
            exchange="binanceusdm",
            account="main",
            currency="USDT",
            ts_ns=1709654401000000001,
            total=-113.29772855,
        )
    ]


@pytest.mark.parametrize("kind", sorted(FUTURES_IGNORED))
def test_known_events_of_no_interest_are_ignored_and_counted(kind: str) -> None:
    protocol = make()
    assert silent(protocol.take(frame({"e": kind, "E": 1, "o": {}}), NOW_NS))
    assert protocol.ignored == 1


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"e":"NEW_THING"}', update(ORDER)[:-9], "\ud800"])
def test_anything_else_is_a_bad_message(data: bytes | str) -> None:
    reading = make().take(data, NOW_NS)
    assert len(reading.bad) == 1
    assert silent(reading, {"bad"})


@given(st.data())
def test_whatever_comes_is_read_counted_or_ignored_and_never_raises(data: st.DataObject) -> None:
    changed = dict(ORDER)
    for name in data.draw(st.lists(st.sampled_from(sorted(ORDER)), max_size=3)):
        changed[name] = data.draw(
            st.one_of(st.none(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False))
        )
    raw = bytearray(update(changed))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    protocol = make()
    reading = protocol.take(bytes(raw), NOW_NS)
    for row in reading.rows:
        assert isinstance(row, Fill)
        assert 0 < float(row.price) < float("inf")
        assert 0 < float(row.amount) < float("inf")
    if not (reading.rows or reading.bad or protocol.ignored):
        assert json.loads(raw)["o"]["x"] not in {"TRADE", "CALCULATED"}


def test_every_published_futures_user_message_is_read(shared_data: Path) -> None:
    folder = shared_data / "venue-messages" / "binance" / "test_data" / "futures" / "user_data_json"
    files = sorted(folder.glob("*.json"))
    assert len(files) == 14
    forced = 0
    for file in files:
        told = json.loads(file.read_text())
        protocol = make()
        reading = protocol.take(file.read_bytes(), NOW_NS)
        if file.name == "order_update_delivery.json":
            # A COIN-M market, which USD-M's list doesn't have.
            assert reading.unlisted == {"BTCUSD_240329"}
        else:
            assert reading.bad == [], file.name
        order = told.get("o", {})
        if told["e"] == "ORDER_TRADE_UPDATE" and order["x"] in {"TRADE", "CALCULATED"} and order["t"]:
            (fill,) = reading.rows
            assert isinstance(fill, Fill)
            forced += fill.forced
            assert (fill.id, fill.order, fill.client_order_id) == (
                str(order["t"]),
                str(order["i"]),
                order["c"],
            )
            assert (fill.price, fill.amount, fill.side) == (order["L"], order["l"], order["S"].lower())
            assert (fill.fee_cost, fill.fee_currency) == (order.get("n"), order.get("N"))
            assert (fill.ts_ns, fill.cost) == (order["T"] * 10**6, None)
            assert fill.forced == ("autoclose" in order["c"])
        elif told["e"] == "ACCOUNT_UPDATE":
            held = {row.currency: row.total for row in reading.rows if isinstance(row, Balance)}
            assert held == {b["a"]: float(b["wb"]) for b in told["a"]["B"]}
        else:
            assert reading.rows == []
    assert forced == 5


def test_an_address_without_a_place_for_the_listen_key_is_given_one() -> None:
    async def url(address: str) -> str:
        source = BinanceFuturesPrivateSource(Rest().listen_key, usdm_markets(), url=address)
        return (await source.start()).url

    assert asyncio.run(url("ws://127.0.0.1:9/ws")) == f"ws://127.0.0.1:9/ws?listenKey={KEY}"
    assert asyncio.run(url("ws://127.0.0.1:9/ws?a=b")) == f"ws://127.0.0.1:9/ws?a=b&listenKey={KEY}"
    assert asyncio.run(url("ws://127.0.0.1:9/ws/{key}")) == f"ws://127.0.0.1:9/ws/{KEY}"
