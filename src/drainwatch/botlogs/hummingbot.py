"""hummingbot's database: `Order` has the bot's own id of each order, and the venue's.

Fills of market orders may be written before their order is, so `TradeFill` is read, too. Times are
ms. Orders of paper trading are left out.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from drainwatch.botlogs.database import opened
from drainwatch.botlogs.log import (
    Cursor,
    Found,
    Line,
    Table,
    columns_in,
    gathered,
    identity,
    new_rows,
    tables_in,
    text,
    time_ns,
)
from drainwatch.errors import InputError
from drainwatch.events import NS_PER_MS

PAPER: Final = "_paper_trade"
"""How the names of markets end that are only pretended."""


class HummingbotLog:
    """The orders that one hummingbot placed.

    `market` is the connector's name, such as `binance` or `okx_perpetual`: a bot may trade on several,
    and an account is of one. Empty: all of them.
    """

    name = "hummingbot log"

    def __init__(self, path: Path, account: str, market: str = "") -> None:
        self.path, self.account, self.market = path, account, market

    def read(self, since: Cursor | None = None) -> Found:
        """Read the orders placed since a place; None: all.

        Raises
        ------
        InputError
            If the database can't be read now, or isn't hummingbot's.
        """
        lines: list[tuple[int, Line, str]] = []
        notes: list[str] = []
        last: dict[str, int] = {}
        with opened(self.path) as connection:
            file = identity(self.path)
            for table in self._tables(connection):
                rows, last[table.name] = new_rows(connection, table, since, file)
                for row, market, client_id, order_id, created in rows:
                    line = self._line(market, client_id, order_id, created, f"{table.name}, row {row}", notes)
                    if line is not None:
                        lines.append((row, line, table.name))
        orders, cursor = gathered(self.account, lines, since, last, file)
        return Found(orders, cursor, notes)

    def _tables(self, connection: sqlite3.Connection) -> list[Table]:
        order, fill = columns_in(connection, "Order"), columns_in(connection, "TradeFill")
        if not {"id", "market", "creation_timestamp"} <= order:
            raise InputError(
                f"{self.path}: expected hummingbot's table Order with id, market and creation_timestamp, "
                f"found tables {tables_in(connection)}; give the strategy's .sqlite file in its data "
                "folder"
            )
        venues = "exchange_order_id" if "exchange_order_id" in order else "NULL"
        tables = [Table("Order", ("market", "id", venues, "creation_timestamp"))]
        if {"order_id", "market", "timestamp"} <= fill:
            tables.append(Table("TradeFill", ("market", "order_id", "NULL", "timestamp")))
        return tables

    def _line(
        self,
        market: object,
        client_id: object,
        order_id: object,
        created: object,
        where: str,
        notes: list[str],
    ) -> Line | None:
        """Make a line of a row; None for one that isn't of this account."""
        name, client, order = text(market) or "", text(client_id), text(order_id)
        if name.endswith(PAPER) or (client is not None and "//" in client):
            return None
        if self.market and name != self.market:
            return None
        if client is None and order is None:
            notes.append(f"{where}: expected the id of an order, found none")
            return None
        ts_ns = time_ns(created, NS_PER_MS)
        if ts_ns is None:
            notes.append(f"{where}: expected a time in ms, found {ascii(text(created))[:60]}")
        return Line(order, client, ts_ns or 0)
