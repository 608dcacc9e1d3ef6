"""The conveyor: however events are cut, whoever else is there, what is said stays the same to the bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.detector import LEVELS
from drainwatch.engine import STABLES, Engine
from drainwatch.errors import ModelError, StateError
from drainwatch.events import Batch, Names
from drainwatch.features import NAMES
from streams import (
    ACCOUNTS,
    DAY_S,
    HOUR_S,
    Outcome,
    Tape,
    cut,
    differing,
    feed,
    judge,
    new_engine,
    ns,
    random_tape,
    shuffled_names,
    usual_names,
)

SEEDS = st.integers(0, 2**32 - 1)
SETTINGS: dict[str, Any] = {"quiet_hours": 1.5}
"""Quiet for so short a time that incidents close and others open within a random stream."""
ALERT = ("id", "severity", "kind", "opened_at", "alerted_at", "alert_fill", "score", "p_value", "reasons")


def assert_same(first: Outcome, second: Outcome) -> None:
    """Everything said of every fill is the same to the bit; so are the incidents."""
    assert differing(first.judged, second.judged) == []
    columns = [name for i, name in enumerate(NAMES) if _bytes(first, i) != _bytes(second, i)]
    assert columns == []
    assert (first.ids, first.belongs) == (second.ids, second.belongs)
    assert first.incidents == second.incidents


def _bytes(outcome: Outcome, column: int) -> bytes:
    return np.ascontiguousarray(outcome.features[:, column]).tobytes()


def test_random_streams_hold_what_the_properties_need() -> None:
    """Properties of streams in which nothing is flagged, closed or blind would say little."""
    outcomes = [judge(random_tape(seed), **SETTINGS) for seed in range(30)]
    incidents = [incident for outcome in outcomes for incident in outcome.incidents]
    judged = np.concatenate([outcome.judged for outcome in outcomes])
    assert len(incidents) >= 20
    assert any(len(outcome.incidents) >= 3 for outcome in outcomes)
    assert sum(incident["closed_at"] is not None for incident in incidents) >= 5
    assert sum(incident["severity"] == "warning" for incident in incidents) >= 2
    assert len({incident["kind"] for incident in incidents}) >= 4
    assert set(np.unique(judged["source"])) >= {0, 1, 2, 3, 4, 6, 7}
    assert set(np.unique(judged["level"])) == set(range(len(LEVELS)))
    assert set(np.unique(judged["logged"])) == {-1, 0, 1}
    assert 50 < judged["flagged"].sum() < 0.3 * len(judged)


# --- the conveyor ----------------------------------------------------------------------------------


@given(seed=SEEDS, places=st.lists(st.integers(0, 700), max_size=12))
@settings(max_examples=40)
def test_any_split_into_batches_gives_the_same(seed: int, places: list[int]) -> None:
    names = usual_names()
    batch = random_tape(seed).batch(names)
    whole = feed(new_engine(names, **SETTINGS), [batch])
    pieces = feed(new_engine(names, **SETTINGS), cut(batch, places))
    assert_same(whole, pieces)
    assert whole.engine.snapshot() == pieces.engine.snapshot()


@given(seed=SEEDS)
@settings(max_examples=15)
def test_one_event_at_a_time_gives_the_same(seed: int) -> None:
    names = usual_names()
    batch = random_tape(seed, n_rows=300, n_fills=60).batch(names)
    whole = feed(new_engine(names, **SETTINGS), [batch])
    single = feed(new_engine(names, **SETTINGS), cut(batch, range(len(batch.rows) + len(batch.fills))))
    assert_same(whole, single)
    assert whole.engine.snapshot() == single.engine.snapshot()


@given(seed=SEEDS, place=st.integers(0, 640))
@settings(max_examples=40)
def test_what_comes_later_changes_nothing_that_was_said(seed: int, place: int) -> None:
    """Prefix-stable: judgements of the first fills, and what alerts said, don't depend on the rest."""
    names = usual_names()
    batch = random_tape(seed).batch(names)
    whole = feed(new_engine(names, **SETTINGS), [batch])
    first = feed(new_engine(names, **SETTINGS), cut(batch, [place])[:1])
    n = len(first.ids)
    assert differing(first.judged, whole.judged[:n]) == []
    assert first.features.tobytes() == whole.features[:n].tobytes()
    assert first.belongs == whole.belongs[:n]
    early = [{name: incident[name] for name in ALERT} for incident in first.incidents]
    late = [{name: incident[name] for name in ALERT} for incident in whole.incidents[: len(early)]]
    assert early == late
    for before, after in zip(first.incidents, whole.incidents, strict=False):
        assert after["fills"][: len(before["fills"])] == before["fills"]
        if before["escalated_at"] is not None:
            assert after["escalated_at"] == before["escalated_at"]
    cutoff = [*batch.rows["ts_ns"], *batch.fills["ts_ns"]]
    last_ms = sorted(cutoff)[min(place, len(cutoff)) - 1] / 1e6 if place else 0
    assert all(incident["alerted_at"] >= last_ms for incident in whole.incidents[len(early) :])


