"""Exports of KuCoin: fills and filled orders of spot, in today's form and the old one."""

from __future__ import annotations

from drainwatch.imports.convert import LIQUIDITY, NUMBER, SIDE, SIZE, TIME, TYPE
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import name_spot
from drainwatch.imports.work import Work

_ORDER_NOTE = (
    "KuCoin's list of filled orders has a row an order, at its average price: a bad fill within an order "
    "can hide in it. The list of fills (Order Details, split orders) shows more."
)


def filled_only(work: Work) -> None:
    """Leave out orders of which nothing was filled; an order's id names its one row."""

    def kind(size: str | None, status: str | None) -> str | None:
        empty = not size or not size.strip("0.")
        return f"order without a fill ({status or 'no status'})" if empty else None

    work.each("_left", ["amount", "_status"], kind)
    work.leave(work.texts("_left"))
    work.each("id", ["order"], lambda order: order)


_WHO = ("UID", "Account Type", "Account Mode", "Tax")
_DEAL = (
    Column("order", ("Order ID",)),
    Column("_pair", ("Symbol",)),
    Column("side", ("Side",), SIDE),
    Column("type", ("Order Type",), TYPE, needed=False),
    Column("price", ("Avg. Filled Price",), NUMBER),
    Column("amount", ("Filled Amount",), SIZE),
    Column("cost", ("Filled Volume",), SIZE, needed=False),
    Column("timestamp", ("Filled Time(UTC+08:00)",), TIME),
    Column("fee_cost", ("Fee",), NUMBER, needed=False),
    Column("fee_currency", ("Fee Currency",), needed=False),
)

FILLS = Importer(
    name="kucoin",
    title="KuCoin fills",
    exchange="kucoin",
    where="Orders, Spot Orders, Trade History, Export (order details, split orders)",
    columns=(*_DEAL, Column("taker_or_maker", ("Maker/Taker",), LIQUIDITY)),
    others=(*_WHO, "Filled Volume (USDT)"),
    quirks=(name_spot,),
)

ORDERS = Importer(
    name="kucoin-orders",
    title="KuCoin filled orders",
    exchange="kucoin",
    where="Orders, Spot Orders, Order History, Export",
    columns=(*_DEAL, Column("_status", ("Status",))),
    others=(*_WHO, "Filled Volume (USDT)", "Order Time(UTC)", "Order Price", "Order Amount"),
    quirks=(name_spot, filled_only),
    note=_ORDER_NOTE,
)

OLD_FILLS = Importer(
    name="kucoin-2021",
    title="KuCoin fills, as they were until 2022",
    exchange="kucoin",
    where="kept from then: tradeCreatedAt, orderId, symbol, ...",
    columns=(
        Column("timestamp", ("tradeCreatedAt",), TIME),
        Column("order", ("orderId",)),
        Column("_pair", ("symbol",)),
        Column("side", ("side",), SIDE),
        Column("price", ("price",), NUMBER),
        Column("amount", ("size",), SIZE),
        Column("cost", ("funds",), SIZE, needed=False),
        Column("fee_cost", ("fee",), NUMBER, needed=False),
        Column("taker_or_maker", ("liquidity",), LIQUIDITY, needed=False),
        Column("fee_currency", ("feeCurrency",), needed=False),
        Column("type", ("orderType",), TYPE, needed=False),
    ),
    quirks=(name_spot,),
)

OLD_ORDERS = Importer(
    name="kucoin-orders-2021",
    title="KuCoin orders, as they were until 2022",
    exchange="kucoin",
    where="kept from then: orderCreatedAt, id, clientOid, ...",
    columns=(
        Column("timestamp", ("orderCreatedAt",), TIME),
        Column("order", ("id",)),
        Column("client_order_id", ("clientOid",), needed=False),
        Column("_pair", ("symbol",)),
        Column("side", ("side",), SIDE),
        Column("type", ("type",), TYPE, needed=False),
        Column("amount", ("dealSize",), SIZE),
        Column("cost", ("dealFunds",), SIZE, needed=False),
        Column("price", ("averagePrice",), NUMBER),
        Column("fee_cost", ("fee",), NUMBER, needed=False),
        Column("fee_currency", ("feeCurrency",), needed=False),
        Column("_status", ("orderStatus",), needed=False),
    ),
    others=("stopPrice", "price", "size", "remark", "tags"),
    quirks=(name_spot, filled_only),
    note=_ORDER_NOTE,
)

IMPORTERS = (FILLS, ORDERS, OLD_FILLS, OLD_ORDERS)
_INSTEAD = "export the trade history instead (Orders, Spot Orders, Trade History)"
STRANGERS = (
    Stranger(
        title="KuCoin account history",
        columns=("Account Type", "Currency", "Side", "Remark"),
        instead=_INSTEAD,
    ),
    Stranger(
        title="KuCoin realised profits of futures",
        columns=("Account Type", "Close Type", "Realized PNL"),
        instead=_INSTEAD,
    ),
)
