"""The watch's own look at its key: at the start and daily, as a thief's preparations show there first."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec
from msgspec import Struct

from drainwatch.errors import StateError, VenueError
from drainwatch.keys.advice import Allowed, refusal
from drainwatch.keys.asking import ask
from drainwatch.keys.changes import changes, merged
from drainwatch.keys.facts import Facts, mark_of
from drainwatch.notices import Notice, NoticeKind
from drainwatch.report import words
from drainwatch.venues.keypages import key_page
from drainwatch.venues.ports import Clock
from drainwatch.venues.rest import Rest
from drainwatch.watch.hub import Hub

START_S: Final = 10.0
"""So long a start waits for the exchange to tell; a watch that hears is worth more than to know."""
DAY_S: Final = 86_400.0
RETRY_S: Final = 60.0
LAST_RETRY_S: Final = 3_600.0


class Memory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a key between two starts."""

    facts: Facts
    """As they were last."""
    first: Facts
    """As they were when this key was first seen."""
    untold: bool = False
    """That the exchange doesn't tell was said."""


class KeyGuard:
    """Looks at one account's key.

    Parameters
    ----------
    name, exchange
        The account's name in the settings, and ccxt's id of its exchange.
    rest, hub, clock
        Where to ask, where notices go and what is known is kept, and the time.
    key
        The key, or for Hyperliquid the account's address.
    allowed
        What the settings put up with.
    """

    def __init__(
        self, name: str, exchange: str, rest: Rest, hub: Hub, clock: Clock, *, key: str, allowed: Allowed
    ) -> None:
        self.name, self.exchange = name, exchange
        self._rest, self._hub, self._clock = rest, hub, clock
        self._key, self._allowed = key, allowed
        self._looked = False

    async def start(self) -> str:
        """Look at the key before all else; gives why the watch must not use it, empty if it may.

        A key that was fine when it was first seen, and can do more now, isn't refused: a thief may have
        changed it, and a watch that is deaf is what he wants. That is told as a notice.
        """
        _ = self._rest.exchange  # loading ccxt isn't the exchange's time
        try:
            async with asyncio.timeout(START_S):
                facts = await self._ask()
        except (TimeoutError, VenueError):
            return ""  # it is asked again; its streams say whether it is taken at all
        why = refusal(self.name, self.exchange, facts, self._allowed)
        before = self._remembered()
        if why and refusal(self.name, self.exchange, _first(facts, before), self._allowed):
            return why
        self._take(facts, before, why)
        return ""

    async def run(self) -> None:
        """Look again every day, until cancelled; sooner where there was no answer."""
        wait_s = DAY_S if self._looked else RETRY_S
        while True:
            await self._clock.sleep(wait_s)
            try:
                await self.look()
            except (VenueError, StateError):
                wait_s = min(2.0 * wait_s, LAST_RETRY_S) if wait_s < DAY_S else RETRY_S
            else:
                wait_s = DAY_S

    async def look(self) -> None:
        """Look at the key now, and say what there is to say.

        Raises
        ------
        VenueError
            The exchange doesn't answer, or doesn't take the key.
        StateError
            What was known can't be read.
        """
        first = not self._looked
        facts = await self._ask()
        why = refusal(self.name, self.exchange, facts, self._allowed) if first else ""
        self._take(facts, self._remembered(), why)

    async def close(self) -> None:
        """Close the connections; a second time does nothing."""
        await self._rest.close()

    async def _ask(self) -> Facts:
        facts = await ask(self.exchange, self._rest, self._key)
        # an exchange that can't be asked has told nothing of this key
        return Facts(mark=mark_of(self._key)) if facts is None else facts

    def _take(self, facts: Facts, before: Memory | None, why: str) -> None:
        """Say what changed, what can't be known, what is too much; and remember it."""
        self._looked = True
        same = before is not None and before.facts.mark == facts.mark
        changed = changes(before.facts, facts) if before is not None else []
        page = key_page(self.exchange)
        where = f" at {page}" if page else ""
        if changed:
            said = "; ".join(changed)
            self._say(
                NoticeKind.KEY_CHANGED,
                f"At {self.exchange}, for {self.name}: {said}. If that wasn't you, somebody is in the "
                f"account: delete its keys{where}, change its password, look at its logins.",
            )
        elif why:
            self._say(NoticeKind.KEY_RIGHTS, f"The watch goes on, but: {why}.")
        untold = self.exchange != "hyperliquid" and (facts.acts is None or facts.takes is None)
        told = same and before is not None and before.untold
        if untold and not told:
            what = words.listing(
                [what for what, may in (("trade", facts.acts), ("withdraw", facts.takes)) if may is None]
            )
            self._say(
                NoticeKind.KEY_RIGHTS,
                f"{self.exchange} doesn't tell whether the key of {self.name} can {what}. Look yourself"
                f"{where or ' on its page of API keys'}: reading is all that is needed. This is said once.",
            )
        memory = Memory(
            facts=merged(before.facts if before is not None else None, facts),
            first=_first(facts, before),
            untold=untold or told,
        )
        with contextlib.suppress(StateError):  # the store says so itself; the next look keeps it
            self._hub.store.set_value(f"key/{self.name}", msgspec.json.encode(memory))

    def _remembered(self) -> Memory | None:
        kept = self._hub.store.value(f"key/{self.name}")
        if kept is None:
            return None
        try:
            return msgspec.json.decode(kept, type=Memory)
        except msgspec.DecodeError:  # of another version: it is looked at as if for the first time
            return None

    def _say(self, kind: NoticeKind, text: str) -> None:
        self._hub.notice(
            Notice(
                kind=kind,
                ts_ns=self._clock.now_ns(),
                exchange=self.exchange,
                account=self.name,
                text=text,
            )
        )


def _first(facts: Facts, before: Memory | None) -> Facts:
    """Give what this key could do when it was first seen; what wasn't told then, as it is told now."""
    if before is None or before.first.mark != facts.mark:
        return facts
    return merged(facts, before.first)
