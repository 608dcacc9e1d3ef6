"""The journal is held around an incident's fills, to the end of their surroundings, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from drainwatch.casefile.from_store import case_of
from drainwatch.config import Settings
from drainwatch.events import NS_PER_S, FillKey
from drainwatch.incidents import Member
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import new_engine
from drainwatch.rows import Balance, Fill, Quote, Row
from drainwatch.store import Store, open_store
from drainwatch.watch.around import MOST_FILLS, Around, spans
from drainwatch.watch.core import Core

T0 = 1_760_000_000 * NS_PER_S
MODEL = load_model(default_model_path())

STEP_S = 20
"""Between entries."""


class Journal:
    """Entries of one quote each, numbered from 1."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.held: list[tuple[int, int]] = []

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        if number >= self.count:
            return None
        at = (number + 1) * STEP_S * NS_PER_S
        row = Quote(exchange="x", symbol="A/B", ts_ns=at, bid=1.0, ask=2.0)
        return number + 1, msgspec.msgpack.encode([(at, row)])

    def hold_entries(self, first: int, last: int) -> None:
        self.held.append((first, last))


def member(at_s: int, incident: str = "i") -> Member:
    return Member(incident, "x", "a", FillKey("A/B", str(at_s), None, "buy"), at_s * NS_PER_S, None, None)


def test_a_minute_before_and_after_is_held() -> None:
    journal = Journal(100)
    around = Around(journal)
    around.add([member(1_000), member(1_010), member(200)])
    around.hold(100)
    assert journal.held == [(7, 14), (47, 54)]  # 140 to 260+ s, 940 to 1070+ s
    around.forget(100 * STEP_S * NS_PER_S)
    around.hold(100)
    assert len(journal.held) == 2


def test_what_comes_after_the_fill_is_held_when_it_has_come() -> None:
    """The state may be saved seconds after a bad fill; what the market did next would be dropped."""
    journal = Journal(50)
    around = Around(journal)
    around.add([member(1_000)])
    around.hold(50)
    around.forget(50 * STEP_S * NS_PER_S)
    assert journal.held == [(47, 50)]
    journal.count = 60
    around.hold(60)
    around.forget(60 * STEP_S * NS_PER_S)
    assert journal.held[1:] == [(47, 54)]
    around.hold(60)
    assert len(journal.held) == 2


def test_a_bleed_of_months_does_not_keep_months() -> None:
    journal = Journal(100)
    around = Around(journal)
    around.add([member(200)] * MOST_FILLS)
    around.add([member(1_000)])
    around.add([member(1_600, "other")])
    around.hold(100)
    assert journal.held == [(7, 14), (77, 84)]


def test_nothing_is_held_of_an_empty_journal() -> None:
    journal = Journal(0)
    around = Around(journal)
    around.add([member(5)])
    around.hold(0)
    assert journal.held == []


def test_stretches_that_touch_are_one() -> None:
    assert spans([(5, 6), (1, 2), (2, 4), (8, 9), (1, 1)]) == [(1, 4), (5, 6), (8, 9)]


# --- a real watch's desk, through saved states and a kill ------------------------------------------------


def rows() -> list[Row]:
    """An owner's fills at the market's price; then a thief's at three times and a third of it; then quiet."""
    out: list[Row] = [Balance(exchange="x", account="a", currency="B", ts_ns=T0, total=100.0)]
    for i in range(120):
        at_ns = T0 + i * 10 * NS_PER_S
        out.append(Quote(exchange="x", symbol="A/B", ts_ns=at_ns - 1_000, bid=0.99, ask=1.01))
        stolen = 60 <= i < 64
        if i < 20 or stolen:
            price, side = (("3", "buy"), ("0.3", "sell"))[i % 2] if stolen else ("1", "buy")
            out.append(
                Fill(
                    exchange="x", account="a", symbol="A/B", id=str(i), order=str(i), ts_ns=at_ns, side=side,
                    price=price, amount="1",
                )
            )  # fmt: skip
    return out


def watched(store: Store, told: Sequence[Row], *, killed_at: int = -1) -> None:
    """Judge row by row, the state saved every five rows: what isn't held is dropped at once."""

    def desk() -> Core:
        return Core(lambda names: new_engine(MODEL, names, Settings()), store)

    core = desk()
    for number, row in enumerate(told):
        if number == killed_at:
            core = desk()
            core.resume()
        core.add(row, T0)
        core.judge(T0 + 24 * 3_600 * NS_PER_S if number == len(told) - 1 else row_ns(row) + 5 * NS_PER_S)
        if number % 5 == 4:
            core.snapshot()


def row_ns(row: Row) -> int:
    assert isinstance(row, (Balance, Quote, Fill))
    return row.ts_ns


@pytest.mark.parametrize("killed_at", [-1, 83, 88, 93])
def test_evidence_outlives_saved_states_and_a_kill(tmp_path: Path, killed_at: int) -> None:
    """Hours after a drain the journal is long dropped; the evidence must still have what it needs."""
    told = rows()
    with closing(open_store(tmp_path / "watch.db")) as store:
        watched(store, told, killed_at=killed_at)
        (incident,) = store.incidents()
        assert {f["id"] for f in incident["fills"]} == {"60", "61", "62", "63"}
        judgements = store.judgements(incident["id"])
        assert [j.key[3] for j in judgements] == [f["id"] for f in incident["fills"]]
        assert [j.fair for j in judgements] == pytest.approx([1.0] * 4, abs=1e-3)
        assert sum(max(j.loss or 0.0, 0.0) for j in judgements) == incident["loss"]
        assert len(list(store.entries())) < 60  # of some 145: the rest was dropped
        (around,) = case_of(store, incident, T0).market
        assert around.kept == "whole"
        wanted = [q for q in told if type(q) is Quote and 540 <= (q.ts_ns - T0) / NS_PER_S <= 690]
        assert len(around.quotes) == len(wanted)
