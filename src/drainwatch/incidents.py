"""Judged fills to incidents: one drain is one incident, opened once and then updated.

What is said at the alert never changes; fills, loss and end grow with what comes.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drainwatch.detector import Judge
from drainwatch.events import NS_PER_MS, Batch, FillKey, Names
from drainwatch.explain import Reason, kind_of, reasons_of
from drainwatch.fair import SOURCES
from drainwatch.rules import RULES

PENDING: Final = 500
"""Fills worse than usual that are remembered for an account, in case an alert follows."""
MATERIAL: Final = 0.01
"""Share of equity from which on a loss is critical."""
SURE_SCORE: Final = 1.0
"""So many powers of ten beyond the budget a judgement is critical whatever is lost."""
LOSSY_NATS: Final = 1.5
"""Evidence from which on a loss is no chance."""
PEAK_HALF_LIFE_NS: Final = 4 * 24 * 3600 * 1_000_000_000


@dataclass(slots=True)
class Loss:
    """What one fill lost, in its quote currency, and what a unit of that is worth."""

    currency: str
    quote: float
    """Deviation from fair value, positive is a loss."""
    fee: float
    """0 where unknown."""
    unit: float


@dataclass(slots=True)
class Judgement:
    """What was said of one fill when it was judged, for evidence. NaN where it couldn't be known."""

    fair: float
    source: str
    deviation_bps: float
    """Positive is worse for the account."""
    score: float
    flagged: bool


class Member(NamedTuple):
    """A fill that has become part of an incident, and how it was judged."""

    incident: str
    exchange: str
    account: str
    key: FillKey
    at_ns: int
    """Time at which it counted."""
    judgement: Judgement | None
    """None of a fill that was judged by an older version."""
    loss: Loss | None


@dataclass(slots=True)
class Incident:
    """Fills that belong together. Times are ns; `to_dict` gives the contract's form."""

    id: str
    account: str
    exchange: str
    symbols: list[str]
    severity: str
    kind: str
    kind_now: str
    opened_ns: int
    alerted_ns: int
    alert_fill: FillKey
    score: float
    p_value: float
    reasons: list[Reason]
    escalated_ns: int | None = None
    closed_ns: int | None = None
    fills: list[FillKey] = field(default_factory=list)
    lost: dict[str, float] = field(default_factory=dict)
    """Adverse deviation by quote currency."""
    fees: dict[str, float] = field(default_factory=dict)
    """Fees by quote currency: a loss of fee churn alone."""
    units: dict[str, float] = field(default_factory=dict)
    """Worth of one unit of each of them, at the time of its last loss."""
    known: bool = False
    """Whether any of its fills could be priced."""
    equity_value: float = math.nan
    """Equity just before the first fill, in units of value."""
    last_flagged_ns: int = 0
    peak: float = 0.0
    orders: set[str] = field(default_factory=set)
    """Orders flagged."""
    kinds: dict[str, int] = field(default_factory=dict)
    """What its flagged fills resembled, and how many of them."""

    @property
    def loss_currency(self) -> str | None:
        """Currency of the largest part of the loss; None where nothing could be priced."""
        if not self.known:
            return None
        parts = self._parts()
        return max(sorted(parts), key=lambda c: parts[c] * self.units[c])

    @property
    def loss(self) -> float | None:
        """Loss in `loss_currency`; None where nothing could be priced."""
        currency = self.loss_currency
        if currency is None:
            return None
        unit = self.units[currency]
        return sum(lost * self.units[c] / unit for c, lost in self._parts().items())

    def _parts(self) -> dict[str, float]:
        """Loss by quote currency: without fees, which trading costs anyway, unless they are the drain."""
        if self.kind_now != "fee_churn":
            return self.lost
        return {c: lost + self.fees[c] for c, lost in self.lost.items()}

    @property
    def equity_share(self) -> float | None:
        """Loss over equity just before the first fill; None without balances."""
        currency = self.loss_currency
        if currency is None or not self.equity_value > 0.0:
            return None
        loss = self.loss or 0.0
        return loss * self.units[currency] / self.equity_value

    def to_dict(self) -> dict[str, Any]:
        """The incident as a row of `incidents.jsonl`."""
        return {
            "id": self.id,
            "account": self.account,
            "exchange": self.exchange,
            "symbols": self.symbols,
            "severity": self.severity,
            "escalated_at": _ms(self.escalated_ns),
            "kind": self.kind,
            "kind_now": self.kind_now,
            "opened_at": _ms(self.opened_ns),
            "alerted_at": _ms(self.alerted_ns),
            "closed_at": _ms(self.closed_ns),
            "fills": [key._asdict() for key in self.fills],
            "alert_fill": self.alert_fill._asdict(),
            "loss": self.loss,
            "loss_currency": self.loss_currency,
            "equity_share": self.equity_share,
            "score": self.score,
            "p_value": self.p_value,
            "reasons": [reason._asdict() for reason in self.reasons],
        }


