from __future__ import annotations

from drainwatch.lab.exchange.prints import KEPT, Print, Prints


def a_print(number: int, ms: int, price: int, amount: int = 10, *, buyer_made: bool = False) -> Print:
    return Print(number, ms, price, amount, buyer_made, 1, 2)


def test_a_minute_holds_what_was_traded_in_it() -> None:
    prints = Prints()
    for trade in (
        a_print(1, 60_000, 5),
        a_print(2, 61_000, 9, buyer_made=True),
        a_print(3, 119_999, 4),
        a_print(4, 120_000, 7),
    ):
        prints.add(trade)
    first, second = prints.minutes
    assert (first.ms, first.open, first.high, first.low, first.close) == (60_000, 5, 9, 4, 4)
    assert (first.amount, first.quote, first.count, first.first_id, first.last_id) == (30, 180, 3, 1, 3)
    assert (first.taker_amount, first.taker_quote) == (20, 90)
    assert (second.ms, second.open, second.count) == (120_000, 7, 1)


def test_minutes_make_longer_candles_and_stay_as_they_are() -> None:
    prints = Prints()
    for trade in (
        a_print(1, 60_000, 5),
        a_print(2, 120_000, 9, buyer_made=True),
        a_print(3, 180_000, 4),
        a_print(4, 620_000, 7),
    ):
        prints.add(trade)
    first, second = prints.candles(300_000)
    assert (first.ms, first.open, first.high, first.low, first.close) == (0, 5, 9, 4, 4)
    assert (first.amount, first.quote, first.count, first.first_id, first.last_id) == (30, 180, 3, 1, 3)
    assert (first.taker_amount, first.taker_quote) == (20, 90)
    assert (second.ms, second.open, second.count) == (600_000, 7, 1)
    assert [minute.count for minute in prints.candles()] == [1, 1, 1, 1]
    assert [minute.amount for minute in prints.minutes] == [10, 10, 10, 10]


def test_old_prints_are_forgotten() -> None:
    prints = Prints()
    for number in range(KEPT + 5):
        prints.add(a_print(number, number, 1))
    assert len(prints.last) == KEPT
    assert prints.last[0].id == 5
