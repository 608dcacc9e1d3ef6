"""One try to send a message: over HTTP, or through apprise. Whatever goes wrong is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from drainwatch.alerts import extra, layouts
from drainwatch.alerts.answer import Answer, Outcome, read_answer
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import Message

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S: Final = 10.0
"""Longest that a try may take."""
_READ_BYTES: Final = 65_536


async def send(
    session: aiohttp.ClientSession,
    channel: Channel,
    message: Message,
    key: str,
    now_ns: Callable[[], int],
    earlier: str | None = None,
    reply_to: str | None = None,
) -> Answer:
    """Send a message once. Of an error only its kind is told: the rest may hold the URL.

    Parameters are those of `layouts.request_of`; `now_ns` gives the time.
    """
    import aiohttp

    if channel.kind == "apprise":
        return await extra.send(channel, message, now_ns())
    request = layouts.request_of(channel, message, key, now_ns(), earlier, reply_to)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async with session.request(
                request.method,
                request.url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
            ) as response:
                body = await _beginning(response)
                answer = read_answer(
                    response.status, response.headers, body, now_ns(), channel.kind, edit=earlier is not None
                )
    except TimeoutError:
        return Answer(Outcome.LATER, f"no answer within {TIMEOUT_S:.0f} s", doubtful=True)
    except aiohttp.ClientConnectorCertificateError:
        return Answer(
            Outcome.LATER, "the service's certificate isn't valid, or the clock of this machine is off"
        )
    except aiohttp.InvalidURL:
        return Answer(Outcome.NEVER, "the channel's URL isn't one")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        sent = not isinstance(error, aiohttp.ClientConnectorError)
        return Answer(Outcome.LATER, f"the network failed ({type(error).__name__})", doubtful=sent)
    if answer.outcome is not Outcome.ARRIVED:
        return answer
    return answer._replace(id=earlier or layouts.id_in(channel, body))


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read the first bytes of a body: what a service says needs few."""
    body = b""
    while len(body) < _READ_BYTES:
        part = await response.content.read(_READ_BYTES - len(body))
        if not part:
            break
        body += part
    return body
