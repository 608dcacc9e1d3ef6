from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drainwatch.rows import Fill
from drainwatch.venues.counterparties import HOLD_NS, KEPT, Counterparties

ME, OTHER = "0xme", "0xother"
SYMBOL = "BTC/USDC:USDC"


def fill(id_: str, side: str = "buy", order: str = "1") -> Fill:
    return Fill(
        exchange="hyperliquid",
        account="alice",
        symbol=SYMBOL,
        id=id_,
        ts_ns=1,
        side=side,
        price="1",
        amount="1",
        order=order,
    )


def join() -> Counterparties:
    """Give a join that hears the symbol's prints."""
    counterparties = Counterparties()
    counterparties.covered.add(SYMBOL)
    return counterparties


def test_print_that_came_before_names_the_other_side_at_once() -> None:
    both = join()
    assert both.print(SYMBOL, "7", ME, OTHER) == []
    (got,) = both.fill(fill("7"), ME, 0)
    assert got.counterparty == OTHER
    assert both.next_ns() is None


def test_fill_waits_for_its_print() -> None:
    both = join()
    assert both.fill(fill("7", "sell"), ME, 5) == []
    assert both.next_ns() == 5 + HOLD_NS
    (got,) = both.print(SYMBOL, "7", OTHER, ME)
    assert got.counterparty == OTHER
    assert both.next_ns() is None
    assert both.due(10**18) == []


def test_fill_waits_no_longer_than_a_moment() -> None:
    both = join()
    both.fill(fill("7"), ME, 5)
    both.fill(fill("8"), ME, 6)
    assert both.due(5 + HOLD_NS - 1) == []
    (got,) = both.due(5 + HOLD_NS)
    assert got == fill("7")
    assert both.next_ns() == 6 + HOLD_NS
    assert both.print(SYMBOL, "7", ME, OTHER) == []


def test_fill_of_a_symbol_whose_prints_nobody_hears_waits_for_nothing() -> None:
    assert Counterparties().fill(fill("7"), ME, 0) == [fill("7")]


def test_own_trade_with_oneself_names_oneself_on_both_sides() -> None:
    both = join()
    both.fill(fill("7", "buy", "1"), ME, 0)
    both.fill(fill("7", "sell", "2"), ME, 0)
    got = both.print(SYMBOL, "7", ME, ME)
    assert [(one.side, one.counterparty) for one in got] == [("buy", ME), ("sell", ME)]


def test_print_of_two_others_joins_nothing() -> None:
    both = join()
    both.print(SYMBOL, "7", "0xa", "0xb")
    assert both.fill(fill("7"), ME, 0) == [fill("7")]


def test_same_id_in_another_symbol_is_another_trade() -> None:
    both = join()
    both.print("ETH/USDC:USDC", "7", ME, OTHER)
    assert both.fill(fill("7"), ME, 0) == []


def test_memory_of_prints_is_bounded() -> None:
    both = join()
    for number in range(KEPT + 10):
        both.print(SYMBOL, str(number), ME, OTHER)
    assert len(both._prints) == KEPT
    assert both.fill(fill("9"), ME, 0) == []
    assert both.fill(fill("10"), ME, 0)[0].counterparty == OTHER


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["fill", "print", "due"]), st.integers(0, 5), st.integers(0, HOLD_NS)),
        max_size=60,
    )
)
def test_each_fill_is_given_exactly_once_and_never_late(steps: list[tuple[str, int, int]]) -> None:
    both = join()
    now = 0
    sent: dict[str, int] = {}
    given_back: list[str] = []
    for number, (what, id_, wait) in enumerate(steps):
        now += wait
        given_back += [one.order or "" for one in both.due(now)]
        if what == "fill":
            sent[str(number)] = now
            given_back += [one.order or "" for one in both.fill(fill(str(id_), order=str(number)), ME, now)]
        elif what == "print":
            given_back += [one.order or "" for one in both.print(SYMBOL, str(id_), ME, OTHER)]
        overdue = [order for order, at in sent.items() if now - at > HOLD_NS]
        assert set(overdue) <= set(given_back)
    given_back += [one.order or "" for one in both.due(now + HOLD_NS)]
    assert sorted(given_back) == sorted(sent)
    assert both.next_ns() is None
    assert not both._held
    assert not both._order
