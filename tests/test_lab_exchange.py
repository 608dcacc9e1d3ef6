"""Other people's clients, unmodified, and our own streams hear what was traded on the loopback exchange."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from drainwatch.lab.exchange import signatures
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.notices import Notice
from drainwatch.rows import Balance, Fill, Market, Quote, Row, Trade
from drainwatch.venues.binance import BinanceSpotPrivateSource
from drainwatch.venues.binance_public import BinancePublicSource
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.connection import Connection
from drainwatch.venues.protocol import BadMessage, Credentials, Symbols
from loopback import KEY, SECRET, an_exchange, until


@pytest.fixture(scope="module")
def ccxt_pro() -> Any:
    """Give ccxt.pro, which takes seconds to import."""
    return pytest.importorskip("ccxt.pro")


@pytest.fixture
def python_binance(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give python-binance, which still imports what `websockets` has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("binance")


def with_ccxt(ccxt_pro: Any, scene: Callable[[Server, Any], Awaitable[None]], **settings: Any) -> None:
    """Run a scene with a server and a ccxt.pro client that is pointed at it."""

    async def whole() -> None:
        async with Server(an_exchange()) as server:
            client = ccxt_pro.binance(
                {
                    "apiKey": KEY,
                    "secret": SECRET,
                    "urls": server.ccxt_urls(),
                    "enableRateLimit": False,
                    **settings,
                }
            )
            try:
                await scene(server, client)
            finally:
                await client.close()

    asyncio.run(whole())


def as_fill(trade: dict[str, Any]) -> tuple[Any, ...]:
    """Give what ccxt's trade says of a fill."""
    return (
        trade["id"], trade["symbol"], trade["side"], trade["price"], trade["amount"], trade["order"],
        trade["takerOrMaker"], trade["timestamp"], trade["fee"]["cost"], trade["fee"]["currency"],
    )  # fmt: skip


def expected(fill: Fill) -> tuple[Any, ...]:
    """Give the same of our own row."""
    return (
        fill.id, fill.symbol, fill.side, float(fill.price), float(fill.amount), fill.order,
        fill.taker_or_maker, fill.ts_ns // 1_000_000, float(fill.fee_cost or 0), fill.fee_currency,
    )  # fmt: skip


def test_ccxt_pro_places_orders_and_hears_their_fills(ccxt_pro: Any) -> None:
    async def scene(server: Server, client: Any) -> None:
        await client.load_markets()
        assert client.symbols == ["BTC/USDT", "ETH/BTC"]
        assert client.market("ETH/BTC")["precision"] == {
            "amount": 0.0001, "price": 1e-05, "base": 1e-08, "quote": 1e-08,
        }  # fmt: skip
        mine = asyncio.create_task(client.watch_my_trades())
        prints = asyncio.create_task(client.watch_trades("ETH/BTC"))
        await until(
            lambda: (
                any(connection.subscriptions for connection in server.connections)
                and any("ethbtc@trade" in connection.streams for connection in server.connections)
            ),
            10.0,
        )
        order = await client.create_order(
            "ETH/BTC", "limit", "buy", 0.5, 0.0301, {"newClientOrderId": "bot-1"}
        )
        assert (order["status"], order["clientOrderId"], order["filled"]) == ("closed", "bot-1", 0.5)
        (heard,) = await asyncio.wait_for(mine, 5)
        (truth,) = server.exchange.executed("main")
        assert as_fill(heard) == expected(truth.fill("binance"))
        assert heard["info"]["c"] == "bot-1"
        (printed,) = await asyncio.wait_for(prints, 5)
        assert (printed["id"], printed["price"], printed["side"]) == ("1", 0.0301, "buy")
        resting = await client.create_order("ETH/BTC", "limit", "sell", 1, 0.05)
        assert [one["id"] for one in await client.fetch_open_orders("ETH/BTC")] == [resting["id"]]
        assert (await client.cancel_order(resting["id"], "ETH/BTC"))["status"] == "canceled"
        assert [as_fill(one) for one in await client.fetch_my_trades("ETH/BTC")] == [as_fill(heard)]
        assert (await client.fetch_balance())["total"] == {"BTC": 0.98495, "ETH": 10.4995, "USDT": 1000.0}
        assert (await client.sapiGetAccountApiRestrictions())["enableWithdrawals"] is False

    with_ccxt(ccxt_pro, scene)


