"""What Binance's messages mean as rows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import ValidationError

from drainwatch.normalise import FORCED_PREFIXES as FORCED_EVERYWHERE
from drainwatch.venues.binance_messages import BookTicker, FuturesOrder, PublicTrade
from drainwatch.venues.binance_rows import (
    FORCED_PREFIXES,
    FUTURES_TYPES,
    balance,
    fill,
    number,
    print_,
    quote,
)


@given(st.decimals(min_value=0, max_value=10**20, places=12))
@example(Decimal("1E-8"))
def test_every_decimal_is_a_number_and_stays_as_it_is(value: Decimal) -> None:
    for text in (str(value), f"{value:f}", f"-{value:f}"):
        assert number(text, "price") == text


@given(st.text(alphabet="0123456789.-+eE_ xn\u0661", max_size=12))
@example("1_0")
@example("\u0661")
@example("+1")
@example("1.2.3")
@example(".")
@example("")
@example("9" * 400)
@example("1e999")
def test_what_passes_as_a_number_is_a_finite_decimal(text: str) -> None:
    try:
        number(text, "price")
    except ValidationError:
        return
    assert Decimal(text).is_finite()
    assert text.isascii()
    assert "_" not in text


@pytest.mark.parametrize("text", ["0", "0.00", "-1", "-0.0", "0e5"])
def test_a_number_that_must_be_above_0_is(text: str) -> None:
    assert number(text, "fee") == text
    with pytest.raises(ValidationError, match=r"price must be a decimal number above 0, was '"):
        number(text, "price", 0)


def test_text_from_outside_is_quoted_in_errors() -> None:
    with pytest.raises(ValidationError, match=r"was '\\n\\u202e1'"):
        number("\n\u202e1", "price")


def test_a_balance_comes_right_after_its_time() -> None:
    row = balance("binance", "main", "BTC", 1709654401000, 1.5)
    assert row.ts_ns == 1709654401000 * 10**6 + 1


def test_fee_and_client_id_may_be_absent() -> None:
    order = FuturesOrder(
        venue_symbol="BTCUSDT",
        client="",
        side="BUY",
        type="STOP",
        execution="TRADE",
        order=1,
        amount="2",
        price="3",
        time_ms=4,
        trade=5,
    )
    row = fill(order, FUTURES_TYPES, "binanceusdm", "main", "BTC/USDT:USDT", forced=False)
    assert (row.fee_cost, row.fee_currency, row.client_order_id, row.cost) == (None, None, None, None)
    assert (row.type, row.ts_ns) == ("limit", 4_000_000)


def test_what_is_known_as_forced_everywhere_is_forced_here() -> None:
    assert set(FORCED_EVERYWHERE) <= set(FORCED_PREFIXES)


def test_prints_and_quotes_without_a_price_are_none() -> None:
    trade = PublicTrade(
        venue_symbol="X", trade=1, price=0, amount=1, time_ms=1, buyer_is_maker=True, event_ms=1
    )
    assert print_(trade, "binance", "X/Y") is None
    ticker = BookTicker(venue_symbol="X", bid=1, bid_size=1, ask=0, ask_size=0)
    assert quote(ticker, "binance", "X/Y", 7) is None
