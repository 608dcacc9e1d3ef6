"""Stops freqtrade by its own REST interface.

`stop` ends all of its work: open trades stay, and nobody looks after them. `stop_entries` lets it look
after them and opens no new ones. `exit_and_stop` sells them at the market first.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final

import msgspec

from drainwatch.response.hook import Done, Hook, HookError, PassingError
from drainwatch.response.web import Answer, ask, new_session, persist, refused

if TYPE_CHECKING:
    import aiohttp

WHO: Final = "freqtrade"
PATIENCE: Final = 0.8
"""Share of the time limit in which a step is tried again; the rest is for what comes after it."""
LOOK_S: Final = 0.25

_WOULD: Final = {
    "stop": "stop freqtrade",
    "stop_entries": "keep freqtrade from opening trades",
    "exit_and_stop": "have freqtrade sell its open trades at the market, and stop it",
}


async def check(hook: Hook) -> str:
    """Log in and look at its state; says what would be done.

    Raises
    ------
    HookError
        It couldn't be stopped.
    """
    async with new_session() as session:
        bot = await persist(lambda: _login(session, hook), PATIENCE * hook.timeout_s)
        state = await bot.state()
    return f"would {_WOULD[hook.action]}; the login works, and its state is {state}"


async def run(hook: Hook, incident: dict[str, Any]) -> Done:
    """Stop it; says what it was seen to do.

    Raises
    ------
    HookError
        It didn't stop.
    """
    del incident
    patience_s = PATIENCE * hook.timeout_s
    async with new_session() as session:
        bot = await persist(lambda: _login(session, hook), patience_s)
        before = await persist(bot.state, patience_s)
        if hook.action == "stop_entries":
            if before == "stopped":
                return Done("freqtrade was stopped already")
            await persist(lambda: bot.tell("stopbuy"), patience_s)
            # it is called `paused` since 2025; older ones go on as `running` and take no new trades
            state = await bot.state()
            return Done(
                f"freqtrade opens no new trades any more, and looks after the open ones (state {state})"
            )
        left = ""
        if hook.action == "exit_and_stop" and before != "stopped":
            left = await bot.exit_all(patience_s / 2)
        await persist(lambda: bot.tell("stop"), patience_s)
        await persist(bot.expect_stopped, patience_s)
        if before == "stopped":
            return Done("freqtrade was stopped already")
        n_open = await bot.count()
        if n_open and not left:
            left = f"; {n_open} open trades stay, and nobody looks after them now"
        return Done(f"freqtrade has stopped; it was {before} before{left}")


class _Bot:
    """A freqtrade that was logged in to."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str) -> None:
        self._session, self._base = session, base
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def state(self) -> str:
        """Give what it says it does: `running`, `paused`, `stopped`."""
        state = (await self._ask("GET", "show_config")).field("state")
        if not isinstance(state, str) or not state.isascii() or not state.replace("_", "").isalpha():
            raise HookError(f"expected freqtrade's state, found none: is it {WHO} that listens there?")
        return state[:20].lower()

    async def expect_stopped(self) -> None:
        """Raise until it has stopped."""
        state = await self.state()
        if state != "stopped":
            raise PassingError(f"freqtrade took the order to stop, but its state is still {state}")

    async def tell(self, what: str, body: dict[str, Any] | None = None) -> Answer:
        """Have it do something."""
        return await self._ask("POST", what, body)

    async def count(self) -> int | None:
        """Count its open trades; None where it doesn't say."""
        try:
            found = (await self._ask("GET", "count")).field("current")
        except HookError:  # a stopped one may not tell
            return None
        return found if isinstance(found, int) else None

    async def exit_all(self, patience_s: float) -> str:
        """Sell everything at the market, and wait for it as far as there is time; says what is left."""
        try:
            await persist(
                lambda: self.tell("forceexit", {"tradeid": "all", "ordertype": "market"}), patience_s
            )
        except HookError as error:
            return f"; its open trades couldn't be sold ({error}) and stay: nobody looks after them now"
        loop = asyncio.get_running_loop()
        end_s = loop.time() + patience_s
        while (count := await self.count()) and loop.time() < end_s:  # noqa: ASYNC110 - another program's
            await asyncio.sleep(LOOK_S)
        if count is None:
            return "; it was told to sell its open trades, and didn't say how many are left"
        return (
            f"; {count} of its trades weren't sold in time and stay open"
            if count
            else "; all trades are sold"
        )

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        answer = await ask(
            self._session, method, f"{self._base}/{path}", WHO, headers=self._headers, body=content
        )
        if answer.status != 200:
            raise refused(WHO, answer)
        return answer


async def _login(session: aiohttp.ClientSession, hook: Hook) -> _Bot:
    """Log in: a token that lives for a quarter of an hour."""
    base = f"{hook.address.rstrip('/')}/api/v1"
    word = base64.b64encode(f"{hook.user}:{hook.password}".encode()).decode()
    answer = await ask(
        session, "POST", f"{base}/token/login", WHO, headers={"Authorization": f"Basic {word}"}
    )
    if answer.status != 200:
        raise refused(WHO, answer)
    token = answer.field("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise HookError(f"expected a token of freqtrade's, found none: is it {WHO} that listens there?")
    return _Bot(session, base, token)