def test_ccxt_pro_keeps_a_book_and_candles(ccxt_pro: Any) -> None:
    async def scene(server: Server, client: Any) -> None:
        await server.exchange.burst("main", 5, "ETH/BTC")
        book = asyncio.create_task(client.watch_order_book("ETH/BTC"))
        best = asyncio.create_task(client.watch_bids_asks(["ETH/BTC"]))
        await until(lambda: sum(len(connection.streams) for connection in server.connections) == 2, 20.0)
        async with asyncio.timeout(60):
            while not (book.done() and best.done()):  # once it has the book's snapshot, the next change does
                order = server.exchange.place("main", "ETH/BTC", "buy", "limit", 1, "0.02995")
                await asyncio.sleep(0.05)
                server.exchange.cancel("main", "ETH/BTC", order.id)
        for step in range(3):
            server.exchange.place("main", "ETH/BTC", "buy", "limit", 1, f"0.0{2997 + step}")
        assert (await best)["ETH/BTC"]["askVolume"] > 0
        await book
        await until(lambda: client.orderbooks["ETH/BTC"]["bids"][0] == [0.02999, 1.0])
        assert client.orderbooks["ETH/BTC"]["asks"] == (await client.fetch_order_book("ETH/BTC"))["asks"]
        candles = await client.fetch_ohlcv("ETH/BTC", "1m")
        assert sum(candle[5] for candle in candles) == pytest.approx(0.0005)

    with_ccxt(ccxt_pro, scene)


def test_ccxt_pro_finds_every_fill_of_a_burst_page_by_page(ccxt_pro: Any) -> None:
    async def scene(server: Server, client: Any) -> None:
        await server.exchange.burst("main", 2_500, "ETH/BTC")
        found: list[str] = []
        params: dict[str, Any] = {"fromId": 1}
        while rows := await client.fetch_my_trades("ETH/BTC", None, 1_000, params):
            found += [row["id"] for row in rows]
            params = {"fromId": max(map(int, found)) + 1}  # ccxt sorts the ids of a millisecond as texts
        assert sorted(map(int, found)) == [one.id for one in server.exchange.executed("main")]

    with_ccxt(ccxt_pro, scene)


def test_ccxt_names_what_is_wrong_with_a_key(ccxt_pro: Any) -> None:
    async def scene(server: Server, client: Any) -> None:
        server.exchange.revoke(KEY)
        with pytest.raises(ccxt_pro.ExchangeError, match="-2015"):
            await client.fetch_balance()

    with_ccxt(ccxt_pro, scene)


