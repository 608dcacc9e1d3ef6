"""Messages into the store's outbox: one a channel, each news once.

Call these inside the transaction that keeps what they tell of: then an alert is in the outbox, or the
incident isn't in the store either, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.alerts.message import Message, message_of_notice, rank_of, short_of
from drainwatch.notices import Notice
from drainwatch.store import Store


def post_notice(store: Store, channels: Iterable[Channel], key: str, notice: Notice, now_ns: int) -> bool:
    """Keep a notice and post it; False, and nothing is done, where there was one of this key."""
    if not store.add_notice(key, notice):
        return False
    message = message_of_notice(notice)
    post(store, channels, f"notice/{key}", message, rank_of(message), now_ns)
    return True


def post(
    store: Store,
    channels: Iterable[Channel],
    key: str,
    message: Message,
    rank: int,
    now_ns: int,
    *,
    instead: Sequence[str] = (),
) -> None:
    """Post a message; where one of the keys `instead` still waits, in its place.

    So a channel that was away for an hour is told how it stands, not how it came about.
    """
    whole, short = to_bytes(message), to_bytes(short_of(message))
    for channel in channels:
        # chats show the text alone: thousands of fills needn't be kept for them
        body = whole if channel.kind == "webhook" else short
        if not store.replace(instead, channel.name, rank, body):
            store.post(key, channel.name, rank, body, now_ns)
