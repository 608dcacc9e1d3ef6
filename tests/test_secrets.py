"""A watch among exchanges that repeat every secret in their errors: none is found anywhere afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web
from websockets.asyncio.client import connect

import loopback
from drainwatch.lab.exchange import operations
from drainwatch.lab.exchange.server import Server

PLANTED = {
    "PLANT_KEY": "plantedKeyQ7mZ4vT9xW2cN8bL5pR1sK6",
    "PLANT_SECRET": "plantedSecretJ3hG8fD1aS6kL9qW4eR7t",
    "PLANT_OTHER_KEY": "plantedOtherKeyY5uI2oP8aS3dF6gH9jK",
    "PLANT_OTHER_SECRET": "plantedOtherSecretZ1xC4vB7nM2kJ5hG",
    "PLANT_FUTURES_KEY": "plantedFuturesKeyU8yT5rE2wQ9aZ6sX3",
    "PLANT_FUTURES_SECRET": "plantedFuturesSecretE4dC7vF1bG8nH5",
    "PLANT_OKX_KEY": "plantedOkxKeyM2jU6yH9tG4rF7eD1wS8",
    "PLANT_OKX_SECRET": "plantedOkxSecretK5iO8lP3mN6bV9cX2",
    "PLANT_OKX_PASSPHRASE": "plantedPassphraseW4sD7fG1hJ8kL5zX",
    "PLANT_SIGNING": "plantedSigningC3vB6nM9aS2dF5gH8jK1",
}
MAIL_TOKEN = "plantedMailTokenX7cV1bN4mK8jH2gF5d"  # noqa: S105 - opens nothing
HOOK_TOKEN = "plantedHookTokenB6nM9qW3eR8tY1uI4o"  # noqa: S105 - opens nothing
LISTEN_KEY = "plantedListenKeyT7gB2yH5nU8jM1kI4o"
INLET_TOKEN = "plantedInletTokenP3lO6kI9jU2hY5gT8f"  # noqa: S105 - opens nothing
OUTLET_TOKEN = "plantedOutletTokenA9sD2fG5hJ8kL1qW4"  # noqa: S105 - opens nothing

REPEATED = {
    "PLANT_OTHER_KEY", "PLANT_FUTURES_KEY", "PLANT_OKX_KEY", "PLANT_OKX_PASSPHRASE", "listen key",
    "hook token", "mail token",
}  # fmt: skip
"""What is sent over the wire, and so can come back."""

CHILD = """
import logging
logging.basicConfig(level=0, format="%(name)s %(message)s")
from drainwatch.cli import main
main()
"""

FUTURES = {
    "symbols": [
        {
            "symbol": "ETHUSDT", "pair": "ETHUSDT", "contractType": "PERPETUAL", "status": "TRADING",
            "baseAsset": "ETH", "quoteAsset": "USDT", "marginAsset": "USDT", "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000, "pricePrecision": 2, "quantityPrecision": 3, "filters": [],
            "orderTypes": [], "timeInForce": [],
        }
    ]
}  # fmt: skip
OKX = {
    "code": "0", "msg": "",
    "data": [
        {
            "instType": "SPOT", "instId": "ETH-BTC", "baseCcy": "ETH", "quoteCcy": "BTC", "state": "live",
            "tickSz": "0.00001", "lotSz": "0.0001", "minSz": "0.001", "instFamily": "", "settleCcy": "",
            "uly": "", "alias": "", "listTime": "1548133413000",
        }
    ],
}  # fmt: skip


class Parrot:
    """Answers what must be answered, and all else with an error that repeats the whole request."""

    def __init__(self) -> None:
        self.url = ""
        self.signatures: set[str] = set()
        self.repeated: set[str] = set()
        """Secrets that were in its errors."""
        self._statuses = itertools.cycle((500, 400, 401, 418, 429, 403, 503))
        self._codes = itertools.cycle((-1100, -1022, -2015))
        self.sockets = 0

    def note(self, said: str) -> str:
        """Remember which secrets something holds."""
        found = re.findall(r"signature[\"'=: ]+([0-9a-f]{64})", said) + re.findall(
            r"\"sign\": *\"([^\"]+)", said
        )
        self.signatures |= set(found)
        self.repeated |= {name for name, secret in secrets().items() if secret in said}
        return said

    async def rest(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade"):
            return await self.socket(request)
        path = request.path
        if path == "/api/v3/exchangeInfo":
            return web.json_response(operations.exchange_info(loopback.an_exchange(), {}))
        if path == "/fapi/v1/exchangeInfo":
            return web.json_response(FUTURES)
        if path == "/fapi/v1/listenKey":
            return web.json_response({"listenKey": LISTEN_KEY})
        if path == "/api/v5/public/instruments":
            return web.json_response(OKX)
        said = self.note(f"{request.method} {request.url} {dict(request.headers)} {await request.text()}")
        if (sign := request.headers.get("OK-ACCESS-SIGN")) is not None:
            self.signatures.add(sign)
        status = next(self._statuses)
        if status == 500:
            return web.Response(status=status, text=f"<html>{said}</html>", content_type="text/html")
        return web.json_response({"code": next(self._codes), "msg": said}, status=status)

    async def socket(self, request: web.Request) -> web.StreamResponse:
        self.sockets += 1
        self.note(str(request.url))
        response = web.WebSocketResponse()
        await response.prepare(request)
        if LISTEN_KEY in request.path or LISTEN_KEY in request.query_string:
            self.repeated.add("listen key")
            await response.send_json({"e": "listenKeyExpired", "E": 1736996475556, "listenKey": LISTEN_KEY})
        with contextlib.suppress(ConnectionError):
            async for message in response:
                said = self.note(str(message.data))
                if '"op"' in said:
                    await response.send_json(
                        {"event": "error", "code": "60009", "msg": said, "connId": "a4d3ae55"}
                    )
                    await response.send_str(said)
                    continue
                number = json.loads(said).get("id")
                error = {"code": next(self._codes), "msg": said}
                await response.send_json({"id": number, "status": 400, "error": error})
                await response.send_str(said)
        return response

    async def hook(self, request: web.Request) -> web.Response:
        self.note(str(request.url))
        return web.Response(status=500, text=str(request.url))


def secrets() -> dict[str, str]:
    """Give all that was planted."""
    return {
        **PLANTED, "hook token": HOOK_TOKEN, "mail token": MAIL_TOKEN, "listen key": LISTEN_KEY,
        "inlet token": INLET_TOKEN, "outlet token": OUTLET_TOKEN,
    }  # fmt: skip


@contextlib.asynccontextmanager
async def parrot() -> AsyncIterator[Parrot]:
    one = Parrot()
    application = web.Application()
    application.router.add_post("/hook/{token}", one.hook)
    application.router.add_route("*", "/{path:.*}", one.rest)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield one
    finally:
        await runner.cleanup()


def write_settings(folder: Path, server: Server, bird: Parrot) -> Path:
    """Write settings with everything on."""
    for name, token in (("inlet", INLET_TOKEN), ("outlet", OUTLET_TOKEN)):
        (folder / f"{name}.token").touch(mode=0o600)
        (folder / f"{name}.token").write_text(token + "\n")

    def account(
        name: str, exchange: str, keys: str, rest: str, private: str, public: str, more: str = ""
    ) -> str:
        return (
            f'[[accounts]]\nname = "{name}"\nexchange = "{exchange}"\nkey_env = "{keys}_KEY"\n'
            f'secret_env = "{keys}_SECRET"\nurl_rest = "{rest}"\nurl_private = "{private}"\n'
            f'url_public = "{public}"\n{more}\n'
        )

    rest, ws = f"http://{bird.url}", f"ws://{bird.url}"
    path = folder / "watch.toml"
    path.write_text(
        f'[watch]\nstore = "sqlite:///{folder}/watch.db"\nrecord = "{folder}/frames"\n'
        f'[inlet]\nenabled = true\nport = 0\ntoken_file = "{folder}/inlet.token"\n'
        f'[outlet]\nenabled = true\nport = {free_port()}\ntoken_file = "{folder}/outlet.token"\n'
        f"[health]\nenabled = true\nport = {free_port()}\n"
        + account("good", "binance", "PLANT", server.url, server.ws_api_url, f"{server.ws_url}/stream")
        + account("bad", "binance", "PLANT_OTHER", rest, f"{ws}/ws-api/v3", f"{ws}/stream")
        + account("futures", "binanceusdm", "PLANT_FUTURES", rest, f"{ws}/ws", f"{ws}/stream")
        + account(
            "okx", "okx", "PLANT_OKX", rest, f"{ws}/ws/v5/private", f"{ws}/ws/v5/public",
            'passphrase_env = "PLANT_OKX_PASSPHRASE"',
        )
        + '[[channels]]\nname = "owner"\nkind = "webhook"\nurl_env = "PLANT_HOOK"\n'
        'signing_env = "PLANT_SIGNING"\n'
        + '[[channels]]\nname = "mail"\nkind = "apprise"\nurl_env = "PLANT_MAIL"\n'
    )  # fmt: skip
    return path


_ports = itertools.count(23_400 + os.getpid() % 5_000)


def free_port() -> int:
    """Give a port that nobody listens on."""
    import socket

    for port in _ports:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError


async def visit(settings: str) -> dict[str, str]:
    """Ask all that the watch serves, with and without the right tokens; give the answers."""
    ports = [int(port) for port in re.findall(r"port = (\d+)", settings)]
    outlet, health = ports[1], ports[2]
    said = {}
    async with aiohttp.ClientSession() as session:
        for page in ("metrics", "health", f"nothing?token={OUTLET_TOKEN}"):
            async with session.get(f"http://127.0.0.1:{health}/{page}") as answer:
                said[page.partition("?")[0]] = await answer.text()
    for token in (OUTLET_TOKEN, OUTLET_TOKEN + "x"):
        heard = said.setdefault(f"outlet {len(token)}", "")
        with contextlib.suppress(Exception):
            async with connect(
                f"ws://127.0.0.1:{outlet}", additional_headers={"Authorization": f"Bearer {token}"}
            ) as socket:
                async with asyncio.timeout(0.5):
                    async for frame in socket:
                        heard += str(frame)
        said[f"outlet {len(token)}"] = heard
    return said


async def session(folder: Path) -> tuple[dict[str, bytes], Parrot]:
    """Run a watch among all that; give everything that it said or wrote, by where."""
    exchange = loopback.an_exchange()
    exchange.add_key("main", PLANTED["PLANT_KEY"], secret=PLANTED["PLANT_SECRET"], can_trade=False)
    async with Server(exchange) as server, parrot() as bird:
        settings = write_settings(folder, server, bird)
        text = settings.read_text()
        environ = {
            **os.environ,
            **PLANTED,
            "PLANT_HOOK": f"http://{bird.url}/hook/{HOOK_TOKEN}",
            "PLANT_MAIL": f"json://{bird.url}/mail/{MAIL_TOKEN}",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-X", "dev", "-W", "ignore", "-c", CHILD,
            "watch", "--config", str(settings), "--debug",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=environ | {"PYTHONASYNCIODEBUG": "1"},
        )  # fmt: skip
        output = asyncio.create_task(process.communicate())
        found: dict[str, bytes] = {}
        try:
            async with asyncio.timeout(90):
                while not (server.connections and bird.repeated >= REPEATED):
                    await asyncio.sleep(0.1)
                    assert process.returncode is None, (await output)[1].decode()[-3_000:]
                await exchange.burst("main", 20)
                server.connections[0].cut()
                exchange.keys[PLANTED["PLANT_KEY"]].revoked = True
                for connection in server.connections:
                    connection.cut()
                await asyncio.sleep(3.0)
                found["arguments"] = arguments(process.pid)
                found |= {name: said.encode() for name, said in (await visit(text)).items()}
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            found["stdout"], found["stderr"] = await output
    return found | written(folder), bird


def written(folder: Path) -> dict[str, bytes]:
    """Give what was written into files."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".token"]
    return {path.name: unpacked(path.read_bytes()) for path in files}


def unpacked(raw: bytes) -> bytes:
    """Unpack a recording; anything else is as it is."""
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def arguments(pid: int) -> bytes:
    """Give what everybody on the machine sees of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_no_secret_is_found_anywhere(tmp_path: Path) -> None:
    found, bird = asyncio.run(session(tmp_path))
    assert len(found["stderr"]) > 10_000, "debug logging was on"
    assert b"key_refused" in found["stderr"]
    assert found["metrics"].count(b"\n") > 20
    assert any(name.startswith("frames") and len(said) > 1_000 for name, said in found.items())
    assert len(bird.signatures) > 3
    leaks = sorted(
        (what, where)
        for what, secret in {**secrets(), **{f"signature {s[:6]}": s for s in bird.signatures}}.items()
        for where, said in found.items()
        if secret.encode() in said
    )
    assert not leaks


def test_the_search_finds_what_is_there() -> None:
    said = gzip.compress(PLANTED["PLANT_KEY"].encode())
    assert PLANTED["PLANT_KEY"].encode() in unpacked(said)
