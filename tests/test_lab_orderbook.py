"""A book rebuilt from order events gives the best quotes, and gets rid of ghosts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drainwatch.lab.orderbook import GHOST_MS, Book, Order


def test_the_best_level_adds_up_its_orders() -> None:
    book = Book()
    assert book.quote(0) is None
    for number, (price, amount, side) in enumerate(
        [(10.0, 1.0, 1), (10.0, 2.0, 1), (9.0, 5.0, 1), (11.0, 4.0, -1), (12.0, 1.0, -1)]
    ):
        book.put(number, Order(price, amount, side, 0))
    assert book.quote(0) == (10.0, 11.0, 3.0, 4.0)
    book.remove(0)
    book.remove(99)  # never heard of
    assert book.quote(1) == (10.0, 11.0, 2.0, 4.0)
    book.put(1, Order(9.5, 7.0, 1, 2))
    assert book.quote(2) == (9.5, 11.0, 7.0, 4.0)


def test_a_crossed_book_is_silent_then_drops_the_older_order() -> None:
    book = Book()
    book.put(1, Order(12.0, 1.0, 1, 0))  # its deletion never came
    book.put(2, Order(10.0, 1.0, 1, 5))
    book.put(3, Order(11.0, 1.0, -1, 1_000))
    assert book.quote(1_000) is None
    assert book.quote(1_000 + GHOST_MS - 1) is None
    assert book.quote(1_000 + GHOST_MS) == (10.0, 11.0, 1.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 50), st.sampled_from([1, -1]), st.booleans())))
def test_sides_are_those_of_the_orders_alive(events: list[tuple[int, int, int, bool]]) -> None:
    book = Book()
    for ms, (number, price, side, gone) in enumerate(events):
        if gone:
            book.remove(number)
        else:
            book.put(number, Order(float(price), 1.0, side, ms))
    for side in (1, -1):
        alive = [order.price for order in book.orders.values() if order.side == side]
        best = (max if side > 0 else min)(alive, default=0.0)
        assert book.best(side) == (best, float(alive.count(best)))
