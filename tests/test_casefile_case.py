"""What a case file reckons: losses, fees, counterparties, the timeline, hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from cases import INCIDENT, T0
from drainwatch.casefile.case import (
    Case,
    CaseFill,
    Moment,
    counterparties_of,
    fees_of,
    iso,
    iso_ms,
    losses_of,
    sealed,
    timeline_of,
)


def fill(**changes: Any) -> CaseFill:
    plain: dict[str, Any] = {
        "exchange": "x", "account": "a", "symbol": "A/B", "id": "1", "order": None, "side": "buy",
        "quote_currency": "B",
    }  # fmt: skip
    return CaseFill(**(plain | changes))


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (T0, "2025-10-09T08:53:20.000Z"),
        (T0 + 1_500_000, "2025-10-09T08:53:20.001500Z"),
        (T0 + 1, "2025-10-09T08:53:20.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (10**30, f"{10**30} ns since 1970"),
    ],
)
def test_times_lose_nothing(ns: int, text: str) -> None:
    assert iso(ns) == text


def test_times_of_incidents_are_told_to_the_microsecond() -> None:
    assert iso_ms(1_760_000_000_000) == "2025-10-09T08:53:20.000Z"
    assert iso_ms(1_760_000_000_000.25) == "2025-10-09T08:53:20.000250Z"


def test_losses_are_summed_by_market_and_gains_are_not_taken_off() -> None:
    fills = [
        fill(loss=2.0), fill(loss=-0.5), fill(loss=None),
        fill(symbol="C/D:D", quote_currency="", loss=None), fill(exchange="y", loss=3.0),
    ]  # fmt: skip
    rows = losses_of(fills)
    assert [(r.exchange, r.symbol, r.currency, r.fills, r.blind, r.loss, r.gain) for r in rows] == [
        ("y", "A/B", "B", 1, 0, 3.0, 0.0),
        ("x", "A/B", "B", 3, 1, 2.0, 0.5),
        ("x", "C/D:D", "D", 1, 1, 0.0, 0.0),
    ]


def test_fees_are_added_as_exactly_as_they_were_told() -> None:
    """0.1 + 0.2 isn't 0.3 in floats; an exchange that adds them up itself must get the same."""
    told = [("0.1", "F"), ("0.2", "F"), ("-0.05", "F"), ("1E-8", "G"), ("nan", "F"), ("x", "F"), (None, None)]
    fees = fees_of(fill(fee_cost=cost, fee_currency=currency) for cost, currency in told)
    assert fees == {"F": "0.25", "G": "0.00000001"}


def test_who_took_most_comes_first() -> None:
    fills = [
        fill(counterparty="p", loss=1.0), fill(counterparty="q", loss=1.5), fill(counterparty="p", loss=1.0),
        fill(counterparty=None, loss=9.0), fill(counterparty="r", loss=-3.0),
    ]  # fmt: skip
    assert [(r["counterparty"], r["fills"], r["loss"]) for r in counterparties_of(fills)] == [
        ("p", 2, {"B": 2.0}),
        ("q", 1, {"B": 1.5}),
        ("r", 1, {"B": 0.0}),
    ]


def test_the_timeline_is_in_order_of_time() -> None:
    at = INCIDENT["alerted_at"]
    messages = [
        {"what": "opened", "channel": "c", "posted_at": at + 1, "settled_at": at + 4, "state": "arrived"},
        {"what": "grew", "channel": "c", "posted_at": at + 5, "settled_at": None, "state": "waiting"},
        {
            "what": "closed", "channel": "d", "posted_at": at + 6, "settled_at": at + 7, "state": "given_up",
            "reason": "401",
        },
    ]  # fmt: skip
    marks = [{"what": "false_alarm", "at": at + 2, "reason": "mine"}]
    told = timeline_of(INCIDENT | {"escalated_at": at + 3, "closed_at": at + 9}, messages, marks)
    assert [(m.what, m.clock) for m in told] == [
        ("First fill of the incident", "exchange"),
        ("Judged a drain: critical, at fill 1", "exchange"),
        ("Message (opened) by c: ready to be sent", "watch"),
        ("The owner: false alarm: mine", "watch"),
        ("Became critical", "exchange"),
        ("Message (opened) by c: arrived", "watch"),
        ("Message (grew) by c: ready to be sent", "watch"),
        ("Message (closed) by d: ready to be sent", "watch"),
        ("Message (closed) by d: not delivered: 401", "watch"),
        ("Over: no such fill for long enough", "exchange"),
    ]
    assert told[0] == Moment(
        time="2025-10-09T08:53:20.000Z", what="First fill of the incident", clock="exchange"
    )


def test_parts_are_hashed_so_that_anybody_can_check_them() -> None:
    """By Python's own means: whoever checks it needn't have drainwatch."""
    empty: dict[str, Any] = {
        "made_at": "", "origin": {}, "judged_by": {}, "state": "open", "timeline": [], "losses": [],
        "counterparties": [], "market": [], "messages": [], "marks": [], "missing": [], "meaning": {},
    }  # fmt: skip
    case = sealed(Case(incident={"b": "é", "a": [1, None]}, fills=[fill(price="1.0")], **empty))
    plain = json.loads(msgspec.json.encode(case))
    for name in ("incident", "fills", "market"):
        text = json.dumps(plain[name], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        assert case.hashes[name] == hashlib.sha256(text.encode()).hexdigest()