def _ms(ns: int | None) -> float | int | None:
    if ns is None:
        return None
    return ns // NS_PER_MS if ns % NS_PER_MS == 0 else ns / NS_PER_MS


def p_value(score: float) -> float:
    """Chance that a benign account-month holds a fill scored at least so high: 1 - exp(-10^-score)."""
    return float(-math.expm1(-(10.0**-score)))


@dataclass(slots=True)
class _Candidate:
    """A fill worse than usual, before anybody knows whether an alert follows."""

    ts_ns: int
    run: int
    key: FillKey
    loss: Loss | None
    equity_value: float
    owned: bool
    """In the owner's log and not odd."""
    judgement: Judgement | None = None
    exchange: str = ""


@dataclass(slots=True)
class _Desk:
    """What is open and what is pending for one account."""

    open: Incident | None = None
    pending: deque[_Candidate] = field(default_factory=lambda: deque(maxlen=PENDING))
    peak: float = 0.0
    peak_ns: int = 0


class IncidentBook:
    """All incidents of all accounts."""

    def __init__(self, names: Names, judge: Judge, *, quiet_hours: float) -> None:
        self._names = names
        self._judge = judge
        self._quiet_ns = int(quiet_hours * 3600e9)
        self._desks: dict[int, _Desk] = {}
        self._changed: dict[str, Incident] = {}
        self._joined: list[Member] = []
        self.incidents: list[Incident] = []

    def take(self, batch: Batch, judged: NDArray[np.void], features: NDArray[np.float64]) -> list[str | None]:
        """Take judged fills in order; returns the incident that each belongs to as of now."""
        belongs: list[str | None] = [None] * len(judged)
        for i in judged["counts"].nonzero()[0]:
            belongs[i] = self._take_fill(batch, int(i), judged[i], features[i])
        return belongs

    def _take_fill(self, batch: Batch, i: int, verdict: np.void, row: NDArray[np.float64]) -> str | None:
        fill = batch.fills[i]
        spec = self._names.markets[int(fill["market"])]
        desk = self._desks.setdefault(int(fill["account"]), _Desk())
        ts_ns = int(fill["ts_ns"])
        self._close_if_quiet(desk, ts_ns)
        side = "buy" if fill["side"] > 0 else "sell"
        key = FillKey(spec.symbol, str(batch.ids[i]), batch.orders[i], side)
        candidate = _Candidate(
            ts_ns,
            int(verdict["run"]),
            key,
            _loss_of(spec.quote, verdict),
            float(verdict["equity"]),
            _owned(verdict),
            _judgement_of(verdict),
            spec.exchange,
        )
        flagged = bool(verdict["flagged"])
        if desk.open is None:
            if not flagged or not self._beats_old_peak(desk, ts_ns, float(verdict["total"])):
                desk.pending.append(candidate)
                return None
            self._open(desk, batch, i, verdict, row, candidate)
        elif not candidate.owned:
            self._grow(desk.open, candidate, flagged=flagged)
            if flagged:
                self._develop(desk.open, fill, spec, verdict, row)
        else:
            return None
        incident = desk.open
        if incident is None:  # for the type checker: opened or grown just now
            return None
        self._changed[incident.id] = incident
        return incident.id

    def _beats_old_peak(self, desk: _Desk, ts_ns: int, total: float) -> bool:
        """After an incident has gone quiet, a new one needs evidence above the old peak, which fades."""
        return bool(total >= desk.peak * 2.0 ** (-(ts_ns - desk.peak_ns) / PEAK_HALF_LIFE_NS))

    def _open(
        self, desk: _Desk, batch: Batch, i: int, verdict: np.void, row: NDArray[np.float64], last: _Candidate
    ) -> None:
        fill = batch.fills[i]
        spec = self._names.markets[int(fill["market"])]
        account = self._names.accounts[int(fill["account"])]
        oldest_ns = last.ts_ns - self._quiet_ns * 8
        # what the owner's log has is no part of a drain that it doesn't have
        logged = int(verdict["logged"]) == 1
        members = [
            c for c in desk.pending if c.run == last.run and c.ts_ns >= oldest_ns and (logged or not c.owned)
        ]
        members.append(last)
        desk.pending.clear()
        text = "\x1f".join((account, spec.exchange, *(part or "" for part in last.key), str(last.ts_ns)))
        kind = kind_of(fill, spec, verdict, row, orders=1)
        incident = Incident(
            id=hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
            account=account,
            exchange=spec.exchange,
            symbols=[],
            severity="warning",
            kind=kind,
            kind_now=kind,
            opened_ns=members[0].ts_ns,
            alerted_ns=last.ts_ns,
            alert_fill=last.key,
            score=float(verdict["score"]),
            p_value=p_value(float(verdict["score"])),
            reasons=reasons_of(self._judge, verdict, row),
            equity_value=members[0].equity_value,
            kinds={kind: _weight(kind)},
        )
        for member in members:
            self._grow(incident, member, flagged=member is last)
        incident.peak = float(verdict["total"])
        if self._is_critical(incident, verdict, kind):
            incident.severity = "critical"
        desk.open = incident
        self.incidents.append(incident)

    def _develop(
        self, incident: Incident, fill: np.void, spec: Any, verdict: np.void, row: NDArray[np.float64]
    ) -> None:
        """A further flagged fill: what it looks like now, and whether it has become critical."""
        incident.peak = max(incident.peak, float(verdict["total"]))
        kind = kind_of(fill, spec, verdict, row, orders=len(incident.orders))
        incident.kinds[kind] = incident.kinds.get(kind, 0) + _weight(kind)
        known = {name: count for name, count in incident.kinds.items() if name != "unknown"}
        if known:
            incident.kind_now = max(sorted(known), key=lambda name: known[name])
        calm = incident.severity == "warning" and incident.escalated_ns is None
        if calm and self._is_critical(incident, verdict, incident.kind_now):
            incident.escalated_ns = int(fill["ts_ns"])

    def _is_critical(self, incident: Incident, verdict: np.void, kind: str) -> bool:
        if kind == "own_bad_fill":
            return False
        share = incident.equity_share
        if share is not None and share >= MATERIAL:
            return True
        # orders that the log doesn't have are at most a warning where nothing speaks of a loss
        rules = int(verdict["rules"])
        grave = any(rule.severity == "critical" and rules >> bit & 1 for bit, rule in enumerate(RULES))
        lossy = grave or float(verdict["evidence"]) >= LOSSY_NATS
        sure = float(verdict["score"]) >= self._judge.threshold + SURE_SCORE
        return lossy and (sure or len(incident.orders) >= 2)

    def _grow(self, incident: Incident, member: _Candidate, *, flagged: bool) -> None:
        incident.fills.append(member.key)
        self._joined.append(
            Member(
                incident.id,
                member.exchange or incident.exchange,
                incident.account,
                member.key,
                member.ts_ns,
                member.judgement,
                member.loss,
            )
        )
        if member.key.symbol not in incident.symbols:
            incident.symbols.append(member.key.symbol)
        if flagged:
            incident.last_flagged_ns = member.ts_ns
            incident.orders.add(f"{member.key.symbol}\x1f{member.key.order or member.key.id}")
        if member.loss is not None:
            incident.known = True
            currency = member.loss.currency
            incident.lost[currency] = incident.lost.get(currency, 0.0) + max(member.loss.quote, 0.0)
            incident.fees[currency] = incident.fees.get(currency, 0.0) + member.loss.fee
            incident.units[currency] = member.loss.unit

    def _close_if_quiet(self, desk: _Desk, now_ns: int) -> None:
        incident = desk.open
        if incident is None or now_ns < incident.last_flagged_ns + self._quiet_ns:
            return
        incident.closed_ns = incident.last_flagged_ns + self._quiet_ns
        desk.peak, desk.peak_ns = incident.peak, incident.closed_ns
        desk.open = None
        desk.pending.clear()
        self._changed[incident.id] = incident

    def advance(self, now_ns: int) -> None:
        """Close what has been quiet for long enough."""
        for desk in self._desks.values():
            self._close_if_quiet(desk, now_ns)

    def next_deadline(self) -> int | None:
        """When the next open incident would be closed; None where none is open."""
        due = [desk.open.last_flagged_ns + self._quiet_ns for desk in self._desks.values() if desk.open]
        return min(due, default=None)

    def take_changed(self) -> list[Incident]:
        """Incidents opened, grown or closed since the last call."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def take_joined(self) -> list[Member]:
        """Fills that have become part of an incident since the last call, in order."""
        joined, self._joined = self._joined, []
        return joined

    # --- snapshots ---------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Plain data of everything that is remembered."""
        return {
            "incidents": [
                asdict(incident) | {"orders": sorted(incident.orders)} for incident in self.incidents
            ],
            "desks": [
                {
                    "account": account,
                    "open": desk.open.id if desk.open else None,
                    "pending": [asdict(candidate) for candidate in desk.pending],
                    "peak": desk.peak,
                    "peak_ns": desk.peak_ns,
                }
                for account, desk in self._desks.items()
            ],
        }

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Go back to a `snapshot`."""
        # a copy: what grows from now on must not grow in the snapshot
        self.incidents = [_incident(deepcopy(dict(row))) for row in plain["incidents"]]
        by_id = {incident.id: incident for incident in self.incidents}
        self._desks = {}
        for row in plain["desks"]:
            desk = _Desk(open=by_id.get(row["open"]), peak=row["peak"], peak_ns=row["peak_ns"])
            for held in row["pending"]:
                loss = Loss(**held["loss"]) if held["loss"] else None
                candidate = dict(held) | {"key": FillKey(*held["key"]), "loss": loss}
                if held.get("judgement"):
                    candidate["judgement"] = Judgement(**held["judgement"])
                desk.pending.append(_Candidate(**candidate))
            self._desks[row["account"]] = desk
        self._changed, self._joined = {}, []


def _incident(row: dict[str, Any]) -> Incident:
    row["alert_fill"] = FillKey(*row["alert_fill"])
    row["fills"] = [FillKey(*key) for key in row["fills"]]
    row["reasons"] = [Reason(*reason) for reason in row["reasons"]]
    row["orders"] = set(row["orders"])
    return Incident(**{f.name: row[f.name] for f in fields(Incident)})


def _loss_of(currency: str, verdict: np.void) -> Loss | None:
    quote = float(verdict["loss_quote"])
    if math.isnan(quote):
        return None
    fee = float(verdict["fee_quote"])
    return Loss(currency, quote, 0.0 if math.isnan(fee) else fee, float(verdict["quote_value"]))


def _judgement_of(verdict: np.void) -> Judgement:
    return Judgement(
        float(verdict["fair"]),
        SOURCES[int(verdict["source"])],
        float(verdict["deviation_bps"]),
        float(verdict["score"]),
        bool(verdict["flagged"]),
    )


def _owned(verdict: np.void) -> bool:
    """Whether the owner's log has the fill's order and its price isn't odd: then it is no part of a drain."""
    odd = bool(verdict["flagged"]) and float(verdict["sigmas"]) >= 1.0
    return int(verdict["logged"]) == 1 and not odd


def _weight(kind: str) -> int:
    """How much a flagged fill says of a kind: of a round trip's two legs only one can show what it was."""
    return 2 if kind == "ping_pong" else 1
