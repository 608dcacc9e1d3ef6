"""What a terminal shows of a running watch, taken from the watch as it is now."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from drainwatch.events import NS_PER_MS, NS_PER_S
from drainwatch.report import words
from drainwatch.watch.core import Verdict
from drainwatch.watch.runner import Watch
from drainwatch.watch.view import (
    MOST_FILLS,
    MOST_NOTICES,
    AccountView,
    FillView,
    IncidentView,
    StreamState,
    StreamView,
    ViewState,
)


def picture_of(watch: Watch) -> ViewState:
    """Take it."""
    hub = watch.hub
    status = watch.status()
    newest = list(reversed(hub.verdicts))
    return ViewState(
        now_ns=status.now_ns,
        since_ns=status.started_ns,
        accounts=tuple(_account(watch, f.name, f.exchange) for f in watch.followed),
        streams=tuple(
            StreamView(
                name=stream.name,
                state=StreamState.LIVE if stream.connected else StreamState.CONNECTING,
                last_ns=stream.last_frame_ns,
                per_second=stream.rows / max((status.now_ns - status.started_ns) / NS_PER_S, 1.0),
                bad=stream.bad,
            )
            for stream in status.streams
        ),
        fills=tuple(_fill(verdict) for verdict in newest[:MOST_FILLS]),
        incidents=tuple(
            _incident(incident)
            for incident in sorted(hub.open.values(), key=lambda i: (i["severity"], i["opened_at"]))
        ),
        notices=tuple(list(reversed(hub.notices))[:MOST_NOTICES]),
        backlog=status.backlog,
        unsent=status.outbox_waiting,
    )


def _account(watch: Watch, name: str, exchange: str) -> AccountView:
    """Of today's fills, as far as the last ones that are kept tell."""
    hub = watch.hub
    today = datetime.fromtimestamp(watch.clock.now_ns() / NS_PER_S, UTC).date()
    day = hub.days.get(name)
    equity = next((v.equity for v in reversed(hub.verdicts) if v.fill.account == name), math.nan)
    if day is None or day.date != today:
        return AccountView(name=name, exchange=exchange, equity=_known(equity))
    return AccountView(
        name=name,
        exchange=exchange,
        equity=_known(equity),
        loss_today=day.loss,
        fills_today=day.fills,
        blind_today=day.blind,
    )


def _fill(verdict: Verdict) -> FillView:
    fill, fair = verdict.fill, _known(verdict.fair)
    return FillView(
        ts_ns=fill.ts_ns,
        account=fill.account,
        symbol=fill.symbol,
        side=fill.side,
        amount=fill.amount,
        price=fill.price,
        fair=fair,
        fair_source=verdict.source,
        deviation_bps=_known(verdict.deviation_bps),
        score=None if fair is None else verdict.score,
        flagged=verdict.flagged,
        blind="" if fair is not None else "no price",
    )


def _incident(incident: dict[str, Any]) -> IncidentView:
    return IncidentView(
        id=incident["id"],
        severity="critical" if incident["escalated_at"] is not None else incident["severity"],
        account=incident["account"],
        exchange=incident["exchange"],
        symbols=tuple(incident["symbols"]),
        opened_ns=round(incident["opened_at"] * NS_PER_MS),
        fills=len(incident["fills"]),
        loss=incident["loss"],
        currency=incident["loss_currency"] or "",
        equity_share=incident["equity_share"],
        headline=words.spoken(incident["kind_now"]),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
