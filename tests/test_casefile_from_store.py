"""Evidence from a store: the exchange's own characters, the market a minute around, and what isn't there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cases import HOSTILE, INCIDENT, T0, S, fill_store
from drainwatch.casefile import from_store
from drainwatch.casefile.from_store import case_of
from drainwatch.store import Store, open_store

MADE_NS = T0 + 3_600 * S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "watch.db")) as opened:
        yield opened


def test_fills_are_told_in_the_exchanges_own_characters(store: Store) -> None:
    """An account without a name and an empty order id are known to the engine by other names."""
    fill_store(store)
    case = case_of(store, INCIDENT, MADE_NS)
    first, second = case.fills
    assert (first.price, first.amount, first.cost) == ("2.00000000000000000100", "1.50", "3.000")
    assert (first.fee_cost, first.client_order_id) == ("0.0010", HOSTILE)
    assert (second.id, second.price, second.fee_cost) == ("2", "0.5", "-0.00010")
    assert first.exact
    assert second.exact
    assert (first.fair_price, first.fair_source, first.deviation_bps, first.loss) == (
        1.0,
        "mid",
        10_000.0,
        1.5,
    )
    assert (second.fair_price, second.loss) == (None, None)
    assert second.time == second.counted_at == "2025-10-09T08:53:25.000Z"
    assert case.losses[0].fees == {"F": "0.00090"}
    assert case.missing == []
    assert case.state == "acknowledged"


def test_the_market_is_told_a_minute_around_the_fills_and_no_other(store: Store) -> None:
    fill_store(store)
    (around,) = case_of(store, INCIDENT, MADE_NS).market
    assert around.kept == "whole"
    assert [row[0] for row in around.quotes] == ["2025-10-09T08:52:21.000Z", "2025-10-09T08:54:24.000Z"]
    assert around.quotes[0][1:] == [0.99, 1.01, 7.0, None]
    assert around.prints == [["2025-10-09T08:53:17.000Z", 1.0, 2.0, None, HOSTILE]]
    assert [row[1:] for row in around.candles] == [[1, 2, 1, 2, 3]]


def test_a_journal_that_was_dropped_is_said_to_have_been(store: Store) -> None:
    fill_store(store, drop=True)
    case = case_of(store, INCIDENT, MADE_NS)
    (around,) = case.market
    assert around.kept == "part"
    assert len(around.quotes) == 1
    assert around.prints == []
    assert len(case.missing) == 1
    assert case.missing[0].startswith("Of 1 stretches of market data around fills the journal has no more")


def test_what_is_held_is_whole_though_all_before_it_was_dropped(store: Store) -> None:
    store.hold_entries(2, 8)  # as `watch.around` has it
    fill_store(store, drop=True)
    assert [number for number, _ in store.entries()] == [2, 3, 4, 5, 6, 7, 8, 9]
    (around,) = case_of(store, INCIDENT, MADE_NS).market
    assert (around.kept, len(around.quotes), len(around.prints)) == ("whole", 2, 1)


def test_a_hole_in_the_middle_is_no_whole(store: Store) -> None:
    store.hold_entries(2, 3)
    store.hold_entries(9, 9)
    fill_store(store)
    for number in (8, 9):
        store.save_snapshot(number, b"")
    (around,) = case_of(store, INCIDENT, MADE_NS).market
    assert (around.kept, len(around.quotes), len(around.prints)) == ("part", 1, 1)


def test_an_export_in_the_minute_after_says_to_come_again(store: Store) -> None:
    """The first minutes of a drain are when evidence is asked for."""
    fill_store(store)
    store._change("BEGIN")
    store._change("DELETE FROM journal WHERE number > 5")
    store._change("COMMIT")
    case = case_of(store, INCIDENT, MADE_NS)
    (around,) = case.market
    assert (around.kept, around.end) == ("whole", "2025-10-09T08:53:25.000Z")
    assert len(case.missing) == 1
    assert "wasn't over. Export again then." in case.missing[0]


def test_nothing_kept_is_said_too(store: Store) -> None:
    store.save_incident(INCIDENT)
    case = case_of(store, INCIDENT, MADE_NS)
    assert [f.id for f in case.fills] == ["1", "2"]
    assert not any(f.exact for f in case.fills)
    assert case.market == []
    assert len(case.missing) == 4
    assert case.judged_by == {}


def test_rows_are_bounded_and_what_is_left_out_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_store, "MOST_ROWS", 1)
    fill_store(store)
    case = case_of(store, INCIDENT, MADE_NS)
    assert case.market[0].kept == "part"
    assert any("More than 1 rows of market data" in line for line in case.missing)


def test_it_is_told_by_what_was_judged_then_not_by_what_is_judged_now(store: Store) -> None:
    fill_store(store)
    assert case_of(store, INCIDENT, MADE_NS).judged_by["model"] == "ab"


def test_who_was_told_and_what_he_said_is_in_the_timeline(store: Store) -> None:
    fill_store(store)
    case = case_of(store, INCIDENT, MADE_NS)
    assert [m.what for m in case.timeline][-3:] == [
        "Message (opened) by phone: ready to be sent",
        "Message (opened) by phone: arrived",
        f"The owner: acknowledged: {HOSTILE}",
    ]
    assert [m["state"] for m in case.messages] == ["arrived"]
