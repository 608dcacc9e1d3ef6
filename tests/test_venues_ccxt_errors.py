"""ccxt's exceptions become ours, in plain words and without a word of theirs."""

from __future__ import annotations

import pytest

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.venues.ccxt_errors import error_of, named


class ExchangeError(Exception):
    """Named as ccxt's; loading ccxt takes seconds."""


class AuthenticationError(ExchangeError):
    pass


class NetworkError(Exception):
    pass


class DDoSProtection(NetworkError):  # noqa: N818 - ccxt's name
    pass


@pytest.mark.parametrize(
    ("error", "refused", "words"),
    [
        (AuthenticationError('x {"code":-2015}'), True, "number -2015"),
        (ExchangeError('kraken {"error":["EAPI:Invalid signature"],"planted":1}'), True, "isn't taken"),
        (DDoSProtection("binance 429"), False, "too many requests"),
        (DDoSProtection('binance {"code":-2015}'), True, "revoked"),
        (DDoSProtection('binance {"code":-1003}'), False, "number -1003"),
        (NetworkError("GET https://x?signature=planted"), False, "connection broke"),
        (KeyError("spot"), False, "isn't as the exchange's documents say"),
        (ExchangeError('okx {"sCode":"51000","planted":1}'), False, "number 51000"),
    ],
)
def test_errors_are_told_by_their_kind_and_number(error: Exception, refused: bool, words: str) -> None:
    found = error_of(error, "okx", "asking for fills")
    assert isinstance(found, KeyRefusedError) == refused
    assert words in str(found)
    assert "planted" not in str(found)
    assert str(found).startswith("okx: asking for fills failed: ")


def test_our_own_errors_stay_as_they_are() -> None:
    error = VenueError("plain")
    assert error_of(error, "okx", "x") is error


def test_a_kind_is_known_by_name() -> None:
    assert named(DDoSProtection(), "NetworkError")
    assert not named(KeyError(), "NetworkError", "ExchangeError")
