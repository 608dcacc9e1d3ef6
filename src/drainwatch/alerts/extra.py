"""Services that apprise knows, more than a hundred: one try to send to them.

apprise comes with an extra and takes half a second to load, so only a channel of its kind loads it. It
sends while it blocks: in a thread of its own.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import threading
from typing import Any, Final

from drainwatch.alerts.answer import Answer, Outcome, read_answer
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.extra import Note, note_of
from drainwatch.alerts.message import Message
from drainwatch.errors import ConfigError

TIMEOUT_S: Final = 20.0
"""Longest that a try may take: mail servers are slow."""
_STATUS: Final = re.compile(r"\berror\s*[=:]\s*(\d{3})\b")
"""How apprise's services write an HTTP status into their log; not all do."""
_busy: Final[set[str]] = set()
"""Channels with a try that hasn't ended: one that hangs isn't joined by others, a thread each."""


def check(channel: Channel) -> None:
    """Refuse a channel that apprise could never send to; the URL isn't shown.

    Raises
    ------
    ConfigError
        apprise isn't there, or doesn't know the URL.
    """
    if importlib.util.find_spec("apprise") is None:
        raise ConfigError(
            f"expected apprise for channel {channel.name}, as its kind says, found it isn't installed: "
            "`pip install 'drainwatch[apprise]'`"
        )
    if _service(channel.url) is None:
        raise ConfigError(
            f"expected a URL of channel {channel.name} as apprise has them, such as ntfys://TOPIC or "
            "mailtos://USER:PASSWORD@HOST, found otherwise (not shown): see its list of services"
        )


async def send(channel: Channel, message: Message, now_ns: int) -> Answer:
    """Send a message once."""
    if channel.name in _busy:
        return Answer(Outcome.LATER, "the try before this one hasn't ended yet")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer) -> None:
        if not done.done():
            done.set_result(answer)

    def work() -> None:
        try:
            answer = _tell(channel, note_of(message), now_ns)
        finally:
            _busy.discard(channel.name)
        try:
            loop.call_soon_threadsafe(settle, answer)
        except RuntimeError:  # the loop has ended meanwhile: nobody waits for the answer
            return

    # a daemon: a server that never answers must not keep the process from ending
    _busy.add(channel.name)
    threading.Thread(target=work, name=f"apprise {channel.name}", daemon=True).start()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await done
    except TimeoutError:
        return Answer(Outcome.LATER, f"no answer within {TIMEOUT_S:.0f} s")


def _tell(channel: Channel, note: Note, now_ns: int) -> Answer:
    """Send, and read what became of it. Of an error only its kind is told: the rest may hold the URL."""
    try:
        from apprise import Apprise, AppriseResultStatus

        service = _service(channel.url)
        if service is None:
            return Answer(Outcome.NEVER, "the channel's URL isn't one that apprise knows")
        sender = Apprise(asset=service.asset)
        sender.add(service)
        result = sender.notify(
            body=note.body, title=note.title, notify_type=note.kind, body_format="text", timeout=TIMEOUT_S
        )
        said = " ".join(str(entry) for entry in result.logs())
    except ImportError:
        return Answer(Outcome.NEVER, "apprise isn't installed: `pip install 'drainwatch[apprise]'`")
    except Exception as error:  # noqa: BLE001 a hundred services by as many authors
        return Answer(Outcome.LATER, f"apprise failed ({type(error).__name__})")
    if result.status == AppriseResultStatus.SUCCESS:
        return Answer(Outcome.ARRIVED, "")
    if result.status == AppriseResultStatus.TIMEOUT:
        return Answer(Outcome.LATER, "apprise had no answer in time")
    statuses = _STATUS.findall(said)
    if not statuses:  # the network, the service, the password: apprise doesn't say
        return Answer(Outcome.LATER, "apprise couldn't send it, and doesn't say why")
    answer = read_answer(int(statuses[-1]), {}, b"", now_ns)
    if answer.outcome is Outcome.ARRIVED:
        return Answer(Outcome.LATER, "apprise couldn't send it, and doesn't say why")
    return answer


def _service(url: str) -> Any:
    """Make the service that a URL names; None where apprise knows none."""
    from apprise import Apprise, AppriseAsset, OverflowMode, PersistentStoreMode

    # its log has whole URLs in it; what it says of a try comes with the result
    logging.getLogger("apprise").propagate = False
    logging.getLogger("urllib3").setLevel(logging.INFO)
    asset = AppriseAsset(
        app_id="drainwatch",
        app_desc="drainwatch",
        async_mode=False,
        http_redirects=False,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is not None and "overflow=" not in url:
        service.overflow_mode = OverflowMode.TRUNCATE  # too long is better cut than refused
    return service
