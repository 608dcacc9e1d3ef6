"""Numbers as venues other than Binance write them, and what else their messages have in common."""

from __future__ import annotations

import uuid
from functools import lru_cache

import msgspec

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.prints import MINUTE_MS, Minute, Prints
from drainwatch.lab.exchange.units import AMOUNT_DIGITS, MONEY_DIGITS, PRICE_DIGITS, text_of

encode = msgspec.json.encode


@lru_cache(maxsize=1 << 14)
def _short(count: int, digits: int) -> str:
    return text_of(count, digits).rstrip("0").rstrip(".")


def amount(count: int) -> str:
    """Write an amount without needless zeros."""
    return _short(count, AMOUNT_DIGITS)


def price(count: int) -> str:
    """Write a price without needless zeros."""
    return _short(count, PRICE_DIGITS)


def money(count: int) -> str:
    """Write money without needless zeros."""
    return _short(count, MONEY_DIGITS)


def pointed(text: str) -> str:
    """Give a number with one decimal at least, as Hyperliquid writes it."""
    return text if "." in text else f"{text}.0"


@lru_cache(maxsize=1 << 14)
def unique(kind: str, number: int) -> str:
    """Give an id that looks like chance, always the same for a number of a kind."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {number}"))


def whole(text: object, name: str, code: int) -> int | None:
    """Read a whole number of a request; None if it is absent.

    Raises
    ------
    RefusedError
        It is something else; with the venue's `code`.
    """
    if text is None or text == "":
        return None
    try:
        return int(str(text))
    except ValueError:
        raise RefusedError(code, f"Parameter {name} error") from None


def candles(prints: Prints, length_ms: int) -> list[Minute]:
    """Put the candles of a minute together to longer ones, oldest first."""
    out: list[Minute] = []
    for one in prints.minutes:
        start = one.ms - one.ms % max(length_ms, MINUTE_MS)
        if not out or out[-1].ms != start:
            out.append(Minute(start, one.open, one.high, one.low, one.close, first_id=one.first_id))
        last = out[-1]
        last.high, last.low, last.close = max(last.high, one.high), min(last.low, one.low), one.close
        last.amount += one.amount
        last.quote += one.quote
        last.last_id = one.last_id
        last.count += one.count
    return out
