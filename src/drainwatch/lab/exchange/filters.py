"""What an order must be like to be taken: Binance's filters, in its own words."""

from __future__ import annotations

import re

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.books import Book
from drainwatch.lab.exchange.units import NotANumberError, Number, amount_of, money_of, price_of

TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
FORCES = ("GTC", "IOC", "FOK")
_CLIENT_ID = re.compile(r"[.A-Za-z0-9:/_-]{0,64}")


def missing(parameter: str) -> RefusedError:
    """Give the refusal of a request without a parameter, or with one that can't be read."""
    return RefusedError(
        -1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed."
    )


def client_id(text: str) -> str:
    """Give a client order id back if it may be one; the exchange's empty one is fine, too."""
    if not _CLIENT_ID.fullmatch(text):
        raise RefusedError(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    return text


def sized(
    book: Book,
    *,
    buy: bool,
    type_: str,
    force: str,
    amount: Number | None,
    price: Number | None,
    quote_amount: Number | None,
) -> tuple[int, int, int]:
    """Give amount, price (0 for a market order) and money to spend (0 where the amount counts) in units.

    For a market order by money, the amount is what the book gives for it now.
    """
    if type_ not in TYPES:
        raise RefusedError(-1116, "Invalid orderType.")
    if force not in FORCES:
        raise RefusedError(-1115, "Invalid timeInForce.")
    listing = book.listing
    try:
        if type_ == "MARKET":
            limit = 0
        elif price is None:
            raise missing("price")
        else:
            limit = price_of(price)
        budget = money_of(quote_amount) if quote_amount is not None and amount is None else 0
        if budget > 0 and type_ == "MARKET":
            counted = _worth(book, buy=buy, budget=budget)
        elif amount is None:
            raise missing("quantity")
        else:
            counted = amount_of(amount)
    except NotANumberError:
        raise RefusedError(-1100, "Illegal characters found in a parameter, or too many decimals.") from None
    if type_ != "MARKET" and (limit <= 0 or limit % listing.tick):
        raise RefusedError(-1013, "Filter failure: PRICE_FILTER")
    if counted <= 0 or counted % listing.lot:
        raise RefusedError(-1013, "Filter failure: LOT_SIZE")
    if limit and listing.cost(counted, limit) < listing.min_notional:
        raise RefusedError(-1013, "Filter failure: NOTIONAL")
    return counted, limit, budget


def _worth(book: Book, *, buy: bool, budget: int) -> int:
    """Count the base, in whole lots, that the book gives or takes for some money now."""
    lot, total = book.listing.lot, 0
    for other in book.opposing(buy=buy, limit=0):
        part = min(other.left, budget // other.price // lot * lot)
        total += part
        budget -= part * other.price
        if part < other.left:
            break
    return total
