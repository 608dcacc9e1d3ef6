"""Exports of Binance: spot trades, and trades of both kinds of futures."""

from __future__ import annotations

import re

from drainwatch.imports.convert import LIQUIDITY, NUMBER, SIDE, TIME, number_text
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import QUOTES, contract, split_pair, spot
from drainwatch.imports.work import Work

_SPOT_QUOTES = (QUOTES - {"USD"}) | {"BUSD", "TUSD", "USDP", "PAX", "VAI", "BFUSD", "XUSD"}
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
    return split_pair(pair, _SPOT_QUOTES) or ("", "")


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


def _by_quote(pair: str | None, quote: str | None) -> str | None:
    """Name a market by its pair and the quote asset that stands beside it."""
    name, coin = (pair or "").upper(), (quote or "").upper()
    if coin and name.endswith(coin) and name != coin:
        return f"{name[: -len(coin)].rstrip('-/_')}/{coin}"
    return spot(pair, _SPOT_QUOTES) or pair


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


# --- futures -----------------------------------------------------------------------------------------

_DATED = re.compile(r"([A-Z0-9]+?)(USDT|USDC|BUSD|USD1|USD)_(\d{6})")
_COIN_SIZE = {"BTC": 100.0}
"""Dollars a contract of the coin-margined market; all others have `_OTHER_SIZE`."""
_OTHER_SIZE = 10.0


def name_future(text: str | None, settle: str | None = None) -> str | None:
    """Name a market as ccxt does: `BTCUSDT`, `BTCUSD_PERP`, `BTCUSD_240329`; others stay."""
    if text is None:
        return None
    name = text.strip().upper().removesuffix(" PERPETUAL").replace("/", "").replace(" ", "")
    dated = _DATED.fullmatch(name)
    if dated:
        base, quote, until = dated.groups()
        return contract(base, quote, base if quote == "USD" else quote, until)
    perpetual = name.removesuffix("_PERP")
    found = split_pair(perpetual, ("USDT", "USDC", "BUSD", "BTC", "USD1", "USD", "U"))
    if found is None:
        return text
    base, quote = found
    return contract(base, quote, base if quote == "USD" else settle or quote)


def futures(work: Work) -> None:
    """Name the markets; contracts of coin-margined ones are worth a number of dollars."""
    work.each("symbol", ["_symbol"], name_future)
    inverse = set()
    for symbol in set(work.texts("symbol")) - {None}:
        base, _, settle = (symbol or "").partition(":")
        coin = base.partition("/")[0]
        if settle.partition("-")[0] == coin:
            inverse.add(symbol)
            size = _COIN_SIZE.get(coin, _OTHER_SIZE)
            work.tally.markets[str(symbol)] = {"symbol": symbol, "contract_size": size, "inverse": "true"}
    # their `Amount` is in the coin, not in the quote currency
    work.each("cost", ["_cost", "symbol"], lambda cost, symbol: None if symbol in inverse else cost)
    work.each("_coin", ["_fee"], lambda fee: _fee(fee, ())[1])
    work.each(
        "fee_currency", ["_fee_coin", "_coin", "_quote"], lambda *coins: next(filter(None, coins), None)
    )
    work.each("fee_cost", ["_fee"], lambda fee: _paid(_fee(fee, ())[0]))


def _paid(fee: str | None) -> str | None:
    """Turn what a fee does to the balance into what it costs: futures' exports give it as negative or not."""
    return fee.removeprefix("-") if fee else fee


# --- the tables --------------------------------------------------------------------------------------

_TIME = Column(
    "timestamp", ("Date(UTC)", "Time(UTC)", "UTC_Time", "时间(UTC)", "日期(UTC)", "時間(UTC)"), TIME
)
_SIDE = Column("side", ("Side", "Type", "方向", "类型", "類型"), SIDE)
_PRICE = Column("price", ("Price", "价格", "成交价格", "價格"), NUMBER)
_FEES = (
    Column("_fee", ("Fee", "手续费", "手續費"), needed=False),
    Column("_fee_coin", ("Fee Coin", "Fee Asset", "手续费结算币种", "手續費結算幣種"), needed=False),
)
_IDS = (
    Column("id", ("Trade ID", "成交ID"), needed=False),
    Column("order", ("Order ID", "OrderNo", "订单ID"), needed=False),
    Column("taker_or_maker", ("Role",), LIQUIDITY, needed=False),
)

