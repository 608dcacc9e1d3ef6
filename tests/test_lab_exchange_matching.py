from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.lab.exchange.accounts import RefusedError
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.units import amount_of, money_of, price_of
from loopback import an_exchange


def assert_adds_up(exchange: Exchange) -> None:
    """No money came from nowhere, and what is reserved is what open orders may cost."""
    for currency, brought in exchange.brought.items():
        held = sum(account.total(currency) for account in exchange.accounts.values())
        assert held + exchange.fees.get(currency, 0) == brought
    for account in exchange.accounts.values():
        wanted: dict[str, int] = {}
        for order in account.orders.values():
            if order.is_open:
                currency, needed = order.pays(order.left, order.price)
                wanted[currency] = wanted.get(currency, 0) + needed
        for currency in account.currencies():
            assert account.locked.get(currency, 0) == wanted.get(currency, 0)
            assert account.free.get(currency, 0) >= 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("main", "other", "third")),
        st.sampled_from(("buy", "sell")),
        st.sampled_from(("limit", "limit", "market", "limit_maker", "cancel")),
        st.integers(1, 30),
        st.integers(95, 105),
        st.sampled_from(("GTC", "GTC", "IOC", "FOK")),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS, st.booleans())
def test_money_is_conserved_to_the_last_digit_whatever_is_traded(
    steps: list[tuple[str, str, str, int, int, str, bool]], self_trades: bool
) -> None:
    exchange = Exchange(
        [Listing("ETH", "BTC", price_of("0.0001"), amount_of("0.001"))], self_trades=self_trades
    )
    exchange.open_account("main", {"ETH": "0.1", "BTC": "0.002"}, taker_fee=1_333, maker_fee=777)
    exchange.open_account("other", {"ETH": "0.1", "BTC": "0.002"}, maker_fee=-100, fee_in_quote=True)
    exchange.open_account("third", {"BTC": "0.001"}, fee_in_quote=True, taker_fee=1)
    for name, side, kind, amount, price, force, by_money in steps:
        account = exchange.account(name)
        before = {currency: account.total(currency) for currency in account.currencies()}
        try:
            if kind == "cancel":
                exchange.cancel(name, "ETH/BTC", next(iter(account.orders), 0))
            elif kind == "market" and by_money:
                exchange.place(name, "ETH/BTC", side, kind, quote_amount=f"0.000{amount:02d}")
            else:
                exchange.place(
                    name, "ETH/BTC", side, kind, f"0.0{amount:02d}",
                    None if kind == "market" else f"0.0{price:03d}", time_in_force=force,
                )  # fmt: skip
        except RefusedError as refused:
            assert refused.code in {-2010, -2011, -1013}  # noqa: PT017 - most steps aren't refused
            assert {currency: account.total(currency) for currency in account.currencies()} == before
        bid, _, ask, _ = exchange.book("ETH/BTC").top()
        assert not bid or not ask or bid < ask
        assert_adds_up(exchange)
    for name in ("main", "other", "third"):
        account = exchange.account(name)
        assert sum(one.amount for one in account.executions) == sum(
            order.filled for order in account.orders.values()
        )
        for order in account.orders.values():
            assert order.spent == sum(one.cost for one in account.executions if one.order is order)


def test_the_best_price_trades_first_and_at_one_price_the_oldest() -> None:
    exchange = an_exchange()
    late = exchange.place("other", "ETH/BTC", "sell", "limit", 1, "0.03005")
    best = exchange.place("other", "ETH/BTC", "sell", "limit", 1, "0.03")
    order = exchange.place("main", "ETH/BTC", "buy", "limit", 3, "0.0301")
    assert [(one.price, one.amount) for one in exchange.executed("main")] == [
        (price_of("0.03"), amount_of(1)),
        (price_of("0.03005"), amount_of(1)),
        (price_of("0.0301"), amount_of(1)),
    ]
    assert (order.status, best.status, late.status) == ("FILLED", "FILLED", "FILLED")
    assert_adds_up(exchange)


def test_what_a_limit_order_cannot_trade_at_once_rests_and_is_given_back_when_cancelled() -> None:
    exchange = an_exchange()
    main = exchange.account("main")
    order = exchange.place("main", "ETH/BTC", "buy", "limit", 6, "0.0301")
    assert order.status == "PARTIALLY_FILLED"
    assert exchange.book("ETH/BTC").best(buy=True) == (price_of("0.0301"), amount_of(1))
    assert main.locked["BTC"] == money_of("0.0301")
    exchange.cancel("main", "ETH/BTC", order.id)
    assert order.status == "CANCELED"
    assert main.locked["BTC"] == 0
    assert main.free["BTC"] == money_of("0.8495")
    assert main.free["ETH"] == money_of("14.995")  # a thousandth of what was bought is the fee
    assert_adds_up(exchange)


