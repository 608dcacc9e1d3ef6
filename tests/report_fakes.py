"""Incidents and fills that tests of reports share: as the contract describes them, made up."""

from __future__ import annotations

from typing import Any

START_MS = 1_520_434_500_000  # 7 Mar 2018 14:55:00 UTC
NASTY = "<script>alert(1)</script>/USDT"


def fill(number: int, **changes: Any) -> dict[str, Any]:
    """One fill of a planted wall, 12 % below what it was worth, 30 s after the one before."""
    row = {
        "exchange": "binance",
        "account": "main",
        "symbol": "XRP/ETH",
        "id": f"f{number}",
        "order": f"o{number}",
        "side": "sell",
        "timestamp": START_MS + 30_000 * number,
        "price": 0.00176,
        "amount": 1_000.0,
        "fair_price": 0.002,
        "fair_source": "cross",
        "deviation_bps": 1_200.0,
        "score": 12.0,
        "p_value": 1e-10,
        "flagged": True,
        "blind": None,
        "incident": "a1",
    }
    return row | changes


def fills(count: int = 14, **changes: Any) -> list[dict[str, Any]]:
    """Fills of one incident."""
    return [fill(number, **changes) for number in range(count)]


def key(row: dict[str, Any]) -> dict[str, Any]:
    """How an incident names a fill."""
    return {name: row[name] for name in ("symbol", "id", "order", "side")}


def incident(rows: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """The incident that some fills belong to; the alert is at the second."""
    rows = fills() if rows is None else rows
    alert = rows[min(1, len(rows) - 1)]
    made = {
        "id": "a1",
        "account": "main",
        "exchange": "binance",
        "symbols": ["XRP/ETH"],
        "severity": "critical",
        "escalated_at": None,
        "kind": "planted_wall",
        "kind_now": "planted_wall",
        "opened_at": rows[0]["timestamp"],
        "alerted_at": alert["timestamp"],
        "closed_at": None,
        "fills": [key(row) for row in rows],
        "alert_fill": key(alert),
        "loss": 3.36,
        "loss_currency": "ETH",
        "equity_share": 0.41,
        "score": 14.2,
        "p_value": 3.1e-10,
        "reasons": [
            {
                "feature": "deviation_sigmas",
                "value": 88.2,
                "typical": 0.4,
                "text": "88 deviations worse than this account usually trades",
            },
            {
                "feature": "fresh_level",
                "value": 0.97,
                "typical": 0.05,
                "text": "the quote that was hit had only just appeared",
            },
            {
                "feature": "unlogged",
                "value": 6.1,
                "typical": 0.0,
                "text": "the owner's bot did not place this order",
            },
            {"feature": "size_sigmas", "value": 3.0, "typical": None, "text": "the order was large"},
        ],
    }
    return made | changes


def nasty() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An incident whose every name from outside tries to get out of the page."""
    hostile = {
        "exchange": '"><img src=x onerror=alert(2)>',
        "account": "</title><svg onload=alert(3)>",
        "symbol": NASTY,
        "incident": "'><iframe src=//evil.example>",
        "fair_source": "<style>*{}</style>",
        "blind": "<marquee>",
    }
    rows = [
        fill(n, **hostile, id=f"<b>{n}</b>", order="javascript:alert(4)", side="buy" if n % 2 else "sell")
        for n in range(6)
    ]
    made = incident(
        rows,
        id=hostile["incident"],
        account=hostile["account"],
        exchange=hostile["exchange"],
        symbols=[NASTY, "A\x1b[31m/B", "\u202eC/D", "</svg>E/F"],
        loss_currency="</text></svg><script>",
        kind="<kind>",
        kind_now="<now>",
        severity="critical",
        reasons=[{"feature": "<f>", "value": 1.0, "typical": 2.0, "text": "<img src=x onerror=alert(5)>"}],
    )
    return made, rows
