"""A key looked at from the outside: asked about, judged, and what came of asking told as a finding, too."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.keys.advice import Allowed, Finding, State, examine
from drainwatch.keys.asking import Asked, ask
from drainwatch.keys.facts import Facts
from drainwatch.venues.keypages import key_page

ANSWER_S: Final = 60.0
"""So long an exchange has to answer."""
SKEW_NS: Final = 2_000_000_000
"""From here on exchanges refuse requests. Some tell the time in whole seconds: a second is no error."""


class Timed(Protocol):
    """An exchange whose clock can be asked for; `venues.rest.Rest` is one."""

    async def clock_skew_ns(self) -> int | None:
        """The venue's clock minus ours; None if it doesn't tell. Raises `VenueError`."""


async def inspect(
    exchange: str, venue: Asked, key: str, now_ns: int, allowed: Allowed
) -> tuple[Facts | None, list[Finding]]:
    """Ask about a key and say what is wrong with it; never raises for what an exchange does.

    Returns
    -------
    tuple
        The facts, None where there are none; what was found, worst not first but by subject.
    """
    page = key_page(exchange)
    where = f"at {page}" if page else "on the exchange's page of API keys"
    try:
        async with asyncio.timeout(ANSWER_S):
            facts = await ask(exchange, venue, key)
    except TimeoutError:
        found = f"{exchange}: no answer in {ANSWER_S:g} s"
        return None, [Finding("key", State.BAD, found, "Look at the network, then at its status page.")]
    except KeyRefusedError as error:
        advice = f"Look {where}: is it still there, has it expired, may it be used from this address?"
        return None, [Finding("key", State.BAD, str(error), advice)]
    except VenueError as error:
        advice = f"Nothing is known of this key. Try again later, or look {where}."
        return None, [Finding("key", State.BAD, str(error), advice)]
    return facts, examine(exchange, facts, now_ns, allowed)


async def compare_clocks(venue: Timed) -> list[Finding]:
    """Say whether this machine's clock is so wrong that requests are refused; nothing if it isn't."""
    try:
        async with asyncio.timeout(ANSWER_S):
            skew_ns = await venue.clock_skew_ns()
    except (TimeoutError, VenueError):
        return []  # what else was asked says so
    if skew_ns is None or abs(skew_ns) <= SKEW_NS:
        return []
    found = f"this machine's is {abs(skew_ns) / 1e9:.1f} s {'behind' if skew_ns > 0 else 'ahead'}"
    return [Finding("clock", State.WARN, found, "Set it by NTP: `timedatectl set-ntp true`.")]
