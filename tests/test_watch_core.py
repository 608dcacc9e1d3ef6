"""Whatever instant the process dies or the store fails at: nothing lost or twice, and the same state."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import robbed
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.teller import Teller
from drainwatch.config import Settings
from drainwatch.engine import Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_MS, NS_PER_S, Names
from drainwatch.lab import scenario
from drainwatch.lab.scenario import Scenario
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import new_engine
from drainwatch.rows import Balance, Fill, Market, Quote, Row, Trade
from drainwatch.store import Store, open_store
from drainwatch.store.sqlite import SqliteStore
from drainwatch.watch.core import Core, Outcome, warm_up
from drainwatch.watch.entries import read_entry
from drainwatch.watch.rerun import NothingKept
from live_rows import MS, arrivals

STEP = 25
"""Rows that come at once."""
CHANNEL = Channel(name="owner", kind="webhook", url="http://127.0.0.1:1/none")
SNAPSHOT_EVERY = 40
"""Steps between snapshots."""
HOUR_NS = 3_600 * NS_PER_S


class KilledError(BaseException):
    """The process is gone: nothing that it would have done happens any more."""


class FrailStore(SqliteStore):
    """Dies or fails at its n-th step, or keeps a transaction and says that it didn't; prunes no journal."""

    def __init__(self, path: Path) -> None:
        self.steps_left: int | None = None
        self.trouble: Callable[[], BaseException] = KilledError
        self.lies = False
        super().__init__(path)

    def _step(self) -> None:
        if self.steps_left is None:
            return
        self.steps_left -= 1
        if self.steps_left < 0:
            error = self.trouble()
            if isinstance(error, KilledError):
                self.steps_left = 0
                if self._database is not None:
                    self._database.close()
                    self._database = None
            else:
                self.steps_left = None
                self._failed = True
            raise error

    def _change(self, sql: str, *values: object) -> int:
        self._step()
        return 0 if sql.startswith("DELETE FROM journal") else super()._change(sql, *values)

    def _insert_fills(self, rows: Sequence[tuple[bytes, str, str, int, int, str]]) -> list[bool]:
        self._step()
        return super()._insert_fills(rows)

    def _commit(self) -> None:
        if self.lies and self.steps_left == 0:
            super()._commit()
        self._step()
        super()._commit()
        self._step()


def new_core(store: SqliteStore) -> Core:
    """Make a core that posts to one channel."""
    model = load_model(default_model_path())

    def post(incident: dict[str, Any], _before: dict[str, Any] | None) -> None:
        Teller(store, [CHANNEL], [CHANNEL]).take(incident, 0)

    def engine(names: Names) -> Engine:
        return Engine(model.arrays, model.card.get("features", ()), names, quiet_hours=1.0)

    return Core(engine, store, post)


@cache
def steps() -> list[list[Row]]:
    """Give half a day on a market, two accounts robbed, in the order in which it would come."""
    tables = robbed.tables(days=0.5)
    rows: list[tuple[int, Row]] = [
        (0, Market(exchange="here", symbol="AB/USDT", venue_symbol="ABUSDT", base="AB", quote="USDT"))
    ]
    for name, make in (("trades", _trade), ("quotes", _quote), ("balances", _balance), ("fills", _fill)):
        for line in tables[name].to_dict("records"):
            row = make({key: None if pd.isna(value) else value for key, value in line.items()})
            rows.append((row.ts_ns, row))  # type: ignore[union-attr]
    rows.sort(key=lambda item: item[0])
    return [[row for _, row in rows[at : at + STEP]] for at in range(0, len(rows), STEP)]


def _ns(line: dict[str, Any]) -> int:
    return int(line["timestamp"]) * NS_PER_MS


def _trade(line: dict[str, Any]) -> Row:
    names = ("exchange", "symbol", "id", "price", "amount", "side")
    return Trade(ts_ns=_ns(line), **{name: line[name] for name in names})


def _quote(line: dict[str, Any]) -> Row:
    return Quote(ts_ns=_ns(line), **{name: line[name] for name in line if name != "timestamp"})


def _balance(line: dict[str, Any]) -> Row:
    return Balance(
        exchange="here",
        ts_ns=_ns(line),
        **{name: line[name] for name in ("account", "currency", "total")},
    )


def _fill(line: dict[str, Any]) -> Row:
    exact: dict[str, Any] = {name: str(line[name]) for name in ("price", "amount", "cost", "fee_cost")}
    names = (
        "exchange", "account", "symbol", "id", "side", "order", "client_order_id", "type", "taker_or_maker",
        "fee_currency",
    )  # fmt: skip
    return Fill(ts_ns=_ns(line), **exact, **{name: line[name] for name in names})


def last_ns(step: Sequence[Row]) -> int:
    """Give the time of the last row."""
    return max(getattr(row, "ts_ns", 0) for row in step)


