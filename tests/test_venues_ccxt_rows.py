"""ccxt's dictionaries become rows or counted messages, never exceptions."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.rows import Balance, Fill, Market, Quote, Trade
from drainwatch.venues.ccxt_rows import (
    balances_of,
    exact,
    excerpt,
    fill_of,
    inner_info,
    market_of,
    quote_of,
    trade_of,
)
from drainwatch.venues.protocol import BadMessage

TRADE: dict[str, Any] = {
    "id": "77",
    "order": "5",
    "symbol": "ETH/BTC",
    "side": "sell",
    "type": "limit",
    "takerOrMaker": "taker",
    "price": "0.060",
    "amount": "2.50",
    "cost": "0.150",
    "timestamp": 1_700_000_000_123,
    "fee": {"cost": "0.001", "currency": "BTC"},
    "fees": [],
    "info": {"clOrdId": "bot-1"},
}


def fill(**changes: Any) -> Fill:
    exchange = changes.pop("exchange", "okx")
    row = fill_of({**TRADE, **changes}, exchange, "main")
    assert isinstance(row, Fill), row
    return row


def test_a_trade_becomes_a_fill_digit_for_digit() -> None:
    row = fill(exchange="kraken")
    assert row == Fill(
        exchange="kraken",
        account="main",
        symbol="ETH/BTC",
        id="77",
        ts_ns=1_700_000_000_123_000_000,
        side="sell",
        price="0.060",
        amount="2.50",
        cost="0.150",
        order="5",
        client_order_id="bot-1",
        type="limit",
        taker_or_maker="taker",
        fee_cost="0.001",
        fee_currency="BTC",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": None}, "the trade's id"),
        ({"id": ""}, "the trade's id"),
        ({"symbol": "ETHBTC"}, "symbol such as"),
        ({"symbol": None}, "symbol such as"),
        ({"side": "Buy"}, "side buy or sell"),
        ({"price": "abc"}, "price above 0"),
        ({"price": 0}, "price above 0"),
        ({"price": float("nan")}, "price above 0"),
        ({"price": True}, "price above 0"),
        ({"amount": "-1"}, "amount above 0"),
        ({"amount": None}, "amount above 0"),
        ({"amount": "1e999"}, "amount above 0"),
        ({"timestamp": None}, "time in ms"),
        ({"timestamp": -1}, "time in ms"),
        ({"timestamp": 10**30}, "time in ms"),
    ],
)
def test_a_trade_without_its_parts_is_a_bad_message_that_says_which(
    changes: dict[str, Any], said: str
) -> None:
    row = fill_of({**TRADE, **changes}, "okx", "main")
    assert isinstance(row, BadMessage)
    assert said in row.reason
    assert row.frame


def test_the_cost_of_a_derivative_is_left_out() -> None:
    assert fill(symbol="BTC/USD:BTC").cost is None
    assert fill(symbol="BTC/USDT:USDT").cost is None


def test_a_cost_that_is_not_this_fills_is_left_out() -> None:
    assert fill(cost="0.1500").cost == "0.1500"
    assert fill(cost="99").cost is None


@pytest.mark.parametrize("info", [{"fee": "-0.16"}, {"fillFee": "-0.16", "fee": "-3"}])
@pytest.mark.parametrize("told", ["0.16", "-0.16"])
def test_okx_fees_are_a_cost_whichever_way_they_come(told: str, info: dict[str, Any]) -> None:
    row = fill(fee={"cost": told, "currency": "USDT"}, info=info)
    assert (row.fee_cost, row.fee_currency) == ("0.16", "USDT")


def test_okx_rebates_stay_negative() -> None:
    assert fill(fee={"cost": "0.02", "currency": "USDT"}, info={"fillFee": "0.02"}).fee_cost == "-0.02"
    assert fill(fee={"cost": "0", "currency": "USDT"}, info={"fillFee": "0"}).fee_cost == "0"


def test_fees_in_several_parts_are_added_by_coin() -> None:
    fees = [
        {"cost": "0", "currency": "KCS"},
        {"cost": "0.1", "currency": "USDT"},
        {"cost": "0.2", "currency": "USDT"},
    ]
    row = fill(exchange="kraken", fee={"cost": None, "currency": None}, fees=fees)
    assert (row.fee_cost, row.fee_currency) == ("0.3", "USDT")
    bare = fill(exchange="kraken", fee=None, fees=None)
    assert (bare.fee_cost, bare.fee_currency) == (None, None)


@pytest.mark.parametrize(
    ("exchange", "info", "expected"),
    [
        ("binance", {"c": "x"}, "x"),
        ("binanceusdm", {"o": {"c": "x"}}, "x"),
        ("kraken", {"c": "not an id here"}, None),
        ("bybit", {"orderLinkId": "x"}, "x"),
        ("bybit", {"orderLinkId": ""}, None),
        ("okx", {"clOrdId": "x"}, "x"),
        ("kucoin", {"clientOid": "x"}, "x"),
        ("kraken", {"cl_ord_id": "x"}, "x"),
        ("gate", {"text": "t-x"}, "t-x"),
        ("gate", {"text": "web"}, None),
        ("bitfinex", [1, 2, 3], None),
    ],
)
def test_the_owners_order_id_is_found_in_the_venues_own_message(
    exchange: str, info: Any, expected: str | None
) -> None:
    assert fill(exchange=exchange, info=info).client_order_id == expected


@pytest.mark.parametrize(
    ("exchange", "info"),
    [
        ("binanceusdm", {"o": {"c": "autoclose-123", "o": "LIMIT"}}),
        ("binanceusdm", {"o": {"c": "adl_autoclose"}}),
        ("binanceusdm", {"o": {"o": "LIQUIDATION"}}),
        ("bybit", {"execType": "BustTrade"}),
        ("bybit", {"execType": "AdlTrade"}),
        ("okx", {"category": "full_liquidation"}),
        ("krakenfutures", {"fill_type": "liquidation"}),
        ("kucoinfutures", {"tradeType": "liquidation"}),
        ("bitget", {"tradeSide": "burst_close_long"}),
        ("gate", {"text": "liq-99"}),
        ("deribit", {"liquidation": "T"}),
        ("deribit", {"liquidation": "MT"}),
    ],
)
def test_fills_that_the_venue_forced_are_marked(exchange: str, info: dict[str, Any]) -> None:
    perpetual = {"symbol": "ETH/BTC:BTC"} if exchange == "binanceusdm" else {}
    assert fill(exchange=exchange, info=info, **perpetual).forced


@pytest.mark.parametrize(
    ("exchange", "info"),
    [
        ("bybit", {"execType": "Trade"}),
        ("bybit", {"execType": "BlockTrade"}),
        ("okx", {"category": "normal"}),
        ("deribit", {"liquidation": "M"}),
        ("kraken", {"c": "autoclose-1"}),
        ("binance", {"c": "autoclose-1"}),  # on spot a thief may name his orders so
        ("binance", {"c": "my-autoclose-1", "o": "LIMIT", "x": "TRADE"}),
    ],
)
def test_fills_that_somebody_ordered_are_not_marked_as_forced(exchange: str, info: dict[str, Any]) -> None:
    assert not fill(exchange=exchange, info=info).forced


REPORT: dict[str, Any] = {
    "e": "executionReport", "E": 1_700_000_000_124, "s": "ETHBTC", "c": "bot-1", "S": "SELL", "o": "LIMIT",
    "q": "9.00", "p": "0.061", "x": "TRADE", "i": 5, "l": "2.50", "L": "0.060", "T": 1_700_000_000_123,
    "t": 77, "m": False, "Y": "0.150", "n": "0.001", "N": "BTC",
}  # fmt: skip


def test_an_execution_report_is_taken_as_ccxt_reads_it() -> None:
    assert fill(exchange="binance", info=REPORT) == fill(exchange="binance", info={"c": "bot-1"})


@pytest.mark.parametrize(
    "damage",
    [
        *({"without": name} for name in ("l", "L", "i", "m", "S")),
        {"l": 1.5},
        {"i": "?"},
        {"m": None},
    ],
    ids=str,
)
def test_an_execution_report_that_is_damaged_is_no_fill(damage: dict[str, Any]) -> None:
    """Ccxt takes the whole order's amount where the execution's is absent: a fill that nobody made."""
    info = {key: value for key, value in REPORT.items() if key != damage.get("without")} | damage
    row = fill_of({**TRADE, "info": info}, "binance", "main")
    assert isinstance(row, BadMessage)
    assert "execution report" in row.reason


def test_the_other_side_is_kept_where_the_venue_tells_it() -> None:
    row = fill(exchange="kucoin", info={"counterOrderId": "99"})
    assert (row.maker_order, row.taker_order) == ("99", "5")
    assert fill(exchange="aster", info={"counterpartyId": 12}).counterparty == "12"
    lighter = fill(exchange="lighter", info={"ask_account_id": 1, "bid_account_id": 2})
    assert lighter.counterparty == "2"


def test_the_mark_price_is_kept_where_the_message_has_it() -> None:
    assert fill(exchange="bybit", info={"markPrice": "0.0601"}).mark == "0.0601"
    assert fill(exchange="bybit", info={"markPrice": "", "indexPrice": "0.06"}).mark == "0.06"
    assert fill(exchange="bybit", info={"markPrice": "0"}).mark is None


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-90, max_value=1e90))
def test_floats_keep_their_value(value: float) -> None:
    text = exact(value)
    assert text is not None
    assert float(text) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=0, max_value=10**12))
def test_texts_keep_every_digit(value: Decimal) -> None:
    assert exact(str(value)) == str(value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        key: ANYTHING | st.just(value)
        for key, value in {**TRADE, "bid": "1", "ask": 2, "bids": [[1, 2]], "asks": [[2, 1]]}.items()
    },
)
EXCHANGES = st.sampled_from(["okx", "binance", "gate", "bitget", "deribit", "kucoin", "lighter"])


@given(SHAPED | ANYTHING, EXCHANGES)
def test_any_dictionary_is_a_fill_or_a_bad_message(trade: Any, exchange: str) -> None:
    row = fill_of(trade, exchange, "main")
    assert isinstance(row, Fill | BadMessage)
    if isinstance(row, Fill):
        assert Decimal(row.price) > 0
        assert Decimal(row.amount) > 0
        assert row.ts_ns > 0
        row.symbol.encode()
    else:
        assert row.reason
        assert len(row.frame) <= 500


@given(SHAPED | ANYTHING, EXCHANGES)
def test_any_dictionary_is_public_data_or_a_bad_message(found: Any, exchange: str) -> None:
    assert isinstance(trade_of(found, exchange, "ETH/BTC"), Trade | BadMessage)
    assert isinstance(quote_of(found, exchange, "ETH/BTC", 5), Quote | BadMessage)
    assert all(isinstance(row, Balance) for row in balances_of({"total": found}, exchange, "main", 5))
    assert balances_of(found, exchange, "main", 5) == [] or isinstance(found, dict)
    assert market_of(found, exchange, ticks=True) is None or isinstance(found, dict)
    assert isinstance(inner_info(found), dict)
    assert len(excerpt(found)) <= 500


def test_a_book_gives_its_best_levels_and_our_time_where_it_has_none() -> None:
    row = quote_of({"bids": [[1.0, 5], [0.9, 1]], "asks": [[1.1, 6]], "timestamp": None}, "x", "A/B", 77)
    assert row == Quote(exchange="x", symbol="A/B", ts_ns=77, bid=1.0, ask=1.1, bid_size=5.0, ask_size=6.0)
    assert isinstance(quote_of({"bids": [], "asks": []}, "x", "A/B", 77), BadMessage)


def test_a_contract_keeps_its_size_and_kind() -> None:
    raw = {
        "symbol": "BTC/USD:BTC",
        "id": "BTC-USD-SWAP",
        "base": "BTC",
        "quote": "USD",
        "settle": "BTC",
        "contract": True,
        "contractSize": "100",
        "inverse": True,
        "precision": {"price": "0.1"},
    }
    assert market_of(raw, "okx", ticks=True) == Market(
        exchange="okx",
        symbol="BTC/USD:BTC",
        venue_symbol="BTC-USD-SWAP",
        base="BTC",
        quote="USD",
        settle="BTC",
        contract_size=100.0,
        inverse=True,
        tick_size=0.1,
    )
    spot = market_of({**raw, "contract": False, "settle": None}, "okx", ticks=False)
    assert spot is not None
    assert (spot.contract_size, spot.tick_size, spot.settle) == (None, None, "")


def test_balances_are_totals() -> None:
    rows = balances_of({"total": {"BTC": "1.5", "ETH": None, "": 3, "X": 0}}, "kraken", "main", 9)
    assert [(row.currency, row.total) for row in rows] == [("BTC", 1.5), ("X", 0.0)]


def test_a_recorded_message_of_ccxts_own_test_reads(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "ccxt-fixtures" / "ws.binance.watchMyTrades.0.json").read_text())
    found: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if {"takerOrMaker", "price", "amount", "timestamp"} <= value.keys():
                found.append(value)
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(recorded)
    assert found
    for trade in found:
        row = fill_of(trade, "binance", "main")
        assert isinstance(row, Fill)
        assert Decimal(row.price) == Decimal(str(trade["price"]))
