"""BitMEX's trade history: contracts, money in the smallest unit of a coin, bitcoin called XBT. UTC.

A contract is worth what `execCost` says, so no list of contracts is needed: that gives each fill's `cost`.
Inverse contracts (XBTUSD) are a dollar each. Quanto contracts (ETHUSD, paid in bitcoin) pay in another
coin than their price is in: what a bad price cost can't be said in either, so they are counted and left out.
"""

from __future__ import annotations

import re
from calendar import FRIDAY, monthrange
from datetime import date
from typing import Final

from drainwatch.imports.convert import NUMBER, SIDE, TIME, TYPE, words
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import contract
from drainwatch.imports.work import Work

QUANTO: Final = "quanto contract (not judged)"
"""What fills that can't be reckoned are counted as."""

FILL: Final = "trade"
"""`execType` of fills, in lower case; Funding and Settlement aren't any."""

UNITS: Final = {"xbt": ("BTC", 8), "usdt": ("USDT", 6), "usdc": ("USDC", 6), "eth": ("ETH", 9)}
"""What money is settled in, by `settlCurrency` in lower case, and the decimals of its smallest unit."""

LIQUIDATED: Final = re.compile(r"liquidation|deleverag|settlement", re.IGNORECASE)
"""In `text`, of orders that the venue made itself."""

_MONTHS: Final = "FGHJKMNQUVXZ"
"""Letters of the months of delivery, January first."""
_SYMBOL = re.compile(
    rf"([A-Z0-9]{{2,}}?)(?:_?)(USDT|USDC|USD|EUR|XBT|ETH)?(?:_ETH)?(?:([{_MONTHS}])(\d\d))?", re.ASCII
)
_SPOT = re.compile(r"([A-Z0-9]{2,})_(USDT|USDC|USD|XBT|ETH)", re.ASCII)


def coin(name: str) -> str:
    """Call a coin what ccxt calls it."""
    return "BTC" if name == "XBT" else name


def symbol_of(venue: str | None) -> str | None:
    """Write a market as ccxt does: `XBTUSD` is BTC/USD:BTC, `ETHUSDT` ETH/USDT:USDT, `XBT_USDT` BTC/USDT.

    A contract in dollars that isn't of bitcoin settles in bitcoin, and so does one of another coin in XBT.
    None where it is no market.
    """
    venue = venue or ""
    spot = _SPOT.fullmatch(venue)
    if spot is not None:
        return f"{coin(spot[1])}/{coin(spot[2])}"
    found = _SYMBOL.fullmatch(venue)
    if found is None:
        return None
    base, quote, month, year = found.groups()
    if quote is None:  # XBTZ25 is in dollars, ADAZ20 in bitcoin
        if month is None:
            return None
        quote = "USD" if base == "XBT" else "XBT"
    settle = quote if quote in {"USDT", "USDC"} else "XBT"
    until = last_friday(2000 + int(year), _MONTHS.index(month) + 1) if month else None
    return contract(coin(base), coin(quote), coin(settle), until)


def last_friday(year: int, month: int) -> str:
    """Write the day of delivery as ccxt does."""
    last = monthrange(year, month)[1]
    return f"{date(year, month, last - (date(year, month, last).weekday() - FRIDAY) % 7):%y%m%d}"


def _is_quanto(symbol: str) -> bool:
    pair, _, settle = symbol.partition(":")
    return bool(settle) and settle.split("-")[0] not in pair.split("/")


def _fills(work: Work) -> None:
    """Leave out what is no fill, and what can't be reckoned."""
    kinds: list[str | None] = []
    for kind, symbol in zip(work.texts("_kind"), work.texts("symbol"), strict=True):
        if kind is not None and kind.casefold() != FILL:
            kinds.append(kind)
        else:
            kinds.append(QUANTO if _is_quanto(symbol_of(symbol) or "") else None)
    work.leave(kinds)
    work.each("symbol", ["symbol"], lambda venue: symbol_of(venue) or venue)


def settled_in(symbol: str | None, told: str | None) -> tuple[str, int] | None:
    """Say which coin a fill's money is counted in, and with how many decimals; None where nobody knows."""
    if told:
        return UNITS.get(told.casefold())
    settle = (symbol or "").partition(":")[2].split("-")[0] or (symbol or "").partition("/")[2]
    return next((unit for unit in UNITS.values() if unit[0] == settle), None)


