"""What of an incident its owner must hear now, after what he has been told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from drainwatch.report import words

GROWTH: Final = 2.0
"""An incident is told again when its loss has become so many times what was last told."""
GROWTH_PAUSE_NS: Final = 30_000_000_000
"""... but growth not within this time of the last message: in a flood nobody reads the first."""


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an incident's owner has been told of it so far."""

    count: int = 0
    """Messages."""
    loss: float | None = None
    """Loss in the last one; None where it was unknown."""
    escalated: bool = False
    closed: bool = False
    at_ns: int = 0


def what_to_tell(incident: Mapping[str, Any], told: Told | None, now_ns: int) -> str | None:
    """Say what of an incident its owner must hear now, one of `WHATS`; None: nothing new.

    The first alert at once; that it became critical; that it ended; that the loss has doubled. Each
    message says all that is known, so it also does for what else is new.
    """
    if told is None:
        return "opened"
    if told.closed:
        return None
    if incident.get("escalated_at") is not None and not told.escalated:
        return "escalated"
    if incident.get("closed_at") is not None:
        return "closed"
    loss, before = words.as_float(incident.get("loss")), told.loss or 0.0
    if loss > 0 and loss >= GROWTH * before and now_ns >= told.at_ns + GROWTH_PAUSE_NS:
        return "grew"
    return None


def after_telling(incident: Mapping[str, Any], told: Told | None, now_ns: int) -> Told:
    """Give what the owner knows after a message of an incident as it is."""
    loss = words.as_float(incident.get("loss"))
    return Told(
        count=1 if told is None else told.count + 1,
        loss=loss if loss == loss else None,  # noqa: PLR0124 NaN isn't itself
        escalated=incident.get("escalated_at") is not None,
        closed=incident.get("closed_at") is not None,
        at_ns=now_ns,
    )
