"""Binance's messages, as far as they are read; `binance_rows` says what they mean.

Fields keep Binance's own one-letter names in `field(name=...)`. What isn't named here is skipped by the
decoder; what is named and isn't as expected makes the whole message bad.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

Millis = Annotated[int, Meta(gt=0, lt=9_000_000_000_000)]
"""A time that fits an int64 of ns: until the year 2255."""
HUGE: Final = 1e300
NotNegative = Annotated[float, Meta(ge=0, lt=HUGE)]
Finite = Annotated[float, Meta(gt=-HUGE, lt=HUGE)]
Text = Annotated[str, Meta(min_length=1, max_length=64)]
Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Side = Literal["BUY", "SELL"]

# --- private: spot ---------------------------------------------------------------------------------


class ExecutionReport(Struct, tag_field="e", tag="executionReport"):
    """An order changed; a fill where `execution` is `TRADE`."""

    event_ms: Millis = field(name="E")
    venue_symbol: Text = field(name="s")
    client: str = field(name="c")
    side: Side = field(name="S")
    type: str = field(name="o")
    execution: str = field(name="x")
    order: int = field(name="i")
    amount: str = field(name="l")
    price: str = field(name="L")
    time_ms: Millis = field(name="T")
    trade: int = field(name="t")
    maker: bool = field(name="m")
    cost: str | None = field(name="Y", default=None)
    fee: str | None = field(name="n", default=None)
    fee_currency: str | None = field(name="N", default=None)
    original: str = field(name="C", default="")


SPOT_NO_FILLS: Final = frozenset(
    {"NEW", "CANCELED", "REPLACED", "REJECTED", "EXPIRED", "TRADE_PREVENTION", "PENDING_CANCEL"}
)
"""Execution types that move nothing."""


class SpotHolding(Struct):
    """A currency of `outboundAccountPosition`."""

    currency: Text = field(name="a")
    free: NotNegative = field(name="f")
    locked: NotNegative = field(name="l")


class AccountPosition(Struct, tag_field="e", tag="outboundAccountPosition"):
    """All of some currencies, after a change."""

    event_ms: Millis = field(name="E")
    updated_ms: Millis = field(name="u")
    holdings: list[SpotHolding] = field(name="B")


class StreamTerminated(Struct, tag_field="e", tag="eventStreamTerminated"):
    """The venue ended the subscription; the socket stays open and silent."""


class ServerShutdown(Struct, tag_field="e", tag="serverShutdown"):
    """The server will end the connection within ten minutes."""


SPOT_IGNORED: Final = {
    "balanceUpdate": "a difference, of a deposit or a transfer; outboundAccountPosition tells the total",
    "listStatus": "of an order list; its orders are reported one by one",
    "externalLockUpdate": "what another product locked, a part of the total",
}
"""Spot user events that are left out, each with why."""

SpotEvent = ExecutionReport | AccountPosition | StreamTerminated | ServerShutdown


class Problem(Struct):
    """Why a request failed."""

    code: int
    msg: str = ""


class ReplyResult(Struct):
    """What replies tell, of all requests together."""

    server_ms: Millis | UnsetType = field(name="serverTime", default=UNSET)
    key: str | UnsetType | None = field(name="apiKey", default=UNSET)


class SpotFrame(Struct):
    """A frame of the websocket API: an event or a reply."""

    event: SpotEvent | UnsetType = UNSET
    bare: str | UnsetType = field(name="e", default=UNSET)
    """Kind of an event that comes without the envelope."""
    id: str | int | None = None
    status: int | UnsetType = UNSET
    result: ReplyResult | None = None
    error: Problem | None = None


class EventKind(Struct):
    """Only the kind of an event."""

    e: str


class EnvelopedKind(Struct):
    """Only the kind of an event, wrapped or not."""

    event: EventKind | UnsetType = UNSET
    data: EventKind | UnsetType = UNSET
    e: str | UnsetType = UNSET

    @property
    def kind(self) -> str | None:
        """Kind of the event; None if the frame is none."""
        for wrapped in (self.event, self.data):
            if wrapped is not UNSET and wrapped is not None:
                return wrapped.e
        return None if self.e is UNSET else self.e


# --- private: futures ------------------------------------------------------------------------------


class FuturesOrder(Struct):
    """The order in `ORDER_TRADE_UPDATE`; a fill where `execution` is `TRADE` or `CALCULATED`."""

    venue_symbol: Text = field(name="s")
    client: str = field(name="c")
    side: Side = field(name="S")
    type: str = field(name="o")
    execution: str = field(name="x")
    order: int = field(name="i")
    amount: str = field(name="l")
    price: str = field(name="L")
    time_ms: Millis = field(name="T")
    trade: int = field(name="t")
    maker: bool = field(name="m", default=False)
    fee: str | None = field(name="n", default=None)
    fee_currency: str | None = field(name="N", default=None)


FUTURES_NO_FILLS: Final = frozenset(
    {"NEW", "CANCELED", "REJECTED", "EXPIRED", "AMENDMENT", "TRADE_PREVENTION"}
)
"""Execution types that move nothing."""


class OrderTradeUpdate(Struct, tag_field="e", tag="ORDER_TRADE_UPDATE"):
    """An order changed."""

    event_ms: Millis = field(name="E")
    order: FuturesOrder = field(name="o")


class FuturesHolding(Struct):
    """A currency of `ACCOUNT_UPDATE`."""

    currency: Text = field(name="a")
    wallet: Finite = field(name="wb")


class FuturesAccount(Struct):
    """Balances and positions of `ACCOUNT_UPDATE`."""

    holdings: list[FuturesHolding] = field(name="B", default_factory=list)


class AccountUpdate(Struct, tag_field="e", tag="ACCOUNT_UPDATE"):
    """Balances or positions changed."""

    event_ms: Millis = field(name="E")
    time_ms: Millis = field(name="T")
    account: FuturesAccount = field(name="a")


class ListenKeyExpired(Struct, tag_field="e", tag="listenKeyExpired"):
    """The listen key isn't valid any more; nothing follows."""


