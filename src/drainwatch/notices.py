"""What the watch has to say of itself: that it may be deaf and why, or what it did."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class NoticeKind(StrEnum):
    """Why the watch speaks though nobody trades badly."""

    SILENCE = "silence"
    """Nothing was heard for longer than is usual for this account and stream."""
    STREAM_CLOSED = "stream_closed"
    """The venue or the network ended the stream, and it hasn't come back yet."""
    STREAM_BACK = "stream_back"
    """It came back; the text says what was filled in."""
    GAP = "gap"
    """Fills of a span of time may be missing: continuity can't be shown."""
    SESSION_LOST = "session_lost"
    """The venue ended the session: a listen key expired or was taken over by another client."""
    KEY_REFUSED = "key_refused"
    """The venue doesn't take the key any more: revoked, expired, or from this address not allowed."""
    KEY_CHANGED = "key_changed"
    """What the key may do, from where, or the set of the account's keys is another than it was."""
    KEY_RIGHTS = "key_rights"
    """What the key may do isn't told, or is more than a watch needs."""
    CLOCK_SKEW = "clock_skew"
    STALLED = "stalled"
    """Events wait longer to be judged than they may."""
    BAD_MESSAGE = "bad_message"
    """The venue says what isn't understood."""
    BLIND = "blind"
    """Fills are seen but can't be judged: no market data."""
    DELIVERY_FAILED = "delivery_failed"
    """A channel doesn't take alerts."""
    RESPONSE = "response"
    """What a response to an incident came to."""
    ALIVE = "alive"
    """Nothing is wrong; said daily on request."""


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="notice"):
    """One such message.

    `text` is one or two plain sentences: what happened, since when, what it means, what to do. It
    never holds a key, a token or a signature.
    """

    kind: NoticeKind
    ts_ns: int
    text: str
    exchange: str = ""
    account: str = ""
    stream: str = ""
    """Which stream: `binance private`."""
    since_ns: int | None = None
    until_ns: int | None = None
