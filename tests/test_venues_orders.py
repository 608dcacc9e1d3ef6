"""Open orders are seen and cancelled by a key that may trade."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.server import Server
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.orders import OpenOrder, Orders
from drainwatch.venues.protocol import Credentials
from loopback import SECRET, an_exchange

TRADING_KEY = "a-key-that-may-trade"


class Hasty(SystemClock):
    """The right time, but no patience."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


def at(server: Server, key: str = TRADING_KEY) -> Orders:
    return Orders("binance", Credentials(key, SECRET), Hasty(), account="main", base_url=server.url)


def scene(
    do: Callable[[Server, Orders], Awaitable[None]], *, can_trade: bool = True, key: str = TRADING_KEY
) -> None:
    """Do something with an account that has three open orders in two markets."""

    async def play() -> None:
        exchange = an_exchange()
        exchange.add_key("main", TRADING_KEY, secret=SECRET, can_trade=can_trade)
        exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.01")
        exchange.place("main", "ETH/BTC", "sell", "limit", 1, "0.09")
        exchange.place("main", "BTC/USDT", "buy", "limit", "0.001", "100")
        async with Server(exchange) as server:
            orders = at(server, key)
            try:
                await do(server, orders)
            finally:
                await orders.close()

    asyncio.run(play())


def open_at(server: Server) -> list[Any]:
    return [one for one in server.exchange.accounts["main"].orders.values() if one.is_open]


def test_all_open_orders_are_seen() -> None:
    async def do(server: Server, orders: Orders) -> None:
        found = await orders.open_orders(())
        assert {order.symbol for order in found} == {"ETH/BTC", "BTC/USDT"}
        assert {order.id for order in found} == {str(one.id) for one in open_at(server)}

    scene(do)


def test_one_order_is_cancelled() -> None:
    async def do(server: Server, orders: Orders) -> None:
        first = min(await orders.open_orders(()))
        await orders.cancel(first)
        assert first not in await orders.open_orders(())
        assert len(open_at(server)) == 2
        await orders.cancel(first)  # which isn't there any more

    scene(do)


def test_all_orders_of_a_market_are_cancelled_at_once() -> None:
    async def do(server: Server, orders: Orders) -> None:
        assert await orders.cancel_all("ETH/BTC")
        assert {one.book.symbol for one in open_at(server)} == {"BTC/USDT"}
        assert await orders.cancel_all("ETH/BTC"), "none is left, which is what was wanted"

    scene(do)


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.RATE_LIMIT, Fault.LOST_ANSWER])
def test_what_passes_is_tried_again(fault: Fault) -> None:
    async def do(server: Server, orders: Orders) -> None:
        (first, *_) = await orders.open_orders(())
        server.faults.once(fault, 2)
        await orders.cancel(first)
        assert first not in await orders.open_orders(())

    scene(do)


def test_an_unknown_key_is_refused_without_being_shown() -> None:
    async def do(server: Server, orders: Orders) -> None:
        with pytest.raises(KeyRefusedError) as caught:
            await orders.open_orders(())
        assert "PlAnTeD" not in str(caught.value)

    scene(do, key="PlAnTeDkey")


def test_where_the_venue_wants_a_market_named_each_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such venues say so by ccxt's `ArgumentsRequired`."""
    from ccxt.base.errors import ArgumentsRequired  # type: ignore[import-untyped]

    async def do(server: Server, orders: Orders) -> None:
        await orders.prepare()
        ask, asked = orders.exchange.fetch_open_orders, list[str]()

        async def fetch(symbol: str | None = None) -> Any:
            if symbol is None:
                raise ArgumentsRequired("fetchOpenOrders() requires a symbol argument")
            asked.append(symbol)
            return await ask(symbol)

        monkeypatch.setattr(orders.exchange, "fetch_open_orders", fetch)
        wanted: Collection[str] = ("ETH/BTC", "NO/SUCH")
        assert {order.symbol for order in await orders.open_orders(wanted)} == {"ETH/BTC"}
        assert asked == ["ETH/BTC"]

    scene(do)


def test_rows_without_id_or_symbol_are_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    async def do(server: Server, orders: Orders) -> None:
        await orders.prepare()

        async def fetch(_symbol: str | None = None) -> Any:
            return [
                None,
                {},
                {"id": "1"},
                {"id": None, "symbol": "A/B"},
                {"id": 7, "symbol": "A/B"},
                {"id": 8, "symbol": "A/B", "status": "closed"},
            ]

        monkeypatch.setattr(orders.exchange, "fetch_open_orders", fetch)
        assert await orders.open_orders(()) == {OpenOrder("A/B", "7")}

    scene(do)


@pytest.mark.parametrize(
    ("exchange_id", "settles"),
    [("bybit", ["USDT", "BTC", "ETH", "USDC", "USDT"]), ("okx", [None, None, None])],
)
def test_each_kind_of_market_is_asked_for_and_at_bybit_each_settlement_currency(
    monkeypatch: pytest.MonkeyPatch, exchange_id: str, settles: list[str | None]
) -> None:
    """Bybit lists derivatives of one settlement currency at a time: others' orders would stay unseen."""
    kinds = [
        ("spot", "", ""),
        ("swap", "USDT", ""),
        ("swap", "USDC", ""),
        ("swap", "BTC", "y"),
        ("swap", "ETH", "y"),
    ]
    markets = {
        f"{settle}{type_}": {"type": type_, "settle": settle, "inverse": bool(inverse), "linear": not inverse}
        for type_, settle, inverse in kinds
    }
    asked: list[dict[str, Any]] = []

    async def scene() -> None:
        orders = Orders(exchange_id, Credentials("k", "s", "p"), Hasty(), account="main")
        orders.exchange.markets = markets

        async def loaded() -> None: ...

        async def fetch(symbol: str | None = None) -> Any:
            options = orders.exchange.options
            asked.append({"symbol": symbol} | {n: options.get(n) for n in ("defaultType", "defaultSettle")})
            return []

        monkeypatch.setattr(orders, "_loaded", loaded)
        monkeypatch.setattr(orders.exchange, "fetch_open_orders", fetch)
        before = dict(orders.exchange.options)
        await orders.open_orders(["USDTswap", "gone"])
        assert orders.exchange.options | before == orders.exchange.options, "options are as they were"
        await orders.close()

    asyncio.run(scene())
    *lists, last = asked
    assert sorted((one["defaultSettle"] for one in lists), key=str) == sorted(settles, key=str)
    assert {one["defaultType"] for one in lists} == {"spot", "swap"}
    assert last["symbol"] == "USDTswap"


def test_a_venue_that_does_not_come_back_is_an_error() -> None:
    async def do(server: Server, orders: Orders) -> None:
        await orders.prepare()
        server.faults.set({Fault.SERVER_ERROR: 1.0})
        with pytest.raises(VenueError):
            await orders.open_orders(())

    scene(do)
