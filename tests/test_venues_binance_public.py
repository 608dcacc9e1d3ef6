"""Binance's prints and quotes: what is subscribed to, and what is made of what comes."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_frames import (
    NOW_NS,
    SECOND_NS,
    coinm_markets,
    frame,
    sent,
    silent,
    spot_markets,
    usdm_markets,
)
from drainwatch.notices import NoticeKind
from drainwatch.rows import Market, Quote, Trade
from drainwatch.venues.binance_public import USDM_URL, BinancePublic, BinancePublicSource
from drainwatch.venues.protocol import Reading, StreamProtocol, Symbols

TRADE: dict[str, Any] = {
    "e": "trade",
    "E": 1709654401001,
    "s": "ETHBTC",
    "t": 12345,
    "p": "0.05100000",
    "q": "1.50000000",
    "b": 88,
    "a": 50,
    "T": 1709654401000,
    "m": True,
    "M": True,
}
TICKER: dict[str, Any] = {
    "u": 400900217,
    "s": "ETHBTC",
    "b": "0.05099000",
    "B": "31.21000000",
    "a": "0.05101000",
    "A": "40.66000000",
}
AGGREGATE: dict[str, Any] = {
    "e": "aggTrade",
    "E": 1709654401001,
    "s": "BTCUSDT",
    "a": 5933014,
    "p": "42000.1",
    "q": "0.5",
    "f": 100,
    "l": 105,
    "T": 1709654401000,
    "m": False,
}


def make(symbols: Symbols | None = None, exchange: str = "binance") -> BinancePublic:
    protocol = asyncio.run(BinancePublicSource(symbols or spot_markets(), exchange=exchange).start())
    assert isinstance(protocol, BinancePublic)
    return protocol


def wrapped(kind: str, content: dict[str, Any]) -> bytes:
    return frame({"stream": f"{str(content['s']).lower()}@{kind}", "data": content})


def many(count: int) -> Symbols:
    return Symbols(
        [
            Market(exchange="binance", symbol=f"C{n}/BTC", venue_symbol=f"C{n}BTC", base=f"C{n}", quote="BTC")
            for n in range(count)
        ]
    )


# --- subscribing -----------------------------------------------------------------------------------


def test_what_was_wanted_before_the_opening_is_subscribed_to_at_it() -> None:
    protocol: StreamProtocol = make()
    assert silent(protocol.want(["ETH/BTC", "BTC/USDT"], NOW_NS))
    reading = protocol.opened(NOW_NS)
    names = ["btcusdt@trade", "btcusdt@bookTicker", "ethbtc@trade", "ethbtc@bookTicker"]
    assert sent(reading) == [{"method": "SUBSCRIBE", "params": names, "id": 1}]
    assert not reading.ready
    reading = protocol.take(frame({"result": None, "id": 1}), NOW_NS)
    assert reading.ready
    assert silent(reading, {"ready"})


def test_a_stream_of_which_nothing_is_wanted_sends_nothing_until_something_is() -> None:
    protocol = make()
    assert silent(protocol.opened(NOW_NS))
    later = protocol.want(["ETH/BTC"], NOW_NS)
    assert sent(later)[0]["params"] == ["ethbtc@trade", "ethbtc@bookTicker"]
    assert protocol.take(frame({"result": None, "id": 1}), NOW_NS).ready
    protocol.want(["BTC/USDT"], NOW_NS)
    assert silent(protocol.take(frame({"result": None, "id": 2}), NOW_NS))


def test_what_is_subscribed_to_isnt_again() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    protocol.want(["ETH/BTC"], NOW_NS)
    assert silent(protocol.want(["ETH/BTC"], NOW_NS + SECOND_NS))


def test_many_names_go_out_in_parts_and_stand_when_all_are_confirmed() -> None:
    protocol = make(many(512))
    protocol.want([f"C{n}/BTC" for n in range(512)], NOW_NS)
    requests = sent(protocol.opened(NOW_NS))
    names = [request["params"] for request in requests]
    assert list(map(len, names)) == [200, 200, 200, 200, 200, 24]
    assert len({name for part in names for name in part}) == 1024
    ready = [
        protocol.take(frame({"result": None, "id": request["id"]}), NOW_NS).ready for request in requests
    ]
    assert ready == [False] * 5 + [True]


def test_it_gives_up_if_a_subscription_isnt_answered() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    protocol.want(["ETH/BTC"], NOW_NS)
    assert protocol.next_tick_ns == NOW_NS + 20 * SECOND_NS
    assert silent(protocol.tick(NOW_NS + 20 * SECOND_NS - 1))
    assert "answer" in str(protocol.tick(NOW_NS + 20 * SECOND_NS).close)
    protocol.take(frame({"result": None, "id": 1}), NOW_NS)
    assert silent(protocol.tick(NOW_NS + 20 * SECOND_NS))


def test_more_markets_than_a_connection_carries_are_said_to_be_blind_once() -> None:
    source = BinancePublicSource(many(515))
    told: list[str] = []
    for _ in range(2):
        protocol = asyncio.run(source.start())
        reading = protocol.want([f"C{n}/BTC" for n in range(515)], NOW_NS)
        told += [notice.text for notice in reading.notices]
        assert all(notice.kind is NoticeKind.BLIND for notice in reading.notices)
    assert len(told) == 1
    assert "512 markets" in told[0]


def test_a_market_that_isnt_listed_is_said_to_be_blind_and_may_be_wanted_later() -> None:
    symbols = spot_markets()
    protocol = make(symbols)
    protocol.opened(NOW_NS)
    (notice,) = protocol.want(["NEW/BTC"], NOW_NS).notices
    assert "NEW/BTC" in notice.text
    symbols.add(
        [Market(exchange="binance", symbol="NEW/BTC", venue_symbol="NEWBTC", base="NEW", quote="BTC")]
    )
    assert sent(protocol.want(["NEW/BTC"], NOW_NS + SECOND_NS))[0]["params"][0] == "newbtc@trade"


@pytest.mark.parametrize(
    "reply",
    [
        {"error": {"code": 2, "msg": "Invalid request: too many parameters"}, "id": 1},
        {"code": 2, "msg": "Invalid request: too many parameters", "id": 1},
    ],
)
def test_a_refused_subscription_is_bad_and_its_markets_are_said_to_be_blind(reply: dict[str, Any]) -> None:
    protocol = make()
    protocol.want(["ETH/BTC"], NOW_NS)
    protocol.opened(NOW_NS)
    reading = protocol.take(frame(reply), NOW_NS)
    assert "too many parameters" in reading.bad[0].reason
    assert "ETH/BTC" in reading.notices[0].text
    assert not reading.ready
    assert protocol.wanted == set()


def test_it_asks_to_be_renewed_before_binance_ends_it() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    assert protocol.next_tick_ns is not None
    assert NOW_NS + 22 * 3600 * SECOND_NS < protocol.next_tick_ns < NOW_NS + 24 * 3600 * SECOND_NS
    reading = protocol.tick(protocol.next_tick_ns)
    assert str(reading.close).startswith("planned")


def test_streams_are_renewed_at_different_times() -> None:
    ends = set()
    for exchange in ("binance", "binanceusdm", "binancecoinm"):
        protocol = make(exchange=exchange)
        protocol.opened(NOW_NS)
        ends.add(protocol.next_tick_ns)
    assert len(ends) == 3


# --- data ------------------------------------------------------------------------------------------


def test_a_print_is_a_trade_with_both_orders() -> None:
    reading = make().take(wrapped("trade", TRADE), NOW_NS)
    assert reading.rows == [
        Trade(
            exchange="binance",
            symbol="ETH/BTC",
            ts_ns=1709654401000000000,
            price=0.051,
            amount=1.5,
            id="12345",
            side="sell",
            maker_order="88",
            taker_order="50",
        )
    ]
    assert silent(reading, {"rows"})


def test_a_buying_taker_is_on_the_other_side() -> None:
    (trade,) = make().take(wrapped("trade", TRADE | {"m": False}), NOW_NS).rows
    assert isinstance(trade, Trade)
    assert (trade.side, trade.maker_order, trade.taker_order) == ("buy", "50", "88")


def test_a_print_without_orders_has_none() -> None:
    older = {name: value for name, value in TRADE.items() if name not in {"a", "b"}}
    (trade,) = make().take(wrapped("trade", older), NOW_NS).rows
    assert isinstance(trade, Trade)
    assert (trade.maker_order, trade.taker_order) == (None, None)


@pytest.mark.parametrize("change", [{"X": "INSURANCE_FUND"}, {"X": "ADL"}, {"X": "NA", "p": "0", "q": "0"}])
def test_what_wasnt_traded_on_the_market_is_no_print(change: dict[str, str]) -> None:
    protocol = make()
    assert silent(protocol.take(wrapped("trade", TRADE | change), NOW_NS))
    assert protocol.ignored == 1


def test_a_spot_quote_has_the_time_at_which_it_came() -> None:
    (quote,) = make().take(wrapped("bookTicker", TICKER), NOW_NS).rows
    assert quote == Quote(
        exchange="binance",
        symbol="ETH/BTC",
        ts_ns=NOW_NS,
        bid=0.05099,
        ask=0.05101,
        bid_size=31.21,
        ask_size=40.66,
    )


def test_a_futures_quote_has_its_own_time() -> None:
    futures = TICKER | {"s": "BTCUSDT", "e": "bookTicker", "T": 1709654401000, "E": 1709654401002}
    (quote,) = make(usdm_markets(), "binanceusdm").take(wrapped("bookTicker", futures), NOW_NS).rows
    assert isinstance(quote, Quote)
    assert (quote.exchange, quote.symbol, quote.ts_ns) == (
        "binanceusdm",
        "BTC/USDT:USDT",
        1709654401000000000,
    )


def test_half_a_book_is_no_quote() -> None:
    protocol = make()
    assert silent(protocol.take(wrapped("bookTicker", TICKER | {"b": "0.00000000", "B": "0"}), NOW_NS))
    assert protocol.ignored == 1


def test_an_aggregate_of_several_prints_has_no_id_in_the_namespace_of_fills() -> None:
    protocol = make()
    (several,) = protocol.take(wrapped("aggTrade", AGGREGATE), NOW_NS).rows
    (one,) = protocol.take(wrapped("aggTrade", AGGREGATE | {"l": 100}), NOW_NS).rows
    assert isinstance(several, Trade)
    assert isinstance(one, Trade)
    assert (several.id, one.id, one.side) == (None, "100", "buy")


@pytest.mark.parametrize("content", [TRADE, AGGREGATE, TICKER | {"e": "bookTicker"}])
def test_data_without_or_in_another_envelope_is_the_same(content: dict[str, Any]) -> None:
    kind = content["e"]
    (expected,) = make().take(wrapped(kind, content), NOW_NS).rows
    assert make().take(frame(content), NOW_NS).rows == [expected]
    turned = {"data": content, "stream": f"{str(content['s']).lower()}@{kind}"}
    assert make().take(frame(turned), NOW_NS).rows == [expected]
    assert make().take(json.dumps(turned, indent=1), NOW_NS).rows == [expected]


@pytest.mark.parametrize(
    "message",
    [
        {"stream": "ethbtc@depth@100ms", "data": {"e": "depthUpdate", "b": [], "a": []}},
        {"stream": "ethbtc@depth20@100ms", "data": {"lastUpdateId": 1, "bids": [], "asks": []}},
        {"stream": "btcusdt@markPrice@1s", "data": {"e": "markPriceUpdate", "p": "1"}},
        {"stream": "ethbtc@kline_1m", "data": {"e": "kline", "k": {}}},
        {"e": "24hrTicker", "s": "ETHBTC"},
        {"lastUpdateId": 5, "bids": [], "asks": []},
    ],
)
def test_known_data_of_no_interest_are_ignored_and_counted(message: dict[str, Any]) -> None:
    protocol = make()
    assert silent(protocol.take(frame(message), NOW_NS))
    assert protocol.ignored == 1


@pytest.mark.parametrize(
    "message",
    [
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}},
        {"e": "serverShutdown", "E": 1},
    ],
)
def test_a_server_that_is_about_to_stop_is_left_quietly(message: dict[str, Any]) -> None:
    reading = make().take(frame(message), NOW_NS)
    assert str(reading.close).startswith("planned")
    assert reading.notices == []


@pytest.mark.parametrize(
    "data",
    [
        wrapped("trade", TRADE | {"p": "abc"}),
        wrapped("trade", TRADE | {"p": "nan"}),
        wrapped("trade", TRADE | {"p": "-1"}),
        wrapped("trade", TRADE | {"T": "yesterday"}),
        wrapped("trade", TRADE | {"s": "NOPE"}),
        wrapped("bookTicker", TICKER | {"a": "inf"}),
        wrapped("bookTicker", TICKER | {"a": None}),
        wrapped("trade", TRADE)[:-9],
        wrapped("surprise", TRADE | {"e": "surprise"}),
        frame({"result": None, "id": 99}),
        frame({"id": 1}),
        b"[]",
        b"",
        b"{}",
        b"[" * 100_000,
        "\ud800",
    ],
)
def test_anything_else_is_a_bad_message(data: bytes | str) -> None:
    reading = make().take(data, NOW_NS)
    assert len(reading.bad) == 1
    assert silent(reading, {"bad"})


def test_prints_from_the_future_show_a_slow_clock_once() -> None:
    protocol = make()
    told = []
    for n in range(100):
        now = NOW_NS + n * SECOND_NS
        ahead = TRADE | {"T": (now + 4 * SECOND_NS) // 10**6}
        told += protocol.take(wrapped("trade", ahead), now).notices
    assert [notice.kind for notice in told] == [NoticeKind.CLOCK_SKEW]


@given(st.data())
def test_whatever_comes_is_read_counted_or_ignored_and_never_raises(data: st.DataObject) -> None:
    kind, content = data.draw(
        st.sampled_from([("trade", TRADE), ("bookTicker", TICKER), ("aggTrade", AGGREGATE)])
    )
    changed = dict(content)
    for name in data.draw(st.lists(st.sampled_from(sorted(content)), max_size=3)):
        changed[name] = data.draw(
            st.one_of(st.none(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False))
        )
    raw = bytearray(frame({"stream": f"ethbtc@{kind}", "data": changed}))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    protocol = make()
    reading = protocol.take(bytes(raw), NOW_NS)
    assert len(reading.rows) + len(reading.bad) + protocol.ignored == 1
    for row in reading.rows:
        prices = (row.price, row.amount) if isinstance(row, Trade) else ()
        prices = (row.bid, row.ask) if isinstance(row, Quote) else prices
        assert all(0 < price < float("inf") for price in prices)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_bad_but_never_raise(raw: bytes) -> None:
    assert len(make().take(raw, NOW_NS).bad) == 1


# --- as recorded -----------------------------------------------------------------------------------

RECORDINGS = [
    ("spot/btcusdt_20240808.gz", "binance", spot_markets),
    ("spot/btcusdt_20240809.gz", "binance", spot_markets),
    ("spot/ethusdt_20240808.gz", "binance", spot_markets),
    ("spot/ethusdt_20240809.gz", "binance", spot_markets),
    ("usdm/btcusdt_20240808.gz", "binanceusdm", usdm_markets),
    ("cm/ethusd_perp_20240808.gz", "binancecoinm", coinm_markets),
]


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(path) as file:
        for line in file:
            received, _, raw = line.rstrip(b"\n").partition(b" ")
            yield int(received), raw


@pytest.mark.parametrize(("name", "exchange", "markets"), RECORDINGS, ids=[name for name, *_ in RECORDINGS])
def test_every_recorded_frame_is_read_as_plain_json_reads_it(
    shared_data: Path, name: str, exchange: str, markets: Any
) -> None:
    protocol = make(markets(), exchange)
    counts: Counter[str] = Counter()
    for received, raw in lines(shared_data / "binance-raw-frames" / name):
        before = protocol.ignored
        reading: Reading = protocol.take(raw, received)
        assert reading.bad == []
        if b"@trade" not in raw and b"@bookTicker" not in raw:
            assert reading.rows == []
            assert protocol.ignored == before + 1
            counts["ignored"] += 1
            continue
        told = json.loads(raw)["data"]
        (row,) = reading.rows
        if isinstance(row, Trade):
            counts["trade"] += 1
            assert (row.id, row.ts_ns) == (str(told["t"]), told["T"] * 10**6)
            assert (row.price, row.amount) == (float(told["p"]), float(told["q"]))
            assert row.side == ("sell" if told["m"] else "buy")
        else:
            assert isinstance(row, Quote)
            counts["quote"] += 1
            assert (row.bid, row.ask) == (float(told["b"]), float(told["a"]))
            assert (row.bid_size, row.ask_size) == (float(told["B"]), float(told["A"]))
            assert row.ts_ns == (told["T"] * 10**6 if "T" in told else received)
    assert min(counts["trade"], counts["quote"], counts["ignored"]) > 1000


def test_every_published_futures_market_message_is_read(shared_data: Path) -> None:
    folder = shared_data / "venue-messages" / "binance" / "test_data" / "futures" / "market_data_json"
    files = sorted(folder.glob("*.json"))
    assert len(files) == 9
    read = 0
    for file in files:
        protocol = make(usdm_markets(), "binanceusdm")
        reading = protocol.take(file.read_bytes(), NOW_NS)
        assert reading.bad == [], file.name
        assert len(reading.rows) + protocol.ignored == 1
        read += len(reading.rows)
    assert read == 3, "a print, an aggregate and a quote"


def test_usdm_prints_come_from_the_address_that_has_them() -> None:
    assert USDM_URL == "wss://fstream.binance.com/public/stream"
    protocol = asyncio.run(BinancePublicSource(usdm_markets(), exchange="binanceusdm", url=USDM_URL).start())
    assert protocol.url == USDM_URL
    protocol.want(["BTC/USDT:USDT"], NOW_NS)
    assert sent(protocol.opened(NOW_NS))[0]["params"] == ["btcusdt@trade", "btcusdt@bookTicker"]
