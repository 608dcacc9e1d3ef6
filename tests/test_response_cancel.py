"""Open orders at the loopback Binance are really cancelled, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.response import cancel
from drainwatch.response.hook import Hook, HookError
from drainwatch.venues import orders as venue_orders
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.protocol import Credentials
from loopback import SECRET, an_exchange
from response_fakes import hook, incident

KEY = "PlAnTeD-key-that-may-trade"


class Hasty(SystemClock):
    """The right time, but no patience."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "SystemClock", Hasty)
    monkeypatch.setattr(venue_orders, "REQUEST_MS", 700)


def with_orders(count: int = 8, *, can_trade: bool = True, can_withdraw: bool = False) -> Exchange:
    exchange = an_exchange()
    key = exchange.add_key("main", KEY, secret=SECRET, can_trade=can_trade)
    key.can_withdraw = can_withdraw
    for number in range(count):
        exchange.place("main", "ETH/BTC", "sell", "limit", "0.1", f"0.09{number:03}")
    exchange.place("main", "BTC/USDT", "buy", "limit", "0.001", "100")
    exchange.place("other", "BTC/USDT", "buy", "limit", "0.001", "100")
    return exchange


def open_of(exchange: Exchange, account: str = "main") -> list[Any]:
    return [one for one in exchange.accounts[account].orders.values() if one.is_open]


def against(
    exchange: Exchange,
    do: Callable[[Hook], Awaitable[Any]],
    faults: Faults | None = None,
    key: str = KEY,
    timeout_s: float = 30.0,
) -> Any:
    async def scene() -> Any:
        async with Server(exchange, faults) as server:
            return await do(
                hook(
                    "cancel_orders",
                    exchange="binance",
                    account="main",
                    credentials=Credentials(key, SECRET),
                    url_rest=server.url,
                    timeout_s=timeout_s,
                )
            )

    return asyncio.run(scene())


def run(one: Hook) -> Awaitable[Any]:
    return cancel.run(one, incident())


def test_all_orders_of_the_account_are_cancelled_and_nobody_elses() -> None:
    exchange = with_orders()
    done = against(exchange, run)
    assert open_of(exchange) == []
    assert len(open_of(exchange, "other")) == 1
    assert done.text == "no order is open any more; 9 were, in 2 markets"


def test_where_none_is_open_that_is_said() -> None:
    exchange = an_exchange()
    exchange.add_key("main", KEY, secret=SECRET)
    assert against(exchange, run).text == "no order was open"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_none_is_left_though_half_of_all_requests_fail(seed: int) -> None:
    """5xx before it was done, 503 after it was done, rate limits and answers cut off."""
    exchange = with_orders()
    rates = {Fault.SERVER_ERROR: 0.2, Fault.LOST_ANSWER: 0.2, Fault.RATE_LIMIT: 0.1, Fault.CUT_BODY: 0.1}
    against(exchange, run, Faults(seed, rates))
    assert open_of(exchange) == []


def test_none_is_left_though_answers_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each third request is never answered."""
    exchange = with_orders()
    from drainwatch.lab.exchange import binance_rest

    answer, count = binance_rest.Rest.answer, [0]

    async def mute(self: Any, request: Any) -> Any:
        count[0] += 1
        if count[0] % 3 == 0:
            await asyncio.sleep(3)
        return await answer(self, request)

    monkeypatch.setattr(binance_rest.Rest, "answer", mute)
    done = against(exchange, run)
    assert open_of(exchange) == []
    assert "no order is open any more" in done.text
    assert count[0] >= 3


def test_what_is_left_when_time_is_up_is_told() -> None:
    exchange = with_orders()
    with pytest.raises(HookError, match=r"time ran out|no answer|can't be reached") as caught:
        against(exchange, run, Faults(1, {Fault.SERVER_ERROR: 1.0}), timeout_s=1.5)
    assert KEY not in str(caught.value)
    assert len(open_of(exchange)) == 9


def test_new_orders_that_come_meanwhile_are_told_where_they_do_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thief who places a new order for each that is cancelled."""
    exchange = with_orders(2)
    listed = venue_orders.Orders.open_orders

    async def and_one_more(self: Any, symbols: Any) -> Any:
        exchange.place("main", "ETH/BTC", "sell", "limit", "0.1", "0.08")
        return await listed(self, symbols)

    monkeypatch.setattr(venue_orders.Orders, "open_orders", and_one_more)
    with pytest.raises(HookError, match="if new ones come, revoke the key that places them"):
        against(exchange, run)
    assert len(open_of(exchange)) <= 2


def test_an_unknown_key_is_told_and_not_shown() -> None:
    with pytest.raises(HookError, match="the key") as caught:
        against(with_orders(), run, key="PlAnTeD-unknown")
    assert "PlAnTeD" not in str(caught.value)


def test_a_check_cancels_nothing() -> None:
    exchange = with_orders()
    found = against(exchange, cancel.check)
    assert found == "would cancel all open orders at binance, 9 now; the key is taken"
    assert len(open_of(exchange)) == 9


@pytest.mark.parametrize(
    ("rights", "said"),
    [({"can_trade": False}, "may not trade"), ({"can_withdraw": True}, "may withdraw")],
)
def test_a_key_with_too_few_or_too_many_rights_is_refused_by_the_check(
    rights: dict[str, bool], said: str
) -> None:
    with pytest.raises(HookError, match=said):
        against(with_orders(**rights), cancel.check)
