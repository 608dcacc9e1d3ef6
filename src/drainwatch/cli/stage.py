"""The stage of `demo --live`: an exchange on this machine, an account on it, a thief, and a real watch.

Only the exchange and who trades there are simulated. The watch is the one that `drainwatch watch` runs:
the same streams, journal, engine, outbox and delivery, told by a settings file where its exchange is.

Nobody waits days to see it, so idle time is left out: the exchange's clock, by which the watch goes, too,
runs as fast as any while something is under way and jumps over the pauses between what happens. Before
each jump the watch has taken all that was sent. So nothing is rushed, and no limit that the watch has in
seconds means anything else than usual. Nor does it jump while a message is on its way to the owner.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from drainwatch.config import load_settings
from drainwatch.errors import ConfigError, VenueError
from drainwatch.lab.exchange.population import Population
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.thieves import KINDS
from drainwatch.watch.runner import Watch

if TYPE_CHECKING:
    from aiohttp import web

    from drainwatch.lab.scenario import Scenario

HOST: Final = "127.0.0.1"
SLACK_MS: Final = 250
"""What is this near is sent at once. Not more: Binance's quotes have no time, the watch stamps them."""
START_S: Final = 30.0
"""How long the watch may take to hear its streams."""
TAKE_S: Final = 5.0
"""How long it may take to judge a fill; a delivery that takes longer isn't waited for, either."""
LONGEST_PAUSE_S: Final = 1.0
"""Between two fills while the thief is at work, so that one can read along."""
_EASE: Final = 8.0
"""Share of the time left that a pause takes at most, inverted: so the first fills are slow to see."""
_TURNS: Final = 200


@dataclass(frozen=True, slots=True)
class Loss:
    """What the thief has taken so far, by the simulator's truth."""

    fills: int
    """Of the thief's."""
    quote: float
    """USDT beyond fair value."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A message of an incident with a stolen fill in it, as it came in at the channel."""

    text: str
    after_ms: int
    """From the thief's first fill to the message's arrival, on the exchange's clock."""
    delay_s: float
    """From the last fill before it to the message's arrival, on this machine's clock."""
    lost: Loss


