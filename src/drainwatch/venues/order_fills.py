"""Fills made of order updates, for venues that tell only how much of an order is filled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drainwatch.rows import Fill
from drainwatch.venues.ccxt_rows import exact, excerpt, fill_of
from drainwatch.venues.protocol import BadMessage


class OrderFills:
    """Differences of what each order has filled and cost so far.

    Price is the difference of cost over the difference of filled, so several fills between two updates
    become one at their mean. The id is made of the order's id and its filled total, so an update told
    twice is the same fill. Remembers the last `most` orders.
    """

    def __init__(self, exchange: str, account: str, most: int = 100_000) -> None:
        self._exchange, self._account, self._most = exchange, account, most
        self._told: OrderedDict[str, tuple[Decimal, Decimal, Decimal]] = OrderedDict()

    def take(self, order: object) -> Fill | BadMessage | None:
        """Read a unified order; None if nothing more of it is filled than was known."""
        stream = f"{self._exchange} private"
        if not isinstance(order, Mapping):
            return BadMessage(stream, f"expected an order, found {type(order).__name__}", excerpt(order))
        filled = _decimal(order.get("filled"))
        if filled is None:
            return BadMessage(stream, "expected how much of the order is filled, found none", excerpt(order))
        ident = order.get("id")
        if not isinstance(ident, str) or not ident:
            return BadMessage(stream, "expected the order's id, found none", excerpt(order))
        before, cost_before, fee_before = self._told.get(ident, (Decimal(0), Decimal(0), Decimal(0)))
        if filled <= before:
            return None
        cost = _cost(order, filled)
        if cost is None:
            return BadMessage(
                stream, "expected the order's cost or mean price, found neither", excerpt(order)
            )
        amount = filled - before
        fee_field = order.get("fee")
        fee: Mapping[str, Any] = fee_field if isinstance(fee_field, Mapping) else {}
        fee_total = _decimal(fee.get("cost"))
        row = fill_of(
            {
                "id": f"{ident}:{filled.normalize():f}",
                "order": ident,
                "symbol": order.get("symbol"),
                "side": order.get("side"),
                "type": order.get("type"),
                "price": (cost - cost_before) / amount,
                "amount": amount,
                "cost": cost - cost_before,
                "timestamp": order.get("lastTradeTimestamp")
                or order.get("lastUpdateTimestamp")
                or order.get("timestamp"),
                "fee": None
                if fee_total is None
                else {"cost": fee_total - fee_before, "currency": fee.get("currency")},
                "info": {"clientOrderId": order.get("clientOrderId")},
            },
            self._exchange,
            self._account,
        )
        if isinstance(row, Fill):
            self._told[ident] = (filled, cost, fee_before if fee_total is None else fee_total)
            self._told.move_to_end(ident)
            if len(self._told) > self._most:
                self._told.popitem(last=False)
        return row


def _decimal(value: object) -> Decimal | None:
    text = exact(value)
    return None if text is None else Decimal(text)


def _cost(order: Mapping[str, Any], filled: Decimal) -> Decimal | None:
    mean = _decimal(order.get("average"))
    # Of a derivative the cost is not price times amount.
    if ":" in str(order.get("symbol")) or not _decimal(order.get("cost")):
        return None if not mean else mean * filled
    return _decimal(order.get("cost"))