SPOT = Importer(
    name="binance-spot",
    title="Binance spot trade history",
    exchange="binance",
    where="Orders, Spot Order, Trade History, Export",
    columns=(
        _TIME,
        Column("_pair", ("Pair", "交易对", "交易對", "币对")),
        _SIDE,
        _PRICE,
        Column("_executed", ("Executed", "已成交", "成交数量", "成交", "已執行", "數量", "数量")),
        Column("_amount", ("Amount", "成交金额", "成交额", "成交額", "金额")),
        *_FEES,
        *_IDS,
    ),
    others=("基准货币", "计价货币", "User_ID", "基準貨幣", "計價貨幣"),
    quirks=(units,),
)

SPOT_OLD = Importer(
    name="binance-spot-2017",
    title="Binance spot trade history, as it was until 2020",
    exchange="binance",
    where="kept from then: Market, Type, Total and Fee Coin in place of Pair, Side, Amount",
    columns=(
        _TIME,
        Column("_pair", ("Market", "市场", "市場")),
        _SIDE,
        _PRICE,
        Column("_executed", ("Amount", "数量", "數量")),
        Column("_amount", ("Total", "总额", "總額")),
        *_FEES,
    ),
    quirks=(units,),
)

SPOT_ASSETS = Importer(
    name="binance-spot-assets",
    title="Binance spot trades with their quote asset",
    exchange="binance",
    where="Orders, Export, all symbols (the form with Symbol, Quantity and Quote Asset)",
    columns=(
        _TIME,
        Column("_pair", ("Symbol",)),
        _SIDE,
        _PRICE,
        Column("amount", ("Quantity",), NUMBER),
        Column("cost", ("Amount",), NUMBER, needed=False),
        Column("fee_cost", ("Fee",), NUMBER, needed=False),
        Column("fee_currency", ("Fee Coin", "Fee Asset"), needed=False),
        Column("_quote", ("Quote Asset",)),
        *_IDS,
    ),
    quirks=(lambda work: work.each("symbol", ["_pair", "_quote"], _by_quote),),
)

FUTURES = Importer(
    name="binance-futures",
    title="Binance futures trade history",
    exchange="binance",
    where="Orders, Futures Order, Trade History, Export (USD-M and COIN-M)",
    columns=(
        _TIME,
        Column("_symbol", ("Symbol", "Contract", "合约", "合約", "交易对")),
        _SIDE,
        _PRICE,
        Column("amount", ("Quantity", "Executed", "数量", "數量"), NUMBER),
        Column("_cost", ("Amount", "Total", "成交额", "成交額"), NUMBER, needed=False),
        *_FEES,
        Column("_profit", ("Realized Profit", "已实现盈亏", "已實現盈虧"), needed=False),
        Column("_quote", ("Quote Asset", "计价资产", "計價資產"), needed=False),
        *_IDS,
    ),
    others=("Uid", "User_ID", "Position Side", "来源"),
    marks=("Realized Profit", "已实现盈亏", "已實現盈虧"),
    quirks=(futures,),
    tells_markets=True,
)

IMPORTERS = (SPOT, SPOT_OLD, SPOT_ASSETS, FUTURES)
STRANGERS = (
    Stranger(
        title="Binance order history",
        columns=("OrderNo", "Order Price", "Order Amount", "Average Price"),
        instead="export the trade history instead (Orders, Spot Order, Trade History)",
    ),
    Stranger(
        title="Binance account statement",
        columns=("Account", "Operation", "Coin", "Change"),
        instead="export the trade history instead (Orders, Spot Order, Trade History)",
    ),
)
