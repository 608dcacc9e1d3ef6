"""The desk of the watch: journalled before judged, nothing lost, its state a matter of the journal alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.config import Settings
from drainwatch.engine import Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S, Names
from drainwatch.lab.scenario import Scenario, make
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import new_engine
from drainwatch.rows import Balance, Fill, Market, Quote, Row, Trade
from drainwatch.store import Store, open_store
from drainwatch.watch.core import Core, Outcome, read_entry
from drainwatch.watch.rerun import NothingKept
from live_rows import MS, arrivals

MODEL = load_model(default_model_path())
T0 = 1_760_000_000 * NS_PER_S


def engine(names: Names) -> Engine:
    return new_engine(MODEL, names, Settings())


def quote(s: float, mid: float = 0.03) -> Quote:
    return Quote(exchange="x", symbol="A/B", ts_ns=T0 + round(s * NS_PER_S), bid=mid * 0.999, ask=mid * 1.001)


def fill(s: float, number: int, price: str = "0.03", side: str = "buy", amount: str = "1") -> Fill:
    return Fill(
        exchange="x",
        account="a",
        symbol="A/B",
        id=str(number),
        order=f"o{number}",
        ts_ns=T0 + round(s * NS_PER_S),
        side=side,
        price=price,
        amount=amount,
    )


def drain(s: float) -> list[Row]:
    """Rows of a market, an owner who trades at its price, and a thief at three times and a third of it."""
    rows: list[Row] = [Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B")]
    rows += [
        Balance(exchange="x", account="a", currency=currency, ts_ns=T0, total=total)
        for currency, total in (("A", 100.0), ("B", 10.0))
    ]
    rows += [quote(i) for i in range(int(s) - 120, int(s) + 60)]
    rows += [fill(s - 100 + 7 * i, i, side="buy" if i % 2 else "sell") for i in range(8)]
    rows += [
        fill(s + i, 100 + i, price="0.09" if i % 2 == 0 else "0.01", side="buy" if i % 2 == 0 else "sell")
        for i in range(10)
    ]
    return sorted(rows, key=lambda row: getattr(row, "ts_ns", 0))


class Full(NothingKept):
    """A store without room, when it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.entries_kept: list[bytes] = []
        self.incidents_kept: dict[str, dict[str, Any]] = {}
        self.refuses: set[str] = set()

    def append(self, entry: bytes) -> int:
        if "append" in self.refuses:
            raise StateError("no room")
        self.entries_kept.append(entry)
        return super().append(entry)

    def add_fills(self, fills: Any, received_ns: int) -> list[bool]:
        if "append" in self.refuses:  # of the same transaction
            raise StateError("no room")
        return super().add_fills(fills, received_ns)

    def save_incident(self, incident: Any) -> None:
        if "incident" in self.refuses:
            raise StateError("no room")
        self.incidents_kept[incident["id"]] = dict(incident)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'core.db'}")) as store:
        yield store


def feed(
    core: Core, rows: list[Row], *, each: bool = True, now: Callable[[Row], int] | None = None
) -> Outcome:
    """Take rows as they happen; gives all that came of them."""
    out = Outcome()
    for row in rows:
        at_ns = getattr(row, "ts_ns", T0) if now is None else now(row)
        assert core.add(row, at_ns) is None
        add(out, core.judge(at_ns))
    add(out, core.judge(T0 + 10**6 * NS_PER_S if now is None else now(rows[-1]) + 3 * NS_PER_S))
    return out


def add(out: Outcome, more: Outcome) -> None:
    out.verdicts += more.verdicts
    out.incidents += more.incidents
    out.n_rows += more.n_rows


def test_a_drain_is_judged_and_its_incident_kept_and_posted_with_what_was_told_before() -> None:
    store = Full()
    posts: list[tuple[str, bool]] = []
    core = Core(engine, store, lambda incident, before: posts.append((incident["id"], before is None)))
    out = feed(core, drain(1000), now=lambda row: getattr(row, "ts_ns", T0))
    assert len(out.verdicts) == core.judged == 18
    assert [v.fill.id for v in out.verdicts if v.flagged]
    assert not any(v.flagged for v in out.verdicts[:8])
    (incident,) = store.incidents_kept.values()
    assert incident == out.incidents[-1]
    assert posts[0] == (incident["id"], True)
    assert len(posts) > 1
    assert not any(new for _, new in posts[1:])


