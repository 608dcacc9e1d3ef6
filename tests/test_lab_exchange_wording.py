from __future__ import annotations

import pytest

from drainwatch.lab.exchange import wording
from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.prints import MINUTE_MS, Print, Prints
from drainwatch.lab.exchange.units import amount_of, money_of, price_of


@pytest.mark.parametrize(
    ("number", "text"),
    [("1", "1"), ("1.50", "1.5"), ("100", "100"), ("0.00000001", "0.00000001"), ("0", "0")],
)
def test_numbers_have_no_needless_zeros(number: str, text: str) -> None:
    assert wording.amount(amount_of(number)) == text
    assert wording.price(price_of(number)) == text
    assert wording.money(money_of(number)) == text


def test_negative_money_keeps_its_sign() -> None:
    assert wording.money(money_of("-0.25")) == "-0.25"


def test_a_number_with_a_point_keeps_it_and_one_without_gets_one() -> None:
    assert [wording.pointed(text) for text in ("5", "5.25")] == ["5.0", "5.25"]


def test_the_same_number_of_a_kind_has_the_same_id_and_others_dont() -> None:
    assert wording.unique("order", 1) == wording.unique("order", 1)
    assert len({wording.unique(kind, number) for kind in "ab" for number in range(50)}) == 100


def test_a_number_of_a_request_is_whole_or_refused() -> None:
    assert wording.whole("7", "limit", 1) == 7
    assert wording.whole(None, "limit", 1) is None
    assert wording.whole("", "limit", 1) is None
    with pytest.raises(RefusedError, match="limit") as caught:
        wording.whole("7.5", "limit", 10001)
    assert caught.value.code == 10001


def test_longer_candles_are_put_together_of_minutes() -> None:
    prints = Prints()
    for number, (minute, price) in enumerate([(0, 10), (1, 14), (4, 8), (5, 9), (12, 11)], 1):
        prints.add(Print(number, minute * MINUTE_MS, price, 2, False, 1, 2))
    made = wording.candles(prints, 5 * MINUTE_MS)
    assert [one.ms // MINUTE_MS for one in made] == [0, 5, 10]
    first = made[0]
    assert (first.open, first.high, first.low, first.close) == (10, 14, 8, 8)
    assert (first.amount, first.count, first.quote) == (6, 3, 64)
    assert sum(one.amount for one in made) == sum(one.amount for one in prints.minutes)
