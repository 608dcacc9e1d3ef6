"""Slack, Discord and Telegram on this machine: they keep to their documented limits, and fail as told.

Each keeps what its chat shows, as its reader would see it. A clock is given, so that an hour of limits
passes in a second.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import REPEATED

S = 1_000_000_000
HANG_S = 10.0
"""So long a request that isn't answered hangs."""
FAULTS = ("429", "500", "reset", "reset after", "hang", "hang after")
"""What may happen; `after`: the message was taken, but nobody is told."""


class Clock(Protocol):
    """The time."""

    def now_ns(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass
class Shown:
    """A message as a chat shows it."""

    id: str
    text: str
    at_ns: int
    versions: list[str] = field(default_factory=list)
    answered: bool = True
    """Whether the sender was told that it was taken."""

    @property
    def repeated(self) -> bool:
        """Whether it says of itself that it may be there twice."""
        return REPEATED in self.text

    @property
    def news(self) -> str:
        """What it says, but for that."""
        return self.text.replace(REPEATED, "")


class Service:
    """One service with one channel."""

    kind = ""
    limits: tuple[tuple[int, int], ...] = ()

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self.clock = clock
        self.chance = random.Random(f"{self.kind} {seed}")
        self.faults = 0.0
        """Share of requests that go wrong, each way alike."""
        self.refusing = 0.0
        """Share of requests that are answered by 401."""
        self.shown: list[Shown] = []
        self.counts: Counter[str] = Counter()
        self._taken_ns: deque[int] = deque(maxlen=max(count for count, _ in self.limits))
        self.url = ""

    # --- what each has of its own --------------------------------------------------------------------

    @property
    def channel(self) -> Channel:
        raise NotImplementedError

    def refusal(self, body: dict[str, Any]) -> str:
        """Say why a body isn't taken; empty: it is."""
        raise NotImplementedError

    def earlier(self, request: web.BaseRequest, body: dict[str, Any]) -> str | None:
        """Give the id of the message to be edited."""
        raise NotImplementedError

    def taken(self, shown: Shown) -> web.Response:
        raise NotImplementedError

    def too_many(self, wait_s: float) -> web.Response:
        raise NotImplementedError

    def refused(self, status: int, why: str) -> web.Response:
        return web.json_response({"message": why, "description": why}, status=status)

    # --- what they have in common ----------------------------------------------------------------------

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = json.loads(await request.read())
        fault = self.chance.choice(FAULTS) if self.chance.random() < self.faults else ""
        self.counts[fault or "fine"] += 1
        if self.chance.random() < self.refusing:
            self.counts["401"] += 1
            return self.refused(401, "Unauthorized")
        if fault == "429":
            return self.too_many(self.chance.choice((0.5, 1.0, 2.0)))
        if fault == "500":
            return self.refused(500, "Internal Server Error")
        if fault in ("reset", "hang"):
            return await self._cut(request, hangs=fault == "hang")
        wait_s = self._wait_s()
        if wait_s > 0:
            self.counts["over the limit"] += 1
            return self.too_many(wait_s)
        why = self.refusal(body)
        if why:
            self.counts["malformed"] += 1
            return self.refused(400, why)
        self._taken_ns.append(self.clock.now_ns())
        answer = self._take(request, body, told=not fault)
        return await self._cut(request, hangs=fault == "hang after") if fault else answer

    async def _cut(self, request: web.BaseRequest, *, hangs: bool) -> web.Response:
        if hangs:
            await self.clock.sleep(HANG_S)
        if request.transport is not None:  # else whoever asked is gone
            request.transport.abort()
        return web.Response()

    def _wait_s(self) -> float:
        now_ns, wait_ns = self.clock.now_ns(), 0
        for count, span_ns in self.limits:
            if len(self._taken_ns) >= count:
                wait_ns = max(wait_ns, self._taken_ns[-count] + span_ns - now_ns)
        return wait_ns / S

    def _take(self, request: web.BaseRequest, body: dict[str, Any], *, told: bool) -> web.Response:
        text, earlier = text_in(body), self.earlier(request, body)
        if earlier is None:
            self.shown.append(Shown(str(len(self.shown) + 1), text, self.clock.now_ns(), [text], told))
            return self.taken(self.shown[-1])
        found = next((one for one in self.shown if one.id == earlier), None)
        if found is None:
            return self.gone()
        if found.text == text:
            return self.unchanged(found)
        found.text = text
        found.versions.append(text)
        return self.taken(found)

    def gone(self) -> web.Response:
        """Say that the message to be edited isn't there."""
        return self.refused(404, "message_not_found")

    def unchanged(self, shown: Shown) -> web.Response:
        return self.taken(shown)


def text_in(body: object) -> str:
    """Give all that a body says, one part a line, without markup."""
    if isinstance(body, str):
        return re.sub(r"</?[a-z][^<>]*>|[\\\u2060]", "", body)
    if isinstance(body, dict):
        parts = [text_in(part) for name, part in body.items() if name not in NOT_SHOWN]
    elif isinstance(body, list):
        parts = [text_in(part) for part in body]
    else:
        return ""
    return "\n".join(part for part in parts if part)


NOT_SHOWN = frozenset(
    {"type", "chat_id", "message_id", "channel", "ts", "thread_ts", "parse_mode", "url", "client_msg_id"}
)


class Slack(Service):
    """An incoming webhook: one a second; nothing can be edited."""

    kind = "slack"
    limits = ((1, S),)

    @property
    def channel(self) -> Channel:
        return Channel(name="slack", kind="slack", url=self.url)

    def refusal(self, body: dict[str, Any]) -> str:
        blocks = body.get("blocks", [])
        long = any(len(text_in(block)) > 3_000 for block in blocks)
        return "invalid_blocks" if long or len(blocks) > 50 or len(body.get("text", "")) > 40_000 else ""

    def earlier(self, request: web.BaseRequest, body: dict[str, Any]) -> str | None:
        return None

    def taken(self, shown: Shown) -> web.Response:
        return web.Response(text="ok")

    def too_many(self, wait_s: float) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": str(int(wait_s) + 1)}, text="rate_limited")


class Discord(Service):
    """A webhook: five in two seconds, thirty in a minute; messages can be edited."""

    kind = "discord"
    limits = ((5, 2 * S), (30, 60 * S))

    @property
    def channel(self) -> Channel:
        return Channel(name="discord", kind="discord", url=self.url)

    def refusal(self, body: dict[str, Any]) -> str:
        embeds = body.get("embeds", [])
        long = sum(len(text_in(embed)) for embed in embeds) > 6_000 or len(body.get("content") or "") > 2_000
        many = any(len(embed.get("fields", [])) > 25 for embed in embeds)
        return "Invalid Form Body" if long or many else ""

    def earlier(self, request: web.BaseRequest, body: dict[str, Any]) -> str | None:
        return request.path.rpartition("/messages/")[2] if request.method == "PATCH" else None

    def taken(self, shown: Shown) -> web.Response:
        left, reset_s = 4, 2.0
        if len(self._taken_ns) >= 5:
            since_ns = self.clock.now_ns() - self._taken_ns[-5]
            left, reset_s = (0, max(2.0 - since_ns / S, 0.0)) if since_ns < 2 * S else (4, 2.0)
        headers = {"X-RateLimit-Remaining": str(left), "X-RateLimit-Reset-After": f"{reset_s:.3f}"}
        return web.json_response({"id": shown.id}, headers=headers)

    def too_many(self, wait_s: float) -> web.Response:
        told = {"message": "You are being rate limited.", "retry_after": round(wait_s, 3), "global": False}
        return web.json_response(told, status=429, headers={"Retry-After": str(int(wait_s) + 1)})

    def gone(self) -> web.Response:
        return web.json_response({"message": "Unknown Message", "code": 10008}, status=404)


class Telegram(Service):
    """A bot in a group: one a second, twenty in a minute; messages can be edited."""

    kind = "telegram"
    limits = ((1, S), (20, 60 * S))

    @property
    def channel(self) -> Channel:
        return Channel(name="telegram", kind="telegram", url=self.url, chat_id="-100")

    def refusal(self, body: dict[str, Any]) -> str:
        return "Bad Request: message is too long" if len(text_in(body.get("text", ""))) > 4_096 else ""

    def earlier(self, request: web.BaseRequest, body: dict[str, Any]) -> str | None:
        return str(body["message_id"]) if request.path.endswith("/editMessageText") else None

    def taken(self, shown: Shown) -> web.Response:
        return web.json_response({"ok": True, "result": {"message_id": int(shown.id)}})

    def too_many(self, wait_s: float) -> web.Response:
        wait = int(wait_s) + 1
        told = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {wait}"}
        return web.json_response(told | {"parameters": {"retry_after": wait}}, status=429)

    def gone(self) -> web.Response:
        return self.refused(400, "Bad Request: message to edit not found")

    def unchanged(self, shown: Shown) -> web.Response:
        return self.refused(400, "Bad Request: message is not modified")


@asynccontextmanager
async def serving(*services: Service) -> AsyncIterator[None]:
    """Have services listen, each at a path of its own."""
    by_path = {service.kind: service for service in services}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await by_path[request.path.split("/")[1]].answer(request)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    for service in services:
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{service.kind}"
    try:
        yield
    finally:
        await runner.cleanup()


async def until(what: Any, limit_s: float = 60.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(limit_s):
        while not what():  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.005)