def test_names_may_be_met_on_the_way() -> None:
    """A stream registers markets and accounts when they turn up, a table all at the start."""
    tape = random_tape(7)
    known = usual_names()
    whole = feed(new_engine(known, **SETTINGS), [tape.batch(known)])
    growing = usual_names()
    engine = new_engine(growing, **SETTINGS)
    rows = sorted(tape.rows, key=lambda event: event.at)
    fills = sorted(tape.fills, key=lambda event: event.at)

    def live() -> Iterator[Batch]:
        while rows or fills:
            is_row = bool(rows) and (not fills or rows[0].at <= fills[0].at)
            yield (
                Tape([rows.pop(0)], []).batch(growing) if is_row else Tape([], [fills.pop(0)]).batch(growing)
            )

    blocks = []
    for batch in live():
        engine.feed(batch)
        blocks += engine.take_outputs()[0]
    assert differing(np.concatenate([block.judged for block in blocks]), whole.judged) == []
    assert [incident.to_dict() for incident in engine.incidents] == whole.incidents


def test_outputs_are_taken_once() -> None:
    names = usual_names()
    engine = new_engine(names)
    batch = random_tape(4).batch(names)
    engine.feed(batch)
    blocks, changed = engine.take_outputs()
    assert sum(len(block.judged) for block in blocks) == len(batch.fills)
    assert changed == engine.incidents != []
    assert engine.take_outputs() == ([], [])


def test_rows_alone_give_no_output() -> None:
    names = usual_names()
    engine = new_engine(names)
    engine.feed(Batch.empty())
    engine.feed(Tape(random_tape(1).rows).batch(names))
    assert engine.take_outputs() == ([], [])


def test_a_model_for_other_features_is_refused() -> None:
    from streams import tiny_model

    with pytest.raises(ModelError, match="expected a model of this version's"):
        Engine(tiny_model(), NAMES[::-1], Names())


# --- who and what else is there ---------------------------------------------------------------------


@given(seed=SEEDS, account=st.sampled_from(ACCOUNTS))
@settings(max_examples=40)
def test_accounts_are_judged_independently(seed: int, account: str) -> None:
    """A platform judges accounts in many processes: each must say what one process would."""
    tape = random_tape(seed)
    together = judge(tape, **SETTINGS)
    alone = judge(Tape(tape.rows, [fill for fill in tape.fills if fill.account == account]), **SETTINGS)
    fills = sorted(tape.fills, key=lambda event: event.at)
    ours = np.array([fill.account == account for fill in fills], bool)
    assert differing(together.judged[ours], alone.judged) == []
    assert together.features[ours].tobytes() == alone.features.tobytes()
    assert [incident for incident in together.incidents if incident["account"] == account] == alone.incidents


@given(seed=SEEDS)
@settings(max_examples=40)
def test_codes_do_not_matter(seed: int) -> None:
    tape = random_tape(seed)
    usual = judge(tape, **SETTINGS)
    shuffled = judge(tape, shuffled_names(np.random.default_rng(seed), tape), **SETTINGS)
    assert_same(usual, shuffled)


def test_a_market_without_data_stands_in_nobodys_way() -> None:
    """Fills make a market known, but only rows price it: routes must not lead over it."""
    tape = Tape()
    for minute in range(120):
        tape.mid(60 * minute, "BTC/USDT", 60_000.0, exchange="b")
        tape.mid(60 * minute, "THIN/USDT", 6.0, exchange="b")
    tape.fill(HOUR_S, "BTC/USDT", 1, 60_000.0, exchange="a", account="somebody")
    tape.fill(2 * HOUR_S, "THIN/BTC", 1, 1e-4, exchange="c")
    outcome = judge(tape)
    assert outcome.judged["fair"][1] == pytest.approx(1e-4, rel=1e-4)


# --- snapshots --------------------------------------------------------------------------------------