def cost_of(symbol: str | None, told: str | None, amount: str | None, cost: str | None) -> str | None:
    """Say what a fill came to in its quote coin."""
    unit = settled_in(symbol, told)
    if unit is None or not amount or not cost:
        return None
    name, decimals = unit
    pair = (symbol or "").partition(":")[0]
    base, _, quote = pair.partition("/")
    if quote == name:
        return repr(abs(float(cost)) / 10**decimals)
    return amount if base == name and ":" in (symbol or "") else None  # an inverse contract is 1 quote unit


def size_of(symbol: str | None, price: str | None, amount: str | None, cost: str | None) -> str | None:
    """Say how much a fill was of: contracts as they are, spot in coins instead of smallest units."""
    if ":" in (symbol or "") or not price or not cost:
        return amount
    value = float(price)
    return repr(float(cost) / value) if value > 0 else amount


def fee_of(symbol: str | None, told: str | None, fee: str | None) -> str | None:
    """Write a fee in whole coins."""
    unit = settled_in(symbol, told)
    return repr(float(fee) / 10 ** unit[1]) if unit is not None and fee else None


def _money(work: Work) -> None:
    """Bring `execCost` and `execComm` from satoshis and the like to coins, and tell the contracts."""
    work.each("cost", ["symbol", "_settled", "amount", "_cost"], cost_of)
    work.each("amount", ["symbol", "price", "amount", "cost"], size_of)
    work.each("fee_cost", ["symbol", "_settled", "_fee"], fee_of)
    work.each("fee_currency", ["symbol", "_settled"], lambda *of: (settled_in(*of) or (None,))[0])
    for symbol in {s for s in work.texts("symbol") if s and ":" in s}:
        pair, _, settle = symbol.partition(":")
        if pair.partition("/")[0] == settle.split("-")[0]:
            work.tally.markets[symbol] = {"symbol": symbol, "contract_size": 1.0, "inverse": True}


def _forced(work: Work) -> None:
    work.each(
        "drainwatch_forced", ["_text"], lambda text: "true" if text and LIQUIDATED.search(text) else None
    )


_LIQUIDITY = words(
    {"maker": ("addedliquidity",), "taker": ("removedliquidity",)},
    "AddedLiquidity or RemovedLiquidity",
    lenient=True,
)

IMPORTERS = (
    Importer(
        name="bitmex",
        title="BitMEX trade history",
        exchange="bitmex",
        where="Trade History, Save as CSV; or execution/tradeHistory of the API as CSV",
        columns=(
            Column("timestamp", ("transactTime", "timestamp"), TIME),
            Column("symbol", ("symbol",)),
            Column("side", ("side",), SIDE),
            Column("amount", ("lastQty",), NUMBER),
            Column("price", ("lastPx",), NUMBER),
            Column("_kind", ("execType",)),
            Column("_cost", ("execCost",), NUMBER),
            Column("_fee", ("execComm",), NUMBER),
            Column("_settled", ("settlCurrency",), needed=False),
            Column("_text", ("text",), needed=False),
            Column("type", ("ordType",), TYPE, needed=False),
            Column("taker_or_maker", ("lastLiquidityInd",), _LIQUIDITY, needed=False),
            Column("order", ("orderID",)),
            Column("client_order_id", ("clOrdID",), needed=False),
            Column("id", ("execID", "trdMatchID"), needed=False),
        ),
        others=(
            "commission",
            "orderQty",
            "leavesQty",
            "price",
            "account",
            "trdMatchID",
            "timestamp",
            "cumQty",
        ),
        marks=("execComm",),
        quirks=(_fills, _money, _forced),
        tells_markets=True,
        note="Quanto contracts of BitMEX, such as ETHUSD, pay in another coin than their price is in: their "
        "fills are counted, but not judged.",
    ),
)
STRANGERS = (
    Stranger(
        title="BitMEX wallet history",
        columns=("transactTime", "transactType", "amount", "walletBalance"),
        instead="it has each day's sums, not the fills; export Trade History instead",
    ),
)
