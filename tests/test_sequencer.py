"""Order and duplicates against a plain implementation of the contract's paragraph."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.events import FILL, ROW, Batch, Kind, Names
from drainwatch.ids import hash_id
from drainwatch.normalise import Coder, read_table
from drainwatch.sequencer import Sequencer
from drainwatch.sorter import MemoryStore

TIMES = st.integers(0, 4)
EXCHANGES = st.sampled_from(["", "x"])
SYMBOLS = st.sampled_from(["A/B", "C/D"])
IDS = st.sampled_from(["9", "10", "b", "a"])
PRICES = st.sampled_from([1.0, 2.0])

TRADES = st.fixed_dictionaries(
    {
        "timestamp": TIMES,
        "exchange": EXCHANGES,
        "symbol": SYMBOLS,
        "id": st.none() | IDS,
        "price": PRICES,
        "amount": PRICES,
    }
)
QUOTES = st.fixed_dictionaries({"timestamp": TIMES, "symbol": SYMBOLS, "bid": PRICES, "ask": PRICES})
BALANCES = st.fixed_dictionaries(
    {"timestamp": TIMES, "account": st.sampled_from(["p", "q"]), "currency": st.just("B"), "total": PRICES}
)
FILLS = st.fixed_dictionaries(
    {
        "timestamp": TIMES,
        "exchange": EXCHANGES,
        "symbol": SYMBOLS,
        "id": IDS,
        "price": PRICES,
        "amount": PRICES,
        "account": st.sampled_from(["p", "q"]),
        "order": st.none() | st.sampled_from(["1", "2"]),
        "side": st.sampled_from(["buy", "sell"]),
    }
)
EVENTS = st.fixed_dictionaries(
    {
        "trades": st.lists(TRADES, max_size=30),
        "quotes": st.lists(QUOTES, max_size=10),
        "balances": st.lists(BALANCES, max_size=6),
        "fills": st.lists(FILLS, max_size=30),
    }
)
Tables = dict[str, list[dict[str, Any]]]


def sequence(tables: Tables, pieces: int = 1) -> tuple[Sequencer, Names]:
    """Bring tables of dicts in order, each in so many pieces."""
    coder, sequencer = Coder(), Sequencer(MemoryStore, 0)
    for table, rows in tables.items():
        for start in range(pieces):
            part = rows[start::pieces]
            if not part:
                continue
            columns = {name: pa.array([row[name] for row in part]) for name in part[0]}
            good, bad = read_table(table, columns, len(part), coder)
            assert not bad
            if table == "fills":
                sequencer.add_fills(good.fills, good.key, good.content, good.ids, good.orders)
            else:
                sequencer.add_rows(good.rows, good.name, good.rank, good.content)
    own = coder.names
    order = sorted(range(len(own.markets)), key=lambda at: own.markets[at][:2])
    names = Names()
    market = np.empty(len(order), np.int32)
    for at in order:
        market[at] = names.market(*own.markets[at][:2])
    accounts = sorted(own.accounts)
    account = np.array([accounts.index(name) for name in own.accounts], np.int32)
    names.accounts = accounts
    currencies = sorted(own.currencies)
    currency = np.array([currencies.index(name) for name in own.currencies], np.int32)
    sequencer.seal(own, {"market": market, "account": account, "currency": currency})
    return sequencer, names


def draw(sequencer: Sequencer, max_rows: int = 1000, until_ns: int | None = None) -> Batch:
    """Draw all batches into one, after a look at each."""
    batches = list(sequencer.batches(max_rows, until_ns))
    before = (-1, 0)
    for batch in batches:
        assert max(batch.rows.size, batch.fills.size) <= max_rows
        assert batch.rows.size + batch.fills.size
        keys = [(ts, 0) for ts in batch.rows["ts_ns"].tolist()] + [
            (ts, 1) for ts in batch.fills["ts_ns"].tolist()
        ]
        assert min(keys) >= before
        before = max(keys)
    if not batches:
        return Batch.empty()
    return Batch(
        *(np.concatenate([getattr(b, part) for b in batches]) for part in ("rows", "fills", "ids", "orders"))
    )


def flat(batch: Batch) -> list[Any]:
    """All that a batch says, bit for bit."""
    return [
        *(batch.rows[name].tobytes() for name in ROW.names or ()),
        *(batch.fills[name].tobytes() for name in FILL.names or ()),
        batch.ids.tolist(),
        batch.orders.tolist(),
    ]


def expected_fills(fills: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    first: dict[tuple[Any, ...], int] = {}
    for fill in fills:
        key = tuple(fill[name] or "" for name in ("exchange", "account", "symbol", "id", "order", "side"))
        first[key] = min(first.get(key, fill["timestamp"]), fill["timestamp"])
    return sorted((ts, *key) for key, ts in first.items())


def drawn_fills(batch: Batch, names: Names) -> list[tuple[Any, ...]]:
    return [
        (
            fill["ts_ns"] // 10**6,
            names.markets[fill["market"]].exchange,
            names.accounts[fill["account"]],
            names.markets[fill["market"]].symbol,
            id_,
            order or "",
            "buy" if fill["side"] > 0 else "sell",
        )
        for fill, id_, order in zip(batch.fills, batch.ids, batch.orders, strict=True)
    ]


def expected_trades(trades: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    first: dict[tuple[Any, ...], int] = {}
    out: Counter[tuple[Any, ...]] = Counter()
    for trade in trades:
        key = (trade["exchange"], trade["symbol"], hash_id(trade["id"]))
        if trade["id"] is None:
            out[trade["timestamp"], *key] += 1
        else:
            first[key] = min(first.get(key, trade["timestamp"]), trade["timestamp"])
    out.update((ts, *key) for key, ts in first.items())
    return out


@given(EVENTS, st.integers(1, 7), st.sampled_from([1, 3, 1000]))
def test_order_and_duplicates_as_the_contract_says(tables: Tables, pieces: int, max_rows: int) -> None:
    sequencer, names = sequence(tables, pieces)
    batch = draw(sequencer, max_rows)
    assert drawn_fills(batch, names) == expected_fills(tables["fills"])
    assert sequencer.n_fills == len(batch.fills)
    assert sequencer.n_duplicate_fills == len(tables["fills"]) - len(batch.fills)
    trades = batch.rows[batch.rows["kind"] == Kind.TRADE]
    drawn = Counter(
        (int(row["ts_ns"]) // 10**6, *names.markets[row["market"]][:2], int(row["id"])) for row in trades
    )
    assert drawn == expected_trades(tables["trades"])
    quotes = batch.rows[batch.rows["kind"] == Kind.QUOTE]
    assert len(quotes) == len({frozenset(row.items()) for row in tables["quotes"]})
    balances = batch.rows[batch.rows["kind"] == Kind.BALANCE]
    assert len(balances) == len({frozenset(row.items()) for row in tables["balances"]})
    assert batch.rows["ts_ns"].tolist() == sorted(batch.rows["ts_ns"].tolist())
    counted = {
        kind: count
        for kind, count in sequencer.duplicates.items()
        if kind in {Kind.TRADE, Kind.QUOTE, Kind.BALANCE}
    }
    assert counted == {
        Kind.TRADE: len(tables["trades"]) - len(trades),
        Kind.QUOTE: len(tables["quotes"]) - len(quotes),
        Kind.BALANCE: len(tables["balances"]) - len(balances),
    }


@given(EVENTS, st.integers(0, 2**32), st.integers(1, 7), st.sampled_from([1, 2, 1000]))
def test_neither_order_nor_duplicates_nor_pieces_nor_batches_change_a_bit(
    tables: Tables, seed: int, pieces: int, max_rows: int
) -> None:
    chance = random.Random(seed)
    mixed: Tables = {}
    for table, rows in tables.items():
        # a trade without an id is another one each time
        may_repeat = [row for row in rows if row.get("id", "") is not None]
        mixed[table] = rows + chance.choices(may_repeat, k=5) if may_repeat else list(rows)
        chance.shuffle(mixed[table])
    shuffled = dict(sorted(mixed.items(), key=lambda _: chance.random()))
    assert flat(draw(sequence(shuffled, pieces)[0], max_rows)) == flat(draw(sequence(tables)[0]))


@given(EVENTS, st.integers(0, 5))
def test_until_is_a_prefix(tables: Tables, until: int) -> None:
    """What comes later has no say in what came before."""
    early = {table: [row for row in rows if row["timestamp"] <= until] for table, rows in tables.items()}
    cut = draw(sequence(tables)[0], 4, until * 10**6)
    whole = draw(sequence(early)[0])
    for name in ("ts_ns", "id", "side", "price", "amount", "client"):
        assert cut.fills[name].tolist() == whole.fills[name].tolist()
    for name in ("ts_ns", "kind", "id", "a", "b"):
        np.testing.assert_array_equal(cut.rows[name], whole.rows[name])
    assert cut.ids.tolist() == whole.ids.tolist()


def test_batches_can_be_drawn_again() -> None:
    quote = {"timestamp": 1, "symbol": "A/B", "bid": 1.0, "ask": 2.0}
    sequencer, _ = sequence({"quotes": [quote, quote]})
    assert flat(draw(sequencer)) == flat(draw(sequencer))
    assert sequencer.duplicates[Kind.QUOTE] == 1


def test_numbers_sort_as_numbers_among_trades_and_as_texts_among_fills() -> None:
    trade = {"timestamp": 1, "exchange": "", "symbol": "A/B", "price": 1.0, "amount": 1.0}
    fill = trade | {"account": "p", "order": None, "side": "buy"}
    ids = ["10", "9", "100"]
    tables = {"trades": [trade | {"id": i} for i in ids], "fills": [fill | {"id": i} for i in ids]}
    batch = draw(sequence(tables)[0])
    assert batch.rows["id"].tolist() == [hash_id(i) for i in ("9", "10", "100")]
    assert batch.ids.tolist() == ["10", "100", "9"]


@pytest.mark.parametrize("swap", [False, True])
def test_of_fills_with_one_key_and_time_the_same_one_stays(swap: bool) -> None:
    fill = {
        "timestamp": 1,
        "exchange": "",
        "symbol": "A/B",
        "account": "p",
        "order": None,
        "side": "buy",
        "id": "1",
        "amount": 1.0,
    }
    two = [fill | {"price": 1.0}, fill | {"price": 2.0}]
    first = draw(sequence({"fills": two})[0]).fills["price"].tolist()
    assert len(first) == 1
    assert draw(sequence({"fills": two[::-1] if swap else two})[0]).fills["price"].tolist() == first


def test_many_repeats_at_later_times_over_many_blocks() -> None:
    """Each trade comes three times, each time later: the repeats are a tape of their own."""
    trade = {"exchange": "", "symbol": "A/B", "price": 1.0, "amount": 1.0}
    trades = [trade | {"timestamp": i + 1000 * lag, "id": str(i)} for lag in (2, 0, 1) for i in range(3000)]
    sequencer, _ = sequence({"trades": trades})
    batch = draw(sequencer, 100)
    assert batch.rows["ts_ns"].tolist() == [i * 10**6 for i in range(3000)]
    assert sequencer.duplicates[Kind.TRADE] == 6000


def test_nothing() -> None:
    assert draw(sequence({})[0]).rows.size == 0
