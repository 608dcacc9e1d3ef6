"""Hyperliquid's `trade_history.csv`: the direction is in words, dates are as the browser writes them.

A coin alone is its perpetual, a pair is a spot market. The page's file has neither ids nor fee coins.
"""

from __future__ import annotations

import re
from typing import Final

from drainwatch.imports.convert import NUMBER
from drainwatch.imports.dates import BROWSER_TIME
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import contract
from drainwatch.imports.work import Work

SIDES: Final = {
    "buy": "buy", "open long": "buy", "close short": "buy", "short > long": "buy",
    "sell": "sell", "open short": "sell", "close long": "sell", "long > short": "sell",
    "liquidated cross short": "buy", "liquidated isolated short": "buy",
    "liquidated cross long": "sell", "liquidated isolated long": "sell",
    "spot dust conversion": "sell",
}  # fmt: skip
"""`dir` in lower case, and which side it is. What isn't here doesn't tell: the venue did it itself."""

FORCED: Final = ("liquidated", "spot dust")
"""How `dir` begins, in lower case, of fills that the venue made itself."""

QUOTE: Final = "USDC"

_COIN = re.compile(r"(?:[a-z0-9]+:)?[A-Za-z0-9$.\-]+", re.ASCII)


def symbol_of(coin: str | None) -> str | None:
    """Write a market as ccxt does: `kPEPE` is KPEPE/USDC:USDC, `xyz:GOLD` is XYZ-GOLD/...; a pair stays."""
    if coin is None or coin.startswith("@"):
        return coin
    if "/" in coin or not _COIN.fullmatch(coin):
        return coin
    return contract(coin.replace(":", "-").upper(), QUOTE, QUOTE)


def _directions(work: Work) -> None:
    """Read the direction, and leave out what has none."""
    told = [text and " ".join(text.casefold().split()) for text in work.texts("_dir")]
    work.leave([text.replace("_", " ") if text and text not in SIDES else None for text in told])
    work.set("side", [SIDES.get(text or "") for text in told])
    work.set("drainwatch_forced", ["true" if text and text.startswith(FORCED) else None for text in told])


def _markets(work: Work) -> None:
    work.each("symbol", ["symbol"], symbol_of)
    work.each("fee_currency", ["fee_currency", "symbol"], lambda coin, _: coin or QUOTE)


IMPORTERS = (
    Importer(
        name="hyperliquid",
        title="Hyperliquid trade history",
        exchange="hyperliquid",
        where="Trade History, Export as CSV",
        columns=(
            Column("timestamp", ("time",), BROWSER_TIME),
            Column("symbol", ("coin",)),
            Column("_dir", ("dir",)),
            Column("price", ("px",), NUMBER),
            Column("amount", ("sz",), NUMBER),
            Column("cost", ("ntl",), NUMBER, needed=False),
            Column("fee_cost", ("fee",), NUMBER, needed=False),
            Column("fee_currency", ("feeToken",), needed=False),
            Column("id", ("tid",), needed=False),
            Column("order", ("oid",), needed=False),
            Column("client_order_id", ("cloid",), needed=False),
        ),
        others=("closedPnl", "hash", "startPosition", "crossed", "side", "builderFee", "twapId"),
        quirks=(_directions, _markets),
        note="Hyperliquid's page writes times as the browser's clock shows them: they are taken for UTC, "
        "unless --timezone says otherwise.",
    ),
)
STRANGERS = (
    Stranger(
        title="Hyperliquid funding history",
        columns=("time", "coin", "sz", "side", "payment", "rate"),
        instead="export Trade History instead",
    ),
)
