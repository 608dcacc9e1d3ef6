"""hummingbot: the table `TradeFill` of its database, the CSV beside it, and what `export_trades` writes.

In the database and its CSV times are ms; `export_trades` writes the machine's local time. Amounts are coins,
also of perpetuals. In databases since 2021 prices and amounts are millionths, and plain numbers before: how
the column was declared tells.
"""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from drainwatch.botlogs.database import opened
from drainwatch.botlogs.hummingbot import PAPER
from drainwatch.botlogs.log import columns_in, text
from drainwatch.imports.convert import NUMBER, SIDE, TIME
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.records import Row
from drainwatch.imports.work import Work

PART: Final = "hummingbot"

NEEDED: Final = frozenset(
    {"market", "symbol", "timestamp", "order_id", "trade_type", "order_type", "price", "amount",
     "trade_fee", "exchange_trade_id"}
)  # fmt: skip
"""Columns of the table `TradeFill` by which the database is known."""

PERPETUAL: Final = "_perpetual"
SCALE: Final = 1_000_000

EXCHANGES: Final = {"gate_io": "gate", "coinbase_advanced_trade": "coinbase", "crypto_com": "cryptocom"}
"""Connectors that ccxt, and with it everything here, calls otherwise."""

IN_USDC: Final = frozenset({"hyperliquid", "dydx_v4"})
"""Connectors whose perpetuals are called `BTC-USD`, and are priced and settled in USDC."""


def exchange_of(market: str | None) -> str | None:
    """Name the exchange of a connector: that of `gate_io_perpetual` is `gate`."""
    name = (market or "").removesuffix(PERPETUAL)
    return EXCHANGES.get(name, name) or None


def symbol_of(market: str | None, pair: str | None) -> str | None:
    """Write a connector's pair as ccxt does: `BTC-USDT` of a perpetual is `BTC/USDT:USDT`."""
    base, _, quote = (pair or "").rpartition("-")
    if not base:
        return pair
    if not (market or "").endswith(PERPETUAL):
        return f"{base}/{quote}"
    if quote == "USD" and (market or "").removesuffix(PERPETUAL) in IN_USDC:
        quote = "USDC"
    return f"{base}/{quote}:{quote}"


def quote_of(symbol: str | None) -> str | None:
    """Name the quote coin of a symbol."""
    return (symbol or "").partition("/")[2].partition(":")[0] or None


def flat_fee(told: str | None) -> tuple[str, str] | None:
    """Read a fee of a fixed amount of one coin from hummingbot's description of it, JSON or Python's."""
    try:
        fee = json.loads(told or "{}")
    except (ValueError, RecursionError):
        try:
            fee = ast.literal_eval(told or "{}")
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    try:
        parts = {str(part["token"]): str(float(part["amount"])) for part in fee.get("flat_fees") or ()}
        share = float(fee.get("percent") or 0)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return next(iter(parts.items())) if len(parts) == 1 and not share else None


def share_fee(told: str | None, price: str | None, amount: str | None) -> str | None:
    """Reckon a fee that is told as a share of what a fill came to."""
    try:
        share = float(json.loads(told or "{}").get("percent") or 0)
        return repr(share * float(price or "") * float(amount or "")) if share else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _fills(work: Work) -> None:
    """Leave out what is pretended, and what gives or takes liquidity of a pool."""
    kinds: list[str | None] = []
    for market, side in zip(work.texts("exchange"), work.raw["side"].to_pylist(), strict=True):
        if (market or "").endswith(PAPER):
            kinds.append("paper trading")
        else:
            kinds.append("range order" if (side or "").casefold() == "range" else None)
    work.leave(kinds)


def _names(work: Work) -> None:
    work.each("symbol", ["exchange", "symbol"], symbol_of)
    work.each("exchange", ["exchange"], exchange_of)


def _orders(work: Work) -> None:
    kinds = [(kind or "").casefold() for kind in work.texts("_order_type")]
    work.set("type", [None if not kind else "market" if kind == "market" else "limit" for kind in kinds])
    work.set("taker_or_maker", ["maker" if kind == "limit_maker" else None for kind in kinds])


