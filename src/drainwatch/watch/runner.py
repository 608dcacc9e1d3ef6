"""The watch from its settings to its end: everything that runs side by side, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from drainwatch import __version__
from drainwatch.alerts.delivery import Delivery
from drainwatch.botlogs.freqtrade import FreqtradeLog
from drainwatch.botlogs.hummingbot import HummingbotLog
from drainwatch.botlogs.log import follow
from drainwatch.config import Account, Settings, channel_of, credentials_of, hooks_of, store_url
from drainwatch.engine import Engine
from drainwatch.errors import ConfigError, StateError
from drainwatch.events import NS_PER_MS, NS_PER_S, Names
from drainwatch.keys.advice import Allowed
from drainwatch.model import default_model_path, load_model
from drainwatch.notices import Notice, NoticeKind
from drainwatch.response.hook import Hook
from drainwatch.response.switch import Switch
from drainwatch.sockets.door import read_or_make_token
from drainwatch.sockets.inlet import Inlet
from drainwatch.sockets.outlet import Outlet
from drainwatch.store import JudgedBy, open_store
from drainwatch.tape import FrameRecorder, Strand
from drainwatch.venues.catalogue import NATIVE
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.ports import Clock
from drainwatch.venues.protocol import Credentials
from drainwatch.venues.rest import Rest
from drainwatch.watch.core import warm_up
from drainwatch.watch.followed import Followed
from drainwatch.watch.health import HealthServer, ResponseStatus, Status
from drainwatch.watch.hub import Hub, channels_from
from drainwatch.watch.keyguard import KeyGuard
from drainwatch.watch.systemd import ServiceManager

GB: Final = 1 << 30


class Watch:
    """A running watch. Use it in `async with`; `run` lasts until it is cancelled.

    Parameters
    ----------
    settings
        What to watch, and how.
    environ
        Where secrets are named; None: the process's own.
    clock
        The time; None: the system's.
    model
        Folder of the model; None: the one that comes along.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        model: Path | None = None,
    ) -> None:
        self.settings = settings
        self._environ = environ
        self.clock = clock or SystemClock()
        loaded = load_model(model if model is not None else default_model_path())
        self._judged_by = {
            "model": loaded.card["arrays_sha256"],
            "false_alarms_per_month": settings.judgement.false_alarms_per_month,
            "quiet_hours": settings.incidents.quiet_hours,
        }

        def new_engine(names: Names) -> Engine:
            return Engine(
                loaded.arrays,
                loaded.card.get("features", ()),
                names,
                false_alarms_per_month=settings.judgement.false_alarms_per_month,
                quiet_hours=settings.incidents.quiet_hours,
            )

        warm_up(new_engine)
        channels = [channel_of(channel, environ) for channel in settings.channels]
        severities = {c.name: c.severity.value for c in settings.channels}
        warned, alarmed = channels_from(channels, severities)
        self.store = open_store(store_url(settings.watch, environ))
        self.hub = Hub(
            new_engine,
            self.store,
            self.clock,
            warned=warned,
            alarmed=alarmed,
            logged=[bot.account or settings.accounts[0].name for bot in settings.bots],
            followed=[account.exchange for account in settings.accounts],
            hold_back_ns=settings.watch.hold_back_ms * NS_PER_MS,
            whole_journal=settings.watch.whole_journal,
        )
        self.hub.tells_all = lambda: self.outlet is not None and self.outlet.wants_all
        self.delivery = Delivery(self.store, channels, self.clock)
        self.switch = Switch(self.store, self._hooks(), self.clock, self.hub.notice)
        self.hub.switch = self.switch
        self.hub.on_post = self._wake
        self.recorder = (
            FrameRecorder(Path(settings.watch.record), total_bytes=int(settings.watch.record_gb * GB))
            if settings.watch.record
            else None
        )
        self.guards: list[KeyGuard] = []
        self.followed = [self._follow(account) for account in settings.accounts]
        self.on_start: Callable[[], None] = lambda: None
        """Called when nothing speaks against watching."""
        self.manager = ServiceManager()
        self.hub.on_failing = self._say_failing
        self.inlet: Inlet | None = None
        self.outlet: Outlet | None = None
        self.health: HealthServer | None = None

    def _hooks(self) -> Iterator[Hook]:
        """Make the responses' hooks; those that cancel orders look in all markets that were ever traded."""
        for hook in hooks_of(self.settings, self._environ):
            traded = self.store.value(f"traded/{hook.account}") if hook.exchange else None
            known = {*hook.symbols, *(msgspec.json.decode(traded) if traded else ())}
            yield msgspec.structs.replace(hook, symbols=tuple(sorted(known)))

    def _wake(self) -> None:
        self.delivery.wake()
        self.switch.wake()

    def _follow(self, account: Account) -> Followed:
        if account.address:
            credentials: Credentials | None = Credentials(account.address)
        else:
            credentials = credentials_of(account, self._environ)
        rest = Rest(
            account.exchange,
            credentials,
            self.clock,
            account=account.name,
            base_url=account.url_rest,
            on_bad=self.hub.bad,
        )
        if credentials is not None:
            allowed = Allowed(account.allow_trading_key, account.allow_withdrawal_key)
            guard = KeyGuard(
                account.name,
                account.exchange,
                rest,
                self.hub,
                self.clock,
                key=credentials.key,
                allowed=allowed,
            )
            self.guards.append(guard)
        return Followed(
            account.name,
            account.exchange,
            rest,
            self.hub,
            self.clock,
            credentials=credentials,
            address=account.address,
            symbols=account.markets,
            url_private=account.url_private,
            url_public=account.url_public,
            tape=Strand(self.recorder, account.name)
            if self.recorder is not None and account.exchange in NATIVE
            else None,
            backfill_s=60.0 * self.settings.watch.backfill_minutes,
        )

    async def run(self) -> None:
        """Come back to where the journal ends, then watch until cancelled; ends with a snapshot.

        Raises
        ------
        ConfigError
            A key can do more than the settings allow.
        """
        self.hub.resume()
        self.store.note_judge(
            JudgedBy(
                from_ns=self.clock.now_ns(),
                drainwatch=__version__,
                model=self._judged_by["model"],
                false_alarms_per_month=self._judged_by["false_alarms_per_month"],
                quiet_hours=self._judged_by["quiet_hours"],
            )
        )
        if self.recorder is not None:
            self.hub.record(self.recorder, self._judged_by)
        settings = self.settings
        try:
            await self._look_at_keys()
            self.on_start()
            async with AsyncExitStack() as open_:
                await self._open_doors(open_)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.hub.run())
                    group.create_task(self.delivery.run())
                    group.create_task(self.switch.run())
                    group.create_task(self._snapshots())
                    if settings.watch.alive_daily:
                        group.create_task(self._say_alive())
                    for bot in settings.bots:
                        account = bot.account or settings.accounts[0].name
                        make = FreqtradeLog if bot.kind == "freqtrade" else HummingbotLog
                        group.create_task(follow(make(Path(bot.database), account), self.hub, self.clock))
                    for followed in self.followed:
                        group.create_task(followed.run())
                    for guard in self.guards:
                        group.create_task(guard.run())
                    group.create_task(self.manager.keep_alive(self.clock, lambda: self.hub.failing is None))
                    self.manager.ready(self._watching())
        finally:
            self.manager.stopping()
            try:
                for guard in self.guards:  # also when it ended before anything was followed
                    await guard.close()
            finally:
                self.close()

    def _watching(self) -> str:
        return f"watching {len(self.followed)} accounts"

    def _say_failing(self, why: str | None) -> None:
        """Tell systemd: what it shows needs no store."""
        self.manager.status(
            self._watching() if why is None else f"not judging: the store doesn't take rows: {why}"
        )

    def close(self) -> None:
        """Keep the state and close everything; what waits is in the store."""
        with contextlib.suppress(Exception):  # the journal has it all: a snapshot only saves time
            self.hub.snapshot()
        if self.recorder is not None:
            self.recorder.close()
        self.store.close()

    async def _look_at_keys(self) -> None:
        """Refuse keys that can do more than they need to, all at once."""
        refused = [why for why in await asyncio.gather(*(guard.start() for guard in self.guards)) if why]
        if refused:
            raise ConfigError("\n".join(refused))

    async def _open_doors(self, open_: AsyncExitStack) -> None:
        settings = self.settings
        if settings.outlet.enabled:
            self.outlet = await open_.enter_async_context(
                Outlet(
                    self.clock,
                    read_or_make_token(Path(settings.outlet.token_file)),
                    open_incidents=lambda: list(self.hub.open.values()),
                    healthy=lambda: not self.status().reasons(),
                    version=__version__,
                    host=settings.outlet.host,
                    port=settings.outlet.port,
                    anywhere=settings.outlet.expose,
                )
            )
            self.hub.listeners.append(self._publish)
        if settings.inlet.enabled:
            sink = Pushed(self.hub)
            self.inlet = await open_.enter_async_context(
                Inlet(
                    sink,
                    self.clock,
                    read_or_make_token(Path(settings.inlet.token_file)),
                    host=settings.inlet.host,
                    port=settings.inlet.port,
                    anywhere=settings.inlet.expose,
                    account=settings.inlet.account,
                    exchange=settings.inlet.exchange,
                )
            )
        if settings.health.enabled:
            self.health = await open_.enter_async_context(
                HealthServer(
                    self.status,
                    host=settings.health.host,
                    port=settings.health.port,
                    anywhere=settings.health.expose,
                )
            )

    def _publish(self, message: Mapping[str, Any]) -> None:
        outlet = self.outlet
        if outlet is not None and (message["type"] != "verdict" or message["flagged"] or outlet.wants_all):
            outlet.publish(message)

    async def _snapshots(self) -> None:
        while True:
            await self.clock.sleep(60.0 * self.settings.watch.snapshot_minutes)
            if self.hub.failing is None:
                self.hub.snapshot()

    async def _say_alive(self) -> None:
        while True:
            now = datetime.fromtimestamp(self.clock.now_ns() / NS_PER_S, UTC)
            due = now.replace(hour=self.settings.watch.alive_hour_utc, minute=0, second=0, microsecond=0)
            if due <= now:
                due += timedelta(days=1)
            await self.clock.sleep((due - now).total_seconds())
            self.hub.notice(self._alive())

    def _alive(self) -> Notice:
        status = self.status()
        why = status.reasons()
        said = "all streams are heard" if not why else "but: " + "; ".join(why)
        return Notice(
            kind=NoticeKind.ALIVE,
            ts_ns=self.clock.now_ns(),
            text=f"drainwatch watches {len(self.followed)} accounts, {said}. {status.fills} fills judged "
            f"since the start, {status.blind} of them blind; {status.open_incidents} incidents are open.",
        )

    def status(self) -> Status:
        """How the watch is now, for health, metrics and bots."""
        hub = self.hub
        waiting: Mapping[str, int] = {}
        if hub.failing is None:
            with contextlib.suppress(StateError):  # whoever writes next says so
                waiting = self.store.waiting()
        return Status(
            now_ns=self.clock.now_ns(),
            started_ns=hub.started_ns,
            version=__version__,
            streams=[stream for followed in self.followed for stream in followed.streams()],
            fills=hub.counts["fills"],
            blind=hub.counts["blind"],
            rows=hub.counts["rows"],
            flagged=hub.counts["flagged"],
            notices={str(kind): count for kind, count in hub.told.items()},
            incidents={severity: hub.counts[f"incidents {severity}"] for severity in ("warning", "critical")},
            open_incidents=len(hub.open),
            backlog=hub.core.intake.n_fills,
            store=hub.failing,
            outbox_waiting=sum(waiting.values()),
            responses=[
                ResponseStatus(
                    name=hook.name,
                    kind=hook.kind,
                    dry_run=hook.dry_run,
                    last="" if (last := self.switch.last.get(hook.name)) is None else last.state.value,
                    last_ns=None if last is None else last.ended_ns,
                    text="" if last is None else last.text,
                    counts={state: n for (name, state), n in self.switch.counts.items() if name == hook.name},
                )
                for hook in self.switch.hooks.values()
            ],
            judging=hub.judging,
            journal=hub.journal,
        )


