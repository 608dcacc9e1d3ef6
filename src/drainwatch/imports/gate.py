"""Gate's trade history: as the page exports it, and with the names of the API."""

from __future__ import annotations

from drainwatch.imports.convert import LIQUIDITY, SIDE, TIME, number_text
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import spot
from drainwatch.imports.work import Work

OWN_ID = "t-"
"""How the owner's ids of orders begin."""

_PAIR = ("Pair", "currency_pair", "Market", "交易对", "交易對", "銘柄", "거래쌍")
_SIDE = ("Side", "Trade type", "Type", "方向", "類型", "类型", "売買", "유형")
_PRICE = ("Filled Price", "Price", "成交价", "成交價", "約定価格", "체결 가격")
_AMOUNT = ("Filled Amount", "Amount", "成交量", "成交數量", "約定数量", "체결 수량")
_TOTAL = ("Total", "总额", "總額", "合計", "총액")
_FEE = ("Fee", "手续费", "手續費", "手数料", "수수료")
_FEE_COIN = ("Fee Currency", "fee_currency", "手续费币种", "手續費幣種", "手数料通貨", "수수료 통화")
_TIME = ("create_time_ms", "create_time", "Date", "Time", "日期", "时间", "時間", "日時", "날짜")


def without_coin(text: str | None) -> str | None:
    """Take the coin off a number such as `0.25 BTC`; a text that is no number stays, to be told as bad."""
    return text if text is None else number_text(text.partition(" ")[0]) or text


def _numbers(work: Work) -> None:
    """Newer files name the coin behind each number; the fee's is wanted."""
    for name in ("price", "amount", "cost"):
        work.each(name, [name], without_coin)
    work.each(
        "fee_currency",
        ["fee_cost", "fee_currency"],
        lambda fee, coin: coin or (fee or "").partition(" ")[2].strip().upper() or None,
    )
    work.each("fee_cost", ["fee_cost"], without_coin)


def _own_ids(work: Work) -> None:
    """`text` is the owner's id only if it begins so; else it says where the order was placed: web, api."""
    own = [text if text and text.startswith(OWN_ID) else None for text in work.texts("client_order_id")]
    work.set("client_order_id", own)


def _markets(work: Work) -> None:
    work.each("symbol", ["symbol"], lambda pair: spot(pair) or pair)


IMPORTERS = (
    Importer(
        name="gate",
        title="Gate spot trade history",
        exchange="gate",
        where="Orders, Spot Orders, Trade History, Download",
        columns=(
            Column("timestamp", _TIME, TIME),
            Column("symbol", _PAIR),
            Column("side", _SIDE, SIDE),
            Column("price", _PRICE),
            Column("amount", _AMOUNT),
            Column("cost", _TOTAL, needed=False),
            Column("fee_cost", _FEE),
            Column("fee_currency", _FEE_COIN, needed=False),
            Column("taker_or_maker", ("Role", "角色", "役割", "역할"), LIQUIDITY, needed=False),
            Column("order", ("Order id", "order_id", "订单号", "訂單號"), needed=False),
            Column("id", ("id", "Trade ID"), needed=False),
            Column("client_order_id", ("text",), needed=False),
        ),
        others=("No", "point_fee", "gt_fee", "create_time", "amend_text", "sequence_id", "编号", "編號"),
        marks=("No", "currency_pair", "编号", "編號", "角色", "役割", "역할"),
        quirks=(_numbers, _own_ids, _markets),
    ),
)
STRANGERS = (
    Stranger(
        title="Gate billing details",
        columns=("no", "time", "action_desc", "action_data", "type", "change_amount"),
        instead="it has bookings, not fills; export Orders, Spot Orders, Trade History instead",
    ),
)
