"""What arrives in any order is judged in the contract's order; fills wait for nobody but their log."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.events import Names
from drainwatch.rows import BotOrder, Fill, Market, Quote, Row, Trade
from drainwatch.watch.encoding import US, order_of
from drainwatch.watch.intake import HOLD_BACK_NS, WAIT_NS, Intake

MS = 1_000_000
T0 = 1_700_000_000_000 * MS


def fill(ms: int, number: int = 1, **other: str) -> Fill:
    values: dict[str, Any] = {
        "exchange": "x",
        "account": "a",
        "symbol": "A/B",
        "side": "buy",
        "price": "1",
        "amount": "1",
    }
    return Fill(id=f"f{number:03}", ts_ns=T0 + ms * MS, **(values | other))


def quote(ms: int, bid: float = 1.0) -> Quote:
    return Quote(exchange="x", symbol="A/B", ts_ns=T0 + ms * MS, bid=bid, ask=bid * 1.01)


def trade(ms: int, number: int) -> Trade:
    return Trade(exchange="x", symbol="A/B", ts_ns=T0 + ms * MS, price=1.0, amount=1.0, id=f"t{number}")


def key_of(at_ns: int, row: Row) -> tuple[int, int, tuple[str, ...]]:
    """The contract's order, of what can be told without hashes."""
    if isinstance(row, Fill):
        return at_ns, 1, (row.exchange, row.account, row.symbol, row.id, row.order or "", row.side)
    return at_ns, 0, ()


def test_a_fill_is_given_at_once_with_what_was_known_before_it_and_nothing_after() -> None:
    intake = Intake(Names())
    for row in (quote(5, 5.0), quote(10, 10.0), quote(20, 20.0), fill(15)):
        intake.add(row, T0 + 30 * MS)
    given_rows = intake.take(T0 + 30 * MS)
    assert [row for _, row in given_rows] == [quote(5, 5.0), quote(10, 10.0), fill(15)]
    assert intake.n_held == 1
    assert intake.take(T0 + 20 * MS + HOLD_BACK_NS - 1) == []
    assert intake.take(T0 + 20 * MS + HOLD_BACK_NS) == [(T0 + 20 * MS, quote(20, 20.0))]


def test_at_one_time_market_rows_go_before_fills() -> None:
    intake = Intake(Names())
    intake.add(fill(10), T0)
    intake.add(quote(10), T0)
    assert [row for _, row in intake.take(T0 + 11 * MS)] == [quote(10), fill(10)]


def test_what_comes_too_late_goes_right_after_what_was_given() -> None:
    intake = Intake(Names())
    intake.add(fill(10, 1), T0)
    intake.take(T0 + 10 * MS)
    intake.add(quote(9), T0 + 11 * MS)
    intake.add(fill(8, 2), T0 + 12 * MS)
    given_rows = intake.take(T0 + 12 * MS + HOLD_BACK_NS)
    # a late row is known from now on: it is no evidence for the fill that was before
    assert given_rows == [(T0 + 10 * MS, fill(8, 2)), (T0 + 10 * MS + US, quote(9))]


def test_a_print_that_is_told_twice_counts_once() -> None:
    intake = Intake(Names())
    for _ in range(3):
        intake.add(trade(1, 7), T0)
    assert len(intake.take(T0 + HOLD_BACK_NS + MS)) == 1
    assert intake.duplicates == 2


def test_a_fill_of_an_order_that_the_bots_log_lacks_waits_for_the_log_a_moment() -> None:
    intake = Intake(Names(), logged=["a"])
    intake.add(fill(10, 1, order="o1"), T0 + 10 * MS)
    assert intake.take(T0 + 11 * MS) == []
    assert intake.next_ns() == T0 + 10 * MS + WAIT_NS
    order = BotOrder(account="a", order="o1", ts_ns=T0 + 9 * MS)
    intake.add(order, T0 + 300 * MS)
    assert [row for _, row in intake.take(T0 + 300 * MS)] == [order, fill(10, 1, order="o1")]
    intake.add(fill(400, 2, order="thief"), T0 + 400 * MS)
    assert intake.take(T0 + 400 * MS) == []
    assert [row for _, row in intake.take(T0 + 400 * MS + WAIT_NS)] == [fill(400, 2, order="thief")]


