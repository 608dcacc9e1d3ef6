"""From incidents and notices to the store's outbox: one message a channel, each posted once.

Call these inside the transaction that keeps the incident: then an alert is in the outbox, or the
incident isn't in the store either, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from drainwatch.alerts import chat
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.alerts.message import Message, message_of, message_of_notice, rank_of, short_of
from drainwatch.errors import StateError
from drainwatch.notices import Notice
from drainwatch.store import Store


def post_incident(
    store: Store, channels: Iterable[Channel], incident: Mapping[str, Any], now_ns: int
) -> str | None:
    """Post what an incident's owner hasn't been told yet; says what that is, None for nothing.

    What was told is kept in the store, so a restart repeats nothing.
    """
    name = f"told/{incident['id']}"
    known = store.value(name)
    told = None if known is None else _told(known)
    what = chat.what_to_tell(incident, told, now_ns)
    if what is None:
        return None
    now_told = chat.after_telling(incident, told, now_ns)
    message = message_of(incident, what)
    _post(store, channels, f"{incident['id']}/{what}/{now_told.count}", message, now_ns)
    store.set_value(name, msgspec.json.encode(now_told))
    return what


def post_notice(store: Store, channels: Iterable[Channel], key: str, notice: Notice, now_ns: int) -> bool:
    """Keep a notice and post it; False, and nothing is done, where there was one of this key."""
    if not store.add_notice(key, notice):
        return False
    _post(store, channels, f"notice/{key}", message_of_notice(notice), now_ns)
    return True


def _post(store: Store, channels: Iterable[Channel], key: str, message: Message, now_ns: int) -> None:
    whole = to_bytes(message)
    # chats show the text alone: thousands of fills needn't be kept for them
    short = to_bytes(short_of(message))
    for channel in channels:
        body = whole if channel.kind == "webhook" else short
        store.post(key, channel.name, rank_of(message), body, now_ns)


def _told(known: bytes) -> chat.Told:
    try:
        return msgspec.json.decode(known, type=chat.Told)
    except msgspec.DecodeError as error:
        raise StateError(
            f"expected what was told of an incident, found otherwise: {error}: the store is damaged; go back "
            "to a copy of it, or begin with a new one"
        ) from None
