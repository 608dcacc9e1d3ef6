"""Bots' REST interfaces on this machine, as their documents have them, and hooks for them."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from drainwatch.response.hook import Hook

USER, PASSWORD = "drainwatch", "PlAnTeDpassword"
TOKEN = "PlAnTeDtoken"  # noqa: S105 - opens nothing
START_MS = 1_764_600_000_000


def incident(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Give an object of the contract."""
    return {
        "id": f"incident-{number}",
        "account": "main",
        "exchange": "binance",
        "symbols": ["ETH/BTC"],
        "severity": "critical",
        "escalated_at": None,
        "kind": "ping_pong",
        "kind_now": "ping_pong",
        "opened_at": START_MS,
        "alerted_at": START_MS + number,
        "closed_at": None,
        "fills": [{"symbol": "ETH/BTC", "id": "1", "order": "2", "side": "buy"}],
        "loss": 1.5,
        "loss_currency": "BTC",
        **changes,
    }


def hook(kind: str = "command", **changes: Any) -> Hook:
    """Give a hook that is no dry run."""
    given: dict[str, Any] = {
        "name": "the-hook",
        "kind": kind,
        "dry_run": False,
        "timeout_s": 10.0,
        "user": USER,
        "password": PASSWORD,
    }
    return Hook(**(given | changes))


def basic(user: str = USER, password: str = PASSWORD) -> str:
    """Give what a client says that logs in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Server:
    """A server that can be made to answer badly, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.plan: list[int | None] = []
        """Statuses to answer next instead of what is right; None: cut the connection; -1: never."""
        self.url = ""

    def routes(self) -> list[web.RouteDef]:
        """Say who answers what."""
        raise NotImplementedError

    @web.middleware
    async def _spoiled(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.asked[f"{request.method} {request.path}"] += 1
        if self.plan:
            status = self.plan.pop(0)
            if status is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if status == -1:
                await asyncio.sleep(3_600)
            headers = {"Location": "http://127.0.0.1:9/"} if 300 <= status < 400 else {}
            return web.Response(status=status, text="<html>no</html>", headers=headers)
        return await handler(request)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen."""
        app = web.Application(middlewares=[self._spoiled])
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


class Freqtrade(Server):
    """Freqtrade's REST interface (2026.9), of what a hook asks for."""

    def __init__(self, state: str = "running", n_open: int = 0) -> None:
        super().__init__()
        self.state, self.n_open = state, n_open
        self.obeys = True
        self.sells = True

    def routes(self) -> list[web.RouteDef]:
        """Say who answers what."""
        return [
            web.post("/api/v1/token/login", self._login),
            web.get("/api/v1/show_config", self._config),
            web.get("/api/v1/count", self._count),
            web.post("/api/v1/stop", self._stop),
            web.post("/api/v1/stopbuy", self._pause),
            web.post("/api/v1/forceexit", self._exit),
        ]

    async def _login(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != basic():
            return web.json_response({"detail": "Incorrect username or password"}, status=401)
        return web.json_response({"access_token": TOKEN, "refresh_token": TOKEN})

    def _guard(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized

    async def _config(self, request: web.Request) -> web.Response:
        self._guard(request)
        return web.json_response({"version": "2026.9", "state": self.state, "bot_name": "a bot"})

    async def _count(self, request: web.Request) -> web.Response:
        self._guard(request)
        return web.json_response({"current": self.n_open, "max": 3, "total_stake": 0.0})

    async def _stop(self, request: web.Request) -> web.Response:
        self._guard(request)
        if self.state == "stopped":
            return web.json_response({"status": "already stopped"})
        self.state = "stopped" if self.obeys else self.state
        return web.json_response({"status": "stopping trader ..."})

    async def _pause(self, request: web.Request) -> web.Response:
        self._guard(request)
        self.state = "paused"
        return web.json_response(
            {"status": "No more entries will occur from now. Run /start to enable entries."}
        )

    async def _exit(self, request: web.Request) -> web.Response:
        self._guard(request)
        wanted = await request.json()
        assert wanted == {"tradeid": "all", "ordertype": "market"}
        if self.state == "stopped":
            return web.json_response(
                {"error": "Error querying /api/v1/forceexit: trader is not running"}, status=502
            )
        self.n_open = 0 if self.sells else self.n_open
        return web.json_response({"result": "Created exit orders for all open trades."})


class HummingbotApi(Server):
    """hummingbot-api's bot orchestration, of what a hook asks for: success around success."""

    def __init__(self, *bots: str) -> None:
        super().__init__()
        self.bots = dict.fromkeys(bots, "running")
        self.told: list[dict[str, Any]] = []
        self.away = 0
        """So often its message broker isn't there."""

    def routes(self) -> list[web.RouteDef]:
        """Say who answers what."""
        return [
            web.get("/bot-orchestration/{bot}/status", self._status),
            web.post("/bot-orchestration/stop-bot", self._stop),
        ]

    async def _status(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != basic():
            return web.json_response({"detail": "Incorrect username or password"}, status=401)
        bot = request.match_info["bot"]
        if bot not in self.bots:
            data = {"status": "not_found", "error": f"Bot {bot} not found"}
        else:
            data = {"status": self.bots[bot]}
        return web.json_response({"status": "success", "data": data})

    async def _stop(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != basic():
            return web.json_response({"detail": "Incorrect username or password"}, status=401)
        wanted = await request.json()
        self.told.append(wanted)
        if wanted["bot_name"] not in self.bots:
            found: dict[str, Any] = {"success": False, "message": f"Bot {wanted['bot_name']} not found"}
        elif self.away:
            self.away -= 1
            found = {"success": False}
        else:
            self.bots[wanted["bot_name"]] = "stopped"
            found = {"success": True}
        return web.json_response({"status": "success", "response": found})


class Taker(Server):
    """Takes what is posted."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[tuple[dict[str, str], bytes]] = []

    def routes(self) -> list[web.RouteDef]:
        """Say who answers what."""
        return [web.post("/hook/PlAnTeDhook", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        self.took.append((dict(request.headers), await request.read()))
        return web.Response(status=204)
