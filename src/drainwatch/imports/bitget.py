"""Bitget's trade history: as the page exports it, and with the names of the API.

Merged names may end in the product: `BTCUSDT_UMCBL` is a perpetual, `BTCUSDT_SPBL` the spot market. Amounts
are coins, also of futures.
"""

from __future__ import annotations

from typing import Final

from drainwatch.imports.convert import LIQUIDITY, NUMBER, SIDE, SIZE, TIME, TYPE
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import contract, split_pair
from drainwatch.imports.work import Work

SPOT: Final = "SPBL"
PRODUCTS: Final = {"UMCBL": None, "CMCBL": "USDC", "DMCBL": ""}
"""What a product settles in: None is the quote coin, empty the base coin."""

_TIME = (
    "cTime",
    "Order Time",
    "Trade Time",
    "Time",
    "Date",
    "下单时间",
    "下單時間",
    "成交时间",
    "注文時間",
    "주문 시간",
)
_PAIR = ("Trading Pair", "symbol", "Pair", "Futures", "交易对", "交易對", "銘柄", "거래쌍")
_SIDE = ("Side", "Direction", "方向", "売買", "유형")
_PRICE = (
    "Filled Price",
    "priceAvg",
    "Price",
    "Avg. Filled Price",
    "成交价",
    "成交價",
    "約定価格",
    "체결 가격",
)
_AMOUNT = ("Filled Amount", "size", "baseVolume", "成交量", "成交數量", "約定数量", "체결 수량")
_TOTAL = ("Total", "quoteVolume", "amount", "总额", "總額", "合計", "총액")
_FEE = ("Fee", "手续费", "手續費", "手数料", "수수료")
_FEE_COIN = (
    "Fee Currency",
    "feeCurrency",
    "feeCoin",
    "手续费币种",
    "手續費幣種",
    "手数料通貨",
    "수수료 통화",
)


def symbol_of(name: str | None, trade_side: str | None = None) -> str | None:
    """Write a market as ccxt does.

    Parameters
    ----------
    name
        As `BTCUSDT`, `BTCUSDT_SPBL` or `BTCUSD_DMCBL`; what can't be split stays.
    trade_side
        `open`, `close` and the like: only futures have it.
    """
    bare, _, product = (name or "").partition("_")
    pair = split_pair(bare)
    if pair is None or (product and product != SPOT and product not in PRODUCTS):
        pair = split_pair(name) if name else None
        product = ""
    if pair is None:
        return name
    base, quote = pair
    if product in PRODUCTS:
        settle = PRODUCTS[product]
        return contract(base, quote, base if settle == "" else settle or quote)
    if trade_side:
        return contract(base, quote, base if quote == "USD" else quote)
    return f"{base}/{quote}"


def _markets(work: Work) -> None:
    work.each("symbol", ["symbol", "_trade_side"], symbol_of)


IMPORTERS = (
    Importer(
        name="bitget",
        title="Bitget trade history",
        exchange="bitget",
        where="Orders, Spot Orders, Trade History, Export",
        columns=(
            Column("timestamp", _TIME, TIME),
            Column("symbol", _PAIR),
            Column("side", _SIDE, SIDE),
            Column("price", _PRICE, NUMBER),
            Column("amount", _AMOUNT, SIZE),
            Column("cost", _TOTAL, SIZE, needed=False),
            Column("fee_cost", _FEE, SIZE, needed=False),
            Column("fee_currency", _FEE_COIN, needed=False),
            Column("order", ("Order ID", "orderId", "订单号", "訂單號", "订单编号", "注文ID", "주문 번호")),
            Column("id", ("tradeId", "Trade ID"), needed=False),
            Column("client_order_id", ("clientOid",), needed=False),
            Column(
                "type",
                ("Order Type", "orderType", "类型", "類型", "注文タイプ", "주문 유형"),
                TYPE,
                needed=False,
            ),
            Column("taker_or_maker", ("tradeScope", "Role"), LIQUIDITY, needed=False),
            Column("_trade_side", ("tradeSide",), needed=False),
        ),
        others=(
            "baseVolume",
            "uTime",
            "userId",
            "marginMode",
            "posMode",
            "marginCoin",
            "enterPointSource",
            "profit",
        ),
        marks=("Trading Pair", "priceAvg", "quoteVolume", "下单时间", "下單時間", "注文時間", "주문 시간"),
        quirks=(_markets,),
    ),
)
STRANGERS = (
    Stranger(
        title="Bitget transactions",
        columns=("order", "Date", "Coin", "Type", "Amount"),
        instead="it has bookings, not fills; export Trade History instead",
    ),
)
