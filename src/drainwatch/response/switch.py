"""The switch: runs what the owner wants done about an incident, once, beside the judgement.

Nothing waits for it. What is due is kept with the incident; that it runs is kept before it is run; what
came of it is kept, then told. So a watch that is killed never runs a hook a second time: what was cut
off is told as an unknown outcome.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S
from drainwatch.notices import Notice, NoticeKind
from drainwatch.report import words
from drainwatch.report.responses import MAX_TEXT, words_of
from drainwatch.response import cancel, command, freqtrade, hummingbot, webhook
from drainwatch.response.decide import fires, held, is_grave
from drainwatch.response.hook import Done, Hook, HookError
from drainwatch.response.record import (
    SETTLED,
    Response,
    State,
    last_run_ns,
    put,
    responses_of,
    set_last_run,
)
from drainwatch.store import Store

AT_ONCE: Final = 4
"""So many runs of one hook go on side by side: one that hangs holds up few others."""
STORE_PAUSE_S: Final = 1.0
"""After the store has failed."""
SAME_NS: Final = 600 * NS_PER_S
"""What a hook came to is told once in so long if it comes to the same again; each is kept and logged."""

log = logging.getLogger("drainwatch.response")


class Clock(Protocol):
    """Time, so that a test can let a day pass in a second."""

    def now_ns(self) -> int:
        """Wall-clock time, ns since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Actor(Protocol):
    """What a kind of hook does."""

    @property
    def check(self) -> Callable[[Hook], Awaitable[str]]:
        """Look whether it could; says what it would do. Raises `HookError`."""

    @property
    def run(self) -> Callable[[Hook, dict[str, Any]], Awaitable[Done]]:
        """Do it. Raises `HookError`."""


ACTORS: Final[Mapping[str, Actor]] = {
    "freqtrade": freqtrade,
    "hummingbot": hummingbot,
    "command": command,
    "webhook": webhook,
    "cancel_orders": cancel,
}
"""By kind."""


@dataclass(slots=True)
class _Shot:
    """A response that isn't settled."""

    incident: dict[str, Any]
    hook: str
    due_ns: int
    grave: bool


