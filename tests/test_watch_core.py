"""Whatever instant the process dies or the store fails at: nothing lost or twice, and the same state."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

import robbed
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.outbox import post_incident
from drainwatch.engine import Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_MS, NS_PER_S, Names
from drainwatch.model import default_model_path, load_model
from drainwatch.rows import Balance, Fill, Market, Quote, Row, Trade
from drainwatch.store.sqlite import SqliteStore
from drainwatch.watch.core import Core, Outcome, warm_up

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
        post_incident(store, [CHANNEL], incident, 0)

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
