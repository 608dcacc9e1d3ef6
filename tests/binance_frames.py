"""Binance's markets and messages, for the tests of its streams."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from drainwatch.rows import Market
from drainwatch.venues.protocol import Reading, Symbols

NOW_NS = 1_709_654_401_050_000_000
SECOND_NS = 1_000_000_000


def spot_markets() -> Symbols:
    return Symbols(
        [
            Market(
                exchange="binance",
                symbol=f"{base}/{quote}",
                venue_symbol=base + quote,
                base=base,
                quote=quote,
            )
            for base, quote in [
                ("ETH", "BTC"),
                ("ETH", "USDT"),
                ("BTC", "USDT"),
                ("BNB", "USDT"),
                ("BNB", "BTC"),
            ]
        ]
    )


def usdm_markets() -> Symbols:
    return Symbols(
        [
            Market(
                exchange="binanceusdm",
                symbol=f"{base}/USDT:USDT",
                venue_symbol=f"{base}USDT",
                base=base,
                quote="USDT",
                settle="USDT",
                contract_size=1,
            )
            for base in ("BTC", "ETH", "BNB")
        ]
    )


def coinm_markets() -> Symbols:
    return Symbols(
        [
            Market(
                exchange="binancecoinm",
                symbol="ETH/USD:ETH",
                venue_symbol="ETHUSD_PERP",
                base="ETH",
                quote="USD",
                settle="ETH",
                contract_size=10,
                inverse=True,
            )
        ]
    )


def frame(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def sent(reading: Reading) -> list[dict[str, Any]]:
    return [json.loads(text) for text in reading.send]


def silent(reading: Reading, but: Collection[str] = ()) -> bool:
    """Whether a reading says nothing, except in the fields of `but`."""
    empty = Reading()
    return all(
        name in but or getattr(reading, name) == getattr(empty, name) for name in Reading.__struct_fields__
    )
