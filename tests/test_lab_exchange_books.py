from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.lab.exchange.accounts import Account, Order
from drainwatch.lab.exchange.books import Book, Listing

ACCOUNT = Account("somebody")


def an_order(book: Book, number: int, price: int, amount: int, *, buy: bool) -> Order:
    return Order(number, str(number), ACCOUNT, book, buy, "LIMIT", "GTC", price, amount, 0, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5), st.integers(1, 9), st.booleans()), max_size=40))
def test_a_book_is_what_a_sorted_list_of_its_orders_says(
    steps: list[tuple[bool, int, int, bool]],
) -> None:
    book = Book(Listing("ETH", "BTC"))
    orders: list[Order] = []
    for number, (buy, price, amount, removed) in enumerate(steps):
        orders.append(an_order(book, number, price, amount, buy=buy))
        book.add(orders[-1])
        if removed:
            assert book.remove(orders.pop(len(orders) // 2))
        for side in (True, False):
            resting = sorted(
                (one for one in orders if one.buy is side),
                key=lambda one: (-one.price if one.buy else one.price, one.id),
            )
            assert list(book.opposing(buy=not side, limit=0)) == resting
            assert book.front(buy=side) is (resting[0] if resting else None)
            prices = sorted({one.price for one in resting}, reverse=side)
            totals = [(price, sum(one.amount for one in resting if one.price == price)) for price in prices]
            assert book.levels(buy=side, most=99) == totals
            assert book.best(buy=side) == (totals[0] if totals else (0, 0))


def test_a_limit_ends_what_one_could_trade_with() -> None:
    book = Book(Listing("ETH", "BTC"))
    for number, price in enumerate((10, 11, 12)):
        book.add(an_order(book, number, price, 1, buy=False))
    assert [one.price for one in book.opposing(buy=True, limit=11)] == [10, 11]
    assert list(book.opposing(buy=False, limit=5)) == []


def test_a_traded_part_shrinks_the_level_and_the_rest_keeps_its_place() -> None:
    book = Book(Listing("ETH", "BTC"))
    first, second = an_order(book, 1, 10, 5, buy=True), an_order(book, 2, 10, 7, buy=True)
    book.add(first)
    book.add(second)
    before = book.update_id
    book.reduce(first, 2)
    first.filled = 2
    assert book.best(buy=True) == (10, 10)
    assert book.front(buy=True) is first
    book.reduce(first, 3)
    assert book.front(buy=True) is second
    assert book.update_id == before + 2


def test_touched_levels_are_kept_only_for_who_asks() -> None:
    book = Book(Listing("ETH", "BTC"))
    book.add(an_order(book, 1, 10, 5, buy=True))
    assert book.touched is None
    book.touched = {}
    book.add(an_order(book, 2, 11, 5, buy=False))
    assert book.touched == {(False, 11): None}
    assert book.level(buy=False, price=11) == 5
    assert book.level(buy=False, price=12) == 0


def test_removing_what_does_not_rest_says_so() -> None:
    book = Book(Listing("ETH", "BTC"))
    assert not book.remove(an_order(book, 1, 10, 5, buy=True))


@pytest.mark.parametrize("currency", ["", "eth", 'E"H', "E/H"])
def test_names_that_messages_could_not_carry_are_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="capitals and digits"):
        Listing(currency, "BTC")


def test_steps_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Listing("ETH", "BTC", 0)
