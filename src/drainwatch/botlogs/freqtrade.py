"""freqtrade's database: its table `orders` has the venue's id of every order that the bot placed.

Since 2021 each version has had `order_id` and `order_date` (naive UTC) there, whatever else changed.
A database on PostgreSQL isn't read.
"""

from __future__ import annotations

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
from drainwatch.events import NS_PER_S

DRY: Final = "dry_run"
"""How the ids of orders begin that were only pretended; no account has them."""


class FreqtradeLog:
    """The orders that one freqtrade bot placed."""

    name = "freqtrade log"

    def __init__(self, path: Path, account: str) -> None:
        self.path, self.account = path, account

    def read(self, since: Cursor | None = None) -> Found:
        """Read the orders placed since a place; None: all.

        Raises
        ------
        InputError
            If the database can't be read now, or isn't freqtrade's.
        """
        with opened(self.path) as connection:
            file = identity(self.path)
            columns = columns_in(connection, "orders")
            if "order_id" not in columns:
                raise InputError(
                    f"{self.path}: expected freqtrade's table orders with a column order_id, found tables "
                    f"{tables_in(connection)}; give the file that freqtrade's db_url names"
                )
            date = "order_date" if "order_date" in columns else "NULL"
            rows, last = new_rows(connection, Table("orders", ("order_id", date)), since, file)
        lines: list[tuple[int, Line, str]] = []
        notes: list[str] = []
        dry = 0
        for row, order_id, order_date in rows:
            order = text(order_id)
            if order is None:
                notes.append(f"row {row}: expected an order_id, found none")
                continue
            if order.startswith(DRY):
                dry += 1
                continue
            ts_ns = 0 if order_date is None else time_ns(order_date, NS_PER_S)
            if ts_ns is None:
                notes.append(
                    f"row {row}: expected a date in order_date, found {ascii(text(order_date))[:60]}"
                )
            lines.append((row, Line(order, None, ts_ns or 0), "orders"))
        if dry and not lines:
            notes.append(
                "all orders are of a dry run: expected the database of the bot that trades; until there is "
                "one, the account counts as one without a log"
            )
        orders, cursor = gathered(self.account, lines, since, {"orders": last}, file)
        return Found(orders, cursor, notes)
