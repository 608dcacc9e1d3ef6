"""Every export that can be read, and those that are known to hold no fills."""

from __future__ import annotations

from drainwatch.imports import (
    backtest,
    binance,
    bitfinex,
    bitget,
    bitmex,
    bitstamp,
    bybit,
    ccxt_trades,
    coinbase,
    freqtrade,
    gate,
    hummingbot,
    hyperliquid,
    kraken,
    kucoin,
    okx,
)
from drainwatch.imports.importer import Importer, Stranger

_EXCHANGES = (
    binance, bybit, coinbase, kraken, kucoin, okx, bitget, gate, bitstamp, bitfinex, bitmex, hyperliquid,
)  # fmt: skip
_BOTS = (ccxt_trades, freqtrade, backtest, hummingbot)
_ROOMS = (*_EXCHANGES, *_BOTS)

IMPORTERS: tuple[Importer, ...] = tuple(importer for room in _ROOMS for importer in room.IMPORTERS)
STRANGERS: tuple[Stranger, ...] = tuple(stranger for room in _ROOMS for stranger in room.STRANGERS)
