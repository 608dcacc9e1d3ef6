"""What a case file holds, as plain data; times as ISO 8601, UTC, numbers of the venue as it wrote them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Struct

VERSION: Final = 1
"""Of `evidence.json`. A change of what a field means makes a new one."""


class CaseFill(Struct, kw_only=True):
    """A fill of the incident: what the venue told, then what was made of it. None where unknown."""

    exchange: str
    account: str
    symbol: str
    id: str
    order: str | None
    side: str
    time: str | None = None
    """At the venue."""
    price: str | None = None
    amount: str | None = None
    cost: str | None = None
    client_order_id: str | None = None
    type: str | None = None
    taker_or_maker: str | None = None
    fee_cost: str | None = None
    fee_currency: str | None = None
    counterparty: str | None = None
    maker_order: str | None = None
    taker_order: str | None = None
    mark: str | None = None
    forced: bool = False
    exact: bool = False
    """Whether price, amount and ids are the very characters that came in."""
    fair_price: float | None = None
    fair_source: str = "none"
    deviation_bps: float | None = None
    loss: float | None = None
    """In the quote currency, without fees; positive is a loss."""
    fee_in_quote: float | None = None
    quote_currency: str = ""
    score: float | None = None
    flagged: bool = False
    counted_at: str | None = None
    """When it counted for the judgement: later than `time` where it was told late."""


class Surrounding(Struct, kw_only=True):
    """What a market showed around fills: a stretch of time with all that is kept of it."""

    exchange: str
    symbol: str
    start: str
    end: str
    kept: str
    """`whole`, `part` or `none`."""
    quotes: list[list[Any]] = msgspec.field(default_factory=list)
    """Time, bid, ask, size at bid, size at ask."""
    prints: list[list[Any]] = msgspec.field(default_factory=list)
    """Time, price, amount, side of the taker, id."""
    candles: list[list[Any]] = msgspec.field(default_factory=list)
    """Time of the opening, open, high, low, close, volume."""


class Moment(Struct, kw_only=True):
    """Something that happened."""

    time: str
    what: str
    clock: str
    """Whose time it is: `exchange` or `watch`."""


class SymbolLoss(Struct, kw_only=True):
    """What was lost on one market."""

    exchange: str
    symbol: str
    currency: str
    fills: int
    blind: int
    """Fills without a fair value: what they lost isn't in `loss`."""
    loss: float
    """Adverse deviation from fair value, without fees."""
    gain: float
    """Deviation to the account's advantage, which isn't taken off the loss."""
    fees: dict[str, str]
    """As the venue charged them, by currency; a rebate is negative."""


class Case(Struct, kw_only=True):
    """All of it."""

    what: str = "evidence of drainwatch"
    version: int = VERSION
    made_at: str
    origin: dict[str, Any]
    """Where it comes from: `kind` is `watch` or `replay`."""
    judged_by: dict[str, Any]
    """Versions, model and settings, as far as known."""
    incident: dict[str, Any]
    """As in `incidents.jsonl`."""
    state: str
    timeline: list[Moment]
    losses: list[SymbolLoss]
    fills: list[CaseFill]
    counterparties: list[dict[str, Any]]
    market: list[Surrounding]
    messages: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    missing: list[str]
    """What isn't known, and why, in sentences."""
    meaning: dict[str, str]
    """What the figures mean."""
    hashes: dict[str, str] = msgspec.field(default_factory=dict)
    """SHA-256 of parts of this, each as JSON without blanks, keys in order."""


MEANING: Final = {
    "price, amount, cost, fee": "As the exchange wrote them, character by character, where `exact` is true.",
    "fair price": "What a unit was worth at that moment by other witnesses than the fill itself: this "
    "market's quotes and prints before it, other markets of the same coins, the exchange's own mark price. "
    "None of them is believed alone when another contradicts it, and only what was known before the fill "
    "counts.",
    "deviation": "How much worse than the fair price the fill was for the account: side x (price - fair "
    "price) / fair price, where side is 1 for a buy and -1 for a sell; in evidence.json in basis points, "
    "hundredths of a per cent.",
    "loss": "Deviation x what the fill was worth, in the quote currency, summed over fills where it is a "
    "loss. Fees are apart, but for an incident of the kind fee_churn, whose loss they are. Fills that were "
    "to the account's advantage aren't taken off.",
    "share": "Loss divided by all that the account held just before the first fill.",
    "score": "How rare such a fill is: harmless trading reaches a score x about 10^-x times in a month of "
    "an account. The p-value is the chance that a harmless month of an account holds a fill scored so high.",
    "time": "UTC. The exchange's own time for fills and what follows from them, the clock of the machine "
    "that watched for messages and marks.",
}


