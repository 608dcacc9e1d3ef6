"""Exports of Binance: spot trades, and trades of both kinds of futures."""

from __future__ import annotations

import re

from drainwatch.imports.convert import NUMBER, SIDE, TIME, number_text
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import split_pair
from drainwatch.imports.work import Work

_UNIT = re.compile(r"[A-Za-z][A-Za-z0-9]*$")


def units(work: Work) -> None:
    """Read `0.51INCH` of `1INCHUSDT` as 0.5 of 1INCH: the pair tells where the coin begins."""
    pairs, executed, amounts = (work.texts(name) for name in ("_pair", "_executed", "_amount"))
    fees, coins = work.texts("_fee"), work.texts("_fee_coin")
    made: list[tuple[str | None, ...]] = []
    for pair, amount, total, fee, coin in zip(pairs, executed, amounts, fees, coins, strict=True):
        base, quote = _coins(pair or "", total or "")
        size, cost = _bare(amount, (base,)), _bare(total, (quote,))
        fee_cost, fee_coin = _fee(fee, (base, quote, "BNB"))
        made.append((f"{base}/{quote}" if base else None, size, cost, fee_cost, coin or fee_coin))
    names = ("symbol", "amount", "cost", "fee_cost", "fee_currency")
    for name, cells in zip(names, zip(*made, strict=True), strict=True):
        work.set(name, list(cells))


def _coins(pair: str, total: str) -> tuple[str, str]:
    """Split a pair, by the coin that its total names if it names one; two empty texts if it can't be."""
    pair = pair.upper().strip()
    unit = _UNIT.search(total.strip().upper())
    joined = re.sub(r"[/\-_]", "", pair)
    if unit and joined.endswith(unit[0]) and joined != unit[0]:
        return joined[: -len(unit[0])], unit[0]
    return split_pair(pair) or ("", "")


def _bare(text: str | None, coins: tuple[str, ...]) -> str | None:
    """Take the coin off a number; what is left must be one, else the text stays as it is, to be told."""
    if text is None:
        return None
    bare = text.strip().upper()
    for coin in coins:
        if coin and bare.endswith(coin):
            number = number_text(bare[: -len(coin)])
            if number:
                return number
    return number_text(bare) or text


def _fee(text: str | None, coins: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Split a fee into number and coin; one whose coin stands in a column of its own is a number only."""
    if text is None:
        return None, None
    bare = text.strip().upper()
    for coin in coins:
        if coin and bare.endswith(coin):
            number = number_text(bare[: -len(coin)])
            if number:
                return number, coin
    unit = _UNIT.search(bare)
    number = number_text(bare[: unit.start()] if unit else bare)
    return (number or text, unit[0] if unit else None)


SPOT = Importer(
    name="binance-spot",
    title="Binance spot trade history",
    exchange="binance",
    where="Orders, Spot Order, Trade History, Export",
    columns=(
        Column("timestamp", ("Date(UTC)", "Time", "时间", "日期", "時間"), TIME),
        Column("_pair", ("Pair", "Market", "交易对", "交易對", "币对")),
        Column("side", ("Side", "Type", "方向", "类型", "類型"), SIDE),
        Column("price", ("Price", "价格", "成交价格", "價格"), NUMBER),
        Column("_executed", ("Executed", "Amount", "已成交", "成交数量", "成交", "已執行", "数量")),
        Column("_amount", ("Amount", "Total", "成交金额", "成交额", "金额", "總額")),
        Column("_fee", ("Fee", "手续费", "手續費"), needed=False),
        Column("_fee_coin", ("Fee Coin", "Fee Asset", "手续费结算币种", "手續費幣種"), needed=False),
    ),
    quirks=(units,),
)

IMPORTERS = (SPOT,)
STRANGERS: tuple[Stranger, ...] = ()
