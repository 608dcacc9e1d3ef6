"""Rows pushed as JSON mean what they would mean in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch import readers
from drainwatch.events import NS_PER_S, Kind, Liquidity, OrderType
from drainwatch.ids import hash_id
from drainwatch.normalise import EXTREME, Coder, market_spec, read_table
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.schema import PARENTS, SCHEMA, column_of
from drainwatch.sockets.reading import Number, decode, read_rows
from socket_fakes import GOOD, T0, VALUES, fill, rows_of


def read(*rows: dict[str, Any], exchange: str = "x", account: str = "main") -> list[Row]:
    got, rejected = read_rows(decode(json.dumps(rows)), exchange, account)
    assert rejected == []
    return got


def from_file(table: str, path: Path) -> tuple[list[Any], list[tuple[int, str | None, str]], Coder]:
    """What `tables` makes of a file: its good rows, the places and columns of bad ones."""
    coder = Coder()
    good, bad = [], []
    for _, piece in readers.read(table, str(path), lambda name: column_of(table, name) is not None, PARENTS):
        assert not piece.bad
        made, unfit = read_table(table, piece.columns, piece.rows.size, coder)
        good.append(made)
        bad += [(int(piece.rows[one.at]), one.column, one.expected) for one in unfit]
    return good, bad, coder


def tamed(value: float) -> float:
    return value if value == 0 else float(np.copysign(np.clip(abs(value), 1 / EXTREME, EXTREME), value))


def number_or_nan(text: str | float | None) -> float:
    return float("nan") if text is None else tamed(float(text))


def same(a: float, b: float) -> bool:
    return a == b or (np.isnan(a) and np.isnan(b))


def assert_same_fill(row: Row, made: Any, at: int, coder: Coder) -> None:
    assert isinstance(row, Fill)
    record = made.fills[at]
    spec = coder.names.markets[record["market"]]
    assert (row.exchange, row.symbol) == (spec.exchange, spec.symbol)
    assert row.account == coder.names.accounts[record["account"]]
    assert (row.id, row.order) == (made.ids[at].as_py(), made.orders[at].as_py())
    assert row.ts_ns == record["ts_ns"]
    assert {"buy": 1, "sell": -1}[row.side] == record["side"]
    for name in ("price", "amount", "cost", "fee_cost"):
        assert same(number_or_nan(getattr(row, name)), record[name]), name
    assert OrderType[(row.type or "unknown").upper()] == record["type"]
    assert Liquidity[(row.taker_or_maker or "unknown").upper()] == record["liquidity"]
    assert row.forced == bool(record["flags"])
    hashes = {"client": "client_order_id"} | {n: n for n in ("counterparty", "maker_order", "taker_order")}
    for field, name in hashes.items():
        assert hash_id(getattr(row, name) or "") == record[field]
    currency = record["fee_currency"]
    assert row.fee_currency == (None if currency < 0 else coder.names.currencies[currency])


def assert_same_row(row: Row, made: Any, at: int, coder: Coder) -> None:
    record = made.rows[at]
    if isinstance(row, (Trade, Quote, Candle)):
        spec = coder.names.markets[record["market"]]
        assert (row.exchange, row.symbol) == (spec.exchange, spec.symbol)
    if isinstance(row, Trade):
        assert record["kind"] == Kind.TRADE
        assert (row.ts_ns, row.price, row.amount) == (record["ts_ns"], record["a"], record["b"])
        assert {"buy": 1, "sell": -1, None: 0}[row.side] == record["side"]
        for name in ("id", "buyer", "seller", "maker_order", "taker_order"):
            assert hash_id(getattr(row, name) or "") == record[name]
    elif isinstance(row, Quote):
        assert (row.ts_ns, row.bid, row.ask) == (record["ts_ns"], record["a"], record["b"])
        assert same(number_or_nan(row.bid_size), record["c"])
        assert same(number_or_nan(row.ask_size), record["d"])
    elif isinstance(row, Candle):
        assert (row.ts_ns + row.length_ns, row.length_ns) == (record["ts_ns"], record["duration_ns"])
        assert [row.open, row.high, row.low, row.close, row.volume] == [record[letter] for letter in "abcde"]
    elif isinstance(row, Balance):
        assert row.account == coder.names.accounts[record["account"]]
        assert row.currency == coder.names.currencies[record["currency"]]
        assert (row.ts_ns, row.total) == (record["ts_ns"], record["a"])
    else:
        assert isinstance(row, BotOrder)
        assert row.account == coder.names.accounts[record["account"]]
        assert row.ts_ns == record["ts_ns"]
        assert hash_id(row.order or "") == record["id"]
        assert hash_id(row.client_order_id or "") == record["client"]


def assert_same_market(row: Row, told: dict[str, Any]) -> None:
    assert isinstance(row, Market)
    spec = market_spec(told["exchange"] or "", told["symbol"], [told])
    assert (row.exchange, row.symbol, row.inverse) == (spec.exchange, spec.symbol, spec.inverse)
    assert (row.base, row.quote, row.settle) == (spec.base, spec.quote, spec.settle)
    assert same(number_or_nan(row.contract_size), spec.contract_size)
    assert same(number_or_nan(row.tick_size), spec.tick_size)


@pytest.mark.parametrize("table", list(SCHEMA))
def test_socket_and_file_agree_on_every_row(table: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"

    @settings(max_examples=150)
    @given(rows_of(table))
    def agree(rows: list[dict[str, Any]]) -> None:
        lines = [json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
        good, bad, coder = from_file(table, path)
        got, rejected = read_rows(decode(f"[{','.join(lines)}]"), "", "")
        assert [(one["row"], one["column"], one["expected"]) for one in rejected] == bad
        if table == "markets":
            told = [row for made in good for row in made]
            assert len(told) == len(got)
            for row, one in zip(got, told, strict=True):
                assert_same_market(row, one)
            return
        check = assert_same_fill if table == "fills" else assert_same_row
        places = [
            (made, at) for made in good for at in range(len(made.fills if table == "fills" else made.rows))
        ]
        assert len(places) == len(got)
        for row, (made, at) in zip(got, places, strict=True):
            check(row, made, at, coder)

    agree()


@given(st.lists(VALUES | st.dictionaries(st.text(max_size=8), VALUES, max_size=4), max_size=5))
def test_anything_is_a_row_or_rejected(objects: list[Any]) -> None:
    got, rejected = read_rows(decode(json.dumps(objects)), "x", "a")
    assert len(got) + len(rejected) == len(objects)
    assert [one["row"] for one in rejected] == sorted(one["row"] for one in rejected)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_what_is_no_json_is_a_value_error(frame: bytes | str) -> None:
    try:
        decode(frame)
    except ValueError:
        return
    json.loads(frame)


def test_deep_nesting_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested"):
        decode("[" * 100_000 + "]" * 100_000)


def test_digits_are_kept_as_written() -> None:
    text = '{"table":"fills","id":1,"timestamp":1700000000000,"symbol":"A/B","side":"buy",'
    short, _ = read_rows([decode(text + '"price":0.10000000000000000001,"amount":"1.50"}')], "x", "a")
    long, _ = read_rows([decode(text + '"price":1.20e-3,"amount":" +3.10 "}')], "x", "a")
    assert isinstance(short[0], Fill)
    assert isinstance(long[0], Fill)
    assert (short[0].price, short[0].amount) == ("0.10000000000000000001", "1.50")
    assert (long[0].price, long[0].amount) == ("1.20e-3", "+3.10")


def test_whole_numbers_keep_all_their_digits() -> None:
    (row,) = read(fill(amount=12345678901234567890123))
    assert isinstance(row, Fill)
    assert row.amount == "12345678901234567890123"


def test_number_knows_what_was_written() -> None:
    assert decode("[1.50, 2]") == [Number("1.50"), 2]


def test_rows_without_exchange_and_account_get_those_of_the_connection() -> None:
    given_, own = read(fill(), fill(exchange="y", account="other"))
    assert isinstance(given_, Fill)
    assert isinstance(own, Fill)
    assert (given_.exchange, given_.account) == ("x", "main")
    assert (own.exchange, own.account) == ("y", "other")


@pytest.mark.parametrize("account", [None, "", "bob"])
def test_balance_takes_the_connections_account_unless_it_has_its_own(account: str | None) -> None:
    (row,) = read(GOOD["balances"] | {"account": account})
    assert isinstance(row, Balance)
    assert row.account == (account or "main")


def test_balance_without_any_account_is_rejected_as_in_a_file() -> None:
    rows, rejected = read_rows([{**GOOD["balances"], "account": None}], "x", "")
    assert rows == []
    assert [(one["row"], one["column"]) for one in rejected] == [(1, "account")]


def test_rows_of_several_tables_keep_their_order() -> None:
    tables = [GOOD["markets"], GOOD["fills"], GOOD["candles"], GOOD["orders"], GOOD["trades"]]
    kinds = [type(row) for row in read(*tables)]
    assert kinds == [Market, Fill, Candle, BotOrder, Trade]


def test_rejected_rows_say_where_and_what_was_expected() -> None:
    rows, rejected = read_rows(
        [
            fill(),
            7,
            {"table": "fils"},
            {"id": 1},
            fill(price=-1),
            fill(side="hold"),
            GOOD["orders"] | {"order": ""},
        ],
        "x",
        "a",
    )
    assert len(rows) == 2
    assert [(one["row"], one["column"], one["found"]) for one in rejected] == [
        (2, None, "7"),
        (3, "table", "fils"),
        (4, "table", ""),
        (5, "price", "-1"),
        (6, "side", "hold"),
    ]
    assert rejected[3]["expected"] == "a finite number > 0"
    assert "fills, trades" in rejected[1]["expected"]


def test_places_go_on_from_the_first() -> None:
    _, rejected = read_rows([fill(), fill(price=None)], "x", "a", first=101)
    assert [one["row"] for one in rejected] == [102]


def test_candle_is_known_by_its_opening() -> None:
    (row,) = read(GOOD["candles"])
    assert isinstance(row, Candle)
    assert (row.ts_ns, row.length_ns) == (T0 * 1_000_000, 300 * NS_PER_S)


def test_orders_the_exchange_placed_itself_are_forced() -> None:
    (spot,) = read(fill(clientOrderId="autoclose-123"))
    assert isinstance(spot, Fill)
    assert not spot.forced  # a thief may name his orders so
    (row,) = read(fill(clientOrderId="autoclose-123", symbol="BTC/USDT:USDT"))
    assert isinstance(row, Fill)
    assert row.forced
