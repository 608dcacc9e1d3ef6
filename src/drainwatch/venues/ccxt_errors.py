"""Errors of ccxt in plain words, with nothing secret in them.

ccxt puts the whole URL with its signature, or the venue's whole reply, into the text of an exception.
So no text of ccxt's is ever passed on: the kind of error is told, and the venue's error number.
"""

from __future__ import annotations

import re

from drainwatch.errors import KeyRefusedError, VenueError

_NUMBER = re.compile(r'"(?:code|retCode|ret_code|err_code|sCode|errno)"\s*:\s*"?(-?\d{1,9})"?')

_BINANCE_REVOKED = "-2015"
_KRAKEN_SIGNATURE = "EAPI:Invalid signature"
"""Which ccxt takes for any refusal: the secret isn't that of the key."""

_WORDS = (
    # The first that an error is an instance of, by the name of ccxt's class.
    ("PermissionDenied", "the key may not do this, or not from this address", "check the key's rights"),
    ("AccountSuspended", "the account is suspended", "ask the exchange"),
    (
        "AuthenticationError",
        "the key or its secret isn't taken",
        "check both, and from where they may be used",
    ),
    ("InvalidNonce", "this computer's clock differs too much from the exchange's", "set the clock"),
    ("RateLimitExceeded", "too many requests", "wait"),
    ("DDoSProtection", "too many requests", "wait"),
    ("OnMaintenance", "the exchange is under maintenance", "wait"),
    ("RequestTimeout", "no answer in time", "check the network, or wait"),
    ("ExchangeNotAvailable", "the exchange can't be reached", "check the network, or wait"),
    ("NetworkError", "the connection broke", "check the network, or wait"),
    ("BadSymbol", "the exchange has no such market", "check the symbol"),
    ("ArgumentsRequired", "the exchange wants to be asked with more detail", "report this"),
    ("NotSupported", "the exchange can't do this", "use another way"),
    ("BadRequest", "the exchange doesn't understand the request", "report this"),
    ("ExchangeError", "the exchange refuses", "look the number up in the exchange's documents"),
)


def error_of(error: BaseException, exchange: str, what: str) -> VenueError:
    """Turn any exception into one of ours that is safe to show.

    Parameters
    ----------
    what
        What was being done, as a phrase: `asking for fills`.
    """
    if isinstance(error, VenueError):
        return error
    names = {cls.__name__ for cls in type(error).__mro__}
    if _KRAKEN_SIGNATURE in str(error)[:20_000]:
        names.add("AuthenticationError")
    problem, advice = next(
        ((problem, advice) for name, problem, advice in _WORDS if name in names),
        ("the answer isn't as the exchange's documents say", "try again, else report this"),
    )
    number = _NUMBER.search(str(error)[:20_000])
    if "DDoSProtection" in names and number and number[1] == _BINANCE_REVOKED:
        # ccxt takes a key that worked once and is refused now for one that asks too often.
        names.add("AuthenticationError")
        problem, advice = "the key isn't taken any more", "was it revoked? make a new one if it was you"
    detail = f"{type(error).__name__}, number {number[1]}" if number else type(error).__name__
    text = f"{exchange}: {what} failed: {problem} ({detail}); {advice}"
    return (KeyRefusedError if "AuthenticationError" in names else VenueError)(text)


def named(error: BaseException, *names: str) -> bool:
    """Tell whether an error is one of ccxt's classes of these names, without loading ccxt."""
    return any(cls.__name__ in names for cls in type(error).__mro__)