class Inbox:
    """The owner's end of a channel: takes what a webhook is sent, on this machine.

    Parameters
    ----------
    take
        Called with each message.
    """

    def __init__(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        self._take = take
        self._path = f"/{secrets.token_urlsafe(24)}"
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where messages go; whoever knows it can send some."""
        return f"http://{HOST}:{self._port}{self._path}"

    async def __aenter__(self) -> Self:
        from aiohttp import web

        application = web.Application()
        application.router.add_post(self._path, self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        from aiohttp import web

        self._take(await request.json())
        return web.Response(status=204)


class Stage:
    """An account on a simulated exchange, watched from some time on; an asynchronous context manager.

    Parameters
    ----------
    scenario
        Who trades, and who steals. Derivatives are left out: the exchange trades spot.
    folder
        For settings, keys and the store.
    from_ms
        When the watch begins; what was before it, it doesn't know.
    on_message
        Called with each message that comes in at the channel.
    on_verdict
        Called with each fill that is judged, as bots are told of it, and whether the thief made it.

    Raises
    ------
    ConfigError
        There is no thief, or he drains in derivatives.
    VenueError
        When it begins: the watch hears nothing.
    """

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        *,
        from_ms: int,
        on_message: Callable[[Mapping[str, Any]], None] = lambda _: None,
        on_verdict: Callable[[Mapping[str, Any], bool], None] = lambda *_: None,
    ) -> None:
        self._stolen = _stolen(scenario)
        if not self._stolen or scenario.family is None or KINDS[scenario.family].needs == "perp":
            raise ConfigError(
                f"expected a thief in spot markets, as the exchange of --live has no others, found "
                f"{scenario.family}: choose another --thief, or leave out --live"
            )
        self._folder, self._from_ms = folder, from_ms
        self._on_message, self._on_verdict = on_message, on_verdict
        self.account = scenario.accounts[0]
        self.population = Population(scenario)
        self.clock = self.population.clock
        self.all = Loss(len(self._stolen), sum(self._stolen.values()))
        """What the thief would take if nobody stopped him."""
        self.lost = Loss(0, 0.0)
        self.alert: Alert | None = None
        """The first message of the theft; None as long as none has come."""
        self.untaken = 0
        """Fills that the watch didn't judge in time."""
        self.watch: Watch
        self._server: Server
        self._running: asyncio.Task[None]
        self._open: AsyncExitStack
        self._due = 0
        self._began_ms: int | None = None
        self._last_fill_s = self._paused_until_s = 0.0
        self._arrived = asyncio.Event()
        self._telling = False

    # --- life ----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            self.population.history(self._from_ms)  # the clock stands there until the watch hears
            key, secret = secrets.token_hex(32), secrets.token_hex(32)
            self.population.exchange.add_key(self.account, key, secret=secret, can_trade=False)
            self._server = await opening.enter_async_context(Server(self.population.exchange))
            inbox = await opening.enter_async_context(Inbox(self._take))
            settings = load_settings(self._settings_file(key, secret, inbox.url), {})
            self.watch = Watch(settings, environ={}, clock=self.clock)
            self.watch.hub.listeners.append(self._hear)
            self.watch.hub.tells_all = lambda: True
            self._running = asyncio.create_task(self.watch.run())
            opening.push_async_callback(self._stop)
            await self._until_it_hears()
            self._go_on()
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _stop(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])
        if not self._running.cancelled() and (error := self._running.exception()) is not None:
            raise error

    def _settings_file(self, key: str, secret: str, url: str) -> Path:
        """Write what an owner writes: a settings file that names the places of what is secret."""
        places = {name: _private(self._folder / name, text) for name, text in
                  (("api.key", key), ("api.secret", secret), ("channel.url", url))}  # fmt: skip
        tables = {
            "[watch]": {"store": f"sqlite:///{(self._folder / 'drainwatch.db').as_posix()}"},
            "[[accounts]]": {
                "name": self.account,
                "exchange": "binance",
                "key_file": str(places["api.key"]),
                "secret_file": str(places["api.secret"]),
                "url_rest": self._server.url,
                "url_private": self._server.ws_api_url,
                "url_public": f"{self._server.ws_url}/stream",
            },
            "[[channels]]": {"name": "owner", "kind": "webhook", "url_file": str(places["channel.url"])},
        }
        lines = [
            line
            for table, values in tables.items()
            for line in (table, *(f"{name} = {json.dumps(value)}" for name, value in values.items()), "")
        ]
        path = self._folder / "drainwatch.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    async def _until_it_hears(self) -> None:
        """Wait until the private stream stands and what it first asks for has come."""
        known = f"known until/{self.account}"
        end_s = asyncio.get_running_loop().time() + START_S
        while self.watch.store.value(known) is None or not all(
            stream.connected for followed in self.watch.followed for stream in followed.streams()
        ):
            self._raise_if_ended()
            if asyncio.get_running_loop().time() > end_s:
                raise VenueError(
                    f"expected the watch to hear its streams within {START_S:.0f} s, found it doesn't: this "
                    "machine may be too busy; try again, or with --debug"
                )
            await asyncio.sleep(0.01)

    # --- playing -------------------------------------------------------------------------------------

    async def play(self, until_ms: int) -> None:
        """Let everything before a time (ms, of the scenario) happen, as fast as the watch takes it."""
        await self._play(until_ms, None)

    async def rob(self, seconds: float) -> Alert | None:
        """Let the thief come, until an alert is there or he has all that he gets.

        Parameters
        ----------
        seconds
            How long that may last at most, on this machine's clock, without what the judging takes.

        Returns
        -------
        Alert or None
            The first message; None: it wasn't found.
        """
        await self._play(None, asyncio.get_running_loop().time() + seconds)
        if self.alert is None:  # that of the last fill may be on its way
            await self._comes_within(TAKE_S)
        return self.alert

    async def _play(self, until_ms: int | None, end_s: float | None) -> None:
        population, sent_ms, steps = self.population, 0, 0
        while (upcoming := population.upcoming) is not None and (until_ms is None or upcoming[0] < until_ms):
            if end_s is not None and (self.alert is not None or self.lost.fills >= self.all.fills):
                return
            ms, row = upcoming
            if row["table"] == "fills" or ms - sent_ms >= SLACK_MS:
                await self._taken()
                sent_ms = ms
            if await self._pause(ms):
                continue  # an alert came meanwhile
            played = population.counts["fills"]
            population.step()
            self._go_on()
            if population.counts["fills"] > played:
                await self._traded(ms, (row["symbol"], row["id"]))
                if end_s is not None:
                    self._pause_until(end_s)
            steps += 1
            if steps % _TURNS == 0:
                await asyncio.sleep(0)

    def _pause_until(self, end_s: float) -> None:
        """Let time run as it does for a moment, so that one can read along: the less is left, the less."""
        now_s = asyncio.get_running_loop().time()
        self._paused_until_s = now_s + min(LONGEST_PAUSE_S, (end_s - now_s) / _EASE)

    async def _pause(self, ms: int) -> bool:
        """Wait for the time of a row, unless it is to be jumped to; tells whether an alert came meanwhile."""
        now_s = asyncio.get_running_loop().time()
        left_s = self._paused_until_s - now_s
        if self._is_telling():
            left_s = max(left_s, self._last_fill_s + TAKE_S - now_s)
        wait_s = min(left_s, (ms - self.clock.now_ms()) / 1000.0)
        return wait_s > 0.0 and await self._comes_within(wait_s)

    async def _comes_within(self, seconds: float) -> bool:
        """Wait for an alert; tells whether one came."""
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    def _is_telling(self) -> bool:
        """Whether a message is on its way."""
        self._telling = self._telling and bool(self.watch.store.waiting())
        return self._telling

    async def _traded(self, ms: int, key: tuple[str, str]) -> None:
        """Note a fill of the account, and wait until it is judged."""
        self._due += 1
        self._last_fill_s = asyncio.get_running_loop().time()
        loss = self._stolen.get(key)
        if loss is not None:
            if self._began_ms is None:
                self._began_ms = ms
            self.lost = Loss(self.lost.fills + 1, self.lost.quote + loss)
        if not await self._taken():
            self.untaken += 1
            self._due = self.watch.hub.counts["fills"]

    async def _taken(self) -> bool:
        """Wait until the watch has taken all that was sent, and judged all fills; False if it doesn't."""
        end_s = asyncio.get_running_loop().time() + TAKE_S
        rounds = 0
        while not self._has_all():
            self._raise_if_ended()
            rounds += 1
            await asyncio.sleep(0.0 if rounds < _TURNS else 0.001)
            if asyncio.get_running_loop().time() > end_s:
                return False
        return True

    def _has_all(self) -> bool:
        sent = sum(connection.pushed for connection in self._server.connections)
        taken = sum(
            connection.counts.frames
            for followed in self.watch.followed
            for connection in followed.connections
        )
        return taken >= sent and self.watch.hub.counts["fills"] >= self._due

    def _go_on(self) -> None:
        """Let the clock run from where it stands."""
        self.clock.run(self.clock.now_ms(), 1.0)

    def _raise_if_ended(self) -> None:
        """Raise what ended the watch, if something did."""
        if self._running.done():
            self._running.result()

    # --- what comes of it ----------------------------------------------------------------------------

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "incident":
            self._telling = True
        elif message["type"] == "verdict":
            self._on_verdict(message, (message["symbol"], message["id"]) in self._stolen)

    def _take(self, message: Mapping[str, Any]) -> None:
        incident = message.get("incident") or {}
        keys = {(fill["symbol"], fill["id"]) for fill in incident.get("fills", ())}
        if self.alert is None and self._began_ms is not None and keys & self._stolen.keys():
            self.alert = Alert(
                str(message["text"]),
                self.clock.now_ms() - self._began_ms,
                asyncio.get_running_loop().time() - self._last_fill_s,
                self.lost,
            )
            self._arrived.set()
        self._on_message(message)


def _stolen(scenario: Scenario) -> dict[tuple[str, str], float]:
    """Give what each of the thief's fills in spot markets lost in USDT, by symbol and id."""
    drained = scenario.labels[scenario.labels["is_drain"].to_numpy(dtype=bool)]
    rows = zip(drained["symbol"].tolist(), drained["id"].tolist(), drained["loss"].tolist(), strict=True)
    return {(symbol, fill): loss for symbol, fill, loss in rows if ":" not in symbol}


def _private(path: Path, text: str) -> Path:
    """Write a file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path