def test_an_order_is_cancelled_by_its_client_id_and_only_once() -> None:
    exchange = an_exchange()
    exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.02", client_id="mine")
    exchange.cancel("main", "ETH/BTC", "mine")
    with pytest.raises(RefusedError, match="Unknown order"):
        exchange.cancel("main", "ETH/BTC", "mine")
    with pytest.raises(RefusedError, match="Unknown order"):
        exchange.cancel("other", "ETH/BTC", 1)


@pytest.mark.parametrize(
    ("force", "amount", "filled", "status"),
    [("IOC", 6, 5, "EXPIRED"), ("FOK", 6, 0, "EXPIRED"), ("FOK", 5, 5, "FILLED")],
)
def test_what_may_not_rest_ends_at_once(force: str, amount: int, filled: int, status: str) -> None:
    exchange = an_exchange()
    order = exchange.place("main", "ETH/BTC", "buy", "limit", amount, "0.0301", time_in_force=force)
    assert (order.filled, order.status) == (amount_of(filled), status)
    assert_adds_up(exchange)


def test_a_market_order_takes_what_there_is() -> None:
    exchange = an_exchange()
    order = exchange.place("main", "ETH/BTC", "sell", "market", 7)
    assert (order.filled, order.status) == (amount_of(5), "EXPIRED")
    nothing = exchange.place("main", "BTC/USDT", "buy", "market", 1)
    assert (nothing.filled, nothing.status) == (0, "EXPIRED")


def test_a_market_order_by_money_spends_no_more() -> None:
    exchange = an_exchange()
    order = exchange.place("main", "ETH/BTC", "buy", "market", quote_amount="0.1")
    assert order.status == "FILLED"
    assert order.filled == amount_of("3.3222")  # whole lots of 0.0001
    assert order.spent <= money_of("0.1")


def test_a_maker_only_order_that_would_take_is_refused() -> None:
    with pytest.raises(RefusedError, match="immediately match"):
        an_exchange().place("main", "ETH/BTC", "buy", "limit_maker", 1, "0.0301")


@pytest.mark.parametrize(
    ("account", "side", "kind", "amount", "price"),
    [
        ("main", "buy", "limit", 100, "0.03"),
        ("main", "sell", "limit", 11, "0.05"),
        ("main", "sell", "market", 11, None),
        ("other", "buy", "limit", "33.3333", "0.03"),  # the cost fits, the fee on top doesn't
    ],
)
def test_who_lacks_the_money_is_refused_and_loses_nothing(
    account: str, side: str, kind: str, amount: str | int, price: str | None
) -> None:
    exchange = an_exchange()
    before = dict(exchange.account(account).free)
    with pytest.raises(RefusedError, match="insufficient balance"):
        exchange.place(account, "ETH/BTC", side, kind, amount, price)
    assert exchange.account(account).free == before
    assert not exchange.account(account).orders


def test_own_orders_do_not_trade_with_each_other() -> None:
    exchange = an_exchange()
    resting = exchange.place("main", "ETH/BTC", "sell", "limit", 1, "0.03")
    exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.0301")
    assert resting.status == "EXPIRED_IN_MATCH"
    assert [one.price for one in exchange.executed("main")] == [price_of("0.0301")]
    assert_adds_up(exchange)


def test_own_orders_trade_with_each_other_where_that_is_allowed() -> None:
    exchange = an_exchange(self_trades=True)
    exchange.place("main", "ETH/BTC", "sell", "limit", 1, "0.03")
    exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.0301")
    buy, sell = (one.fill("binance") for one in exchange.executed("main"))
    assert buy.id == sell.id
    assert buy.key != sell.key
    assert_adds_up(exchange)


def test_a_name_of_an_open_order_is_not_taken_again() -> None:
    exchange = an_exchange()
    exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.02", client_id="mine")
    with pytest.raises(RefusedError, match="Duplicate"):
        exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.02", client_id="mine")


def test_two_orders_cross_at_any_price_with_their_own_ids_and_fee() -> None:
    exchange = an_exchange()
    amount, price = amount_of(1), price_of("0.06")
    taker = exchange.new_order("main", "ETH/BTC", "buy", "market", 2 * amount, 0, client_id="", order_id=77)
    maker = exchange.new_order("house", "ETH/BTC", "sell", "limit", amount, price)
    exchange.cross(taker, maker, price, amount, trade_id=500, fee=(money_of("0.1"), "USDT"))
    (one,) = exchange.executed("main")
    assert (one.id, one.order.id, one.price, one.fee, one.fee_currency) == (
        500, 77, price, money_of("0.1"), "USDT",
    )  # fmt: skip
    assert taker.status == "PARTIALLY_FILLED"
    assert exchange.book("ETH/BTC").next_trade_id == 501
    assert not exchange.house.orders.keys() & {maker.id}
    assert_adds_up(exchange)


