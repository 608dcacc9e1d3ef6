"""Exports of Kraken: `trades.csv`; its ledgers hold halves of trades and no prices."""

from __future__ import annotations

from drainwatch.imports.convert import LIQUIDITY, NUMBER, SIDE, SIZE, TIME, TYPE
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import QUOTES, split_pair
from drainwatch.imports.work import Work

_NAMES = {"XBT": "BTC", "XDG": "DOGE", "XXBT": "BTC", "XXDG": "DOGE"}
_CODES = """
XETC XETH XLTC XMLN XREP XXBT XXDG XXLM XXMR XXRP XZEC XICN XDAO XNMC XXVN ZAUD ZCAD ZEUR ZGBP ZJPY ZUSD ZKRW
"""
_LONG = frozenset(_CODES.split())
"""Kraken's first coins and currencies, whose codes begin with X or Z."""


def coin(code: str) -> str:
    """Give a coin's usual name: `XXBT` and `XBT` are BTC, `ZEUR` is EUR."""
    code = code.upper().partition(".")[0]
    return _NAMES.get(code, code[1:] if code in _LONG else code)


def name_pair(pair: str | None) -> str | None:
    """Name a market from `XXBTZUSD`, `XBTUSDT`, `DOTEUR`, `BTC/USD`; others stay as they are."""
    if pair is None:
        return None
    text = pair.strip().upper()
    if "/" in text:
        base, _, quote = text.partition("/")
        return f"{coin(base)}/{coin(quote)}"
    if len(text) == 8 and text[:4] in _LONG and text[4:] in _LONG:
        return f"{coin(text[:4])}/{coin(text[4:])}"
    if len(text) == 8 and text[-4:] in _LONG and text[-4] == "Z":  # USDTZUSD, but not XTZUSD
        return f"{coin(text[:-4])}/{coin(text[-4:])}"
    found = split_pair(text, _KRAKEN_QUOTES)
    return f"{coin(found[0])}/{coin(found[1])}" if found else pair


_KRAKEN_QUOTES = QUOTES | {"XBT"}


def kraken(work: Work) -> None:
    """Name markets; a fee is in the quote currency."""
    work.each("symbol", ["_pair"], name_pair)
    work.each("fee_currency", ["symbol"], lambda symbol: (symbol or "").partition("/")[2] or None)


TRADES = Importer(
    name="kraken",
    title="Kraken trades",
    exchange="kraken",
    where="History, Export, Trades, all fields, CSV",
    columns=(
        Column("id", ("txid",)),
        Column("order", ("ordertxid",)),
        Column("_pair", ("pair",)),
        Column("timestamp", ("time",), TIME),
        Column("side", ("type",), SIDE),
        Column("type", ("ordertype",), TYPE, needed=False),
        Column("price", ("price",), NUMBER),
        Column("cost", ("cost",), SIZE, needed=False),
        Column("fee_cost", ("fee",), NUMBER, needed=False),
        Column("amount", ("vol",), SIZE),
        Column("taker_or_maker", ("maker",), LIQUIDITY, needed=False),
    ),
    others=(
        *("aclass", "subclass", "margin", "misc", "ledgers", "costusd", "postxid", "posttxid", "posstatus"),
        *("posstatuscode", "cprice", "ccost", "cfee", "cvol", "cmargin", "net", "trades", "leverage"),
    ),
    quirks=(kraken,),
)

IMPORTERS = (TRADES,)
STRANGERS = (
    Stranger(
        title="Kraken ledger",
        columns=("txid", "refid", "time", "type", "asset", "amount", "balance"),
        instead="export the trades instead (History, Export, Trades)",
    ),
)