def test_python_binance_places_orders_and_hears_their_fills(
    python_binance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server:
            monkeypatch.setattr(python_binance.AsyncClient, "API_URL", f"{server.url}/api")
            monkeypatch.setattr(python_binance.AsyncClient, "MARGIN_API_URL", f"{server.url}/sapi")
            monkeypatch.setattr(python_binance.AsyncClient, "WS_API_URL", server.ws_api_url)
            monkeypatch.setattr(python_binance.BinanceSocketManager, "STREAM_URL", f"{server.ws_url}/")
            # Closing waits until its reader looks up.
            monkeypatch.setattr(python_binance.ReconnectingWebsocket, "TIMEOUT", 0.5)
            client = await python_binance.AsyncClient.create(KEY, SECRET)
            manager = python_binance.BinanceSocketManager(client)
            try:
                async with manager.user_socket() as user, manager.trade_socket("ETHBTC") as prints:
                    placed = await client.create_order(
                        symbol="ETHBTC", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.5",
                        price="0.0301", newClientOrderId="bot-1",
                    )  # fmt: skip
                    assert placed["status"] == "FILLED"
                    events = [await asyncio.wait_for(user.recv(), 5) for _ in range(3)]
                    assert [one["e"] for one in events] == ["executionReport"] * 2 + [
                        "outboundAccountPosition"
                    ]
                    (truth,) = server.exchange.executed("main")
                    fill = truth.fill("binance")
                    report = events[1]
                    assert (str(report["t"]), report["L"], report["l"], report["c"], report["n"]) == (
                        fill.id, fill.price, fill.amount, "bot-1", fill.fee_cost,
                    )  # fmt: skip
                    assert (await asyncio.wait_for(prints.recv(), 5))["t"] == truth.id
                    sold = await client.ws_create_order(
                        symbol="ETHBTC", side="SELL", type="MARKET", quantity="0.5"
                    )
                    assert sold["status"] == "FILLED"
                    assert [row["id"] for row in await client.get_my_trades(symbol="ETHBTC")] == [1, 2]
                    assert (await client.get_account_api_permissions())["enableReading"] is True
            finally:
                await client.close_connection()

    asyncio.run(scene())


class Heard:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.all: list[Row] = []
        self.notices: list[Notice] = []
        self.bads: list[BadMessage] = []
        self.stands = 0

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        self.all += rows

    async def ready(self, stream: str, *, first: bool) -> None:
        self.stands += 1

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def bad(self, message: BadMessage) -> None:
        self.bads.append(message)

    def seen(self, exchange: str, symbols: set[str]) -> None:
        """Nothing follows from it here."""

    def unlisted(self, exchange: str, names: set[str]) -> None:
        raise AssertionError(names)

    def fills(self) -> list[Fill]:
        """Give the fills alone."""
        return [row for row in self.all if isinstance(row, Fill)]


def markets(exchange: Exchange) -> Symbols:
    """Give the exchange's markets as our streams know them."""
    return Symbols(
        [
            Market(
                exchange="binance", symbol=book.symbol, venue_symbol=book.venue_symbol,
                base=book.listing.base, quote=book.listing.quote,
            )
            for book in exchange.books.values()
        ]
    )  # fmt: skip


def ed25519_key(exchange: Exchange) -> Credentials:
    """Give the account a key of Ed25519."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    exchange.add_key("main", "ed", verify=signatures.ed25519(public))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Credentials("ed", pem)


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_our_own_stream_hears_every_fill_as_it_was_executed(kind: str) -> None:
    async def scene() -> None:
        exchange = an_exchange()
        credentials = Credentials(KEY, SECRET) if kind == "hmac" else ed25519_key(exchange)
        async with Server(exchange) as server:
            heard = Heard()
            source = BinanceSpotPrivateSource(
                credentials, markets(exchange), account="main", url=server.ws_api_url
            )
            stream = asyncio.create_task(Connection(source, heard, SystemClock(), account="main").run())
            await until(lambda: heard.stands == 1)
            exchange.place("main", "ETH/BTC", "buy", "limit", "0.5", "0.0301", client_id="bot-1")
            exchange.place("main", "ETH/BTC", "sell", "limit", 1, "0.03", client_id="bot-2")
            exchange.place("other", "ETH/BTC", "buy", "market", "0.7")
            await exchange.burst("main", 300)
            await until(lambda: len(heard.fills()) == 302)
            assert heard.fills() == [one.fill("binance") for one in exchange.executed("main")]
            assert {row.taker_or_maker for row in heard.fills()} == {"taker", "maker"}
            totals = {row.currency: row.total for row in heard.all if isinstance(row, Balance)}
            for currency, total in totals.items():
                assert total == pytest.approx(exchange.account("main").total(currency) / 1e20)
            assert heard.bads == []
            assert heard.notices == []
            server.connections[0].cut()
            await until(lambda: heard.stands == 2, 10.0)
            await exchange.burst("main", 1)
            await until(lambda: len(heard.fills()) == 303)
            stream.cancel()
            await asyncio.wait([stream])

    asyncio.run(scene())


def test_our_own_stream_hears_prints_and_quotes() -> None:
    async def scene() -> None:
        exchange = an_exchange(shows_orders=True)
        async with Server(exchange) as server:
            heard = Heard()
            source = BinancePublicSource(markets(exchange), url=f"{server.ws_url}/stream")
            connection = Connection(source, heard, SystemClock())
            await connection.want(["ETH/BTC"])
            stream = asyncio.create_task(connection.run())
            await until(lambda: any(len(one.streams) == 2 for one in server.connections))
            order = exchange.place("main", "ETH/BTC", "buy", "limit", "0.5", "0.0301")
            await until(lambda: len(heard.all) == 2)
            (trade,) = (row for row in heard.all if isinstance(row, Trade))
            (quote,) = (row for row in heard.all if isinstance(row, Quote))
            assert (trade.symbol, trade.id, trade.price, trade.amount, trade.side, trade.taker_order) == (
                "ETH/BTC", "1", 0.0301, 0.5, "buy", str(order.id),
            )  # fmt: skip
            assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (0.0299, 0.0301, 5.0, 4.5)
            assert heard.bads == []
            stream.cancel()
            await asyncio.wait([stream])

    asyncio.run(scene())
