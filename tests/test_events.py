"""Rows, fills and their names: what the compiled loop and everybody else agree on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.events import (
    FILL,
    ROW,
    Batch,
    FillKey,
    Kind,
    Liquidity,
    MarketSpec,
    Names,
    OrderType,
    spec_from_symbol,
)


@pytest.mark.parametrize(
    ("symbol", "base", "quote", "settle", "inverse"),
    [
        ("ETH/BTC", "ETH", "BTC", "", False),
        ("BTC/USDT:USDT", "BTC", "USDT", "USDT", False),
        ("BTC/USD:BTC", "BTC", "USD", "BTC", True),
        ("BTC/USD:BTC-260925", "BTC", "USD", "BTC", True),
        ("ETH/USDT:USDT-260925", "ETH", "USDT", "USDT", False),
        ("BTC/USD:BTC-260925-100000-C", "BTC", "USD", "BTC", True),
        ("1000SHIB/USDT:USDT", "1000SHIB", "USDT", "USDT", False),
        ("GOLD", "GOLD", "", "", False),
    ],
)
def test_a_symbol_says_what_is_traded(symbol: str, base: str, quote: str, settle: str, inverse: bool) -> None:
    spec = spec_from_symbol("x", symbol)
    assert (spec.exchange, spec.symbol) == ("x", symbol)
    assert (spec.base, spec.quote, spec.settle, spec.inverse) == (base, quote, settle, inverse)
    assert spec.is_derivative == bool(settle)
    assert math.isnan(spec.contract_size)
    assert math.isnan(spec.tick_size)


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from(["A/B", "B/C", "C/A:A", "D"])), max_size=30))
def test_codes_are_dense_and_stay(wanted: list[tuple[str, str]]) -> None:
    names = Names()
    codes = [names.market(exchange, symbol) for exchange, symbol in wanted]
    assert codes == [names.market(exchange, symbol) for exchange, symbol in wanted]
    assert sorted(set(codes)) == list(range(len(set(wanted)))) == list(range(len(names.markets)))
    assert [(names.markets[code].exchange, names.markets[code].symbol) for code in codes] == wanted
    assert len(set(names.currencies)) == len(names.currencies)
    assert {names.markets[code].base for code in codes} <= set(names.currencies)


def test_accounts_and_currencies_have_codes_of_their_own() -> None:
    names = Names()
    assert [names.account(name) for name in ("b", "a", "b")] == [0, 1, 0]
    assert [names.currency(name) for name in ("b", "a", "b")] == [0, 1, 0]
    assert (names.accounts, names.currencies) == (["b", "a"], ["b", "a"])


def test_what_is_told_of_a_market_replaces_what_its_symbol_says() -> None:
    names = Names()
    code = names.market("x", "BTC/USD:BTC")
    told = MarketSpec("x", "BTC/USD:BTC", "XBT", "USD", "XBT", 100.0, True, 0.5)
    assert names.add_market(told) == code == names.market("x", "BTC/USD:BTC")
    assert names.markets == [told]
    assert "XBT" in names.currencies


def test_names_can_take_over_anothers() -> None:
    names, other = Names(), Names()
    names.account("ours")
    other.account("theirs")
    other.market("x", "A/B")
    names.replace(other)
    assert (names.accounts, names.account("theirs"), names.market("x", "A/B")) == (["theirs"], 0, 0)


@pytest.mark.parametrize("dtype", [ROW, FILL])
def test_records_hold_numbers_only_in_their_natural_places(dtype: np.dtype[np.void]) -> None:
    """Compiled code reads them where they lie; an object or an odd offset would end that."""
    assert not dtype.hasobject
    assert dtype.isalignedstruct
    assert dtype.fields
    for name, (field, offset, *_) in dtype.fields.items():
        assert field.kind in "iuf"
        assert offset % field.itemsize == 0, name


@pytest.mark.parametrize(
    ("kind", "field", "dtype"),
    [(Kind, "kind", ROW), (OrderType, "type", FILL), (Liquidity, "liquidity", FILL)],
)
def test_enumerations_fit_their_field(kind: type, field: str, dtype: np.dtype[np.void]) -> None:
    width = np.iinfo(dtype[field])
    assert all(width.min <= member <= width.max for member in kind)  # type: ignore[attr-defined]


def test_an_empty_batch_has_nothing() -> None:
    batch = Batch.empty()
    assert (len(batch.rows), len(batch.fills), len(batch.ids), len(batch.orders)) == (0, 0, 0, 0)
    assert (batch.rows.dtype, batch.fills.dtype) == (ROW, FILL)


def test_a_fills_key_reads_as_in_the_contract() -> None:
    assert FillKey("ETH/BTC", "1", None, "buy")._asdict() == {
        "symbol": "ETH/BTC",
        "id": "1",
        "order": None,
        "side": "buy",
    }
