from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.hub import STREAM, Hub
from drainwatch.lab.exchange.prints import MINUTE_MS
from drainwatch.lab.exchange.timeline import Timeline
from drainwatch.lab.exchange.units import amount_of, money_of, price_of
from loopback import KEY, an_exchange


class Ears:
    """A connection that keeps what it is sent."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.session = None
        self.subscriptions: dict[int, Any] = {}
        self.next_subscription = 0
        self.streams: dict[str, None] = {}
        self.combined = False
        self.behind = False

    def push(self, payload: bytes, *, event: bool = True) -> None:
        self.heard.append(json.loads(payload))

    def as_connection(self) -> Connection:
        return cast(Connection, self)


def test_names_of_streams_are_known() -> None:
    for name in ("ethbtc@trade", "ethbtc@depth", "ethbtc@depth@100ms", "ethbtc@kline_1m", "1inch@bookTicker"):
        assert STREAM.fullmatch(name)
    for name in ("ETHBTC@trade", "ethbtc", "ethbtc@", "ethbtc@kline_5m", "!bookTicker"):
        assert not STREAM.fullmatch(name)


def test_nothing_is_told_to_who_did_not_ask() -> None:
    exchange = an_exchange()
    hub, ears = Hub(exchange), Ears()
    hub.add(ears.as_connection())
    exchange.place("main", "ETH/BTC", "buy", "market", 1)
    exchange.deposit("main", "ETH", 1)
    hub.tick()
    assert ears.heard == []


def test_several_who_watch_one_account_all_hear_it_under_their_own_numbers() -> None:
    exchange = an_exchange()
    hub, one, two = Hub(exchange), Ears(), Ears()
    assert hub.subscribe(one.as_connection(), exchange.keys[KEY]) == 0
    hub.unsubscribe(one.as_connection(), 0)
    assert hub.subscribe(one.as_connection(), exchange.keys[KEY]) == 1
    hub.subscribe(two.as_connection(), exchange.keys[KEY])
    exchange.deposit("main", "ETH", money_of(2))
    assert [message["event"] for message in one.heard] == [message["event"] for message in two.heard]
    assert {message["subscriptionId"] for message in one.heard} == {1}
    assert one.heard[0]["event"]["d"] == "2.00000000"
    hub.remove(two.as_connection())
    exchange.deposit("main", "ETH", 1)
    assert len(two.heard) == 2
    assert len(one.heard) == 4


def test_changes_of_a_book_add_up_to_the_book() -> None:
    exchange = an_exchange()
    hub, ears = Hub(exchange), Ears()
    hub.follow(ears.as_connection(), ["ethbtc@depth"])
    mirror: dict[str, dict[str, str]] = {"b": {"0.02990000": "5.00000000"}, "a": {"0.03010000": "5.00000000"}}
    last = exchange.book("ETHBTC").update_id
    for step in range(4):
        exchange.place("main", "ETH/BTC", "buy", "limit", 1, f"0.0{300 + step}")
        exchange.place("main", "ETH/BTC", "sell", "limit", "0.5", f"0.0{303 - step}")
        hub.tick()
        hub.tick()
        (update,) = ears.heard
        ears.heard.clear()
        assert update["U"] == last + 1
        last = update["u"]
        for side in ("b", "a"):
            for price, amount in update[side]:
                mirror[side][price] = amount
                if float(amount) == 0.0:
                    del mirror[side][price]
    book = exchange.book("ETHBTC")
    for side, buy in (("b", True), ("a", False)):
        assert {(price_of(price), amount_of(amount)) for price, amount in mirror[side].items()} == set(
            book.levels(buy=buy, most=99)
        )


def test_candles_are_told_as_they_grow_and_once_when_they_close() -> None:
    clock = Timeline(10 * MINUTE_MS)
    exchange = an_exchange(clock=clock.now_ms)
    hub, ears = Hub(exchange), Ears()
    hub.follow(ears.as_connection(), ["ethbtc@kline_1m"])

    def told() -> list[tuple[int, int, bool]]:
        hub.tick()
        candles = [(one["k"]["t"] // MINUTE_MS, one["k"]["n"], one["k"]["x"]) for one in ears.heard]
        ears.heard.clear()
        return candles

    assert told() == []
    exchange.place("main", "ETH/BTC", "buy", "market", 1)
    assert told() == [(10, 1, False)]
    assert told() == []
    exchange.place("main", "ETH/BTC", "buy", "market", 1)
    clock.stand(11 * MINUTE_MS + 1)
    exchange.place("main", "ETH/BTC", "buy", "market", 1)
    assert told() == [(10, 2, True), (11, 1, False)]
    clock.stand(12 * MINUTE_MS)
    assert told() == [(11, 1, True)]
    assert told() == []


def test_who_drives_the_exchange_waits_for_those_who_are_behind() -> None:
    async def scene() -> None:
        exchange = an_exchange()
        hub, ears = Hub(exchange), Ears()
        hub.add(ears.as_connection())
        ears.behind = True
        waiting = asyncio.create_task(hub.drained())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        ears.behind = False
        await asyncio.wait_for(waiting, 1.0)

    asyncio.run(scene())


def test_trades_show_order_ids_where_the_exchange_does() -> None:
    exchange = an_exchange(shows_orders=True)
    hub, ears = Hub(exchange), Ears()
    hub.follow(ears.as_connection(), ["ethbtc@trade"])
    order = exchange.place("main", "ETH/BTC", "sell", "market", 1)
    assert ears.heard[0]["a"] == order.id
