"""A message to try channels with: an incident as it would be told, marked as a test. Pure."""

from __future__ import annotations

from drainwatch.alerts.message import Message, message_of
from drainwatch.events import NS_PER_MS

_STEP_MS = 4_000


def sample_message(now_ns: int, exchange: str = "") -> Message:
    """Write a planted wall that never was, with the page of API keys of an exchange."""
    last_ms = now_ns // NS_PER_MS
    rows = [
        {
            "incident": "test",
            "symbol": "ABC/BTC",
            "id": f"test{number}",
            "order": f"order{number}",
            "side": "buy",
            "timestamp": last_ms - _STEP_MS * (2 - number),
            "price": 0.0000412 * (1 + 0.1 * number),
            "amount": 2_500.0,
            "fair_price": 0.0000203,
            "fair_source": "cross",
        }
        for number in range(3)
    ]
    keys = [{name: row[name] for name in ("symbol", "id", "order", "side")} for row in rows]
    incident = {
        "id": "test",
        "account": "example",
        "exchange": exchange,
        "symbols": ["ABC/BTC"],
        "severity": "critical",
        "escalated_at": None,
        "kind": "planted_wall",
        "kind_now": "planted_wall",
        "opened_at": rows[0]["timestamp"],
        "alerted_at": rows[0]["timestamp"],
        "closed_at": None,
        "fills": keys,
        "alert_fill": keys[0],
        "loss": 0.187,
        "loss_currency": "BTC",
        "equity_share": 0.21,
        "score": 6.0,
        "p_value": 1e-6,
        "reasons": [
            {
                "feature": "deviation_sigmas",
                "value": 88.0,
                "typical": 0.4,
                "text": "88 deviations worse than this account usually trades (usual: 0.4)",
            },
            {
                "feature": "fresh_level",
                "value": 0.97,
                "typical": 0.05,
                "text": "the quote that was hit had only just appeared (usual: 5 %)",
            },
        ],
    }
    return message_of(incident, "opened", fills=rows, test=True)