def test_a_fill_of_a_market_of_which_nothing_was_heard_waits_for_its_past_a_moment() -> None:
    intake = Intake(Names(), followed=["x"])
    intake.add(fill(10, 1), T0 + 10 * MS)
    intake.add(fill(10, 2, exchange="pushed"), T0 + 10 * MS)
    assert [row for _, row in intake.take(T0 + 11 * MS)] == [fill(10, 2, exchange="pushed")]
    intake.add(quote(8), T0 + 200 * MS)
    assert [row for _, row in intake.take(T0 + 200 * MS)] == [quote(8), fill(10, 1)]
    intake.add(fill(300, 3), T0 + 300 * MS)
    assert [row for _, row in intake.take(T0 + 300 * MS)] == [fill(300, 3)]


def test_markets_are_known_before_all_else() -> None:
    intake = Intake(Names())
    market = Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B")
    intake.add(fill(1), T0)
    intake.add(market, T0)
    assert [row for _, row in intake.take(T0 + MS)] == [market, fill(1)]


ROWS = st.lists(
    st.tuples(
        st.one_of(
            st.builds(fill, st.integers(0, 50), st.integers(0, 5), account=st.sampled_from("ab")),
            st.builds(quote, st.integers(0, 50), st.sampled_from([1.0, 2.0])),
            st.builds(trade, st.integers(0, 50), st.integers(0, 30)),
        ),
        st.integers(0, 100),  # arrives so many ms later
    ),
    max_size=40,
)


@given(ROWS, st.integers(0, 60), st.booleans())
@settings(max_examples=200)
def test_what_is_given_is_in_order_whole_and_as_a_replay_would_order_it(
    rows: list[tuple[Row, int]], hold_ms: int, one_by_one: bool
) -> None:
    names = Names()
    intake = Intake(names, hold_back_ns=hold_ms * MS)
    arrivals = sorted(((row.ts_ns + late * MS, i) for i, (row, late) in enumerate(rows)))  # type: ignore[union-attr]
    out: list[tuple[int, Row]] = []
    for at_ns, i in arrivals:
        intake.add(rows[i][0], at_ns)
        if one_by_one:
            out += intake.take(at_ns)
    out += intake.take(T0 + 10_000 * MS)
    for (at, row), (next_at, next_row) in pairwise(out):
        assert (
            key_of(at, row) < key_of(next_at, next_row)
            or (key_of(at, row) == key_of(next_at, next_row) and not isinstance(row, Fill))
            or (row == next_row)
        )
        if at == next_at and not isinstance(row, Fill) and not isinstance(next_row, Fill):
            assert order_of(names, [row, next_row]) == [0, 1]
    fills = [row for row, _ in rows if isinstance(row, Fill)]
    given_fills = [row for _, row in out if isinstance(row, Fill)]
    assert sorted(map(repr, given_fills)) == sorted(map(repr, fills))
    prints = {row for row, _ in rows if isinstance(row, Trade)}
    assert {row for _, row in out if isinstance(row, Trade)} <= prints
    assert {row.id for _, row in out if isinstance(row, Trade)} == {row.id for row in prints}


@given(ROWS)
def test_nothing_is_judged_by_what_came_after_it(rows: list[tuple[Row, int]]) -> None:
    """Whatever the delays: what stands before a fill in the order was known by then."""
    intake = Intake(Names())
    for row, _ in rows:
        intake.add(row, T0)
    out = intake.take(T0 + 60 * MS)
    for i, (_, row) in enumerate(out):
        if isinstance(row, Fill):
            assert all(before.ts_ns <= row.ts_ns for _, before in out[:i])  # type: ignore[union-attr]
