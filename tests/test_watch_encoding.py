"""A row of a stream becomes the event that the same row of a table becomes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.events import Names
from drainwatch.normalise import Coder, read_table
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.watch.encoding import MANY, batch_of, known_ns, market_of, order_of, unfit

MS = 1_000_000
PRICES = st.floats(1e-12, 1e15).map(repr)
AMOUNTS = st.floats(1e-12, 1e15)
TIMES = st.integers(1_600_000_000_000, 1_900_000_000_000)
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "Pd"]), min_size=1, max_size=24).filter(
    lambda text: not text.endswith(".0")
)
MAYBE = st.none() | TEXTS
SYMBOLS = st.sampled_from(["ETH/BTC", "BTC/USDT:USDT", "BTC/USD:BTC", "QTUM/USDT"])
EXCHANGES = st.sampled_from(["binance", "okx", ""])
SIDES = st.sampled_from(["buy", "sell"])


def fills() -> st.SearchStrategy[Fill]:
    return st.builds(
        Fill,
        exchange=EXCHANGES,
        account=st.sampled_from(["main", "default"]),
        symbol=SYMBOLS,
        id=TEXTS,
        ts_ns=TIMES.map(lambda ms: ms * MS),
        side=SIDES,
        price=PRICES,
        amount=PRICES,
        cost=st.none() | PRICES,
        order=MAYBE,
        client_order_id=MAYBE | st.sampled_from(["autoclose-12", "grid-7", "x" * 40]),
        type=st.sampled_from([None, "market", "limit", "stop"]),
        taker_or_maker=st.sampled_from([None, "maker", "taker", "odd"]),
        fee_cost=st.none() | st.floats(-1e6, 1e6).map(repr),
        fee_currency=st.sampled_from([None, "BNB", "USDT"]),
        counterparty=MAYBE,
        maker_order=MAYBE,
        taker_order=MAYBE,
        mark=st.none() | PRICES,
        forced=st.booleans(),
    )


def trades() -> st.SearchStrategy[Trade]:
    return st.builds(
        Trade,
        exchange=EXCHANGES,
        symbol=SYMBOLS,
        ts_ns=TIMES.map(lambda ms: ms * MS),
        price=AMOUNTS,
        amount=AMOUNTS,
        id=MAYBE | st.integers(0, 10**19).map(str),
        side=st.none() | SIDES,
        buyer=MAYBE,
        seller=MAYBE,
        maker_order=MAYBE,
        taker_order=MAYBE,
    )


def quotes() -> st.SearchStrategy[Quote]:
    sizes = st.none() | st.floats(0.0, 1e12)
    return st.builds(
        Quote,
        exchange=EXCHANGES,
        symbol=SYMBOLS,
        ts_ns=TIMES.map(lambda ms: ms * MS),
        bid=AMOUNTS,
        ask=AMOUNTS,
        bid_size=sizes,
        ask_size=sizes,
    )


def candles() -> st.SearchStrategy[Candle]:
    return st.builds(
        Candle,
        exchange=EXCHANGES,
        symbol=SYMBOLS,
        ts_ns=TIMES.map(lambda ms: ms * MS),
        open=AMOUNTS,
        high=AMOUNTS,
        low=AMOUNTS,
        close=AMOUNTS,
        volume=st.floats(0.0, 1e12),
    )


def balances() -> st.SearchStrategy[Balance]:
    return st.builds(
        Balance,
        exchange=st.just(""),
        account=st.sampled_from(["main", "default"]),
        currency=st.sampled_from(["BTC", "USDT"]),
        ts_ns=TIMES.map(lambda ms: ms * MS),
        total=st.floats(-1e12, 1e12),
    )


def bot_orders() -> st.SearchStrategy[BotOrder]:
    return st.builds(
        BotOrder,
        account=st.sampled_from(["main", "default"]),
        order=MAYBE,
        client_order_id=TEXTS,
        ts_ns=TIMES.map(lambda ms: ms * MS),
    )


def as_table(row: Row) -> dict[str, Any]:
    """The row as a row of its table."""
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    values["timestamp"] = values.pop("ts_ns") // MS
    if isinstance(row, Candle):
        values.pop("length_ns")
    if isinstance(row, (Balance, BotOrder)):
        values.pop("exchange", None)
    if isinstance(row, Fill):
        values |= {f"drainwatch_{name}": values.pop(name) for name in ("mark", "forced")}
    return {name: value for name, value in values.items() if value is not None}


TABLES = {
    Fill: "fills",
    Trade: "trades",
    Quote: "quotes",
    Candle: "candles",
    Balance: "balances",
    BotOrder: "orders",
}


def table_of(row: Row, coder: Coder) -> Any:
    """What the table's reader makes of it."""
    columns = {name: pa.array([value]) for name, value in as_table(row).items()}
    good, bad = read_table(TABLES[type(row)], columns, 1, coder)
    assert not bad
    return good


def same(ours: np.void, theirs: np.void, names: tuple[str, ...]) -> None:
    for name in names:
        a, b = ours[name], theirs[name]
        assert a == b or (np.isnan(a) and np.isnan(b)), name