class Switch:
    """Runs hooks.

    Parameters
    ----------
    store
        Where everything is kept. Used from the event loop's thread alone.
    hooks
        What there is to run.
    clock
        Wall-clock time, and waiting.
    tell
        Called with what a response came to, as a notice.
    actors
        What each kind of hook does.
    """

    def __init__(
        self,
        store: Store,
        hooks: Iterable[Hook],
        clock: Clock,
        tell: Callable[[Notice], None],
        actors: Mapping[str, Actor] = ACTORS,
    ) -> None:
        self._store, self._clock, self._tell, self._actors = store, clock, tell, actors
        self.hooks = {hook.name: hook for hook in hooks}
        self.counts: Counter[tuple[str, str]] = Counter()
        """Settled responses by hook and `State`, since the start."""
        self.last: dict[str, Response] = {}
        """Of each hook, what was settled last since the start."""
        self._shots: dict[tuple[str, str], _Shot] = {}
        """What waits for its turn, by incident and hook."""
        self._untold: list[tuple[dict[str, Any], Response]] = []
        self._same: dict[tuple[str, str, str], int] = {}
        self._news: list[asyncio.Event] = []

    # --- what is due -----------------------------------------------------------------------------

    def note(self, incident: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Keep which hooks are due for an incident that is new or has changed.

        Called within the transaction that keeps the incident: both are kept, or neither.
        """
        due = [hook for hook in self.hooks.values() if fires(hook, incident, before)]
        if not due:
            return
        now_ns = self._clock.now_ns()
        known = {response.name for response in responses_of(self._store, incident["id"])}
        why = self._held(incident, now_ns)
        for hook in due:
            if hook.name in known:
                continue
            response = Response(
                name=hook.name, kind=hook.kind, dry_run=hook.dry_run, state=State.DUE, due_ns=now_ns
            )
            if why:
                response = _settled(response, State.SKIPPED, why, now_ns, told=True)
                log.info("response %s: not run: %s", hook.name, why)
            else:
                self._wait_for(incident, response)
            put(self._store, incident["id"], response)

    def of(self, incident: str) -> list[dict[str, Any]]:
        """Give what the responses to an incident came to so far, as alerts and bots are told."""
        if not self.hooks:
            return []
        return [response.plain() for response in responses_of(self._store, incident)]

    def wake(self) -> None:
        """Look at once what is due."""
        for news in self._news:
            news.set()

    def resume(self, incidents: Iterable[Mapping[str, Any]]) -> None:
        """Take up what the last run left: what is due runs, what was cut off or not told yet is told.

        Parameters
        ----------
        incidents
            All that the store has.
        """
        now_ns = self._clock.now_ns()
        for incident in incidents:
            for response in responses_of(self._store, incident["id"]):
                if response.state is State.RUNNING:
                    began = words.moment(response.began_ns / 1e6)
                    text = (
                        f"drainwatch was ended while it ran (begun {began}); look yourself whether it took "
                        "effect, it isn't run again"
                    )
                    self._settle(incident, _settled(response, State.UNKNOWN, text, now_ns))
                elif response.state in SETTLED:
                    if not response.told:
                        self._untold.append((dict(incident), response))
                elif response.name not in self.hooks:
                    text = "it isn't among the settings any more"
                    self._settle(incident, _settled(response, State.SKIPPED, text, now_ns))
                else:
                    self._wait_for(incident, response)
        self._tell_rest()

    def _wait_for(self, incident: Mapping[str, Any], response: Response) -> None:
        shot = _Shot(dict(incident), response.name, response.due_ns, is_grave(incident))
        self._shots[incident["id"], response.name] = shot

    # --- running ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run what is due until cancelled. Raises nothing else."""
        lines = [(hook, asyncio.Event()) for hook in self.hooks.values() for _ in range(AT_ONCE)]
        self._news = [news for _, news in lines]
        tasks = [asyncio.create_task(self._serve(hook, news)) for hook, news in lines]
        try:
            # without a hook there is nothing to do, but a task that ends looks like one that died
            await (asyncio.gather(*tasks) if tasks else asyncio.Event().wait())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, hook: Hook, news: asyncio.Event) -> None:
        """Run one hook's shots, one after the other."""
        while True:
            news.clear()
            try:
                self._tell_rest()
                begun = self._begin(hook)
                if begun is None:
                    await news.wait()
                else:
                    await self._keep(begun[0], await self._shoot(hook, *begun))
            except StateError as error:
                log.warning("responses: %s", error)
                await self._clock.sleep(STORE_PAUSE_S)
            except Exception as error:  # noqa: BLE001 a mistake of ours must not end the watch
                log.error("response %s: %s", hook.name, _where(error))  # noqa: TRY400
                await self._clock.sleep(STORE_PAUSE_S)

    async def _keep(self, incident: Mapping[str, Any], response: Response) -> None:
        """Keep what came of a response, as soon as the store takes it."""
        while True:
            try:
                self._settle(incident, response)
            except StateError as error:
                log.warning("responses: %s", error)
                await self._clock.sleep(STORE_PAUSE_S)
            else:
                return

    def _begin(self, hook: Hook) -> tuple[dict[str, Any], Response] | None:
        """Take the next shot of a hook, and keep that it runs; None where none is to be run."""
        while True:
            waiting = [shot for shot in self._shots.values() if shot.hook == hook.name]
            if not waiting:
                return None
            shot = min(waiting, key=lambda one: (not one.grave, one.due_ns))
            now_ns, key = self._clock.now_ns(), (shot.incident["id"], hook.name)
            kept = {one.name: one for one in responses_of(self._store, shot.incident["id"])}
            response = kept.get(hook.name)
            # `running` of one that wasn't run: the store said that it failed, and had kept it after all
            if response is None or response.state not in (State.DUE, State.RUNNING):
                self._shots.pop(key)  # the transaction that it was noted in was undone
                continue
            why = self._held(shot.incident, now_ns) or self._too_soon(hook, now_ns)
            if not why and shot.incident["closed_at"] is not None:
                why = "the incident was over before it could be run"
            if why:
                self._settle(shot.incident, _settled(response, State.SKIPPED, why, now_ns, told=True))
                self._shots.pop(key)
                continue
            running = msgspec.structs.replace(
                response, state=State.RUNNING, began_ns=now_ns, dry_run=hook.dry_run
            )
            with self._store.transaction():
                put(self._store, shot.incident["id"], running)
                if not hook.dry_run:
                    set_last_run(self._store, hook.name, now_ns)
            self._shots.pop(key)
            return shot.incident, running

    async def _shoot(self, hook: Hook, incident: dict[str, Any], response: Response) -> Response:
        """Run a hook, or look whether it could be; whatever goes wrong is a result."""
        log.info("response %s%s: begins", hook.name, " (dry run)" if hook.dry_run else "")
        state, text, output = await attempt(hook, incident, self._actors[hook.kind])
        return _settled(response, state, text, self._clock.now_ns(), output=output)

    def _held(self, incident: Mapping[str, Any], now_ns: int) -> str:
        return held(incident, self._store.marks(incident["id"]), self._store.silences(now_ns))

    def _too_soon(self, hook: Hook, now_ns: int) -> str:
        last_ns = last_run_ns(self._store, hook.name) if hook.once_s and not hook.dry_run else 0
        if not last_ns or now_ns - last_ns >= hook.once_s * NS_PER_S:
            return ""
        return (
            f"it ran at {words.moment(last_ns / 1e6)} for another incident, which is enough by its `once_per`"
        )

    # --- results ---------------------------------------------------------------------------------

    def _settle(self, incident: Mapping[str, Any], response: Response) -> None:
        put(self._store, incident["id"], response)
        self.counts[response.name, response.state] += 1
        self.last[response.name] = response
        if not response.told:
            self._untold.append((dict(incident), response))

    def _tell_rest(self) -> None:
        """Tell what came of responses. A kill in between has it told again, which says nothing new."""
        while self._untold:
            incident, response = self._untold[0]
            what = response.name, response.state.value, response.text
            told_ns = self._same.get(what)
            if told_ns is not None and 0 <= response.ended_ns - told_ns < SAME_NS:
                log.info("response %s: %s again, for incident %s", *what[:2], words.clean(incident["id"]))
            else:
                self._tell(notice_of(incident, response))
                now_ns = response.ended_ns
                self._same = {one: at for one, at in self._same.items() if now_ns - at < SAME_NS}
                self._same[what] = now_ns
            put(self._store, incident["id"], msgspec.structs.replace(response, told=True))
            self._untold.pop(0)


