"""The check of a response: whether it could do what it is there for."""

from __future__ import annotations

import asyncio
import shlex

from drainwatch.config import Response, Settings, hook_of
from drainwatch.doctor.tools import Check, Status, Tools
from drainwatch.errors import ConfigError
from drainwatch.response.hook import HookError


async def check_response(response: Response, settings: Settings, tools: Tools) -> Check:
    """Look whether a response could be run; nothing is done."""
    name = f"response {response.name}"
    try:
        hook = hook_of(response, settings, tools.env)
        async with asyncio.timeout(hook.timeout_s):
            found = await tools.respond(hook)
    except ConfigError as error:
        return Check(name, Status.FAIL, str(error))
    except HookError as error:
        advice = f"Correct that, then try it: `drainwatch response test {shlex.quote(response.name)}`."
        return Check(name, Status.FAIL, str(error), advice)
    except TimeoutError:
        advice = "Look whether it runs there, or give it more time: `timeout_s`."
        return Check(name, Status.FAIL, f"no answer in {response.timeout_s:g} s", advice)
    if response.dry_run:
        advice = "Set `dry_run = false` when it shall be done, not only said."
        return Check(name, Status.OK, f"dry run: {found}", advice)
    return Check(name, Status.OK, found)
