"""What Hyperliquid's websocket sends, as types; fields that nobody needs are left out."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from drainwatch.venues.wire import Above0, Ms, Name, Number, Size

Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Envelope(Struct, frozen=True):
    """Any frame."""

    channel: str
    data: msgspec.Raw = msgspec.Raw()


class UserFills(Struct, frozen=True, rename="camel"):
    """Data of `userFills`, and of `user` where it is about fills."""

    fills: msgspec.Raw = msgspec.Raw()
    user: str | None = None
    is_snapshot: bool = False


class Liquidation(Struct, frozen=True, rename="camel"):
    """What a fill says of the liquidation that it was a part of."""

    liquidated_user: str | None = None
    mark_px: str | None = None


class UserFill(Struct, frozen=True, kw_only=True, rename="camel"):
    """A fill of the address."""

    coin: Name
    px: Above0
    sz: Above0
    side: Literal["B", "A"]
    """`B` bought, `A` sold."""
    time: Ms
    tid: Whole
    oid: Whole
    """Always there: with the id it says which fill this is, here as in the venue's list."""
    cloid: str | None = None
    crossed: bool | None = None
    dir: str | None = None
    fee: str | None = None
    fee_token: str | None = None
    liquidation: Liquidation | None = None


class PublicTrade(Struct, frozen=True, kw_only=True):
    """A print of `trades`; `users` are buyer and seller."""

    coin: Name
    px: Number
    sz: Number
    side: Literal["B", "A"]
    """Of the taker."""
    time: Ms
    tid: Whole
    users: tuple[Name, Name] | None = None


class Level(Struct, frozen=True):
    """A book's level."""

    px: Number
    sz: Size


class Bbo(Struct, frozen=True):
    """Data of `bbo`: best bid and ask, None for an empty side."""

    coin: Name
    time: Ms
    bbo: tuple[Level | None, Level | None]


class Subscription(Struct, frozen=True):
    """What a subscription is to."""

    type: str = ""
    coin: str = ""


class Answer(Struct, frozen=True):
    """Data of `subscriptionResponse`."""

    subscription: Subscription
    method: str = ""


# Hyperliquid writes prices, sizes and fees as text: hence not strict.
ENVELOPE = msgspec.json.Decoder(Envelope)
USER_FILLS = msgspec.json.Decoder(UserFills)
FILL = msgspec.json.Decoder(UserFill)
FILLS = msgspec.json.Decoder(list[UserFill])
PUBLIC_TRADE = msgspec.json.Decoder(PublicTrade, strict=False)
PUBLIC_TRADES = msgspec.json.Decoder(list[PublicTrade], strict=False)
BBO = msgspec.json.Decoder(Bbo, strict=False)
ANSWER = msgspec.json.Decoder(Answer)
TEXT = msgspec.json.Decoder(str)
