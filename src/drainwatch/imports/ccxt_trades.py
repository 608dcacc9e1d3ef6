"""What ccxt's `fetch_my_trades` gives, written as JSON: a list, or an object a line.

What the exchange itself said stands in `info`: it is looked at for one thing, the owner's id of the order.
"""

from __future__ import annotations

import json
from typing import Any, Final

from drainwatch.imports.convert import AS_IT_IS, TIME
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.work import Work
from drainwatch.schema import SCHEMA

CLIENT_IDS: Final = ("clientOrderId", "clientOid", "client_oid", "orderLinkId", "clOrdId", "clOrdID", "cloid")
"""How exchanges call the owner's id of an order in what they say themselves."""


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def client_id(info: str | None) -> str | None:
    """Find the owner's id of the order in what the exchange said."""
    said = _json(info)
    if not isinstance(said, dict):
        return None
    return next(
        (str(said[name]) for name in CLIENT_IDS if isinstance(said.get(name), (str, int)) and said[name]),
        None,
    )


def only_fee(fees: str | None) -> tuple[str, str] | None:
    """Give the amount and coin of a list of fees; None where there is none, or they are of several coins."""
    told = _json(fees)
    paid: dict[str, float] = {}
    try:
        for fee in told or ():
            if fee.get("cost") is not None and fee.get("currency"):
                coin = str(fee["currency"])
                paid[coin] = paid.get(coin, 0.0) + float(fee["cost"])
    except (TypeError, ValueError, AttributeError):
        return None
    if len(paid) != 1:
        return None
    ((coin, cost),) = paid.items()
    return repr(cost), coin


def _client_ids(work: Work) -> None:
    if "_info" in work.columns:
        work.each("client_order_id", ["client_order_id", "_info"], lambda told, info: told or client_id(info))


def _fees(work: Work) -> None:
    """Take the list of fees where there is no single one."""
    if "_fees" not in work.columns:
        return
    single = list(zip(work.texts("fee_cost"), work.texts("fee_currency"), strict=True))
    several = [
        fee if fee[0] else only_fee(told) or (None, None)
        for fee, told in zip(single, work.texts("_fees"), strict=True)
    ]
    work.set("fee_cost", [cost for cost, _ in several])
    work.set("fee_currency", [coin for _, coin in several])


_SPELLED: Final = {
    "client_order_id": ("clientOrderId",),
    "taker_or_maker": ("takerOrMaker",),
    "fee_cost": ("fee.cost",),
    "fee_currency": ("fee.currency",),
}

IMPORTERS = (
    Importer(
        name="ccxt",
        title="trades as ccxt gives them",
        where="fetch_my_trades of ccxt, written as JSON: a list, or one trade a line",
        columns=(
            *(
                Column(
                    name,
                    _SPELLED.get(name, (name,)),
                    TIME if name == "timestamp" else AS_IT_IS,
                    needed=needed,
                )
                for name, (_, needed) in SCHEMA["fills"].items()
                if not name.startswith("drainwatch_")
            ),
            Column("_info", ("info",), needed=False),
            Column("_fees", ("fees",), needed=False),
        ),
        others=("datetime", "fee", "fee.rate"),
        marks=("datetime",),
        quirks=(_client_ids, _fees),
    ),
)
STRANGERS: tuple[Stranger, ...] = ()
