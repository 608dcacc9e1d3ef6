from __future__ import annotations

import pytest

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.units import money_of
from loopback import KEY, an_exchange


def test_markets_are_found_by_both_names() -> None:
    exchange = an_exchange()
    assert exchange.book("ETH/BTC") is exchange.book("ETHBTC") is exchange.book("ethbtc")
    with pytest.raises(RefusedError, match="Invalid symbol"):
        exchange.book("XRP/BTC")


def test_an_account_is_opened_once() -> None:
    with pytest.raises(ValueError, match="there already"):
        an_exchange().open_account("main")


def test_money_comes_and_goes_but_no_more_than_there_is() -> None:
    exchange = an_exchange()
    exchange.deposit("main", "ETH", money_of(-4))
    assert exchange.account("main").free["ETH"] == money_of(6)
    assert exchange.brought["ETH"] >= money_of(16)
    with pytest.raises(RefusedError, match="insufficient"):
        exchange.deposit("main", "ETH", money_of(-7))


def test_a_revoked_key_stays_known_as_such() -> None:
    exchange = an_exchange()
    exchange.revoke(KEY)
    assert exchange.keys[KEY].revoked
