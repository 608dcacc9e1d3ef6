"""What the owner has called a false alarm, and how far a later warning may be like it unheard. Pure.

Whoever steals a key can look at the account's past fills, and trade like them. So a mark opens no door:
what is kept back because of marks never adds up, within 30 days, to more than what the owner once saw
in one message and called harmless, nor to half a percent of what he has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from drainwatch.events import NS_PER_S
from drainwatch.report import words

WINDOW_NS: Final = 30 * 24 * 3_600 * NS_PER_S
"""Within such a time what is kept back is added up."""
MOST_SHARE: Final = 0.005
"""Share of equity that what is kept back stays below: half of what makes a loss critical."""


class Pattern(Struct, frozen=True, kw_only=True):
    """An incident that its owner has called harmless, as he was told of it then."""

    account: str
    exchange: str
    kinds: tuple[str, ...]
    """What it resembled at the alert, and in the last message."""
    symbols: tuple[str, ...]
    loss: float
    """In the last message: it may have grown since, which he didn't call harmless."""
    currency: str


class Withheld(Struct, frozen=True, kw_only=True):
    """An incident that was kept back, for a while at least, and what it had lost by then."""

    incident: str
    loss: float
    currency: str
    share: float
    at_ns: int
    """When it was last kept back."""


def withheld_of(incident: Mapping[str, Any], now_ns: int) -> Withheld | None:
    """Give what keeping an incident back keeps back; None where that isn't known."""
    loss, share = (words.as_float(incident.get(name)) for name in ("loss", "equity_share"))
    currency = incident.get("loss_currency")
    if not (loss >= 0 and share >= 0) or not currency:  # NaN, too: unknown is never harmless
        return None
    return Withheld(incident=incident["id"], loss=loss, currency=currency, share=share, at_ns=now_ns)


def with_this(withheld: Iterable[Withheld], this: Withheld) -> list[Withheld]:
    """Put an incident as it is now among those of the last 30 days, in place of what it was."""
    return [*_others(withheld, this), this]


def _others(withheld: Iterable[Withheld], this: Withheld) -> list[Withheld]:
    oldest_ns = this.at_ns - WINDOW_NS
    return [one for one in withheld if one.incident != this.incident and one.at_ns > oldest_ns]


def is_like(
    incident: Mapping[str, Any], patterns: Sequence[Pattern], withheld: Sequence[Withheld], now_ns: int
) -> bool:
    """Tell whether a warning may be kept back.

    Parameters
    ----------
    incident
        As it is.
    patterns
        What its account's owner has called harmless.
    withheld
        What was kept back of the same account at the same exchange, by whatever pattern.
    now_ns
        The time.
    """
    this = withheld_of(incident, now_ns)
    if this is None or incident["severity"] != "warning" or incident.get("escalated_at") is not None:
        return False
    others = _others(withheld, this)
    if this.share + sum(one.share for one in others) >= MOST_SHARE:
        return False
    loss = this.loss + sum(one.loss for one in others if one.currency == this.currency)
    return any(_fits(pattern, incident, this.currency) and loss <= pattern.loss for pattern in patterns)


def _fits(pattern: Pattern, incident: Mapping[str, Any], currency: str) -> bool:
    return (
        pattern.account == incident["account"]
        and pattern.exchange == incident["exchange"]
        and pattern.currency == currency
        and {incident["kind"], incident["kind_now"]} <= set(pattern.kinds)
        and set(incident["symbols"]) <= set(pattern.symbols)
    )
