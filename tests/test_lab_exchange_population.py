from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from drainwatch.lab.exchange.population import Population
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.scenario import Scenario, make
from loopback import KEY, SECRET, subscribed

FIELDS = ("account", "symbol", "id", "order", "side", "price", "amount", "client_order_id", "taker_or_maker")


@pytest.fixture(scope="module")
def robbed() -> Scenario:
    """Give a day with a thief."""
    return make(31, days=1.0, owner="rebalancer", thief="ping_pong", difficulty=0.4)


def told(population: Population) -> list[tuple[Any, ...]]:
    """Give what the exchange executed, as the scenario's fills are written."""
    return sorted(
        (
            fill.account, fill.symbol, fill.id, _order(fill.order, population), fill.side, float(fill.price),
            float(fill.amount), fill.client_order_id or "", fill.taker_or_maker, fill.ts_ns // 1_000_000,
            round(float(fill.fee_cost or 0), 12), fill.fee_currency, fill.type,
        )
        for name in population.scenario.accounts
        for fill in (one.fill("loopback") for one in population.exchange.executed(name))
    )  # fmt: skip


def _order(text: str | None, population: Population) -> str:
    """Give an order id as the scenario writes it."""
    return f"{int(text or 0):012x}" if population._hex else str(text)


def wanted(scenario: Scenario, shift_ms: int = 0) -> list[tuple[Any, ...]]:
    """Give the scenario's fills in spot markets."""
    return sorted(
        (
            row["account"], row["symbol"], row["id"], row["order"], row["side"], row["price"],
            round(row["amount"], 8), row["client_order_id"] or "", row["taker_or_maker"],
            row["timestamp"] + shift_ms, round(row["fee_cost"], 12), row["fee_currency"], row["type"],
        )
        for row in scenario.fills.astype({"client_order_id": object}).fillna("").to_dict("records")
        if ":" not in row["symbol"]
    )  # fmt: skip


def test_the_exchange_executes_what_the_tables_say(robbed: Scenario) -> None:
    population = Population(robbed, shift_ms=5_000)
    population.history()
    assert population.done
    assert told(population) == wanted(robbed, 5_000)
    assert population.counts["fills"] == len(robbed.fills)
    assert population.counts["quotes"] == len(robbed.quotes)
    for market, book in population.exchange.books.items():
        trades = robbed.trades[robbed.trades["symbol"] == book.symbol]
        prints = list(book.prints.last)
        assert [str(one.id) for one in prints] == trades["id"].tolist(), market
        assert [one.ms - 5_000 for one in prints] == trades["timestamp"].tolist()
        assert [not one.buyer_made for one in prints] == (trades["side"] == "buy").tolist()


@pytest.mark.parametrize(
    ("seed", "what"),
    [(5, {}), (8, {"thief": "ping_pong"}), (9, {"owner": "farm"}), (12, {"owner": "perp_trader"})],
)
def test_any_scenario_can_be_played_and_the_money_adds_up(seed: int, what: dict[str, Any]) -> None:
    scenario = make(seed, days=1.0, **what)
    population = Population(scenario)
    population.history()
    assert told(population) == wanted(scenario)
    exchange = population.exchange
    for currency, brought in exchange.brought.items():
        held = sum(account.total(currency) for account in exchange.accounts.values())
        assert held + exchange.fees.get(currency, 0) == brought
    for name in scenario.accounts:
        for made in exchange.account(name).by_symbol.values():
            ids = [one.id for one in made]
            assert ids == sorted(ids)  # pages by id need that


def test_the_account_ends_with_what_the_balances_say(robbed: Scenario) -> None:
    population = Population(robbed)
    population.history()
    last = robbed.balances[robbed.balances["timestamp"] == robbed.balances["timestamp"].max()]
    traded_since = robbed.fills[robbed.fills["timestamp"] > robbed.balances["timestamp"].max()]
    assert len(last)
    touched = set(traded_since["symbol"].str.split("/").explode())
    for row in last.to_dict("records"):
        if row["currency"] not in touched:
            total = population.exchange.account(row["account"]).total(row["currency"]) / 1e20
            assert total == pytest.approx(row["total"], rel=1e-8)


def test_who_watches_hears_the_thief_at_the_time_and_price_of_the_tables(robbed: Scenario) -> None:
    assert robbed.started_ms is not None
    start, end = robbed.started_ms - 20_000, robbed.started_ms + 60_000
    drained = robbed.fills[robbed.fills["timestamp"].between(start, end - 1)]
    symbols = {symbol.replace("/", "").lower() for symbol in drained["symbol"]}
    quotes = robbed.quotes[robbed.quotes["timestamp"].between(start, end - 1)]

    async def scene() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        population = Population(robbed)
        population.exchange.add_key("main", KEY, secret=SECRET)
        population.history(start)
        assert population.clock.now_ms() < start
        async with Server(population.exchange) as server, aiohttp.ClientSession() as session:
            api = await subscribed(session, server)
            streams = "/".join(f"{symbol}@bookTicker/{symbol}@trade" for symbol in sorted(symbols))
            public = await session.ws_connect(f"{server.ws_url}/stream?streams={streams}")
            await population.play(speed=400.0, until_ms=end)
            await api.ask("ping")
            await public.send_json({"id": 1, "method": "LIST_SUBSCRIPTIONS"})  # its answer comes last
            market = []
            while "data" in (message := await public.receive_json(timeout=5)):
                market.append(message["data"])
            await public.close()
            await api.socket.close()
        return api.events, market

    events, market = asyncio.run(scene())
    fills = [one for one in events if one.get("x") == "TRADE"]
    assert [(str(one["t"]), float(one["L"]), float(one["l"]), one["T"]) for one in fills] == list(
        zip(drained["id"], drained["price"], drained["amount"].round(8), drained["timestamp"], strict=True)
    )
    assert len(fills) > 3
    seen = [(one["s"].lower(), float(one["b"]), float(one["a"])) for one in market if "B" in one]
    rows = [
        (row["symbol"].replace("/", "").lower(), row["bid"], row["ask"]) for row in quotes.to_dict("records")
    ]
    assert seen
    assert set(seen) <= set(rows)
    trades = [one for one in market if one.get("e") == "trade"]
    assert {str(one["t"]) for one in fills} <= {str(one["t"]) for one in trades}


def test_a_day_passes_in_a_moment(robbed: Scenario) -> None:
    population = Population(robbed)
    asyncio.run(population.play(speed=1e9))
    assert population.done
    assert told(population) == wanted(robbed)
    assert population.clock.now_ms() >= int(robbed.fills["timestamp"].max())


def test_it_can_be_played_row_by_row(robbed: Scenario) -> None:
    population = Population(robbed, shift_ms=7_000)
    upcoming = population.upcoming
    assert upcoming is not None
    population.step()
    assert population.clock.now_ms() == upcoming[0] + 7_000
    while population.upcoming is not None:
        population.step()
    assert population.done
    assert told(population) == wanted(robbed, 7_000)
