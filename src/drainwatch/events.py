"""The events that go through the conveyor, as rows of two numpy record arrays, and their names.

Market rows (`ROW`) and fills (`FILL`) hold numbers only, so that one compiled kernel takes one
event as it takes a million. Strings live in `Names` (markets, accounts, currencies: small) and in
`FillKeys` (ids of the fills in hand). Ids are carried as 64-bit hashes (`normalise.hash_ids`); 0
means absent. NaN means absent in float fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Kind(IntEnum):
    """What a market row is."""

    TRADE = 0
    QUOTE = 1
    CANDLE = 2
    BALANCE = 3
    ORDER = 4


class OrderType(IntEnum):
    """The `type` of a fill's order."""

    UNKNOWN = 0
    MARKET = 1
    LIMIT = 2


class Liquidity(IntEnum):
    """The `taker_or_maker` of a fill."""

    UNKNOWN = 0
    TAKER = 1
    MAKER = 2


FORCED = 1
"""Bit in `flags` of a fill: the venue closed the position (liquidation, ADL, settlement)."""

ROW = np.dtype(
    [
        ("ts_ns", "i8"),  # when it became known: for a candle its close, unless it was told later
        ("kind", "i1"),  # Kind
        ("side", "i1"),  # TRADE: of the taker, +1 buy, -1 sell, 0 unknown
        ("market", "i4"),  # code in Names, -1 for BALANCE and ORDER
        ("account", "i4"),  # BALANCE and ORDER; else -1
        ("currency", "i4"),  # BALANCE; else -1
        ("a", "f8"),  # TRADE price, QUOTE bid, CANDLE open, BALANCE total
        ("b", "f8"),  # TRADE amount, QUOTE ask, CANDLE high
        ("c", "f8"),  # QUOTE bid size, CANDLE low
        ("d", "f8"),  # QUOTE ask size, CANDLE close
        ("e", "f8"),  # CANDLE volume
        ("duration_ns", "i8"),  # CANDLE length
        ("id", "u8"),  # TRADE id, ORDER order id; CANDLE its close, ns, where it was told later, else 0
        ("client", "u8"),  # ORDER client order id
        ("taker_order", "u8"),
        ("maker_order", "u8"),
        ("buyer", "u8"),
        ("seller", "u8"),
    ],
    align=True,
)
"""One market, balance or order-log row."""

FILL = np.dtype(
    [
        ("ts_ns", "i8"),
        ("market", "i4"),
        ("account", "i4"),
        ("fee_currency", "i4"),  # -1 where absent
        ("side", "i1"),  # +1 buy, -1 sell, of the account
        ("type", "i1"),  # OrderType
        ("liquidity", "i1"),  # Liquidity
        ("flags", "u1"),  # FORCED
        ("price", "f8"),  # quote per base, > 0
        ("amount", "f8"),  # base units or contracts, > 0
        ("cost", "f8"),  # quote units, NaN where absent
        ("fee_cost", "f8"),  # fee currency units, cost positive, NaN where absent
        ("mark", "f8"),  # mark or index price in the venue's own message, NaN where absent
        ("id", "u8"),
        ("order", "u8"),
        ("client", "u8"),
        ("client_prefix", "u8"),  # of the client id's leading letters and punctuation
        ("counterparty", "u8"),
        ("maker_order", "u8"),
        ("taker_order", "u8"),
    ],
    align=True,
)
"""One fill of an account's own."""


class MarketSpec(NamedTuple):
    """What is known of a market beside its prices. NaN or None means not told."""

    exchange: str
    symbol: str
    base: str
    quote: str
    settle: str
    contract_size: float
    inverse: bool
    tick_size: float

    @property
    def is_derivative(self) -> bool:
        """True for a perpetual or future (its symbol names what it settles in)."""
        return bool(self.settle)


@dataclass(slots=True)
class Names:
    """Codes of exchanges' markets, accounts and currencies: dense, from 0, in order of first use.

    No outcome depends on the codes themselves: they number arrays, no more.
    """

    markets: list[MarketSpec] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    currencies: list[str] = field(default_factory=list)
    _market_codes: dict[tuple[str, str], int] = field(default_factory=dict)
    _account_codes: dict[str, int] = field(default_factory=dict)
    _currency_codes: dict[str, int] = field(default_factory=dict)

    def market(self, exchange: str, symbol: str) -> int:
        """Code of a market; a new one is made from what its ccxt symbol says."""
        code = self._market_codes.get((exchange, symbol))
        if code is None:
            code = self.add_market(spec_from_symbol(exchange, symbol))
        return code

    def add_market(self, spec: MarketSpec) -> int:
        """Add a market, or replace what was known of it; returns its code."""
        key = (spec.exchange, spec.symbol)
        code = self._market_codes.get(key)
        if code is None:
            code = len(self.markets)
            self._market_codes[key] = code
            self.markets.append(spec)
        else:
            self.markets[code] = spec
        self.currency(spec.base)
        self.currency(spec.quote)
        return code

    def account(self, account: str) -> int:
        """Code of an account: by name alone, as balances and order logs name no exchange."""
        code = self._account_codes.get(account)
        if code is None:
            code = len(self.accounts)
            self._account_codes[account] = code
            self.accounts.append(account)
        return code

    def replace(self, other: Names) -> None:
        """Take over another registry's names and codes."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def currency(self, currency: str) -> int:
        """Code of a currency."""
        code = self._currency_codes.get(currency)
        if code is None:
            code = len(self.currencies)
            self._currency_codes[currency] = code
            self.currencies.append(currency)
        return code


def spec_from_symbol(exchange: str, symbol: str) -> MarketSpec:
    """Read a ccxt unified symbol: `ETH/BTC`, `BTC/USDT:USDT`, `BTC/USD:BTC-260925`.

    A derivative that settles in its base is inverse. A symbol without a slash is all base.
    """
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    settle = settle.split("-", 1)[0]
    return MarketSpec(
        exchange, symbol, base, quote, settle, float("nan"), bool(settle) and settle == base, float("nan")
    )


class FillKey(NamedTuple):
    """How incidents name a fill."""

    symbol: str
    id: str
    order: str | None
    side: str


@dataclass(slots=True)
class Batch:
    """Events in order: the rows by time, the fills by time and key; rows come first at equal times.

    `ids` and `orders` are the strings of the fills (object arrays; an absent order is None).
    """

    rows: NDArray[np.void]
    fills: NDArray[np.void]
    ids: NDArray[np.object_]
    orders: NDArray[np.object_]

    @classmethod
    def empty(cls) -> Batch:
        """A batch without events."""
        none = np.empty(0, dtype=object)
        return cls(np.empty(0, ROW), np.empty(0, FILL), none, none)
