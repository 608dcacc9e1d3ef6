"""Every export that can be read, and those that are known to hold no fills."""

from __future__ import annotations

from drainwatch.imports import binance, bybit, coinbase, kraken, kucoin, okx
from drainwatch.imports.importer import Importer, Stranger

_ROOMS = (binance, bybit, coinbase, kraken, kucoin, okx)

IMPORTERS: tuple[Importer, ...] = tuple(importer for room in _ROOMS for importer in room.IMPORTERS)
STRANGERS: tuple[Stranger, ...] = tuple(stranger for room in _ROOMS for stranger in room.STRANGERS)
