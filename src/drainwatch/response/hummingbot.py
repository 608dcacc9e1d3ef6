"""Stops a hummingbot by hummingbot-api, which passes the order on over its message broker.

hummingbot-api answers `success` around an inner `success` that may be false: the inner one counts. It
tells that the order was passed on, not that the bot obeyed.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from drainwatch.response.freqtrade import PATIENCE
from drainwatch.response.hook import Done, Hook, HookError, PassingError
from drainwatch.response.web import Answer, ask, new_session, persist, refused

if TYPE_CHECKING:
    import aiohttp

WHO: Final = "hummingbot-api"


async def check(hook: Hook) -> str:
    """Look whether it knows the bot; says what would be done.

    Raises
    ------
    HookError
        It couldn't be stopped.
    """
    async with new_session() as session:
        state = await persist(lambda: _state(session, hook), PATIENCE * hook.timeout_s)
    return f"would stop bot {hook.bot} and have it cancel its orders; the login works, and it is {state}"


async def run(hook: Hook, incident: dict[str, Any]) -> Done:
    """Have the bot stopped, and its orders cancelled.

    Raises
    ------
    HookError
        hummingbot-api didn't pass the order on.
    """
    del incident
    async with new_session() as session:
        await persist(lambda: _stop(session, hook), PATIENCE * hook.timeout_s)
    return Done(f"hummingbot-api passed the order to stop on to bot {hook.bot}; that it obeyed isn't told")


async def _stop(session: aiohttp.ClientSession, hook: Hook) -> None:
    body = {"bot_name": hook.bot, "skip_order_cancellation": False, "async_backend": True}
    answer = await _ask(session, hook, "POST", "stop-bot", body)
    if answer.field("response", "success") is True:
        return
    if answer.field("response", "message"):
        raise HookError(f"hummingbot-api knows no running bot {hook.bot}: look at `bot` in the settings")
    raise PassingError("hummingbot-api couldn't pass the order to stop on: is its message broker (MQTT) up?")


async def _state(session: aiohttp.ClientSession, hook: Hook) -> str:
    answer = await _ask(session, hook, "GET", f"{quote(hook.bot, safe='')}/status")
    state = answer.field("data", "status")
    if not isinstance(state, str) or state in ("not_found", "error"):
        raise HookError(f"hummingbot-api knows no running bot {hook.bot}: look at `bot` in the settings")
    return state[:20] if state.isascii() and state.isalpha() else "there"


async def _ask(
    session: aiohttp.ClientSession, hook: Hook, method: str, path: str, body: dict[str, Any] | None = None
) -> Answer:
    word = base64.b64encode(f"{hook.user}:{hook.password}".encode()).decode()
    answer = await ask(
        session,
        method,
        f"{hook.address.rstrip('/')}/bot-orchestration/{path}",
        WHO,
        headers={"Authorization": f"Basic {word}", "Content-Type": "application/json"},
        body=None if body is None else msgspec.json.encode(body),
    )
    if answer.status != 200:
        raise refused(WHO, answer)
    return answer
