"""Exports of Bybit: trade history of spot and of derivatives, and the unified account's transaction log."""

from __future__ import annotations

import re

from drainwatch.imports.convert import NUMBER, SIDE, SIZE, TIME, TYPE, words
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import contract, expiry, fee_in_what_came, name_spot, split_pair, spot
from drainwatch.imports.work import Work

_OPTION = re.compile(r"[A-Z0-9]+-\d{1,2}[A-Z]{3}\d\d-[\d.]+-[CP](?:-[A-Z]+)?")
_DATED = re.compile(r"([A-Z0-9]+?)(USDT|USD)?-(\d{1,2}[A-Z]{3}\d\d)")
_DIRECTION = words(
    {"buy": ("long", "open long", "close short"), "sell": ("short", "open short", "close long")},
    "Long or Short",
)
_FORCED = frozenset({"liquidation", "adl", "busttrade", "adltrade", "delivery"})


def name_contract(text: str | None) -> str | None:
    """Name a derivative: `BTCUSDT`, `BTCPERP`, `BTCUSD`, `BTC-27MAR26`; others stay."""
    if text is None:
        return None
    name = text.strip().upper()
    dated = _DATED.fullmatch(name)
    if dated:
        base, quote = dated[1], dated[2] or "USDC"
        return contract(base, quote, base if quote == "USD" else quote, expiry(dated[3]))
    if name.endswith("PERP") and len(name) > 4:
        return contract(name[:-4], "USDC", "USDC")
    found = split_pair(name, ("USDT", "USDC", "USD"))
    if found is None:
        return text
    base, quote = found
    return contract(base, quote, base if quote == "USD" else quote)


def spot_fees(work: Work) -> None:
    """Take the fee from the newer column where the older one says nothing."""
    work.each("fee_cost", ["_fee_new", "_fee_old"], lambda new, old: new or old)
    fee_in_what_came(work)


def derivatives(work: Work) -> None:
    """Keep trades; what the venue closed by itself is a fill that nobody chose."""

    def kind(filled: str | None, market: str | None) -> str | None:
        if market and _OPTION.fullmatch(market.upper()):
            return "option"
        low = (filled or "trade").casefold().replace(" ", "")
        return None if low == "trade" or low in _FORCED else filled

    work.each("_left", ["_filled", "_market"], kind)
    work.leave(work.texts("_left"))
    work.each("symbol", ["_market"], name_contract)
    work.each(
        "drainwatch_forced",
        ["_filled"],
        lambda filled: "true" if (filled or "").casefold().replace(" ", "") in _FORCED else None,
    )
    work.each("fee_cost", ["_fee_new", "_fee_old"], lambda new, old: new or old)
    work.each(
        "fee_currency",
        ["fee_currency", "symbol"],
        lambda told, symbol: told or (symbol or "").partition(":")[2].partition("-")[0] or None,
    )


def log(work: Work) -> None:
    """Keep trades of the log; a spot trade is two rows, of which the one of the base coin counts."""

    def row(kind: str | None, market: str | None, coin: str | None, action: str | None) -> str | None:
        if (kind or "").casefold() != "trade":
            return (kind or "row without a type").casefold().replace("_", " ")
        if market and _OPTION.fullmatch(market.upper()):
            return "option"
        pair = split_pair(market or "")
        spot_row = (action or "--").casefold() not in {"open", "close"}
        return "other half of a spot trade" if spot_row and pair and coin != pair[0] else None

    def name(market: str | None, action: str | None) -> str | None:
        if (action or "--").casefold() in {"open", "close"}:
            return name_contract(market)
        return spot(market) or market

    work.each("_left", ["_kind", "_market", "_coin", "_action"], row)
    work.leave(work.texts("_left"))
    work.each("symbol", ["_market", "_action"], name)
    work.each("fee_cost", ["_fee"], lambda fee: fee and (fee[1:] if fee[0] == "-" else f"-{fee}"))
    work.each("fee_currency", ["_coin"], lambda coin: coin)


_DEALS = (
    Column("price", ("Filled Price", "Exec Price"), NUMBER),
    Column("amount", ("Filled Quantity", "Exec Qty", "Filled Qty"), SIZE),
    Column("type", ("Order Type",), TYPE, needed=False),
    Column("fee_currency", ("feeCoin", "Fee Coin", "Fee Currency"), needed=False),
    Column("_fee_new", ("ExecFeeV2",), NUMBER, needed=False),
    Column("id", ("Transaction ID", "Trasaction ID", "TradeId", "Trade ID"), needed=False),
    Column("order", ("Order No.", "OrderId", "Order ID"), needed=False),
)

SPOT = Importer(
    name="bybit-spot",
    title="Bybit spot trade history",
    exchange="bybit",
    where="Orders, Unified Trading Order, Spot, Trade History, Export",
    columns=(
        Column("_pair", ("Spot Pairs", "Symbol")),
        Column("side", ("Direction", "Side"), SIDE),
        *_DEALS,
        Column("cost", ("Filled Value",), SIZE, needed=False),
        Column("_fee_old", ("Fees",), NUMBER, needed=False),
        Column("timestamp", ("Timestamp (UTC)", "Transaction Time", "Filled Time"), TIME),
    ),
    others=("Uid",),
    marks=("Spot Pairs",),
    quirks=(name_spot, spot_fees),
)

DERIVATIVES = Importer(
    name="bybit-derivatives",
    title="Bybit derivatives trade history",
    exchange="bybit",
    where="Orders, Unified Trading Order, Derivatives, Trade History, Export",
    columns=(
        Column("_market", ("Market", "Contracts", "Contract")),
        Column("_filled", ("Filled Type", "Trade Type", "Exec Type")),
        Column("side", ("Direction", "Side"), _DIRECTION),
        *_DEALS,
        Column("_fee_old", ("Trading Fee", "Fee Paid", "Fees"), NUMBER, needed=False),
        Column("timestamp", ("Transaction Time", "Filled Time", "Timestamp"), TIME),
    ),
    others=("Uid", "Order Price", "Fee Rate"),
    quirks=(derivatives,),
)

LOG = Importer(
    name="bybit-log",
    title="Bybit transaction log of the unified trading account",
    exchange="bybit",
    where="Account, Data Export, Transaction Log, Account Change Details",
    columns=(
        Column("_coin", ("Currency",)),
        Column("_market", ("Contract",)),
        Column("_kind", ("Type",)),
        Column("side", ("Direction",), SIDE),
        Column("amount", ("Quantity",), SIZE),
        Column("price", ("Filled Price",), NUMBER),
        Column("_fee", ("Fee Paid",), NUMBER),
        Column("_action", ("Action",)),
        Column("timestamp", ("Time(UTC)",), TIME),
        Column("order", ("OrderId",), needed=False),
        Column("id", ("TradeId",), needed=False),
    ),
    others=("Uid", "Position", "Funding", "Cash Flow", "Change", "Wallet Balance"),
    quirks=(log,),
)

IMPORTERS = (SPOT, DERIVATIVES, LOG)
_INSTEAD = "export the trade history instead (Orders, Unified Trading Order, Trade History)"
STRANGERS = (
    Stranger(
        title="Bybit closed P&L", columns=("Entry Price", "Exit Price", "Closing Fee"), instead=_INSTEAD
    ),
    Stranger(
        title="Bybit funding account log",
        columns=("Coin", "QTY", "Account Balance", "Description"),
        instead=_INSTEAD,
    ),
)
