"""Numbers of the exchange: whole counts of the smallest unit, so that nothing is ever rounded away.

An amount counts `10**-AMOUNT_DIGITS` of the base, a price `10**-PRICE_DIGITS` of the quote a base, and
money, of any currency, `10**-MONEY_DIGITS`: an amount times a price is money without a remainder.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache

AMOUNT_DIGITS = 8
PRICE_DIGITS = 12
MONEY_DIGITS = AMOUNT_DIGITS + PRICE_DIGITS

AMOUNT_TO_MONEY = 10**PRICE_DIGITS
"""What an amount is multiplied with to become money of the base currency."""

SHOWN_DIGITS = 8
"""Decimals that are always written; further ones only as far as they aren't zeros."""

Number = str | int | float | Decimal
"""A number as people and messages give it."""

_LONGEST = 64


class NotANumberError(ValueError):
    """Not a finite number, or one with more decimals than the unit has."""


def units(number: Number, digits: int) -> int:
    """Give a number as a count of `10**-digits`.

    A float counts as what it prints: 0.1 is a tenth.

    Raises
    ------
    NotANumberError
        It isn't finite, or isn't a whole number of units.
    """
    text = repr(number) if isinstance(number, float) else str(number)
    try:
        value = Decimal(text) if len(text) <= _LONGEST else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST:
        raise NotANumberError(f"a number was expected, was {text[:_LONGEST]!a}")
    sign, figures, exponent = value.as_tuple()
    count = int("".join(map(str, figures)) or "0")
    shift = int(exponent) + digits
    whole, rest = divmod(count * int(10 ** max(shift, 0)), int(10 ** max(-shift, 0)))
    if rest:
        raise NotANumberError(f"at most {digits} decimals were expected, was {text!a}")
    return -whole if sign else whole


def amount_of(number: Number) -> int:
    """Give a base amount in units."""
    return units(number, AMOUNT_DIGITS)


def price_of(number: Number) -> int:
    """Give a price in units."""
    return units(number, PRICE_DIGITS)


def money_of(number: Number) -> int:
    """Give an amount of any currency as money."""
    return units(number, MONEY_DIGITS)


@lru_cache(maxsize=1 << 14)  # prices and sizes come again and again, and a burst writes millions
def text_of(count: int, digits: int) -> str:
    """Write a count of `10**-digits` exactly, with 8 decimals at least."""
    if count < 0:
        return "-" + text_of(-count, digits)
    text = str(count).rjust(digits + 1, "0")
    whole, decimals = text[:-digits], text[-digits:]
    if digits > SHOWN_DIGITS:
        decimals = decimals.rstrip("0").ljust(SHOWN_DIGITS, "0")
    return f"{whole}.{decimals}"


def amount_text(count: int) -> str:
    """Write a base amount."""
    return text_of(count, AMOUNT_DIGITS)


def price_text(count: int) -> str:
    """Write a price."""
    return text_of(count, PRICE_DIGITS)


def money_text(count: int) -> str:
    """Write money."""
    return text_of(count, MONEY_DIGITS)
