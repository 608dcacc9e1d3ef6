"""What is kept of an incident's fills, on both databases: judgements, and the journal around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from drainwatch.store import JudgedBy, Judgement, open_store

MakeUrl = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgres"])
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeUrl:
    """Give what makes the URL of a new, empty store."""
    if request.param == "postgres":
        make: MakeUrl = request.getfixturevalue("postgres_server")
        return make
    return lambda: str(tmp_path_factory.mktemp("store") / "watch.db")


def judgement(number: int, **changes: Any) -> Judgement:
    plain: dict[str, Any] = {
        "incident": "i",
        "key": ("binance", "main", "ETH/BTC", str(number), None, "buy"),
        "at_ns": number,
        "fair": 0.07,
        "source": "mid",
        "deviation_bps": 1_234.5,
        "score": 3.25,
        "flagged": True,
        "loss": 0.1 + 0.2,
        "fee": 1e-12,
        "currency": "BTC",
    }
    return Judgement(**(plain | changes))


def test_judgements_come_back_exactly_and_the_first_word_counts(make_url: MakeUrl) -> None:
    """After a crash the same fills are judged again; a restart mustn't change what was said."""
    url = make_url()
    store = open_store(url)
    blind = Judgement(incident="i", key=("x", "a", "\ud800", "1", "o", "sell"), at_ns=5)
    store.add_judgements([judgement(2), judgement(1), blind])
    store.add_judgements([judgement(1, fair=9.0), judgement(1, incident="other")])
    store.close()
    store = open_store(url)
    assert store.judgements("i") == [judgement(2), judgement(1), blind]
    assert store.judgements("other") == [judgement(1, incident="other")]
    assert store.judgements("none") == []
    store.close()


def test_by_what_was_judged_is_kept_when_it_changes(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    assert store.judges() == []
    first = JudgedBy(from_ns=1, drainwatch="1", model="ab", false_alarms_per_month=0.1, quiet_hours=6.0)
    store.note_judge(first)
    store.note_judge(msgspec.structs.replace(first, from_ns=5))  # a restart
    assert store.judges() == [first]
    other = msgspec.structs.replace(first, from_ns=7, model="cd")
    store.note_judge(other)
    again = msgspec.structs.replace(first, from_ns=9)
    store.note_judge(again)
    assert store.judges() == [first, other, again]
    store.close()


def test_held_entries_outlive_the_snapshots_that_cover_them(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    for number in range(1, 21):
        store.append(bytes([number]))
    for first, last in ((12, 13), (3, 5), (4, 6), (7, 7), (30, 40)):
        store.hold_entries(first, last)
    assert store.held_entries() == [(3, 7), (12, 13), (30, 40)]
    store.save_snapshot(15, b"older")
    store.save_snapshot(18, b"newer")
    assert [number for number, _ in store.entries()] == [3, 4, 5, 6, 7, 12, 13, 16, 17, 18, 19, 20]
    store.save_snapshot(20, b"newest")
    assert [number for number, _ in store.entries()] == [3, 4, 5, 6, 7, 12, 13, 19, 20]
    assert store.append(b"next") == 21
    store.close()


@pytest.mark.parametrize("held", [(1, 15), (14, 16), (15, 15), (1, 1), (16, 20)])
def test_what_is_held_at_the_edge_is_neither_dropped_nor_more_than_it(
    make_url: MakeUrl, held: tuple[int, int]
) -> None:
    store = open_store(make_url())
    for number in range(1, 21):
        store.append(bytes([number]))
    store.hold_entries(*held)
    store.save_snapshot(15, b"older")
    store.save_snapshot(18, b"newer")
    wanted = {*range(held[0], held[1] + 1), *range(16, 21)}
    assert {number for number, _ in store.entries()} == wanted
    store.close()


def test_the_next_entry_is_found_over_a_hole(make_url: MakeUrl) -> None:
    store = open_store(make_url())
    for number in range(1, 6):
        store.append(bytes([number]))
    store.hold_entries(2, 2)
    store.save_snapshot(3, b"older")
    store.save_snapshot(4, b"newer")
    assert [store.entry_after(n) for n in (0, 2, 4, 5)] == [(2, b"\2"), (4, b"\4"), (5, b"\5"), None]
    store.close()
