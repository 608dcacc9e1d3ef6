from __future__ import annotations

import pytest

from drainwatch.lab.exchange.accounts import Account, Key
from drainwatch.rows import Fill
from loopback import an_exchange


@pytest.mark.parametrize(("rate", "cost", "fee"), [(1_000, 999, 0), (1_000, 1_000, 1), (-100, 10_000, -1)])
def test_fees_are_rounded_in_favour_of_the_account_and_rebates_against_it(
    rate: int, cost: int, fee: int
) -> None:
    assert Account("a", maker_fee=rate).fee(cost, maker=True) == fee


def test_a_key_shows_nothing_of_its_secret() -> None:
    key = Key("public", Account("a"), "very secret")
    assert "secret" not in repr(key)


def test_an_execution_as_a_fill_is_what_goes_over_the_wire() -> None:
    exchange = an_exchange(clock=lambda: 1_700_000_000_123)
    exchange.place("main", "ETH/BTC", "buy", "limit", "0.5", "0.0301", client_id="bot-1")
    assert exchange.executed("main")[0].fill("binance") == Fill(
        exchange="binance",
        account="main",
        symbol="ETH/BTC",
        id="1",
        ts_ns=1_700_000_000_123_000_000,
        side="buy",
        price="0.03010000",
        amount="0.50000000",
        cost="0.01505000",
        order="3",
        client_order_id="bot-1",
        type="limit",
        taker_or_maker="taker",
        fee_cost="0.00050000",
        fee_currency="ETH",
    )