def work(core: Core, first: int, done: Callable[[int], None] = lambda _: None) -> list[Outcome]:
    """Let a core take all steps from one on, with snapshots."""
    outcomes = []
    for number in range(first, len(steps())):
        step = steps()[number]
        now_ns = last_ns(step) + 2
        for row in step:
            core.add(row, now_ns)
        outcomes.append(core.judge(now_ns))
        if number % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1:
            core.snapshot()
        done(number + 1)
    outcomes.append(core.judge(end_ns()))
    return outcomes


def end_ns() -> int:
    """Give a time at which everything has been judged and has gone quiet."""
    return last_ns(steps()[-1]) + 2 * HOUR_NS


def all_fills() -> list[Fill]:
    """Give what happened."""
    return [row for step in steps() for row in step if isinstance(row, Fill)]


def incidents(store: SqliteStore) -> list[str]:
    """Give the incidents that a store has, as text."""
    return [json.dumps(incident, sort_keys=True) for incident in store.incidents()]


def posted(store: SqliteStore) -> list[tuple[str, bytes]]:
    """Give what was put into the outbox."""
    return [(one.key, one.body) for one in store.due(2**62, limit=10_000)]


def check(store: FrailStore, core: Core, folder: Path) -> None:
    """Hold what is there against an uninterrupted run over the same journal."""
    assert Counter(fill.key for fill in store.fills()) == Counter(fill.key for fill in all_fills())
    assert {msgspec.json.encode(fill) for fill in store.fills()} == set(map(msgspec.json.encode, all_fills()))
    whole = SqliteStore(folder / "whole.db")
    for _, entry in store.entries():
        whole.append(entry)
    again = new_core(whole)
    again.resume()
    again.judge(end_ns())
    assert again.state() == core.state()
    assert incidents(store) == incidents(whole)
    assert len(store.incidents()) >= 2, "both were robbed, or it shows nothing"
    keys = [key for key, _ in posted(store)]
    assert sorted(keys) == sorted({key for key, _ in posted(whole)})
    assert len({key for key in keys if "/opened/" in key}) == len(store.incidents())
    whole.close()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Callable[[], FrailStore]]:
    """Give what opens the same store anew, as the next process would."""
    made: list[FrailStore] = []

    def open_again() -> FrailStore:
        if made:
            made[-1].steps_left = None
            made[-1].close()
        made.append(FrailStore(tmp_path / "watch.db"))
        return made[-1]

    yield open_again
    made[-1].close()


def killed_again_and_again(
    stores: Callable[[], FrailStore], kills: int, seed: int
) -> tuple[FrailStore, Core]:
    """Let a watch die at chance steps of its store, each time begin anew and be told everything again."""
    chance = random.Random(seed)
    reached = died = 0

    def note(number: int) -> None:
        nonlocal reached
        reached = number

    mean = 4 * len(steps()) // max(kills, 1)
    while True:
        store = stores()
        core = new_core(store)
        if died < kills:
            store.steps_left = chance.randint(0, 2 * mean)
        try:
            core.resume()
            # the venue's list is asked for what may have been missed: all fills so far, known ones too
            now_ns = last_ns(steps()[max(reached - 1, 0)]) + 2
            for step in steps()[:reached]:
                for row in step:
                    if isinstance(row, Fill):
                        core.add(row, now_ns)
            core.judge(now_ns)
            work(core, reached, note)
        except KilledError:
            died += 1
            continue
        assert died == kills, f"only {died} times"
        return store, core


def test_a_watch_killed_again_and_again_loses_and_repeats_nothing(
    stores: Callable[[], FrailStore], tmp_path: Path
) -> None:
    check(*killed_again_and_again(stores, 15, 1), tmp_path)


@pytest.mark.slow
def test_a_watch_killed_at_200_instants_loses_and_repeats_nothing(
    stores: Callable[[], FrailStore], tmp_path: Path
) -> None:
    check(*killed_again_and_again(stores, 200, 2), tmp_path)


@pytest.mark.parametrize("lies", [False, True])
def test_a_store_that_fails_for_a_moment_loses_nothing(
    lies: bool, stores: Callable[[], FrailStore], tmp_path: Path
) -> None:
    chance = random.Random(3)
    store = stores()
    store.trouble, store.lies = lambda: StateError("the connection was lost"), lies
    core = new_core(store)
    failed = 0
    for step in steps():
        now_ns = last_ns(step) + 2
        for row in step:
            core.add(row, now_ns)
        store.steps_left = chance.randint(0, 8)
        try:
            core.judge(now_ns)
        except StateError:
            failed += 1
            store.steps_left = None
            core.judge(now_ns)
    store.steps_left = None
    core.judge(end_ns())
    core.judge(end_ns())
    assert failed > 20
    assert core.judged == len(all_fills())
    check(store, core, tmp_path)


