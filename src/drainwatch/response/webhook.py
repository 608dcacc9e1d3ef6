"""Posts an incident to an address of the owner's own, signed as alerts by webhook are."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import quote

from drainwatch.alerts.layouts.request import JSON, to_bytes
from drainwatch.alerts.layouts.webhook import KEY, SIGNATURE, signature_of
from drainwatch.response.freqtrade import PATIENCE
from drainwatch.response.hook import Done, Hook, HookError
from drainwatch.response.web import ask, new_session, persist

VERSION: Final = 1
"""Of what is posted. A change of what a field means makes a new one."""

WHO: Final = "the webhook"


async def check(hook: Hook) -> str:
    """Say what would be done; nothing is sent, as whoever listens there might act."""
    signed = "signed" if hook.signing else "not signed"
    return f"would post the incident ({signed}); its URL is there, nothing was sent"


async def run(hook: Hook, incident: dict[str, Any]) -> Done:
    """Post, again where the service has trouble; the same `Idempotency-Key` each time.

    Raises
    ------
    HookError
        It wasn't taken.
    """
    body = to_bytes({"version": VERSION, "what": "response", "response": hook.name, "incident": incident})
    key = quote(f"{incident['id']}/{hook.name}")

    async def post() -> int:
        headers = JSON | {KEY: key}
        if hook.signing:
            headers[SIGNATURE] = signature_of(hook.signing, int(time.time()), body)
        answer = await ask(session, "POST", hook.url, WHO, headers=headers, body=body)
        if not 200 <= answer.status < 300:
            raise HookError(
                f"the webhook doesn't take it (HTTP {answer.status}): look at its URL and at what it wants"
            )
        return answer.status

    async with new_session() as session:
        status = await persist(post, PATIENCE * hook.timeout_s)
    return Done(f"the webhook took it (HTTP {status})")