async def attempt(hook: Hook, incident: dict[str, Any], actor: Actor) -> tuple[State, str, str]:
    """Run a hook within its time, or in a dry run look whether it could be.

    Returns
    -------
    How it ended, in which words, and what a command printed.
    """
    state, text, output = State.FAILED, "", ""
    try:
        async with asyncio.timeout(hook.timeout_s):
            if hook.dry_run:
                text, state = await actor.check(hook), State.WOULD
            else:
                text, output = await actor.run(hook, incident)
                state = State.DONE
    except HookError as error:
        text, output = str(error), error.output
    except TimeoutError:
        text = f"it took longer than {hook.timeout_s:g} s and was cut off"
        if not hook.dry_run:
            state, text = State.UNKNOWN, f"{text}; look yourself whether it took effect"
    except Exception as error:  # noqa: BLE001 a mistake of ours must not end the switch
        where = _where(error)
        log.error("response %s: %s", hook.name, where)  # noqa: TRY400
        text = f"a fault in drainwatch ({where}): please report it"
        state = State.FAILED if hook.dry_run else State.UNKNOWN
    return state, words.clean(text, MAX_TEXT), output


def _where(error: Exception) -> str:
    """Say what went wrong where; the error's own text may hold a URL."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _settled(
    response: Response, state: State, text: str, now_ns: int, *, told: bool = False, output: str = ""
) -> Response:
    return msgspec.structs.replace(
        response, state=state, text=text, ended_ns=now_ns, told=told, output=output
    )


def notice_of(incident: Mapping[str, Any], response: Response) -> Notice:
    """Say what a response came to: the same each time it is said."""
    (line,) = words_of([response.plain()])
    return Notice(
        kind=NoticeKind.RESPONSE,
        ts_ns=response.ended_ns,
        exchange=str(incident["exchange"]),
        account=str(incident["account"]),
        text=f"{line}. For incident {words.clean(incident['id'])}.",
    )
