"""The exchange on a loopback address: start it, point a client at it, stop it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from drainwatch.lab.exchange.binance_rest import Rest
from drainwatch.lab.exchange.binance_ws import Websockets
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.hub import Hub
from drainwatch.lab.exchange.matching import Exchange


class Server(Host[Hub]):
    """Binance spot on this machine; an asynchronous context manager.

    Parameters
    ----------
    exchange
        What is traded on.
    faults
        What goes wrong; nothing unless given.
    port
        0 for one that is free.
    ping_s
        How often clients are pinged.
    """

    def __init__(
        self, exchange: Exchange, faults: Faults | None = None, *, port: int = 0, ping_s: float = 20.0
    ) -> None:
        super().__init__(exchange, Hub(exchange), faults, port=port, ping_s=ping_s)

    def routes(self, router: web.UrlDispatcher) -> None:
        """Say who answers what."""
        rest, sockets = Rest(self.exchange, self.faults), Websockets(self.hub, self.faults)
        router.add_get("/ws-api/v3", sockets.api)
        router.add_get("/ws", sockets.streams)
        router.add_get("/ws/{names:.*}", sockets.streams)
        router.add_get("/stream", sockets.streams)
        router.add_route("*", "/{path:.*}", rest.answer)

    @property
    def ws_api_url(self) -> str:
        """Where the websocket API is."""
        return f"{self.ws_url}/ws-api/v3"

    def ccxt_urls(self) -> dict[str, Any]:
        """Give what `ccxt.binance`'s settings need as `urls` to come here."""
        rest = {"public": "api/v3", "private": "api/v3", "v1": "api/v1"}
        rest |= dict.fromkeys(("sapi", "sapiV2", "sapiV3", "sapiV4"), "sapi/v1")
        for market in ("fapi", "dapi", "eapi"):
            rest |= {f"{market}{end}": f"{market}/v1" for end in ("Public", "Private", "Data")}
            rest |= {f"{market}{end}V2": f"{market}/v2" for end in ("Public", "Private")}
        rest |= {
            "fapiPublicV3": "fapi/v3",
            "fapiPrivateV3": "fapi/v3",
            "papi": "papi/v1",
            "papiV2": "papi/v2",
        }
        streams = dict.fromkeys(("spot", "margin", "linear", "inverse"), f"{self.ws_url}/ws")
        return {
            "api": {
                **{name: f"{self.url}/{path}" for name, path in rest.items()},
                "ws": {**streams, "ws-api": {"spot": self.ws_api_url}},
            }
        }
