"""Exports of Coinbase: fills of Advanced Trade and of the old Pro, and the account's own statement."""

from __future__ import annotations

import re

import numpy as np

from drainwatch.imports.convert import NUMBER, SIDE, SIZE, TIME
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.symbols import name_spot
from drainwatch.imports.work import Work

_NOTE = re.compile(r" on ([A-Z0-9]+)-([A-Z0-9]+) at ([\d.,]+)", re.ASCII)
_TRADED = {"advanced trade buy": "buy", "advanced trade sell": "sell", "pro buy": "buy", "pro sell": "sell"}


def statement(work: Work) -> None:
    """Keep what was traded in the order book; its market and price stand in the notes.

    The price column is in the owner's currency, whatever the market was quoted in.
    """
    work.leave(
        [
            None if kind is not None and kind.casefold() in _TRADED else kind or "row without a type"
            for kind in work.texts("_kind")
        ]
    )
    work.each("side", ["_kind"], lambda kind: _TRADED.get((kind or "").casefold()))
    notes = {note: _NOTE.search(note) for note in set(work.texts("_notes")) if note}

    def noted(note: str | None, group: int) -> str | None:
        found = notes.get(note or "")
        return found[group] if found else None

    def market(note: str | None, asset: str | None, currency: str | None) -> str | None:
        quote = noted(note, 2) or currency
        return f"{asset}/{quote}" if asset and quote else None

    work.each("symbol", ["_notes", "_asset", "_currency"], market)
    work.each(
        "price", ["_notes", "price"], lambda note, price: (noted(note, 3) or price or "").replace(",", "")
    )
    # in the owner's currency, so of no use where the market is quoted in another
    same = [
        noted(note, 2) in {None, currency}
        for note, currency in zip(work.texts("_notes"), work.texts("_currency"), strict=True)
    ]
    for name in ("cost", "fee_cost"):
        kept = zip(work.texts(name), same, strict=True)
        work.set(name, [cell if fits else None for cell, fits in kept])
    work.set(
        "fee_currency", [c if fits else None for c, fits in zip(work.texts("_currency"), same, strict=True)]
    )
    lacking = np.array([not price for price in work.texts("price")], np.bool_)
    work.reject(lacking, "price", "a price")


FILLS = Importer(
    name="coinbase",
    title="Coinbase fills, of Advanced Trade or Pro",
    exchange="coinbase",
    where="Statements, Fills report, CSV (Pro: `fills.csv`)",
    columns=(
        Column("account", ("portfolio",), needed=False),
        Column("id", ("trade id",)),
        Column("_pair", ("product",)),
        Column("side", ("side",), SIDE),
        Column("timestamp", ("created at",), TIME),
        Column("amount", ("size",), SIZE),
        Column("price", ("price",), NUMBER),
        Column("fee_cost", ("fee",), NUMBER, needed=False),
        Column("fee_currency", ("price/fee/total unit", "fee unit"), needed=False),
        Column("order", ("order id",), needed=False),
    ),
    others=("size unit", "total"),
    quirks=(name_spot,),
)

STATEMENT = Importer(
    name="coinbase-statement",
    title="Coinbase account statement",
    exchange="coinbase",
    where="Statements, Transaction history, CSV; of it only what was traded with Advanced Trade",
    columns=(
        Column("id", ("ID",), needed=False),
        Column("timestamp", ("Timestamp",), TIME),
        Column("_kind", ("Transaction Type",)),
        Column("_asset", ("Asset",)),
        Column("amount", ("Quantity Transacted",), SIZE),
        Column("_currency", ("Price Currency", "Spot Price Currency")),
        Column("price", ("Price at Transaction", "Spot Price at Transaction"), NUMBER),
        Column("cost", ("Subtotal",), SIZE, needed=False),
        Column("fee_cost", ("Fees and/or Spread", "Fees"), NUMBER, needed=False),
        Column("_notes", ("Notes",)),
    ),
    others=("Total (inclusive of fees and/or spread)", "Total (inclusive of fees)"),
    quirks=(statement,),
)

IMPORTERS = (FILLS, STATEMENT)
STRANGERS = (
    Stranger(
        title="Coinbase Pro account statement",
        columns=("portfolio", "type", "time", "amount", "balance", "transfer id", "trade id"),
        instead="export the fills instead (Statements, Fills)",
    ),
)
