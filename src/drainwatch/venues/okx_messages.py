"""What OKX's v5 streams send, as types; fields that nobody needs are left out."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from drainwatch.venues.wire import Above0, Ms, Name, Number, Size


class Arg(Struct, frozen=True, rename="camel"):
    """What a message is about."""

    channel: str = ""
    inst_id: str = ""


class Envelope(Struct, frozen=True, kw_only=True, rename="camel"):
    """Any frame: data of a channel, or an event."""

    event: str = ""
    arg: Arg = Arg()
    data: msgspec.Raw = msgspec.Raw()
    code: str | int | None = None
    msg: str | None = None
    channel: str = ""


class OrderHead(Struct, frozen=True, rename="camel"):
    """What tells whether an order's update is a fill: both are there, if empty, when it isn't."""

    fill_sz: str | None = None
    trade_id: str | None = None


class FilledOrder(Struct, frozen=True, kw_only=True, rename="camel"):
    """An item of `orders` that is a fill."""

    inst_id: Name
    trade_id: Name
    fill_sz: Above0
    """Base units for spot and margin, contracts for the others."""
    fill_px: Above0
    fill_time: Ms
    side: Literal["buy", "sell"]
    ord_id: str
    """Always there: with the id it says which fill this is, here as in the venue's list."""
    cl_ord_id: str | None = None
    ord_type: str | None = None
    exec_type: str | None = None
    """`T` taker, `M` maker."""
    category: str | None = None
    fill_fee: str | None = None
    """Of this fill; negative is a charge. `fee` is of the whole order."""
    fill_fee_ccy: str | None = None
    fill_mark_px: str | None = None
    fill_idx_px: str | None = None


class Detail(Struct, frozen=True, rename="camel"):
    """A currency of an account."""

    ccy: Name
    cash_bal: Annotated[float, Meta(gt=-1e40, lt=1e40)]


class Account(Struct, frozen=True, rename="camel"):
    """An item of `account`."""

    u_time: Ms
    details: list[msgspec.Raw] = []


class PublicTrade(Struct, frozen=True, kw_only=True, rename="camel"):
    """An item of `trades` or `trades-all`."""

    inst_id: Name
    trade_id: Name
    px: Number
    sz: Number
    side: Literal["buy", "sell"]
    ts: Ms


class Level(Struct, frozen=True, array_like=True):
    """A book's level: price, size, and two figures that don't matter."""

    price: Number
    size: Size


class BestQuote(Struct, frozen=True):
    """An item of `bbo-tbt`."""

    asks: list[Level]
    bids: list[Level]
    ts: Ms


# OKX writes all numbers and times as text: hence not strict.
ENVELOPE = msgspec.json.Decoder(Envelope)
ORDER_HEAD = msgspec.json.Decoder(OrderHead)
FILLED_ORDER = msgspec.json.Decoder(FilledOrder, strict=False)
ACCOUNT = msgspec.json.Decoder(Account, strict=False)
ACCOUNTS = msgspec.json.Decoder(list[Account], strict=False)
DETAIL = msgspec.json.Decoder(Detail, strict=False)
PUBLIC_TRADE = msgspec.json.Decoder(PublicTrade, strict=False)
PUBLIC_TRADES = msgspec.json.Decoder(list[PublicTrade], strict=False)
BEST_QUOTE = msgspec.json.Decoder(BestQuote, strict=False)
BEST_QUOTES = msgspec.json.Decoder(list[BestQuote], strict=False)