def test_a_burst_executes_as_many_fills_as_asked_for() -> None:
    exchange = an_exchange()
    asyncio.run(exchange.burst("main", 1_234, "ETH/BTC"))
    made = exchange.executed("main")
    assert len({one.id for one in made}) == len(made) == 1_234
    assert {one.order.buy for one in made} == {True, False}
    assert_adds_up(exchange)


def test_a_burst_keeps_to_its_rate() -> None:
    exchange = an_exchange()

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await exchange.burst("main", 20, rate=200.0)
        return loop.time() - started

    assert asyncio.run(timed()) >= 0.09
    assert len(exchange.executed("main")) == 20


def test_strangers_print_without_touching_an_account() -> None:
    exchange = an_exchange()
    exchange.strangers("ETH/BTC", "sell", price_of("0.03"), amount_of(1), trade_id=9, maker_order=4)
    (trade,) = exchange.book("ETH/BTC").prints.last
    assert (trade.id, trade.buyer_made, trade.buy_order) == (9, True, 4)
    assert_adds_up(exchange)


def a_perpetual(contract_size: str = "0.01") -> Exchange:
    """Give an exchange with a perpetual, its quotes, and an account with money but no position."""
    exchange = Exchange(
        [
            Listing(
                "BTC", "USDT", price_of("0.1"), amount_of("0.01"), settle="USDT",
                contract_size=amount_of(contract_size),
            )
        ]
    )  # fmt: skip
    exchange.open_account("main", {"USDT": 1_000})
    exchange.place("house", "BTC/USDT:USDT", "buy", "limit", 5, "49999.9")
    exchange.place("house", "BTC/USDT:USDT", "sell", "limit", 5, "50000.1")
    return exchange


def test_a_perpetual_counts_contracts_and_costs_their_size() -> None:
    exchange = a_perpetual()
    exchange.place("main", "BTC/USDT:USDT", "buy", "market", "1.5")
    (one,) = exchange.executed("main")
    assert one.cost == money_of("750.0015")  # 1.5 contracts of 0.01 BTC
    assert (one.fee, one.fee_currency) == (money_of("0.7500015"), "USDT")
    account = exchange.account("main")
    assert account.total("USDT") == money_of("249.2484985")
    assert account.total("BTC/USDT:USDT") == 150_000_000 * 10**12
    assert account.currencies() == ["USDT"]


def test_a_perpetual_may_be_sold_by_who_has_none_but_not_bought_without_money() -> None:
    exchange = a_perpetual()
    exchange.place("main", "BTC/USDT:USDT", "sell", "limit", 1, "50000.1")
    exchange.place("main", "BTC/USDT:USDT", "sell", "market", "0.5")
    assert exchange.account("main").total("BTC/USDT:USDT") < 0
    with pytest.raises(RefusedError, match="insufficient"):
        exchange.place("main", "BTC/USDT:USDT", "buy", "market", 4)


def test_positions_and_money_in_a_perpetual_add_up_to_what_was_brought_in() -> None:
    exchange = a_perpetual("0.001")
    for side in ("buy", "sell", "sell", "buy"):
        exchange.place("main", "BTC/USDT:USDT", side, "market", "0.25")
    accounts = exchange.accounts.values()
    assert sum(one.total("BTC/USDT:USDT") for one in accounts) == exchange.brought.get("BTC/USDT:USDT", 0)
    held = sum(one.total("USDT") for one in accounts) + exchange.fees["USDT"]
    assert held == exchange.brought["USDT"]


def test_a_fill_of_a_perpetual_has_the_mark_of_its_moment_and_a_spot_fill_none() -> None:
    exchange = a_perpetual()
    exchange.place("main", "BTC/USDT:USDT", "buy", "market", "0.01")
    exchange.place("main", "BTC/USDT:USDT", "sell", "market", "0.01")
    exchange.book("BTC/USDT:USDT").mark = price_of("50500")
    exchange.place("main", "BTC/USDT:USDT", "buy", "market", "0.01")
    marks = [one.fill("x").mark for one in exchange.executed("main")]
    assert marks == [None, "50000.10000000", "50500.00000000"]


def test_a_perpetual_that_wouldnt_add_up_or_is_paid_in_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number"):
        Listing("BTC", "USDT", 1, 1, settle="USDT", contract_size=amount_of("0.01"))
    with pytest.raises(ValueError, match="paid in USDT"):
        Listing("BTC", "USDT", settle="BTC")
