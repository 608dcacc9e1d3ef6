from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.venues.wire import DECIMAL, Ms, Number, as_bytes, each, price_or_none, signed_cost

NUMBERS = msgspec.json.Decoder(list[Number], strict=False)
NUMBER = msgspec.json.Decoder(Number, strict=False)


def test_bad_items_of_a_list_are_errors_between_the_good_ones() -> None:
    got: list[float | msgspec.DecodeError]
    got = [*each(msgspec.Raw(b'["1.5", "abc", 2, null, "nan", "-1"]'), NUMBERS, NUMBER)]
    assert [item for item in got if isinstance(item, float)] == [1.5, 2.0]
    assert [isinstance(item, msgspec.DecodeError) for item in got] == [False, True, False, True, True, True]


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", b"[1", b'"x"'])
def test_what_is_no_list_is_an_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        for _ in each(raw, NUMBERS, NUMBER):
            pass


@pytest.mark.parametrize("text", ["1", "0.5", "1.", "00012.50", "1e-8", "1E+20", "0.000000000001"])
def test_numbers_above_0_are_taken_as_written(text: str) -> None:
    assert re.search(DECIMAL, text)
    assert price_or_none(text) == text


@pytest.mark.parametrize(
    "text", ["", "0", "0.00", "-1", "+1", " 1", "1 ", "1\n", "1_0", "nan", "inf", "0e5", "\u0661", "1e999"]
)
def test_other_texts_are_no_numbers_above_0(text: str) -> None:
    assert not re.search(DECIMAL, text)


@pytest.mark.parametrize("text", [None, "", "0", "0.0", "-5", "nan", "inf", "1e50", " 1", "1_0"[:0], "abc"])
def test_no_price_is_none(text: str | None) -> None:
    assert price_or_none(text) is None


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False))
def test_sign_of_a_fee_is_that_of_a_cost_and_its_digits_stay(amount: Decimal) -> None:
    text = f"{amount:f}"
    # Not by multiplying: that would round to 28 digits.
    for charged_negative, wanted in ((False, amount), (True, amount.copy_negate())):
        cost = signed_cost(text, charged_negative=charged_negative)
        assert cost is not None
        assert Decimal(cost) == wanted
        assert cost.lstrip("-") == text.lstrip("-")


@pytest.mark.parametrize("text", ["", "-", "--1", "+1", "nan", "-inf", " 1", "abc", "1e400"])
def test_what_is_no_fee_is_none(text: str) -> None:
    assert signed_cost(text) is None


def test_times_lie_between_1970_and_2100() -> None:
    decoder = msgspec.json.Decoder(Ms, strict=False)
    assert decoder.decode(b'"1746270400353"') == 1746270400353
    for raw in (b"0", b"-1", b"4102444800000", b'"x"', b"1.5", b"null"):
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(raw)


def test_frames_of_text_are_read_as_bytes_whatever_is_in_them() -> None:
    assert as_bytes("a\ud800") == b"a?"
    assert as_bytes(b"\xff") == b"\xff"
