"""What Bybit's v5 streams send, as types; fields that nobody needs are left out."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from drainwatch.venues.wire import Above0, Ms, Name, Number, Size

Category = Literal["spot", "linear", "inverse", "option"]


class Envelope(Struct, frozen=True, kw_only=True, rename="camel"):
    """Any frame: data of a topic, or the answer to an operation."""

    topic: str = ""
    data: msgspec.Raw = msgspec.Raw()
    type: str | None = None
    """`snapshot` or `delta` of a book."""
    ts: Ms | None = None
    cts: Ms | None = None
    """When the matching engine did it; the public trade's `T` is of the same clock."""
    creation_time: Ms | None = None
    op: str = ""
    success: bool | None = None
    ret_code: int | None = None
    ret_msg: str | None = None
    ret_msg_: str | None = field(name="ret_msg", default=None)
    req_id: str | None = field(name="req_id", default=None)

    @property
    def failed(self) -> bool:
        """Whether the operation was refused."""
        return self.success is False or self.ret_code not in {None, 0}

    @property
    def message(self) -> str:
        """What the venue says of it."""
        return self.ret_msg_ or self.ret_msg or ""


class Execution(Struct, frozen=True, kw_only=True, rename="camel"):
    """An item of `execution`."""

    category: Category
    symbol: Name
    exec_id: Name
    exec_price: Above0
    exec_qty: Above0
    exec_time: Ms
    side: Literal["Buy", "Sell"]
    exec_type: str = ""
    order_id: str
    """Always there, if empty: with the id it says which fill this is, here as in the venue's list."""
    order_link_id: str | None = None
    order_type: str | None = None
    create_type: str | None = None
    is_maker: bool | None = None
    exec_value: str | None = None
    exec_fee: str | None = None
    fee_currency: str | None = None
    fee_coin: str | None = None
    mark_price: str | None = None
    index_price: str | None = None


class ExecutionKind(Struct, frozen=True, rename="camel"):
    """Just what kind an execution is: those that move nothing needn't be like a fill."""

    exec_type: str = ""


class Coin(Struct, frozen=True, rename="camel"):
    """A currency in a wallet."""

    coin: Name
    wallet_balance: Annotated[float, Meta(gt=-1e40, lt=1e40)]


class Wallet(Struct, frozen=True, rename="camel"):
    """An item of `wallet`."""

    coin: list[msgspec.Raw]
    account_type: str = ""


class PublicTrade(Struct, frozen=True, kw_only=True):
    """An item of `publicTrade.*`."""

    time: Ms = field(name="T")
    symbol: Name = field(name="s")
    side: Literal["Buy", "Sell"] = field(name="S")
    amount: Number = field(name="v")
    price: Number = field(name="p")
    id: Name = field(name="i")
    block: bool = field(name="BT", default=False)


class BookChange(Struct, frozen=True, kw_only=True):
    """Data of `orderbook.1.*`: (price, size) each, size 0 takes a level away."""

    symbol: Name = field(name="s")
    bids: list[tuple[Number, Size]] = field(name="b")
    asks: list[tuple[Number, Size]] = field(name="a")


# Bybit writes most numbers, and some times, as text: hence not strict.
ENVELOPE = msgspec.json.Decoder(Envelope, strict=False)
EXECUTION = msgspec.json.Decoder(Execution, strict=False)
EXECUTIONS = msgspec.json.Decoder(list[Execution], strict=False)
EXECUTION_KIND = msgspec.json.Decoder(ExecutionKind)
WALLET = msgspec.json.Decoder(Wallet, strict=False)
WALLETS = msgspec.json.Decoder(list[Wallet], strict=False)
COIN = msgspec.json.Decoder(Coin, strict=False)
PUBLIC_TRADE = msgspec.json.Decoder(PublicTrade, strict=False)
PUBLIC_TRADES = msgspec.json.Decoder(list[PublicTrade], strict=False)
BOOK_CHANGE = msgspec.json.Decoder(BookChange, strict=False)