def iso(ns: int) -> str:
    """Write a time in ns as ISO 8601, to the nanosecond where it has some."""
    seconds, rest = divmod(ns, 1_000_000_000)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):  # no calendar goes so far
        return f"{ns} ns since 1970"
    digits = f"{rest:09d}"
    digits = digits[:3] if digits.endswith("000000") else digits[:6] if digits.endswith("000") else digits
    return f"{text}.{digits}Z"


def iso_ms(ms: float) -> str:
    """Write a time in ms, as incidents have it."""
    return iso(round(ms * 1_000) * 1_000)


def losses_of(fills: Iterable[CaseFill]) -> list[SymbolLoss]:
    """Sum up what was lost by market, the largest first."""
    by_symbol: dict[tuple[str, str, str], list[CaseFill]] = defaultdict(list)
    for fill in fills:
        by_symbol[fill.exchange, fill.symbol, fill.quote_currency or _quote(fill.symbol)].append(fill)
    rows = [
        SymbolLoss(
            exchange=exchange,
            symbol=symbol,
            currency=currency,
            fills=len(some),
            blind=sum(fill.loss is None for fill in some),
            loss=sum(max(fill.loss or 0.0, 0.0) for fill in some),
            gain=sum(max(-(fill.loss or 0.0), 0.0) for fill in some),
            fees=fees_of(some),
        )
        for (exchange, symbol, currency), some in by_symbol.items()
    ]
    return sorted(rows, key=lambda row: -row.loss)


def fees_of(fills: Iterable[CaseFill]) -> dict[str, str]:
    """Add up fees by currency, in decimals: as exact as they were told."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        if fill.fee_cost is None:
            continue
        try:
            fee = Decimal(fill.fee_cost)
        except InvalidOperation:
            continue
        if fee.is_finite():
            sums[fill.fee_currency or ""] += fee
    return {currency: format(fee, "f") for currency, fee in sorted(sums.items())}


def counterparties_of(fills: Iterable[CaseFill]) -> list[dict[str, Any]]:
    """Give who was on the other side, where the exchange tells, the one with most loss first."""
    by_name: dict[str, list[CaseFill]] = defaultdict(list)
    for fill in fills:
        if fill.counterparty:
            by_name[fill.counterparty].append(fill)
    rows = []
    for name, some in by_name.items():
        lost: dict[str, float] = defaultdict(float)
        for fill in some:
            lost[fill.quote_currency or _quote(fill.symbol)] += max(fill.loss or 0.0, 0.0)
        rows.append(
            {"counterparty": name, "fills": len(some), "loss": dict(lost), "ids": [f.id for f in some]}
        )
    return sorted(rows, key=lambda row: (-max(row["loss"].values()), -row["fills"]))


def _quote(symbol: str) -> str:
    """Currency in which a market is priced, from its symbol."""
    return symbol.partition(":")[0].partition("/")[2]


def timeline_of(
    incident: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], marks: Sequence[Mapping[str, Any]]
) -> list[Moment]:
    """Put in order what happened, and when."""
    alert = incident.get("alert_fill") or {}
    by_fill = f", at fill {alert['id']}" if alert else ""
    told = [(incident["opened_at"], "exchange", "First fill of the incident")]
    told.append((incident["alerted_at"], "exchange", f"Judged a drain: {incident['severity']}{by_fill}"))
    if incident["escalated_at"] is not None:
        told.append((incident["escalated_at"], "exchange", "Became critical"))
    if incident["closed_at"] is not None:
        told.append((incident["closed_at"], "exchange", "Over: no such fill for long enough"))
    for message in messages:
        what = f"Message ({message['what']}) by {message['channel']}"
        told.append((message["posted_at"], "watch", f"{what}: ready to be sent"))
        if message["settled_at"] is not None:
            became = "arrived" if message["state"] == "arrived" else f"not delivered: {message['reason']}"
            told.append((message["settled_at"], "watch", f"{what}: {became}"))
    for mark in marks:
        why = f": {mark['reason']}" if mark["reason"] else ""
        told.append((mark["at"], "watch", f"The owner: {mark['what'].replace('_', ' ')}{why}"))
    told.sort(key=lambda row: row[0])  # those of one time stay as they happened
    return [Moment(time=iso_ms(at), what=what, clock=clock) for at, clock, what in told]


def sealed(case: Case) -> Case:
    """Give the case with the hashes of its parts."""
    plain = msgspec.to_builtins(case)
    names = ("incident", "fills", "market", "timeline", "losses", "messages", "marks")
    return msgspec.structs.replace(case, hashes={name: digest_of(plain[name]) for name in names})


def digest_of(plain: Any) -> str:
    """Give the SHA-256 of plain data as JSON without blanks, keys in order."""
    return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()
