"""Who trades on the exchange, and what: markets, accounts, keys, and who is told what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from drainwatch.lab.exchange.accounts import Account, Execution, Key, Order, RefusedError, Verify
from drainwatch.lab.exchange.books import Book, Listing
from drainwatch.lab.exchange.prints import Print
from drainwatch.lab.exchange.timeline import wall_clock_ms
from drainwatch.lab.exchange.units import Number, money_of


class Listener(Protocol):
    """Is told what happens, in order, while it happens."""

    def reported(self, order: Order, what: str, execution: Execution | None = None) -> None:
        """Hear of an order: `what` is Binance's execution type (NEW, TRADE, CANCELED, EXPIRED...)."""

    def balances_changed(self, account: Account, currencies: Iterable[str]) -> None:
        """Hear that an account holds other amounts of some currencies than before."""

    def deposited(self, account: Account, currency: str, money: int) -> None:
        """Hear of money that came from outside, or went there (negative)."""

    def traded(self, book: Book, trade: Print) -> None:
        """Hear of a print."""

    def quoted(self, book: Book) -> None:
        """Hear that the best bid or ask of a market has changed."""

    def revoked(self, key: Key) -> None:
        """Hear that a key isn't valid any more."""

    async def drained(self) -> None:
        """Wait until those who listen have taken most of what they were told."""


class Registry:
    """Markets, accounts and keys.

    Parameters
    ----------
    listings
        The markets.
    clock
        Time in ms since the epoch.
    """

    def __init__(self, listings: Iterable[Listing], *, clock: Callable[[], int] = wall_clock_ms) -> None:
        self.clock = clock
        self.books: dict[str, Book] = {}
        """By the exchange's own name of the market: `ETHBTC`."""
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, Key] = {}
        self.fees: dict[str, int] = {}
        """What the exchange has earned, money a currency."""
        self.brought: dict[str, int] = {}
        """What all accounts together have brought in, less what they took away."""
        self.listeners: list[Listener] = []
        for listing in listings:
            self.list_market(listing)
        self.house = self.open_account("house", unlimited=True, remembers=False, maker_fee=0, taker_fee=0)
        """Trades with everybody and never lacks anything."""

    def list_market(self, listing: Listing) -> Book:
        """Open a market, or give the one there is."""
        return self.books.setdefault(listing.venue_symbol, Book(listing))

    def book(self, symbol: str) -> Book:
        """Give a market by its unified or its own name."""
        found = self.books.get(symbol.replace("/", "").upper())
        if found is None:
            raise RefusedError(-1121, "Invalid symbol.")
        return found

    def open_account(
        self,
        name: str,
        balances: Mapping[str, Number] | None = None,
        *,
        maker_fee: int = 1_000,
        taker_fee: int = 1_000,
        fee_in_quote: bool = False,
        unlimited: bool = False,
        remembers: bool = True,
    ) -> Account:
        """Open an account with some money; fees are millionths."""
        if name in self.accounts:
            raise ValueError(f"an account {name!a} is there already")
        account = Account(name, maker_fee, taker_fee, fee_in_quote, unlimited, remembers)
        self.accounts[name] = account
        for currency, amount in (balances or {}).items():
            self.deposit(account, currency, money_of(amount))
        return account

    def account(self, account: Account | str) -> Account:
        """Give an account by its name."""
        return account if isinstance(account, Account) else self.accounts[account]

    def deposit(self, account: Account | str, currency: str, money: int) -> None:
        """Bring money in, or take it away (negative), as far as it is free."""
        account = self.account(account)
        free = account.free.get(currency, 0) + money
        if free < 0:
            raise poor()
        account.free[currency] = free
        account.updated_ms = self.clock()
        self.brought[currency] = self.brought.get(currency, 0) + money
        for listener in self.listeners:
            listener.deposited(account, currency, money)
            listener.balances_changed(account, (currency,))

    def add_key(
        self,
        account: Account | str,
        text: str,
        *,
        secret: str = "",
        verify: Verify | None = None,
        can_trade: bool = True,
        can_withdraw: bool = False,
        ip_restricted: bool = False,
        passphrase: str = "",
    ) -> Key:
        """Give an account a key, of HMAC (`secret`) or of another kind (`verify`, see `Key`)."""
        self.keys[text] = key = Key(
            text, self.account(account), secret, verify, passphrase, self.clock(), can_trade, can_withdraw,
            ip_restricted=ip_restricted,
        )  # fmt: skip
        return key

    def revoke(self, text: str) -> None:
        """End a key: its streams end, its requests are refused."""
        self.keys[text].revoked = True
        for listener in self.listeners:
            listener.revoked(self.keys[text])

    def executed(self, account: Account | str) -> list[Execution]:
        """Give all that an account ever executed: the truth, whatever became of the messages."""
        return self.account(account).executions


def poor() -> RefusedError:
    """Give the refusal of who lacks the money."""
    return RefusedError(-2010, "Account has insufficient balance for requested action.")