FUTURES_IGNORED: Final = {
    "TRADE_LITE": "the same fill sooner, with less of it",
    "MARGIN_CALL": "of positions, not of fills",
    "ACCOUNT_CONFIG_UPDATE": "leverage and margin mode",
    "ALGO_UPDATE": "a conditional order; the order it places is reported itself",
    "CONDITIONAL_ORDER_TRADE_UPDATE": "a conditional order; the order it places is reported itself",
    "CONDITIONAL_ORDER_TRIGGER_REJECT": "a conditional order that placed nothing",
    "STRATEGY_UPDATE": "of a strategy; its orders are reported one by one",
    "GRID_UPDATE": "of a grid; its orders are reported one by one",
}
"""Futures user events that are left out, each with why."""

FuturesEvent = OrderTradeUpdate | AccountUpdate | ListenKeyExpired | ServerShutdown


class WrappedFuturesEvent(Struct):
    """An event as combined streams wrap it."""

    data: FuturesEvent


# --- public ----------------------------------------------------------------------------------------


class PublicTrade(Struct):
    """`<symbol>@trade`."""

    venue_symbol: Text = field(name="s")
    trade: Number = field(name="t")
    price: NotNegative = field(name="p")
    amount: NotNegative = field(name="q")
    time_ms: Millis = field(name="T")
    buyer_is_maker: bool = field(name="m")
    event_ms: Millis = field(name="E")
    buyer_order: Number | None = field(name="b", default=None)
    seller_order: Number | None = field(name="a", default=None)
    kind: str = field(name="X", default="MARKET")
    """Futures: `MARKET`, or what was no trade of the market: `INSURANCE_FUND`, `ADL`, `NA`."""


class AggregateTrade(Struct):
    """`<symbol>@aggTrade`: the trades of one taker order at one price."""

    venue_symbol: Text = field(name="s")
    first: Number = field(name="f")
    last: Number = field(name="l")
    price: NotNegative = field(name="p")
    amount: NotNegative = field(name="q")
    time_ms: Millis = field(name="T")
    buyer_is_maker: bool = field(name="m")
    event_ms: Millis = field(name="E")


class BookTicker(Struct):
    """`<symbol>@bookTicker`. On spot it has no time."""

    venue_symbol: Text = field(name="s")
    bid: NotNegative = field(name="b")
    bid_size: NotNegative = field(name="B")
    ask: NotNegative = field(name="a")
    ask_size: NotNegative = field(name="A")
    time_ms: Millis | None = field(name="T", default=None)
    event_ms: Millis | None = field(name="E", default=None)


class TradeFrame(Struct):
    """A print in its envelope."""

    data: PublicTrade


class AggregateFrame(Struct):
    """An aggregated print in its envelope."""

    data: AggregateTrade


class TickerFrame(Struct):
    """A quote in its envelope."""

    data: BookTicker


class PublicFrame(Struct):
    """Any frame of a combined stream: data, a reply to a subscription, or an error."""

    stream: str | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET
    id: int | str | None = None
    result: Raw | UnsetType = UNSET
    error: Problem | None = None
    code: int | None = None
    msg: str = ""
    snapshot: int | UnsetType = field(name="lastUpdateId", default=UNSET)
    """A book as REST gives it."""


PUBLIC_IGNORED: Final = frozenset(
    {
        "depth",
        "kline",
        "ticker",
        "miniTicker",
        "avgPrice",
        "markPrice",
        "forceOrder",
        "rpiDepth",
        "depthUpdate",
        "24hrTicker",
        "24hrMiniTicker",
        "markPriceUpdate",
    }
)
"""Public streams and events that are known and not read: none of them is subscribed to."""


# --- decoders, one a kind --------------------------------------------------------------------------

# Not strict: Binance writes numbers as strings, and C turns them into floats (never `nan`, `1_0`, ` 1`).
spot_frame: Final = Decoder(SpotFrame, strict=False)
spot_event: Final[Decoder[SpotEvent]] = Decoder(SpotEvent, strict=False)
futures_event: Final[Decoder[FuturesEvent]] = Decoder(FuturesEvent, strict=False)
wrapped_futures_event: Final = Decoder(WrappedFuturesEvent, strict=False)
any_kind: Final = Decoder(EnvelopedKind)
trade_frame: Final = Decoder(TradeFrame, strict=False)
aggregate_frame: Final = Decoder(AggregateFrame, strict=False)
ticker_frame: Final = Decoder(TickerFrame, strict=False)
bare_trade: Final = Decoder(PublicTrade, strict=False)
bare_aggregate: Final = Decoder(AggregateTrade, strict=False)
bare_ticker: Final = Decoder(BookTicker, strict=False)
public_frame: Final = Decoder(PublicFrame, strict=False)