class Pushed:
    """The sink of rows that are pushed: a push is answered when its fills are journalled."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def rows(self, rows: Any, received_ns: int) -> None:
        """Pass rows on, and wait until no fill waits for its order log or its market's past."""
        await self._hub.rows(rows, received_ns)
        while self._hub.core.intake.n_fills:
            await self._hub.clock.sleep(0.02)

    async def ready(self, stream: str, *, first: bool) -> None:
        """Nothing to fill in: whoever pushes sends again what wasn't answered."""

    def notice(self, notice: Notice) -> None:
        """Pass a notice on."""
        self._hub.notice(notice)

    def bad(self, message: Any) -> None:
        """Pass on what isn't understood."""
        self._hub.bad(message)

    def seen(self, exchange: str, symbols: set[str]) -> None:
        """Nothing to follow."""

    def unlisted(self, exchange: str, names: set[str]) -> None:
        """Nothing to list."""


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[Callable[[Awaitable[None]], Awaitable[None]]]:
    """Run something until it ends, or SIGINT or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    async def until(work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    try:
        yield until
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def check(settings: Settings) -> None:
    """Refuse settings with nothing to watch.

    Raises
    ------
    ConfigError
        No account and no socket in.
    """
    if not settings.accounts and not settings.inlet.enabled:
        raise ConfigError(
            "expected at least one of `[[accounts]]`, or `[inlet]` with enabled = true, found neither: "
            "there is nothing to watch; `drainwatch init` writes a settings file"
        )