def test_fills_that_wait_are_known_to_be_on_their_way(stores: Callable[[], FrailStore]) -> None:
    store = stores()
    core = new_core(store)
    fill = all_fills()[0]
    core.add(fill, fill.ts_ns)
    assert core.oldest_unkept_ns(fill.account) == fill.ts_ns
    assert core.oldest_unkept_ns("another") is None
    store.trouble, store.steps_left = lambda: StateError("full"), 0
    with pytest.raises(StateError):
        core.judge(fill.ts_ns)
    assert core.oldest_unkept_ns(fill.account) == fill.ts_ns, "taken, but not kept"
    core.judge(fill.ts_ns)
    assert core.oldest_unkept_ns(fill.account) is None


def test_warming_up_goes_as_far_as_an_explained_incident() -> None:
    """What it leaves out is compiled at the first alert, while the streams wait, for up to a minute."""
    model = load_model(default_model_path())
    made: list[Engine] = []

    def new_engine(names: Names) -> Engine:
        made.append(Engine(model.arrays, model.card.get("features", ()), names))
        return made[-1]

    warm_up(new_engine)
    ((incident,),) = [engine.incidents for engine in made]
    assert incident.reasons
    assert incident.severity == "critical"


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


def test_a_drain_is_judged_and_its_incident_kept_and_posted_each_time_that_it_changes() -> None:
    store = Full()
    posts: list[dict[str, Any]] = []
    befores: list[dict[str, Any] | None] = []

    def post(incident: dict[str, Any], before: dict[str, Any] | None) -> None:
        posts.append(incident)
        befores.append(before)

    core = Core(engine, store, post)
    out = feed(core, drain(1000), now=lambda row: getattr(row, "ts_ns", T0))
    assert len(out.verdicts) == core.judged == 18
    assert [v.fill.id for v in out.verdicts if v.flagged]
    assert not any(v.flagged for v in out.verdicts[:8])
    (incident,) = store.incidents_kept.values()
    assert incident == out.incidents[-1]
    assert len(posts) > 1
    assert {post["id"] for post in posts} == {incident["id"]}
    assert befores == [None, *posts[:-1]]
    assert all(before != after for before, after in zip(befores, posts, strict=True))
    assert posts[-1] == incident


def test_a_large_incident_that_only_grows_is_kept_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drain(1000)
    every = Full()
    feed(Core(engine, every), rows, now=lambda row: getattr(row, "ts_ns", T0))
    monkeypatch.setattr("drainwatch.watch.core.LARGE", 3)
    monkeypatch.setattr("drainwatch.watch.core.GROWN_EVERY_NS", 4 * NS_PER_S)
    store = Full()
    core = Core(engine, store)
    kept: list[tuple[int, int]] = []
    for row in rows:
        now_ns = getattr(row, "ts_ns", T0)
        core.add(row, now_ns)
        for incident in core.judge(now_ns).incidents:
            kept.append((now_ns, len(incident["fills"])))
            assert incident == store.incidents_kept[incident["id"]]
    large = [at for at, size in kept if size >= 3]
    assert min(b - a for a, b in itertools.pairwise(large)) >= 4 * NS_PER_S
    assert len(large) >= 2
    wait_ns = core.next_ns()
    assert wait_ns is not None
    core.judge(wait_ns)
    assert store.incidents_kept == every.incidents_kept


@pytest.mark.parametrize("after", ["a restart", "a snapshot"])
def test_growth_that_was_not_kept_yet_is_there_after(
    after: str, opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drainwatch.watch.core.LARGE", 3)
    monkeypatch.setattr("drainwatch.watch.core.GROWN_EVERY_NS", 10**9 * NS_PER_S)
    rows = drain(1000)
    core = Core(engine, opened)
    for row in rows:
        core.add(row, getattr(row, "ts_ns", T0))
        core.judge(getattr(row, "ts_ns", T0))
    (incident,) = core.engine.incidents
    assert opened.incidents() != [incident.to_dict()]
    if after == "a restart":
        Core(engine, opened).resume()
    else:
        core.snapshot()
    assert opened.incidents() == [incident.to_dict()]


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
    back = Core(engine, opened, lambda incident, _before: posted.append(incident["id"]))
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
def a_robbed_day() -> Scenario:
    """A day with a thief."""
    return scenario.make(31, days=1.0, owner="rebalancer", thief="ping_pong", difficulty=0.4)


@given(st.integers(0, 2**32), st.integers(1, 400))
@settings(max_examples=8)
def test_any_split_into_calls_gives_the_same_state(seed: int, most: int) -> None:
    """Rows that come together or one by one, with their fills at once: the same is said, and remembered."""
    rng = random.Random(seed)
    events = list(arrivals(a_robbed_day(), random.Random(1), ("fills", "trades", "quotes", "balances")))[
        -3_000:
    ]
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