@given(fills())
def test_a_fill_is_the_fill_of_a_table(fill: Fill) -> None:
    coder = Coder()
    theirs = table_of(fill, coder)
    ours = batch_of(coder.names, [(fill.ts_ns, fill)])
    same(ours.fills[0], theirs.fills[0], ours.fills.dtype.names or ())
    assert ours.ids[0] == theirs.ids[0].as_py()
    assert ours.orders[0] == theirs.orders[0].as_py()


@given(st.one_of(trades(), quotes(), candles(), balances(), bot_orders()))
def test_a_market_row_is_the_row_of_a_table(row: Row) -> None:
    coder = Coder()
    theirs = table_of(row, coder)
    ours = batch_of(coder.names, [(known_ns(row), row)])
    same(ours.rows[0], theirs.rows[0], ours.rows.dtype.names or ())


@given(
    st.lists(
        st.one_of(trades(), quotes(), candles(), balances(), bot_orders()), min_size=2, max_size=2 * MANY
    )
)
@settings(max_examples=50)
def test_rows_of_one_time_go_in_the_order_of_a_replay(rows: list[Row]) -> None:
    coder = Coder()
    made = [table_of(row, coder) for row in rows]
    kinds = np.array([m.rows["kind"][0] for m in made], np.uint64)
    what = (kinds << np.uint64(61)) | (np.array([m.name[0] for m in made]) >> np.uint64(3))
    keys = [(int(what[i]), int(made[i].rank[0]), int(made[i].content[0])) for i in range(len(rows))]
    assert [keys[i] for i in order_of(coder.names, rows)] == sorted(keys)


@given(st.lists(fills(), min_size=MANY, max_size=2 * MANY))
def test_many_fills_are_the_same_as_each_alone(rows: list[Fill]) -> None:
    names = Names()
    together = batch_of(names, [(fill.ts_ns, fill) for fill in rows])
    for i, fill in enumerate(rows):
        alone = batch_of(names, [(fill.ts_ns, fill)])
        same(together.fills[i], alone.fills[0], together.fills.dtype.names or ())
    assert together.ids.tolist() == [fill.id for fill in rows]


@given(candles(), st.integers(1, 10**9).map(lambda us: us * 1000))
def test_a_candle_told_late_keeps_its_own_time(candle: Candle, late_ns: int) -> None:
    coder = Coder()
    told = {**as_table(candle), "drainwatch_known_at": (known_ns(candle) + late_ns) / 1e6, "timeframe": "1m"}
    theirs, bad = read_table("candles", {name: pa.array([value]) for name, value in told.items()}, 1, coder)
    assert not bad
    ours = batch_of(coder.names, [(known_ns(candle) + late_ns, candle)])
    same(ours.rows[0], theirs.rows[0], ours.rows.dtype.names or ())
    assert ours.rows["id"][0] == known_ns(candle)
    assert theirs.rank[0] == known_ns(candle)


@given(fills(), st.sampled_from(["price", "amount"]), st.sampled_from(["0", "-1", "nan", "inf", "abc", ""]))
def test_a_fill_with_a_number_that_cannot_be_is_refused(fill: Fill, column: str, value: str) -> None:
    import msgspec

    why = unfit(msgspec.structs.replace(fill, **{column: value}))
    assert why is not None
    assert why.startswith(column)
    assert unfit(fill) is None


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (Quote(exchange="x", symbol="A/B", ts_ns=1, bid=math.nan, ask=1.0), "bid"),
        (Quote(exchange="x", symbol="A/B", ts_ns=1, bid=1.0, ask=1.0, ask_size=-1.0), "size"),
        (Trade(exchange="x", symbol="A/B", ts_ns=1, price=1.0, amount=0.0), "amount"),
        (Trade(exchange="x", symbol="A/B", ts_ns=1, price=1.0, amount=1.0, side="up"), "side"),
        (Trade(exchange="x", symbol="A/B", ts_ns=-1, price=1.0, amount=1.0), "time"),
        (
            Candle(exchange="x", symbol="A/B", ts_ns=1, open=1, high=1, low=0, close=1, volume=1),
            "low",
        ),
        (Balance(exchange="x", account="a", currency="B", ts_ns=1, total=math.inf), "total"),
        (BotOrder(account="a"), "order"),
    ],
)
def test_what_no_table_would_take_is_refused_with_its_column(row: Row, named: str) -> None:
    why = unfit(row)
    assert why is not None
    assert why.startswith(named)


def test_a_market_is_what_the_venue_says() -> None:
    names = Names()
    row = Market(
        exchange="okx",
        symbol="BTC/USD:BTC",
        venue_symbol="BTC-USD-SWAP",
        base="BTC",
        quote="USD",
        settle="BTC",
        contract_size=100.0,
        inverse=True,
    )
    batch = batch_of(names, [(0, row)])
    assert len(batch.rows) == len(batch.fills) == 0
    assert names.markets == [market_of(row)]
    assert names.markets[0].contract_size == 100.0
    assert names.markets[0].inverse