def test_what_is_judged_has_been_journalled_before(opened: Store) -> None:
    seen: list[int] = []

    class Watching(Core):
        def _feed(self, timed: Any) -> None:
            last = list(opened.entries())[-1]
            assert read_entry(last[1]) == [tuple(item) for item in timed]
            seen.append(last[0])
            super()._feed(timed)

    core = Watching(engine, opened)
    feed(core, drain(1000))
    assert seen == sorted(set(seen))
    assert len(list(opened.fills())) == 18


@pytest.mark.parametrize("refused", ["append", "incident"])
def test_a_store_that_is_full_for_a_while_loses_nothing(refused: str) -> None:
    rows = drain(1000)
    whole, store = Core(engine, NothingKept()), Full()
    said = feed(whole, rows)
    core = Core(engine, store)
    out, failures = Outcome(), 0
    for i, row in enumerate(rows):
        at_ns = getattr(row, "ts_ns", T0)
        core.add(row, at_ns)
        store.refuses = {refused} if i % 3 else set()
        try:
            add(out, core.judge(at_ns))
        except StateError:
            failures += 1
    store.refuses = set()
    for _ in range(2):  # the first only goes on from where it failed
        add(out, core.judge(T0 + 10**6 * NS_PER_S))
    assert failures
    assert sorted(v.fill.id for v in out.verdicts) == sorted(v.fill.id for v in said.verdicts)
    assert store.incidents_kept == {i["id"]: i for i in out.incidents}
    assert store.incidents_kept.keys() == {i["id"] for i in said.incidents}
    kept = [
        item for entry in store.entries_kept if isinstance(timed := read_entry(entry), list) for item in timed
    ]
    assert sum(isinstance(row, Fill) for _, row in kept) == 18


def test_a_fill_told_again_counts_once(opened: Store) -> None:
    rows = drain(1000)
    core = Core(engine, opened)
    known: list[Any] = []
    core.on_turn = lambda _, keys: known.extend(keys)
    once = feed(core, rows)
    state = core.state()
    again = feed(core, [row for row in rows if isinstance(row, Fill)])
    assert len(once.verdicts) == 18
    assert again.verdicts == []
    assert again.incidents == []
    assert core.repeated == 18
    assert sorted(known) == sorted(row.key for row in rows if isinstance(row, Fill))
    assert core.state() == state


@pytest.mark.parametrize("snapshots", [(), (40,), (20, 60), (5, 60, 100)])
def test_a_desk_that_comes_back_is_where_one_that_never_went_away_is(
    opened: Store, snapshots: tuple[int, ...]
) -> None:
    rows = drain(1000)
    without = Core(engine, NothingKept())
    core = Core(engine, opened)
    kept = 0
    for i, row in enumerate(rows):
        at_ns = getattr(row, "ts_ns", T0)
        for desk in (core, without):
            desk.add(row, at_ns)
            desk.judge(at_ns)
        if i in snapshots:
            core.snapshot()
            kept = core.journalled
    posted: list[str] = []
    back = Core(engine, opened, lambda incident, _: posted.append(incident["id"]))
    assert back.resume() == core.journalled - kept
    assert back.state() == core.state() == without.state()
    assert back.journalled == core.journalled
    assert back.intake.remembered().last_ns == core.intake.last_ns
    assert back.intake.remembered().last_fill == core.intake.remembered().last_fill
    assert set(posted) <= {incident["id"] for incident in opened.incidents()}


def test_a_snapshot_that_cannot_be_read_costs_time_but_nothing_else(opened: Store) -> None:
    core = Core(engine, opened, whole_journal=True)
    feed(core, drain(1000))
    opened.save_snapshot(core.journalled, b"\x01 not a snapshot", whole_journal=True)
    back = Core(engine, opened)
    assert back.resume() == core.journalled
    assert back.state() == core.state()


