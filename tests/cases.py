"""A store as a watch leaves it after a drain, made by hand: two bad fills, the market around them."""

from __future__ import annotations

from typing import Any

import msgspec

from drainwatch.rows import Candle, Fill, Market, Quote, Row, Trade
from drainwatch.store import JudgedBy, Judgement, Mark, Store

S = 1_000_000_000
T0 = 1_760_000_000 * S
HOSTILE = "<script>alert('x')</script>\u202e{{ 7 * 7 }}"
INCIDENT: dict[str, Any] = {
    "id": "0123456789abcdef",
    "account": "default",
    "exchange": "x",
    "symbols": ["A/B"],
    "severity": "critical",
    "escalated_at": None,
    "kind": "planted_wall",
    "kind_now": "ping_pong",
    "opened_at": T0 // 10**6,
    "alerted_at": T0 // 10**6,
    "closed_at": None,
    "fills": [
        {"symbol": "A/B", "id": "1", "order": "o1", "side": "buy"},
        {"symbol": "A/B", "id": "2", "order": None, "side": "sell"},
    ],
    "alert_fill": {"symbol": "A/B", "id": "1", "order": "o1", "side": "buy"},
    "loss": 1.5,
    "loss_currency": "B",
    "equity_share": 0.25,
    "score": 3.0,
    "p_value": 0.001,
    "reasons": [{"feature": "deviation_bps", "value": 1.0, "typical": 0.0, "text": HOSTILE}],
}


def fill(number: str, **changes: Any) -> Fill:
    """One as the venue wrote it: zeros at the end and all."""
    plain: dict[str, Any] = {
        "exchange": "x",
        "account": "",
        "symbol": "A/B",
        "id": number,
        "ts_ns": T0,
        "side": "buy",
        "price": "2.00000000000000000100",
        "amount": "1.50",
        "fee_cost": "0.0010",
        "fee_currency": "F",
        "counterparty": HOSTILE,
    }
    return Fill(**(plain | changes))


FILLS = [
    fill("1", order="o1", client_order_id=HOSTILE, cost="3.000"),
    fill("2", ts_ns=T0 + 5 * S, side="sell", price="0.5", order="", fee_cost="-0.00010", counterparty=None),
]


def quote(at_s: float, symbol: str = "A/B") -> tuple[int, Row]:
    at_ns = T0 + int(at_s * S)
    return at_ns, Quote(exchange="x", symbol=symbol, ts_ns=at_ns, bid=0.99, ask=1.01, bid_size=7.0)


def fill_store(store: Store, *, drop: bool = False) -> None:
    """Put it all in; `drop`: the journal's first entries are gone."""
    at_print = T0 - 3 * S
    candle_ns = T0 + 30 * S
    entries: list[Any] = [
        [(0, Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B")), quote(-200)],
        [quote(-90), quote(-59), quote(-59, "C/B")],
        [(at_print, Trade(exchange="x", symbol="A/B", ts_ns=at_print, price=1.0, amount=2.0, id=HOSTILE))],
        [(T0, FILLS[0])],
        [(T0 + 5 * S, FILLS[1])],
        T0 + 20 * S,
        [
            (
                candle_ns,
                Candle(exchange="x", symbol="A/B", ts_ns=candle_ns, open=1, high=2, low=1, close=2, volume=3),
            )
        ],
        [quote(64), quote(66)],
        [quote(300)],
    ]
    for entry in entries:
        store.append(msgspec.msgpack.encode(entry))
    if drop:
        store.save_snapshot(3, b"")
        store.save_snapshot(4, b"")
    store.add_fills(FILLS, T0)
    key = ("x", "default", "A/B")
    store.add_judgements(
        [
            Judgement(
                incident=INCIDENT["id"], key=(*key, "1", "o1", "buy"), at_ns=T0, fair=1.0, source="mid",
                deviation_bps=10_000.0, score=3.0, flagged=True, loss=1.5, fee=0.1, currency="B",
            ),
            Judgement(incident=INCIDENT["id"], key=(*key, "2", None, "sell"), at_ns=T0 + 5 * S),
        ]
    )  # fmt: skip
    store.save_incident(INCIDENT)
    store.note_judge(
        JudgedBy(from_ns=T0 - S, drainwatch="1.2", model="ab", false_alarms_per_month=0.1, quiet_hours=6.0)
    )
    store.note_judge(
        JudgedBy(from_ns=T0 + S, drainwatch="1.3", model="cd", false_alarms_per_month=0.1, quiet_hours=6.0)
    )
    store.post(f"{INCIDENT['id']}/opened/1", "phone", 0, b"x", T0 + S)
    store.delivered(store.due(2**62)[0], T0 + 2 * S)
    store.add_mark(Mark(incident=INCIDENT["id"], what="acknowledged", at_ns=T0 + 600 * S, reason=HOSTILE))