@given(seed=SEEDS, place=st.integers(0, 640))
@settings(max_examples=30)
def test_snapshot_restore_and_go_on(seed: int, place: int) -> None:
    names = usual_names()
    batch = random_tape(seed).batch(names)
    before, after = ([*cut(batch, [place]), Batch.empty()])[:2]
    whole = feed(new_engine(names, **SETTINGS), [batch])
    first = feed(new_engine(names, **SETTINGS), [before])
    held = first.engine.snapshot()
    fresh = Names()
    resumed = new_engine(fresh, **SETTINGS)
    resumed.restore(held)
    assert resumed.snapshot() == held
    assert repr(fresh.markets) == repr(names.markets)  # NaN doesn't equal itself
    assert (fresh.accounts, fresh.currencies) == (names.accounts, names.currencies)
    rest = feed(resumed, [after])
    n = len(first.ids)
    assert differing(rest.judged, whole.judged[n:]) in ([], ["0 records against 0"])
    assert rest.features.tobytes() == whole.features[n:].tobytes()
    assert rest.belongs == whole.belongs[n:]
    assert rest.incidents == whole.incidents
    assert resumed.snapshot() == whole.engine.snapshot()


def test_a_new_engine_can_be_snapshotted() -> None:
    engine, other = new_engine(Names()), new_engine(Names())
    other.restore(engine.snapshot())
    assert other.snapshot() == engine.snapshot()


def test_restored_names_go_on_with_the_same_codes() -> None:
    names = usual_names()
    engine = judge(random_tape(3), names).engine
    fresh = Names()
    new_engine(fresh).restore(engine.snapshot())
    assert [fresh.market(spec.exchange, spec.symbol) for spec in names.markets] == list(
        range(len(names.markets))
    )
    assert [fresh.account(account) for account in names.accounts] == list(range(len(names.accounts)))
    assert [fresh.currency(currency) for currency in names.currencies] == list(range(len(names.currencies)))
    assert fresh.markets[0].inverse


