"""A small Binance on the loopback, so that unmodified ccxt can be led into each of its traps."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Self

from aiohttp import WSMsgType, web

from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill, Row
from drainwatch.venues.protocol import BadMessage, Credentials

KEYS = Credentials("planted-key", "planted-secret")
COINS = ("ETH", "QTUM", "SOL")


class RealClock:
    """Wall-clock time."""

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Listener:
    """A sink that keeps all it is given."""

    def __init__(self) -> None:
        self.all: list[Row] = []
        self.fills: list[Fill] = []
        self.notices: list[Notice] = []
        self.bad_messages: list[BadMessage] = []
        self.symbols: set[str] = set()
        self.readies: list[bool] = []
        self.slow_s = 0.0

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        assert received_ns > 0
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        self.all += rows
        self.fills += [row for row in rows if isinstance(row, Fill)]

    async def ready(self, stream: str, *, first: bool) -> None:
        assert stream
        self.readies.append(first)

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def bad(self, message: BadMessage) -> None:
        self.bad_messages.append(message)

    def seen(self, exchange: str, symbols: set[str]) -> None:
        assert exchange
        self.symbols |= symbols

    def unlisted(self, exchange: str, names: set[str]) -> None:
        pass

    def kinds(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.notices]

    def ids(self) -> list[str]:
        return [fill.id for fill in self.fills]


class FakeBinance:
    """Spot REST, the websocket API's user stream, and public streams; knows one key."""

    def __init__(self) -> None:
        self.trades: list[dict[str, Any]] = []
        self.totals = {"BTC": 10.0, "ETH": 0.0, "QTUM": 0.0, "SOL": 0.0}
        self.users: list[web.WebSocketResponse] = []
        self.publics: list[web.WebSocketResponse] = []
        self.subscribed: list[str] = []
        self.requests: list[str] = []
        self.failures: list[tuple[int, dict[str, Any]]] = []
        self.key_works = True
        self.page = 1_000
        self._runner: web.AppRunner | None = None
        self.base = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/v3/exchangeInfo", self._info)
        app.router.add_get("/api/v3/time", self._time)
        app.router.add_get("/api/v3/account", self._account)
        app.router.add_get("/api/v3/myTrades", self._my_trades)
        app.router.add_get("/sapi/v1/account/apiRestrictions", self._rights)
        app.router.add_route("*", "/fapi/v1/listenKey", self._listen_key)
        app.router.add_get("/ws-api", self._user)
        app.router.add_get("/ws/{name}", self._public)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in (*self.users, *self.publics):
            if not socket.closed:
                await socket.close()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def urls(self) -> dict[str, Any]:
        ws = self.base.replace("http", "ws")
        return {
            "public": f"{self.base}/api/v3",
            "private": f"{self.base}/api/v3",
            "sapi": f"{self.base}/sapi/v1",
            "fapiPrivate": f"{self.base}/fapi/v1",
            "ws": {"spot": f"{ws}/ws", "ws-api": {"spot": f"{ws}/ws-api"}},
        }

    # --- what happens there --------------------------------------------------------------------

    def execute(self, coin: str = "ETH", **changes: Any) -> dict[str, Any]:
        """Let the account trade, and give what the user stream would say of it."""
        ident = len(self.trades) + 1
        now_ms = time.time_ns() // 1_000_000
        raw = {
            "symbol": f"{coin}BTC",
            "id": ident,
            "orderId": 7_000 + ident,
            "price": "0.06000000",
            "qty": "1.23456789",
            "quoteQty": "0.07407407",
            "commission": "0.00010000",
            "commissionAsset": "BNB",
            "time": now_ms,
            "isBuyer": True,
            "isMaker": False,
            "isBestMatch": True,
            **changes,
        }
        self.trades.append(raw)
        return {
            "e": "executionReport",
            "E": now_ms,
            "s": raw["symbol"],
            "c": f"bot-{raw['orderId']}",
            "S": "BUY" if raw["isBuyer"] else "SELL",
            "o": "LIMIT",
            "f": "GTC",
            "q": "5.00000000",
            "p": raw["price"],
            "P": "0.00000000",
            "F": "0.00000000",
            "g": -1,
            "C": "",
            "x": "TRADE",
            "X": "PARTIALLY_FILLED",
            "r": "NONE",
            "i": raw["orderId"],
            "l": raw["qty"],
            "z": raw["qty"],
            "L": raw["price"],
            "n": raw["commission"],
            "N": raw["commissionAsset"],
            "T": raw["time"],
            "t": raw["id"],
            "I": 1,
            "w": False,
            "m": raw["isMaker"],
            "M": True,
            "O": raw["time"],
            "Z": raw["quoteQty"],
            "Y": raw["quoteQty"],
            "Q": "0.00000000",
        }

    async def say(self, event: Any) -> None:
        """Send an event, or raw text, to every user stream."""
        text = event if isinstance(event, str) else json.dumps({"subscriptionId": 0, "event": event})
        for socket in list(self.users):
            if not socket.closed:
                await socket.send_str(text)

    async def trade(self, coin: str = "ETH", **changes: Any) -> None:
        """Let the account trade and say so."""
        await self.say(self.execute(coin, **changes))

    async def cut(self, *, abort: bool = False) -> None:
        """End every user stream, in order or not."""
        users, self.users = self.users, []
        for socket in users:
            if abort:
                transport = socket._req.transport if socket._req is not None else None
                assert transport is not None
                transport.abort()
            else:
                await socket.close(code=1001)

    async def listening(self, count: int = 1, timeout_s: float = 60.0) -> None:
        """Wait until so many user streams stand."""
        await until(lambda: len([s for s in self.users if not s.closed]) >= count, timeout_s)

    # --- its interface -------------------------------------------------------------------------

    def _failure(self, request: web.Request) -> web.Response | None:
        self.requests.append(request.path)
        if self.failures:
            status, body = self.failures.pop(0)
            return web.json_response(body, status=status)
        if "X-MBX-APIKEY" in request.headers and not self.key_works:
            return web.json_response(
                {"code": -2015, "msg": "Invalid API-key, IP, or permissions."}, status=401
            )
        return None

    async def _info(self, request: web.Request) -> web.Response:
        symbols = [
            {
                "symbol": f"{coin}BTC",
                "status": "TRADING",
                "baseAsset": coin,
                "baseAssetPrecision": 8,
                "quoteAsset": "BTC",
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "orderTypes": ["LIMIT", "MARKET"],
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": "0.00001",
                        "maxPrice": "100",
                        "tickSize": "0.00001",
                    },
                    {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "100000", "stepSize": "0.0001"},
                ],
                "permissions": [],
                "permissionSets": [["SPOT"]],
            }
            for coin in COINS
        ]
        failure = self._failure(request)
        return failure or web.json_response({"timezone": "UTC", "serverTime": 1, "symbols": symbols})

    async def _time(self, request: web.Request) -> web.Response:
        return self._failure(request) or web.json_response({"serverTime": time.time_ns() // 1_000_000})

    async def _account(self, request: web.Request) -> web.Response:
        held = [{"asset": coin, "free": f"{total:.8f}", "locked": "0"} for coin, total in self.totals.items()]
        return self._failure(request) or web.json_response({"balances": held})

    async def _rights(self, request: web.Request) -> web.Response:
        body = {"ipRestrict": True, "createTime": 1_700_000_000_000, "enableReading": True}
        body |= {"enableSpotAndMarginTrading": False, "enableWithdrawals": False, "enableMargin": False}
        body |= {"enableFutures": False, "permitsUniversalTransfer": False}
        return self._failure(request) or web.json_response(body)

    async def _listen_key(self, request: web.Request) -> web.Response:
        return self._failure(request) or web.json_response({"listenKey": "planted-listen-key"})

    async def _my_trades(self, request: web.Request) -> web.Response:
        failure = self._failure(request)
        if failure is not None:
            return failure
        query = request.query
        found = [raw for raw in self.trades if raw["symbol"] == query["symbol"]]
        start, end = int(query.get("startTime", 0)), int(query.get("endTime", 10**15))
        if "startTime" in query and "endTime" in query and end - start > 86_400_000:
            return web.json_response({"code": -1127, "msg": "More than 24 hours"}, status=400)
        found = [raw for raw in found if start <= raw["time"] <= end]
        limit = min(int(query.get("limit", 500)), self.page)
        return web.json_response(found[:limit])

    async def _user(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            if not self.key_works:
                error = {"code": -1022, "msg": "Signature for this request is not valid."}
                await socket.send_json({"id": asked["id"], "status": 400, "error": error})
                continue
            assert asked["method"] == "userDataStream.subscribe.signature"
            await socket.send_json({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}})
            self.users.append(socket)
        return socket

    async def _public(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.publics.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                asked = json.loads(message.data)
                self.subscribed += asked["params"]
                await socket.send_json({"result": None, "id": asked["id"]})
        return socket


async def until(condition: Any, timeout_s: float = 60.0) -> None:
    """Wait until something is so, and fail if it doesn't become so."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)
