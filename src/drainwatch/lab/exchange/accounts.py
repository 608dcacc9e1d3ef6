"""Accounts: what they hold, their keys, their orders, and what they really executed.

Amounts, prices and money are in units (`units`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from drainwatch.lab.exchange.units import AMOUNT_TO_MONEY, amount_text, money_text, price_text
from drainwatch.rows import Fill

if TYPE_CHECKING:
    from drainwatch.lab.exchange.books import Book

MILLION = 1_000_000

Verify = Callable[[bytes, bytes], bool]
"""Says whether a signature (the first) is that of a payload (the second)."""


class RefusedError(Exception):
    """The exchange doesn't do what was asked of it. `code` and the text are Binance's."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        """HTTP status."""


@dataclass(slots=True, eq=False, repr=False)
class Order:
    """An order with what has become of it. Amounts, prices and money in units, times in ms."""

    id: int
    client_id: str
    account: Account
    book: Book
    buy: bool
    type: str
    """`LIMIT`, `MARKET` or `LIMIT_MAKER`."""
    time_in_force: str
    price: int
    """0 for a market order."""
    amount: int
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    filled: int = 0
    spent: int = 0
    """Money of the quote that has changed hands."""
    budget: int = 0
    """Money of the quote that a market order may spend; 0 where the amount counts."""
    locked: int = 0
    """Money that it keeps reserved."""

    @property
    def left(self) -> int:
        """Base amount that is still to trade."""
        return self.amount - self.filled

    @property
    def side(self) -> str:
        """`BUY` or `SELL`."""
        return "BUY" if self.buy else "SELL"

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}

    def pays(self, amount: int, price: int) -> tuple[str, int]:
        """Give the currency that it gives away for an amount at a price, and the most of it."""
        listing = self.book.listing
        if not self.buy:
            return listing.held, amount * AMOUNT_TO_MONEY
        cost = listing.cost(amount, price)
        return listing.quote, cost + self.account.worst_fee(cost, in_quote=bool(listing.settle))

    def release(self) -> None:
        """Give back what it keeps reserved beyond what its open rest may cost."""
        if self.locked:
            currency, needed = self.pays(self.left if self.is_open else 0, self.price)
            freed, self.locked = self.locked - needed, needed
            self.account.locked[currency] -= freed
            self.account.free[currency] += freed

    def settle(
        self, ms: int, trade_id: int, price: int, amount: int, fee: tuple[int, str] | None, *, maker: bool
    ) -> Execution:
        """Book this side of a trade: the account pays, receives and is charged.

        `fee` is money and currency where it isn't what the account usually pays.
        """
        account, listing, free = self.account, self.book.listing, self.account.free
        cost, base = listing.cost(amount, price), amount * AMOUNT_TO_MONEY
        self.filled += amount
        self.spent += cost
        self.updated_ms = account.updated_ms = ms
        self.status = "PARTIALLY_FILLED" if self.left else "FILLED"
        self.release()
        given, paid, received, gained = (
            (listing.quote, cost, listing.held, base)
            if self.buy
            else (listing.held, base, listing.quote, cost)
        )
        if fee is None:
            currency = listing.quote if account.fee_in_quote or listing.settle else received
            fee = account.fee(cost if currency == listing.quote else base, maker=maker), currency
        free[given] = free.get(given, 0) - paid
        free[received] = free.get(received, 0) + gained
        free[fee[1]] = free.get(fee[1], 0) - fee[0]
        mark = self.book.mark_now()
        execution = Execution(self, trade_id, ms, price, amount, cost, fee[0], fee[1], maker, mark)
        if account.remembers:
            account.executions.append(execution)
            account.by_symbol.setdefault(listing.symbol, []).append(execution)
        return execution


class Execution(Struct, frozen=True):
    """One side of a trade, as its account sees it. In units, times in ms."""

    order: Order
    id: int
    ms: int
    price: int
    amount: int
    cost: int
    fee: int
    """Charge positive, rebate negative; money of `fee_currency`."""
    fee_currency: str
    maker: bool
    mark: int = 0
    """Mark price then, of a perpetual; 0 without."""

    def fill(self, exchange: str) -> Fill:
        """Give it as a row of `fills`, with the strings that go over the wire."""
        order = self.order
        return Fill(
            exchange=exchange,
            account=order.account.name,
            symbol=order.book.symbol,
            id=str(self.id),
            ts_ns=self.ms * MILLION,
            side="buy" if order.buy else "sell",
            price=price_text(self.price),
            amount=amount_text(self.amount),
            cost=money_text(self.cost),
            order=str(order.id),
            client_order_id=order.client_id or None,
            type="market" if order.type == "MARKET" else "limit",
            taker_or_maker="maker" if self.maker else "taker",
            fee_cost=money_text(self.fee),
            fee_currency=self.fee_currency,
            mark=price_text(self.mark) if self.mark else None,
        )


@dataclass(slots=True, eq=False)
class Key:
    """An API key of an account."""

    text: str
    account: Account = field(repr=False)
    secret: str = field(default="", repr=False)
    """Of HMAC; empty for an Ed25519 key."""
    verify: Verify | None = field(default=None, repr=False)
    """Of an Ed25519 key; None for HMAC."""
    passphrase: str = field(default="", repr=False)
    """What OKX wants beside the secret."""
    created_ms: int = 0
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = False
    revoked: bool = False
    expires_ms: int = 0
    """When it stops working; 0: never."""
    used_ms: int = 0
    """When it last was used; 0: never."""
    can_transfer: bool = False
    """To other accounts at the exchange."""

    def is_valid(self, now_ms: int) -> bool:
        """Tell whether it is taken."""
        return not self.revoked and not 0 < self.expires_ms <= now_ms


@dataclass(slots=True, eq=False, repr=False)
class Account:
    """What an account holds, in money a currency, and what it has done.

    Fees are millionths of the cost; they are taken from what was received, or always from the quote.
    """

    name: str
    maker_fee: int = 1_000
    taker_fee: int = 1_000
    fee_in_quote: bool = False
    unlimited: bool = False
    """What it lacks is given to it: for those who only keep a market going."""
    remembers: bool = True
    """Whether its executions and done orders are kept."""
    free: dict[str, int] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    by_client_id: dict[str, Order] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    by_symbol: dict[str, list[Execution]] = field(default_factory=dict)
    updated_ms: int = 0

    def total(self, currency: str) -> int:
        """Give all that it holds of a currency."""
        return self.free.get(currency, 0) + self.locked.get(currency, 0)

    def currencies(self) -> list[str]:
        """Give the currencies that it has or had, without positions."""
        return sorted(name for name in self.free.keys() | self.locked.keys() if not is_position(name))

    def fee(self, cost: int, *, maker: bool) -> int:
        """Give the fee of a cost or of what was received; a rebate is negative."""
        rate = self.maker_fee if maker else self.taker_fee
        return cost * rate // MILLION if rate >= 0 else -(cost * -rate // MILLION)

    def worst_fee(self, cost: int, *, in_quote: bool = False) -> int:
        """Give what a buyer must have beyond the cost to pay the fee."""
        in_quote = in_quote or self.fee_in_quote
        return cost * max(self.maker_fee, self.taker_fee, 0) // MILLION if in_quote else 0


def is_position(currency: str) -> bool:
    """Tell whether a name is that of a position rather than a currency's; a position may be short."""
    return ":" in currency
