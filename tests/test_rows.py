"""Rows one at a time: whole through JSON and MessagePack, and a fill knows what makes it the same."""

from __future__ import annotations

import msgspec
import pytest

from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade

FILL = Fill(
    exchange="binance",
    account="main",
    symbol="ETH/BTC",
    id="1",
    ts_ns=1_700_000_000_000_000_001,
    side="buy",
    price="0.030000000000000000001",
    amount="1e-12",
    order="7",
    type="limit",
)
ROWS: list[Row] = [
    FILL,
    Trade(exchange="x", symbol="A/B", ts_ns=1, price=0.1, amount=2.0, id="9", buyer="b"),
    Quote(exchange="x", symbol="A/B", ts_ns=1, bid=0.1, ask=0.2, bid_size=3.0),
    Candle(exchange="x", symbol="A/B", ts_ns=1, open=1.0, high=2.0, low=0.5, close=1.5, volume=0.0),
    Balance(exchange="x", account="a", currency="B", ts_ns=1, total=-1.5),
    BotOrder(account="a", client_order_id="c", ts_ns=3),
    Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B", inverse=True),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_comes_back_whole(row: Row) -> None:
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Row) == row


def test_a_fill_told_again_has_the_same_key_whatever_else_is_said() -> None:
    again = msgspec.structs.replace(FILL, price="9", client_order_id="c", ts_ns=5)
    assert again.key == FILL.key
    for name, value in [
        ("exchange", "okx"),
        ("account", "b"),
        ("symbol", "A/B"),
        ("id", "2"),
        ("side", "sell"),
    ]:
        assert msgspec.structs.replace(FILL, **{name: value}).key != FILL.key
    assert msgspec.structs.replace(FILL, order=None).key != FILL.key
