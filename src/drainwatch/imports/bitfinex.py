"""Bitfinex's trades: `AMOUNT` above 0 bought, below 0 sold; a fee below 0 was paid. UTC."""

from __future__ import annotations

import re
from typing import Final

from drainwatch.imports.convert import NUMBER, TURNED
from drainwatch.imports.dates import SHORT_TIME
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.work import Work

COINS: Final = {
    "ALG": "ALGO", "AMP": "AMPL", "ATO": "ATOM", "DAT": "DATA", "DOG": "MDOGE", "DSH": "DASH", "EUS": "EURS",
    "EUT": "EURT", "IOT": "IOTA", "LUNA": "LUNC", "LUNA2": "LUNA", "MNA": "MANA", "QSH": "QASH",
    "QTM": "QTUM", "RBT": "RBTC", "STJ": "STORJ", "TSD": "TUSD", "UDC": "USDC", "UST": "USDT", "VSY": "VSYS",
    "WAX": "WAXP", "XCH": "XCHF",
}  # fmt: skip
"""Coins that only Bitfinex calls so, and what ccxt calls them: UST is Tether there."""

PERPETUAL: Final = "F0"
"""How the coins of a perpetual's pair end: `BTCF0/USTF0`."""

_PAIR = re.compile(r"t?(?:([A-Z0-9]{2,})[/:]([A-Z0-9]{2,})|([A-Z0-9]{3})([A-Z0-9]{3}))", re.ASCII)


def coin(name: str | None) -> str | None:
    """Call a coin what ccxt calls it."""
    if name is None:
        return None
    bare = name.removesuffix(PERPETUAL)
    return COINS.get(bare, bare)


def symbol_of(pair: str | None) -> str | None:
    """Write a pair as ccxt does: `BTC/UST` is BTC/USDT, `BTCF0/USTF0` BTC/USDT:USDT; others stay."""
    found = _PAIR.fullmatch(pair or "")
    if found is None:
        return pair
    base, quote = found[1] or found[3], found[2] or found[4]
    symbol = f"{coin(base)}/{coin(quote)}"
    return f"{symbol}:{coin(quote)}" if base.endswith(PERPETUAL) else symbol


def _sides(work: Work) -> None:
    """The sign of an amount is the side."""
    signed = work.texts("amount")
    work.set("side", [None if text is None else "sell" if text.startswith("-") else "buy" for text in signed])
    work.set("amount", [text and text.lstrip("-") for text in signed])


def _names(work: Work) -> None:
    work.each("symbol", ["symbol"], symbol_of)
    work.each("fee_currency", ["fee_currency"], coin)


IMPORTERS = (
    Importer(
        name="bitfinex",
        title="Bitfinex trades",
        exchange="bitfinex",
        where="Wallet, Reports, Trades, Export as CSV",
        columns=(
            Column("id", ("#", "ID")),
            Column("symbol", ("PAIR",)),
            Column("amount", ("AMOUNT",), NUMBER),
            Column("price", ("PRICE",), NUMBER),
            Column("fee_cost", ("FEE",), TURNED),
            Column("fee_currency", ("FEE CURRENCY",)),
            Column("timestamp", ("DATE",), SHORT_TIME),
            Column("order", ("ORDER ID",)),
        ),
        others=("FEE PERC",),
        quirks=(_sides, _names),
    ),
)
STRANGERS = (
    Stranger(
        title="Bitfinex ledgers",
        columns=("DESCRIPTION", "CURRENCY", "AMOUNT", "BALANCE", "DATE", "WALLET"),
        instead="export Wallet, Reports, Trades instead",
    ),
    Stranger(
        title="Bitfinex movements",
        columns=("CURRENCY", "STATUS", "AMOUNT", "FEES", "DESCRIPTION"),
        instead="export Wallet, Reports, Trades instead",
    ),
)
