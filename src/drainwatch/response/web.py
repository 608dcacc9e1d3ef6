"""HTTP as hooks need it: one JSON request, and how often and how long it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from drainwatch.response.hook import HookError, PassingError

if TYPE_CHECKING:
    import aiohttp

READ_BYTES: Final = 65_536
"""More of an answer isn't read: whoever answers can't flood the watch."""
ANSWER_S: Final = 5.0
"""So long one request may take; a hook may make several."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 2.0

T = TypeVar("T")


class Answer(NamedTuple):
    """What came back."""

    status: int
    content: Any
    """The JSON in it; None where it holds none."""

    def field(self, *path: str) -> Any:
        """Give what stands in objects within objects; None where there is no such thing."""
        found = self.content
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


def new_session() -> aiohttp.ClientSession:
    """Make the session of one run: certificates checked, no cookies, the system's proxies used."""
    import aiohttp

    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=ANSWER_S), trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
    )


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    who: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Ask once. Redirects aren't followed: they would carry the password elsewhere.

    Parameters
    ----------
    who
        Who is asked, for messages: `freqtrade`. The URL is in none, it may be a secret.

    Raises
    ------
    PassingError
        It wasn't reached, or says that it has trouble (5xx, 429).
    """
    import aiohttp
    import msgspec

    try:
        async with session.request(
            method, url, data=body, headers=dict(headers or {}), allow_redirects=False
        ) as response:
            found = b""
            while len(found) < READ_BYTES and (part := await response.content.read(READ_BYTES - len(found))):
                found += part
            status = response.status
    except TimeoutError:
        raise PassingError(f"{who} gave no answer within {ANSWER_S:g} s") from None
    except aiohttp.ClientConnectorCertificateError:
        raise PassingError(f"{who}'s certificate isn't valid, or the clock of this machine is off") from None
    except aiohttp.InvalidURL:
        raise HookError(f"{who}'s address isn't one: correct it in the settings") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:  # their texts may hold the URL
        raise PassingError(f"{who} wasn't reached ({type(error).__name__}): does it run there?") from None
    if status >= 500 or status in (408, 425, 429):
        raise PassingError(f"{who} has trouble (HTTP {status})")
    try:
        content = msgspec.json.decode(found) if found else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = None
    return Answer(status, content)


async def persist(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Call until it doesn't fail for something that passes, for so long.

    Raises
    ------
    HookError
        The last failure.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await call()
        except PassingError:
            if loop.time() + pause_s >= end_s:
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)


def refused(who: str, answer: Answer) -> HookError:
    """Give the error of an answer that isn't yes."""
    if answer.status in (401, 403):
        return HookError(
            f"{who} doesn't take the user or password (HTTP {answer.status}): correct them in the settings"
        )
    if answer.status == 404:
        return HookError(f"{who} has no such page (HTTP 404): correct `address` in the settings")
    if 300 <= answer.status < 400:
        return HookError(
            f"{who}'s address has moved (HTTP {answer.status}): set `address` to the new one, redirects "
            "aren't followed"
        )
    return HookError(f"{who} answered HTTP {answer.status}, which isn't yes")
