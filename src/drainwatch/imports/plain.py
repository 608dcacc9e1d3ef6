"""Importers of no exchange: our own names, ccxt's, and any table whose columns are mapped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drainwatch.imports.convert import AS_IT_IS, LIQUIDITY, NUMBER, SIDE, SIZE, TIME, TYPE
from drainwatch.imports.importer import Column, Importer, Match, match
from drainwatch.imports.symbols import spot
from drainwatch.imports.work import Work
from drainwatch.schema import SCHEMA, column_of


def any_symbol(work: Work) -> None:
    """Write symbols as ccxt does where they can be read as pairs; ccxt's own stay."""
    work.each("symbol", ["symbol"], lambda text: text if text is None or ":" in text else spot(text) or text)


OWN = Importer(
    name="drainwatch",
    title="a table of fills in drainwatch's or ccxt's names",
    where="ccxt's `fetch_my_trades`, written as JSON Lines ([own fills](own-fills.md))",
    columns=tuple(Column(name, (name,), needed=needed) for name, (_, needed) in SCHEMA["fills"].items()),
)

MAPPED = Importer(
    name="mapped",
    title="a table whose columns you name",
    where="`--map timestamp=COLUMN` and so on, for each column that isn't called so already",
    columns=(
        Column("timestamp", ("timestamp", "time", "date", "datetime", "executed at", "时间"), TIME),
        Column("symbol", ("symbol", "pair", "market", "instrument", "product", "交易对"), AS_IT_IS),
        Column("side", ("side", "direction", "buy/sell", "方向"), SIDE),
        Column("price", ("price", "fill price", "avg price", "价格"), NUMBER),
        Column("amount", ("amount", "quantity", "qty", "size", "volume", "数量"), SIZE),
        Column("id", ("id", "trade id", "fill id", "execution id", "txid"), needed=False),
        Column("cost", ("cost", "total", "value", "quote amount"), SIZE, needed=False),
        Column("order", ("order", "order id"), needed=False),
        Column("client_order_id", ("client order id",), needed=False),
        Column("type", ("type", "order type"), TYPE, needed=False),
        Column(
            "taker_or_maker", ("taker or maker", "liquidity", "role", "maker/taker"), LIQUIDITY, needed=False
        ),
        Column("fee_cost", ("fee cost", "fee", "commission"), NUMBER, needed=False),
        Column("fee_currency", ("fee currency", "fee coin", "fee asset", "commission asset"), needed=False),
        Column("account", ("account",), needed=False),
        Column("exchange", ("exchange", "venue"), needed=False),
        Column("counterparty", ("counterparty",), needed=False),
        Column("maker_order", ("maker order",), needed=False),
        Column("taker_order", ("taker order",), needed=False),
    ),
    quirks=(any_symbol,),
)

COLUMNS = {column.to: column for column in MAPPED.columns}
"""How each of the contract's columns is read where no exchange's importer says otherwise."""


def own_match(header: Iterable[str]) -> Match | None:
    """Tell whether a file has the contract's own columns, in any of their spellings; None if it hasn't."""
    found: dict[str, str] = {}
    names = list(header)
    for name in names:
        column = column_of("fills", name)
        if column is not None and (column not in found or name == column):
            found[column] = name
    missing = tuple(c for c in OWN.columns if c.needed and c.to not in found)
    return None if missing else Match(OWN, found, (), ())


def map_match(header: Iterable[str], told: Iterable[str]) -> Match:
    """Match whatever is left when the owner names columns: those that are called as one would expect."""
    named = set(told)
    rest = replace(MAPPED, columns=tuple(c for c in MAPPED.columns if c.to not in named))
    found = match(rest, header)
    return replace(
        found,
        importer=MAPPED,
        missing=tuple(c for c in MAPPED.columns if c.needed and c.to not in found.found),
    )
