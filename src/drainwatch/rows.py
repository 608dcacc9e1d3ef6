"""Rows of the contract's tables one at a time, as streams give them.

What a venue, a socket or a bot's database tells becomes one of these; from here on nobody knows where
it came from. Fills keep the exact strings of their numbers, for evidence; market rows are floats.
None means absent. Times are ns since the epoch, UTC, at the venue.
"""

from __future__ import annotations

from msgspec import Struct


class Fill(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="fill"):
    """An execution of the account's own (`fills`)."""

    exchange: str
    account: str
    symbol: str
    """Unified as ccxt does: `ETH/BTC`, `BTC/USDT:USDT`."""
    id: str
    ts_ns: int
    side: str
    """`buy` or `sell`, of the account."""
    price: str
    """Quote per base, exactly as the venue wrote it."""
    amount: str
    """Base units; contracts for a derivative."""
    cost: str | None = None
    """Quote units; None unless the venue's figure is in the quote currency for sure."""
    order: str | None = None
    client_order_id: str | None = None
    type: str | None = None
    """`market` or `limit`."""
    taker_or_maker: str | None = None
    fee_cost: str | None = None
    """Cost positive, a rebate negative, whatever sign the venue uses."""
    fee_currency: str | None = None
    counterparty: str | None = None
    maker_order: str | None = None
    taker_order: str | None = None
    mark: str | None = None
    """Mark or index price in the venue's own message."""
    forced: bool = False
    """The venue closed the position: liquidation, auto-deleveraging, settlement."""

    @property
    def key(self) -> tuple[str, str, str, str, str | None, str]:
        """What makes it the same fill, however often it is told."""
        return self.exchange, self.account, self.symbol, self.id, self.order, self.side


class Trade(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="trade"):
    """A public print (`trades`)."""

    exchange: str
    symbol: str
    ts_ns: int
    price: float
    amount: float
    id: str | None = None
    side: str | None = None
    """Of the taker."""
    buyer: str | None = None
    seller: str | None = None
    maker_order: str | None = None
    taker_order: str | None = None


class Quote(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="quote"):
    """Best bid and ask at a change (`quotes`)."""

    exchange: str
    symbol: str
    ts_ns: int
    bid: float
    ask: float
    bid_size: float | None = None
    ask_size: float | None = None


class Candle(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="candle"):
    """A closed candle (`candles`); `ts_ns` is its opening."""

    exchange: str
    symbol: str
    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    length_ns: int = 60_000_000_000


class Balance(
    Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="balance"
):
    """All that the account holds of a currency from then on (`balances`)."""

    exchange: str
    account: str
    currency: str
    ts_ns: int
    total: float


class BotOrder(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="order"):
    """An order that the owner's own bot says it placed (`orders`)."""

    account: str
    order: str | None = None
    client_order_id: str | None = None
    ts_ns: int = 0


class Market(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="row", tag="market"):
    """What a venue's list says of a market (`markets`)."""

    exchange: str
    symbol: str
    venue_symbol: str
    """As the venue's own messages call it: `ETHBTC`, `BTC-USDT-SWAP`."""
    base: str
    quote: str
    settle: str = ""
    contract_size: float | None = None
    inverse: bool = False
    tick_size: float | None = None


Row = Fill | Trade | Quote | Candle | Balance | BotOrder | Market
"""Any of them."""
