"""What is known of an API key, in one shape for all exchanges. Nothing of the key itself is kept."""

from __future__ import annotations

import hashlib

from msgspec import Struct


class Other(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of all keys that an exchange lists of the account, ours among them."""

    mark: str
    """Tells it from others; it can't be turned back into the key."""
    name: str = ""
    """As the owner called it, or whoever made it: text from outside."""
    created_ns: int | None = None
    used_ns: int | None = None
    works: bool | None = None
    """False: switched off, frozen or expired."""


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an exchange tells of a key; None wherever it doesn't, or says it in words not known here."""

    read: bool | None = None
    trade: bool | None = None
    """It can place orders in spot markets."""
    margin: bool | None = None
    """It can borrow, or trade what was borrowed."""
    derivatives: bool | None = None
    """It can trade futures, swaps or options."""
    transfer: bool | None = None
    """It can move coins to another account at the same exchange, or lock them up there."""
    withdraw: bool | None = None
    manage: bool | None = None
    """It can make or change keys, or addresses to withdraw to."""
    granted: tuple[str, ...] = ()
    """What was granted, in the exchange's own words, sorted."""
    bound: bool | None = None
    """It works from listed addresses only."""
    addresses: tuple[str, ...] = ()
    """Those, sorted, where the exchange tells them."""
    markets: tuple[str, ...] | None = None
    """The only markets that it may trade, sorted, by the exchange's names; empty: all."""
    created_ns: int | None = None
    used_ns: int | None = None
    ends: bool | None = None
    """Whether it stops working by itself one day."""
    ends_ns: int | None = None
    works: bool | None = None
    """False: switched off, frozen or expired, though the exchange still answers."""
    main: bool | None = None
    """It is a key of the main account, not of a sub-account."""
    others: tuple[Other, ...] | None = None
    """All keys of the account; None where the exchange doesn't list them."""
    mark: str = ""
    """Tells this key from another; empty where there is none."""

    @property
    def trades(self) -> bool | None:
        """Whether it can place orders of any kind."""
        return any_of(self.trade, self.margin, self.derivatives)

    @property
    def acts(self) -> bool | None:
        """Whether it can change what the account holds, at the exchange itself."""
        return any_of(self.trades, self.transfer)

    @property
    def takes(self) -> bool | None:
        """Whether coins can leave the exchange by it, at once or by a key or an address that it makes."""
        return True if self.manage else self.withdraw


def any_of(*flags: bool | None) -> bool | None:
    """Tell whether any is true: None where none is for sure, but one isn't told."""
    if any(flags):
        return True
    return None if None in flags else False


def mark_of(key: str) -> str:
    """Give what tells a key from others, without being one."""
    return hashlib.blake2b(key.encode(errors="replace"), digest_size=8, person=b"drainwatch-key").hexdigest()