def test_the_journal_is_kept_whole_only_when_that_is_wanted(opened: Store) -> None:
    core = Core(engine, opened, whole_journal=True)
    for i, row in enumerate(drain(1000)):
        core.add(row, getattr(row, "ts_ns", T0))
        core.judge(getattr(row, "ts_ns", T0))
        if i % 50 == 0:
            core.snapshot()
    assert [number for number, _ in opened.entries()] == list(range(1, core.journalled + 1))
    back = Core(engine, opened)
    back.resume()
    back.snapshot()
    assert next(opened.entries())[0] > 1


def test_a_print_known_before_the_last_snapshot_is_known_after_a_restart(opened: Store) -> None:
    told = Trade(exchange="x", symbol="A/B", ts_ns=T0, price=1.0, amount=1.0, id="7")
    core = Core(engine, opened)
    for i in range(3):
        core.add(told if i == 1 else quote(i), T0 + i * NS_PER_S)
        core.judge(T0 + 100 * NS_PER_S)
        if i != 1:
            core.snapshot()
    back = Core(engine, opened)
    assert back.resume() == 0
    back.add(told, T0 + 200 * NS_PER_S)
    assert back.intake.duplicates == 1


def test_a_fill_that_comes_after_its_incident_was_closed_counts_after_that_also_after_a_restart(
    opened: Store,
) -> None:
    core = Core(engine, opened)
    feed(core, drain(1000), now=lambda row: getattr(row, "ts_ns", T0))
    assert core.next_ns() is not None
    closed_ns = core.engine.next_deadline()
    assert closed_ns is not None
    (closed,) = core.judge(closed_ns + 2 * NS_PER_S).incidents
    assert closed["closed_at"] == closed_ns / 1e6
    late = fill(1020, 500, price="0.09")  # long before the incident was closed
    for desk in (core, Core(engine, opened)):
        if desk is not core:
            desk.resume()
        desk.add(late, closed_ns + 3 * NS_PER_S)
        for verdict in desk.judge(closed_ns + 3 * NS_PER_S).verdicts:
            assert verdict.judged_ns >= closed_ns
            assert verdict.incident != closed["id"]


def test_a_desk_that_begins_where_another_is_says_the_same_from_there_on() -> None:
    rows = drain(1000)
    one = Core(engine, NothingKept(), logged=["a"], followed=["x"])
    other = Core(engine, NothingKept())
    half = len(rows) // 2
    feed(one, rows[:half])
    other.begin(one.origin())
    assert other.state() == one.state()
    assert other.intake.remembered() == one.intake.remembered()
    assert feed(one, rows[half:]) == feed(other, rows[half:])
    assert other.state() == one.state()


@cache
def robbed() -> Scenario:
    """A day with a thief."""
    return make(31, days=1.0, owner="rebalancer", thief="ping_pong", difficulty=0.4)


@given(st.integers(0, 2**32), st.integers(1, 400))
@settings(max_examples=8)
def test_any_split_into_calls_gives_the_same_state(seed: int, most: int) -> None:
    """Rows that come together or one by one, with their fills at once: the same is said, and remembered."""
    rng = random.Random(seed)
    events = list(arrivals(robbed(), random.Random(1), ("fills", "trades", "quotes", "balances")))[-3_000:]
    states = []
    for split in (False, True):
        core = Core(
            engine, NothingKept(), hold_back_ns=10**18
        )  # what is judged is then a matter of fills alone
        verdicts: list[Any] = []
        part = 0
        for at_ns, row in events:
            core.add(row, at_ns)
            part += 1
            if isinstance(row, Fill) or (split and part >= rng.randint(1, most)):
                verdicts += core.judge(at_ns).verdicts
                part = 0
        states.append((core.state(), verdicts))
    assert states[0][0] == states[1][0]
    assert repr(states[0][1]) == repr(states[1][1])
    assert states[0][1]


@pytest.mark.parametrize("held_ms", [0, 2_000])
def test_what_waits_is_judged_when_it_is_due(held_ms: int) -> None:
    core = Core(engine, NothingKept(), hold_back_ns=held_ms * MS)
    core.add(quote(10), T0 + 10 * NS_PER_S)
    due = core.next_ns()
    assert due == T0 + 10 * NS_PER_S + held_ms * MS
    assert core.judge(due - 1).n_rows == 0
    assert core.judge(due).n_rows == 1
    assert core.next_ns() is None
    assert core.add(quote(10, float("nan")), T0) is not None
    assert core.unfit == 1
