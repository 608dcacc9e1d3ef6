from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.lab.exchange.units import (
    MONEY_DIGITS,
    NotANumberError,
    amount_of,
    amount_text,
    money_text,
    price_of,
    price_text,
    text_of,
    units,
)


@given(st.integers(-(10**30), 10**30), st.sampled_from((8, 12, MONEY_DIGITS)))
def test_what_is_written_is_read_back_to_the_last_digit(count: int, digits: int) -> None:
    assert units(text_of(count, digits), digits) == count
    assert Fraction(text_of(count, digits)) == Fraction(count, 10**digits)


@pytest.mark.parametrize(
    ("number", "count"), [(0.1, 10_000_000), ("1e-8", 1), (3, 300_000_000), ("-0.5", -50_000_000)]
)
def test_numbers_count_as_what_they_print(number: str | float, count: int) -> None:
    assert amount_of(number) == count


def test_eight_decimals_are_always_written_and_more_where_they_say_something() -> None:
    assert amount_text(150_000_000) == "1.50000000"
    assert price_text(price_of("0.5")) == "0.50000000"
    assert price_text(price_of("0.000000012345")) == "0.000000012345"
    assert money_text(0) == "0.00000000"


@given(st.text(max_size=80) | st.floats(allow_nan=True, allow_infinity=True) | st.decimals())
def test_anything_else_is_refused_and_nothing_else_goes_wrong(number: str | float | Decimal) -> None:
    try:
        count = amount_of(number)
    except NotANumberError:
        return
    assert Fraction(count, 10**8) == Fraction(str(number))


@pytest.mark.parametrize("number", ["", "abc", "nan", "inf", "1e999", "0.000000001", "9" * 65])
def test_no_number_is_refused(number: str) -> None:
    with pytest.raises(NotANumberError, match="expected"):
        amount_of(number)
