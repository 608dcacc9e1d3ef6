"""Exports of OKX: the trading account's history, and the trade list of OKEx."""

from __future__ import annotations

from drainwatch.imports.convert import NUMBER, SIDE, SIZE, TIME, number_text, words
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import contract, expiry, name_spot, spot
from drainwatch.imports.work import Work

_ACTION = words(
    {
        "buy": ("open long", "close short", "买入", "开多", "平空", "liquidate short", "buy to close"),
        "sell": ("open short", "close long", "卖出", "开空", "平多", "liquidate long", "sell to close"),
    },
    "Buy, Sell, or Open/Close long/short",
)
_TRADES = frozenset({"spot", "margin", "swap", "perpetual", "perpetual swap", "perpetual futures", "futures"})
_ACTIONS = frozenset(
    {
        *(
            "buy",
            "sell",
            "open long",
            "open short",
            "close long",
            "close short",
            "买入",
            "卖出",
            "开多",
            "开空",
        ),
        *("平多", "平空", "liquidate long", "liquidate short"),
    }
)
_FORCED = frozenset({"liquidate long", "liquidate short"})
_SIZES = {
    "BTC-USDT-SWAP": 0.01,
    "ETH-USDT-SWAP": 0.1,
    "BTC-USDC-SWAP": 0.0001,
    "BTC-USD-SWAP": 100.0,
    "ETH-USD-SWAP": 10.0,
}
"""Coins, or dollars where the contract is inverse, that one contract is of."""


def name_market(text: str | None) -> str | None:
    """Name a market: `BTC-USDT`, `BTC-USDT-SWAP`, `BTC-USD-240329`; others stay."""
    parts = (text or "").strip().upper().split("-")
    if len(parts) == 3:
        base, quote, until = parts
        settle = base if quote == "USD" else quote
        if until == "SWAP":
            return contract(base, quote, settle)
        if expiry(until):
            return contract(base, quote, settle, expiry(until))
    return spot(text) or text


def history(work: Work) -> None:
    """Keep trades; a spot trade may be two rows, of which the one that moves the base coin counts."""

    def row(
        kind: str | None, market: str | None, action: str | None, moved: str | None, unit: str | None
    ) -> str | None:
        done = (action or "").casefold()
        if (kind or "").casefold() not in _TRADES or done not in _ACTIONS:
            return (action or kind or "row without a type").casefold()
        if len((market or "").split("-")) == 5:
            return "option"
        base = (market or "").upper().partition("-")[0]
        is_spot = (market or "").count("-") == 1
        return "other half of a spot trade" if is_spot and (moved or unit) not in {base, None} else None

    def size(amount: str | None, price: str | None, market: str | None, unit: str | None) -> str | None:
        parts = (market or "").upper().split("-")
        quoted = len(parts) > 1 and unit == parts[1] != parts[0] and parts[1] != "USD"
        if not quoted or not amount or not price or not float(price):
            return amount
        return repr(float(amount) / float(price))  # told in the quote currency

    names = ["_kind", "_market", "_action", "_moved", "_unit"]
    work.each("_left", names, row)
    work.leave(work.texts("_left"))
    work.each("symbol", ["_market"], name_market)
    work.each("amount", ["amount", "price", "_market", "_unit"], size)
    work.each(
        "drainwatch_forced", ["_action"], lambda done: "true" if (done or "").casefold() in _FORCED else None
    )
    # a fee is told as what it does to the balance
    work.each("fee_cost", ["_fee"], lambda fee: fee and (fee[1:] if fee[0] == "-" else f"-{fee}"))
    for market, unit in set(zip(work.texts("_market"), work.texts("_unit"), strict=True)):
        name = (market or "").upper()
        symbol = name_market(market)
        if symbol and ":" in symbol and (unit or "").casefold() in {"cont", "conts", "张"} and name in _SIZES:
            work.tally.markets[symbol] = {"symbol": symbol, "contract_size": _SIZES[name]}


def listed(work: Work) -> None:
    """Read the side from the amount's sign, and a fee whose coin may stand behind it."""
    work.each("side", ["_amount"], lambda amount: "sell" if (amount or "").startswith("-") else "buy")
    work.each("amount", ["_amount"], lambda amount: amount and amount.lstrip("-"))
    for name, to in (("_fee", "fee_cost"), ("_total", "cost")):
        work.each(to, [name], lambda text: text and number_text(text.partition(" ")[0].lstrip("-")))


HISTORY = Importer(
    name="okx",
    title="OKX trading history",
    exchange="okx",
    where="Assets, Report center, Trading account, Trading history",
    columns=(
        Column("id", ("id",)),
        Column("order", ("Order id",)),
        Column("timestamp", ("Time", "时间"), TIME),
        Column("_kind", ("Trade Type",)),
        Column("_market", ("Symbol",)),
        Column("_action", ("Action",)),
        Column("side", ("Action",), _ACTION),
        Column("amount", ("Amount",), SIZE),
        Column("_unit", ("Trading Unit",)),
        Column("price", ("Filled Price",), NUMBER),
        Column("_fee", ("Fee",), NUMBER),
        Column("fee_currency", ("Fee Unit",)),
        Column("_moved", ("Balance Unit",), needed=False),
    ),
    others=(
        *("PnL", "Position Change", "Position Balance", "Position Unit", "Balance Change", "Balance"),
        *("Filled Price Unit", "Filled_price-USD", "Pnl-USD", "Fee-USD", "Balance-USD", "Balance_change-USD"),
    ),
    quirks=(history,),
    tells_markets=True,
)

OLD = Importer(
    name="okx-okex",
    title="OKEx trade list",
    exchange="okx",
    where="kept from then: Trade ID, Trade Time, Pairs, an amount whose sign is the side",
    columns=(
        Column("id", ("Trade ID",)),
        Column("order", ("Order ID",), needed=False),
        Column("timestamp", ("Trade Time",), TIME),
        Column("_pair", ("Pairs",)),
        Column("_amount", ("Amount",), NUMBER),
        Column("price", ("Price",), NUMBER),
        Column("_total", ("Total",), needed=False),
        Column("taker_or_maker", ("taker/maker",), needed=False),
        Column("_fee", ("Fee",), needed=False),
        Column("fee_currency", ("unit",), needed=False),
    ),
    quirks=(name_spot, listed),
)

LIST = Importer(
    name="okx-trades",
    title="OKX trade list",
    exchange="okx",
    where="Order center, Trades, Export",
    columns=(
        Column("order", ("Order ID",)),
        Column("id", ("Trade ID",)),
        Column("timestamp", ("Trade Time",), TIME),
        Column("_pair", ("Pair",)),
        Column("side", ("Side",), SIDE),
        Column("price", ("Price",), NUMBER),
        Column("amount", ("Amount",), SIZE),
        Column("cost", ("Total",), SIZE, needed=False),
        Column("fee_cost", ("Fee",), SIZE, needed=False),
        Column("fee_currency", ("Fee Currency",), needed=False),
    ),
    quirks=(name_spot,),
)

IMPORTERS = (HISTORY, OLD, LIST)
_INSTEAD = "export the trading history instead (Assets, Report center, Trading account)"
STRANGERS = (
    Stranger(title="OKX funding history", columns=("Before Balance", "After Balance"), instead=_INSTEAD),
    Stranger(
        title="OKX position history", columns=("Average Open Price", "Average Close Price"), instead=_INSTEAD
    ),
)
