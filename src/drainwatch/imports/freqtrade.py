"""freqtrade's database: every filled order is a fill.

The bot keeps what its orders came to, not each trade of theirs: an order that was filled in parts is one
fill at its average price, and its id is the order's. Amounts are coins, also of futures. Times are naive
UTC. Fees are reckoned from the rate that the bot knows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from drainwatch.botlogs.database import opened
from drainwatch.botlogs.freqtrade import DRY
from drainwatch.botlogs.log import columns_in, text
from drainwatch.events import spec_from_symbol
from drainwatch.imports.convert import NUMBER, SIDE, TIME, TYPE
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.records import KIND, Row, leave_kinds

PART: Final = "freqtrade"

NEEDED: Final = frozenset({"order_id", "ft_pair", "side", "filled", "price", "order_filled_date"})
"""Columns of the table `orders` by which the database is known."""

IMPORTERS = (
    Importer(
        name="freqtrade",
        title="freqtrade's database",
        where="the file that freqtrade's db_url names, such as tradesv3.sqlite",
        columns=(
            Column("id", ("order_id",)),
            Column("order", ("order",)),
            Column("timestamp", ("order_filled_date",), TIME),
            Column("symbol", ("ft_pair",)),
            Column("side", ("side",), SIDE),
            Column("price", ("average",), NUMBER),
            Column("amount", ("filled",), NUMBER),
            Column("exchange", ("exchange",)),
            Column("type", ("order_type",), TYPE),
            Column("fee_cost", ("fee",), NUMBER),
            Column("fee_currency", ("fee_currency",)),
            Column(KIND, (KIND,), needed=False),
        ),
        quirks=(leave_kinds,),
        part=PART,
        note="The database of freqtrade has orders, not their single trades: a fill here is an order at its "
        "average price.",
    ),
)
STRANGERS: tuple[Stranger, ...] = ()

HEADER: Final = tuple(column.names[0] for column in IMPORTERS[0].columns)

_LATER: Final = ("average", "ft_price", "order_type", "order_update_date", "order_date")
"""Columns of `orders` that not every version has; empty where there is none."""
_RATES: Final = ("fee_open", "fee_close", "is_short")
"""Such columns of `trades`."""


def is_freqtrade(connection: sqlite3.Connection) -> bool:
    """Say whether a database is freqtrade's."""
    return columns_in(connection, "orders") >= NEEDED and "exchange" in columns_in(connection, "trades")


def rows_of(path: Path) -> Iterator[Row]:
    """Read a database's orders.

    Raises
    ------
    InputError
        If the database can't be read now.
    """
    with opened(path, "try again later") as connection:
        orders, trades = columns_in(connection, "orders"), columns_in(connection, "trades")
        told = [f"o.{name}" if name in orders else "NULL" for name in _LATER]
        told += [f"t.{name}" if name in trades else "NULL" for name in _RATES]
        sql = (
            "SELECT o.id, o.order_id, o.ft_pair, o.side, o.price, o.filled, o.order_filled_date, "  # noqa: S608 - our own words
            f"t.exchange, {', '.join(told)} FROM orders o LEFT JOIN trades t ON t.id = o.ft_trade_id "
            "ORDER BY o.id"
        )
        for row in connection.execute(sql):
            yield int(row[0]), _order(row)


def _order(row: tuple[Any, ...]) -> dict[str, Any]:
    _, order_id, pair, side, price, filled, done, exchange, *later = row
    average, wished, order_type, updated, placed, fee_open, fee_close, is_short = later
    order, symbol, side = text(order_id) or "", text(pair) or "", text(side)
    if order.startswith(DRY):
        return {KIND: "order of a dry run"}
    if not filled:
        return {KIND: "order that wasn't filled"}
    price = average or price or wished
    rate = fee_open if side == ("sell" if is_short else "buy") else fee_close
    numbers = all(isinstance(x, (int, float)) for x in (rate, price, filled))
    return {
        "order_id": order,
        "order": order,
        "order_filled_date": text(done) or text(updated) or text(placed),
        "ft_pair": symbol,
        "side": side,
        "average": text(price),
        "filled": text(filled),
        "exchange": text(exchange),
        "order_type": text(order_type),
        "fee": rate * price * filled if numbers else None,
        "fee_currency": spec_from_symbol("", symbol).quote if numbers else None,
    }