@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_snapshot_is_refused_and_changes_nothing(data: st.DataObject) -> None:
    held = bytearray(_held())
    kind = data.draw(st.sampled_from(("cut", "flip", "junk")))
    if kind == "cut":
        del held[data.draw(st.integers(0, len(held) - 1)) :]
    elif kind == "flip":
        at = data.draw(st.integers(0, len(held) - 1))
        held[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        held = bytearray(data.draw(st.binary(max_size=200)))
    names = usual_names()
    engine = new_engine(names)
    before = engine.snapshot()
    with pytest.raises(StateError, match="expected a snapshot"):
        engine.restore(bytes(held))
    assert engine.snapshot() == before


def _held() -> bytes:
    return judge(random_tape(5, n_rows=60, n_fills=10)).engine.snapshot()


@pytest.mark.parametrize("change", [{"version": 0}, {"layout": "another"}])
def test_another_versions_snapshot_is_refused(change: dict[str, Any]) -> None:
    body = _held()[32:]
    size = int.from_bytes(body[:8], "little")
    text = json.dumps(json.loads(body[8 : 8 + size]) | change).encode()
    body = len(text).to_bytes(8, "little") + text + body[8 + size :]
    with pytest.raises(StateError, match="this version"):
        new_engine(Names()).restore(hashlib.sha256(body).digest() + body)


# --- room --------------------------------------------------------------------------------------------


def test_many_markets_accounts_pairs_and_orders_fit() -> None:
    """Far beyond the first capacities; every fill is judged as if there were no others."""
    tape = Tape()
    coins = [f"C{i}" for i in range(60)]
    for i, coin in enumerate(coins):
        for quote, price in (("USDT", 1.0 + i), ("BTC", (1.0 + i) / 60_000.0)):
            for minute in range(3):
                tape.mid(60 * minute, f"{coin}/{quote}", price)
    for minute in range(3):
        tape.mid(60 * minute, "BTC/USDT", 60_000.0)
    for i in range(1500):
        tape.logged(150, order=10_000 + i, client=90_000 + i, account=f"account {i % 40}")
    rng = np.random.default_rng(0)
    for i in range(1500):
        number = int(rng.integers(60))
        account = f"account {i % 40}"
        tape.fill(
            200 + i,
            f"C{number}/USDT",
            1,
            1.01 * (1.0 + number),
            account=account,
            order=10_000 + i,
            client=90_000 + i,
        )
    outcome = judge(tape)
    np.testing.assert_allclose(outcome.judged["deviation_bps"], 100.0, atol=0.1)
    assert (outcome.judged["logged"] == 1).all()
    again = judge(tape, shuffled_names(rng, tape))
    assert_same(outcome, again)


def test_memory_does_not_grow_with_events() -> None:
    """For the same markets, accounts and orders a month takes what a day takes."""
    names = usual_names()
    tape = random_tape(11)
    engine = new_engine(names)
    batch = tape.batch(names)
    engine.feed(batch)
    engine.take_outputs()
    sizes = {name: array.nbytes for name, array in engine._state._asdict().items()}
    for day in range(1, 30):
        for part in (batch.rows, batch.fills):
            part["ts_ns"] += DAY_S * 10**9
        engine.feed(batch)
        engine.take_outputs()
        assert {name: array.nbytes for name, array in engine._state._asdict().items()} == sizes, (
            f"on day {day}"
        )


# --- time --------------------------------------------------------------------------------------------


def test_incidents_close_when_they_have_been_quiet_though_nothing_happens() -> None:
    tape = _drain()
    names = usual_names()
    engine = new_engine(names, quiet_hours=2.0)
    assert engine.next_deadline() is None
    engine.feed(tape.batch(names))
    assert len(engine.take_outputs()[1]) == 1
    incident = engine.incidents[0]
    deadline = engine.next_deadline()
    assert deadline == incident.last_flagged_ns + 2 * HOUR_S * 10**9
    engine.advance(deadline - 1)
    assert (incident.closed_ns, engine.take_outputs()[1]) == (None, [])
    engine.advance(deadline)
    assert incident.closed_ns == deadline
    assert engine.take_outputs()[1] == [incident]
    assert engine.next_deadline() is None


def _drain() -> Tape:
    tape = Tape()
    for minute in range(180):
        tape.mid(60 * minute, "ETH/USDT", 3000.0)
    for minute in range(60, 100):
        tape.fill(60 * minute + 1, "ETH/USDT", 1, 3001.0)
    for minute in range(120, 125):
        tape.fill(60 * minute + 1, "ETH/USDT", 1, 4000.0)
    return tape


@given(seed=SEEDS, steps=st.lists(st.floats(0.0, 8.0 * HOUR_S), max_size=5))
@settings(max_examples=20)
def test_being_told_the_time_changes_nothing(seed: int, steps: list[float]) -> None:
    """`advance` may be called at any moment that has come; what is said is the same as without."""
    names = usual_names()
    tape = random_tape(seed)
    batch = tape.batch(names)
    whole = feed(new_engine(names, **SETTINGS), [batch])
    engine = new_engine(names, **SETTINGS)
    times = np.sort(np.r_[batch.rows["ts_ns"], batch.fills["ts_ns"]])
    moments = sorted(ns(step) for step in steps)
    pieces = cut(batch, [int(np.searchsorted(times, moment, side="right")) for moment in moments])
    judged = []
    for piece in pieces:
        start = np.r_[piece.rows["ts_ns"], piece.fills["ts_ns"]].min()
        for moment in moments:
            if moment < start:
                engine.advance(moment)
        engine.feed(piece)
        judged += [block.judged for block in engine.take_outputs()[0]]
    last = int(times[-1])
    engine.advance(last)
    whole.engine.advance(last)
    assert differing(np.concatenate(judged), whole.judged) == []
    assert [i.to_dict() for i in engine.incidents] == [i.to_dict() for i in whole.engine.incidents]


# --- routes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "symbol", "fair"),
    [
        ({"THIN/USDT": 6.0, "BTC/USDT": 60_000.0}, "THIN/BTC", 1e-4),
        ({"THIN/USDT": 6.0, "BTC/USDT": 60_000.0}, "BTC/THIN", 1e4),
        ({"THIN/USDT": 6.0, "USDT/TRY": 40.0}, "THIN/TRY", 240.0),
        ({"BTC/EUR": 50_000.0, "BTC/USDT": 60_000.0}, "EUR/USDT", 1.2),
        ({"THIN/USDC": 6.0}, "THIN/USDT", 6.0),
        ({"ETH/USDT": 3000.0}, "ETH/USDT:USDT", 3000.0),
        ({"ETH/USD": 3000.0}, "ETH/USD:ETH", 3000.0),
        ({"BTC/ETH": 20.0}, "ETH/BTC", 0.05),
    ],
)
def test_a_market_without_a_price_is_priced_through_others(
    legs: dict[str, float], symbol: str, fair: float
) -> None:
    tape = Tape()
    for minute in range(30):
        for leg, price in legs.items():
            tape.mid(60 * minute, leg, price)
    tape.fill(1800, symbol, 1, fair)
    outcome = judge(tape)
    assert outcome.judged["source"][0] == 2
    assert outcome.judged["fair"][0] == pytest.approx(fair, rel=1e-4)


def test_the_same_pair_on_another_exchange_is_a_route() -> None:
    tape = Tape()
    for minute in range(30):
        tape.mid(60 * minute, "THIN/BTC", 1e-4, exchange="elsewhere")
    tape.fill(1800, "THIN/BTC", 1, 1e-4)
    assert judge(tape).judged["fair"][0] == pytest.approx(1e-4, rel=1e-4)


def test_dollars_are_worth_a_dollar() -> None:
    tape = Tape()
    for quote in ("USDT", "USDC", "USD"):
        tape.fill(10, f"ETH/{quote}", 1, 3000.0)
    assert (judge(tape).judged["quote_value"] == 1.0).all()
    assert {"USD", "USDT", "USDC"} <= STABLES