def _fees(work: Work) -> None:
    """Take a fee in its own coin where that is told, else its worth in the quote coin."""
    coins: list[str | None] = []
    costs: list[str | None] = []
    rows = zip(
        work.texts("_fee"), work.texts("_in_quote"), work.texts("symbol"), work.texts("price"),
        work.texts("amount"), strict=True,
    )  # fmt: skip
    for told, in_quote, symbol, price, amount in rows:
        flat = flat_fee(told)
        coin, cost = flat or (quote_of(symbol), in_quote or share_fee(told, price, amount))
        coins.append(coin if cost else None)
        costs.append(cost)
    work.set("fee_currency", coins)
    work.set("fee_cost", costs)


_FILL_COLUMNS: Final = (
    Column("id", ("exchange_trade_id",)),
    Column("exchange", ("market",)),
    Column("symbol", ("symbol",)),
    Column("timestamp", ("timestamp",), TIME),
    Column("client_order_id", ("order_id",)),
    Column("side", ("trade_type",), SIDE),
    Column("_order_type", ("order_type",)),
    Column("price", ("price",), NUMBER),
    Column("amount", ("amount",), NUMBER),
    Column("_fee", ("trade_fee",)),
    Column("_in_quote", ("trade_fee_in_quote",), NUMBER, needed=False),
    Column("order", ("exchange_order_id",), needed=False),
)
_KNOWN: Final = ("config_file_path", "strategy", "base_asset", "quote_asset", "leverage", "position", "age")
_QUIRKS: Final = (_fills, _names, _orders, _fees)

IMPORTERS = (
    Importer(
        name="hummingbot",
        title="hummingbot's database",
        where="the strategy's .sqlite file in hummingbot's folder data",
        columns=_FILL_COLUMNS,
        quirks=_QUIRKS,
        part=PART,
    ),
    Importer(
        name="hummingbot-csv",
        title="hummingbot's trades as CSV",
        where="trades_*.csv in hummingbot's folder data",
        columns=_FILL_COLUMNS,
        others=_KNOWN,
        marks=("config_file_path",),
        quirks=_QUIRKS,
    ),
    Importer(
        name="hummingbot-export",
        title="what hummingbot's export_trades writes",
        where="the command export_trades of hummingbot",
        columns=(
            Column("id", ("Id",)),
            Column("timestamp", ("Timestamp",), TIME),
            Column("exchange", ("Exchange",)),
            Column("symbol", ("Market",)),
            Column("_order_type", ("Order_type",)),
            Column("side", ("Side",), SIDE),
            Column("price", ("Price",), NUMBER),
            Column("amount", ("Amount",), NUMBER),
        ),
        others=("Leverage", "Position", "Age"),
        marks=("Age",),
        quirks=(_fills, _names, _orders),
        note="The command export_trades writes times as the bot's machine shows them: they are taken for "
        "UTC, unless --timezone says otherwise.",
    ),
)
STRANGERS: tuple[Stranger, ...] = ()

HEADER: Final = tuple(column.names[0] for column in _FILL_COLUMNS)


def is_hummingbot(connection: sqlite3.Connection) -> bool:
    """Say whether a database is hummingbot's."""
    return columns_in(connection, "TradeFill") >= NEEDED


def rows_of(path: Path) -> Iterator[Row]:
    """Read a database's fills.

    Raises
    ------
    InputError
        If the database can't be read now.
    """
    with opened(path, "try again later") as connection:
        declared = {
            text(name) or "": (text(kind) or "").upper()
            for name, kind in connection.execute("SELECT name, type FROM pragma_table_info('TradeFill')")
        }
        scale = SCALE if declared["price"] == "BIGINT" else 1
        in_quote = "f.trade_fee_in_quote" if "trade_fee_in_quote" in declared else "NULL"
        venue, join = "NULL", ""
        if "exchange_order_id" in columns_in(connection, "Order"):
            venue, join = "o.exchange_order_id", 'LEFT JOIN "Order" o ON o.id = f.order_id'
        sql = (
            "SELECT f.rowid, f.exchange_trade_id, f.market, f.symbol, f.timestamp, f.order_id, f.trade_type, "  # noqa: S608 - our own words
            f"f.order_type, f.price, f.amount, f.trade_fee, {in_quote}, {venue} "
            f'FROM "TradeFill" f {join} ORDER BY f.rowid'
        )
        for number, *cells in connection.execute(sql):
            row: dict[str, Any] = dict(zip(HEADER, map(text, cells), strict=True))
            if scale != 1:
                row |= {
                    name: value / scale
                    for name, value in zip(HEADER, cells, strict=True)
                    if name in {"price", "amount", "trade_fee_in_quote"} and isinstance(value, (int, float))
                }
            yield int(number), row
